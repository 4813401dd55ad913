//! What a payment is at one moment: what was asked, what was signed, how it stands.

use super::approval::Approval;
use super::event::Absence;
use super::payback::Payback;
use crate::address::AccountId;
use crate::ids::{Hash256, LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use crate::money::Drops;
use crate::preflight::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A payment: an intent of a client, followed to its proven end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The public identifier.
    pub id: PaymentId,
    /// Grows by one with every transition; a write names the version it read.
    pub version: u32,
    /// The API client that asked.
    pub client: String,
    /// The wallet that pays.
    pub wallet: String,
    /// What was asked; never changes.
    pub order: Order,
    /// The rollout stage in force when it was accepted.
    pub stage: String,
    /// How it stands.
    pub state: State,
    /// The second person's word, where it was accepted to wait for one.
    pub approval: Option<Approval>,
    /// Everything that was ever signed for it, oldest first.
    pub attempts: Vec<Attempt>,
    /// When it was accepted.
    pub created_at: UnixMs,
    /// When it last changed.
    pub updated_at: UnixMs,
}

/// What the client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Who is to be paid.
    pub destination: AccountId,
    /// The tag at the destination; 0 is a tag, absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_tag: Option<u32>,
    /// How much is to arrive.
    pub amount: Drops,
    /// The tag of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_tag: Option<u32>,
    /// An InvoiceID set by the caller; where absent, the marker stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<Hash256>,
    /// Memos to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memos: Vec<Memo>,
    /// The most that may be burned as fee for one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee: Option<Drops>,
    /// The caller's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The caller's own data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// After this instant no new attempt is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixMs>,
    /// The key under which the client asked.
    pub idempotency_key: String,
    /// What it gives back, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payback: Option<Payback>,
}

/// A memo in its ledger form: each part upper-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memo {
    /// MemoType.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo_type: Option<String>,
    /// MemoFormat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo_format: Option<String>,
    /// MemoData.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo_data: Option<String>,
}

/// How a payment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// It waits for the word of a second person; nothing is signed.
    AwaitingApproval,
    /// Nothing that was signed for it can still be applied.
    Queued {
        /// Why it is not being signed, where something stands in the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<Hold>,
    },
    /// At least one attempt is open.
    InFlight,
    /// A validated ledger holds it as delivered.
    Succeeded {
        /// What arrived, from validated metadata.
        delivered: Drops,
        /// The attempt that did it.
        tx_hash: TxHash,
        /// How it is known.
        proof: Proof,
    },
    /// It was proven that it did not and cannot happen.
    Failed {
        /// What went wrong.
        failure: Failure,
        /// How it is known.
        proof: Proof,
    },
    /// Its time ran out while nothing could be delivered any more.
    Expired {
        /// How it is known; absent where nothing was ever signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
    /// Called off before anything could be delivered.
    Cancelled {
        /// How it is known; absent where nothing was ever signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
    /// A second person ruled that it is not to be paid.
    Rejected,
}

/// What keeps a queued payment from being signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Signing is switched off.
    Paused,
    /// The wallet cannot pay it now.
    LowBalance,
    /// The ledger asks for more fee than the cap allows.
    FeeHold,
}

/// Why a payment failed, in the words of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A stable snake_case code.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// The ledger's or the server's own code.
    pub ledger_code: String,
    /// Whether the ledger burned the fee: true for a validated `tec`.
    pub fee_charged: bool,
}

/// How a final state is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// A validated ledger holds the transaction.
    Validated {
        /// The ledger that holds it.
        ledger_index: LedgerIndex,
        /// That ledger's hash.
        ledger_hash: LedgerHash,
        /// The servers that agreed.
        servers: Vec<String>,
    },
    /// A contiguous validated range holds no attempt, and none can enter any more.
    Absent(Absence),
    /// A validated ledger spoke against it while nothing of it could be applied.
    Preflight(Refusal),
}

/// What an attempt consumes: exactly one transaction can take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// An account sequence.
    Sequence(u32),
    /// A ticket.
    Ticket(u32),
}

/// One signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The hash under which the ledger will know it.
    pub hash: TxHash,
    /// What it consumes.
    pub slot: Slot,
    /// The fee it burns if it is applied.
    pub fee: Drops,
    /// The first ledger that could hold it.
    pub first_ledger: LedgerIndex,
    /// The last ledger that could hold it.
    pub last_ledger: LedgerIndex,
    /// How it stands.
    pub state: AttemptState,
    /// When it was signed.
    pub signed_at: UnixMs,
}

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum AttemptState {
    /// Durable; it may or may not have left the process.
    Signed,
    /// A server answered; the answer is a hint.
    Submitted {
        /// The newest answer.
        result: String,
    },
    /// Sent, and no server answered; or its last ledger has passed and the proof is not there yet.
    Unknown,
    /// Malformed for every server. Still open: only the journal frees its slot.
    Refused {
        /// The code or error that said so first.
        code: String,
    },
    /// A validated ledger holds it.
    Validated {
        /// The result in the validated metadata.
        result: String,
        /// The ledger that holds it.
        ledger_index: LedgerIndex,
    },
    /// Proven to be in no ledger and able to enter none.
    Dead {
        /// The proof.
        proof: Absence,
    },
}

