//! What must hold of every payment and of every step, checked in release builds too: a money
//! worker that breaks one stops the process rather than limps.

use super::approval;
use super::refuse;
use super::state::{AttemptState, Payment, State};
use crate::fee;

/// Checks the payment by itself.
///
/// # Errors
/// The sentence that does not hold.
pub fn check(payment: &Payment) -> Result<(), &'static str> {
    let mut open = payment.open_attempts();
    let first = open.next();
    if let Some(first) = first
        && open.any(|other| other.slot != first.slot)
    {
        return Err("two open attempts of one payment consume different slots");
    }
    let validated = payment
        .attempts
        .iter()
        .filter(|a| matches!(a.state, AttemptState::Validated { .. }));
    let delivered = validated
        .filter(|a| matches!(&a.state, AttemptState::Validated { result, .. } if result == "tesSUCCESS"))
        .count();
    if delivered > 1 {
        return Err("a payment was delivered twice");
    }
    approval::check(payment)?;
    refuse::check(payment)?;
    match &payment.state {
        State::Queued { .. } if first.is_some() => Err("a queued payment has an open attempt"),
        State::InFlight if first.is_none() => Err("a payment in flight has no open attempt"),
        State::Succeeded { .. } if delivered != 1 => Err("succeeded without a validated success"),
        State::Failed { .. } | State::Expired { .. } | State::Cancelled { .. }
            if delivered != 0 =>
        {
            Err("delivered, and said not to be")
        }
        State::Expired { .. } | State::Cancelled { .. } if first.is_some() => {
            Err("ended with an attempt that could still be applied")
        }
        State::AwaitingApproval
        | State::Queued { .. }
        | State::InFlight
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => Ok(()),
    }
}

/// Checks the step from `before` to `after`.
///
/// # Errors
/// The sentence that does not hold.
pub fn check_step(before: &Payment, after: &Payment) -> Result<(), &'static str> {
    check(after)?;
    approval::check_step(before, after)?;
    refuse::check_step(before, after)?;
    if before.status().is_final() && before.state != after.state {
        return Err("a final state changed");
    }
    if after.version != before.version.saturating_add(1) {
        return Err("the version did not grow by one");
    }
    if after.order != before.order || after.id != before.id {
        return Err("the order changed");
    }
    // Only what was never signed here can turn out to have been paid from elsewhere, and ends so.
    let paid_elsewhere = before.attempts.is_empty() && after.status().is_final();
    if after.wallet != before.wallet && !paid_elsewhere {
        return Err("the wallet changed");
    }
    if after.attempts.len() < before.attempts.len() {
        return Err("an attempt was forgotten");
    }
    for (old, new) in before.attempts.iter().zip(&after.attempts) {
        if old.hash != new.hash || (!old.state.is_open() && old.state != new.state) {
            return Err("a settled attempt changed");
        }
    }
    for new in after.attempts.iter().skip(before.attempts.len()) {
        let mut open = before.open_attempts();
        if open.any(|open| !fee::raises(open.fee, new.fee)) {
            return Err("a replacement is not dearer by more than a quarter");
        }
    }
    Ok(())
}

/// Stops the process where the step breaks an invariant.
pub(super) fn assert_step(before: &Payment, after: &Payment) {
    let verdict = check_step(before, after);
    assert!(verdict.is_ok(), "payment {}: {verdict:?}", before.id);
}

#[cfg(test)]
mod tests;
