//! Idempotency, and what happens when many ask at once.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::HashSet;
use xrpayd::store::{AcceptOutcome, RulingOutcome, StoreError};
use xrpayd_core::ids::PaymentId;
use xrpayd_core::payment::{State, Status, Substatus};

fn created(outcome: &AcceptOutcome) -> Option<PaymentId> {
    match outcome {
        AcceptOutcome::Created(payment) => Some(payment.id),
        _ => None,
    }
}

on_both_stores! {
    async fn an_accepted_payment_reads_back_as_it_was_answered(bed) {
        let store = bed.open().await;
        let mut new = request("key", "12.5", T0);
        new.order.reference = Some("order 42".to_owned());
        new.order.expires_at = Some(T0.plus_ms(60_000));
        new.order.max_fee = Some(xrp("0.002"));
        let payment = accepted(&store, new.clone()).await;
        assert_eq!(payment.order, new.order);
        assert_eq!((payment.version, payment.substatus()), (1, Some(Substatus::Queued)));
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()));
        assert_eq!(store.payment(id_at(T0)).await.unwrap(), None);
        let events = store.payment_events(payment.id).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].type_.as_str(), events[0].version, events[0].at), ("payment.processing", 1, T0));
        tells(&events[0].data, &serde_json::json!({
            "object": "payment", "id": payment.id.to_string(), "status": "processing", "substatus": "queued", "by": "maker",
        }));
    }

    async fn the_same_request_again_finds_the_payment_as_it_now_stands(bed) {
        let store = bed.open().await;
        let first = accepted(&store, request("key", "1", T0)).await;
        let moved = committed(&store, signed(&first, 10, T0)).await;
        let again = store.accept(request("key", "1", T0.plus_ms(5))).await.unwrap();
        assert_eq!(again, AcceptOutcome::Replayed(moved));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("1"), 1), "counted once");
    }

    async fn another_request_under_the_same_key_is_refused_and_another_client_has_its_own_keys(bed) {
        let store = bed.open().await;
        accepted(&store, request("key", "1", T0)).await;
        let other = store.accept(request("key", "2", T0)).await.unwrap();
        assert_eq!(other, AcceptOutcome::KeyReused);
        let mut elsewhere = request("key", "2", T0);
        elsewhere.client = "another".to_owned();
        accepted(&store, elsewhere).await;
    }

    async fn a_request_that_is_run_again_under_its_own_id_was_created_not_replayed(bed) {
        let store = bed.open().await;
        let new = request("key", "1", T0);
        let payment = accepted(&store, new.clone()).await;
        // What the writer does when a commit's answer is lost: it runs the batch again.
        assert_eq!(store.accept(new).await.unwrap(), AcceptOutcome::Created(payment));
        assert_eq!(bed.number("select cast(count(*) as bigint) from payments").await, 1);
    }

    async fn a_repeated_request_is_found_however_full_the_day_is(bed) {
        let store = bed.open_with_writer().await;
        let full = |key: &str, amount: &str| {
            let mut new = request(key, amount, T0);
            new.caps.daily = xrp("1");
            new.caps.max_pending = 1;
            new
        };
        let payment = accepted(&store, full("key", "1")).await;
        assert_eq!(store.accept(full("key", "1")).await.unwrap(), AcceptOutcome::Replayed(payment));
        assert_eq!(store.accept(full("key", "0.5")).await.unwrap(), AcceptOutcome::KeyReused);
        let other = store.accept(full("other", "1")).await.unwrap();
        assert!(matches!(other, AcceptOutcome::Refused { .. }), "{other:?}");
    }

    async fn old_and_new_requests_in_one_rush_each_get_their_own_answer(bed) {
        let store = bed.open_with_writer().await;
        let mut known = Vec::new();
        for n in 0..20 {
            known.push(accepted(&store, request(&format!("key {n}"), "1", T0)).await);
        }
        for round in 1..4_i64 {
            let rush: Vec<_> = (0..60)
                .map(|n| {
                    let (store, n) = (store.clone(), if n % 2 == 0 { n / 3 } else { 100 * round + n });
                    tokio::spawn(async move {
                        (n, store.accept(request(&format!("key {n}"), "1", T0)).await.unwrap())
                    })
                })
                .collect();
            for caller in rush {
                match caller.await.unwrap() {
                    (n, AcceptOutcome::Replayed(payment)) => {
                        assert_eq!(payment.id, known[usize::try_from(n).unwrap()].id);
                    }
                    (n, outcome) => assert!(n >= 100 && created(&outcome).is_some(), "{n}: {outcome:?}"),
                }
            }
        }
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("110"), 110));
    }

    async fn of_sixty_four_racers_with_one_key_one_creates_and_the_others_replay(bed) {
        let store = bed.open_with_writer().await;
        let racers: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.accept(request("key", "1", T0)).await.unwrap() })
            })
            .collect();
        let (mut new, mut ids) = (0, HashSet::new());
        for racer in racers {
            match racer.await.unwrap() {
                AcceptOutcome::Created(payment) => {
                    new += 1;
                    ids.insert(payment.id);
                }
                AcceptOutcome::Replayed(payment) => {
                    ids.insert(payment.id);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((new, ids.len()), (1, 1));
        assert_eq!(bed.number("select cast(count(*) as bigint) from payments").await, 1);
        assert_eq!(store.limit_usage(T0).await.unwrap().usage.pending, 1);
    }

    async fn racers_with_one_key_and_two_bodies_never_make_two_payments(bed) {
        let store = bed.open_with_writer().await;
        let racers: Vec<_> = (0..64)
            .map(|n| {
                let store = store.clone();
                let amount = if n % 2 == 0 { "1" } else { "2" };
                tokio::spawn(async move { store.accept(request("key", amount, T0)).await.unwrap() })
            })
            .collect();
        let mut outcomes = Vec::new();
        for racer in racers {
            outcomes.push(racer.await.unwrap());
        }
        assert_eq!(outcomes.iter().filter_map(created).count(), 1);
        let reused = outcomes.iter().filter(|outcome| **outcome == AcceptOutcome::KeyReused).count();
        assert_eq!(reused, 32, "every request of the other body");
    }

    async fn many_requests_at_once_are_each_answered_with_their_own_payment(bed) {
        let store = bed.open_with_writer().await;
        let callers: Vec<_> = (0..700)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let new = request(&format!("key {n}"), "1", T0.plus_ms(n));
                    let id = new.id;
                    assert_eq!(created(&store.accept(new).await.unwrap()), Some(id));
                    id
                })
            })
            .collect();
        for caller in callers {
            let id = caller.await.unwrap();
            assert_eq!(store.payment(id).await.unwrap().unwrap().id, id);
        }
        assert_eq!(bed.number("select cast(count(*) as bigint) from events").await, 700);
        assert_eq!(store.limit_usage(T0).await.unwrap().usage.daily_used, xrp("700"));
    }

    async fn a_text_that_no_database_holds_is_refused_and_hurts_nobody_else(bed) {
        let store = bed.open_with_writer().await;
        let bad = store.accept(request("a\0b", "1", T0)).await;
        assert!(matches!(bad, Err(StoreError::NulInText { field: "idempotency key" })), "{bad:?}");
        accepted(&store, request("good", "1", T0)).await;
    }

    async fn a_cancelled_payment_is_final_and_gives_its_reservation_back(bed) {
        let store = bed.open().await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        assert_eq!(cancel(&store, payment.id, Some("another"), T0).await, RulingOutcome::NotFound);
        assert_eq!(cancel(&store, id_at(T0), None, T0).await, RulingOutcome::NotFound);
        let outcome = cancel(&store, payment.id, Some(CLIENT), T0.plus_ms(9)).await;
        let RulingOutcome::Done(cancelled) = outcome else { panic!("{outcome:?}") };
        assert_eq!((cancelled.status(), cancelled.version), (Status::Cancelled, 2));
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(cancelled));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("0"), 0));
        let again = cancel(&store, payment.id, None, T0).await;
        assert!(matches!(again, RulingOutcome::Illegal { .. }), "{again:?}");
        let types: Vec<_> = store.payment_events(payment.id).await.unwrap().into_iter().map(|e| e.type_).collect();
        assert_eq!(types, ["payment.processing", "payment.cancelled"]);
    }

    async fn what_is_signed_cannot_be_called_off_by_any_racer(bed) {
        let store = anchored(bed).await;
        for n in 0..20_u32 {
            let payment = accepted(&store, request(&format!("key {n}"), "1", T0)).await;
            let (signer, canceller) = (store.clone(), store.clone());
            let commit = commit_of(vec![signed(&payment, 10 + n, T0)], T0);
            let sign = tokio::spawn(async move { signer.commit_held(&commit).await.is_ok() });
            let cancel = tokio::spawn(async move { cancel(&canceller, payment.id, None, T0).await });
            let (was_signed, outcome) = (sign.await.unwrap(), cancel.await.unwrap());
            let now = store.payment(payment.id).await.unwrap().unwrap();
            match outcome {
                RulingOutcome::Done(_) => assert!(!was_signed && now.attempts.is_empty()),
                RulingOutcome::Illegal { .. } => assert!(was_signed && now.state == State::InFlight),
                other => panic!("{other:?}"),
            }
        }
    }
}
