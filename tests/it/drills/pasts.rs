//! A lost database where there are several wallets: what one of them paid is paid again from none.

use super::pair::{Pair, SEED, key_of, shares};
use super::scene::{GRACE, SHOP, id_of, is_final, store_in};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use std::time::Duration;
use xrpayd_codec::Keypair;
use xrpayd_core::marker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_empty_database_no_key_is_paid_again_from_the_other_wallet() {
    let mut pair = Pair::new("10000", "10000");
    let daemon = pair.start().await;
    pair.pay(1..=40, "1").await;
    let before = pair.audit().await;
    let [hot, hot2] = shares(before.values());
    assert!(hot >= 10 && hot2 >= 10, "{hot} and {hot2}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
    pair.lose_database(None);
    // Everything that names no wallet is given to the second one now.
    let layer = "[wallets.hot]\nwallet_type = \"warm\"\n";
    pair.setup = pair.setup.clone().with(layer);
    let _daemon = pair.start().await;
    let accepted = pair.pay((1..=50).rev(), "1").await;
    assert_eq!(accepted.len(), 50);
    let after = pair.audit().await;
    assert_eq!(after.len(), 50);
    for (tag, payment) in &before {
        for field in ["wallet", "tx_hash", "ledger_index", "fee_drops"] {
            assert_eq!(after[tag][field], payment[field], "{:#}", after[tag]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_flight_and_without_its_database_it_pays_nothing_twice_on_sqlite() {
    let pair = Pair::new("10000", "10000");
    lose_it_all_in_mid_flight(pair, Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_flight_and_without_its_database_it_pays_nothing_twice_on_postgresql() {
    let mut databases = Vec::new();
    for _ in 0..=ROUNDS {
        match crate::store::fresh_postgres().await {
            Some(url) => databases.push(url),
            None => return,
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let first = databases.pop().unwrap();
    let pair = Pair::at(folder, "200ms", &first, ["10000", "10000"]);
    lose_it_all_in_mid_flight(pair, databases).await;
}

/// How often everything is lost.
const ROUNDS: u32 = 4;

/// The daemon is killed while attempts of both wallets are on their way, and loses its database; then
/// every key comes again. At last some are called off, which has to be as true as a payment.
async fn lose_it_all_in_mid_flight(mut pair: Pair, mut databases: Vec<String>) {
    // Both accounts have been used before: what one that never was may have in flight, nobody knows.
    let mut daemon = pair.start().await;
    pair.pay(1..=10, "1").await;
    pair.audit().await;
    let mut last = 10;
    for round in 1..=ROUNDS {
        last += 30;
        // All keys that there ever were, the newest first.
        let accepted = pair.pay((1..=last).rev(), "1").await;
        assert_eq!(accepted.len(), usize::try_from(last).unwrap());
        // Signing begins once what the last life had on its way must have come or gone.
        let is_signing = |open: &Value| {
            let open = open["data"].as_array().unwrap();
            open.is_empty() || open.iter().any(|payment| payment["attempts"] != json!([]))
        };
        let open = "/v1/payments?status=processing&limit=200";
        pair.merchant.until(open, is_signing).await;
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 70)).await;
        daemon.kill();
        let fresh = databases.pop();
        pair.lose_database(fresh.as_deref());
        daemon = pair.start().await;
    }
    let accepted = pair.pay((1..=last + 10).rev(), "1").await;
    let mut cancelled = Vec::new();
    for payment in accepted.iter().step_by(7) {
        let (status, answer) = pair.merchant.cancel(&id_of(payment)).await;
        match status {
            200 => cancelled.push(answer["destination_tag"].as_u64().unwrap()),
            _ => assert_eq!(status, 409, "{answer:#}"),
        }
    }
    let payments = pair.audit().await;
    assert_eq!(payments.len(), usize::try_from(last + 10).unwrap());
    for (tag, payment) in payments {
        let is_cancelled = payment["status"] == "cancelled";
        assert_eq!(is_cancelled, cancelled.contains(&tag), "{payment:#}");
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

/// Has `seed` sign a transaction and sends it past the daemon; returns its hash.
async fn send_past_the_daemon(pair: &Pair, seed: &str, mut tx: Value) -> String {
    let key = Keypair::from_seed(seed).unwrap();
    let account = key.public_key().account_id().to_string();
    let info = json!({ "command": "account_info", "account": account });
    let sequence = pair.ledger.ask(info).await["account_data"]["Sequence"].clone();
    for (field, value) in [
        ("TransactionType", json!("Payment")),
        ("Account", json!(account)),
        ("Sequence", sequence),
        ("Destination", json!(SHOP)),
        ("Amount", json!("1000000")),
        ("Fee", json!("10")),
        ("Flags", json!(0)),
    ] {
        tx[field] = value;
    }
    let signed = xrpayd_codec::sign(&tx, &key).unwrap();
    let request = json!({ "command": "submit", "tx_blob": hex::encode_upper(&signed.blob) });
    let answer = pair.ledger.ask(request).await;
    assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer:#}");
    signed.hash.to_string()
}

/// Closes ledgers by hand, each once both wallets have read the one before.
async fn close(pair: &Pair, ledgers: u32) {
    for _ in 0..ledgers {
        pair.ledger.close().await;
        let at = pair.ledger.validated().await;
        for name in pair.accounts.keys() {
            let has_read = |wallet: &Value| wallet["journal_ledger"].as_u64() >= Some(at);
            let path = format!("/v1/wallets/{name}");
            pair.merchant.until(&path, has_read).await;
        }
    }
}

/// Whatever pays it, and from whichever wallet, a payment that was called off is found to be paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_was_called_off_and_is_paid_from_the_other_wallet_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let mut pair = Pair::at(folder, "manual", &store, ["10000", "5000"]);
    let layer = "[limits]\napproval_threshold = \"1\"\n[reconcile]\ninterval = \"1h\"\n";
    pair.setup = pair.setup.clone().with(layer);
    let _daemon = pair.start().await;
    // The beginning of both journals has been read once the next ledger is there.
    close(&pair, 2).await;
    let waiting = pair.pay([1], "1").await.remove(0);
    assert_eq!(waiting["wallet"], "hot", "{waiting:#}");
    let (status, answer) = pair.merchant.cancel(&id_of(&waiting)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("cancelled")));
    pair.setup.command(&["reconcile"]);
    let marker = marker::of("hot2", "shop", &key_of(1)).to_string();
    let tx = json!({ "DestinationTag": 1, "InvoiceID": marker });
    let hash = send_past_the_daemon(&pair, SEED, tx).await;
    close(&pair, 2).await;
    let (code, found, errors) = pair.setup.try_command(&["reconcile"]);
    assert_eq!(code, Some(1), "{errors}");
    let differences = found["wallets"].to_string();
    assert!(
        differences.contains("paid_twice") && differences.contains(&hash),
        "{found:#}"
    );
}

/// One wallet's attempts live for four ledgers, the other's for twenty: while the one knows its own
/// past, an attempt of the other may still come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_signs_nothing_that_another_one_may_still_have_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let mut pair = Pair::at(folder, "manual", &store, ["10000", "5000"]);
    let windows = "[wallets.hot]\nledger_window = 4\n[wallets.hot2]\nledger_window = 20\n";
    pair.setup = pair.setup.clone().with(windows);
    for seed in [WALLET.1, SEED] {
        send_past_the_daemon(&pair, seed, json!({ "DestinationTag": 900 })).await;
    }
    pair.ledger.close().await;
    let _daemon = pair.start().await;
    let ours = pair.pay([1, 2], "1").await;
    assert_eq!(shares(&ours), [1, 1]);
    let from_hot = ours.iter().position(|payment| payment["wallet"] == "hot");
    let (id, tag) = (id_of(&ours[from_hot.unwrap()]), from_hot.unwrap() + 1);
    close(&pair, 10).await;
    let path = format!("/v1/payments/{id}");
    let waiting = pair.merchant.get(&path).await;
    assert_eq!(waiting["attempts"], json!([]), "{waiting:#}");
    let (status, answer) = pair.merchant.cancel(&id).await;
    assert_eq!((status, &answer["code"]), (409, &json!("not_known_yet")));

    // What the lost life had signed for this key, from the other wallet, comes only now.
    let key = key_of(u32::try_from(tag).unwrap());
    let marker = marker::of("hot2", "shop", &key).to_string();
    let lost = json!({ "DestinationTag": tag, "InvoiceID": marker });
    let hash = send_past_the_daemon(&pair, SEED, lost).await;
    close(&pair, 30).await;
    let adopted = pair.merchant.payment(&id, is_final).await;
    assert_eq!(
        (&adopted["status"], &adopted["wallet"], &adopted["tx_hash"]),
        (&json!("succeeded"), &json!("hot2"), &json!(hash)),
        "{adopted:#}"
    );
    close(&pair, 5).await;
    pair.audit_with(&[900]).await;
}
