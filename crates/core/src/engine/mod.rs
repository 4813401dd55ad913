//! The work of one wallet without its hands: which payments are signed now and on what terms, what a
//! page, an account root or an answer means for what is open, what is sent again.
//!
//! Owns the [`Desk`], everything that is open of one wallet. Pure: the ledger, the time and the
//! signed bytes come in as arguments, so that the daemon and the simulator run the same code. Every
//! step that changes something durable is a [`Step`]: its [`LaneCommit`] is written first, in one
//! transaction, and only [`Desk::made_durable`] changes the memory and hands out bytes to send. On any
//! error of the store the desk is dropped and restored from what the store holds.

mod adopt;
mod answers;
mod batch;
#[cfg(test)]
pub(crate) mod bed;
mod commit;
mod desk;
mod page;
mod pausing;
mod plugs;
mod queue;
mod raise;
mod recall;
mod record;
mod resend;
mod root;
mod sign;
mod step;
mod tickets;

pub use adopt::recognise;
pub use commit::{Change, JournalCommit, KnownTickets, LaneCommit, NewPlug};
pub use desk::{Desk, Flight, Owner, Sent, cost_of};
pub use page::PageRefused;
pub use queue::{Scan, Sight};
pub use recall::Remembered;
pub use record::{InFlight, LaneRecord, PlugRecord};
pub use sign::{Job, Plan, SignedTx, Task, Terms};
pub use step::{Done, Note, Step};
pub use tickets::{
    Making, NewTicketCreate, RequestNews, TicketCreateRecord, TicketPlan, TicketRequest,
    TicketRequestId, TicketWants,
};

use crate::fee::FeeQuote;
use crate::ids::LedgerIndex;
use crate::money::Drops;

/// How a wallet may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Sequences with an open attempt at most.
    pub max_in_flight: usize,
    /// The most that an attempt may burn.
    pub max_fee: Drops,
    /// How many ledgers an attempt may live.
    pub ledger_window: u32,
    /// How long a payment that the balance does not bear is passed over, in milliseconds.
    pub low_balance_patience_ms: i64,
}

/// What the ledger looks like now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The newest validated ledger that the quorum agrees on.
    pub tip: LedgerIndex,
    /// What a transaction costs.
    pub quote: FeeQuote,
    /// What must stay on the account.
    pub reserve: Drops,
}

/// Milliseconds that only ever grow, counted from any moment of this process: how long ago something
/// was sent, which the wall clock cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// Milliseconds since `earlier`; zero where that is not earlier.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
