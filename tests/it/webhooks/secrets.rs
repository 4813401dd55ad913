//! Secrets: rotated with an overlap, sealed in the database, and never used when they do not open.

use super::bed::{Bed, all, sealer};
use crate::support::receiver::{Manner, Receiver};
use std::sync::Arc;
use std::time::Duration;
use xrpayd::store::Actor;
use xrpayd::store::webhooks::DeliveryState;
use xrpayd::webhooks::secret::SigningSecret;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_secret_is_rotated_both_sign_and_afterwards_the_new_one_alone() {
    let mut bed = Bed::new().await;
    let receiver = Receiver::start(Manner::Well).await;
    let (endpoint, old) = bed.endpoint(&receiver, &["*"]).await;
    bed.dispatch();
    bed.happen(1).await;
    receiver.until(|heard| heard.len() == 1).await;
    assert!(receiver.heard()[0].verifies(&old));

    let new = SigningSecret::draw(bed.webhooks.entropy.as_ref());
    let sealer = bed.webhooks.sealer.as_ref().unwrap();
    let sealed = sealer
        .seal(endpoint.id, &new, bed.webhooks.entropy.as_ref())
        .unwrap();
    let until = bed.now().plus_ms(60_000);
    let rotated = bed.store.rotate_endpoint_secret(
        endpoint.id,
        &sealed,
        Some(until),
        &Actor::Daemon,
        bed.now(),
    );
    rotated.await.unwrap().unwrap();
    let new = new.text();
    bed.happen(1).await;
    receiver.until(|heard| heard.len() == 2).await;
    let both = &receiver.heard()[1];
    assert!(both.verifies(&old) && both.verifies(&new));

    bed.pass(Duration::from_secs(61));
    bed.happen(1).await;
    receiver.until(|heard| heard.len() == 3).await;
    let one = &receiver.heard()[2];
    assert!(!one.verifies(&old) && one.verifies(&new));
    bed.end_dispatchers(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_signed_waits_for_the_key_and_uses_up_no_try() {
    let mut bed = Bed::new().await;
    let receiver = Receiver::start(Manner::Well).await;
    let (endpoint, secret) = bed.endpoint(&receiver, &["*"]).await;
    let right = bed.webhooks.sealer.replace(Arc::new(sealer(2)));
    bed.dispatch();
    bed.happen(2).await;
    let waiting = bed
        .until(&endpoint, |deliveries| deliveries.len() == 2)
        .await;
    assert!(waiting.iter().all(|one| one.attempts.is_empty()));
    bed.end_dispatchers(Duration::from_secs(10)).await;
    assert_eq!(receiver.connections(), 0);

    bed.webhooks.sealer = right;
    bed.dispatch();
    bed.until(&endpoint, all(DeliveryState::Delivered)).await;
    assert!(receiver.heard().iter().all(|heard| heard.verifies(&secret)));
    bed.end_dispatchers(Duration::from_secs(10)).await;
}
