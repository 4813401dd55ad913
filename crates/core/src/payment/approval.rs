//! The word of a second person. A payment at or above a threshold waits until another key than the
//! one that asked for it approves or rejects it, or until its time for that is up.
//!
//! Nothing is ever signed for a payment that waits, so its end needs no proof from a ledger.

use super::decide::Illegal;
use super::effect::{Decision, Effect};
use super::state::{Payment, State};
use crate::ids::UnixMs;
use crate::money::Drops;
use serde::{Deserialize, Serialize};

/// Which payments wait for an approval, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The least amount that waits.
    pub threshold: Drops,
    /// How long it may wait, in milliseconds.
    pub expires_in_ms: i64,
}

impl ApprovalRule {
    /// Whether a payment of `amount` waits.
    #[must_use]
    pub fn holds(&self, amount: Drops) -> bool {
        amount >= self.threshold
    }
}

/// The approval of one payment, from its acceptance on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The key that asked for the payment, which may not rule on it.
    pub asked_by: String,
    /// When the waiting ends: never later than the payment's own expiry.
    pub expires_at: UnixMs,
    /// What was ruled; none while nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// What somebody ruled on a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// It may be paid.
    Approved {
        /// The key that said so.
        by: String,
        /// When.
        at: UnixMs,
    },
    /// It is not to be paid.
    Rejected {
        /// The key that said so.
        by: String,
        /// When.
        at: UnixMs,
        /// Why, in that person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The ledger was found to hold it already: whoever ruled did so in a life that this database
    /// does not know.
    Remembered {
        /// When it was found.
        at: UnixMs,
    },
}

/// Who rules on a payment, and what they had before their eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The key that rules.
    pub by: String,
    /// The version of the payment that was read.
    pub version: u32,
}

/// How a payment begins that is accepted at `now` under `rule`.
#[must_use]
pub fn beginning(
    rule: Option<ApprovalRule>,
    amount: Drops,
    expires_at: Option<UnixMs>,
    asked_by: &str,
    now: UnixMs,
) -> (State, Option<Approval>) {
    match rule {
        Some(rule) if rule.holds(amount) => {
            let patience = now.plus_ms(rule.expires_in_ms);
            let approval = Approval {
                asked_by: asked_by.to_owned(),
                expires_at: expires_at.map_or(patience, |own| own.min(patience)),
                verdict: None,
            };
            (State::AwaitingApproval, Some(approval))
        }
        Some(_) | None => (State::Queued { hold: None }, None),
    }
}

/// The same word of the same person once more decides nothing: its answer may have been lost.
pub(super) fn approve(
    payment: &Payment,
    ballot: Ballot,
    now: UnixMs,
) -> Result<Option<Decision>, Illegal> {
    if let Some(Verdict::Approved { by, .. }) = verdict_of(payment)
        && *by == ballot.by
        && ballot.version < payment.version
    {
        return Ok(None);
    }
    let approval = open_to(payment, &ballot, now)?;
    let verdict = Verdict::Approved {
        by: ballot.by,
        at: now,
    };
    Ok(Some(Decision {
        payment: Payment {
            state: State::Queued { hold: None },
            approval: Some(ruled(approval, verdict)),
            ..payment.clone()
        },
        effects: Vec::new(),
    }))
}

pub(super) fn reject(
    payment: &Payment,
    ballot: Ballot,
    reason: Option<String>,
    now: UnixMs,
) -> Result<Option<Decision>, Illegal> {
    if let Some(Verdict::Rejected { by, .. }) = verdict_of(payment)
        && *by == ballot.by
        && ballot.version < payment.version
    {
        return Ok(None);
    }
    let approval = open_to(payment, &ballot, now)?;
    let verdict = Verdict::Rejected {
        by: ballot.by,
        at: now,
        reason,
    };
    Ok(Some(Decision {
        payment: Payment {
            state: State::Rejected,
            approval: Some(ruled(approval, verdict)),
            ..payment.clone()
        },
        effects: vec![Effect::Settle {
            delivered: Drops::ZERO,
        }],
    }))
}

