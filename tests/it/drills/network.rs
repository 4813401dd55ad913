//! What was measured on networks of real servers when things broke, done to the daemon on the model
//! ledger, whose time moves by hand: the false expiry, the validation long after, the thawed submission.

use super::scene::{PATIENCE, SHOP, Scene, id_of, is_final, sequences};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use std::time::Duration;

/// Attempts that live for five ledgers, and servers that are not waited for long.
const HASTE: &str = "[xrpl]\nrequest_timeout = \"400ms\"\nreconnect_max = \"100ms\"\n\
                     [wallets.hot]\nledger_window = 5\n";
/// Far beyond the last ledger of anything that was signed before.
const LEAP: u64 = 20;

/// Posts a payment whose time is out in a second, so that a false proof would end it.
async fn pay_in_haste(scene: &Scene, tag: u32) -> String {
    let body = json!({
        "destination": SHOP,
        "destination_tag": tag,
        "amount": { "currency": "XRP", "value": "5" },
        "expires_in": 1,
    });
    id_of(&scene.merchant.create(&format!("haste-{tag}"), &body).await)
}

async fn submitted(scene: &Scene, id: &str) -> Value {
    let is_sent = |payment: &Value| payment["substatus"] == "submitted";
    scene.merchant.payment(id, is_sent).await
}

/// The wallet's payments on the ledger, whatever servers say of it.
async fn on_the_ledger(scene: &Scene) -> Vec<Value> {
    let all = scene.ledger.truth_of(WALLET.0).await;
    let ours = |tx: &Value| tx["account"] == WALLET.0 && tx["type"] == "Payment";
    all.into_iter().filter(ours).collect()
}

/// Closes ledgers by hand and looks at the payment after each, until it has its end; at no moment may it
/// be said not to be delivered.
async fn close_until_final(scene: &Scene, id: &str) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let payment = scene.merchant.get(&format!("/v1/payments/{id}")).await;
        scene.audit(&[]).await;
        if is_final(&payment) {
            return payment;
        }
        assert!(tokio::time::Instant::now() < deadline, "{payment:#}");
        scene.close_slowly().await;
    }
}

/// The validated index that one of the daemon's servers announces.
async fn announced(scene: &Scene, server: usize) -> (u64, String) {
    let ask = json!({ "command": "server_info" });
    let info = scene.ledger.ask_server(server, ask).await;
    let info = &info["result"]["info"];
    (
        info["validated_ledger"]["seq"].as_u64().unwrap_or_default(),
        info["complete_ledgers"].as_str().unwrap().to_owned(),
    )
}

fn last_of(complete: &str) -> u64 {
    let (_, last) = complete.rsplit_once(['-', ',']).unwrap();
    last.parse().unwrap()
}

