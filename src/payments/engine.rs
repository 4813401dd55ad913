//! The engine of one wallet: the only writer of its payments once they are accepted.
//!
//! A level-triggered loop. Pages, answers and wakes only say that there is something to look at; what is
//! to be done is read from the lane and the store. Every step follows the same order: decide, commit in one
//! transaction, then change the memory, then send. After any error of the store the memory is dropped and
//! read again, so that a commit whose answer was lost is told from one that failed by the database.

use super::ask::{Asked, Asking};
use super::fees;
use super::histories::Histories;
use super::hold::Hold;
use super::last_run::LastRun;
use super::lookout::Lookout;
use super::pasts::Pasts;
use super::preflight::Preflight;
use super::restore::restore;
use super::submit::{self, Outgoing, Report};
pub use super::view::{TicketsView, View};
use crate::clock::Clock;
use crate::journal::recall;
use crate::store::switches::Switches;
use crate::store::{CommitError, Store, StoreError};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use crate::wallet::Wallet;
use crate::xrpl::{Backlog, Pool};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xrpayd_core::engine::{Desk, Tick, TicketRequest};
use xrpayd_core::fee::FeeQuote;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_core::tickets::Refill;

/// How a wallet may work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The network on which the wallet lives.
    pub network_id: u32,
    /// What the desk works by.
    pub desk: xrpayd_core::engine::Settings,
    /// When tickets are made without being asked for.
    pub refill: Refill,
    /// The ledger from which on a wallet that is new is booked.
    pub start_ledger: Option<LedgerIndex>,
}

/// What the engine works with.
#[derive(Clone)]
pub struct Deps {
    /// The account and its key.
    pub wallet: Arc<Wallet>,
    /// The database.
    pub store: Store,
    /// The wallet's lease: what is written, signed and sent stands under it.
    pub hold: Hold,
    /// The servers.
    pub pool: Pool,
    /// What they say of accounts that are to be paid.
    pub preflight: Preflight,
    /// What all wallets have read of lives that the database does not know.
    pub pasts: Pasts,
    /// What this machine signed last.
    pub last_run: LastRun,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The instruments.
    pub metrics: Arc<Metrics>,
    /// Where its helpers run.
    pub supervisor: Supervisor,
    /// What operators have paused.
    pub switches: Switches,
    /// Rung when a payment was accepted.
    pub wake: Arc<Notify>,
    /// Rung when another hand changed what the wallet works from, such as a halt.
    pub changed: Arc<Notify>,
}

/// Looks again after this long without any wake: what a lost wake costs at most.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// The pause after a store that does not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// Pages read ahead of the engine: one is folded while the next is fetched.
const PAGES_AHEAD: usize = 2;
/// Batches of answers that may wait for the engine.
const REPORTS_AHEAD: usize = 16;
/// Attempts in one request to the submitter, so that the first answers come before the last send.
const SEND_BATCH_MAX: usize = 1_024;
/// From one reading of everything to the next at least, so that a cause that persists does not spin.
const RELOAD_PAUSE: Duration = Duration::from_millis(250);

/// Why a life of the engine ended.
#[derive(Debug)]
enum End {
    Cancelled,
    /// Read everything again: another hand wrote, or the operator resumed the wallet.
    Reload,
    Store(StoreError),
    /// What this machine signed last can neither be read nor written.
    LastRun(io::Error),
    /// A pause came between the deciding and the commit, or could not be read in it.
    Paused,
    /// Another process has the wallet, or this one can no longer be sure that none has.
    LeaseLost,
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost(_) => Self::LeaseLost,
            StoreError::HistoryBroken(_) => Self::Reload,
            error => Self::Store(error),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::LastRun(error)
    }
}

impl From<CommitError> for End {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Stale(_)
            | CommitError::CursorMoved
            | CommitError::Overlooked
            | CommitError::Halted => Self::Reload,
            CommitError::Paused | CommitError::Store(StoreError::PausesUnreadable(_)) => {
                Self::Paused
            }
            CommitError::Store(error) => error.into(),
        }
    }
}

/// Held by whatever works beside an engine and must have ended before its lease is given away.
pub(super) type Hands = mpsc::Sender<std::convert::Infallible>;

pub(super) type StepResult = Result<(), Stop>;

/// A step that cannot go on; carried up to the loop.
#[derive(Debug)]
pub(super) struct Stop(End);

impl<T: Into<End>> From<T> for Stop {
    fn from(end: T) -> Self {
        Self(end.into())
    }
}

