//! What is running, as the HTTP room sees it: plain rows out of the pool and the engines.

use super::foresight;
use super::leases::Leases;
use super::views::Elsewhere;
use crate::http::state::{
    BackfillRow, BooksRow, DisputeRow, JournalRow, LeaseRow, Live, Outlook, Readiness, Routing,
    ServerRow, SideRow, TicketsRow, TipRow, WaitRow, WalletRow,
};
use crate::payments::engine::View;
use crate::payments::loads::Loads;
use crate::payments::pasts::Pasts;
use crate::payments::preflight::Preflight;
use crate::reconcile::{self, Books};
use crate::store::Tenure;
use crate::store::switches::Switches;
use crate::wallet::Wallet;
use crate::xrpl::{Dispute, Evidence, Pool, ServerView, State};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, watch};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Order;
use xrpayd_core::preflight::Facts;
use xrpayd_core::route::{self, Candidate, Load, Standing};

/// One wallet's engine as the rest of the process sees it.
pub(super) struct LaneHandle {
    /// The wallet's name.
    pub name: String,
    /// Its account.
    pub account: AccountId,
    /// Its account and its key.
    pub wallet: Arc<Wallet>,
    /// The most that one of its attempts may burn.
    pub max_fee: Drops,
    /// The label of its metrics.
    pub wallet_type: String,
    /// Below this it asks for a refill.
    pub low_balance: Drops,
    /// Below this the on-call is paged.
    pub critical_balance: Drops,
    /// Rung when a payment was accepted.
    pub wake: Arc<Notify>,
    /// Rung when another hand changed what it works from, such as a halt.
    pub changed: Arc<Notify>,
    /// What it shows while it works here; [`LaneHandle::picture`] is what is shown of it.
    pub view: watch::Receiver<View>,
    /// What the process showed of it that has it, while that is another.
    pub elsewhere: watch::Sender<Option<Elsewhere>>,
    /// The lease under which it works, while this process has it.
    pub tenure: watch::Receiver<Option<Tenure>>,
}

/// What is known beside the engines and the pool.
pub(super) struct Known {
    /// Of destinations.
    pub(super) preflight: Preflight,
    /// Of lives that the database does not know.
    pub(super) pasts: Pasts,
    /// Of what every wallet was given.
    pub(super) loads: Loads,
    /// Of what operators have paused.
    pub(super) switches: Switches,
}

/// The rows that are shown.
pub(super) struct LiveView {
    pool: Pool,
    leases: Arc<Leases>,
    known: Known,
    lanes: BTreeMap<String, LaneHandle>,
    books: watch::Receiver<reconcile::View>,
    leaving: AtomicBool,
    draining: AtomicBool,
}

