//! When a delivery is tried again, when an endpoint is left alone, and when it is given up.

use super::bed::{Bed, WAITS_S, all};
use crate::support::receiver::{Manner, Receiver};
use std::time::Duration;
use xrpayd::store::webhooks::{DeliveryState, Disabled, EndpointStatus};
use xrpayd::store::{Actor, FeedFilter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_tries_over_three_days_bear_the_same_bytes_and_then_it_is_given_up() {
    let mut bed = Bed::new().await;
    let receiver = Receiver::start(Manner::With(500, Vec::new())).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(1).await;
    let began = bed.now();
    for (tries, wait) in (1_usize..).zip(WAITS_S) {
        let is_tried = |deliveries: &[xrpayd::store::webhooks::Delivery]| {
            deliveries.len() == 1
                && deliveries[0].attempts.len() == tries
                && deliveries[0].next_at.is_some()
        };
        let deliveries = bed.until(&endpoint, is_tried).await;
        let waits_ms = deliveries[0].next_at.unwrap().since_ms(bed.now());
        let wait_ms = i64::try_from(wait * 1_000).unwrap();
        assert!(
            (wait_ms..=wait_ms * 6 / 5).contains(&waits_ms),
            "{waits_ms} ms after try {tries}"
        );
        bed.pass(Duration::from_millis(u64::try_from(waits_ms).unwrap()));
    }
    let deliveries = bed.until(&endpoint, all(DeliveryState::Failed)).await;
    let delivery = &deliveries[0];
    assert_eq!(delivery.attempts.len(), 10);
    assert_eq!(delivery.next_at, None);
    let days_ms = bed.now().since_ms(began);
    let day_ms = 24 * 3_600 * 1_000;
    assert!(days_ms > 2 * day_ms && days_ms < 4 * day_ms, "{days_ms} ms");
    let last = delivery.attempts.last().unwrap();
    assert_eq!((last.status, last.outcome.as_str()), (Some(500), "refused"));
    assert_eq!(last.excerpt, "no, thank you");
    let heard = receiver.heard();
    assert_eq!(heard.len(), 10);
    assert!(
        heard
            .iter()
            .all(|one| one.body == heard[0].body && one.id() == heard[0].id())
    );

    // A person sends it again, and it has its whole schedule before it.
    receiver.behave(Manner::Well);
    let redelivered = bed
        .store
        .redeliver(endpoint.id, delivery.id, bed.now())
        .await;
    assert_eq!(redelivered.unwrap().unwrap().state, DeliveryState::Pending);
    bed.pass(Duration::ZERO);
    let deliveries = bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    assert_eq!(deliveries[0].attempts.len(), 11);
    assert_eq!(receiver.heard()[10].id(), heard[0].id());
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_busy_is_sent_nothing_for_as_long_as_it_asks() {
    let mut bed = Bed::new().await;
    let headers = vec![("retry-after", "600".to_owned())];
    let receiver = Receiver::start(Manner::With(429, headers)).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(1).await;
    let waits = |deliveries: &[xrpayd::store::webhooks::Delivery]| {
        deliveries
            .first()
            .is_some_and(|delivery| delivery.next_at.is_some())
            && deliveries[0].attempts.len() == 1
    };
    let deliveries = bed.until(&endpoint, waits).await;
    let wait_ms = deliveries[0].next_at.unwrap().since_ms(bed.now());
    assert_eq!(
        wait_ms, 600_000,
        "longer than the schedule's own five seconds"
    );
    receiver.behave(Manner::Well);
    bed.happen(5).await;
    bed.until(&endpoint, |deliveries| deliveries.len() == 6)
        .await;
    bed.pass(Duration::from_secs(590));
    // A turn has certainly been taken once another endpoint, made later, has heard of something.
    let witness = Receiver::start(Manner::Well).await;
    bed.endpoint(&witness, &["*"]).await;
    bed.happen(1).await;
    witness.until(|heard| heard.len() == 1).await;
    assert_eq!(receiver.heard().len(), 1, "it asked to be left alone");
    bed.pass(Duration::from_secs(11));
    receiver.until(|heard| heard.len() == 8).await;
    bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_disabled_and_the_others_are_told() {
    let mut bed = Bed::new().await;
    let gone = Receiver::start(Manner::With(410, Vec::new())).await;
    let other = Receiver::start(Manner::Well).await;
    let (endpoint, _) = bed.endpoint(&gone, &["payment.*"]).await;
    bed.endpoint(&other, &["webhook_endpoint.disabled"]).await;
    bed.dispatch();
    bed.happen(1).await;
    other.until(|heard| heard.len() == 1).await;
    let told = other.heard()[0].json();
    assert_eq!(told["type"], "webhook_endpoint.disabled");
    assert_eq!(told["data"]["id"], endpoint.id.to_string());
    assert_eq!(told["data"]["disabled_reason"], "gone");
    assert!(!told.to_string().contains("secret\":\"whsec"), "{told}");
    let found = bed.fresh(&endpoint).await;
    assert!(matches!(
        found.status,
        EndpointStatus::Disabled {
            why: Disabled::Gone,
            ..
        }
    ));
    // It goes on where it stood once it is enabled again: nothing is lost.
    bed.happen(2).await;
    gone.behave(Manner::Well);
    let enable = xrpayd::store::webhooks::EndpointChange {
        enabled: Some(true),
        ..Default::default()
    };
    bed.store
        .change_endpoint(endpoint.id, &enable, &Actor::Daemon, bed.now())
        .await
        .unwrap();
    bed.pass(Duration::from_secs(10));
    gone.until(|heard| heard.len() == 4).await;
    bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_without_one_success_disable_and_one_success_begins_them_anew() {
    let mut bed = Bed::with(|settings| settings.disable_after = Duration::from_secs(60)).await;
    let receiver = Receiver::start(Manner::With(500, Vec::new())).await;
    let (endpoint, _) = bed.endpoint(&receiver, &["payment.*"]).await;
    bed.dispatch();
    let mut heard = 0;
    let mut fail = async |bed: &Bed, wait: u64| {
        bed.pass(Duration::from_secs(wait));
        bed.happen(1).await;
        heard += 1;
        receiver.until(|requests| requests.len() >= heard).await;
        heard = receiver.heard().len();
    };
    fail(&bed, 0).await;
    fail(&bed, 25).await;
    receiver.behave(Manner::Well);
    fail(&bed, 25).await;
    bed.until(&endpoint, |deliveries| {
        deliveries
            .iter()
            .any(|one| one.state == DeliveryState::Delivered)
    })
    .await;
    assert_eq!(bed.fresh(&endpoint).await.failing_since, None);
    receiver.behave(Manner::With(500, Vec::new()));
    for _ in 0..4 {
        assert_eq!(bed.fresh(&endpoint).await.status, EndpointStatus::Enabled);
        fail(&bed, 20).await;
        let now = bed.now();
        bed.until(&endpoint, |deliveries| {
            deliveries
                .iter()
                .any(|one| one.attempts.last().is_some_and(|a| a.at == now))
        })
        .await;
    }
    let found = bed.fresh(&endpoint).await;
    assert!(matches!(
        found.status,
        EndpointStatus::Disabled {
            why: Disabled::Failing,
            ..
        }
    ));
    let filter = FeedFilter {
        types: vec!["webhook_endpoint.disabled".to_owned()],
        ..FeedFilter::default()
    };
    assert_eq!(bed.store.feed(0, &filter, 10).await.unwrap().len(), 1);
    bed.end_dispatchers(Duration::from_secs(10)).await;
}
