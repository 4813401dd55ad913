//! A thousand events to ten endpoints, of which three are down, one is slow and one lies with redirects
//! to a private address; and a daemon that dies in the middle of it.

use super::scene::{GRACE, PATIENCE, SHOP, Scene, id_of};
use crate::support::merchant::Merchant;
use crate::support::receiver::{Manner, Receiver};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Payments: each has two events at least, being taken and being delivered.
const PAYMENTS: u32 = 400;
/// A schedule that fits a drill: what fails is tried again soon, and often enough to outlast it.
const HASTY: &str = "[webhooks]\ntimeout = \"2s\"\nretry_waits = [\"500ms\", \"1s\", \"2s\", \"4s\", \"8s\", \
    \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\", \"8s\"]\n";

/// An endpoint of the merchant's at a receiver; its id and its secret.
async fn endpoint(merchant: &Merchant, receiver: &Receiver) -> (String, String) {
    let body = json!({ "url": receiver.url(), "events": ["payment.*"] });
    let (status, made) = merchant.post("/v1/webhook-endpoints", None, &body).await;
    assert_eq!(status, 201, "{made}");
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// Every event of the payments, as the API tells of them, by sequence.
async fn told(merchant: &Merchant, payments: &[String]) -> BTreeMap<i64, String> {
    let mut told = BTreeMap::new();
    for payment in payments {
        let events = merchant
            .get(&format!("/v1/payments/{payment}/events?limit=200"))
            .await;
        for event in events["data"].as_array().unwrap() {
            let kind = event["type"].as_str().unwrap().to_owned();
            told.insert(event["sequence"].as_i64().unwrap(), kind);
        }
    }
    told
}

/// The sequences that a receiver was sent.
fn sequences(receiver: &Receiver) -> BTreeSet<i64> {
    let heard = receiver.heard();
    heard
        .iter()
        .map(|one| one.json()["sequence"].as_i64().unwrap())
        .collect()
}

async fn until_all(receiver: &Receiver, wanted: &BTreeMap<i64, String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let got = sequences(receiver);
        if wanted.keys().all(|sequence| got.contains(sequence)) {
            return;
        }
        let missing = wanted
            .keys()
            .filter(|sequence| !got.contains(sequence))
            .count();
        assert!(
            Instant::now() < deadline,
            "{} misses {missing}",
            receiver.url()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How far the receiver was behind the events at worst.
fn behind(receiver: &Receiver, begun: (Instant, i64)) -> i64 {
    let lag = |heard: &crate::support::receiver::Heard| {
        let at: Value = heard.json()["timestamp"].clone();
        let happened = xrpayd_time(at.as_str().unwrap());
        let came = i64::try_from(heard.at.duration_since(begun.0).as_millis()).unwrap() + begun.1;
        came - happened
    };
    receiver.heard().iter().map(lag).max().unwrap()
}

/// The milliseconds of a time as the API writes it.
fn xrpayd_time(text: &str) -> i64 {
    let well_known = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(text, well_known).unwrap();
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_reach_ten_endpoints_of_which_five_misbehave_and_a_crash_loses_none() {
    let scene = Scene::new("250ms", "100000", HASTY);
    let daemon = scene.start().await;
    let key = scene.setup.create_key(
        "shop",
        &["payments:read", "payments:write", "webhooks:write"],
    );
    let merchant = Merchant::new(&scene.setup.api, &key);

    let mut well = Vec::new();
    for _ in 0..5 {
        well.push(Receiver::start(Manner::Well).await);
    }
    let down = [(); 3].map(|()| Receiver::down(Manner::Well));
    let slow = Receiver::start(Manner::Slowly(Duration::from_millis(100))).await;
    let private = Receiver::start(Manner::Well).await;
    let location = vec![("location", private.url())];
    let liar = Receiver::start(Manner::With(307, location)).await;
    let mut secrets = Vec::new();
    for receiver in well.iter().chain(&down).chain([&slow, &liar]) {
        secrets.push(endpoint(&merchant, receiver).await);
    }

    let begun = (Instant::now(), {
        use xrpayd::clock::{Clock as _, SystemClock};
        SystemClock::new().now().0
    });
    let mut payments = Vec::new();
    for n in 0..PAYMENTS / 2 {
        let payment = merchant.pay(&format!("hook-{n}"), SHOP, n, "1").await;
        payments.push(id_of(&payment));
    }
    for receiver in &well {
        receiver.until(|heard| heard.len() >= 300).await;
        let worst = behind(receiver, begun);
        assert!(worst < 5_000, "{} was {worst} ms behind", receiver.url());
    }

    // Whatever is in hand is lost with the process, and nothing of it for good.
    daemon.kill();
    let daemon = scene.start().await;
    for n in PAYMENTS / 2..PAYMENTS {
        let payment = merchant.pay(&format!("hook-{n}"), SHOP, n, "1").await;
        payments.push(id_of(&payment));
    }
    for receiver in &down {
        receiver.listen().await;
    }
    for payment in &payments {
        merchant
            .until(&format!("/v1/payments/{payment}"), |payment| {
                payment["status"] == "succeeded"
            })
            .await;
    }
    let wanted = told(&merchant, &payments).await;
    assert!(wanted.len() >= 1_000, "{} events", wanted.len());
    for receiver in well.iter().chain(&down).chain([&slow]) {
        until_all(receiver, &wanted).await;
    }
    assert_eq!(private.connections(), 0, "a redirect was followed");
    assert!(!liar.heard().is_empty());

    // The liar repents: what it did not take is still there.
    liar.behave(Manner::Well);
    until_all(&liar, &wanted).await;
    assert_eq!(private.connections(), 0, "a redirect was followed");

    for (receiver, (_, secret)) in well.iter().chain(&down).chain([&slow, &liar]).zip(&secrets) {
        let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for heard in receiver.heard() {
            assert!(heard.verifies(secret), "{}", receiver.url());
            let event = heard.json();
            let sequence = event["sequence"].as_i64().unwrap();
            assert_eq!(
                Some(event["type"].as_str().unwrap()),
                wanted.get(&sequence).map(String::as_str)
            );
            let first = bodies
                .entry(heard.id())
                .or_insert_with(|| heard.body.clone());
            assert_eq!(*first, heard.body, "the bytes of an event never change");
        }
        assert_eq!(bodies.len(), wanted.len());
    }
    scene
        .until_metric("webhook_oldest_undelivered_seconds", |seconds| {
            seconds == 0.0
        })
        .await;
    assert!(
        scene
            .metric("webhook_deliveries_total{outcome=\"delivered\"}")
            .await
            > 0.0
    );
    scene.audit(&[]).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_shared_database_endpoints_need_a_configured_key_and_a_new_daemon_signs_with_the_same()
{
    let Some(store) = crate::store::fresh_postgres().await else {
        return;
    };
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("webhooks");
    std::fs::write(&key, format!("{}\n", "5a".repeat(32))).unwrap();
    let scene = Scene::with_store(Some(&store), "200ms", "10000", "", &[]);
    let daemon = scene.start().await;
    let scopes = ["payments:read", "payments:write", "webhooks:write"];
    let merchant = Merchant::new(&scene.setup.api, &scene.setup.create_key("shop", &scopes));
    let receiver = Receiver::start(Manner::Well).await;
    let body = json!({ "url": receiver.url(), "events": ["payment.*"] });
    let (status, refused) = merchant.post("/v1/webhook-endpoints", None, &body).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("webhooks_not_configured"))
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));

    let layer = format!("[webhooks]\nencryption_key = \"file:{}\"\n", key.display());
    scene.setup.rewrite_last_layer(&layer);
    let daemon = scene.start().await;
    let (_, secret) = endpoint(&merchant, &receiver).await;
    merchant.pay("before", SHOP, 1, "1").await;
    receiver.until(|heard| !heard.is_empty()).await;
    daemon.kill();
    let daemon = scene.start().await;
    let payment = id_of(&merchant.pay("after", SHOP, 2, "1").await);
    let of_payment = |heard: &crate::support::receiver::Heard| {
        let event = heard.json();
        event["data"]["id"] == payment.as_str() && event["type"] == "payment.succeeded"
    };
    receiver.until(|heard| heard.iter().any(of_payment)).await;
    assert!(receiver.heard().iter().all(|heard| heard.verifies(&secret)));
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
