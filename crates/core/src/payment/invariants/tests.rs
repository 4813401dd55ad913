//! Each sentence of the invariants is shown to catch a payment or a step that breaks it.

use super::super::decide::tests::{attempt, queued};
use super::super::event::{Absence, AbsenceReason, Event};
use super::super::state::{Attempt, Failure, Proof, Slot};
use super::super::{Hold, decide};
use super::*;
use crate::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use crate::money::Drops;

const NOW: UnixMs = UnixMs(1_000);

fn made(n: u8, sequence: u32, state: AttemptState) -> Attempt {
    let new = attempt(n, sequence, 10);
    Attempt {
        hash: new.hash,
        slot: new.slot,
        fee: new.fee,
        first_ledger: new.first_ledger,
        last_ledger: new.last_ledger,
        state,
        signed_at: new.signed_at,
    }
}

fn validated(result: &str) -> AttemptState {
    AttemptState::Validated {
        result: result.into(),
        ledger_index: LedgerIndex(12),
    }
}

fn in_a_ledger() -> Proof {
    Proof::Validated {
        ledger_index: LedgerIndex(12),
        ledger_hash: LedgerHash([2; 32]),
        servers: vec!["a".into(), "b".into()],
    }
}

fn absence() -> Absence {
    Absence {
        from: LedgerIndex(11),
        to: LedgerIndex(31),
        to_hash: LedgerHash([3; 32]),
        servers: vec!["a".into(), "b".into()],
        reason: AbsenceReason::SlotFree {
            at: LedgerIndex(31),
            account_sequence: 5,
        },
    }
}

fn dead() -> AttemptState {
    AttemptState::Dead { proof: absence() }
}

fn succeeded() -> State {
    State::Succeeded {
        delivered: Drops::new(25_000_000).unwrap(),
        tx_hash: TxHash([1; 32]),
        proof: in_a_ledger(),
    }
}

fn failed() -> State {
    State::Failed {
        failure: Failure {
            code: "ledger_refused".into(),
            message: "It was refused.".into(),
            ledger_code: "tecPATH_DRY".into(),
            fee_charged: true,
        },
        proof: in_a_ledger(),
    }
}

fn payment(state: State, attempts: Vec<Attempt>) -> Payment {
    Payment {
        state,
        attempts,
        ..queued()
    }
}

#[test]
fn a_payment_that_contradicts_itself_is_told_apart_from_a_sound_one() {
    let waiting = State::Queued { hold: None };
    let expired = State::Expired { proof: None };
    let cancelled = State::Cancelled { proof: None };
    let open = |n, sequence| made(n, sequence, AttemptState::Signed);
    let paid = |n, sequence| made(n, sequence, validated("tesSUCCESS"));
    let sound = [
        payment(waiting.clone(), vec![]),
        payment(waiting.clone(), vec![made(1, 5, dead())]),
        payment(State::InFlight, vec![open(1, 5)]),
        payment(State::InFlight, vec![open(1, 5), open(2, 5)]),
        payment(State::InFlight, vec![made(1, 5, dead()), open(2, 6)]),
        payment(succeeded(), vec![paid(1, 5)]),
        payment(succeeded(), vec![paid(1, 5), open(2, 5)]),
        payment(failed(), vec![made(1, 5, validated("tecPATH_DRY"))]),
        payment(expired.clone(), vec![made(1, 5, dead())]),
        payment(cancelled.clone(), vec![]),
    ];
    for payment in &sound {
        assert_eq!(check(payment), Ok(()), "{payment:?}");
    }
    let broken = [
        (
            payment(State::InFlight, vec![open(1, 5), open(2, 6)]),
            "two open attempts of one payment consume different slots",
        ),
        (
            payment(succeeded(), vec![paid(1, 5), paid(2, 6)]),
            "a payment was delivered twice",
        ),
        (
            payment(waiting, vec![open(1, 5)]),
            "a queued payment has an open attempt",
        ),
        (
            payment(State::InFlight, vec![made(1, 5, dead())]),
            "a payment in flight has no open attempt",
        ),
        (
            payment(succeeded(), vec![made(1, 5, validated("tecPATH_DRY"))]),
            "succeeded without a validated success",
        ),
        (
            payment(failed(), vec![paid(1, 5)]),
            "delivered, and said not to be",
        ),
        (
            payment(expired.clone(), vec![paid(1, 5)]),
            "delivered, and said not to be",
        ),
        (
            payment(cancelled.clone(), vec![paid(1, 5)]),
            "delivered, and said not to be",
        ),
        (
            payment(expired, vec![open(1, 5)]),
            "ended with an attempt that could still be applied",
        ),
        (
            payment(cancelled, vec![open(1, 5)]),
            "ended with an attempt that could still be applied",
        ),
    ];
    for (payment, sentence) in broken {
        assert_eq!(check(&payment), Err(sentence), "{payment:?}");
    }
}

/// The step that changes nothing but the version: sound by itself.
fn next(before: &Payment) -> Payment {
    Payment {
        version: before.version + 1,
        ..before.clone()
    }
}

