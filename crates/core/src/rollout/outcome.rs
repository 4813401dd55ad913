//! What the end of a payment says about us: whether it speaks for the next stage or against it.

use crate::payment::{Payment, Proof, State};

/// What the end of a payment counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was delivered.
    Delivered,
    /// It was not, by a fault of ours or the network's: the ledger refused what we signed for a reason
    /// that is not the destination's, no server could apply it, or its time ran out before it got into
    /// a ledger, and that was a time in which it should have.
    Fault,
    /// It was not, because of the destination: it does not exist, wants a tag, or takes nothing from us.
    /// Whoever asked chose the destination.
    Refused,
    /// People called it off: it was cancelled or rejected, nobody approved it in time, or it was given so
    /// little time that its end says nothing about us.
    CalledOff,
}

/// Who gives a payment less than this, and has it expire, has asked for that: a service in order may need
/// so long. Otherwise one client's haste could fail a stage for all.
const FAIR_TIME_MS: i64 = 60_000;

/// The failures that the destination is the reason of.
const OF_THE_DESTINATION: [&str; 3] = [
    "destination_not_funded",
    "destination_tag_required",
    "destination_requires_authorization",
];

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Fault, Self::Refused, Self::CalledOff];

    /// The word by which it is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Fault => "fault",
            Self::Refused => "refused",
            Self::CalledOff => "called_off",
        }
    }

    /// What the end of `payment` counts as; none while it has no end.
    #[must_use]
    pub fn of(payment: &Payment) -> Option<Self> {
        match &payment.state {
            State::AwaitingApproval | State::Queued { .. } | State::InFlight => None,
            State::Succeeded { .. } => Some(Self::Delivered),
            State::Failed { failure, proof } => {
                let is_theirs = matches!(proof, Proof::Preflight(_))
                    || OF_THE_DESTINATION.contains(&failure.code.as_str());
                Some(if is_theirs {
                    Self::Refused
                } else {
                    Self::Fault
                })
            }
            State::Expired { .. } => {
                let approval = payment.approval.as_ref();
                let waited = approval.is_some_and(|approval| approval.verdict.is_none());
                let expires_at = payment.order.expires_at;
                let given_ms = expires_at.map(|at| at.since_ms(payment.created_at));
                let in_haste = given_ms.is_some_and(|given| given < FAIR_TIME_MS);
                Some(if waited || in_haste {
                    Self::CalledOff
                } else {
                    Self::Fault
                })
            }
            State::Cancelled { .. } | State::Rejected => Some(Self::CalledOff),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FAIR_TIME_MS, Outcome};
    use crate::engine::bed;
    use crate::payment::State;

    #[test]
    fn what_expires_speaks_against_us_where_it_was_given_the_time_and_not_where_it_was_in_haste() {
        let given = |ms: Option<i64>| {
            let mut payment = bed::payment(1);
            payment.order.expires_at = ms.map(|ms| payment.created_at.plus_ms(ms));
            payment.state = State::Expired { proof: None };
            Outcome::of(&payment)
        };
        assert_eq!(given(Some(1_000)), Some(Outcome::CalledOff));
        assert_eq!(given(Some(FAIR_TIME_MS - 1)), Some(Outcome::CalledOff));
        assert_eq!(given(Some(FAIR_TIME_MS)), Some(Outcome::Fault));
        assert_eq!(given(None), Some(Outcome::Fault));
    }

    #[test]
    fn every_outcome_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> =
            Outcome::ALL.into_iter().map(Outcome::as_str).collect();
        assert_eq!(words.len(), Outcome::ALL.len());
    }
}
