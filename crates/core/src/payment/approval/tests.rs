use super::super::decide::tests::{any_event, attempt, queued};
use super::super::event::Event;
use super::super::{Hold, Status, decide, invariants};
use super::*;
use proptest::prelude::*;

const NOW: UnixMs = UnixMs(1_000);
/// Before the payment's own expiry, which is at 5,000.
const DEADLINE: UnixMs = UnixMs(3_000);

fn waiting() -> Payment {
    Payment {
        state: State::AwaitingApproval,
        approval: Some(Approval {
            asked_by: "merchant".into(),
            expires_at: DEADLINE,
            verdict: None,
        }),
        ..queued()
    }
}

fn ballot(by: &str, version: u32) -> Ballot {
    let by = by.into();
    Ballot { by, version }
}

fn approve(by: &str, version: u32) -> Event {
    Event::Approve(ballot(by, version))
}

fn reject(by: &str, version: u32) -> Event {
    Event::Reject {
        ballot: ballot(by, version),
        reason: Some("not ours".into()),
    }
}

fn step(payment: &Payment, event: Event) -> Decision {
    decide(payment, event, NOW)
        .unwrap()
        .expect("the event changes the payment")
}

#[test]
fn the_threshold_itself_waits_and_a_drop_less_does_not() {
    let rule = ApprovalRule {
        threshold: Drops::new(1_000).unwrap(),
        expires_in_ms: 500,
    };
    let begin = |drops, rule, expires_at| {
        beginning(
            rule,
            Drops::new(drops).unwrap(),
            expires_at,
            "merchant",
            NOW,
        )
    };
    let at_once = (State::Queued { hold: None }, None);
    assert_eq!(begin(999, Some(rule), None), at_once);
    assert_eq!(begin(u64::from(u32::MAX), None, None), at_once);
    for (expires_at, until) in [(None, 1_500), (Some(9_000), 1_500), (Some(1_200), 1_200)] {
        let (state, approval) = begin(1_000, Some(rule), expires_at.map(UnixMs));
        let approval = approval.unwrap();
        assert_eq!(state, State::AwaitingApproval);
        assert_eq!(approval.expires_at, UnixMs(until));
        assert_eq!(
            (approval.asked_by.as_str(), approval.verdict),
            ("merchant", None)
        );
    }
}

#[test]
fn nothing_is_signed_or_held_before_the_approval_and_all_is_as_ever_after_it() {
    let before = waiting();
    assert_eq!(before.status(), Status::AwaitingApproval);
    assert_eq!((before.substatus(), before.proof()), (None, None));
    for event in [
        Event::Sign(attempt(1, 5, 10)),
        Event::Hold(Hold::Paused),
        Event::Release,
    ] {
        assert_eq!(decide(&before, event, NOW), Err(Illegal::AwaitsApproval));
    }
    let approved = step(&before, approve("boss", 1));
    assert!(approved.effects.is_empty(), "its reservation stands");
    let approved = approved.payment;
    assert_eq!(approved.state, State::Queued { hold: None });
    assert_eq!(approved.version, 2);
    let verdict = approved.approval.as_ref().unwrap().verdict.clone();
    let by = "boss".into();
    assert_eq!(verdict, Some(Verdict::Approved { by, at: NOW }));
    let signed = step(&approved, Event::Sign(attempt(1, 5, 10))).payment;
    assert_eq!(signed.approval, approved.approval);
}

#[test]
fn a_rejection_ends_it_and_releases_what_it_reserved() {
    let decision = step(&waiting(), reject("boss", 1));
    let delivered = Drops::ZERO;
    assert_eq!(decision.effects, [Effect::Settle { delivered }]);
    let rejected = decision.payment;
    assert_eq!(rejected.status(), Status::Rejected);
    assert!(rejected.status().is_final());
    for event in [
        approve("boss", 2),
        reject("boss", 2),
        Event::Cancel,
        Event::Expire,
        Event::Sign(attempt(1, 5, 10)),
        Event::Hold(Hold::Paused),
    ] {
        let verdict = decide(&rejected, event, UnixMs(9_000));
        assert_eq!(verdict, Err(Illegal::AlreadyFinal("rejected")));
    }
}

#[test]
fn who_may_rule_on_what() {
    for (event, why) in [
        (approve("merchant", 1), Illegal::OwnPayment),
        (reject("merchant", 1), Illegal::OwnPayment),
        (approve("boss", 2), Illegal::StaleVersion { current: 1 }),
        (reject("boss", 0), Illegal::StaleVersion { current: 1 }),
    ] {
        assert_eq!(decide(&waiting(), event, NOW), Err(why));
    }
    let approved = step(&waiting(), approve("boss", 1)).payment;
    for payment in [&approved, &queued()] {
        for event in [
            approve("boss", payment.version),
            reject("boss", payment.version),
            approve("chief", 1),
        ] {
            assert_eq!(decide(payment, event, NOW), Err(Illegal::NotAwaiting));
        }
    }
}

#[test]
fn the_same_word_of_the_same_person_once_more_changes_nothing() {
    let approved = step(&waiting(), approve("boss", 1)).payment;
    let signed = step(&approved, Event::Sign(attempt(1, 5, 10))).payment;
    for payment in [&approved, &signed] {
        assert_eq!(decide(payment, approve("boss", 1), NOW), Ok(None));
        assert!(decide(payment, reject("boss", 1), NOW).is_err());
    }
    let rejected = step(&waiting(), reject("boss", 1)).payment;
    assert_eq!(decide(&rejected, reject("boss", 1), NOW), Ok(None));
    for event in [approve("boss", 1), reject("chief", 1)] {
        let verdict = decide(&rejected, event, NOW);
        assert_eq!(verdict, Err(Illegal::AlreadyFinal("rejected")));
    }
}

