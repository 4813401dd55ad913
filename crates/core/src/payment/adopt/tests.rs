use super::super::approval::{Approval, Ballot, Verdict};
use super::super::decide::tests::{attempt, queued};
use super::super::{Effect, Event, Slot, Status, decide, invariants};
use super::*;
use crate::ids::{LedgerHash, LedgerIndex, TxHash};
use crate::money::Drops;
use proptest::prelude::*;

const NOW: UnixMs = UnixMs(1_000);

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn adoption(wallet: &str, result: &str) -> Adoption {
    Adoption {
        wallet: wallet.into(),
        hash: TxHash([77; 32]),
        slot: Slot::Sequence(3),
        fee: drops(12),
        result: result.into(),
        ledger_index: LedgerIndex(4),
        ledger_hash: LedgerHash([4; 32]),
        delivered: (result == "tesSUCCESS").then(|| drops(25_000_000)),
        servers: vec!["a".into(), "b".into()],
    }
}

fn waiting() -> Payment {
    Payment {
        state: State::AwaitingApproval,
        approval: Some(Approval {
            asked_by: "merchant".into(),
            expires_at: UnixMs(3_000),
            verdict: None,
        }),
        ..queued()
    }
}

pub(in super::super) fn any_adoption() -> impl Strategy<Value = Event> {
    let result = prop_oneof![
        Just("tesSUCCESS"),
        Just("tecNO_DST"),
        Just("tecUNFUNDED_PAYMENT")
    ];
    (prop_oneof![Just("hot"), Just("other")], result)
        .prop_map(|(wallet, result)| Event::Adopt(adoption(wallet, result)))
}

#[test]
fn what_the_ledger_holds_ends_a_payment_that_is_queued_and_one_that_waits_for_an_approval() {
    for before in [queued(), waiting()] {
        // Time and people have no say in it: the money has moved.
        let late = UnixMs(9_000);
        let event = Event::Adopt(adoption("hot", "tesSUCCESS"));
        let decision = decide(&before, event.clone(), late).unwrap().unwrap();
        let delivered = drops(25_000_000);
        assert_eq!(decision.effects, [Effect::Settle { delivered }]);
        let paid = decision.payment;
        assert_eq!(paid.status(), Status::Succeeded);
        assert_eq!(paid.attempts.len(), 1);
        assert_eq!(paid.validated_attempt().map(|a| a.fee), Some(drops(12)));
        assert!(matches!(
            paid.proof(),
            Some(Proof::Validated { servers, .. }) if servers.len() == 2
        ));
        let verdict = paid.approval.as_ref().map(|a| a.verdict.clone());
        let remembered = Some(Verdict::Remembered { at: late });
        assert_eq!(verdict, before.approval.as_ref().map(|_| remembered));
        assert_eq!(decide(&paid, event, late), Ok(None), "seen twice");
        assert_eq!(
            decide(&paid, Event::Cancel, late),
            Err(Illegal::AlreadyFinal("succeeded"))
        );
    }
}

#[test]
fn an_approval_that_was_given_in_this_life_stays_as_it_was_given() {
    let (by, version) = ("boss".to_owned(), 1);
    let approve = Event::Approve(Ballot { by, version });
    let approved = decide(&waiting(), approve, NOW).unwrap().unwrap().payment;
    let event = Event::Adopt(adoption("hot", "tesSUCCESS"));
    let paid = decide(&approved, event, NOW).unwrap().unwrap().payment;
    assert_eq!(paid.approval, approved.approval);
}

#[test]
fn the_books_of_the_wallet_that_paid_take_the_payment() {
    let event = Event::Adopt(adoption("other", "tesSUCCESS"));
    let paid = decide(&queued(), event.clone(), NOW)
        .unwrap()
        .unwrap()
        .payment;
    assert_eq!(paid.wallet, "other");

    // Two wallets that paid for one intent would be a contradiction, and stop the wallet.
    let signed = decide(&queued(), Event::Sign(attempt(1, 5, 10)), NOW);
    let mut requeued = signed.unwrap().unwrap().payment;
    assert_eq!(
        decide(&requeued, event.clone(), NOW),
        Err(Illegal::AlreadySigned)
    );
    requeued.state = State::Queued { hold: None };
    requeued.attempts[0].state = AttemptState::Validated {
        result: "tecUNFUNDED_PAYMENT".into(),
        ledger_index: LedgerIndex(12),
    };
    assert!(matches!(
        decide(&requeued, event, NOW),
        Err(Illegal::Contradiction(_))
    ));
}

#[test]
fn a_wallet_never_changes_otherwise() {
    let before = queued();
    for state in [State::Queued { hold: None }, State::InFlight] {
        let after = Payment {
            version: 2,
            wallet: "other".into(),
            state,
            ..before.clone()
        };
        assert!(invariants::check_step(&before, &after).is_err());
    }
}

#[test]
fn a_failure_on_the_ledger_is_the_end_and_a_shortage_is_not() {
    for before in [queued(), waiting()] {
        let event = Event::Adopt(adoption("hot", "tecNO_DST"));
        let failed = decide(&before, event, NOW).unwrap().unwrap();
        assert_eq!(failed.payment.status(), Status::Failed);
        let delivered = Drops::ZERO;
        assert_eq!(failed.effects, [Effect::Settle { delivered }]);
        let event = Event::Adopt(adoption("hot", "tecUNFUNDED_PAYMENT"));
        assert_eq!(decide(&before, event, NOW), Ok(None));
    }
}
