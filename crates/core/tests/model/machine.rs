//! The model that is explored: two payments, one or two writers over one store, a ledger, servers.
//!
//! What a writer does is the real [`Desk`]: it is restored from what the writer last read, takes the
//! step, and what the step commits goes through the store's checks. A writer that has not read for a
//! while is a stale one; nothing else makes it so. A crash is a commit after which nothing more
//! happens until the writer starts again; a crash before a commit leaves no trace, and so is every
//! state in which the writer has not taken the step.

use super::leases::{self, Asked, Beside, Broken, LeaseAct, Leases, Row, Tenure};
use super::ledger::{self, Lie, Outcome, Truth, Tx};
use super::plants::Plant;
use super::store::{self, Checks, Shared, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use xrpayd_core::engine::{Conditions, Desk, Settings, Tick, recognise};
use xrpayd_core::fee::FeeQuote;
use xrpayd_core::ids::{PaymentId, TxHash};
use xrpayd_core::payment::{Answer, Payment, State, Status};

/// What an attempt costs.
const FEE: u8 = 10;
/// The payments of every run.
pub const PAYMENTS: u8 = 2;

/// How much may happen in one run. Everything within is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Writers that work on the wallet.
    pub writers: usize,
    /// The ledger with which both payments run out of time.
    pub expires: u8,
    /// How many ledgers an attempt may live.
    pub window: u8,
    /// The last ledger that closes, unless something waits for a later one.
    pub last: u8,
    /// Crashes right after a commit.
    pub deaths: u8,
    /// Answers to submissions that arrive.
    pub answers: u8,
    /// Commits of a writer that has not read what another wrote since.
    pub stale: u8,
    /// Payments that a ledger takes and does not deliver.
    pub bad_luck: u8,
    /// Transactions of somebody else who holds the key.
    pub strangers: u8,
    /// Attempts that are replaced with a higher fee.
    pub replacements: u8,
    /// Times that the engine itself finds attempts too cheap, having heard so of a server.
    pub raises: u8,
    /// Payments that their client calls off.
    pub cancels: u8,
    /// Times that the operator pauses the wallet. It is resumed at any later time.
    pub pauses: u8,
    /// How the writers take turns; nothing where none knows of another.
    pub leases: Option<Leases>,
}

/// What of the bounds is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub deaths: u8,
    pub answers: u8,
    pub stale: u8,
    pub bad_luck: u8,
    pub strangers: u8,
    pub replacements: u8,
    pub raises: u8,
    pub cancels: u8,
    pub pauses: u8,
    pub leases: leases::Left,
}

/// A process that signs for the wallet, by what it last read of the store.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Whether it runs.
    pub alive: bool,
    /// What it has in memory.
    pub seen: Shared,
    /// The newest ledger when it started.
    pub began: u8,
    /// The lease under which it works.
    pub tenure: Option<Tenure>,
    /// Its question for more time.
    pub asked: Option<Asked>,
    /// What it has committed and not sent yet; where there are no leases, it is sent at once.
    pub outbox: BTreeSet<Tx>,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct World {
    pub truth: Truth,
    pub db: Shared,
    pub writers: Vec<Writer>,
    pub left: Left,
    /// The first end that the store ever showed of each payment.
    pub ends: [Option<Status>; PAYMENTS as usize],
    /// Whether something new was signed while the wallet was paused.
    pub begun_while_paused: bool,
    /// The lease of the wallet.
    pub lease: Row,
    /// Who signed last, and under which epoch.
    pub last_hand: Option<(u8, usize)>,
    /// Which promises of leases are broken.
    pub broken: Broken,
}

/// Whether a process goes on after its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lives,
    Dies,
}

/// When the queue was read that is signed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Now,
    Before,
}

/// What can happen next. A writer is named by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Accept,
    Cancel(u8),
    Pause,
    Resume,
    Close(Vec<(Tx, Outcome)>),
    Start(usize),
    Sign(usize, Queue, Fate),
    Plug(usize, Fate),
    Replace(usize, u8, Fate),
    Raise(usize, Fate),
    Page(usize, u8, Option<Lie>, Fate),
    Root(usize, u8, Option<Lie>, Fate),
    Answered(usize, TxHash, Answer),
    Expire(usize, Fate),
    Lease(LeaseAct),
    /// What a planted bug adds.
    Bug(usize, u8),
}

/// How often what must not be missing from the exploration was met.
#[derive(Debug, Default)]
pub struct Met {
    pub refused_commits: AtomicUsize,
    pub outvoted_lies: AtomicUsize,
    pub refused_pages: AtomicUsize,
    /// Commits of one who did not hold the wallet any more.
    pub refused_by_lease: AtomicUsize,
    /// What was committed and did not leave, because the time was up.
    pub kept_back: AtomicUsize,
    /// What left after the lease had run out.
    pub sent_late: AtomicUsize,
}

/// The model.
#[derive(Debug, Clone)]
pub struct Payments {
    pub bounds: Bounds,
    pub plant: Option<Plant>,
    pub met: Arc<Met>,
}