#[test]
fn it_expires_by_the_time_for_the_approval_or_its_own_whichever_is_first() {
    let just_before = UnixMs(DEADLINE.0 - 1);
    let early = decide(&waiting(), Event::Expire, just_before);
    assert_eq!(early, Err(Illegal::NotExpired));
    assert!(decide(&waiting(), approve("boss", 1), just_before).is_ok());
    let late = decide(&waiting(), approve("boss", 1), DEADLINE);
    assert_eq!(late, Err(Illegal::PastExpiry));
    let expired = decide(&waiting(), Event::Expire, DEADLINE)
        .unwrap()
        .unwrap();
    assert_eq!(expired.payment.state, State::Expired { proof: None });
    let delivered = Drops::ZERO;
    assert_eq!(expired.effects, [Effect::Settle { delivered }]);

    // Once it is approved, only its own expiry counts.
    let approved = step(&waiting(), approve("boss", 1)).payment;
    assert!(!approved.is_past_expiry(DEADLINE));
    assert!(approved.is_past_expiry(UnixMs(5_000)));
}

#[test]
fn it_is_called_off_while_it_waits() {
    let decision = step(&waiting(), Event::Cancel);
    assert_eq!(decision.payment.state, State::Cancelled { proof: None });
    let delivered = Drops::ZERO;
    assert_eq!(decision.effects, [Effect::Settle { delivered }]);
}

#[test]
fn a_state_that_contradicts_its_approval_is_found_out() {
    let with = |state: State, verdict: Option<Verdict>| {
        let mut payment = waiting();
        payment.state = state;
        payment.approval.as_mut().unwrap().verdict = verdict;
        payment
    };
    let approved = |by: &str| {
        let by = by.into();
        Some(Verdict::Approved { by, at: NOW })
    };
    let rejected = Some(Verdict::Rejected {
        by: "boss".into(),
        at: NOW,
        reason: None,
    });
    let queue = State::Queued { hold: None };
    for wrong in [
        with(queue.clone(), None),
        with(queue.clone(), rejected.clone()),
        with(queue.clone(), approved("merchant")),
        with(State::AwaitingApproval, approved("boss")),
        with(State::Rejected, None),
        with(State::Rejected, approved("boss")),
        with(State::Cancelled { proof: None }, rejected.clone()),
        Payment {
            approval: None,
            ..waiting()
        },
        Payment {
            attempts: signed_attempts(),
            ..waiting()
        },
        Payment {
            attempts: signed_attempts(),
            ..with(State::Rejected, rejected.clone())
        },
    ] {
        assert!(invariants::check(&wrong).is_err(), "{wrong:?}");
    }
    let mut later = with(queue, approved("boss"));
    later.version = 2;
    assert_eq!(invariants::check_step(&waiting(), &later), Ok(()));
    let mut other = later.clone();
    other.approval.as_mut().unwrap().asked_by = "another".into();
    assert!(invariants::check_step(&waiting(), &other).is_err());
    let mut again = with(State::Queued { hold: None }, approved("chief"));
    again.version = 3;
    assert!(invariants::check_step(&later, &again).is_err());
}

fn signed_attempts() -> Vec<super::super::Attempt> {
    step(&queued(), Event::Sign(attempt(1, 5, 10)))
        .payment
        .attempts
}

fn any_ruling() -> impl Strategy<Value = Event> {
    let who = prop_oneof![Just("merchant"), Just("boss"), Just("chief")];
    (who, 1_u32..4, any::<bool>()).prop_map(|(by, version, allowed)| {
        if allowed {
            approve(by, version)
        } else {
            reject(by, version)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever people, the clock and the ledger do in whatever order: nothing is signed without
    /// another's word, at most one word counts, and the limits are settled once.
    #[test]
    fn nothing_is_ever_signed_without_another_key_s_approval(
        events in proptest::collection::vec((prop_oneof![any_ruling(), any_event()], 0_i64..4_000), 0..40)
    ) {
        let mut payment = waiting();
        let (mut settled, mut rulings) = (0, 0);
        for (event, at) in events {
            if let Event::Sign(new) = &event && payment.attempt(new.hash).is_some() {
                continue;
            }
            let rules = matches!(event, Event::Approve(_) | Event::Reject { .. });
            if let Ok(Some(decision)) = decide(&payment, event, UnixMs(at)) {
                rulings += usize::from(rules);
                settled += decision
                    .effects
                    .iter()
                    .filter(|effect| matches!(effect, Effect::Settle { .. }))
                    .count();
                payment = decision.payment;
            }
            let verdict = payment.approval.as_ref().unwrap().verdict.clone();
            let approved = matches!(&verdict, Some(Verdict::Approved { by, .. }) if by != "merchant");
            // What the ledger was found to hold was signed in another life.
            let remembered = matches!(&verdict, Some(Verdict::Remembered { .. }));
            prop_assert!(approved || remembered || payment.attempts.is_empty());
            prop_assert!(!remembered || payment.status().is_final());
            prop_assert_eq!(rulings, usize::from(verdict.is_some() && !remembered));
            prop_assert_eq!(settled, usize::from(payment.status().is_final()));
            prop_assert_eq!(invariants::check(&payment), Ok(()));
        }
    }
}
