//! A payment, as far as everybody is told of it. What is of use to those alone who look closer (its
//! attempts, its proof) is added where it is asked for.

use super::{amount, scalar};
use crate::rfc3339::Rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, InvoiceId, LedgerIndex, PaymentId, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Attempt, AttemptState, Payback, Payment, State};

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentShape<'a> {
    #[schema(value_type = scalar::PaymentId)]
    id: PaymentId,
    #[schema(value_type = scalar::KindPayment)]
    object: &'static str,
    #[schema(value_type = scalar::PaymentStatus)]
    status: &'static str,
    /// Set while it is `processing`.
    #[schema(value_type = Option<scalar::PaymentSubstatus>)]
    substatus: Option<&'static str>,
    /// Counts its changes, from 1.
    version: u32,
    /// The wallet that pays.
    wallet: &'a str,
    #[schema(value_type = scalar::Address)]
    destination: String,
    destination_tag: Option<u32>,
    #[schema(value_type = amount::Amount)]
    amount: Amount,
    /// Set on `succeeded` alone, from validated metadata.
    #[schema(value_type = Option<amount::Amount>)]
    delivered_amount: Option<Amount>,
    /// What validated attempts burned.
    #[schema(value_type = Option<scalar::Drops>)]
    fee_drops: Option<Drops>,
    /// Of the validated transaction, or of the newest attempt while none is.
    #[schema(value_type = Option<scalar::TxHash>)]
    tx_hash: Option<TxHash>,
    /// Of the validated transaction.
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    ledger_index: Option<LedgerIndex>,
    /// Of the validated transaction.
    result_code: Option<&'a str>,
    /// Set on `failed` alone.
    failure: Option<FailureShape<'a>>,
    /// The caller's own name for it.
    reference: Option<&'a str>,
    /// The caller's own data.
    metadata: &'a BTreeMap<String, String>,
    /// The deposit that it gives back.
    #[schema(value_type = Option<scalar::DepositId>)]
    return_of: Option<DepositId>,
    /// The invoice whose money it gives back.
    #[schema(value_type = Option<scalar::InvoiceId>)]
    refund_of: Option<InvoiceId>,
    /// The rollout stage in which it was accepted.
    stage: &'a str,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    /// Afterwards no new attempt is signed.
    expires_at: Option<Rfc3339>,
}

/// Why a payment failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentFailure)]
struct FailureShape<'a> {
    /// The reason, for a program.
    code: &'a str,
    /// The reason, for a person.
    message: &'a str,
    /// The ledger's own result code.
    ledger_code: &'a str,
    /// Whether the ledger took its fee all the same.
    fee_charged: bool,
}

impl<'a> PaymentShape<'a> {
    /// The payment as it stands.
    #[must_use]
    pub fn of(payment: &'a Payment) -> Self {
        let order = &payment.order;
        let validated = payment.validated_attempt();
        let (result_code, ledger_index) = match validated.map(|attempt| &attempt.state) {
            Some(AttemptState::Validated {
                result,
                ledger_index,
            }) => (Some(result.as_str()), Some(*ledger_index)),
            Some(_) | None => (None, None),
        };
        let (delivered_amount, failure) = match &payment.state {
            State::Succeeded { delivered, .. } => (Some(Amount::Xrp(*delivered)), None),
            State::Failed { failure, .. } => {
                let failure = FailureShape {
                    code: &failure.code,
                    message: &failure.message,
                    ledger_code: &failure.ledger_code,
                    fee_charged: failure.fee_charged,
                };
                (None, Some(failure))
            }
            State::AwaitingApproval
            | State::Queued { .. }
            | State::InFlight
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Rejected => (None, None),
        };
        Self {
            id: payment.id,
            object: "payment",
            status: payment.status().as_str(),
            substatus: payment.substatus().map(|substatus| substatus.as_str()),
            version: payment.version,
            wallet: &payment.wallet,
            destination: order.destination.to_string(),
            destination_tag: order.destination_tag,
            amount: Amount::Xrp(order.amount),
            delivered_amount,
            fee_drops: burned(payment),
            tx_hash: telling(payment).map(|attempt| attempt.hash),
            ledger_index,
            result_code,
            failure,
            reference: order.reference.as_deref(),
            metadata: &order.metadata,
            return_of: order.payback.and_then(Payback::returned),
            refund_of: order.payback.and_then(Payback::refunded),
            stage: &payment.stage,
            created_at: Rfc3339(payment.created_at),
            updated_at: Rfc3339(payment.updated_at),
            expires_at: order.expires_at.map(Rfc3339),
        }
    }
}

/// The attempt that stands for the payment: while nothing is validated, the newest one's hash is the
/// one to look for.
fn telling(payment: &Payment) -> Option<&Attempt> {
    let newest = || payment.attempts.last();
    payment.validated_attempt().or_else(newest)
}

/// What validated attempts burned: each of them, because a shortage may have cost one before.
fn burned(payment: &Payment) -> Option<Drops> {
    let mut fees = payment
        .attempts
        .iter()
        .filter(|attempt| matches!(attempt.state, AttemptState::Validated { .. }))
        .map(|attempt| attempt.fee);
    let first = fees.next()?;
    fees.try_fold(first, Drops::checked_add)
}