async fn admits_that_it_is_not_synced(scene: &Scene, server: usize) {
    let question =
        json!({ "command": "account_info", "account": WALLET.0, "ledger_index": "validated" });
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = scene.ledger.ask_server(server, question.clone()).await;
        if answer["status"] == "error" {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The false expiry: the validated index is far beyond the payment's last ledger, and the history that
/// holds the payment is not there yet.
async fn false_expiry(lose: Value, heal: Vec<Value>) {
    let scene = Scene::new("manual", "10000", HASTE);
    let _daemon = scene.start().await;
    scene.ledger.fault_all(&lose).await;
    let id = pay_in_haste(&scene, 1).await;
    let signed = submitted(&scene, &id).await;
    let last = signed["attempts"][0]["last_ledger_sequence"]
        .as_u64()
        .unwrap();
    for _ in 0..LEAP {
        scene.ledger.close().await;
    }
    for step in &heal {
        scene.ledger.fault_all(step).await;
    }
    let mut contradicted = 0;
    for server in 0..3 {
        let (index, complete) = announced(&scene, server).await;
        let held = last_of(&complete);
        assert!(
            index > last,
            "server {server} announces {index}, and {last} was the last"
        );
        if held < last {
            contradicted += 1;
        }
    }
    assert_eq!(
        contradicted, 3,
        "no server's index runs ahead of its history"
    );
    // Its time is out by now, and a second passes in which a daemon that believed the index would end it.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert!(!is_final(&waiting), "{waiting:#}");
    let paid = close_until_final(&scene, &id).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    assert_eq!(sequences(&paid).len(), 1, "signed twice: {paid:#}");
    assert!(paid["ledger_index"].as_u64().unwrap() <= last, "{paid:#}");
    assert_eq!(on_the_ledger(&scene).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_quorum_an_index_that_leapt_ahead_of_its_history_expires_nothing() {
    let lost = json!({ "kind": "quorum_lost", "ledgers_per_close": 1 });
    let back = json!({ "kind": "quorum_lost", "on": false });
    false_expiry(lost, vec![back]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_catch_up_with_a_leap_expire_nothing() {
    let stalled = json!({ "kind": "stall_ledger" });
    let leap = json!({ "kind": "jump", "ledgers_per_close": 1 });
    let on = json!({ "kind": "stall_ledger", "on": false });
    false_expiry(stalled, vec![leap, on]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_validated_160_seconds_after_its_submission_succeeds_once() {
    let scene = Scene::new("manual", "10000", HASTE);
    let _daemon = scene.start().await;
    let close_time = |ledger: Value| ledger["ledger"]["close_time"].as_u64().unwrap();
    let newest = json!({ "command": "ledger", "ledger_index": "validated" });
    let began = close_time(scene.ledger.ask(newest.clone()).await);
    // Servers admit that they are not synchronised before it is over, as real ones did after 120 s.
    let lost = json!({ "kind": "quorum_lost", "stale_after_ms": 800 });
    scene.ledger.fault_all(&lost).await;
    let id = pay_in_haste(&scene, 1).await;
    let signed = submitted(&scene, &id).await;
    let last = signed["attempts"][0]["last_ledger_sequence"]
        .as_u64()
        .unwrap();
    // The ledger bounds ledgers, not time: three of them close in 165 seconds.
    for _ in 0..3 {
        let accept = json!({ "command": "ledger_accept", "advance_s": 55 });
        scene.ledger.ask(accept).await;
    }
    for server in 0..3 {
        admits_that_it_is_not_synced(&scene, server).await;
    }
    let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert!(!is_final(&waiting), "{waiting:#}");
    assert_eq!(sequences(&waiting).len(), 1, "{waiting:#}");
    let back = json!({ "kind": "quorum_lost", "on": false });
    scene.ledger.fault_all(&back).await;
    let paid = close_until_final(&scene, &id).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    assert_eq!(sequences(&paid).len(), 1, "signed twice: {paid:#}");
    assert!(paid["ledger_index"].as_u64().unwrap() <= last, "{paid:#}");
    let ended = close_time(scene.ledger.ask(newest).await);
    assert!(ended - began >= 160, "only {} s passed", ended - began);
    assert_eq!(on_the_ledger(&scene).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_frozen_servers_take_when_they_thaw_is_paid_once_though_they_say_success() {
    let scene = Scene::new("manual", "10000", HASTE);
    let _daemon = scene.start().await;
    scene.ledger.fault_all(&json!({ "kind": "freeze" })).await;
    let id = scene.pay_one(1, "5").await;
    let is_signed = |payment: &Value| !sequences(payment).is_empty();
    let signed = scene.merchant.payment(&id, is_signed).await;
    let last = signed["attempts"][0]["last_ledger_sequence"]
        .as_u64()
        .unwrap();
    let first_hash = signed["attempts"][0]["tx_hash"].clone();
    // Nobody answers, and the network goes past the last ledger of what waits in the servers.
    let is_lost = |payment: &Value| payment["substatus"] == "outcome_unknown";
    scene.merchant.payment(&id, is_lost).await;
    while scene.ledger.validated().await <= last + 2 {
        scene.ledger.close().await;
    }
    assert_eq!(on_the_ledger(&scene).await, Vec::<Value>::new());
    scene.ledger.clear().await;
    let paid = close_until_final(&scene, &id).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    assert_eq!(paid["attempts"][0]["state"], "dead", "{paid:#}");
    assert_ne!(paid["tx_hash"], first_hash, "{paid:#}");
    assert_eq!(on_the_ledger(&scene).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_at_a_frozen_server_and_at_another_are_paid_once() {
    let scene = Scene::new("manual", "10000", HASTE);
    let _daemon = scene.start().await;
    for frozen in 0..3 {
        let freeze = json!({ "kind": "freeze" });
        scene.ledger.fault(frozen, &freeze).await;
        let tag = u32::try_from(frozen).unwrap();
        let id = scene.pay_one(tag, "5").await;
        // The others take it, and the ledger has it long before the frozen one hears of it.
        let paid = close_until_final(&scene, &id).await;
        assert_eq!(paid["status"], "succeeded", "{paid:#}");
        for _ in 0..3 {
            scene.close_slowly().await;
        }
        scene.ledger.clear().await;
        scene.close_slowly().await;
        assert_eq!(on_the_ledger(&scene).await.len(), frozen + 1);
    }
    scene.all_succeed(3).await;
}
