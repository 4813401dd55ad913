//! What a step of the engine makes durable, all of it in one transaction or nothing.

use super::{NewTicketCreate, Remembered, RequestNews, TicketRequestId};
use crate::deposit::Credit;
use crate::ids::{LedgerIndex, TxHash, UnixMs};
use crate::journal::{Cursor, Entry, TicketChange};
use crate::money::Drops;
use crate::payment::{AttemptState, Payment, Slot};
use std::collections::BTreeSet;

/// Everything that one step of an engine makes durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCommit {
    /// The wallet.
    pub wallet: String,
    /// The time of the step.
    pub now: UnixMs,
    /// The payments that move, at most one change each.
    pub changes: Vec<Change>,
    /// Plugs that were signed.
    pub new_plugs: Vec<NewPlug>,
    /// How known plugs stand now.
    pub plug_updates: Vec<(TxHash, AttemptState)>,
    /// Transactions that make tickets, that were signed; how they stand is told with the plugs.
    pub new_ticket_creates: Vec<NewTicketCreate>,
    /// What came of operators' requests for tickets.
    pub request_news: Vec<(TicketRequestId, RequestNews)>,
    /// All tickets that stand, where they were read for the first time.
    pub tickets: Option<KnownTickets>,
    /// How far the journal was carried on.
    pub journal: Option<JournalCommit>,
    /// Why the wallet is to sign nothing more.
    pub halt: Option<String>,
}

/// All tickets of an account that stand, read and carried on to the journal's cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTickets {
    /// Where the cursor has to be still: another process may have carried the journal on.
    pub at: LedgerIndex,
    /// Those that stand there.
    pub standing: BTreeSet<u32>,
}

impl LaneCommit {
    /// A commit of nothing yet.
    #[must_use]
    pub fn new(wallet: impl Into<String>, now: UnixMs) -> Self {
        Self {
            wallet: wallet.into(),
            now,
            changes: Vec::new(),
            new_plugs: Vec::new(),
            plug_updates: Vec::new(),
            new_ticket_creates: Vec::new(),
            request_news: Vec::new(),
            tickets: None,
            journal: None,
            halt: None,
        }
    }

    /// Whether it signs something that a pause stops: a payment on a slot that nothing open of it was
    /// on, or tickets. What is in flight needs neither. A dearer attempt on the same slot is no second
    /// payment, since the ledger takes one of the two; a no-op lets what waits behind it be settled.
    #[must_use]
    pub fn signs_anew(&self) -> bool {
        !self.new_ticket_creates.is_empty() || self.changes.iter().any(Change::signs_anew)
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.new_plugs.is_empty()
            && self.plug_updates.is_empty()
            && self.new_ticket_creates.is_empty()
            && self.request_news.is_empty()
            && self.tickets.is_none()
            && self.journal.is_none()
            && self.halt.is_none()
    }
}

/// One payment's transition, or several in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The version that was read.
    pub before: u32,
    /// The payment after it.
    pub payment: Payment,
    /// The blobs of the attempts that are new in it.
    pub new_blobs: Vec<(TxHash, Vec<u8>)>,
    /// What was delivered, where the payment reached its end.
    pub settled: Option<Drops>,
}

impl Change {
    fn signs_anew(&self) -> bool {
        let is_new = |hash: TxHash| self.new_blobs.iter().any(|(new, _)| *new == hash);
        let stood: BTreeSet<Slot> = self
            .payment
            .open_attempts()
            .filter(|attempt| !is_new(attempt.hash))
            .map(|attempt| attempt.slot)
            .collect();
        let mut attempts = self.payment.attempts.iter();
        attempts.any(|attempt| is_new(attempt.hash) && !stood.contains(&attempt.slot))
    }
}

/// A signed no-op that fills a slot, as it is to be persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlug {
    /// The hash of the signed blob.
    pub hash: TxHash,
    /// What it consumes.
    pub slot: Slot,
    /// The fee in it.
    pub fee: Drops,
    /// The first ledger that could hold it.
    pub first_ledger: LedgerIndex,
    /// Its LastLedgerSequence.
    pub last_ledger: LedgerIndex,
    /// When it was signed.
    pub signed_at: UnixMs,
    /// The signed blob.
    pub blob: Vec<u8>,
}

/// A stretch of the journal that is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalCommit {
    /// Its first ledger: the one right after the stored cursor.
    pub from: LedgerIndex,
    /// The cursor after it.
    pub cursor: Cursor,
    /// The transactions in it.
    pub entries: Vec<Entry>,
    /// Those of them that are payments which this database did not know.
    pub remembered: Vec<Remembered>,
    /// What they did to the account's tickets, in their order.
    pub tickets: Vec<(LedgerIndex, TicketChange)>,
    /// Nothing is signed before the cursor has reached this ledger, where that is news.
    pub sign_from: Option<LedgerIndex>,
    /// What came in, in the order of the ledger.
    pub credits: Vec<Credit>,
    /// When the last ledger closed, where the servers told it.
    pub closed_at: Option<UnixMs>,
}
