use super::super::decide::tests::{attempt, queued};
use super::super::event::{Absence, AbsenceReason, Event, Finding};
use super::super::{decide, invariants};
use super::*;
use crate::ids::{LedgerHash, LedgerIndex, TxHash, UnixMs};
use crate::preflight::{Obstacle, Reading};

const NOW: UnixMs = UnixMs(1_000);

fn refusal() -> Refusal {
    Refusal {
        obstacle: Obstacle::TagMissing,
        reading: Reading {
            ledger_index: LedgerIndex(40),
            ledger_hash: LedgerHash([4; 32]),
            servers: vec!["one".into(), "two".into()],
        },
    }
}

fn after(payment: &Payment, event: Event) -> Payment {
    decide(payment, event, NOW).unwrap().unwrap().payment
}

fn found(result: &str) -> Event {
    Event::Journal(Finding::Found {
        hash: TxHash([1; 32]),
        result: result.into(),
        ledger_index: LedgerIndex(12),
        ledger_hash: LedgerHash([2; 32]),
        delivered: (result == "tesSUCCESS").then(|| Drops::new(25_000_000).unwrap()),
        servers: vec!["one".into(), "two".into()],
    })
}

fn absent() -> Event {
    Event::Journal(Finding::Absent {
        hash: TxHash([1; 32]),
        proof: Absence {
            from: LedgerIndex(11),
            to: LedgerIndex(31),
            to_hash: LedgerHash([3; 32]),
            servers: vec!["one".into(), "two".into()],
            reason: AbsenceReason::SlotFree {
                at: LedgerIndex(31),
                account_sequence: 5,
            },
        },
    })
}

#[test]
fn a_queued_payment_is_refused_without_a_fee_and_keeps_where_that_was_read() {
    let decision = decide(&queued(), Event::Refuse(refusal()), NOW)
        .unwrap()
        .unwrap();
    let State::Failed { failure, proof } = &decision.payment.state else {
        panic!("{:?}", decision.payment.state);
    };
    assert_eq!(failure.code, "destination_tag_required");
    assert_eq!(failure.ledger_code, "tecDST_TAG_NEEDED");
    assert!(!failure.fee_charged);
    assert_eq!(proof, &Proof::Preflight(refusal()));
    let nothing = Effect::Settle {
        delivered: Drops::ZERO,
    };
    assert_eq!(decision.effects, [nothing]);
}

#[test]
fn what_is_signed_waits_or_is_over_is_not_refused() {
    let signed = after(&queued(), Event::Sign(attempt(1, 5, 10)));
    assert_eq!(
        decide(&signed, Event::Refuse(refusal()), NOW),
        Err(Illegal::AlreadySigned)
    );
    let waits = Payment {
        state: State::AwaitingApproval,
        ..queued()
    };
    assert_eq!(
        decide(&waits, Event::Refuse(refusal()), NOW),
        Err(Illegal::AwaitsApproval)
    );
    for end in [
        after(&queued(), Event::Cancel),
        after(&queued(), Event::Refuse(refusal())),
        after(&signed, found("tesSUCCESS")),
        after(&signed, found("tecNO_DST")),
    ] {
        let again = decide(&end, Event::Refuse(refusal()), NOW);
        assert_eq!(again, Err(Illegal::AlreadyFinal(end.status().as_str())));
    }
}

#[test]
fn it_is_refused_once_every_attempt_is_proven_dead_and_says_what_was_charged() {
    let signed = after(&queued(), Event::Sign(attempt(1, 5, 10)));
    for (event, charged) in [(absent(), false), (found("tecUNFUNDED_PAYMENT"), true)] {
        let requeued = after(&signed, event);
        assert!(matches!(requeued.state, State::Queued { .. }));
        let refused = after(&requeued, Event::Refuse(refusal()));
        let State::Failed { failure, .. } = &refused.state else {
            panic!("{:?}", refused.state);
        };
        assert_eq!(failure.fee_charged, charged);
        assert_eq!(refused.attempts, requeued.attempts);
    }
}

#[test]
fn a_refusal_that_breaks_a_rule_is_caught_by_the_invariants() {
    let good = after(&queued(), Event::Refuse(refusal()));
    assert_eq!(invariants::check(&good), Ok(()));
    let mut open = good.clone();
    open.attempts = after(&queued(), Event::Sign(attempt(1, 5, 10))).attempts;
    assert_eq!(
        invariants::check(&open),
        Err("refused before signing with an attempt that could still be applied")
    );
    let change = |change: fn(&mut Refusal)| {
        let mut bad = good.clone();
        if let State::Failed {
            proof: Proof::Preflight(refusal),
            ..
        } = &mut bad.state
        {
            change(refusal);
        }
        bad
    };
    assert_eq!(
        invariants::check(&change(|refusal| refusal.reading.servers.clear())),
        Err("refused before signing on nobody's word")
    );
    let mut charged = good.clone();
    if let State::Failed { failure, .. } = &mut charged.state {
        failure.fee_charged = true;
    }
    assert_eq!(
        invariants::check(&charged),
        Err("refused before signing, and wrong about the fee")
    );
    let signed = after(&queued(), Event::Sign(attempt(1, 5, 10)));
    let mut leap = good.clone();
    leap.version = signed.version + 1;
    leap.attempts = after(&signed, absent()).attempts;
    assert_eq!(
        invariants::check_step(&signed, &leap),
        Err("refused before signing while it was not queued")
    );
}

#[test]
fn a_refusal_survives_its_record() {
    let refused = after(&queued(), Event::Refuse(refusal()));
    let text = serde_json::to_string(&refused.state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), refused.state);
    assert!(text.contains(r#""kind":"preflight""#), "{text}");
}
