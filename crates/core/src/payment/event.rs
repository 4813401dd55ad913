//! What can happen to a payment.

use super::approval::Ballot;
use super::state::{Hold, Slot};
use crate::ids::{LedgerHash, LedgerIndex, TxHash, UnixMs};
use crate::ledger::codes::{self, OnSubmit};
use crate::money::Drops;
use crate::preflight::Refusal;
use serde::{Deserialize, Serialize};

/// Something that happened to one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An attempt was signed and is to be persisted.
    Sign(NewAttempt),
    /// Something keeps it from being signed.
    Hold(Hold),
    /// Nothing keeps it from being signed any more.
    Release,
    /// A submission was answered, or its answer was lost.
    Answered {
        /// The attempt that was sent.
        hash: TxHash,
        /// What came back.
        answer: Answer,
    },
    /// The validated ledger has passed the attempt's last one and no proof is there yet.
    Overdue {
        /// The attempt.
        hash: TxHash,
    },
    /// The journal settles an attempt.
    Journal(Finding),
    /// The ledger holds it already, from a life that this database does not know.
    Adopt(Adoption),
    /// A second person allows it.
    Approve(Ballot),
    /// A second person refuses it.
    Reject {
        /// Who, and what they saw.
        ballot: Ballot,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// A validated ledger speaks against it, and nothing is signed that could be applied.
    Refuse(Refusal),
    /// The client calls it off.
    Cancel,
    /// Its time has run out.
    Expire,
}

/// A signed attempt that is about to be persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// The hash of the signed blob.
    pub hash: TxHash,
    /// What it consumes.
    pub slot: Slot,
    /// The fee in it.
    pub fee: Drops,
    /// The first ledger that could hold it: one past the validated ledger at signing.
    pub first_ledger: LedgerIndex,
    /// Its LastLedgerSequence.
    pub last_ledger: LedgerIndex,
    /// When it was signed.
    pub signed_at: UnixMs,
}

/// What came of sending an attempt to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An engine result: a hint.
    Engine(String),
    /// The server refused the request before its engine saw the blob.
    Unparsable(String),
    /// Nothing came back: it may have been applied.
    Lost,
}

impl Answer {
    /// How little hope it leaves. Of what several servers answer the most hopeful counts: one server
    /// that lags, or is on another chain, must not make a sound attempt look malformed.
    #[must_use]
    pub fn despair(&self) -> u8 {
        match self {
            Self::Engine(code) => match codes::on_submit(code) {
                OnSubmit::Wait => 0,
                OnSubmit::PerhapsDone => 1,
                OnSubmit::Ahead => 2,
                OnSubmit::Crowded => 3,
                OnSubmit::Elsewhere => 4,
                OnSubmit::OwnShortage => 5,
                OnSubmit::OwnFault => 7,
                OnSubmit::Never => 8,
            },
            Self::Lost => 6,
            Self::Unparsable(_) => 9,
        }
    }
}

/// What the journal says about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A validated ledger holds it.
    Found {
        /// The attempt.
        hash: TxHash,
        /// The result in the validated metadata.
        result: String,
        /// The ledger that holds it.
        ledger_index: LedgerIndex,
        /// That ledger's hash.
        ledger_hash: LedgerHash,
        /// What the metadata says was delivered, where it was XRP.
        delivered: Option<Drops>,
        /// The servers that agreed.
        servers: Vec<String>,
    },
    /// It is in no ledger and can enter none.
    Absent {
        /// The attempt.
        hash: TxHash,
        /// The proof.
        proof: Absence,
    },
}

/// A validated transaction that bears the marker of a payment which this database never signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The wallet that sent it, whichever was chosen for the payment now.
    pub wallet: String,
    /// The transaction.
    pub hash: TxHash,
    /// What it consumed.
    pub slot: Slot,
    /// The fee that was burned.
    pub fee: Drops,
    /// The result in the validated metadata.
    pub result: String,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// That ledger's hash.
    pub ledger_hash: LedgerHash,
    /// What the metadata says was delivered, where it was XRP.
    pub delivered: Option<Drops>,
    /// The servers that agreed.
    pub servers: Vec<String>,
}

/// The proof that an attempt is in no ledger and can enter none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// The first ledger of the contiguous validated range that was read.
    pub from: LedgerIndex,
    /// The last ledger of that range.
    pub to: LedgerIndex,
    /// The hash of the last ledger.
    pub to_hash: LedgerHash,
    /// The servers that agreed.
    pub servers: Vec<String>,
    /// Why nothing can enter any more.
    pub reason: AbsenceReason,
}

/// Why an attempt that the range does not hold can never be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum AbsenceReason {
    /// Its last ledger has passed, and the account root at a validated ledger of the range shows
    /// that nothing took its slot.
    SlotFree {
        /// The ledger at which the account root was read.
        at: LedgerIndex,
        /// The account's sequence there.
        account_sequence: u32,
    },
    /// Its last ledger has passed, and the ticket that it names still stands in a validated ledger of
    /// the range.
    TicketStands {
        /// The ledger at which the ticket was read.
        at: LedgerIndex,
        /// The ticket.
        ticket: u32,
    },
    /// Another validated transaction took its slot.
    ConsumedBy {
        /// The transaction that did.
        hash: TxHash,
        /// The ledger that holds it.
        ledger_index: LedgerIndex,
    },
}
