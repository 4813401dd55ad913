//! How one answer follows another, and the words of a failure.

use super::super::state::{Slot, Substatus};
use super::tests::{attempt, queued};
use super::*;
use crate::ids::{LedgerHash, LedgerIndex};

const NOW: UnixMs = UnixMs(1_000);
const HASH: TxHash = TxHash([1; 32]);

fn signed() -> Payment {
    let signed = decide(&queued(), Event::Sign(attempt(1, 5, 10)), NOW);
    signed.unwrap().expect("it is signed").payment
}

/// The payment after these answers in a row, those that change nothing among them.
fn after(answers: &[Answer]) -> Payment {
    answers.iter().fold(signed(), |payment, answer| {
        let answer = answer.clone();
        let event = Event::Answered { hash: HASH, answer };
        match decide(&payment, event, NOW).unwrap() {
            Some(decision) => decision.payment,
            None => payment,
        }
    })
}

fn engine(result: &str) -> Answer {
    Answer::Engine(result.into())
}

fn state_after(answers: &[Answer]) -> AttemptState {
    after(answers).attempts[0].state.clone()
}

#[test]
fn only_a_server_that_took_it_outweighs_a_refusal() {
    let refused = AttemptState::Refused {
        code: "temMALFORMED".into(),
    };
    let unparsable = Answer::Unparsable("temMALFORMED".into());
    // A server that would not have it proves nothing of the bytes.
    for first in ["telINSUF_FEE_P", "tefPAST_SEQ", "terPRE_SEQ"] {
        assert_eq!(
            state_after(&[engine(first), unparsable.clone()]),
            refused,
            "{first}"
        );
        assert_eq!(
            state_after(&[engine(first), engine("temMALFORMED")]),
            refused,
            "{first}"
        );
    }
    for first in ["tesSUCCESS", "terQUEUED", "tecPATH_DRY"] {
        let taken = AttemptState::Submitted {
            result: first.into(),
        };
        assert_eq!(
            state_after(&[engine(first), unparsable.clone()]),
            taken,
            "{first}"
        );
        assert_eq!(
            state_after(&[engine(first), engine("temMALFORMED")]),
            taken,
            "{first}"
        );
    }
}

#[test]
fn the_newest_answer_that_ends_nothing_is_the_one_that_is_shown() {
    for (first, second) in [
        ("tesSUCCESS", "tecPATH_DRY"),
        ("terQUEUED", "tefPAST_SEQ"),
        ("telINSUF_FEE_P", "terQUEUED"),
        ("terPRE_SEQ", "tesSUCCESS"),
    ] {
        let shown = AttemptState::Submitted {
            result: second.into(),
        };
        assert_eq!(
            state_after(&[engine(first), engine(second)]),
            shown,
            "{first}, then {second}"
        );
    }
    let twice = after(&[engine("terQUEUED"), engine("terQUEUED")]);
    assert_eq!(twice, after(&[engine("terQUEUED")]), "told twice");
    assert_eq!(twice.substatus(), Some(Substatus::Submitted));
}

/// The failure that a result leads to, in a validated ledger.
fn charged(result: &str) -> Failure {
    let found = Event::Journal(Finding::Found {
        hash: HASH,
        result: result.into(),
        ledger_index: LedgerIndex(12),
        ledger_hash: LedgerHash([2; 32]),
        delivered: None,
        servers: vec!["a".into(), "b".into()],
    });
    let decided = decide(&signed(), found, NOW).unwrap().expect("it ends");
    match decided.payment.state {
        State::Failed { failure, .. } => failure,
        other => panic!("{result} led to {other:?}"),
    }
}

#[test]
fn a_failure_is_told_in_the_words_of_the_api() {
    for (result, code) in [
        ("tecNO_DST", "destination_not_funded"),
        ("tecNO_DST_INSUF_XRP", "destination_not_funded"),
        ("tecDST_TAG_NEEDED", "destination_tag_required"),
        ("tecNO_PERMISSION", "destination_requires_authorization"),
        ("tecPATH_DRY", "ledger_refused"),
    ] {
        let failure = charged(result);
        assert_eq!(
            (failure.code.as_str(), failure.ledger_code.as_str()),
            (code, result)
        );
        assert!(failure.fee_charged, "{result}");
    }
    let refused = after(&[engine("temBAD_AMOUNT")]);
    let absent = Event::Journal(Finding::Absent {
        hash: HASH,
        proof: Absence {
            from: LedgerIndex(11),
            to: LedgerIndex(31),
            to_hash: LedgerHash([3; 32]),
            servers: vec!["a".into(), "b".into()],
            reason: super::super::event::AbsenceReason::SlotFree {
                at: LedgerIndex(31),
                account_sequence: 5,
            },
        },
    });
    let ended = decide(&refused, absent, NOW).unwrap().expect("it ends");
    let State::Failed { failure, .. } = ended.payment.state else {
        panic!("{:?}", ended.payment.state);
    };
    assert_eq!(
        (
            failure.code.as_str(),
            failure.ledger_code.as_str(),
            failure.fee_charged
        ),
        ("transaction_malformed", "temBAD_AMOUNT", false)
    );
    assert_eq!(refused.attempts[0].slot, Slot::Sequence(5));
}
