//! What may become of a submission: its answer is lost, it is lost itself, it comes too late, or
//! the ledger takes it and charges for nothing.

use super::scene::{
    GRACE, IMPATIENT, SHOP, SHORT_LIVED, Scene, accounts_are_untold, id_of, is_final, sequences,
    submissions_are_lost,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_submit_answer_never_pays_twice() {
    let scene = Scene::new("200ms", "10000", IMPATIENT);
    let daemon = scene.start().await;
    let lost = json!({ "kind": "drop_responses", "per_mille": 1000, "only": "submit" });
    scene.ledger.fault_all(&lost).await;
    scene.pay(1, 30).await;
    // The journal alone tells of them: no server ever answers for any.
    for payment in scene.all_succeed(30).await.values() {
        assert_eq!(sequences(payment).len(), 1, "{payment:#}");
    }
    let lost = r#"xrpl_submissions_total{engine_result="unknown"}"#;
    scene.until_metric(lost, |count| count >= 30.0).await;
    let answered = r#"xrpl_submissions_total{engine_result="tesSUCCESS"}"#;
    assert_eq!(
        scene.metric(answered).await,
        0.0,
        "the drill lost not every answer"
    );
    scene.ledger.clear().await;
    scene.pay(31, 5).await;
    scene.all_succeed(35).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_no_server_takes_expires_only_by_proof() {
    let scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let body = json!({
        "destination": SHOP,
        "destination_tag": 1,
        "amount": { "currency": "XRP", "value": "5" },
        "expires_in": 1,
    });
    let id = id_of(&scene.merchant.create("expires", &body).await);
    let payment = scene.merchant.payment(&id, is_final).await;
    assert_eq!(payment["status"], "expired", "{payment:#}");
    let seen = scene.substatuses(&id).await;
    assert!(
        seen.iter().any(|substatus| substatus == "outcome_unknown"),
        "{seen:?}"
    );

    let (proof, attempts) = (&payment["proof"], payment["attempts"].as_array().unwrap());
    let last_attempt = attempts.last().expect("it was signed");
    let last_ledger = last_attempt["last_ledger_sequence"].as_u64().unwrap();
    let bound = |name: &str| proof[name].as_u64().unwrap();
    assert_eq!(proof["kind"], "absent", "{payment:#}");
    assert_eq!(proof["reason"], "slot_free", "{payment:#}");
    assert!(bound("from_ledger") <= last_ledger - 4, "{payment:#}");
    assert!(bound("to_ledger") >= last_ledger, "{payment:#}");
    assert!(bound("read_at_ledger") >= last_ledger, "{payment:#}");
    assert!(bound("account_sequence") <= last_attempt["sequence"].as_u64().unwrap());
    assert!(
        proof["servers"].as_array().unwrap().len() >= 2,
        "{payment:#}"
    );
    assert!(
        attempts.iter().all(|attempt| attempt["state"] == "dead"),
        "{payment:#}"
    );

    // The sequence that it gave back is good for the next payment.
    scene.ledger.clear().await;
    scene.pay_one(2, "1").await;
    let payments = scene.settle().await;
    assert_eq!(payments[&2]["status"], "succeeded");
    assert_eq!(sequences(&payments[&2])[0], sequences(&payment)[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_no_server_takes_is_signed_again_on_the_same_sequence() {
    let scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let id = scene.pay_one(1, "5").await;
    let waiting = scene
        .merchant
        .payment(&id, |payment| sequences(payment).len() >= 3)
        .await;
    assert_eq!(waiting["status"], "processing", "{waiting:#}");
    let attempts = waiting["attempts"].as_array().unwrap();
    let (last, earlier) = attempts.split_last().unwrap();
    assert!(
        earlier.iter().all(|attempt| attempt["state"] == "dead"),
        "{waiting:#}"
    );
    assert_ne!(last["state"], "dead", "{waiting:#}");
    scene.ledger.clear().await;
    let payments = scene.all_succeed(1).await;
    let used = sequences(&payments[&1]);
    assert!(used.iter().all(|sequence| *sequence == used[0]), "{used:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tec_is_a_failure_that_cost_its_fee_and_the_wallet_goes_on() {
    let scene = Scene::new("100ms", "10000", IMPATIENT);
    let _daemon = scene.start().await;
    // Nobody has funded this account, and half an XRP is less than its reserve.
    let nobody = "rUCzEr6jrEyMpjhs4wSdQdz4g8Y382NxfM";
    // The daemon would have refused to sign, had anybody told it of the account.
    scene.ledger.fault_all(&accounts_are_untold()).await;
    let failing = id_of(&scene.merchant.pay("tec", nobody, 1, "0.5").await);
    let is_signed = |payment: &serde_json::Value| payment["attempts"] != json!([]);
    scene.merchant.payment(&failing, is_signed).await;
    scene.ledger.clear().await;
    scene.pay(2, 10).await;
    let payments = scene.settle().await;
    let failed = &payments[&1];
    assert_eq!(failed["id"], failing.as_str());
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert_eq!(failed["failure"]["code"], "destination_not_funded");
    assert_eq!(failed["failure"]["ledger_code"], "tecNO_DST_INSUF_XRP");
    assert_eq!(failed["failure"]["fee_charged"], true);
    assert_eq!(failed["result_code"], "tecNO_DST_INSUF_XRP");
    assert_eq!(failed["fee_drops"], failed["attempts"][0]["fee_drops"]);
    assert_eq!(failed["proof"]["kind"], "validated", "{failed:#}");
    for tag in 2..12 {
        assert_eq!(payments[&tag]["status"], "succeeded");
    }
    // Ten payments of 1 XRP and eleven fees of ten drops are gone, and nothing else.
    let wallet = |wallet: &serde_json::Value| wallet["balance"]["value"] == "9989.99989";
    scene.merchant.until("/v1/wallets/hot", wallet).await;
}
