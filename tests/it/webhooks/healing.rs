//! What a dispatcher had in hand when it ended is tried again, and the past is told once more on
//! request.

use super::bed::{Bed, all};
use crate::support::receiver::{Manner, Receiver};
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd::store::Actor;
use xrpayd::store::webhooks::DeliveryState;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_at_a_crash_is_sent_again_under_the_same_id() {
    let mut bed = Bed::new().await;
    let receiver = Receiver::start(Manner::Mutely).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(3).await;
    receiver.until(|heard| heard.len() == 3).await;
    bed.end_dispatchers(Duration::ZERO).await;
    assert!(
        bed.deliveries(&endpoint)
            .await
            .iter()
            .all(|one| one.attempts.is_empty())
    );
    receiver.behave(Manner::Well);
    bed.dispatch();
    bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    let ids = receiver.ids();
    assert_eq!(ids.len(), 3);
    assert!(ids.values().all(|&times| times == 2), "{ids:?}");
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_waits_for_the_tries_under_way_and_writes_down_what_came_of_them() {
    let mut bed = Bed::new().await;
    let receiver = Receiver::start(Manner::Slowly(Duration::from_millis(300))).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(2).await;
    receiver.until(|heard| heard.len() == 2).await;
    bed.end_dispatchers(Duration::from_secs(20)).await;
    let deliveries = bed.deliveries(&endpoint).await;
    assert!(
        all(DeliveryState::Delivered)(&deliveries),
        "{deliveries:#?}"
    );
    assert_eq!(receiver.heard().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_in_the_order_of_the_feed_while_all_is_well() {
    let mut bed = Bed::with(|settings| settings.in_flight_per_endpoint = 1).await;
    let receiver = Receiver::start(Manner::Well).await;
    bed.endpoint(&receiver, &["*"]).await;
    bed.happen(30).await;
    bed.dispatch();
    receiver.until(|heard| heard.len() == 30).await;
    let sequences: Vec<i64> = receiver
        .heard()
        .iter()
        .map(|heard| heard.json()["sequence"].as_i64().unwrap())
        .collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_told_once_more_what_failed_by_itself_and_all_of_it_on_request() {
    let mut bed = Bed::with(|settings| {
        settings.schedule = xrpayd::webhooks::schedule::Schedule::new(Vec::new());
    })
    .await;
    bed.happen(2).await;
    let receiver = Receiver::start(Manner::Well).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(3).await;
    bed.until(&endpoint, |all| {
        all.iter()
            .filter(|one| one.state == DeliveryState::Delivered)
            .count()
            == 3
    })
    .await;
    receiver.behave(Manner::With(500, Vec::new()));
    bed.happen(4).await;
    bed.until(&endpoint, |all| {
        all.iter()
            .filter(|one| one.state == DeliveryState::Failed)
            .count()
            == 4
    })
    .await;
    receiver.behave(Manner::Well);
    let since = xrpayd_core::ids::UnixMs(0);
    let recover = |all: bool| {
        bed.store
            .recover_endpoint(endpoint.id, since, all, &Actor::Daemon, bed.now())
    };

    // What failed, and what happened before there was an endpoint; nothing that was taken.
    recover(false).await.unwrap().unwrap();
    bed.webhooks.wake.notify_one();
    let done = |deliveries: &[xrpayd::store::webhooks::Delivery]| {
        deliveries.len() == 9 && all(DeliveryState::Delivered)(deliveries)
    };
    bed.until(&endpoint, done).await;
    assert_eq!(receiver.heard().len(), 3 + 4 + 4 + 2);
    assert_eq!(bed.fresh(&endpoint).await.recovery, None);

    recover(true).await.unwrap().unwrap();
    bed.webhooks.wake.notify_one();
    receiver.until(|heard| heard.len() == 13 + 9).await;
    bed.until(&endpoint, done).await;
    let ids: BTreeSet<String> = receiver.ids().into_keys().collect();
    assert_eq!(
        ids.len(),
        9,
        "an event keeps its id however often it is sent"
    );
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_fail_in_every_way_delay_nobody() {
    let mut bed = Bed::with(|settings| settings.in_flight = 40).await;
    let mute = [
        Receiver::start(Manner::Mutely).await,
        Receiver::start(Manner::Mutely).await,
        Receiver::start(Manner::Mutely).await,
        Receiver::down(Manner::Well),
    ];
    for receiver in &mute {
        bed.endpoint(receiver, &["*"]).await;
    }
    let well = Receiver::start(Manner::Well).await;
    let (endpoint, _) = bed.endpoint(&well, &["*"]).await;
    bed.dispatch();
    bed.happen(100).await;
    let last = std::time::Instant::now();
    well.until(|heard| heard.len() == 100).await;
    let behind = well
        .heard()
        .last()
        .unwrap()
        .at
        .saturating_duration_since(last);
    assert!(behind < Duration::from_secs(5), "{behind:?}");
    bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    let oldest = bed.store.oldest_undelivered().await.unwrap();
    assert!(
        oldest.is_some(),
        "what the others have not taken is still told of"
    );
    bed.end_dispatchers(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_on_one_database_share_the_work_and_send_nothing_twice() {
    let Some(mut bed) = Bed::postgres().await else {
        return;
    };
    let receivers = [
        Receiver::start(Manner::Well).await,
        Receiver::start(Manner::Slowly(Duration::from_millis(20))).await,
    ];
    let (first, _) = bed.endpoint(&receivers[0], &["*"]).await;
    let (second, _) = bed.endpoint(&receivers[1], &["*"]).await;
    for _ in 0..3 {
        bed.dispatch();
    }
    bed.happen(150).await;
    for endpoint in [&first, &second] {
        bed.until(endpoint, |deliveries| {
            deliveries.len() == 150 && all(DeliveryState::Delivered)(deliveries)
        })
        .await;
    }
    bed.end_dispatchers(Duration::from_secs(10)).await;
    for receiver in &receivers {
        let ids = receiver.ids();
        assert_eq!(ids.len(), 150);
        assert!(ids.values().all(|&times| times == 1), "{ids:?}");
    }
}