impl LiveView {
    pub(super) fn new(
        (pool, leases): (Pool, Arc<Leases>),
        known: Known,
        lanes: Vec<LaneHandle>,
        books: watch::Receiver<reconcile::View>,
    ) -> Self {
        Self {
            pool,
            leases,
            known,
            books,
            lanes: lanes
                .into_iter()
                .map(|lane| (lane.name.clone(), lane))
                .collect(),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    /// How many wallets this process holds.
    pub(super) fn leases_held(&self) -> i64 {
        let held = |lane: &&LaneHandle| lane.tenure.borrow().is_some();
        i64::try_from(self.lanes.values().filter(held).count()).unwrap_or(i64::MAX)
    }

    /// From now on it is said that nobody should send more; what comes is taken.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// From now on new writes are refused.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Tells a wallet's engine that something waits for it.
    pub(super) fn ring(&self, wallet: &str) {
        if let Some(lane) = self.lanes.get(wallet) {
            lane.wake.notify_one();
        }
    }

    /// Tells a wallet's engine that another hand changed what it works from.
    pub(super) fn ring_changed(&self, wallet: &str) {
        if let Some(lane) = self.lanes.get(wallet) {
            lane.changed.notify_one();
        }
    }

    /// What operators have paused.
    pub(super) const fn switches(&self) -> &Switches {
        &self.known.switches
    }

    /// A wallet's engine.
    pub(super) fn lane(&self, wallet: &str) -> Option<&LaneHandle> {
        self.lanes.get(wallet)
    }

    /// What the newest pass over a wallet's books found, wherever it was made.
    pub(super) fn books_of(&self, lane: &LaneHandle) -> Option<Books> {
        let own = self.books.borrow().get(&lane.name).copied();
        let elsewhere = lane.elsewhere.borrow();
        let told = elsewhere.as_ref().and_then(|told| told.shown.books);
        own.into_iter()
            .chain(told)
            .max_by_key(|books| books.through)
    }

    /// Every wallet's engine.
    pub(super) fn lanes(&self) -> impl Iterator<Item = &LaneHandle> {
        self.lanes.values()
    }
}

impl Live for LiveView {
    fn wallets(&self) -> Vec<WalletRow> {
        let tip = self.tip().map(|tip| tip.ledger_index);
        let row = |lane| wallet_row(lane, tip);
        self.lanes.values().map(row).collect()
    }

    fn tip(&self) -> Option<TipRow> {
        let tip = self.pool.tip();
        let tip = tip.borrow();
        tip.as_ref().map(|tip| TipRow {
            ledger_index: tip.index,
            close_time: tip.close_time,
            seen_at: tip.seen_at,
        })
    }

    fn quorum(&self) -> usize {
        self.pool.quorum()
    }

    fn wake(&self, wallet: &str) {
        self.ring(wallet);
    }

    fn books(&self) -> Option<BooksRow> {
        let all: Vec<Books> = self
            .lanes()
            .filter_map(|lane| self.books_of(lane))
            .collect();
        let through = all.iter().map(|books| books.through).min()?;
        // The counters are one for all wallets, so what each pass found of them is the same.
        let counters = all.iter().map(|books| books.counters);
        let counters = counters
            .max_by_key(|counters| counters.differences)
            .unwrap_or_default();
        let differences = all.iter().map(|books| books.differences);
        let drops = all.iter().map(|books| books.drops);
        Some(BooksRow {
            through,
            differences: differences.fold(counters.differences, usize::saturating_add),
            drops: drops.fold(counters.drops, u64::saturating_add),
        })
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || self.is_draining()
    }

    fn route(
        &self,
        among: &[String],
        amount: Drops,
        destination: Option<AccountId>,
        routing: Routing,
    ) -> Option<String> {
        // A paused wallet is passed over, unless all are: then whoever asks is told of the pause.
        let switches = self.known.switches.standing();
        let is_paused = |name: &str| switches.stop_of_wallet(name).is_some();
        let all_paused = among.iter().all(|name| is_paused(name));
        let lanes = || {
            let open = among.iter().filter(|name| all_paused || !is_paused(name));
            open.filter_map(|name| self.lanes.get(name))
        };
        // What is paid to one of the wallets comes from another.
        let pays_itself = |lane: &&LaneHandle| Some(lane.account) == destination;
        let only_itself = lanes().all(|lane| pays_itself(&lane));
        let choose = |load_of: &dyn Fn(&str) -> Load| {
            let candidates: Vec<Candidate<'_>> = lanes()
                .filter(|lane| only_itself || !pays_itself(lane))
                .map(|lane| candidate(lane, load_of(&lane.name)))
                .collect();
            route::choose(&candidates, amount).map(str::to_owned)
        };
        match routing {
            Routing::Given => self.known.loads.give(amount, choose),
            Routing::Asked => self.known.loads.ask(choose),
        }
    }

    fn past_is_read(&self) -> bool {
        self.known.pasts.are_read()
    }

    fn lease_held(&self) -> Option<bool> {
        Some(self.leases_held() > 0)
    }

    fn leases(&self) -> Vec<LeaseRow> {
        let row = |lane: &LaneHandle| {
            let shown = self.leases.shown(&lane.name);
            LeaseRow {
                wallet: lane.name.clone(),
                is_here: lane.tenure.borrow().is_some(),
                holder: shown.holder,
                epoch: shown.epoch,
            }
        };
        self.lanes.values().map(row).collect()
    }

    fn destination_known(&self, wallet: &str, destination: AccountId) -> Option<Facts> {
        let lane = self.lanes.get(wallet)?;
        self.known.preflight.known(lane.account, destination)
    }

    fn destination<'a>(
        &'a self,
        wallet: &'a str,
        destination: AccountId,
    ) -> BoxFuture<'a, Result<Facts, &'static str>> {
        Box::pin(async move {
            let lane = self.lanes.get(wallet).ok_or("there is no such wallet")?;
            foresight::destination(&self.known.preflight, lane, destination).await
        })
    }

    fn outlook<'a>(&'a self, wallet: &'a str, order: &'a Order) -> BoxFuture<'a, Outlook> {
        Box::pin(async move {
            match self.lanes.get(wallet) {
                Some(lane) => foresight::outlook(&self.pool, lane, order).await,
                None => Outlook::default(),
            }
        })
    }

    fn payable_at_most(&self, wallet: &str) -> Option<Drops> {
        let view = self.lanes.get(wallet)?.picture().view;
        view.journal_at?;
        Some(view.balance.saturating_sub(view.reserve))
    }

    fn servers(&self) -> Vec<ServerRow> {
        self.pool.servers().into_iter().map(server_row).collect()
    }

    fn disputes(&self) -> Vec<DisputeRow> {
        self.pool.disputes().into_iter().map(dispute_row).collect()
    }
}

