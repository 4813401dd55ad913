//! A payment, as far as everybody is told of it. What is of use to those alone who look closer (its
//! attempts, its proof) is added where it is asked for.

use crate::rfc3339::Rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, InvoiceId, LedgerIndex, PaymentId, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Attempt, AttemptState, Payback, Payment, State};

/// A payment.
#[derive(Debug, Serialize)]
pub struct PaymentShape<'a> {
    id: PaymentId,
    object: &'static str,
    status: &'static str,
    substatus: Option<&'static str>,
    version: u32,
    wallet: &'a str,
    destination: String,
    destination_tag: Option<u32>,
    amount: Amount,
    delivered_amount: Option<Amount>,
    fee_drops: Option<Drops>,
    tx_hash: Option<TxHash>,
    ledger_index: Option<LedgerIndex>,
    result_code: Option<&'a str>,
    failure: Option<FailureShape<'a>>,
    reference: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    return_of: Option<DepositId>,
    refund_of: Option<InvoiceId>,
    stage: &'a str,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    expires_at: Option<Rfc3339>,
}

#[derive(Debug, Serialize)]
struct FailureShape<'a> {
    code: &'a str,
    message: &'a str,
    ledger_code: &'a str,
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
