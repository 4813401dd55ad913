//! The emergency stop: what is paused is durable, and binds in the transactions that would begin something.

use super::bed::*;
use crate::support::held::Held as _;
use serde_json::json;
use std::time::Duration;
use xrpayd::store::{
    AcceptOutcome, Actor, Change, CommitError, FeedFilter, HOUSE, LaneCommit, NewPayment, Pause,
    Store, StoreError, Switched,
};
use xrpayd_core::engine::{Making, NewPlug, NewTicketCreate};
use xrpayd_core::ids::{LedgerIndex, TxHash, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::pause::Scope;
use xrpayd_core::payment::{Event, NewAttempt, Payment, Slot, Substatus};

const OPERATOR: Actor = Actor::Cli { uid: 7, said: None };

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

async fn pause(store: &Store, text: &str, now: UnixMs) -> Switched {
    let reason = Some("a drill");
    store
        .pause(&scope(text), reason, &OPERATOR, now)
        .await
        .unwrap()
}

async fn resume(store: &Store, text: &str, now: UnixMs) -> Switched {
    store
        .resume(&scope(text), None, &OPERATOR, now)
        .await
        .unwrap()
}

fn of(text: &str, at: UnixMs) -> Pause {
    Pause {
        scope: scope(text),
        reason: Some("a drill".to_owned()),
        by: "cli:7".to_owned(),
        at,
    }
}

/// An attempt of the payment on a sequence, as it would be signed now.
fn attempt_on(payment: &Payment, sequence: u32, n: u32) -> Change {
    let attempt = NewAttempt {
        hash: hash(n),
        slot: Slot::Sequence(sequence),
        fee: Drops::new(20).unwrap(),
        first_ledger: LedgerIndex(101),
        last_ledger: LedgerIndex(120),
        signed_at: T0,
    };
    Change {
        new_blobs: vec![(attempt.hash, vec![9])],
        ..change(payment, Event::Sign(attempt), T0)
    }
}

fn plug(sequence: u32) -> NewPlug {
    NewPlug {
        hash: hash(9_000 + sequence),
        slot: Slot::Sequence(sequence),
        fee: Drops::new(10).unwrap(),
        first_ledger: LedgerIndex(101),
        last_ledger: LedgerIndex(120),
        signed_at: T0,
        blob: vec![4],
    }
}

/// The same request once more, for which another identifier was drawn.
fn repeated(asked: &NewPayment) -> NewPayment {
    NewPayment {
        id: id_at(T0),
        ..asked.clone()
    }
}

fn is_paused(answer: &Result<AcceptOutcome, StoreError>, text: &str) -> bool {
    matches!(answer, Ok(AcceptOutcome::Paused(pause)) if pause.scope == scope(text))
}

on_both_stores! {
    async fn a_pause_is_durable_and_the_same_again_changes_nothing(bed) {
        let store = bed.open().await;
        assert_eq!(store.pauses().await.unwrap(), []);
        let first = pause(&store, "payments", T0).await;
        assert_eq!(first, Switched { changed: true, pauses: vec![of("payments", T0)] });
        let before = bed.everything().await;
        let again = store.pause(&Scope::Payments, Some("another"), &Actor::Daemon, T0.plus_ms(5)).await.unwrap();
        assert_eq!(again, Switched { changed: false, pauses: vec![of("payments", T0)] });
        assert_eq!(bed.everything().await, before);
        let second = pause(&store, "all", T0.plus_ms(9)).await;
        assert_eq!(second.pauses, [of("all", T0.plus_ms(9)), of("payments", T0)]);
        store.close().await;

        let store = bed.open().await;
        assert_eq!(store.pauses().await.unwrap(), second.pauses);
        let one = resume(&store, "all", T0.plus_ms(10)).await;
        assert_eq!(one, Switched { changed: true, pauses: vec![of("payments", T0)] });
        assert!(!resume(&store, "all", T0.plus_ms(11)).await.changed);
        assert!(!resume(&store, "wallet:hot", T0.plus_ms(11)).await.changed);
        assert_eq!(resume(&store, "payments", T0.plus_ms(12)).await.pauses, []);
        assert!(pause(&store, "payments", T0.plus_ms(13)).await.changed);
    }

    async fn each_change_is_told_and_audited_in_its_transaction(bed) {
        let store = bed.open().await;
        pause(&store, "wallet:hot", T0).await;
        pause(&store, "wallet:hot", T0).await;
        resume(&store, "wallet:hot", T0.plus_ms(1)).await;
        let told = store.feed(0, &FeedFilter::default(), 10).await.unwrap();
        let seen: Vec<_> = told.iter().map(|event| (event.type_.as_str(), event.version)).collect();
        assert_eq!(seen, [("service.paused", 1), ("service.resumed", 2)]);
        assert!(told.iter().all(|event| event.client == HOUSE));
        tells(&told[0].data, &json!({
            "object": "service", "id": "wallet:hot", "scope": "wallet:hot", "paused": true, "reason": "a drill",
        }));
        tells(&told[1].data, &json!({ "paused": false, "reason": null }));
        let audited = "select cast(count(*) as bigint) from audit_log where object = 'wallet:hot' and action = ";
        for action in ["'pause'", "'resume'"] {
            assert_eq!(bed.number(&format!("{audited}{action}")).await, 1, "{action}");
        }
    }

    async fn nothing_is_accepted_for_what_is_paused_and_what_was_is_still_answered(bed) {
        let store = bed.open_with_writer().await;
        let asked = request("before", "1", T0);
        let made = accepted(&store, asked.clone()).await;
        pause(&store, "wallet:hot", T0).await;
        let before = bed.everything().await;
        assert!(is_paused(&store.accept(request("a", "1", T0)).await, "wallet:hot"));
        assert_eq!(store.accept(repeated(&asked)).await.unwrap(), AcceptOutcome::Replayed(made.clone()));
        let other = request("before", "2", T0);
        assert_eq!(store.accept(other).await.unwrap(), AcceptOutcome::KeyReused);
        assert_eq!(bed.everything().await, before);
        let mut warm = request("warm", "1", T0);
        warm.wallet = "warm".to_owned();
        accepted(&store, warm.clone()).await;

        pause(&store, "payments", T0).await;
        warm.order.idempotency_key = "warm 2".to_owned();
        warm.id = id_at(T0);
        assert!(is_paused(&store.accept(warm.clone()).await, "payments"));
        pause(&store, "all", T0).await;
        assert!(is_paused(&store.accept(warm).await, "all"));
        for text in ["all", "payments", "wallet:hot"] {
            assert!(is_paused(&store.accept(request("a", "1", T0)).await, text));
            resume(&store, text, T0).await;
        }
        accepted(&store, request("a", "1", T0)).await;
        assert_eq!(store.accept(repeated(&asked)).await.unwrap(), AcceptOutcome::Replayed(made));
    }

    async fn nothing_new_is_signed_by_what_is_paused_and_what_is_in_flight_goes_on(bed) {
        let store = anchored(bed).await;
        let first = accepted(&store, request("first", "1", T0)).await;
        let second = accepted(&store, request("second", "1", T0)).await;
        let first = committed(&store, signed(&first, 10, T0)).await;
        for text in ["all", "payments", "wallet:hot"] {
            pause(&store, text, T0).await;
            let before = bed.everything().await;
            let refused = store.commit_held(&commit_of(vec![signed(&second, 11, T0)], T0)).await;
            assert!(matches!(refused, Err(CommitError::Paused)), "{refused:?}");
            let tickets = NewTicketCreate {
                making: Making { count: 2, request: None },
                attempt: NewAttempt {
                    hash: TxHash([7; 32]),
                    slot: Slot::Sequence(11),
                    fee: Drops::new(10).unwrap(),
                    first_ledger: LedgerIndex(101),
                    last_ledger: LedgerIndex(120),
                    signed_at: T0,
                },
                blob: vec![3],
            };
            let tickets = LaneCommit { new_ticket_creates: vec![tickets], ..commit_of(Vec::new(), T0) };
            let refused = store.commit_held(&tickets).await;
            assert!(matches!(refused, Err(CommitError::Paused)), "{refused:?}");
            assert_eq!(bed.everything().await, before);
            resume(&store, text, T0).await;
        }
        pause(&store, "all", T0).await;
        let first = committed(&store, submitted(&first, T0)).await;
        let first = committed(&store, attempt_on(&first, 10, 77)).await;
        store.commit_held(&LaneCommit { new_plugs: vec![plug(12)], ..commit_of(Vec::new(), T0) }).await.unwrap();
        let ended = committed(&store, found(&first, "tesSUCCESS", T0)).await;
        assert!(ended.status().is_final());
        resume(&store, "all", T0).await;
        pause(&store, "wallet:warm", T0).await;
        committed(&store, signed(&second, 11, T0)).await;
    }

    async fn a_halt_that_the_engine_has_not_heard_of_stops_its_next_signing(bed) {
        let store = anchored(bed).await;
        let first = accepted(&store, request("first", "1", T0)).await;
        let second = accepted(&store, request("second", "1", T0)).await;
        let first = committed(&store, signed(&first, 10, T0)).await;
        store.set_halt(WALLET, Some("the books are off"), &Actor::Daemon, T0).await.unwrap();
        let before = bed.everything().await;
        let refused = store.commit_held(&commit_of(vec![signed(&second, 11, T0)], T0)).await;
        assert!(matches!(refused, Err(CommitError::Halted)), "{refused:?}");
        assert_eq!(bed.everything().await, before);
        // What is in flight goes on to its end.
        assert!(committed(&store, found(&first, "tesSUCCESS", T0)).await.status().is_final());
        store.set_halt(WALLET, None, &Actor::Daemon, T0).await.unwrap();
        committed(&store, signed(&second, 11, T0)).await;
    }

    async fn an_attempt_that_died_is_not_signed_again_while_paused(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("first", "1", T0)).await;
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        pause(&store, "payments", T0).await;
        let payment = committed(&store, absent(&payment, T0)).await;
        for sequence in [10, 11] {
            let change = attempt_on(&payment, sequence, 500 + sequence);
            let refused = store.commit_held(&commit_of(vec![change], T0)).await;
            assert!(matches!(refused, Err(CommitError::Paused)), "{refused:?}");
        }
    }

    async fn what_cannot_be_read_is_paused(bed) {
        let store = anchored(bed).await;
        let asked = request("before", "1", T0);
        let payment = accepted(&store, asked.clone()).await;
        for (breaks, heals) in [
            ("alter table pauses rename to lost", "alter table lost rename to pauses"),
            ("delete from pauses", "insert into pauses (scope, in_force, version) values ('all', 0, 0)"),
        ] {
            bed.raw(breaks).await;
            let read = store.pauses().await;
            assert!(matches!(read, Err(StoreError::PausesUnreadable(_))), "{read:?}");
            let refused = store.accept(request("new", "1", T0)).await;
            assert!(matches!(refused, Err(StoreError::PausesUnreadable(_))), "{refused:?}");
            let again = store.accept(repeated(&asked)).await.unwrap();
            assert_eq!(again, AcceptOutcome::Replayed(payment.clone()));
            let refused = store.commit_held(&commit_of(vec![signed(&payment, 10, T0)], T0)).await;
            let unreadable = matches!(refused, Err(CommitError::Store(StoreError::PausesUnreadable(_))));
            assert!(unreadable, "{refused:?}");
            bed.raw(heals).await;
        }
        accepted(&store, request("new", "1", T0)).await;
        committed(&store, signed(&payment, 10, T0)).await;
    }

    async fn what_commits_after_a_pause_was_answered_has_seen_it(bed) {
        let store = bed.open_with_writer().await;
        store.anchor_held(WALLET, account(1), 0, &cursor(100), None, T0).await.unwrap();
        for round in 0..20_u32 {
            let queued = accepted(&store, request(&format!("queued {round}"), "1", T0)).await;
            let signs = commit_of(vec![signed(&queued, 10 + round, T0)], T0);
            let (pausing, accepting) = (store.clone(), store.clone());
            let asked = request(&format!("racing {round}"), "1", T0);
            let (switched, accept, commit) = tokio::join!(
                async move {
                    tokio::time::sleep(Duration::from_micros(u64::from(round) * 100)).await;
                    pause(&pausing, "all", T0).await
                },
                async move { accepting.accept(asked).await },
                store.commit_held(&signs),
            );
            assert!(switched.changed);
            // Whatever won, nothing is begun from here on.
            let (payments, attempts) = (
                bed.number("select cast(count(*) as bigint) from payments").await,
                bed.number("select cast(count(*) as bigint) from attempts").await,
            );
            assert!(matches!(accept.unwrap(), AcceptOutcome::Created(_) | AcceptOutcome::Paused(_)));
            let is_open = commit.is_ok();
            assert!(is_open || matches!(commit, Err(CommitError::Paused)), "{commit:?}");
            let late = store.accept(request(&format!("late {round}"), "1", T0)).await;
            assert!(is_paused(&late, "all"));
            if !is_open {
                let late = store.commit_held(&signs).await;
                assert!(matches!(late, Err(CommitError::Paused)), "{late:?}");
            }
            assert_eq!(bed.number("select cast(count(*) as bigint) from payments").await, payments);
            assert_eq!(bed.number("select cast(count(*) as bigint) from attempts").await, attempts);
            resume(&store, "all", T0).await;
        }
    }

    async fn what_is_queued_is_found_by_what_it_shows(bed) {
        let store = anchored(bed).await;
        let words = [Substatus::Queued, Substatus::LowBalance, Substatus::FeeHold];
        let first = accepted(&store, request("first", "1", T0)).await;
        let second = accepted(&store, request("second", "1", T0)).await;
        let third = accepted(&store, request("third", "1", T0)).await;
        committed(&store, signed(&third, 10, T0)).await;
        let held = change(&second, Event::Hold(xrpayd_core::payment::Hold::Paused), T0);
        let second = committed(&store, held).await;
        assert_eq!(store.queued_as(WALLET, &words, 9).await.unwrap(), [first]);
        assert_eq!(store.queued_as(WALLET, &[Substatus::Paused], 9).await.unwrap(), [second]);
        assert_eq!(store.queued_as("warm", &words, 9).await.unwrap(), []);
    }
}
