//! The shapes of answers.

use crate::rfc3339::Rfc3339;
use crate::shape::PaymentShape;
use crate::store::{FeedEvent, PaymentEvent};
use serde::Serialize;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{
    Absence, AbsenceReason, Approval, Attempt, Payment, Proof, Slot, Verdict,
};

/// An amount of XRP.
#[derive(Debug, Serialize)]
pub struct Amount {
    currency: &'static str,
    value: String,
}

impl From<Drops> for Amount {
    fn from(drops: Drops) -> Self {
        Self {
            currency: "XRP",
            value: drops.to_xrp(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// The rows.
    pub data: Vec<T>,
    /// What to ask with for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// A payment, to those who ask for it.
#[derive(Debug, Serialize)]
pub struct PaymentDto<'a> {
    #[serde(flatten)]
    shape: PaymentShape<'a>,
    source: Option<String>,
    attempts: Vec<AttemptDto>,
    proof: Option<ProofDto<'a>>,
    approval: Option<ApprovalDto<'a>>,
    source_tag: Option<u32>,
    invoice_id: Option<String>,
    memos: Vec<MemoDto>,
    max_fee_drops: Option<Drops>,
}

/// The word of a second person on a payment that was accepted to wait for one.
#[derive(Debug, Serialize)]
struct ApprovalDto<'a> {
    /// `approved`, `rejected` or `remembered`; null while nobody ruled.
    decision: Option<&'static str>,
    expires_at: Rfc3339,
    requested_by: &'a str,
    decided_by: Option<&'a str>,
    decided_at: Option<Rfc3339>,
    reason: Option<&'a str>,
}

/// A memo as it was given; what is not UTF-8 cannot have been given.
#[derive(Debug, Serialize)]
struct MemoDto {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    memo_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

#[derive(Debug, Serialize)]
struct AttemptDto {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<u32>,
    tx_hash: TxHash,
    fee_drops: Drops,
    last_ledger_sequence: LedgerIndex,
    state: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ProofDto<'a> {
    /// A validated ledger holds the transaction.
    Validated {
        ledger_index: LedgerIndex,
        ledger_hash: LedgerHash,
        servers: &'a [String],
    },
    /// A contiguous validated range does not hold it, and it can enter none.
    Absent {
        from_ledger: LedgerIndex,
        to_ledger: LedgerIndex,
        ledger_hash: LedgerHash,
        servers: &'a [String],
        #[serde(flatten)]
        reason: ReasonDto,
    },
    /// A validated ledger spoke against it while nothing of it could be applied.
    Preflight {
        ledger_index: LedgerIndex,
        ledger_hash: LedgerHash,
        servers: &'a [String],
        would_be: &'static str,
    },
    /// Nothing was ever signed for it.
    NothingSigned,
}

#[derive(Debug, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
enum ReasonDto {
    SlotFree {
        account_sequence: u32,
        read_at_ledger: LedgerIndex,
    },
    TicketStands {
        ticket: u32,
        read_at_ledger: LedgerIndex,
    },
    ConsumedBy {
        consumer_tx_hash: TxHash,
        consumer_ledger: LedgerIndex,
    },
}

impl<'a> PaymentDto<'a> {
    /// Shows a payment. `source` is the account of its wallet, where that is still configured.
    #[must_use]
    pub fn of(payment: &'a Payment, source: Option<String>) -> Self {
        let order = &payment.order;
        Self {
            shape: PaymentShape::of(payment),
            source,
            attempts: payment.attempts.iter().map(AttemptDto::of).collect(),
            proof: match payment.proof() {
                Some(proof) => Some(proof_dto(proof)),
                None if payment.status().is_final() => Some(ProofDto::NothingSigned),
                None => None,
            },
            approval: payment.approval.as_ref().map(ApprovalDto::of),
            source_tag: order.source_tag,
            invoice_id: order.invoice_id.map(|id| id.to_string()),
            memos: order.memos.iter().map(MemoDto::of).collect(),
            max_fee_drops: order.max_fee,
        }
    }
}

/// Something that was told, as the feed hands it out.
#[derive(Debug, Serialize)]
pub struct FeedEventDto {
    sequence: i64,
    #[serde(rename = "type")]
    kind: String,
    timestamp: Rfc3339,
    data: serde_json::Value,
}

impl FeedEventDto {
    /// Shows an event of the feed.
    #[must_use]
    pub fn of(event: FeedEvent) -> Self {
        Self {
            sequence: event.sequence,
            kind: event.type_,
            timestamp: Rfc3339(event.at),
            data: event.data,
        }
    }
}

/// Something that was told about a payment.
#[derive(Debug, Serialize)]
pub struct EventDto {
    #[serde(flatten)]
    event: FeedEventDto,
    payment_id: PaymentId,
    version: u32,
}

impl EventDto {
    /// Shows an event of a payment.
    #[must_use]
    pub fn of(event: PaymentEvent, payment_id: PaymentId) -> Self {
        Self {
            event: FeedEventDto {
                sequence: event.sequence,
                kind: event.type_,
                timestamp: Rfc3339(event.at),
                data: event.data,
            },
            payment_id,
            version: event.version,
        }
    }

    /// The cursor of the page after this event.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.event.sequence.to_string()
    }
}

impl AttemptDto {
    fn of(attempt: &Attempt) -> Self {
        let (sequence, ticket) = match attempt.slot {
            Slot::Sequence(sequence) => (Some(sequence), None),
            Slot::Ticket(ticket) => (None, Some(ticket)),
        };
        Self {
            sequence,
            ticket,
            tx_hash: attempt.hash,
            fee_drops: attempt.fee,
            last_ledger_sequence: attempt.last_ledger,
            state: attempt.state.as_str(),
        }
    }
}

impl<'a> ApprovalDto<'a> {
    fn of(approval: &'a Approval) -> Self {
        let (decision, decided_by, decided_at, reason) = match &approval.verdict {
            None => (None, None, None, None),
            Some(Verdict::Approved { by, at }) => (Some("approved"), Some(by), Some(at), None),
            Some(Verdict::Rejected { by, at, reason }) => {
                (Some("rejected"), Some(by), Some(at), reason.as_deref())
            }
            Some(Verdict::Remembered { at }) => (Some("remembered"), None, Some(at), None),
        };
        Self {
            decision,
            expires_at: Rfc3339(approval.expires_at),
            requested_by: &approval.asked_by,
            decided_by: decided_by.map(String::as_str),
            decided_at: decided_at.copied().map(Rfc3339),
            reason,
        }
    }
}

impl MemoDto {
    fn of(memo: &xrpayd_core::payment::Memo) -> Self {
        let text = |part: &Option<String>| {
            let bytes = hex::decode(part.as_ref()?).ok()?;
            String::from_utf8(bytes).ok()
        };
        Self {
            memo_type: text(&memo.memo_type),
            format: text(&memo.memo_format),
            data: text(&memo.memo_data),
        }
    }
}

fn proof_dto(proof: &Proof) -> ProofDto<'_> {
    match proof {
        Proof::Validated {
            ledger_index,
            ledger_hash,
            servers,
        } => ProofDto::Validated {
            ledger_index: *ledger_index,
            ledger_hash: *ledger_hash,
            servers,
        },
        Proof::Absent(absence) => absence_dto(absence),
        Proof::Preflight(refusal) => ProofDto::Preflight {
            ledger_index: refusal.reading.ledger_index,
            ledger_hash: refusal.reading.ledger_hash,
            servers: &refusal.reading.servers,
            would_be: refusal.obstacle.ledger_code(),
        },
    }
}

fn absence_dto(absence: &Absence) -> ProofDto<'_> {
    ProofDto::Absent {
        from_ledger: absence.from,
        to_ledger: absence.to,
        ledger_hash: absence.to_hash,
        servers: &absence.servers,
        reason: match absence.reason {
            AbsenceReason::SlotFree {
                at,
                account_sequence,
            } => ReasonDto::SlotFree {
                account_sequence,
                read_at_ledger: at,
            },
            AbsenceReason::TicketStands { at, ticket } => ReasonDto::TicketStands {
                ticket,
                read_at_ledger: at,
            },
            AbsenceReason::ConsumedBy { hash, ledger_index } => ReasonDto::ConsumedBy {
                consumer_tx_hash: hash,
                consumer_ledger: ledger_index,
            },
        },
    }
}
