//! The feed as payments write it, and what it no longer hands out.

use super::bed::*;
use xrpayd::store::{FeedFilter, HOUSE, Store};

async fn sequences(store: &Store, after: i64) -> Vec<i64> {
    let events = store.feed(after, &FeedFilter::default(), 10_000).await;
    let events = events.unwrap().into_iter();
    events.map(|event| event.sequence).collect()
}

/// Tells of wallets, which no payment's history keeps; `at` is when.
async fn tell_of_wallets(bed: &Bed, from: i64, count: i64, at: i64) {
    let values: Vec<String> = (from..from + count)
        .map(|n| {
            format!("({n}, 'wallet', 'hot', '{HOUSE}', 1, 'wallet.low_balance', {at}, '{{}}')")
        })
        .collect();
    for rows in values.chunks(500) {
        bed.raw(&format!(
            "insert into events (sequence, object, object_id, client, version, type, at, data) \
             values {}",
            rows.join(", ")
        ))
        .await;
    }
    let last = from + count - 1;
    bed.raw(&format!(
        "update feed set sequence = {last} where mark = 'drawn'"
    ))
    .await;
}

on_both_stores! {
    async fn each_change_is_told_once_in_the_order_of_the_commits_and_names_its_payment(bed) {
        let store = anchored(bed).await;
        let mut changed = store.feed_changed();
        let one = accepted(&store, request("one", "1", T0)).await;
        let two = accepted(&store, request("two", "2", T0)).await;
        assert_eq!(*changed.borrow_and_update(), 2);
        delivered(&store, &one, 10, T0.plus_ms(5)).await;
        cancel(&store, two.id, None, T0.plus_ms(7)).await;
        let events = store.feed(0, &FeedFilter::default(), 100).await.unwrap();
        let told: Vec<_> = events
            .iter()
            .map(|event| (event.sequence, event.object_id.clone(), event.type_.as_str(), event.version, event.at))
            .collect();
        let (one, two) = (one.id.to_string(), two.id.to_string());
        assert_eq!(told, [
            (1, one.clone(), "payment.processing", 1, T0),
            (2, two.clone(), "payment.processing", 1, T0),
            (3, one.clone(), "payment.processing", 2, T0.plus_ms(5)),
            (4, one.clone(), "payment.processing", 3, T0.plus_ms(5)),
            (5, one.clone(), "payment.succeeded", 4, T0.plus_ms(5)),
            (6, two.clone(), "payment.cancelled", 2, T0.plus_ms(7)),
        ]);
        assert!(events.iter().all(|event| event.object == "payment" && event.client == CLIENT));
        for event in &events {
            tells(&event.data, &serde_json::json!({
                "object": "payment", "id": event.object_id, "version": event.version,
            }));
        }
        assert_eq!(store.feed_end().await.unwrap(), 6);
        assert_eq!(*changed.borrow_and_update(), 6);
    }

    async fn what_is_refused_and_what_is_asked_again_tells_nothing(bed) {
        let store = anchored(bed).await;
        let new = request("key", "1", T0);
        accepted(&store, new.clone()).await;
        let mut replay = new.clone();
        replay.id = id_at(T0);
        store.accept(replay).await.unwrap();
        store.accept(request("key", "2", T0)).await.unwrap();
        let mut large = request("large", "1", T0);
        large.caps.max_payment = xrp("0.5");
        store.accept(large).await.unwrap();
        assert_eq!(sequences(&store, 0).await, [1]);
        assert_eq!(store.feed_end().await.unwrap(), 1, "no sequence is lost to them");
    }

    async fn the_feed_goes_on_where_it_ended_when_the_store_is_opened_again(bed) {
        let store = anchored(bed).await;
        accepted(&store, request("one", "1", T0)).await;
        store.close().await;
        let store = bed.open().await;
        assert_eq!(*store.feed_changed().borrow(), 0, "nothing was committed by this process");
        assert_eq!(store.feed_end().await.unwrap(), 1);
        accepted(&store, request("two", "1", T0)).await;
        assert_eq!(sequences(&store, 1).await, [2]);
    }

    async fn old_events_go_a_batch_at_a_time_and_a_payments_own_stay_with_it(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("old", "1", T0)).await;
        tell_of_wallets(bed, 2, 2_500, T0.0).await;
        let late = accepted(&store, request("new", "1", T0.plus_ms(100))).await;
        assert_eq!(sequences(&store, 2_500).await, [2_501, 2_502]);
        let before = T0.plus_ms(50);
        let mut steps = Vec::new();
        loop {
            let step = store.expire_events(before).await.unwrap();
            steps.push((step.events, step.deleted, step.more));
            if !step.more {
                break;
            }
        }
        assert_eq!(steps, [(1_000, 999, true), (1_000, 1_000, true), (501, 501, false)]);
        let page = store.feed_page(0, &FeedFilter::default(), 10).await.unwrap();
        assert_eq!((page.expired, page.through, page.at_end), (2_501, 2_502, true));
        assert_eq!(page.events.len(), 1);
        assert_eq!(page.events[0].object_id, late.id.to_string());
        let told = store.payment_events(payment.id).await.unwrap();
        assert_eq!(told.len(), 1, "its history is asked for by name");
        assert_eq!(bed.number("select cast(count(*) as bigint) from events").await, 2);
        let again = store.expire_events(before).await.unwrap();
        assert_eq!((again.events, again.more), (0, false));
        accepted(&store, request("newer", "1", T0.plus_ms(100))).await;
        assert_eq!(sequences(&store, 0).await, [2_502, 2_503], "the counter never goes back");
    }

    async fn a_feed_that_has_run_out_goes_on_from_its_counter(bed) {
        let store = anchored(bed).await;
        accepted(&store, request("one", "1", T0)).await;
        store.expire_events(T0.plus_ms(1)).await.unwrap();
        let page = store.feed_page(1, &FeedFilter::default(), 10).await.unwrap();
        assert_eq!((page.events.len(), page.through, page.at_end), (0, 1, true));
        accepted(&store, request("two", "1", T0)).await;
        assert_eq!(sequences(&store, 1).await, [2]);
    }

    async fn an_event_of_later_holds_back_what_came_after_it(bed) {
        let store = anchored(bed).await;
        accepted(&store, request("one", "1", T0)).await;
        accepted(&store, request("two", "1", T0.plus_ms(10_000))).await;
        accepted(&store, request("three", "1", T0)).await;
        assert_eq!(store.expire_events(T0.plus_ms(1)).await.unwrap().events, 1);
        assert_eq!(sequences(&store, 0).await, [2, 3], "the clock was ahead for a while");
    }

    async fn a_filter_that_finds_little_looks_on_to_the_end(bed) {
        let store = anchored(bed).await;
        tell_of_wallets(bed, 1, 21_000, T0.0).await;
        accepted(&store, request("one", "1", T0)).await;
        let filter = FeedFilter {
            objects: vec!["payment".to_owned()],
            ..FeedFilter::default()
        };
        let page = store.feed_page(0, &filter, 10).await.unwrap();
        assert_eq!((page.events.len(), page.through, page.at_end), (0, 20_000, false));
        let found = store.feed(0, &filter, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].sequence, 21_001);
    }
}
