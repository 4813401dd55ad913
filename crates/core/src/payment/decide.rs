//! The one transition function of a payment.
//!
//! Pure: the same payment, event and time always give the same decision. An event that cannot
//! happen to the payment as it stands is [`Illegal`]; an event that has already been taken into
//! account decides nothing (`Ok(None)`), because answers and journal pages are seen more than once.

use super::adopt;
use super::approval;
use super::effect::{Decision, Effect};
use super::event::{Absence, Answer, Event, Finding, NewAttempt};
use super::invariants;
use super::refuse;
use super::state::{Attempt, AttemptState, Failure, Hold, Payment, Proof, State};
use crate::fee;
use crate::ids::{TxHash, UnixMs};
use crate::ledger::codes::{self, OnSubmit, OnValidated};
use crate::money::Drops;

/// Why an event cannot be applied to a payment as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The payment has its end.
    #[error("the payment is already {0}")]
    AlreadyFinal(&'static str),
    /// Something is signed that could still be applied.
    #[error("the payment is signed and may already be on the ledger")]
    AlreadySigned,
    /// A second person's word is missing.
    #[error("the payment waits for its approval")]
    AwaitsApproval,
    /// Nobody's word is asked for.
    #[error("the payment does not wait for an approval")]
    NotAwaiting,
    /// Two keys are needed, and this is the first of them again.
    #[error("the key that asked for the payment cannot rule on it")]
    OwnPayment,
    /// What was ruled on is not what stands there now.
    #[error("the payment is at version {current} by now")]
    StaleVersion {
        /// The version that stands there.
        current: u32,
    },
    /// A second attempt must consume the same slot as every open one.
    #[error("an earlier attempt is still open on another sequence or ticket")]
    EarlierAttemptOpen,
    /// A replacement must raise the fee by more than a quarter.
    #[error("a replacement must raise the fee by more than 25 %")]
    FeeNotRaised,
    /// No new attempt after the expiry.
    #[error("the payment is past its expiry")]
    PastExpiry,
    /// Not yet past the expiry.
    #[error("the payment is not past its expiry")]
    NotExpired,
    /// The payment never signed this.
    #[error("no attempt with that hash")]
    NoSuchAttempt,
    /// The journal says two things that exclude each other. Never ignored: the wallet halts.
    #[error("the journal contradicts what was proven: {0}")]
    Contradiction(&'static str),
}

/// What `event` makes of `payment` at `now`.
///
/// # Errors
/// The event is impossible for the payment as it stands; nothing changes.
pub fn decide(payment: &Payment, event: Event, now: UnixMs) -> Result<Option<Decision>, Illegal> {
    let decision = match event {
        Event::Sign(attempt) => sign(payment, attempt, now).map(Some),
        Event::Hold(hold) => set_hold(payment, Some(hold)),
        Event::Release => set_hold(payment, None),
        Event::Answered { hash, answer } => answered(payment, hash, answer),
        Event::Overdue { hash } => overdue(payment, hash),
        Event::Journal(Finding::Found {
            hash,
            result,
            ledger_index,
            ledger_hash,
            delivered,
            servers,
        }) => {
            let proof = Proof::Validated {
                ledger_index,
                ledger_hash,
                servers,
            };
            found(payment, hash, result, delivered, proof)
        }
        Event::Journal(Finding::Absent { hash, proof }) => absent(payment, hash, proof),
        Event::Adopt(adoption) => adopt::adopt(payment, adoption, now),
        Event::Approve(ballot) => approval::approve(payment, ballot, now),
        Event::Reject { ballot, reason } => approval::reject(payment, ballot, reason, now),
        Event::Refuse(refusal) => refuse::refuse(payment, refusal).map(Some),
        Event::Cancel => cancel(payment).map(Some),
        Event::Expire => expire(payment, now).map(Some),
    }?;
    Ok(decision.map(|mut decision| {
        decision.payment.version = payment.version.saturating_add(1);
        decision.payment.updated_at = now;
        invariants::assert_step(payment, &decision.payment);
        decision
    }))
}

fn change(payment: &Payment, state: State, effects: Vec<Effect>) -> Decision {
    Decision {
        payment: Payment {
            state,
            ..payment.clone()
        },
        effects,
    }
}

fn sign(payment: &Payment, new: NewAttempt, now: UnixMs) -> Result<Decision, Illegal> {
    refuse_final(payment)?;
    if payment.state == State::AwaitingApproval {
        return Err(Illegal::AwaitsApproval);
    }
    if payment.is_past_expiry(now) {
        return Err(Illegal::PastExpiry);
    }
    for open in payment.open_attempts() {
        if open.slot != new.slot {
            return Err(Illegal::EarlierAttemptOpen);
        }
        if !fee::raises(open.fee, new.fee) {
            return Err(Illegal::FeeNotRaised);
        }
    }
    let hash = new.hash;
    let mut decision = change(payment, State::InFlight, vec![Effect::Submit(hash)]);
    decision.payment.attempts.push(Attempt {
        hash,
        slot: new.slot,
        fee: new.fee,
        first_ledger: new.first_ledger,
        last_ledger: new.last_ledger,
        state: AttemptState::Signed,
        signed_at: new.signed_at,
    });
    Ok(decision)
}

fn set_hold(payment: &Payment, hold: Option<Hold>) -> Result<Option<Decision>, Illegal> {
    match payment.state {
        State::Queued { hold: now } if now == hold => Ok(None),
        State::Queued { .. } => Ok(Some(change(payment, State::Queued { hold }, Vec::new()))),
        State::AwaitingApproval => Err(Illegal::AwaitsApproval),
        State::InFlight => Err(Illegal::AlreadySigned),
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => Err(Illegal::AlreadyFinal(payment.status().as_str())),
    }
}

fn answered(payment: &Payment, hash: TxHash, answer: Answer) -> Result<Option<Decision>, Illegal> {
    let attempt = payment.attempt(hash).ok_or(Illegal::NoSuchAttempt)?;
    let mut effects = Vec::new();
    let next = match (&attempt.state, answer) {
        // What is proven is not moved by a hint, and the first refusal is the one worth keeping:
        // a server that has marked the blob answers later sends with another code.
        (
            AttemptState::Validated { .. }
            | AttemptState::Dead { .. }
            | AttemptState::Refused { .. },
            _,
        ) => return Ok(None),
        // A server has taken it: another that calls it malformed is wrong about it, or marked it
        // when it was sent again.
        (AttemptState::Submitted { result }, Answer::Unparsable(_))
            if codes::on_submit(result) == OnSubmit::Wait =>
        {
            return Ok(None);
        }
        (AttemptState::Submitted { result }, Answer::Engine(code))
            if codes::on_submit(result) == OnSubmit::Wait
                && codes::on_submit(&code) == OnSubmit::Never =>
        {
            return Ok(None);
        }
        (AttemptState::Signed, Answer::Lost) => AttemptState::Unknown,
        (AttemptState::Submitted { .. } | AttemptState::Unknown, Answer::Lost) => return Ok(None),
        (_, Answer::Unparsable(code)) => AttemptState::Refused { code },
        (_, Answer::Engine(result)) => match codes::on_submit(&result) {
            OnSubmit::Never => AttemptState::Refused { code: result },
            OnSubmit::OwnFault => {
                let reason = format!("a submission was answered {result}");
                effects.push(Effect::HaltWallet { reason });
                AttemptState::Submitted { result }
            }
            OnSubmit::Wait
            | OnSubmit::Elsewhere
            | OnSubmit::Crowded
            | OnSubmit::Ahead
            | OnSubmit::PerhapsDone
            | OnSubmit::OwnShortage => AttemptState::Submitted { result },
        },
    };
    if next == attempt.state && effects.is_empty() {
        return Ok(None);
    }
    let mut decision = change(payment, payment.state.clone(), effects);
    set_attempt(&mut decision.payment, hash, next);
    Ok(Some(decision))
}

fn overdue(payment: &Payment, hash: TxHash) -> Result<Option<Decision>, Illegal> {
    let attempt = payment.attempt(hash).ok_or(Illegal::NoSuchAttempt)?;
    match attempt.state {
        AttemptState::Signed | AttemptState::Submitted { .. } => {
            let mut decision = change(payment, payment.state.clone(), Vec::new());
            set_attempt(&mut decision.payment, hash, AttemptState::Unknown);
            Ok(Some(decision))
        }
        AttemptState::Unknown
        | AttemptState::Refused { .. }
        | AttemptState::Validated { .. }
        | AttemptState::Dead { .. } => Ok(None),
    }
}

fn found(
    payment: &Payment,
    hash: TxHash,
    result: String,
    delivered: Option<Drops>,
    proof: Proof,
) -> Result<Option<Decision>, Illegal> {
    let Proof::Validated { ledger_index, .. } = &proof else {
        return Err(Illegal::Contradiction(
            "a found transaction with a proof of absence",
        ));
    };
    let validated = AttemptState::Validated {
        result: result.clone(),
        ledger_index: *ledger_index,
    };
    match &payment.attempt(hash).ok_or(Illegal::NoSuchAttempt)?.state {
        AttemptState::Dead { .. } => {
            return Err(Illegal::Contradiction(
                "a dead attempt is in a validated ledger",
            ));
        }
        seen @ AttemptState::Validated { .. } if *seen == validated => return Ok(None),
        AttemptState::Validated { .. } => {
            return Err(Illegal::Contradiction(
                "an attempt was validated in two ways",
            ));
        }
        AttemptState::Signed
        | AttemptState::Submitted { .. }
        | AttemptState::Unknown
        | AttemptState::Refused { .. } => {}
    }
    refuse_final(payment)
        .map_err(|_| Illegal::Contradiction("a settled payment was validated again"))?;

    let (state, effects) = match end_of(hash, &result, delivered, proof)? {
        Some((state, effect)) => (state, vec![effect]),
        None => {
            let hold = Some(Hold::LowBalance);
            (State::Queued { hold }, Vec::new())
        }
    };
    let mut decision = change(payment, state, effects);
    set_attempt(&mut decision.payment, hash, validated);
    // Its rivals on the same slot are excluded by it; the journal says so for each of them, and
    // that finding is part of the same page. A payment that is not final keeps waiting for it.
    if matches!(decision.payment.state, State::Queued { .. })
        && decision.payment.open_attempts().next().is_some()
    {
        decision.payment.state = State::InFlight;
    }
    Ok(Some(decision))
}

/// The end that a validated transaction with this result is for its payment; none where the wallet was
/// only short of money and the payment can still be made.
pub(super) fn end_of(
    hash: TxHash,
    result: &str,
    delivered: Option<Drops>,
    proof: Proof,
) -> Result<Option<(State, Effect)>, Illegal> {
    match codes::on_validated(result) {
        OnValidated::Delivered => {
            let delivered = delivered.ok_or(Illegal::Contradiction(
                "a delivered payment without delivered_amount",
            ))?;
            let state = State::Succeeded {
                delivered,
                tx_hash: hash,
                proof,
            };
            Ok(Some((state, Effect::Settle { delivered })))
        }
        OnValidated::Failed | OnValidated::ServerFault => {
            let failure = failure_of(result, true);
            let delivered = Drops::ZERO;
            Ok(Some((
                State::Failed { failure, proof },
                Effect::Settle { delivered },
            )))
        }
        OnValidated::OwnShortage => Ok(None),
        OnValidated::Impossible => Err(Illegal::Contradiction(
            "a result that no validated ledger can hold",
        )),
    }
}

fn absent(payment: &Payment, hash: TxHash, proof: Absence) -> Result<Option<Decision>, Illegal> {
    match &payment.attempt(hash).ok_or(Illegal::NoSuchAttempt)?.state {
        AttemptState::Validated { .. } => {
            return Err(Illegal::Contradiction("a validated attempt is absent"));
        }
        AttemptState::Dead { .. } => return Ok(None),
        AttemptState::Signed
        | AttemptState::Submitted { .. }
        | AttemptState::Unknown
        | AttemptState::Refused { .. } => {}
    }
    let mut decision = change(payment, payment.state.clone(), Vec::new());
    set_attempt(
        &mut decision.payment,
        hash,
        AttemptState::Dead {
            proof: proof.clone(),
        },
    );
    let settled = payment.status().is_final();
    if settled || decision.payment.open_attempts().next().is_some() {
        return Ok(Some(decision));
    }
    let refused = payment
        .attempts
        .iter()
        .find_map(|attempt| match &attempt.state {
            AttemptState::Refused { code } => Some(code.clone()),
            AttemptState::Signed
            | AttemptState::Submitted { .. }
            | AttemptState::Unknown
            | AttemptState::Validated { .. }
            | AttemptState::Dead { .. } => None,
        });
    let state = match refused {
        Some(code) => State::Failed {
            failure: failure_of(&code, false),
            proof: Proof::Absent(proof),
        },
        // Its time may be out; but before that is said, the queue looks whether the ledger holds it
        // under another hash, from a life that this database does not know.
        None => State::Queued { hold: None },
    };
    decision.payment.state = state;
    if decision.payment.status().is_final() {
        decision.effects.push(Effect::Settle {
            delivered: Drops::ZERO,
        });
    }
    Ok(Some(decision))
}

fn cancel(payment: &Payment) -> Result<Decision, Illegal> {
    refuse_in_flight(payment)?;
    let state = State::Cancelled {
        proof: last_absence(payment),
    };
    Ok(change(
        payment,
        state,
        vec![Effect::Settle {
            delivered: Drops::ZERO,
        }],
    ))
}

fn expire(payment: &Payment, now: UnixMs) -> Result<Decision, Illegal> {
    refuse_in_flight(payment)?;
    if !payment.is_past_expiry(now) {
        return Err(Illegal::NotExpired);
    }
    let state = State::Expired {
        proof: last_absence(payment),
    };
    Ok(change(
        payment,
        state,
        vec![Effect::Settle {
            delivered: Drops::ZERO,
        }],
    ))
}

fn refuse_final(payment: &Payment) -> Result<(), Illegal> {
    let status = payment.status();
    if status.is_final() {
        Err(Illegal::AlreadyFinal(status.as_str()))
    } else {
        Ok(())
    }
}

fn refuse_in_flight(payment: &Payment) -> Result<(), Illegal> {
    refuse_final(payment)?;
    match payment.state {
        State::InFlight => Err(Illegal::AlreadySigned),
        State::AwaitingApproval
        | State::Queued { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => Ok(()),
    }
}

fn last_absence(payment: &Payment) -> Option<Proof> {
    payment
        .attempts
        .iter()
        .rev()
        .find_map(|attempt| match &attempt.state {
            AttemptState::Dead { proof } => Some(Proof::Absent(proof.clone())),
            AttemptState::Signed
            | AttemptState::Submitted { .. }
            | AttemptState::Unknown
            | AttemptState::Refused { .. }
            | AttemptState::Validated { .. } => None,
        })
}

fn set_attempt(payment: &mut Payment, hash: TxHash, state: AttemptState) {
    for attempt in &mut payment.attempts {
        if attempt.hash == hash {
            attempt.state = state;
            return;
        }
    }
}

/// The failure as the API tells it.
fn failure_of(ledger_code: &str, fee_charged: bool) -> Failure {
    let (code, message) = match ledger_code {
        "tecNO_DST" | "tecNO_DST_INSUF_XRP" => (
            "destination_not_funded",
            "The destination account does not exist and the amount does not fund it.",
        ),
        "tecDST_TAG_NEEDED" => (
            "destination_tag_required",
            "The destination requires a destination tag.",
        ),
        "tecNO_PERMISSION" => (
            "destination_requires_authorization",
            "The destination accepts payments from authorised senders only.",
        ),
        _ if fee_charged => (
            "ledger_refused",
            "The ledger charged the fee and did not deliver the payment.",
        ),
        _ => (
            "transaction_malformed",
            "No server can apply the transaction; nothing was charged.",
        ),
    };
    Failure {
        code: code.to_owned(),
        message: message.to_owned(),
        ledger_code: ledger_code.to_owned(),
        fee_charged,
    }
}

#[cfg(test)]
mod hints;
#[cfg(test)]
pub(super) mod tests;
