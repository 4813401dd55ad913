//! What a promotion or a restored copy has lost, and the ledger shows: it counts against the day until
//! it is asked for again, and once.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::BTreeMap;
use xrpayd::store::{AcceptOutcome, JournalCommit, LaneCommit, NewPayment, Store};
use xrpayd_core::engine::Remembered;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::journal::{Delivered, Entry};
use xrpayd_core::limits::{Breach, Caps, WINDOW_MS};
use xrpayd_core::marker;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Adoption, Event, Payment, Slot, Status};

/// A payment that the ledger `ledger` delivered, and that another life of the database asked for.
fn lost(new: &NewPayment, ledger: u32) -> Remembered {
    let order = &new.order;
    Remembered {
        wallet: WALLET.to_owned(),
        marker: marker::of(WALLET, &new.client, &order.idempotency_key),
        hash: hash(ledger),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: LedgerHash([7; 32]),
        tx_index: 0,
        result: "tesSUCCESS".to_owned(),
        slot: Slot::Sequence(ledger),
        fee: Drops::new(10).unwrap(),
        destination: Some(order.destination.to_string()),
        destination_tag: order.destination_tag,
        delivered: Delivered::Xrp(order.amount),
        servers: vec!["one".to_owned()],
    }
}

/// The journal reads its ledger, which closed at `closed_at`.
async fn read(store: &Store, row: &Remembered, closed_at: UnixMs, now: UnixMs) {
    let entry = Entry {
        hash: row.hash,
        ledger_index: row.ledger_index,
        ledger_hash: row.ledger_hash,
        tx_index: row.tx_index,
        result: row.result.clone(),
        transaction_type: "Payment".to_owned(),
        sender: account(1),
        slot: row.slot,
        fee: row.fee,
        destination: row.destination.as_ref().map(|text| text.parse().unwrap()),
        destination_tag: row.destination_tag,
        source_tag: None,
        delivered: row.delivered.clone(),
        invoice_id: Some(row.marker),
        marker: Some(row.marker),
        effects: None,
        closed_at: Some(closed_at),
        root_after: None,
    };
    let commit = LaneCommit {
        journal: Some(JournalCommit {
            from: row.ledger_index,
            cursor: cursor(row.ledger_index.0),
            entries: vec![entry],
            remembered: vec![row.clone()],
            tickets: Vec::new(),
            sign_from: None,
            credits: Vec::new(),
            closed_at: Some(closed_at),
        }),
        ..LaneCommit::new(WALLET, now)
    };
    store.commit_held(&commit).await.unwrap();
}

/// What the engine makes of a payment that the ledger holds.
async fn adopted(store: &Store, payment: &Payment, row: &Remembered, now: UnixMs) -> Payment {
    let adoption = Adoption {
        wallet: row.wallet.clone(),
        hash: row.hash,
        slot: row.slot,
        fee: row.fee,
        result: row.result.clone(),
        ledger_index: row.ledger_index,
        ledger_hash: row.ledger_hash,
        delivered: Some(payment.order.amount),
        servers: row.servers.clone(),
    };
    let mut change = change(payment, Event::Adopt(adoption), now);
    change.new_blobs = vec![(row.hash, Vec::new())];
    committed(store, change).await
}

async fn used(store: &Store, now: UnixMs) -> Drops {
    store.limit_usage(now).await.unwrap().usage.daily_used
}

/// Asks under limits of 100 XRP a day.
async fn ask(store: &Store, key: &str, amount: &str, now: UnixMs) -> AcceptOutcome {
    let caps = Caps {
        daily: xrp("100"),
        ..roomy()
    };
    let new = NewPayment {
        caps,
        ..request(key, amount, now)
    };
    store.accept(new).await.unwrap()
}

fn left_of(outcome: &AcceptOutcome) -> Drops {
    match outcome {
        AcceptOutcome::Refused {
            breach: Breach::Daily { left, .. },
            ..
        } => *left,
        other => panic!("{other:?}"),
    }
}

fn created(outcome: AcceptOutcome) -> Payment {
    match outcome {
        AcceptOutcome::Created(payment) => payment,
        other => panic!("{other:?}"),
    }
}