fn candidate(lane: &LaneHandle, load: Load) -> Candidate<'_> {
    let picture = lane.picture();
    let view = &picture.view;
    let standing = match (&view.halted, view.journal_at) {
        (Some(_), _) => Standing::Halted,
        (None, None) => Standing::Unknown,
        (None, Some(_)) if picture.is_stale() => Standing::Unknown,
        (None, Some(_)) => Standing::Works {
            payable: view.balance.saturating_sub(view.reserve),
        },
    };
    Candidate {
        name: &lane.name,
        standing,
        load,
        max_fee: lane.max_fee,
    }
}

fn journal_row(view: &View, tip: Option<LedgerIndex>) -> Option<JournalRow> {
    let through = view.read_through()?;
    let start = view.journal_start?;
    Some(JournalRow {
        start: view.backfill.map_or(start, |past| past.start),
        through,
        lag: tip.map_or(0, |tip| tip.ahead_of(through)),
        backfill: view.backfill.map(|past| BackfillRow {
            from: past.start,
            to: past.end,
            at: past.at,
            transactions: past.entries,
        }),
        waits: view
            .waits
            .iter()
            .map(|wait| WaitRow {
                from: wait.from,
                missing: wait.missing,
                why: wait.why.clone(),
            })
            .collect(),
    })
}

fn wallet_row(lane: &LaneHandle, tip: Option<LedgerIndex>) -> WalletRow {
    let picture = lane.picture();
    let view = &picture.view;
    let known = view.journal_at.is_some();
    WalletRow {
        name: lane.name.clone(),
        account: lane.account,
        wallet_type: lane.wallet_type.clone(),
        balance: known.then_some(view.balance),
        reserve: known.then_some(view.reserve),
        spendable: known.then_some(view.spendable),
        in_flight: view.in_flight,
        in_flight_count: u32::try_from(view.open_attempts).unwrap_or(u32::MAX),
        journal_ledger: view.journal_at,
        journal: journal_row(view, tip),
        tickets: view.tickets.map(|tickets| TicketsRow {
            standing: tickets.standing,
            free: tickets.free,
            on_order: tickets.on_order,
        }),
        halted: view.halted.clone(),
        foreign: view.foreign,
        age: picture.age,
        is_stale: picture.is_stale(),
        low_balance: lane.low_balance,
        critical_balance: lane.critical_balance,
    }
}

fn dispute_row(dispute: Dispute) -> DisputeRow {
    DisputeRow {
        about: dispute.about.to_owned(),
        outcome: dispute.outcome.as_str().to_owned(),
        times: dispute.times,
        first_at: dispute.first_at,
        last_at: dispute.last_at,
        sides: [dispute.left, dispute.right].map(side_row),
    }
}

fn side_row(said: Evidence) -> SideRow {
    SideRow {
        server: said.server,
        ledger_index: said.ledger,
        ledger_hash: said.ledger_hash,
        says: said.says,
    }
}

fn server_row(view: ServerView) -> ServerRow {
    let ready = view.state == State::Ready;
    ServerRow {
        name: view.name,
        operator: view.operator,
        state: view.state.as_str().to_owned(),
        readiness: if ready {
            Readiness::Ready
        } else {
            Readiness::NotReady
        },
        cause: view.cause.map(|cause| cause.as_str().to_owned()),
        reason: view.last_error.filter(|_| !ready),
        since: view.since,
        validated_ledger: view.validated_ledger,
        lag_ledgers: view.lag,
        latency: view.latency,
        latency_p95: view.latency_p95,
        errors_per_mille: view.errors_per_mille,
        budget_per_second: view.budget_per_second,
        complete_ledgers: view.complete_ledgers,
        build_version: view.build_version,
        load_factor: view.load_factor,
        score: Some(view.score),
    }
}
