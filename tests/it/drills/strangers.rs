//! What strangers bring: a body of megabytes, and a key that the ledger does not know.

use super::scene::{GRACE, SHOP, Scene};
use crate::support::daemon::WALLET;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_megabytes_is_answered_and_not_cut_off() {
    let scene = Scene::new("200ms", "1000", "");
    let key = scene.setup.create_key("large", &["payments:write"]);
    let daemon = scene.start().await;
    for size in [20_000, 5_000_000] {
        let answer = reqwest::Client::new()
            .post(format!("{}/v1/payments", scene.setup.api))
            .bearer_auth(&key)
            .header("idempotency-key", "large")
            .header("content-type", "application/json")
            .body(vec![b' '; size])
            .send()
            .await
            .expect("an answer, and no reset connection");
        assert_eq!(answer.status(), 413, "{size} bytes");
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "body_too_large");
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_ledger_will_refuse_halts_the_wallet_before_anything_is_signed() {
    // The account is the shop's, the seed the wallet's: neither its master nor its regular key.
    let layer = format!("[wallets.hot]\naddress = \"{SHOP}\"\n");
    let scene = Scene::new("200ms", "1000", &layer);
    let daemon = scene.start().await;
    let halted = |wallet: &serde_json::Value| !wallet["halted_reason"].is_null();
    let wallet = scene.merchant.until("/v1/wallets/hot", halted).await;
    let reason = wallet["halted_reason"].as_str().unwrap();
    assert!(reason.contains("regular key"), "{reason}");
    let payment = scene.merchant.pay("k", WALLET.0, 7, "1").await;
    // Long enough for a wallet that signs to have signed, sent and settled it.
    scene.ledger.reach(scene.ledger.validated().await + 4).await;
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    let payment = scene.merchant.get(&path).await;
    assert_eq!(payment["status"], "processing");
    assert_eq!(payment["attempts"].as_array().map(Vec::len), Some(0));
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let sent = scene.ledger.truth_of(SHOP).await;
    assert!(sent.iter().all(|tx| tx["destination_tag"] != 7), "{sent:?}");
}