/// Runs the wallet until `cancel`, or until its lease is lost; what it knows is shown through `view`.
/// When it returns, nothing of it is on its way to the servers or into the store any more.
pub async fn run(
    deps: &Deps,
    settings: &Settings,
    view: &watch::Sender<View>,
    cancel: &CancellationToken,
) {
    let wallet = deps.wallet.name.clone();
    loop {
        let (life, began) = (cancel.child_token(), Instant::now());
        let (hands, mut gone) = mpsc::channel(1);
        let end = Engine::live(deps, settings, view, &life, hands).await;
        life.cancel();
        // What writes or sends beside the engine holds a sender for as long as it works.
        let _ = gone.recv().await;
        match end.map_or_else(|Stop(end)| end, |()| End::Cancelled) {
            End::Cancelled => return,
            End::LeaseLost => {
                tracing::warn!(
                    wallet.name = wallet,
                    lease.epoch = deps.hold.tenure().epoch,
                    "the wallet's lease is lost: this process signs nothing for it"
                );
                return;
            }
            End::Reload => {
                tracing::info!(wallet.name = wallet, "the wallet's work is read again");
                // What the next life is held against is to be no older than what it reads.
                deps.switches.look_soon();
                // Others write to its payments all the time: one that lived has nothing to wait for.
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep_until(began + RELOAD_PAUSE) => {}
                }
            }
            End::Paused => {
                tracing::info!(
                    wallet.name = wallet,
                    "the wallet is paused: nothing new is signed"
                );
                // What the commit has seen is to be known before anything is decided again.
                deps.switches.look_again().await;
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(RELOAD_PAUSE) => {}
                }
            }
            End::LastRun(error) => {
                tracing::error!(
                    wallet.name = wallet,
                    %error,
                    "what was signed last cannot be written down: the wallet waits"
                );
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(STORE_PAUSE) => {}
                }
            }
            End::Store(error) => {
                tracing::error!(
                    wallet.name = wallet,
                    error = ?error,
                    "the store does not answer: the wallet waits"
                );
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(STORE_PAUSE) => {}
                }
            }
        }
    }
}

/// One life of the engine: from reading the store to the first error or the end.
pub(super) struct Engine<'a> {
    pub(super) deps: &'a Deps,
    pub(super) settings: &'a Settings,
    pub(super) desk: Desk,
    pub(super) lookout: Lookout,
    /// What was sent and is open, for servers that lack it.
    pub(super) backlog: Arc<Backlog>,
    pub(super) outbox: VecDeque<(TxHash, Arc<[u8]>)>,
    pub(super) fees: watch::Receiver<Option<FeeQuote>>,
    /// The ledger at which what waits was held against what the ledger remembers.
    pub(super) adopted_at: Option<LedgerIndex>,
    pub(super) view: &'a watch::Sender<View>,
    pub(super) histories: Histories,
    pub(super) asking: Asking,
    /// The operator's request for tickets that is open, as it was looked for last.
    pub(super) request: Option<TicketRequest>,
    /// When a halted wallet looks for the operator's word next.
    pub(super) asks_halt_at: Option<Instant>,
    /// What the account sent that nothing here signed and that nobody has accepted yet.
    pub(super) foreign: usize,
    /// How many payments are signed at once: fewer after somebody changed one meanwhile.
    pub(super) signs_at_most: usize,
}

