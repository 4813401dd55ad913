//! Keeps the wallets' leases: an engine runs only under one.
//!
//! For each wallet: wait until the lease can be had, take it, run the engine under it, renew it meanwhile,
//! and end the engine before it may be another's. A replica that is asked to end gives each lease back as
//! soon as its engine has ended, and says so, so that another goes on at once.
//!
//! Owns the instants until which this process may sign and send. They are reckoned on its own monotonic
//! clock from *before* a lease was asked for, less a margin, so that the process stops before the database
//! lets another in, however long an answer took. Renewing is a task of its own, so that a slow engine
//! loses nothing. On failure of the database nothing is renewed and the engines end by themselves.
//!
//! Wallets are spread over the replicas that live by `core::spread`: who holds too many gives one away, and
//! rests before the next; of a wallet that has become nobody's one replica is the first taker, and the
//! others let it go first.
//!
//! Where one process alone can have the database, a SQLite file, the lock on the file is what is held: the
//! lease is taken at once, because whoever had it is dead, and has no end.

mod spreading;

use crate::clock::{Clock, Entropy};
use crate::config;
use crate::payments::engine::{self, Deps, View};
use crate::payments::hold::Hold;
use crate::payments::last_run::LastRun;
use crate::store::{
    Claim, Hint, Holding, LeaseBoard, Occasion, Replica, Store, StoreError, Taken, Tenure,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use xrpayd_core::limits::Word;

/// A lease that another holds is looked at this often at least: what a lost hint costs at most.
const LOOK: Duration = Duration::from_millis(400);
/// The pause after a database that does not answer.
const STORE_PAUSE: Duration = Duration::from_millis(250);
/// How long others wait with a wallet that is not theirs to take first.
const BEAT: Duration = Duration::from_millis(250);
/// The pause between two wallets that are given away, and before one's own that was given is taken again.
const REST: Duration = Duration::from_secs(1);
/// How long giving a lease back may take; after that it runs out by itself.
const RELEASE_WAIT: Duration = Duration::from_secs(2);
/// The pause after a lease that could not be given back.
const RELEASE_PAUSE: Duration = Duration::from_millis(50);
/// A replica that has the database to itself says so rarely that it lives.
const SEEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// This part of a lease is left unused at its end.
const MARGIN_SHARE: u32 = 4;
/// A lease is renewed so often while it lasts; the store gives one that has no answer up after as long.
pub(super) const RENEWALS: u32 = 5;
/// The store ends a renewal by itself; one that does not end in so many of its times is not waited for.
const OVERDUE: u32 = 2;

/// How long leases last.
#[derive(Debug, Clone, Copy)]
struct Terms {
    ttl: Duration,
    /// How long this process uses one after it has asked for it.
    used: Duration,
    renewed_every: Duration,
}

impl Terms {
    fn of(ttl: Duration) -> Self {
        Self {
            ttl,
            used: ttl.saturating_sub(ttl / MARGIN_SHARE),
            renewed_every: ttl / RENEWALS,
        }
    }
}

/// A lease that an engine runs under.
#[derive(Clone)]
struct Held {
    tenure: Tenure,
    /// Until when, by the monotonic clock.
    until: watch::Sender<Duration>,
    /// Rung when the database says that it is another's.
    lost: CancellationToken,
    /// Rung when it is to be given to a replica that holds fewer.
    given: CancellationToken,
}

/// The leases of this process.
pub(super) struct Leases {
    store: Store,
    clock: Arc<dyn Clock>,
    replica: Replica,
    /// The wallets of the configuration: what else has a row is nobody's business.
    wallets: Vec<String>,
    /// Where this machine writes down under which taking it saw each of them.
    last_runs: BTreeMap<String, LastRun>,
    terms: Terms,
    /// Whether no other process can have the database.
    is_alone: bool,
    held: Mutex<BTreeMap<String, Held>>,
    /// Who is there and who holds what, as it was seen last.
    board: watch::Sender<LeaseBoard>,
    /// Rung when this process begins to end.
    draining: CancellationToken,
}

/// A wallet's lease as it is shown.
pub(super) struct Shown {
    /// The shown name of who has it, where somebody does.
    pub(super) holder: Option<String>,
    /// Its epoch; 0 while nothing is known.
    pub(super) epoch: u64,
}

/// One wallet's engine, as it is run under one lease after the other.
pub(super) struct Lane {
    /// The wallet.
    pub name: String,
    /// What the engine works with, given what it holds.
    pub deps: Box<dyn Fn(Hold) -> Deps + Send + Sync>,
    /// How it may work.
    pub settings: engine::Settings,
    /// What it shows.
    pub view: watch::Sender<View>,
    /// The tenure under which it runs, while it does.
    pub tenure: watch::Sender<Option<Tenure>>,
}

impl Leases {
    pub(super) fn new(
        (config, last_runs): (&config::Lease, BTreeMap<String, LastRun>),
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Arc<Self> {
        let name = config.name.clone().unwrap_or_else(host_name);
        let mut random = [0; 6];
        entropy.fill(&mut random);
        let replica = Replica {
            id: format!("{name}-{}", hex::encode(random)),
            name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_draining: false,
        };
        Arc::new(Self {
            is_alone: store.is_alone(),
            store,
            clock,
            replica,
            wallets: last_runs.keys().cloned().collect(),
            last_runs,
            terms: Terms::of(config.ttl),
            held: Mutex::default(),
            board: watch::Sender::default(),
            draining: CancellationToken::new(),
        })
    }

    /// From now on no lease is taken, and the other replicas are told.
    pub(super) fn drain(&self) {
        self.draining.cancel();
    }

    /// Runs a wallet's engine whenever this process has the lease, until `cancel`; then gives it back.
    pub(super) async fn keep(self: Arc<Self>, lane: Lane, cancel: CancellationToken) {
        while let Some((held, hold)) = self.acquire(&lane.name, &cancel).await {
            tracing::info!(
                wallet.name = lane.name,
                lease.epoch = held.tenure.epoch,
                replica.id = self.replica.id,
                "this process has the wallet's lease"
            );
            lane.tenure.send_replace(Some(held.tenure.clone()));
            self.work(&lane, &held, hold, &cancel).await;
            self.held_now().remove(&lane.name);
            lane.tenure.send_replace(None);
            lane.view.send_replace(View::default());
            if cancel.is_cancelled() {
                self.release(&held.tenure).await;
                return;
            }
            if held.given.is_cancelled() {
                self.release(&held.tenure).await;
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(REST) => {}
                }
            }
        }
    }

    /// Who has a wallet, as far as this process knows.
    pub(super) fn shown(&self, wallet: &str) -> Shown {
        if let Some(held) = self.held_now().get(wallet) {
            return Shown {
                holder: Some(self.replica.name.clone()),
                epoch: held.tenure.epoch,
            };
        }
        let board = self.board.borrow();
        let mut leases = board.leases.iter();
        let lease = leases.find(|lease| lease.wallet == wallet);
        let holder = lease.and_then(|lease| lease.holder.as_ref());
        let name_of = |id: &String| {
            let mut seen = board.replicas.iter();
            let known = seen.find(|seen| seen.replica.id == *id);
            known.map_or_else(|| id.clone(), |seen| seen.replica.name.clone())
        };
        Shown {
            holder: holder.map(name_of),
            epoch: lease.map_or(0, |lease| lease.epoch),
        }
    }

    /// Runs the engine until it has ended, for whatever reason.
    async fn work(&self, lane: &Lane, held: &Held, hold: Hold, cancel: &CancellationToken) {
        let life = cancel.child_token();
        let deps = (lane.deps)(hold.clone());
        let engine = engine::run(&deps, &lane.settings, &lane.view, &life);
        tokio::pin!(engine);
        tokio::select! {
            () = &mut engine => return,
            () = hold.ran_out() => tracing::warn!(
                wallet.name = lane.name,
                "the wallet's lease could not be renewed in time: the engine ends"
            ),
            () = held.given.cancelled() => {}
            () = held.lost.cancelled() => tracing::warn!(
                wallet.name = lane.name,
                "another process has taken the wallet's lease: the engine ends"
            ),
        }
        life.cancel();
        engine.await;
    }

    /// Waits for the lease and takes it; `None` when it is not wanted any more.
    async fn acquire(&self, wallet: &str, cancel: &CancellationToken) -> Option<(Held, Hold)> {
        let mut hints = self.store.hints();
        let claim = match self.is_alone {
            true => Claim::Orphaned,
            false => Claim::Vacant,
        };
        let mut is_told = false;
        loop {
            // Whoever is to have it gets it without a race, unless that one does not come.
            if !self.is_alone && !self.is_first(wallet) {
                tokio::select! {
                    () = cancel.cancelled() => return None,
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
            if cancel.is_cancelled() || self.draining.is_cancelled() {
                return None;
            }
            let asked_at = self.clock.monotonic();
            let taking = self
                .store
                .take_lease(wallet, &self.replica.id, self.terms.ttl, claim);
            let wait = match taking.await {
                Ok(Taken::Yes(tenure)) => return Some(self.hold(tenure, asked_at)),
                Ok(Taken::HeldBy { left, holder }) => {
                    tracing::debug!(
                        wallet.name = wallet,
                        lease.holder = holder,
                        "the lease is another's"
                    );
                    is_told = false;
                    left.min(LOOK)
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(wallet.name = wallet, error = ?error, "the wallet's lease cannot be taken");
                    }
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return None,
                () = self.draining.cancelled() => return None,
                () = tokio::time::sleep(wait) => {}
                () = released(&mut hints, wallet) => {}
            }
        }
    }

    fn hold(&self, tenure: Tenure, asked_at: Duration) -> (Held, Hold) {
        let end = match self.is_alone {
            true => Duration::MAX,
            false => asked_at.saturating_add(self.terms.used),
        };
        let (until, follow) = watch::channel(end);
        let hold = Hold::new(tenure.clone(), follow, Arc::clone(&self.clock));
        let held = Held {
            tenure,
            until,
            lost: CancellationToken::new(),
            given: CancellationToken::new(),
        };
        self.held_now()
            .insert(held.tenure.wallet.clone(), held.clone());
        (held, hold)
    }

    async fn release(&self, tenure: &Tenure) {
        let wallet = &tenure.wallet;
        let released = async {
            loop {
                match self.store.release_lease(tenure).await {
                    Err(error) if error.retryable() => tokio::time::sleep(RELEASE_PAUSE).await,
                    released => return released,
                }
            }
        };
        match tokio::time::timeout(RELEASE_WAIT, released).await {
            Ok(Ok(true)) => {
                tracing::info!(wallet.name = wallet, "the wallet's lease is given back");
                self.store.hint(Hint::Lease(wallet.clone()));
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(wallet.name = wallet, error = ?error, "the wallet's lease could not be given back, and runs out");
            }
            Err(_) => {
                tracing::warn!(
                    wallet.name = wallet,
                    "the wallet's lease could not be given back in time, and runs out"
                );
            }
        }
    }

    /// Renews what is held and says that this replica lives, until `cancel`, which is to come after the
    /// last engine has ended.
    pub(super) async fn renew(self: Arc<Self>, cancel: CancellationToken) {
        let entered = self.store.enter_replica(&self.replica).await;
        if let Err(error) = entered {
            tracing::warn!(error = ?error, "this replica could not enter itself yet");
        }
        // A file has one replica at a time, and what it holds has no end.
        let every = match self.is_alone {
            true => SEEN_EVERY,
            false => self.terms.renewed_every,
        };
        let (mut wait, mut drains, mut is_told) = (every, false, false);
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.draining.cancelled(), if !drains => drains = true,
                () = tokio::time::sleep(wait) => {}
            }
            let patience = self.terms.renewed_every.saturating_mul(OVERDUE);
            let renewed = tokio::time::timeout(patience, self.renew_once(drains)).await;
            let failure = match renewed {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{error:?}")),
                Err(_) => Some("the database does not answer".to_owned()),
            };
            wait = match &failure {
                None => every,
                Some(_) => STORE_PAUSE.min(every),
            };
            match (&failure, is_told) {
                (Some(error), false) => tracing::warn!(error, "the leases cannot be renewed"),
                (None, true) => tracing::info!("the leases are renewed again"),
                _ => {}
            }
            is_told = failure.is_some();
        }
        let left = self.store.leave_replica(&self.replica.id);
        if let Ok(Err(error)) = tokio::time::timeout(RELEASE_WAIT, left).await {
            tracing::warn!(error = ?error, "this replica could not strike itself out");
        }
    }

    async fn renew_once(&self, drains: bool) -> Result<(), StoreError> {
        let held: Vec<Held> = self.held_now().values().cloned().collect();
        let tenures: Vec<Tenure> = held.iter().map(|held| held.tenure.clone()).collect();
        let replica = Replica {
            is_draining: drains,
            ..self.replica.clone()
        };
        let asked_at = self.clock.monotonic();
        let ours = self
            .store
            .renew_leases(&replica, self.terms.ttl, &tenures)
            .await?;
        let end = asked_at.saturating_add(self.terms.used);
        for held in held {
            if ours.contains(&held.tenure) {
                // The end of one that has none stays where it is.
                held.until.send_modify(|until| *until = end.max(*until));
            } else {
                held.lost.cancel();
            }
        }
        Ok(())
    }

    /// Tells the other replicas what this one's configuration says of limits, where there may be others.
    pub(super) async fn tell_limits(
        &self,
        word: &Word,
        occasion: Occasion,
    ) -> Result<(), StoreError> {
        match self.is_alone {
            true => Ok(()),
            false => self.store.tell_limits(&self.replica, word, occasion).await,
        }
    }

    /// Tells them again where that does not stand any more. One that ends says nothing new.
    pub(super) async fn hold_limits(&self, word: &Word) -> Result<Holding, StoreError> {
        match self.is_alone || self.draining.is_cancelled() {
            true => Ok(Holding::Stood),
            false => self.store.hold_limits(&self.replica, word).await,
        }
    }

    /// What this process is called among all that there ever were.
    pub(super) fn replica_id(&self) -> &str {
        &self.replica.id
    }

    fn held_now(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until somebody says that the wallet's lease was given back, or may have.
async fn released(hints: &mut Receiver<Hint>, wallet: &str) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match hints.recv().await {
            Ok(Hint::Lease(released)) if released == wallet => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The machine's name, as Linux tells it.
fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.map(|name| name.trim().to_owned());
    told.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "xrpayd".to_owned())
}

#[cfg(test)]
mod tests;
