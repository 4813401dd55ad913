//! That nobody who reads the feed ever misses or repeats an event, whatever its writers do.

use super::super::plans::stores;
use super::*;
use crate::clock::{Entropy as _, SeededEntropy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const WRITERS: u64 = 6;
const TRANSACTIONS: u32 = 20;

fn news(client: &str, object: &'static str, id: String) -> News {
    News {
        object,
        object_id: id,
        client: client.to_owned(),
        version: 1,
        type_: format!("{object}.told"),
        at: UnixMs(1),
        data: serde_json::json!({"n": 1}),
    }
}

/// Writes as several writers do at once: each draws, waits for a while, and commits or gives up.
/// Answers with the names of what was committed.
async fn write(store: Store, writer: u64) -> Vec<String> {
    let dice = SeededEntropy::new(writer);
    let mut committed = Vec::new();
    for n in 0..TRANSACTIONS {
        let mut bytes = [0_u8; 3];
        dice.fill(&mut bytes);
        let count = bytes[0] % 4 + 1;
        let names: Vec<String> = (0..count).map(|of| format!("w{writer}-{n}-{of}")).collect();
        let mut tx = store.db().write().await.unwrap();
        let told = names
            .iter()
            .map(|name| news("shop", "payment", name.clone()));
        tell(&mut tx, told.collect()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(u64::from(bytes[1] % 8))).await;
        if bytes[2] % 5 == 0 {
            tx.end().await.unwrap();
        } else {
            tx.commit().await.unwrap();
            committed.extend(names);
        }
    }
    committed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_every_event_once_and_in_order_however_long_commits_take() {
    for (store, _folder) in stores().await {
        let running = Arc::new(AtomicU32::new(u32::try_from(WRITERS).unwrap()));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (store, running) = (store.clone(), Arc::clone(&running));
            writers.spawn(async move {
                let committed = write(store, writer).await;
                running.fetch_sub(1, Ordering::SeqCst);
                committed
            });
        }
        let mut readers = JoinSet::new();
        for limit in [1, 7, 200] {
            let (store, running) = (store.clone(), Arc::clone(&running));
            readers.spawn(async move {
                let (mut seen, mut after) = (Vec::new(), 0);
                loop {
                    let is_last = running.load(Ordering::SeqCst) == 0;
                    let page = store.feed(after, &FeedFilter::default(), limit).await;
                    let page = page.unwrap();
                    after = page.last().map_or(after, |event| event.sequence);
                    let is_empty = page.is_empty();
                    seen.extend(page);
                    if is_last && is_empty {
                        return seen;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut committed = writers.join_all().await.concat();
        committed.sort();
        assert!(committed.len() > 100, "{}", committed.len());
        for seen in readers.join_all().await {
            let sequences: Vec<i64> = seen.iter().map(|event| event.sequence).collect();
            let count = i64::try_from(committed.len()).unwrap();
            let every: Vec<i64> = (1..=count).collect();
            assert_eq!(sequences, every, "in order, none twice, none missing");
            let mut names: Vec<String> = seen.into_iter().map(|event| event.object_id).collect();
            names.sort();
            assert_eq!(names, committed, "what was given up is not told");
        }
        assert_eq!(
            store.feed_end().await.unwrap(),
            i64::try_from(committed.len()).unwrap()
        );
    }
}

#[tokio::test]
async fn a_commit_wakes_whoever_waits_and_a_transaction_that_gives_up_wakes_nobody() {
    for (store, _folder) in stores().await {
        let mut changed = store.feed_changed();
        let one = || vec![news("shop", "payment", "pay_1".to_owned())];
        let mut tx = store.db().write().await.unwrap();
        tell(&mut tx, one()).await.unwrap();
        tx.end().await.unwrap();
        assert!(!changed.has_changed().unwrap());
        let mut tx = store.db().write().await.unwrap();
        tell(&mut tx, Vec::new()).await.unwrap();
        tell(&mut tx, one()).await.unwrap();
        assert!(!changed.has_changed().unwrap(), "nothing is durable yet");
        tx.commit().await.unwrap();
        assert_eq!(*changed.borrow_and_update(), 1);
    }
}

#[tokio::test]
async fn a_filter_lets_through_the_clients_own_and_the_houses_and_no_others() {
    for (store, _folder) in stores().await {
        let mut tx = store.db().write().await.unwrap();
        let told = [
            ("shop", "payment"),
            ("kiosk", "payment"),
            (HOUSE, "wallet"),
            ("shop", "invoice"),
            (HOUSE, "deposit"),
            ("kiosk", "invoice"),
        ];
        let told = told.map(|(client, object)| news(client, object, format!("{object} {client}")));
        tell(&mut tx, told.to_vec()).await.unwrap();
        tx.commit().await.unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let shop = FeedFilter {
            client: Some("shop".to_owned()),
            ..FeedFilter::default()
        };
        let with_house = FeedFilter {
            house: true,
            ..shop.clone()
        };
        for (filter, expected) in [
            (FeedFilter::default(), vec![1, 2, 3, 4, 5, 6]),
            (shop.clone(), vec![1, 4]),
            (with_house.clone(), vec![1, 3, 4, 5]),
            (
                FeedFilter {
                    objects: words(&["payment", "wallet"]),
                    ..with_house.clone()
                },
                vec![1, 3],
            ),
            (
                FeedFilter {
                    types: words(&["invoice.told", "deposit.told"]),
                    ..with_house.clone()
                },
                vec![4, 5],
            ),
            (
                FeedFilter {
                    types: words(&["invoice.told"]),
                    objects: words(&["deposit"]),
                    ..with_house
                },
                vec![],
            ),
        ] {
            let seen = store.feed(0, &filter, 10).await.unwrap();
            let seen: Vec<i64> = seen.iter().map(|event| event.sequence).collect();
            assert_eq!(seen, expected, "{filter:?}");
            let page = store.feed_page(0, &filter, 10).await.unwrap();
            assert_eq!((page.through, page.at_end), (6, true));
        }
        let page = store.feed_page(0, &shop, 1).await.unwrap();
        assert_eq!((page.through, page.at_end), (1, false));
        let event = &page.events[0];
        assert_eq!(
            event.data,
            serde_json::json!({"n": 1, "object": "payment", "id": "payment shop"})
        );
        assert_eq!((event.client.as_str(), event.version), ("shop", 1));
    }
}