/// The approval of a payment that the ledger was found to hold already, where nobody has ruled on it.
pub(super) fn remembered(payment: &Payment, now: UnixMs) -> Option<Approval> {
    let approval = payment.approval.as_ref()?;
    Some(match approval.verdict {
        None => ruled(approval, Verdict::Remembered { at: now }),
        Some(_) => approval.clone(),
    })
}

impl Payment {
    /// Since when it may be paid: a person's time to approve it is not the daemon's.
    #[must_use]
    pub fn queued_since(&self) -> UnixMs {
        match verdict_of(self) {
            Some(Verdict::Approved { at, .. }) => *at,
            Some(Verdict::Rejected { .. } | Verdict::Remembered { .. }) | None => self.created_at,
        }
    }
}

fn verdict_of(payment: &Payment) -> Option<&Verdict> {
    payment.approval.as_ref()?.verdict.as_ref()
}

fn ruled(approval: &Approval, verdict: Verdict) -> Approval {
    Approval {
        verdict: Some(verdict),
        ..approval.clone()
    }
}

/// The approval that the ballot may be cast on.
fn open_to<'a>(
    payment: &'a Payment,
    ballot: &Ballot,
    now: UnixMs,
) -> Result<&'a Approval, Illegal> {
    let approval = match (&payment.state, &payment.approval) {
        (State::AwaitingApproval, Some(approval)) => approval,
        (_, _) if payment.status().is_final() => {
            return Err(Illegal::AlreadyFinal(payment.status().as_str()));
        }
        (_, _) => return Err(Illegal::NotAwaiting),
    };
    if approval.asked_by == ballot.by {
        return Err(Illegal::OwnPayment);
    }
    if ballot.version != payment.version {
        return Err(Illegal::StaleVersion {
            current: payment.version,
        });
    }
    if payment.is_past_expiry(now) {
        return Err(Illegal::PastExpiry);
    }
    Ok(approval)
}

/// Checks that the approval and the state of a payment tell the same story.
///
/// # Errors
/// The sentence that does not hold.
pub(super) fn check(payment: &Payment) -> Result<(), &'static str> {
    let verdict = payment
        .approval
        .as_ref()
        .map(|approval| approval.verdict.as_ref());
    let own = payment.approval.as_ref().is_some_and(|approval| {
        matches!(&approval.verdict,
            Some(Verdict::Approved { by, .. } | Verdict::Rejected { by, .. }) if *by == approval.asked_by)
    });
    if own {
        return Err("somebody ruled on a payment of their own");
    }
    let may_be_signed = matches!(verdict, None | Some(Some(Verdict::Approved { .. })));
    let is_remembered = matches!(verdict, Some(Some(Verdict::Remembered { .. })));
    if !may_be_signed && !is_remembered && !payment.attempts.is_empty() {
        return Err("signed without an approval");
    }
    let fits = match payment.state {
        State::AwaitingApproval => matches!(verdict, Some(None)),
        State::Rejected => matches!(verdict, Some(Some(Verdict::Rejected { .. }))),
        State::Queued { .. } | State::InFlight => may_be_signed,
        State::Succeeded { .. } | State::Failed { .. } => may_be_signed || is_remembered,
        // Time and its client may end it while it waits, too.
        State::Expired { .. } | State::Cancelled { .. } => may_be_signed || verdict == Some(None),
    };
    if fits {
        Ok(())
    } else {
        Err("the state contradicts the approval")
    }
}

/// Checks that a step leaves alone what was ruled.
///
/// # Errors
/// The sentence that does not hold.
pub(super) fn check_step(before: &Payment, after: &Payment) -> Result<(), &'static str> {
    match (&before.approval, &after.approval) {
        (None, None) => Ok(()),
        (Some(old), Some(new))
            if old.asked_by == new.asked_by
                && old.expires_at == new.expires_at
                && (old.verdict.is_none() || old.verdict == new.verdict) =>
        {
            Ok(())
        }
        (_, _) => Err("what was ruled on the payment changed"),
    }
}

#[cfg(test)]
mod tests;
