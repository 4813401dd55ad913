//! A lane whose head never reaches the ledger: what waits behind it is freed without anybody's help.

use super::scene::{SHOP, Scene, id_of, is_final, sequences, submissions_are_lost};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};

/// Attempts that live for ten ledgers, so that the head is soon proven dead.
const TEN_LEDGERS: &str =
    "[xrpl]\nrequest_timeout = \"500ms\"\n[wallets.hot]\nledger_window = 10\n";

/// Has the payment of `body` signed while no server hears of it; then every server answers its
/// attempt with `result` and carries it out nowhere, and hears of everything else. Returns its id.
async fn lose_the_head(scene: &Scene, body: &Value, result: &str) -> String {
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let id = id_of(&scene.merchant.create("head", body).await);
    let signed = |payment: &Value| !sequences(payment).is_empty();
    let payment = scene.merchant.payment(&id, signed).await;
    let hash = &payment["attempts"][0]["tx_hash"];
    let lost = json!({ "kind": "turn_away", "hash": hash, "result": result });
    scene.ledger.fault_all(&lost).await;
    let heard = json!({ "kind": "drop_requests", "per_mille": 0, "only": "submit" });
    scene.ledger.fault_all(&heard).await;
    id
}

fn head() -> Value {
    json!({
        "destination": SHOP,
        "destination_tag": 1,
        "amount": { "currency": "XRP", "value": "1" },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_payments_behind_a_lost_one_are_each_paid_once_with_no_human() {
    let scene = Scene::new("250ms", "10000", TEN_LEDGERS);
    let _daemon = scene.start().await;
    lose_the_head(&scene, &head(), "terQUEUED").await;
    scene.pay(2, 30).await;
    let payments = scene.all_succeed(31).await;
    let attempts = payments[&1]["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["state"], "dead", "{:#}", payments[&1]);
    assert!(attempts.len() >= 2, "{:#}", payments[&1]);
    let gap = "wallet_sequence_gap{wallet_type=\"hot\"}";
    scene.until_metric(gap, |gap| gap == 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_malformed_for_every_server_fails_and_frees_those_behind() {
    let scene = Scene::new("250ms", "10000", TEN_LEDGERS);
    let _daemon = scene.start().await;
    let id = lose_the_head(&scene, &head(), "temMALFORMED").await;
    scene.pay(2, 10).await;
    let failed = scene.merchant.payment(&id, is_final).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert_eq!(failed["failure"]["ledger_code"], "temMALFORMED");
    assert_eq!(failed["failure"]["fee_charged"], false);
    assert_eq!(failed["proof"]["kind"], "absent", "{failed:#}");
    let payments = scene.settle().await;
    let paid = payments.values().filter(|p| p["status"] == "succeeded");
    assert_eq!(paid.count(), 10);
    // A no-op of ours is what took the head's sequence.
    let truth = scene.ledger.truth_of(WALLET.0).await;
    let plugs = truth.iter().filter(|tx| tx["type"] == "AccountSet");
    assert_eq!(plugs.count(), 1, "{truth:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_runs_out_of_time_frees_those_behind() {
    let scene = Scene::new("250ms", "10000", TEN_LEDGERS);
    let _daemon = scene.start().await;
    let mut body = head();
    body["expires_in"] = json!(2);
    let id = lose_the_head(&scene, &body, "terQUEUED").await;
    scene.pay(2, 10).await;
    let expired = scene.merchant.payment(&id, is_final).await;
    assert_eq!(expired["status"], "expired", "{expired:#}");
    assert_eq!(expired["proof"]["kind"], "absent", "{expired:#}");
    let payments = scene.settle().await;
    let paid = payments.values().filter(|p| p["status"] == "succeeded");
    assert_eq!(paid.count(), 10);
}
