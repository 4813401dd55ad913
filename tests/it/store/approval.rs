//! Payments that wait for a second person's word: reserved, listed, counted, ruled on once, expired.

use super::bed::*;
use std::collections::HashSet;
use xrpayd::store::{AcceptOutcome, NewPayment, Past, PaymentFilter, Person, RulingOutcome, Store};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::payment::{ApprovalRule, Ballot, Event, Illegal, Payment, Status, Substatus};

/// A payment of 5 XRP under a rule that lets less than 5 XRP go at once, for a minute.
fn large(key: &str) -> NewPayment {
    let mut new = request(key, "5", T0);
    new.approval = Some(ApprovalRule {
        threshold: xrp("5"),
        expires_in_ms: 60_000,
    });
    new
}

pub fn approval(by: &str, version: u32) -> Event {
    let by = by.to_owned();
    Event::Approve(Ballot { by, version })
}

pub fn rejection(by: &str, version: u32) -> Event {
    let by = by.to_owned();
    Event::Reject {
        ballot: Ballot { by, version },
        reason: Some("twice the usual".to_owned()),
    }
}

pub async fn rule(store: &Store, id: PaymentId, by: &str, event: Event) -> RulingOutcome {
    let by = Person {
        key: by,
        of: "house",
        client: None,
    };
    let past = Past::Read(&[WALLET]);
    store
        .rule(id, by, event, past, T0.plus_ms(9))
        .await
        .unwrap()
}

fn done(outcome: RulingOutcome) -> Payment {
    match outcome {
        RulingOutcome::Done(payment) => payment,
        other => panic!("not done: {other:?}"),
    }
}

async fn listed(store: &Store, filter: PaymentFilter) -> Vec<PaymentId> {
    let page = first_page(50);
    let found = store.payments(&filter, &page).await.unwrap();
    found.items.iter().map(|payment| payment.id).collect()
}