impl<'a> Engine<'a> {
    async fn live(
        deps: &'a Deps,
        settings: &'a Settings,
        view: &'a watch::Sender<View>,
        cancel: &CancellationToken,
        hands: Hands,
    ) -> StepResult {
        let desk = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            desk = restore(deps, settings) => desk?,
        };
        let account = deps.wallet.account;
        let backlog = Arc::new(Backlog::default());
        let (page_tx, mut pages) = mpsc::channel(PAGES_AHEAD);
        let (send_tx, outgoing) = mpsc::channel::<Outgoing>(1);
        let (report_tx, mut reports) = mpsc::channel::<Vec<Report>>(REPORTS_AHEAD);
        let (asked_tx, mut asked) = mpsc::channel(1);
        let histories = Histories::open(deps, &desk, page_tx, cancel, hands.clone()).await?;
        deps.supervisor.spawn(
            format!("submit:{}", deps.wallet.name),
            submit::run(
                (deps.pool.clone(), deps.hold.clone()),
                Arc::clone(&backlog),
                outgoing,
                report_tx,
                (cancel.clone(), hands),
            ),
        );
        let (fee_tx, fees) = watch::channel(None);
        let mut new_fee = fees.clone();
        let mut switched = deps.switches.follow();
        deps.supervisor.spawn(
            format!("fees:{}", deps.wallet.name),
            fees::follow(deps.pool.clone(), fee_tx, cancel.clone()),
        );
        let (lookout, mut seen) = Lookout::open(deps, account, cancel);
        let mut engine = Engine {
            deps,
            lookout,
            settings,
            desk,
            backlog,
            outbox: VecDeque::new(),
            fees,
            adopted_at: None,
            view,
            histories,
            asking: Asking::default(),
            request: None,
            asks_halt_at: None,
            foreign: 0,
            signs_at_most: usize::MAX,
        };
        engine.count_foreign().await?;
        let (recall_tx, mut recalled) = mpsc::channel(1);
        if let Some(range) = engine.desk.recall() {
            deps.supervisor.spawn(
                format!("recall:{}", deps.wallet.name),
                recall::read(deps.pool.clone(), account, range, recall_tx, cancel.clone()),
            );
        }
        let mut poll = tokio::time::interval(POLL);
        loop {
            engine.work(&asked_tx, cancel).await?;
            // All have their turn: a slow store always has a page, and what is signed has to leave.
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                Some(page) = pages.recv() => engine.take_page(page).await?,
                Some(answer) = asked.recv() => engine.take_asked(answer).await?,
                Some(page) = recalled.recv() => engine.take_recalled(page).await?,
                Some(told) = seen.recv() => engine.lookout.take(told),
                Some(answers) = reports.recv() => engine.take_answers(answers).await?,
                Ok(permit) = send_tx.reserve(), if !engine.outbox.is_empty() => {
                    permit.send(engine.next_batch());
                }
                Ok(()) = new_fee.changed() => {}
                Ok(()) = switched.changed() => {}
                () = deps.changed.notified() => return Err(End::Reload.into()),
                () = deps.wake.notified() => {}
                _ = poll.tick() => engine.look_for_ticket_request().await?,
            }
            engine.heed_halts().await?;
        }
    }

    /// What leaves next, without what was settled while it waited.
    fn next_batch(&mut self) -> Outgoing {
        let count = self.outbox.len().min(SEND_BATCH_MAX);
        let (desk, backlog) = (&self.desk, &self.backlog);
        let leaves = |(hash, blob): &(TxHash, Arc<[u8]>)| {
            let slot = desk.may_leave(hash);
            if let Some(slot) = slot {
                // From here on it is among those that a server must have before later ones.
                backlog.open(*hash, slot, blob);
            }
            slot.is_some()
        };
        Outgoing {
            blobs: self.outbox.drain(..count).filter(leaves).collect(),
            mark: backlog.mark(),
        }
    }

    /// Everything that the present level asks for.
    async fn work(
        &mut self,
        asked_tx: &mpsc::Sender<Asked>,
        cancel: &CancellationToken,
    ) -> StepResult {
        if let Some(tip) = self.deps.pool.tip().borrow().as_ref() {
            self.desk.began(tip.index);
        }
        let signing = self
            .deps
            .switches
            .standing()
            .signing_of(&self.deps.wallet.name);
        self.desk.set_signing(signing);
        self.tell_past();
        self.adopt_waiting().await?;
        self.expire_queued().await?;
        self.raise_fees().await?;
        self.make_tickets().await?;
        // What could still be signed takes the holes.
        if !self.sign_queued().await? {
            self.plug_holes().await?;
        }
        self.mark_paused().await?;
        self.outbox.extend(self.desk.due_for_sending(self.tick()));
        self.ask_the_ledger(asked_tx, cancel);
        self.show();
        Ok(())
    }

    /// The time since this process began, for what is sent again.
    pub(super) fn tick(&self) -> Tick {
        let passed = self.deps.clock.monotonic().as_millis();
        Tick(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// What each further object keeps on the account.
    pub(super) fn reserve_each(&self) -> Option<Drops> {
        let tip = self.deps.pool.tip();
        let tip = tip.borrow();
        Some(tip.as_ref()?.reserve_inc)
    }

    /// What must stay on the account, by the newest validated ledger's reserves.
    pub(super) fn reserve(&self) -> Option<Drops> {
        let tip = self.deps.pool.tip();
        let tip = tip.borrow();
        let tip = tip.as_ref()?;
        // Tickets that are being made keep their reserve as soon as they stand.
        let owns = self.desk.cursor().owner_count;
        let owns = owns.checked_add(self.desk.tickets_on_order())?;
        Some(tip.reserve_of(owns))
    }
}

impl Stop {
    /// The wallet is no longer this process's to work on.
    pub(super) fn lease_lost() -> Self {
        Self(End::LeaseLost)
    }

    /// The work must be read again.
    pub(super) fn reload() -> Self {
        Self(End::Reload)
    }
}
