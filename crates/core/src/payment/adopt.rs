//! Payments that the ledger holds already: a database that was lost, or restored from an older copy,
//! is asked for them again.
//!
//! What a validated ledger says of the transaction ends the payment, as it would have in the life that
//! was lost. Nothing is signed, so it does not matter whether the payment waits in the queue or for an
//! approval: money that has moved needs nobody's word.

use super::approval;
use super::decide::{Illegal, end_of};
use super::effect::Decision;
use super::event::Adoption;
use super::state::{Attempt, AttemptState, Payment, Proof, State};
use crate::ids::UnixMs;

/// Ends `payment` by the transaction that served it. A result that ended nothing in its own life, such
/// as a wallet that was short of money, ends nothing in this one.
pub(super) fn adopt(
    payment: &Payment,
    adoption: Adoption,
    now: UnixMs,
) -> Result<Option<Decision>, Illegal> {
    if payment.attempt(adoption.hash).is_some() {
        return Ok(None);
    }
    match payment.state {
        State::AwaitingApproval | State::Queued { .. } => {}
        State::InFlight => return Err(Illegal::AlreadySigned),
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => return Err(Illegal::AlreadyFinal(payment.status().as_str())),
    }
    // The books of a wallet hold what that wallet sent.
    if adoption.wallet != payment.wallet && !payment.attempts.is_empty() {
        return Err(Illegal::Contradiction(
            "a payment that was signed here was paid from another wallet",
        ));
    }
    let proof = Proof::Validated {
        ledger_index: adoption.ledger_index,
        ledger_hash: adoption.ledger_hash,
        servers: adoption.servers,
    };
    let end = end_of(adoption.hash, &adoption.result, adoption.delivered, proof)?;
    let Some((state, effect)) = end else {
        return Ok(None);
    };
    let mut adopted = Payment {
        wallet: adoption.wallet,
        state,
        approval: approval::remembered(payment, now),
        ..payment.clone()
    };
    adopted.attempts.push(Attempt {
        hash: adoption.hash,
        slot: adoption.slot,
        fee: adoption.fee,
        first_ledger: adoption.ledger_index,
        last_ledger: adoption.ledger_index,
        state: AttemptState::Validated {
            result: adoption.result,
            ledger_index: adoption.ledger_index,
        },
        signed_at: now,
    });
    Ok(Some(Decision {
        payment: adopted,
        effects: vec![effect],
    }))
}

#[cfg(test)]
pub(super) mod tests;