on_both_stores! {
    async fn a_large_payment_waits_with_its_reservation_and_is_never_in_the_queue(bed) {
        let store = bed.open_with_writer().await;
        let payment = accepted(&store, large("key")).await;
        assert_eq!((payment.status(), payment.substatus()), (Status::AwaitingApproval, None));
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()));
        let again = store.accept(large("key")).await.unwrap();
        assert_eq!(again, AcceptOutcome::Replayed(payment.clone()));
        let mut small = large("small");
        small.order.amount = xrp("4.999999");
        let small = accepted(&store, small).await;
        assert_eq!(small.substatus(), Some(Substatus::Queued));
        let queued = store.queued(WALLET, None, 10).await.unwrap();
        assert_eq!(queued, [small]);
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("9.999999"), 2));
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.by_status[&Status::AwaitingApproval], totals.pending()), (1, 2));
        let events = store.payment_events(payment.id).await.unwrap();
        assert_eq!(events[0].type_, "payment.awaiting_approval");
        tells(&events[0].data, &serde_json::json!({
            "status": "awaiting_approval", "by": "maker", "approve_by": "2027-01-15T08:01:00.000Z",
        }));
    }

    async fn an_approval_puts_it_into_the_queue_and_tells_who_gave_it(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, large("key")).await;
        for (event, by, expected) in [
            (approval("maker", 1), "maker", Illegal::OwnPayment),
            (approval("boss", 2), "boss", Illegal::StaleVersion { current: 1 }),
        ] {
            let before = bed.everything().await;
            let outcome = rule(&store, payment.id, by, event).await;
            let payment = payment.clone();
            assert_eq!(outcome, RulingOutcome::Illegal { payment, why: expected });
            assert_eq!(bed.everything().await, before, "nothing at all is written");
        }
        let approved = done(rule(&store, payment.id, "boss", approval("boss", 1)).await);
        assert_eq!((approved.substatus(), approved.version), (Some(Substatus::Queued), 2));
        assert_eq!(store.queued(WALLET, None, 10).await.unwrap(), std::slice::from_ref(&approved));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("5"), 1));
        let paid = delivered(&store, &approved, 10, T0.plus_ms(20)).await;
        assert_eq!(paid.approval, approved.approval);
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(paid.clone()));
        assert_eq!(store.accept(large("key")).await.unwrap(), AcceptOutcome::Replayed(paid));
        let events = store.payment_events(payment.id).await.unwrap();
        tells(&events[1].data, &serde_json::json!({
            "status": "processing", "substatus": "queued", "by": "boss",
        }));
        assert!(events[2].data.get("by").is_none(), "no person signs");
    }

    async fn a_rejection_ends_it_and_gives_its_reservation_back(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, large("key")).await;
        let rejected = done(rule(&store, payment.id, "boss", rejection("boss", 1)).await);
        assert_eq!(rejected.status(), Status::Rejected);
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(rejected));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("0"), 0));
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.by_status[&Status::Rejected], totals.pending()), (1, 0));
        assert_eq!(store.queued(WALLET, None, 10).await.unwrap(), []);
        let events = store.payment_events(payment.id).await.unwrap();
        assert_eq!(events[1].type_, "payment.rejected");
        tells(&events[1].data, &serde_json::json!({
            "status": "rejected", "by": "boss", "reason": "twice the usual",
        }));
        let again = rule(&store, payment.id, "chief", approval("chief", 2)).await;
        assert!(matches!(again, RulingOutcome::Illegal { .. }), "{again:?}");
    }

    async fn it_is_called_off_while_it_waits(bed) {
        let store = bed.open().await;
        let payment = accepted(&store, large("key")).await;
        assert_eq!(cancel(&store, payment.id, Some("another"), T0).await, RulingOutcome::NotFound);
        let cancelled = done(cancel(&store, payment.id, Some(CLIENT), T0).await);
        assert_eq!(cancelled.status(), Status::Cancelled);
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("0"), 0));
    }

    async fn of_many_who_rule_at_once_exactly_one_is_heard(bed) {
        let store = bed.open().await;
        for n in 0..10 {
            let payment = accepted(&store, large(&format!("key {n}"))).await;
            let people: Vec<_> = (0..6)
                .map(|person| {
                    let (store, by, id) = (store.clone(), format!("boss {person}"), payment.id);
                    let event = match person % 2 {
                        0 => approval(&by, 1),
                        _ => rejection(&by, 1),
                    };
                    tokio::spawn(async move { rule(&store, id, &by, event).await })
                })
                .collect();
            let mut heard = Vec::new();
            for person in people {
                match person.await.unwrap() {
                    RulingOutcome::Done(payment) => heard.push(payment),
                    RulingOutcome::Illegal { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(heard.len(), 1);
            assert_eq!(store.payment(payment.id).await.unwrap(), heard.pop());
            assert_eq!(store.payment_events(payment.id).await.unwrap().len(), 2);
        }
    }

    async fn its_time_runs_out_with_the_approval_s_or_its_own_whichever_is_first(bed) {
        let store = anchored(bed).await;
        let waits = accepted(&store, large("waits")).await;
        let mut hurried = large("hurried");
        hurried.order.expires_at = Some(T0.plus_ms(10_000));
        let hurried = accepted(&store, hurried).await;
        let approved = accepted(&store, large("approved")).await;
        done(rule(&store, approved.id, "boss", approval("boss", 1)).await);
        let due = async |now: UnixMs| {
            let due = store.past_expiry(WALLET, now, 10).await.unwrap();
            due.iter().map(|payment| payment.id).collect::<HashSet<_>>()
        };
        assert_eq!(due(T0.plus_ms(9_999)).await, HashSet::new());
        assert_eq!(due(T0.plus_ms(10_000)).await, [hurried.id].into());
        assert_eq!(due(T0.plus_ms(60_000)).await, [hurried.id, waits.id].into());
        let expired = committed(&store, change(&waits, Event::Expire, T0.plus_ms(60_000))).await;
        assert_eq!(store.payment(waits.id).await.unwrap(), Some(expired));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("10"), 2));
    }

    async fn it_is_in_the_lists_under_its_status_its_names_and_its_client(bed) {
        let store = anchored(bed).await;
        let mut new = large("key");
        new.order.reference = Some("order 7".to_owned());
        let payment = accepted(&store, new).await;
        let other = accepted(&store, request("small", "1", T0)).await;
        let rejected = accepted(&store, large("no")).await;
        done(rule(&store, rejected.id, "boss", rejection("boss", 1)).await);
        for client in [None, Some(CLIENT.to_owned())] {
            let by = |status| PaymentFilter { client: client.clone(), status, ..PaymentFilter::default() };
            assert_eq!(listed(&store, by(Some(Status::AwaitingApproval))).await, [payment.id]);
            assert_eq!(listed(&store, by(Some(Status::Rejected))).await, [rejected.id]);
            assert_eq!(listed(&store, by(Some(Status::Processing))).await, [other.id]);
            assert_eq!(listed(&store, by(None)).await.len(), 3);
            let named = PaymentFilter { reference: Some("order 7".to_owned()), ..by(None) };
            assert_eq!(listed(&store, named).await, [payment.id]);
            let to = PaymentFilter { destination: Some(account(7)), ..by(Some(Status::AwaitingApproval)) };
            assert_eq!(listed(&store, to).await, [payment.id]);
        }
    }

    async fn an_approval_that_contradicts_its_payment_is_an_error(bed) {
        let store = bed.open().await;
        let payment = accepted(&store, large("key")).await;
        let doc = bed.word("select approval_doc from payments").await;
        for tampering in [
            "approve_by = 5".to_owned(),
            "approval_doc = '{}'".to_owned(),
            "approval_doc = null, approve_by = null".to_owned(),
            "status = 'processing', substatus = 'queued', phase = 'queued', \
             state_doc = '{\"state\":\"queued\"}'".to_owned(),
        ] {
            bed.raw(&format!("update payments set {tampering}")).await;
            let error = store.payment(payment.id).await.unwrap_err();
            assert!(error.to_string().contains(&payment.id.to_string()), "{tampering}: {error}");
            bed.raw(&format!(
                "update payments set approval_doc = '{doc}', approve_by = {}, substatus = null, \
                 status = 'awaiting_approval', phase = 'awaiting', \
                 state_doc = '{{\"state\":\"awaiting_approval\"}}'",
                T0.plus_ms(60_000).0
            )).await;
            assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()));
        }
        for nonsense in ["phase = 'queued'", "phase = 'final'", "approve_by = null"] {
            let sql = format!("update payments set {nonsense}");
            assert!(bed.try_raw(&sql).await.is_err(), "{nonsense}");
        }
    }
}
