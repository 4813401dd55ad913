//! The shapes of answers.

use crate::rfc3339::Rfc3339;
use crate::shape::{PaymentShape, scalar};
use crate::store::{FeedEvent, PaymentEvent};
use serde::Serialize;
use utoipa::ToSchema;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{
    Absence, AbsenceReason, Approval, Attempt, Payment, Proof, Slot, Verdict,
};

/// An amount of XRP.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = XrpAmount)]
pub struct Amount {
    #[schema(value_type = scalar::Xrp)]
    currency: &'static str,
    #[schema(value_type = scalar::Decimal)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentDto<'a> {
    #[serde(flatten)]
    shape: PaymentShape<'a>,
    /// The account that pays, where its wallet is still configured.
    #[schema(value_type = Option<scalar::Address>)]
    source: Option<String>,
    /// What was signed, oldest first.
    attempts: Vec<AttemptDto>,
    /// How its end is known; null until then.
    proof: Option<ProofDto<'a>>,
    /// Null where it never had to wait for a second person.
    approval: Option<ApprovalDto<'a>>,
    source_tag: Option<u32>,
    /// What the ledger carries as the InvoiceID.
    #[schema(value_type = Option<scalar::TxHash>)]
    invoice_id: Option<String>,
    memos: Vec<MemoDto>,
    /// The most that one attempt may burn.
    #[schema(value_type = Option<scalar::Drops>)]
    max_fee_drops: Option<Drops>,
}

/// The word of a second person on a payment that was accepted to wait for one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentApproval)]
struct ApprovalDto<'a> {
    /// Null while nobody ruled.
    #[schema(value_type = Option<scalar::ApprovalDecision>)]
    decision: Option<&'static str>,
    /// What nobody ruled on until then becomes `expired`.
    expires_at: Rfc3339,
    /// The id of the key that asked for the payment.
    requested_by: &'a str,
    /// The id of the key that ruled.
    decided_by: Option<&'a str>,
    decided_at: Option<Rfc3339>,
    /// In the words of whoever rejected it.
    reason: Option<&'a str>,
}

/// A memo as it was given; what is not UTF-8 cannot have been given.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Memo)]
struct MemoDto {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    memo_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    data: Option<String>,
}

/// A transaction that was signed for a payment, by its sequence or by a ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentAttempt)]
struct AttemptDto {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    ticket: Option<u32>,
    #[schema(value_type = scalar::TxHash)]
    tx_hash: TxHash,
    #[schema(value_type = scalar::Drops)]
    fee_drops: Drops,
    /// No later ledger can hold it.
    #[schema(value_type = scalar::LedgerIndex)]
    last_ledger_sequence: LedgerIndex,
    #[schema(value_type = scalar::AttemptState)]
    state: &'static str,
}

/// How a payment's end is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = Proof)]
enum ProofDto<'a> {
    /// A validated ledger holds the transaction.
    Validated {
        #[schema(value_type = scalar::LedgerIndex)]
        ledger_index: LedgerIndex,
        #[schema(value_type = scalar::LedgerHash)]
        ledger_hash: LedgerHash,
        /// The servers that agreed.
        servers: &'a [String],
    },
    /// A contiguous validated range does not hold it, and it can enter none.
    Absent {
        #[schema(value_type = scalar::LedgerIndex)]
        from_ledger: LedgerIndex,
        #[schema(value_type = scalar::LedgerIndex)]
        to_ledger: LedgerIndex,
        #[schema(value_type = scalar::LedgerHash)]
        ledger_hash: LedgerHash,
        /// The servers that agreed.
        servers: &'a [String],
        #[serde(flatten)]
        reason: ReasonDto,
    },
    /// A validated ledger spoke against it while nothing of it could be applied.
    Preflight {
        #[schema(value_type = scalar::LedgerIndex)]
        ledger_index: LedgerIndex,
        #[schema(value_type = scalar::LedgerHash)]
        ledger_hash: LedgerHash,
        /// The servers that agreed.
        servers: &'a [String],
        /// The result that the ledger would have given.
        would_be: &'static str,
    },
    /// Nothing was ever signed for it.
    NothingSigned,
}

/// Why nothing of a payment can enter a ledger any more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[schema(as = AbsenceReason)]
enum ReasonDto {
    SlotFree {
        account_sequence: u32,
        #[schema(value_type = scalar::LedgerIndex)]
        read_at_ledger: LedgerIndex,
    },
    TicketStands {
        ticket: u32,
        #[schema(value_type = scalar::LedgerIndex)]
        read_at_ledger: LedgerIndex,
    },
    ConsumedBy {
        #[schema(value_type = scalar::TxHash)]
        consumer_tx_hash: TxHash,
        #[schema(value_type = scalar::LedgerIndex)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct FeedEventDto {
    /// Its place in the feed.
    sequence: i64,
    #[serde(rename = "type")]
    #[schema(value_type = super::openapi::words::EventType)]
    kind: String,
    timestamp: Rfc3339,
    /// The object as it stood after the change.
    #[schema(value_type = super::openapi::words::EventData)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentEvent)]
pub struct EventDto {
    #[serde(flatten)]
    event: FeedEventDto,
    #[schema(value_type = scalar::PaymentId)]
    payment_id: PaymentId,
    /// That of the payment after the change.
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
