//! What may go wrong in one world: every seed draws which faults are on, and how strong.
//!
//! Most worlds have a few faults rather than all: bugs that need one fault and the absence of another
//! are found that way, and a trace stays readable.

use crate::prng::Prng;
use crate::server::{LIES, Lie};
use xrpayd_core::tickets::Refill;

/// Something that goes wrong, and after a while is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process is killed, and started again.
    Kill,
    /// The process is stopped, and goes on later.
    Stop,
    /// A second process is started while the first is stopped, or not.
    Second,
    /// A server is stopped, and goes on later.
    FreezeServer,
    /// A server restarts with no history.
    RestartServer,
    /// A server is cut off from the others.
    CutServer,
    /// A server falls behind.
    Lag,
    /// No ledger is validated for minutes; then many at once.
    NoQuorum,
    /// The network asks for a multiple of the fee.
    Dear,
    /// A ledger holds few transactions.
    Narrow,
    /// What is on its way to the ledger is lost.
    LoseTransactions,
    /// Writes fail, or their answers are lost.
    BadDisk,
    /// The wall clock jumps.
    Clock,
    /// A person uses the wallet's key.
    Stranger,
    /// The database is lost and begins empty.
    EmptyDatabase,
    /// The database is replaced by an older copy.
    OlderDatabase,
    /// The operator pauses everything, and resumes it later.
    Pause,
}

/// Every fault.
pub const FAULTS: [Fault; 17] = [
    Fault::Kill,
    Fault::Stop,
    Fault::Second,
    Fault::FreezeServer,
    Fault::RestartServer,
    Fault::CutServer,
    Fault::Lag,
    Fault::NoQuorum,
    Fault::Dear,
    Fault::Narrow,
    Fault::LoseTransactions,
    Fault::BadDisk,
    Fault::Clock,
    Fault::Stranger,
    Fault::EmptyDatabase,
    Fault::OlderDatabase,
    Fault::Pause,
];

/// What is drawn for one world. Shares are in a thousand, times in milliseconds.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// The faults that are on.
    pub faults: Vec<Fault>,
    /// The time between two faults.
    pub fault_every: u64,
    /// How long the faults go on; after that everything is healed.
    pub trouble: u64,
    /// Servers, of which at most `quorum - 1` lie.
    pub servers: usize,
    /// Servers that must agree.
    pub quorum: usize,
    /// What each of the lying servers lies about.
    pub liars: Vec<Lie>,
    /// How long a ledger takes.
    pub close: u64,
    /// How much longer or shorter it may take.
    pub jitter: u64,
    /// The longest way between us and a server.
    pub latency: u64,
    /// Requests that are lost.
    pub lost_requests: u32,
    /// Answers that are lost.
    pub lost_answers: u32,
    /// Answers that come twice.
    pub double_answers: u32,
    /// Transactions that are relayed and then lost.
    pub lost_relays: u32,
    /// Transactions that wait for a later ledger.
    pub held: u32,
    /// Crashes at a write or at a send.
    pub crash_at_await: u32,
    /// The longest that a write takes.
    pub write: u64,
    /// Ledgers that an attempt lives.
    pub window: u32,
    /// Sequences in flight at most.
    pub max_in_flight: usize,
    /// When the wallet makes tickets by itself.
    pub refill: Refill,
    /// How often the operator asks for some.
    pub requests: u32,
    /// The balance of the wallet in drops.
    pub balance: u64,
    /// What the wallet burns at most for an attempt.
    pub max_fee: u64,
    /// Ledgers that bring a deposit.
    pub deposits: u32,
    /// Payments that are asked for.
    pub payments: usize,
    /// Destinations that are not plain.
    pub odd_takers: u32,
    /// Payments that expire.
    pub expiring: u32,
    /// Payments that are called off at some time.
    pub cancelled: u32,
    /// Whether large payments wait for an approval.
    pub approvals: bool,
    /// Answers to clients that are lost.
    pub lost_replies: u32,
    /// The daily limit in drops.
    pub daily: u64,
    /// Payments that may be on their way at once.
    pub max_pending: u32,
    /// How long a lease lasts where two processes take turns.
    pub lease: Option<u64>,
}

impl Swarm {
    /// Draws a world.
    #[must_use]
    pub fn draw(chance: &mut Prng) -> Self {
        let share = 150 + u32::try_from(chance.below(450)).unwrap_or_default();
        let mut faults: Vec<Fault> = FAULTS
            .into_iter()
            .filter(|_| chance.chance(share))
            .collect();
        // A database is lost in few worlds, so that the others show what one database goes through.
        let rare = |fault: &Fault| {
            matches!(
                fault,
                Fault::EmptyDatabase | Fault::OlderDatabase | Fault::Stranger | Fault::Second
            )
        };
        if chance.chance(600) {
            faults.retain(|fault| !rare(fault));
        }
        let servers = usize::try_from(chance.within(2, 5)).unwrap_or(2);
        let quorum = match servers {
            2 => usize::try_from(chance.within(1, 2)).unwrap_or(2),
            _ => 2 + usize::from(servers == 5 && chance.chance(400)),
        };
        let liars = match quorum {
            1 => 0,
            most => chance.index(most),
        };
        let liars = (0..liars)
            .map(|_| chance.pick(&LIES, Lie::Absent))
            .collect();
        let some = |chance: &mut Prng, most: u64| match chance.chance(500) {
            true => u32::try_from(chance.below(most)).unwrap_or_default(),
            false => 0,
        };
        let close = chance.within(2_000, 4_500);
        let payments = usize::try_from(chance.within(3, 18)).unwrap_or(3);
        let is_tight = chance.chance(150);
        let low_water = some(chance, 6);
        let more = u32::try_from(chance.below(12)).unwrap_or_default();
        let refill = Refill {
            low_water,
            refill_to: low_water + more,
        };
        Self {
            faults,
            fault_every: chance.within(3_000, 25_000),
            trouble: chance.within(40_000, 160_000),
            servers,
            quorum,
            liars,
            close,
            jitter: chance.below(close / 3),
            latency: chance.within(10, 1_500),
            lost_requests: some(chance, 250),
            lost_answers: some(chance, 250),
            double_answers: some(chance, 100),
            lost_relays: some(chance, 300),
            held: some(chance, 400),
            crash_at_await: some(chance, 40),
            write: chance.within(1, 400),
            window: u32::try_from(chance.within(4, 16)).unwrap_or(8),
            max_in_flight: usize::try_from(chance.within(1, 12)).unwrap_or(4),
            refill,
            requests: some(chance, 150),
            balance: match chance.chance(200) {
                true => chance.within(3_000_000, 60_000_000),
                false => 1_000_000_000,
            },
            max_fee: chance.pick(&[10, 5_000, 20_000], 5_000),
            deposits: some(chance, 200),
            payments,
            odd_takers: some(chance, 400),
            expiring: some(chance, 400),
            cancelled: some(chance, 300),
            approvals: chance.chance(200),
            lost_replies: some(chance, 400),
            daily: if is_tight { 40_000_000 } else { 1_000_000_000 },
            max_pending: if is_tight { 5 } else { 100 },
            lease: None,
        }
    }
}