/// The status that the API shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Waiting for the word of a second person.
    AwaitingApproval,
    /// On its way.
    Processing,
    /// Delivered.
    Succeeded,
    /// Proven not to be delivered.
    Failed,
    /// Out of time, nothing delivered.
    Expired,
    /// Called off, nothing delivered.
    Cancelled,
    /// Refused by a second person, nothing delivered.
    Rejected,
}

/// The finer word beside `processing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Substatus {
    /// Waiting for its turn.
    Queued,
    /// Signing is switched off.
    Paused,
    /// The wallet cannot pay it now.
    LowBalance,
    /// The ledger asks for more fee than the cap allows.
    FeeHold,
    /// Signed and durable, not yet answered for.
    Signed,
    /// A server has it.
    Submitted,
    /// It may or may not be in a ledger; being proven.
    OutcomeUnknown,
}

impl Status {
    /// Every status, for closed label sets.
    pub const ALL: [Self; 7] = [
        Self::AwaitingApproval,
        Self::Processing,
        Self::Succeeded,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Rejected,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// Whether it can never change again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::AwaitingApproval | Self::Processing)
    }
}

impl Substatus {
    /// Every substatus, for closed label sets.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Paused,
        Self::LowBalance,
        Self::FeeHold,
        Self::Signed,
        Self::Submitted,
        Self::OutcomeUnknown,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Paused => "paused",
            Self::LowBalance => "low_balance",
            Self::FeeHold => "fee_hold",
            Self::Signed => "signed",
            Self::Submitted => "submitted",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

impl AttemptState {
    /// Whether it could still be applied, as far as is proven.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self {
            Self::Signed | Self::Submitted { .. } | Self::Unknown | Self::Refused { .. } => true,
            Self::Validated { .. } | Self::Dead { .. } => false,
        }
    }

    /// The word in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Submitted { .. } => "submitted",
            Self::Unknown => "outcome_unknown",
            Self::Refused { .. } => "refused",
            Self::Validated { .. } => "validated",
            Self::Dead { .. } => "dead",
        }
    }
}

impl Payment {
    /// The status that the API shows.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self.state {
            State::AwaitingApproval => Status::AwaitingApproval,
            State::Queued { .. } | State::InFlight => Status::Processing,
            State::Succeeded { .. } => Status::Succeeded,
            State::Failed { .. } => Status::Failed,
            State::Expired { .. } => Status::Expired,
            State::Cancelled { .. } => Status::Cancelled,
            State::Rejected => Status::Rejected,
        }
    }

    /// The finer word, while it is processing.
    #[must_use]
    pub fn substatus(&self) -> Option<Substatus> {
        match self.state {
            State::Queued { hold: None } => Some(Substatus::Queued),
            State::Queued {
                hold: Some(Hold::Paused),
            } => Some(Substatus::Paused),
            State::Queued {
                hold: Some(Hold::LowBalance),
            } => Some(Substatus::LowBalance),
            State::Queued {
                hold: Some(Hold::FeeHold),
            } => Some(Substatus::FeeHold),
            State::InFlight => Some(self.in_flight_substatus()),
            State::AwaitingApproval
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Rejected => None,
        }
    }

    fn in_flight_substatus(&self) -> Substatus {
        let mut found = Substatus::OutcomeUnknown;
        for attempt in self.open_attempts() {
            match attempt.state {
                AttemptState::Submitted { .. } => return Substatus::Submitted,
                AttemptState::Signed => found = Substatus::Signed,
                AttemptState::Unknown
                | AttemptState::Refused { .. }
                | AttemptState::Validated { .. }
                | AttemptState::Dead { .. } => {}
            }
        }
        found
    }

    /// The attempts that could still be applied.
    pub fn open_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.state.is_open())
    }

    /// The attempt with this hash.
    #[must_use]
    pub fn attempt(&self, hash: TxHash) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.hash == hash)
    }

    /// The attempt that a validated ledger holds.
    #[must_use]
    pub fn validated_attempt(&self) -> Option<&Attempt> {
        let validated =
            |attempt: &&Attempt| matches!(attempt.state, AttemptState::Validated { .. });
        self.attempts.iter().rfind(validated)
    }

    /// How its end is known, once it has one.
    #[must_use]
    pub const fn proof(&self) -> Option<&Proof> {
        match &self.state {
            State::Succeeded { proof, .. } | State::Failed { proof, .. } => Some(proof),
            State::Expired { proof } | State::Cancelled { proof } => proof.as_ref(),
            State::AwaitingApproval | State::Queued { .. } | State::InFlight | State::Rejected => {
                None
            }
        }
    }

    /// Whether its time has run out: its own, or while it waits for an approval the time for that.
    #[must_use]
    pub fn is_past_expiry(&self, now: UnixMs) -> bool {
        let waits_until = match self.state {
            State::AwaitingApproval => self.approval.as_ref().map(|approval| approval.expires_at),
            State::Queued { .. }
            | State::InFlight
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Rejected => None,
        };
        let mut ends = waits_until.into_iter().chain(self.order.expires_at);
        ends.any(|at| at <= now)
    }
}
