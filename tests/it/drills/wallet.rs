//! What may be wrong with a wallet: too little in it, somebody else with its key, a database that
//! does not remember what it signed.

use super::scene::{
    GRACE, IMPATIENT, PATIENCE, SHOP, Scene, merchant_of, sequences, submissions_are_lost,
};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};

/// Closes ledgers by hand until the payment is as `wanted`.
async fn close_until(scene: &Scene, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let path = format!("/v1/payments/{id}");
    loop {
        let payment = scene.merchant.get(&path).await;
        if wanted(&payment) {
            return payment;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it stays {payment:#}"
        );
        scene.close_slowly().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_the_balance_holds_back_lets_smaller_ones_pass_and_is_paid_later() {
    let scene = Scene::new("manual", "100", IMPATIENT);
    let _daemon = scene.start().await;
    let first = scene.pay_one(1, "60").await;
    scene
        .merchant
        .payment(&first, |payment| !sequences(payment).is_empty())
        .await;
    let held = scene.pay_one(2, "70").await;
    let unwanted = scene.pay_one(3, "80").await;
    let small = scene.pay_one(4, "5").await;
    let is_held = |payment: &Value| payment["substatus"] == "low_balance";
    scene.merchant.payment(&held, is_held).await;
    scene.merchant.payment(&unwanted, is_held).await;
    let paid = |payment: &Value| payment["status"] == "succeeded";
    close_until(&scene, &first, paid).await;
    close_until(&scene, &small, paid).await;
    let still = scene.merchant.get(&format!("/v1/payments/{held}")).await;
    assert!(is_held(&still) && sequences(&still).is_empty(), "{still:#}");

    let (status, cancelled) = scene.merchant.cancel(&unwanted).await;
    assert_eq!(
        (status, &cancelled["status"]),
        (200, &json!("cancelled")),
        "{cancelled:#}"
    );
    assert_eq!(
        cancelled["proof"]["kind"], "nothing_signed",
        "{cancelled:#}"
    );
    let (status, refusal) = scene.merchant.cancel(&first).await;
    assert_eq!(
        (status, &refusal["code"]),
        (409, &json!("already_final")),
        "{refusal:#}"
    );
    let (status, refusal) = scene.merchant.cancel(&unwanted).await;
    assert_eq!(
        (status, &refusal["code"]),
        (409, &json!("already_final")),
        "{refusal:#}"
    );

    let fund = json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": "50000000" });
    scene.ledger.ask(fund).await;
    close_until(&scene, &held, paid).await;
    let payments = scene.settle().await;
    let statuses: Vec<_> = payments
        .values()
        .map(|payment| payment["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        ["succeeded", "succeeded", "cancelled", "succeeded"]
    );
}

/// Signs a payment with the wallet's key past the daemon and gives it to the ledger.
pub async fn pay_past_the_daemon(scene: &Scene, sequence: u64) -> String {
    let key = xrpayd_codec::Keypair::from_seed(WALLET.1).unwrap();
    let tx = json!({
        "TransactionType": "Payment",
        "Account": WALLET.0,
        "Destination": SHOP,
        "DestinationTag": 999,
        "Amount": "7000000",
        "Fee": "10",
        "Flags": 0,
        "Sequence": sequence,
    });
    let signed = xrpayd_codec::sign(&tx, &key).unwrap();
    let request = json!({ "command": "submit", "tx_blob": hex::encode_upper(&signed.blob) });
    let answer = scene.ledger.ask(request).await;
    assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer:#}");
    signed.hash.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_with_our_key_halts_the_wallet_until_a_person_resumes_it() {
    let scene = Scene::new("200ms", "10000", IMPATIENT);
    let _daemon = scene.start().await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let id = scene.pay_one(1, "3").await;
    let signed = scene
        .merchant
        .payment(&id, |payment| !sequences(payment).is_empty())
        .await;
    let stranger = pay_past_the_daemon(&scene, sequences(&signed)[0]).await;
    let halted = |wallet: &Value| wallet["status"] == "halted";
    let wallet = scene.merchant.until("/v1/wallets/hot", halted).await;
    let reason = wallet["halted_reason"].as_str().unwrap();
    assert!(reason.contains(&stranger), "{reason}");
    let health = scene.merchant.get("/health").await;
    assert_eq!(
        (&health["status"], &health["checks"]["wallet"]["halted"]),
        (&json!("degraded"), &json!(1))
    );

    // Everything works again, and yet nothing is signed before a person has looked.
    scene.ledger.clear().await;
    let later = scene.pay_one(2, "1").await;
    scene
        .ledger
        .reach(scene.ledger.validated().await + 10)
        .await;
    for id in [&id, &later] {
        let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
        assert_eq!(
            (&waiting["status"], &waiting["substatus"]),
            (&json!("processing"), &json!("queued")),
            "{waiting:#}"
        );
    }
    let resumed = scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot"]);
    assert_eq!(resumed["resumed"], true, "{resumed}");
    assert_eq!(resumed["was_halted"], reason);
    scene.merchant.all_final(PATIENCE).await;
    let payments = scene.audit(&[&stranger]).await;
    assert!(
        payments
            .values()
            .all(|payment| payment["status"] == "succeeded"),
        "{payments:#?}"
    );
    let robbed = &payments[&1]["attempts"];
    assert_eq!(
        (&robbed[0]["state"], &robbed[1]["state"]),
        (&json!("dead"), &json!("validated"))
    );
    scene
        .merchant
        .until("/v1/wallets/hot", |wallet| wallet["status"] == "ok")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_database_and_a_used_wallet_sign_nothing_until_the_journal_has_passed_the_window() {
    const WINDOW: u64 = 15;
    let mut scene = Scene::new("200ms", "10000", "[wallets.hot]\nledger_window = 15\n");
    let daemon = scene.start().await;
    let before = scene.ledger.validated().await;
    scene.pay_one(1, "1").await;
    let payments = scene.all_succeed(1).await;
    let last = payments[&1]["attempts"][0]["last_ledger_sequence"]
        .as_u64()
        .unwrap();
    assert!(
        last < before + WINDOW * 2,
        "the fresh wallet waited although it never sent anything"
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));

    for name in ["xrpayd.db", "xrpayd.db-wal", "xrpayd.db-shm"] {
        let gone = std::fs::remove_file(scene.folder().join(name));
        let absent = std::io::ErrorKind::NotFound;
        assert!(gone.is_ok() || gone.is_err_and(|error| error.kind() == absent));
    }
    scene.merchant = merchant_of(&scene.setup);
    let anchored_after = scene.ledger.validated().await;
    let _daemon = scene.start().await;
    let id = scene.pay_one(2, "1").await;
    let paid = scene
        .merchant
        .payment(&id, |payment| payment["status"] == "succeeded")
        .await;
    let last = paid["attempts"][0]["last_ledger_sequence"]
        .as_u64()
        .unwrap();
    // It was signed at the ledger WINDOW below its last one, and WINDOW above the anchor at least.
    assert!(
        last - WINDOW >= anchored_after + WINDOW,
        "signed too soon: {last}, {anchored_after}"
    );
    assert_eq!(sequences(&paid), [sequences(&payments[&1])[0] + 1]);
    // The audit knows the first payment, which the new database does not.
    let first = payments[&1]["tx_hash"].as_str().unwrap();
    scene.audit(&[first]).await;
}
