use super::super::event::AbsenceReason;
use super::super::state::{Order, Slot, Status, Substatus};
use super::*;
use crate::address::AccountId;
use crate::ids::{LedgerHash, LedgerIndex, PaymentId};
use proptest::prelude::*;

const NOW: UnixMs = UnixMs(1_000);

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn hash(n: u8) -> TxHash {
    TxHash([n; 32])
}

pub(in super::super) fn queued() -> Payment {
    Payment {
        id: PaymentId(7),
        version: 1,
        client: "shop".into(),
        wallet: "hot".into(),
        order: Order {
            destination: AccountId([9; 20]),
            destination_tag: None,
            amount: drops(25_000_000),
            source_tag: None,
            invoice_id: None,
            memos: Vec::new(),
            max_fee: None,
            reference: None,
            metadata: Default::default(),
            expires_at: Some(UnixMs(5_000)),
            idempotency_key: "k".into(),
            payback: None,
        },
        stage: "internal".into(),
        state: State::Queued { hold: None },
        approval: None,
        attempts: Vec::new(),
        created_at: UnixMs(0),
        updated_at: UnixMs(0),
    }
}

pub(in super::super) fn attempt(n: u8, sequence: u32, fee: u64) -> NewAttempt {
    NewAttempt {
        hash: hash(n),
        slot: Slot::Sequence(sequence),
        fee: drops(fee),
        first_ledger: LedgerIndex(11),
        last_ledger: LedgerIndex(30),
        signed_at: NOW,
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

fn found_event(n: u8, result: &str, delivered: Option<u64>) -> Event {
    Event::Journal(Finding::Found {
        hash: hash(n),
        result: result.into(),
        ledger_index: LedgerIndex(12),
        ledger_hash: LedgerHash([2; 32]),
        delivered: delivered.map(drops),
        servers: vec!["a".into(), "b".into()],
    })
}

fn absent_event(n: u8) -> Event {
    let (hash, proof) = (hash(n), absence());
    Event::Journal(Finding::Absent { hash, proof })
}

fn engine(n: u8, result: &str) -> Event {
    Event::Answered {
        hash: hash(n),
        answer: Answer::Engine(result.into()),
    }
}

fn lost(n: u8) -> Event {
    let (hash, answer) = (hash(n), Answer::Lost);
    Event::Answered { hash, answer }
}

fn step(payment: &Payment, event: Event) -> Decision {
    decide(payment, event, NOW)
        .unwrap()
        .expect("the event changes the payment")
}

fn run(events: impl IntoIterator<Item = Event>) -> Payment {
    events
        .into_iter()
        .fold(queued(), |payment, event| step(&payment, event).payment)
}

fn signed() -> Payment {
    run([Event::Sign(attempt(1, 5, 10))])
}

#[test]
fn signing_makes_an_attempt_and_asks_for_its_submission() {
    let decision = step(&queued(), Event::Sign(attempt(1, 5, 10)));
    assert_eq!(decision.effects, [Effect::Submit(hash(1))]);
    assert_eq!(decision.payment.substatus(), Some(Substatus::Signed));
    assert_eq!(decision.payment.version, 2);
    assert_eq!(decision.payment.updated_at, NOW);
}

#[test]
fn a_hold_comes_and_goes_while_nothing_is_signed() {
    for (hold, word) in [
        (Hold::Paused, Substatus::Paused),
        (Hold::LowBalance, Substatus::LowBalance),
        (Hold::FeeHold, Substatus::FeeHold),
    ] {
        let held = run([Event::Hold(hold)]);
        assert_eq!(held.substatus(), Some(word));
        assert_eq!(
            decide(&held, Event::Hold(hold), NOW),
            Ok(None),
            "told twice"
        );
        assert_eq!(
            step(&held, Event::Release).payment.substatus(),
            Some(Substatus::Queued)
        );
    }
    assert_eq!(decide(&queued(), Event::Release, NOW), Ok(None));
    assert_eq!(
        decide(&signed(), Event::Hold(Hold::Paused), NOW),
        Err(Illegal::AlreadySigned)
    );
}

#[test]
fn no_answer_but_a_malformed_one_ever_ends_an_attempt() {
    for code in codes::TABLE {
        let next = step(&signed(), engine(1, code.name)).payment;
        assert_eq!(next.status(), Status::Processing, "{}", code.name);
        assert_eq!(next.open_attempts().count(), 1, "{}", code.name);
        let refused = matches!(next.attempts[0].state, AttemptState::Refused { .. });
        assert_eq!(refused, code.name.starts_with("tem"), "{}", code.name);
    }
}

#[test]
fn a_malformed_transaction_is_refused_and_fails_only_by_proof() {
    for event in [
        engine(1, "temBAD_FEE"),
        Event::Answered {
            hash: hash(1),
            answer: Answer::Unparsable("invalidTransaction".into()),
        },
    ] {
        let decision = step(&signed(), event);
        assert_eq!(decision.effects, []);
        assert_eq!(decision.payment.status(), Status::Processing);
        let later = decide(&decision.payment, engine(1, "temBAD_SIGNATURE"), NOW);
        assert_eq!(later, Ok(None), "the first refusal is the one that is kept");
        let ended = step(&decision.payment, absent_event(1));
        assert_eq!(
            ended.effects,
            [Effect::Settle {
                delivered: Drops::ZERO
            }]
        );
        assert!(matches!(
            &ended.payment.state,
            State::Failed { failure, .. } if !failure.fee_charged && failure.code == "transaction_malformed"
        ));
    }
}

#[test]
fn a_refusal_after_a_server_took_it_changes_nothing() {
    let taken = run([Event::Sign(attempt(1, 5, 10)), engine(1, "tesSUCCESS")]);
    assert_eq!(decide(&taken, engine(1, "temBAD_SIGNATURE"), NOW), Ok(None));
    let hash = hash(1);
    let unparsable = Answer::Unparsable("invalidTransaction".into());
    let verdict = decide(
        &taken,
        Event::Answered {
            hash,
            answer: unparsable,
        },
        NOW,
    );
    assert_eq!(verdict, Ok(None));
}

#[test]
fn a_fault_of_our_own_halts_the_wallet_and_fails_nothing() {
    for result in [
        "tefBAD_AUTH",
        "tefMASTER_DISABLED",
        "terNO_ACCOUNT",
        "telWRONG_NETWORK",
    ] {
        let decision = step(&signed(), engine(1, result));
        assert!(
            matches!(decision.effects[..], [Effect::HaltWallet { .. }]),
            "{result}"
        );
        assert_eq!(decision.payment.status(), Status::Processing, "{result}");
    }
}

#[test]
fn a_lost_answer_is_an_unknown_outcome() {
    let unknown = run([Event::Sign(attempt(1, 5, 10)), lost(1)]);
    assert_eq!(unknown.substatus(), Some(Substatus::OutcomeUnknown));
    let heard = step(&unknown, engine(1, "tefPAST_SEQ")).payment;
    assert_eq!(heard.substatus(), Some(Substatus::Submitted));
    assert_eq!(
        decide(&heard, lost(1), NOW),
        Ok(None),
        "another server already has it"
    );
}

#[test]
fn an_overdue_attempt_is_an_unknown_outcome_until_the_proof() {
    let submitted = run([Event::Sign(attempt(1, 5, 10)), engine(1, "tesSUCCESS")]);
    let overdue = step(&submitted, Event::Overdue { hash: hash(1) }).payment;
    assert_eq!(overdue.substatus(), Some(Substatus::OutcomeUnknown));
    assert_eq!(
        decide(&overdue, Event::Overdue { hash: hash(1) }, NOW),
        Ok(None)
    );
    let paid = step(&overdue, found_event(1, "tesSUCCESS", Some(25_000_000))).payment;
    assert_eq!(paid.status(), Status::Succeeded);
}

#[test]
fn a_validated_success_settles_by_what_was_delivered() {
    let decision = step(&signed(), found_event(1, "tesSUCCESS", Some(24_999_999)));
    assert_eq!(
        decision.effects,
        [Effect::Settle {
            delivered: drops(24_999_999)
        }]
    );
    assert!(matches!(
        decision.payment.state,
        State::Succeeded { delivered, tx_hash, .. } if delivered == drops(24_999_999) && tx_hash == hash(1)
    ));
    let again = decide(
        &decision.payment,
        found_event(1, "tesSUCCESS", Some(24_999_999)),
        NOW,
    );
    assert_eq!(again, Ok(None), "a page that is read twice");
}

#[test]
fn a_success_without_a_delivered_amount_is_never_believed() {
    let verdict = decide(&signed(), found_event(1, "tesSUCCESS", None), NOW);
    assert!(matches!(verdict, Err(Illegal::Contradiction(_))));
}

#[test]
fn every_validated_code_leads_to_its_outcome() {
    for code in codes::TABLE {
        let outcome = decide(&signed(), found_event(1, code.name, Some(25_000_000)), NOW);
        match code.on_validated {
            OnValidated::Impossible => {
                assert!(
                    matches!(outcome, Err(Illegal::Contradiction(_))),
                    "{}",
                    code.name
                );
            }
            OnValidated::Delivered => {
                assert_eq!(
                    outcome.unwrap().unwrap().payment.status(),
                    Status::Succeeded
                );
            }
            OnValidated::Failed | OnValidated::ServerFault => {
                let next = outcome.unwrap().unwrap().payment;
                assert!(
                    matches!(&next.state, State::Failed { failure, .. }
                        if failure.fee_charged && failure.ledger_code == code.name),
                    "{}",
                    code.name
                );
            }
            OnValidated::OwnShortage => {
                let next = outcome.unwrap().unwrap().payment;
                assert_eq!(
                    next.substatus(),
                    Some(Substatus::LowBalance),
                    "{}",
                    code.name
                );
            }
        }
    }
}

#[test]
fn after_our_own_shortage_a_new_sequence_may_be_taken() {
    let short = run([
        Event::Sign(attempt(1, 5, 10)),
        found_event(1, "tecUNFUNDED_PAYMENT", None),
    ]);
    let again = step(&short, Event::Sign(attempt(2, 9, 10))).payment;
    let paid = step(&again, found_event(2, "tesSUCCESS", Some(25_000_000))).payment;
    assert_eq!(paid.status(), Status::Succeeded);
}

#[test]
fn a_second_attempt_takes_another_slot_only_after_the_proof() {
    let second = Event::Sign(attempt(2, 6, 10));
    for events in [
        vec![],
        vec![engine(1, "tefPAST_SEQ")],
        vec![lost(1)],
        vec![engine(1, "temBAD_FEE")],
    ] {
        let open = run([Event::Sign(attempt(1, 5, 10))].into_iter().chain(events));
        assert_eq!(
            decide(&open, second.clone(), NOW),
            Err(Illegal::EarlierAttemptOpen)
        );
    }
    let dead = run([Event::Sign(attempt(1, 5, 10)), absent_event(1)]);
    assert_eq!(dead.substatus(), Some(Substatus::Queued));
    assert_eq!(
        step(&dead, second).payment.substatus(),
        Some(Substatus::Signed)
    );
}

#[test]
fn a_replacement_shares_the_slot_and_raises_the_fee_by_more_than_a_quarter() {
    let open = run([Event::Sign(attempt(1, 5, 20))]);
    let replace = |fee| decide(&open, Event::Sign(attempt(2, 5, fee)), NOW);
    assert_eq!(replace(25), Err(Illegal::FeeNotRaised));
    let both = replace(26).unwrap().unwrap().payment;
    let one_dead = step(&both, absent_event(1)).payment;
    assert_eq!(
        one_dead.substatus(),
        Some(Substatus::Signed),
        "the other may still be applied"
    );
    let paid = step(&one_dead, found_event(2, "tesSUCCESS", Some(25_000_000))).payment;
    assert_eq!(paid.status(), Status::Succeeded);
}

#[test]
fn the_winner_of_a_slot_settles_the_payment_and_its_rival_dies_by_proof() {
    let both = run([
        Event::Sign(attempt(1, 5, 20)),
        Event::Sign(attempt(2, 5, 30)),
    ]);
    let paid = step(&both, found_event(1, "tesSUCCESS", Some(25_000_000)));
    assert_eq!(paid.payment.status(), Status::Succeeded);
    let settled = step(&paid.payment, absent_event(2));
    assert_eq!(settled.payment.state, paid.payment.state);
    assert!(settled.effects.is_empty(), "limits are settled once");
    let twice = decide(
        &paid.payment,
        found_event(2, "tesSUCCESS", Some(25_000_000)),
        NOW,
    );
    assert!(matches!(twice, Err(Illegal::Contradiction(_))));
}

#[test]
fn a_journal_that_contradicts_a_proof_is_never_followed() {
    let dead = run([Event::Sign(attempt(1, 5, 10)), absent_event(1)]);
    let risen = decide(&dead, found_event(1, "tesSUCCESS", Some(25_000_000)), NOW);
    assert!(matches!(risen, Err(Illegal::Contradiction(_))));
    let paid = step(&signed(), found_event(1, "tesSUCCESS", Some(25_000_000))).payment;
    assert!(matches!(
        decide(&paid, absent_event(1), NOW),
        Err(Illegal::Contradiction(_))
    ));
    let other = decide(&paid, found_event(1, "tecNO_DST", None), NOW);
    assert!(matches!(other, Err(Illegal::Contradiction(_))));
    assert_eq!(
        decide(&dead, found_event(9, "tesSUCCESS", Some(1)), NOW),
        Err(Illegal::NoSuchAttempt)
    );
}

#[test]
fn a_payment_is_called_off_only_while_nothing_can_be_delivered() {
    let decision = step(&queued(), Event::Cancel);
    assert_eq!(decision.payment.status(), Status::Cancelled);
    assert_eq!(
        decision.effects,
        [Effect::Settle {
            delivered: Drops::ZERO
        }]
    );
    assert_eq!(
        decide(&signed(), Event::Cancel, NOW),
        Err(Illegal::AlreadySigned)
    );
    let dead = run([Event::Sign(attempt(1, 5, 10)), absent_event(1)]);
    let cancelled = step(&dead, Event::Cancel).payment;
    assert_eq!(cancelled.proof(), Some(&Proof::Absent(absence())));
    let twice = decide(&cancelled, Event::Cancel, NOW);
    assert_eq!(twice, Err(Illegal::AlreadyFinal("cancelled")));
}

#[test]
fn expiry_is_by_proof_once_something_is_signed() {
    let late = UnixMs(5_000);
    assert_eq!(
        decide(&queued(), Event::Expire, NOW),
        Err(Illegal::NotExpired)
    );
    let expired = decide(&queued(), Event::Expire, late).unwrap().unwrap();
    assert_eq!(expired.payment.state, State::Expired { proof: None });
    assert_eq!(
        decide(&signed(), Event::Expire, late),
        Err(Illegal::AlreadySigned)
    );
    assert_eq!(
        decide(&queued(), Event::Sign(attempt(1, 5, 10)), late),
        Err(Illegal::PastExpiry)
    );
    let after = |payment: &Payment, event| decide(payment, event, late).unwrap().unwrap().payment;
    let dead = after(&signed(), absent_event(1));
    // It is looked up first.
    assert_eq!(dead.state, State::Queued { hold: None });
    assert_eq!(
        after(&dead, Event::Expire).state,
        State::Expired {
            proof: Some(Proof::Absent(absence()))
        }
    );
}

pub(in super::super) fn any_event() -> impl Strategy<Value = Event> {
    let n = 1_u8..4;
    let code = (0..codes::TABLE.len()).prop_map(|i| codes::TABLE[i].name);
    prop_oneof![
        4 => (n.clone(), 5_u32..7, 10_u64..60).prop_map(|(n, s, fee)| Event::Sign(attempt(n, s, fee))),
        1 => Just(Event::Hold(Hold::LowBalance)),
        1 => Just(Event::Release),
        3 => (n.clone(), code.clone()).prop_map(|(n, code)| engine(n, code)),
        1 => n.clone().prop_map(lost),
        1 => n.clone().prop_map(|n| Event::Overdue { hash: hash(n) }),
        2 => (n.clone(), prop_oneof![Just("tesSUCCESS"), Just("tecNO_DST"), Just("tecUNFUNDED_PAYMENT")])
            .prop_map(|(n, result)| found_event(n, result, Some(25_000_000))),
        2 => n.prop_map(absent_event),
        1 => Just(Event::Cancel),
        1 => Just(Event::Expire),
        1 => super::super::adopt::tests::any_adoption(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// `decide` checks the step's invariants itself and would stop the process; this drives it
    /// through whatever a ledger, a server and a client can say, in any order.
    #[test]
    fn no_order_of_events_breaks_an_invariant(
        events in proptest::collection::vec((any_event(), 0_i64..8_000), 0..40)
    ) {
        let mut payment = queued();
        let mut settled = 0;
        for (event, at) in events {
            // A hash is signed once: the ledger's hashes do not repeat.
            if let Event::Sign(new) = &event && payment.attempt(new.hash).is_some() {
                continue;
            }
            if let Ok(Some(decision)) = decide(&payment, event, UnixMs(at)) {
                settled += decision
                    .effects
                    .iter()
                    .filter(|effect| matches!(effect, Effect::Settle { .. }))
                    .count();
                payment = decision.payment;
            }
            prop_assert_eq!(invariants::check(&payment), Ok(()));
            prop_assert_eq!(settled, usize::from(payment.status().is_final()), "limits settle once");
        }
    }
}