#[test]
fn a_step_that_rewrites_what_is_settled_is_caught() {
    let before = payment(
        State::InFlight,
        vec![
            made(1, 5, dead()),
            made(2, 6, AttemptState::Signed),
            made(3, 6, AttemptState::Signed),
        ],
    );
    assert_eq!(check_step(&before, &next(&before)), Ok(()));
    let caught = |change: fn(&mut Payment), sentence: &str| {
        let mut after = next(&before);
        change(&mut after);
        assert_eq!(check_step(&before, &after), Err(sentence));
    };
    caught(|p| p.version += 1, "the version did not grow by one");
    caught(|p| p.version -= 1, "the version did not grow by one");
    caught(|p| p.order.destination_tag = Some(7), "the order changed");
    caught(|p| p.id = PaymentId(8), "the order changed");
    caught(|p| p.wallet = "other".into(), "the wallet changed");
    caught(
        |p| {
            p.attempts.pop();
        },
        "an attempt was forgotten",
    );
    caught(
        |p| p.attempts[0].state = validated("tecPATH_DRY"),
        "a settled attempt changed",
    );
    caught(
        |p| p.attempts[1].hash = TxHash([9; 32]),
        "a settled attempt changed",
    );
}

#[test]
fn a_replacement_that_the_queue_would_refuse_is_caught() {
    let open = |n, fee| Attempt {
        fee: Drops::new(fee).unwrap(),
        ..made(n, 5, AttemptState::Signed)
    };
    let before = payment(State::InFlight, vec![open(1, 100)]);
    let after = |fee| Payment {
        version: before.version + 1,
        ..payment(State::InFlight, vec![open(1, 100), open(2, fee)])
    };
    let cheap = Err("a replacement is not dearer by more than a quarter");
    assert_eq!(check_step(&before, &after(125)), cheap);
    assert_eq!(check_step(&before, &after(126)), Ok(()));
}

#[test]
fn only_what_was_never_signed_here_may_end_in_another_wallet() {
    let queued = payment(State::Queued { hold: None }, vec![]);
    let moved = Payment {
        wallet: "other".into(),
        ..next(&queued)
    };
    assert_eq!(check_step(&queued, &moved), Err("the wallet changed"));
    let paid = Payment {
        state: succeeded(),
        attempts: vec![made(1, 5, validated("tesSUCCESS"))],
        ..moved
    };
    assert_eq!(check_step(&queued, &paid), Ok(()));
    let signed = payment(State::InFlight, vec![made(1, 5, AttemptState::Signed)]);
    let paid = Payment {
        version: signed.version + 1,
        ..paid
    };
    assert_eq!(check_step(&signed, &paid), Err("the wallet changed"));
}

#[test]
fn an_end_is_for_ever() {
    let before = payment(failed(), vec![made(1, 5, validated("tecPATH_DRY"))]);
    let other_end = Payment {
        state: State::Expired { proof: None },
        ..next(&before)
    };
    assert_eq!(
        check_step(&before, &other_end),
        Err("a final state changed")
    );
    let rival = Payment {
        state: succeeded(),
        ..payment(
            succeeded(),
            vec![
                made(1, 5, validated("tesSUCCESS")),
                made(2, 5, AttemptState::Signed),
            ],
        )
    };
    let mut settled = next(&rival);
    settled.attempts[1].state = dead();
    assert_eq!(
        check_step(&rival, &settled),
        Ok(()),
        "the end stands while a rival attempt is settled"
    );
}

#[test]
#[should_panic(expected = "different slots")]
fn a_payment_that_was_broken_elsewhere_stops_the_process_at_the_next_step() {
    let open = |n, sequence| made(n, sequence, AttemptState::Signed);
    let broken = payment(State::InFlight, vec![open(1, 5), open(2, 6)]);
    let hash = TxHash([1; 32]);
    // The result does not matter: the step must not come back.
    let _ = decide(&broken, Event::Overdue { hash }, NOW);
}

#[test]
fn the_attempt_that_a_ledger_holds_is_found_among_the_dead() {
    let attempts = vec![
        made(1, 5, dead()),
        made(2, 6, validated("tecUNFUNDED_PAYMENT")),
        made(3, 7, validated("tesSUCCESS")),
        made(4, 7, dead()),
    ];
    let paid = payment(succeeded(), attempts);
    let hash = paid.validated_attempt().map(|attempt| attempt.hash);
    assert_eq!(hash, Some(TxHash([3; 32])));
    let none = payment(State::Queued { hold: None }, vec![made(1, 5, dead())]);
    assert_eq!(none.validated_attempt(), None);
}

#[test]
fn the_words_of_the_api_are_the_ones_of_the_contract() {
    use super::super::state::Substatus as S;
    let words = S::ALL.map(S::as_str);
    assert_eq!(
        words,
        [
            "queued",
            "paused",
            "low_balance",
            "fee_hold",
            "signed",
            "submitted",
            "outcome_unknown"
        ]
    );
    let attempts = [
        AttemptState::Signed,
        AttemptState::Submitted {
            result: "terQUEUED".into(),
        },
        AttemptState::Unknown,
        AttemptState::Refused {
            code: "temMALFORMED".into(),
        },
        validated("tesSUCCESS"),
        dead(),
    ];
    assert_eq!(
        attempts.each_ref().map(AttemptState::as_str),
        [
            "signed",
            "submitted",
            "outcome_unknown",
            "refused",
            "validated",
            "dead"
        ]
    );
    let holds = [Hold::Paused, Hold::LowBalance, Hold::FeeHold];
    let shown = holds.map(|hold| payment(State::Queued { hold: Some(hold) }, vec![]).substatus());
    assert_eq!(
        shown,
        [Some(S::Paused), Some(S::LowBalance), Some(S::FeeHold)]
    );
    assert_eq!(
        made(1, 5, AttemptState::Signed).slot,
        Slot::Sequence(5),
        "the fixture is what the cases above say it is"
    );
}
