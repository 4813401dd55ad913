//! A payment that a validated ledger speaks against before it is signed.
//!
//! Only a queued one can be refused: nothing that was signed for it can still be applied, so nothing
//! was and nothing can be delivered, whatever the account does after the ledger that was read.

use super::decide::Illegal;
use super::effect::{Decision, Effect};
use super::state::{Payment, Proof, State};
use crate::money::Drops;
use crate::preflight::Refusal;

pub(super) fn refuse(payment: &Payment, refusal: Refusal) -> Result<Decision, Illegal> {
    match payment.state {
        State::Queued { .. } => {}
        State::AwaitingApproval => return Err(Illegal::AwaitsApproval),
        State::InFlight => return Err(Illegal::AlreadySigned),
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => return Err(Illegal::AlreadyFinal(payment.status().as_str())),
    }
    // An attempt that ran into a shortage of ours may have been charged before.
    let fee_charged = payment.validated_attempt().is_some();
    Ok(Decision {
        payment: Payment {
            state: State::Failed {
                failure: refusal.failure(fee_charged),
                proof: Proof::Preflight(refusal),
            },
            ..payment.clone()
        },
        effects: vec![Effect::Settle {
            delivered: Drops::ZERO,
        }],
    })
}

/// Checks that who was refused before signing has nothing left that could still be applied, and was
/// refused on somebody's word.
///
/// # Errors
/// The sentence that does not hold.
pub(super) fn check(payment: &Payment) -> Result<(), &'static str> {
    let State::Failed {
        failure,
        proof: Proof::Preflight(refusal),
    } = &payment.state
    else {
        return Ok(());
    };
    if payment.open_attempts().next().is_some() {
        return Err("refused before signing with an attempt that could still be applied");
    }
    if refusal.reading.servers.is_empty() {
        return Err("refused before signing on nobody's word");
    }
    if failure.fee_charged != payment.validated_attempt().is_some() {
        return Err("refused before signing, and wrong about the fee");
    }
    Ok(())
}

/// Checks that only a queued payment was refused before signing.
///
/// # Errors
/// The sentence that does not hold.
pub(super) fn check_step(before: &Payment, after: &Payment) -> Result<(), &'static str> {
    let is_refused = |payment: &Payment| matches!(payment.proof(), Some(Proof::Preflight(_)));
    let was_queued = matches!(before.state, State::Queued { .. });
    if is_refused(after) && !is_refused(before) && !was_queued {
        return Err("refused before signing while it was not queued");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