impl Payments {
    /// The model within `bounds`.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            plant: None,
            met: Arc::default(),
        }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            max_in_flight: 4,
            max_fee: ledger::drops(100),
            ledger_window: u32::from(self.bounds.window),
            low_balance_patience_ms: 600_000,
        }
    }

    /// How many servers must say the same.
    pub fn quorum(&self) -> usize {
        if self.plant == Some(Plant::QuorumOfOne) {
            1
        } else {
            2
        }
    }

    pub fn checks(&self) -> Checks {
        let beside = self.bounds.leases.map(|leases| leases.beside) != Some(Beside::Nothing);
        let is_past_open = matches!(self.plant, Some(Plant::CursorPastOpen | Plant::CursorAlone));
        Checks {
            versions: beside && self.plant != Some(Plant::NoVersions),
            overlooked: beside && !is_past_open,
            behind: beside && self.plant != Some(Plant::SignBehindJournal),
            pauses: self.plant != Some(Plant::SignWhilePaused),
        }
    }

    pub fn beginning(&self) -> World {
        let Bounds {
            deaths,
            answers,
            stale,
            bad_luck,
            strangers,
            replacements,
            raises,
            cancels,
            pauses,
            leases,
            ..
        } = self.bounds;
        let mut store = Store::new();
        store.payments.push(self.order(0));
        let db = Arc::new(store);
        let writer = Writer {
            alive: leases.is_none(),
            seen: Arc::clone(&db),
            began: 0,
            tenure: None,
            asked: None,
            outbox: BTreeSet::new(),
        };
        World {
            truth: Truth::new(),
            writers: vec![writer; self.bounds.writers],
            db,
            left: Left {
                deaths,
                answers,
                stale,
                bad_luck,
                strangers,
                replacements,
                raises,
                cancels,
                pauses,
                leases: leases.map_or_else(leases::Left::default, Leases::left),
            },
            ends: [None; PAYMENTS as usize],
            begun_while_paused: false,
            lease: Row::FREE,
            last_hand: None,
            broken: Broken::default(),
        }
    }

    pub fn order(&self, n: u8) -> Payment {
        store::accepted(n, ledger::time_of(self.bounds.expires))
    }

    /// What a writer sees of the ledger: the newest index, however far its journal is.
    pub fn conditions(&self, world: &World) -> Conditions {
        let fee = ledger::drops(u64::from(FEE));
        Conditions {
            tip: ledger::index(world.truth.ledger),
            quote: FeeQuote {
                base: fee,
                open_ledger: fee,
            },
            reserve: ledger::drops(1_000_000),
        }
    }

    /// The same when the ledger is busy.
    pub fn busy(&self, world: &World) -> Conditions {
        let calm = self.conditions(world);
        let quote = FeeQuote {
            open_ledger: ledger::drops(u64::from(FEE) * 2),
            ..calm.quote
        };
        Conditions { quote, ..calm }
    }

    /// Whether anything can still happen that leads to another world. Nothing that happens can be
    /// undone, so a run ends after finitely many steps, and what holds wherever nothing can happen is
    /// what every run comes to.
    pub fn can_go_on(&self, world: &World) -> bool {
        if self.goes_on(world) {
            return true;
        }
        let mut acts = Vec::new();
        self.next(world, &mut acts);
        let mut after = acts.iter().filter_map(|act| self.after(world, act));
        after.any(|next| next != *world)
    }

    /// Whether the ledger still goes on.
    pub fn goes_on(&self, world: &World) -> bool {
        let stores = world.writers.iter().map(|writer| &writer.seen);
        let waits = stores
            .chain([&world.db])
            .filter_map(|store| store.sign_from);
        let last = waits.map(ledger::since_start).max().unwrap_or(0);
        world.truth.ledger < self.bounds.last.max(last)
    }
}

impl World {
    /// The time.
    pub fn now(&self) -> xrpayd_core::ids::UnixMs {
        ledger::time_of(self.truth.ledger)
    }

    /// What the writer has in memory, as the engine works with it.
    pub fn desk(&self, w: usize) -> Desk {
        let writer = &self.writers[w];
        let record = writer.seen.record();
        let mut desk = Desk::restore("hot", record, writer.seen.cursor.clone());
        desk.began(ledger::index(writer.began));
        desk
    }

    /// Which of these payments the ledger already holds though the writer that read it did not know.
    pub fn known(
        &self,
        desk: &Desk,
        payments: &[Payment],
    ) -> std::collections::BTreeMap<PaymentId, xrpayd_core::engine::Remembered> {
        if !desk.remembers() {
            return std::collections::BTreeMap::new();
        }
        let marked: Vec<_> = payments
            .iter()
            .map(|payment| (ledger::marker(store::number(payment)), payment))
            .collect();
        recognise(&marked, &self.db.remembered)
    }

    /// A writer starts, or starts again: it reads everything, and sends what is open.
    pub fn start(&mut self, w: usize) {
        self.writers[w] = Writer {
            alive: true,
            seen: Arc::clone(&self.db),
            began: self.truth.ledger,
            ..self.writers[w].clone()
        };
        let due = self.desk(w).due_for_sending(Tick(0));
        let sent = due.into_iter().map(|(hash, _)| Tx::of(hash));
        let truth = &self.truth;
        let sent: Vec<Tx> = sent.filter(|tx| truth.could_apply(tx)).collect();
        self.leave(w, sent.into_iter());
    }

    /// A writer dies right after its commit.
    pub fn die(&mut self, w: usize) {
        self.writers[w].alive = false;
        self.left.deaths -= 1;
    }

    pub fn note_ends(&mut self) {
        for payment in &self.db.payments {
            let end = &mut self.ends[usize::from(store::number(payment))];
            if payment.status().is_final() {
                end.get_or_insert(payment.status());
            }
        }
    }

    /// Whether the payment is signed and open, as this store has it.
    pub fn is_in_flight(store: &Store, n: u8) -> bool {
        let payment = store.payment(PaymentId(u128::from(n)));
        payment.is_some_and(|payment| payment.state == State::InFlight)
    }
}
