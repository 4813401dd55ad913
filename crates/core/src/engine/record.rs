//! What the engine of a wallet starts from: everything of it that a store holds open.

use super::{NewPlug, TicketCreateRecord};
use crate::address::AccountId;
use crate::ids::{LedgerIndex, TxHash};
use crate::journal::Cursor;
use crate::payment::{AttemptState, Payment};
use std::collections::BTreeSet;

/// A payment with an open attempt, and the blobs of its open attempts.
pub type InFlight = (Payment, Vec<(TxHash, Vec<u8>)>);

/// What the engine of a wallet starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneRecord {
    /// The wallet's account; none before the lane was anchored for the first time.
    pub account: Option<AccountId>,
    /// How far its journal has been read.
    pub cursor: Option<Cursor>,
    /// Why nothing is signed, where a person has to decide.
    pub halted: Option<String>,
    /// Nothing is signed before the cursor has reached this ledger.
    pub sign_from: Option<LedgerIndex>,
    /// The ledgers before the journal's beginning that are still to be read for payments which this
    /// database does not know.
    pub recall: Option<(LedgerIndex, LedgerIndex)>,
    /// Whether the ledger remembers payments that this database did not know.
    pub remembers: bool,
    /// Every payment with an open attempt, oldest first, with the blobs of its open attempts.
    pub in_flight: Vec<InFlight>,
    /// The open plugs, by slot.
    pub plugs: Vec<PlugRecord>,
    /// The open transactions that make tickets.
    pub ticket_creates: Vec<TicketCreateRecord>,
    /// The tickets that stand; none where they are still to be read.
    pub tickets: Option<BTreeSet<u32>>,
}

/// A plug that is persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlugRecord {
    /// What was signed.
    pub plug: NewPlug,
    /// How it stands.
    pub state: AttemptState,
}
