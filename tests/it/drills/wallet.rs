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

/// A payment that somebody signs with the wallet's key past the daemon.
pub fn signed_past_the_daemon(sequence: u64) -> xrpayd_codec::Signed {
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
    xrpayd_codec::sign(&tx, &key).unwrap()
}

/// Signs a payment with the wallet's key past the daemon and gives it to the ledger.
pub async fn pay_past_the_daemon(scene: &Scene, sequence: u64) -> String {
    let signed = signed_past_the_daemon(sequence);
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
        .command(&["wallet", "resume", "--wallet", "hot", "--accept", &stranger]);
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

/// Nothing is reconciled meanwhile, and nothing is asked for: what pages is the page of the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_theft_from_an_idle_wallet_halts_it_at_once_and_is_accepted_by_nobody_by_the_way() {
    const HALTED: &str = r#"wallet_halted{wallet_type="hot"}"#;
    const FOREIGN: &str = r#"foreign_transactions_unaccepted{wallet_type="hot"}"#;
    let scene = Scene::new("200ms", "10000", "[reconcile]\ninterval = \"1h\"\n");
    let daemon = scene.start().await;
    scene.pay_one(1, "3").await;
    let next = sequences(&scene.all_succeed(1).await[&1])[0] + 1;
    let first = pay_past_the_daemon(&scene, next).await;
    scene.until_metric(HALTED, |count| count == 1.0).await;
    scene.until_metric(FOREIGN, |count| count == 1.0).await;
    let wallet = scene.merchant.get("/v1/wallets/hot").await;
    let reason = wallet["halted_reason"].as_str().unwrap().to_owned();
    for told in [&first[..], "7 XRP", SHOP] {
        assert!(reason.contains(told), "{reason}");
    }
    let second = pay_past_the_daemon(&scene, next + 1).await;
    scene.until_metric(FOREIGN, |count| count == 2.0).await;
    let health = scene.merchant.get("/health").await;
    let check = &health["checks"]["wallet"];
    assert_eq!(
        (&check["halted"], &check["foreign_unaccepted"]),
        (&json!(1), &json!(2)),
        "{health:#}"
    );

    // It is shown, and no word of less than all of it resumes the wallet.
    let resume = ["wallet", "resume", "--wallet", "hot"];
    let one = [&resume[..], &["--accept", &first]].concat();
    for (command, words) in [
        (&resume[..], ""),
        (&resume[..], "accept 1 of hot"),
        (&one, ""),
    ] {
        let (code, answer, errors) = scene.setup.try_typing(command, words);
        assert_eq!((code, answer), (Some(1), Value::Null), "{errors}");
        for told in [&first, &second] {
            assert!(errors.contains(told.as_str()), "{errors}");
        }
        assert!(errors.contains("Payment of 7 XRP to"), "{errors}");
    }
    // Nor does a start of the daemon.
    daemon.kill();
    let daemon = scene.start().await;
    scene.until_metric(FOREIGN, |count| count == 2.0).await;
    let wallet = scene.merchant.get("/v1/wallets/hot").await;
    assert_eq!(wallet["halted_reason"], reason);

    let (code, resumed, errors) = scene.setup.try_typing(&resume, "accept 2 of hot");
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(resumed["foreign"][1]["tx_hash"], second, "{resumed:#}");
    scene.until_metric(FOREIGN, |count| count == 0.0).await;
    scene.pay_one(2, "1").await;
    scene.merchant.all_final(PATIENCE).await;
    scene.audit(&[&first, &second]).await;
    let entries = scene
        .setup
        .command(&["audit", "list", "--action", "wallet.resumed"]);
    assert!(entries.to_string().contains(&second), "{entries:#}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_by_a_command_shows_while_the_daemon_has_nothing_to_do() {
    let scene = Scene::new("200ms", "10000", "");
    let daemon = scene.start().await;
    scene.pay_one(1, "1").await;
    scene.all_succeed(1).await;
    let halting = xrpayd::store::StoreConfig::new(super::scene::store_in(scene.folder()));
    let store = xrpayd::store::Store::open(&halting, xrpayd::store::Access::Tool)
        .await
        .unwrap();
    let (who, now) = (
        xrpayd::store::Actor::Cli { uid: 0, said: None },
        xrpayd_core::ids::UnixMs(1),
    );
    store
        .set_halt("hot", Some("a person's word"), &who, now)
        .await
        .unwrap();
    store.close().await;
    let began = std::time::Instant::now();
    let halted = |wallet: &Value| wallet["halted_reason"] == "a person's word";
    scene.merchant.until("/v1/wallets/hot", halted).await;
    let metric = r#"wallet_halted{wallet_type="hot"}"#;
    scene.until_metric(metric, |count| count == 1.0).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot"]);
    let goes_on = |wallet: &Value| wallet["halted_reason"].is_null();
    scene.merchant.until("/v1/wallets/hot", goes_on).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
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