on_both_stores! {
    async fn what_was_delivered_and_forgotten_counts_against_the_day_until_it_is_asked_for_again_and_once(bed) {
        let store = anchored(bed).await;
        let at = |ms: i64| T0.plus_ms(ms);
        created(ask(&store, "known", "10", T0).await);
        let lost_one = lost(&request("lost", "60", T0), 101);
        read(&store, &lost_one, at(-1_000), at(1_000)).await;
        let lost_two = lost(&request("lost too", "25", T0), 102);
        read(&store, &lost_two, at(2_000), at(3_000)).await;
        // Something that failed moved nothing.
        let failed = Remembered { result: "tecNO_DST".to_owned(), ..lost(&request("none", "90", T0), 103) };
        read(&store, &failed, at(2_500), at(3_000)).await;
        assert_eq!(used(&store, at(3_000)).await, xrp("95"));

        // The day has room for 5, whoever asks, and for nobody twice.
        assert_eq!(left_of(&ask(&store, "new", "6", at(3_100)).await), xrp("5"));
        created(ask(&store, "new", "5", at(3_200)).await);
        assert_eq!(left_of(&ask(&store, "more", "1", at(3_300)).await), xrp("0"));

        // Who asks for just what was delivered is not turned away by it; who asks for anything else is.
        assert_eq!(left_of(&ask(&store, "lost", "61", at(3_400)).await), xrp("0"));
        let again = created(ask(&store, "lost", "60", at(3_500)).await);
        let again = adopted(&store, &again, &lost_one, at(3_600)).await;
        assert_eq!(again.status(), Status::Succeeded);
        assert_eq!(used(&store, at(3_700)).await, xrp("100"), "it counts once");
        assert_eq!(left_of(&ask(&store, "more", "1", at(3_800)).await), xrp("0"));
        let left = store.forgotten(WALLET, LedgerIndex(0), LedgerIndex(200)).await.unwrap();
        assert_eq!(left, [lost_two], "one is still to be asked for");

        // What nobody asks for leaves the day after its ledger closed, a minute late at most.
        let day = at(WINDOW_MS);
        assert_eq!(used(&store, day).await, xrp("90"), "the first payment has left");
        let later = day.plus_ms(62_000 + 2_000);
        assert_eq!(used(&store, later).await, xrp("0"));
        created(ask(&store, "at last", "100", later).await);
        assert_eq!(store.forget_limit_scopes(later.plus_ms(2 * WINDOW_MS)).await.unwrap(), 1);
        assert_eq!(bed.number("select count(*) from limit_state").await, 1);
        assert_eq!(bed.number("select others from limit_state").await, 0);
    }

    async fn what_an_older_version_found_and_did_not_count_is_counted_from_the_next_start_on(bed) {
        let store = anchored(bed).await;
        store.recount_forgotten(T0).await.unwrap();
        assert_eq!(bed.number("select count(*) from limit_state").await, 1, "there is nothing");
        read(&store, &lost(&request("lost", "60", T0), 101), T0, T0.plus_ms(1_000)).await;
        bed.raw("delete from limit_state where scope = 'forgotten'").await;
        bed.raw("update limit_state set others = others - 1 where scope = 'all'").await;
        let now = T0.plus_ms(2_000);
        assert_eq!(used(&store, now).await, Drops::ZERO);
        for _ in 0..2 {
            store.recount_forgotten(now).await.unwrap();
            assert_eq!(used(&store, now).await, xrp("60"));
            assert_eq!(bed.number("select others from limit_state where scope = 'all'").await, 1);
        }
    }

    async fn the_counters_agree_with_the_payments_while_something_is_forgotten(bed) {
        let store = anchored(bed).await;
        created(ask(&store, "known", "10", T0).await);
        let lost = lost(&request("lost", "60", T0), 101);
        read(&store, &lost, T0, T0.plus_ms(1_000)).await;
        let tally = store.tally().await.unwrap();
        assert_eq!(tally.daily_used, tally.daily_summed);
        assert_eq!(xrpayd_core::reconcile::counters(&tally), []);
        let again = created(ask(&store, "lost", "60", T0.plus_ms(2_000)).await);
        adopted(&store, &again, &lost, T0.plus_ms(3_000)).await;
        let tally = store.tally().await.unwrap();
        assert_eq!(xrpayd_core::reconcile::counters(&tally), []);
        assert_eq!(tally.ends, BTreeMap::from([((WALLET.to_owned(), Status::Succeeded), 1)]));
    }
}
