//! A wallet that begins with an older ledger: all of its past is booked, once, beside its work.

use super::scene::{GRACE, PATIENCE, SHOP, Scene, is_final, merchant_of, store_in};
use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use std::path::Path;
use std::time::Duration;
use xrpayd_codec::Keypair;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// Transactions of the long history.
const MANY: u64 = 100_000;
/// Those of one of its ledgers.
const A_LEDGER: u64 = 500;
/// What each of them brings.
const DEPOSIT_XRP: &str = "2";

/// Writes the state of a ledger in which the wallet came to be and was paid `count` times.
async fn history(state: &Path, count: u64) {
    let network = Network::start(NetworkConfig {
        close_interval: CloseInterval::Manual,
        state: Some(state.to_owned()),
        ..NetworkConfig::default()
    })
    .await
    .unwrap();
    let wallet: AccountId = WALLET.0.parse().unwrap();
    let (deposit, more) = (DEPOSIT_XRP, "1000");
    let xrp = |text| Drops::from_xrp(text).unwrap();
    assert!(network.fund(SHOP.parse().unwrap(), xrp(more)));
    for n in 0..count {
        if n % A_LEDGER == 0 {
            let _open = network.close_ledger();
        }
        assert!(network.fund(wallet, xrp(deposit)));
    }
    let _open = network.close_ledger();
    network.stop().await;
}

/// Waits until the wallet's journal is as `wanted`; it must not be there without having been read on.
async fn until_journal(merchant: &Merchant, wanted: impl Fn(&Value) -> bool) -> Value {
    let wallet = merchant
        .until("/v1/wallets/hot", |wallet| wanted(&wallet["journal"]))
        .await;
    wallet["journal"].clone()
}

/// Waits until so many transactions of the past are booked, and not yet all.
async fn until_booked(merchant: &Merchant, transactions: u64) {
    let journal = until_journal(merchant, |journal| {
        let booked = journal["backfill"]["transactions"].as_u64();
        booked >= Some(transactions) || journal["backfilling"] == false
    })
    .await;
    assert_eq!(journal["backfilling"], true, "too late: {journal:#}");
}

async fn until_joined(merchant: &Merchant, start: u64) {
    until_journal(merchant, |journal| {
        journal["backfilling"] == false && journal["start_ledger"] == start
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_transactions_are_booked_once_through_two_kills_while_the_wallet_pays() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("ledger.state");
    history(&state, MANY).await;
    let state = state.display().to_string();
    let ledger = Ledger::start_with(folder.path(), "1s", &[], &["--state", &state]);
    // One server, so that the time goes into the daemon and not into the model's answers.
    let layer = format!(
        "[xrpl]\nservers = {:?}\nquorum = 1\nrequest_timeout = \"20s\"\n\
         [wallets.hot]\nstart_ledger = 2\n[reconcile]\ninterval = \"1h\"\n",
        &ledger.urls[..1]
    );
    let store = store_in(folder.path());
    let setup = Setup::new(folder.path(), &ledger.urls, &store, "").with(&layer);
    let merchant = merchant_of(&setup);
    let daemon = setup.start();
    setup.ready().await;
    until_booked(&merchant, 1).await;
    // What the wallet does now waits for nothing of what was.
    let paid = merchant.pay("now", SHOP, 1, "3").await;
    let paid = merchant
        .payment(paid["id"].as_str().unwrap(), is_final)
        .await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    until_booked(&merchant, MANY / 5).await;
    daemon.kill();
    let daemon = setup.start();
    setup.ready().await;
    until_booked(&merchant, MANY / 2).await;
    daemon.kill();
    let daemon = setup.start();
    setup.ready().await;
    until_joined(&merchant, 2).await;
    let journal = until_journal(&merchant, |journal| journal["lag_ledgers"] == 0).await;
    assert_eq!(journal["waiting_for"], json!([]), "{journal:#}");
    let resident = daemon.resident_kb();
    assert!(resident < 400_000, "{resident} kB are resident");
    assert_eq!(daemon.terminate(GRACE), Some(0));

    let mut books = SqliteConnection::connect(&store).await.unwrap();
    let row = sqlx::query(
        "select count(*), count(distinct j.hash), sum(j.change_drops), w.opening_drops, w.balance_drops \
         from journal_entries j join wallets w on w.name = j.wallet",
    )
    .fetch_one(&mut books)
    .await
    .unwrap();
    let deposits = sqlx::query("select count(*), count(distinct hash), sum(drops) from deposits")
        .fetch_one(&mut books)
        .await
        .unwrap();
    books.close().await.unwrap();
    let number = |column: usize| row.get::<i64, _>(column);
    let all = i64::try_from(MANY).unwrap() + 1;
    assert_eq!((number(0), number(1)), (all, all));
    let info =
        json!({ "command": "account_info", "account": WALLET.0, "ledger_index": "validated" });
    let on_ledger = ledger.ask(info).await["account_data"]["Balance"].clone();
    let on_ledger: i64 = on_ledger.as_str().unwrap().parse().unwrap();
    assert_eq!(number(3), 0, "it came to be after its journal's beginning");
    assert_eq!((number(2), number(4)), (on_ledger, on_ledger));
    let credited = |column: usize| deposits.get::<i64, _>(column);
    assert_eq!((credited(0), credited(1)), (all - 1, all - 1));
    let one = Drops::from_xrp(DEPOSIT_XRP).unwrap().get();
    assert_eq!(credited(2), i64::try_from(one * MANY).unwrap());
}

/// What the account sends without the daemon.
async fn send_past_the_daemon(ledger: &Ledger, tag: u32) {
    let key = Keypair::from_seed(WALLET.1).unwrap();
    let info = json!({ "command": "account_info", "account": WALLET.0, "ledger_index": "current" });
    let tx = json!({
        "TransactionType": "Payment",
        "Account": WALLET.0,
        "Sequence": ledger.ask(info).await["account_data"]["Sequence"],
        "Destination": SHOP,
        "DestinationTag": tag,
        "Amount": "1000000",
        "Fee": "10",
        "Flags": 0,
    });
    let signed = xrpayd_codec::sign(&tx, &key).unwrap();
    let request = json!({ "command": "submit", "tx_blob": hex::encode_upper(&signed.blob) });
    let answer = ledger.ask(request).await;
    assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer:#}");
}

/// A deposit of `xrp`.
async fn deposit(ledger: &Ledger, xrp: &str) {
    let drops = Drops::from_xrp(xrp).unwrap().to_string();
    ledger
        .ask(json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": drops }))
        .await;
}

/// Ten ledgers, each with a deposit and a payment past the daemon; returns the first one's index.
async fn ten_ledgers(ledger: &Ledger) -> u64 {
    for tag in 0..10 {
        deposit(ledger, "7.000001").await;
        send_past_the_daemon(ledger, 500 + tag).await;
        ledger.close().await;
    }
    ledger.validated().await - 9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_an_older_life_begins_with_what_its_first_transaction_found() {
    let scene = Scene::new("manual", "10000", "[reconcile]\ninterval = \"1h\"\n");
    ten_ledgers(&scene.ledger).await;
    let first = ten_ledgers(&scene.ledger).await;
    // One of three servers hides what it holds, and is found out.
    let lie = json!({ "kind": "lie_absent", "account": WALLET.0 });
    scene.ledger.fault(1, &lie).await;
    let setup = scene
        .setup
        .clone()
        .with(&format!("[wallets.hot]\nstart_ledger = {first}\n"));
    let daemon = setup.start();
    setup.ready().await;
    until_joined(&scene.merchant, first).await;
    scene.ledger.clear().await;
    let books = setup.command(&["reconcile"]);
    assert_eq!(books["agrees"], true, "{books:#}");
    let wallet = &books["wallets"][0];
    assert_eq!(wallet["from_ledger"], first, "{books:#}");
    // 10,000 and ten times what the first ten ledgers moved.
    assert_eq!(wallet["opening_drops"], "10059999910", "{books:#}");
    assert_eq!(wallet["credited_drops"], "70000010", "{books:#}");
    assert_eq!(wallet["delivered_drops"], "10000000", "{books:#}");
    assert_eq!(wallet["fee_drops"], "100", "{books:#}");
    assert_eq!(wallet["foreign_accepted"], 10, "{books:#}");
    assert_eq!(daemon.terminate(GRACE), Some(0));

    // Where it began it began.
    let other = setup.with("[wallets.hot]\nstart_ledger = 3\n");
    let daemon = other.start();
    other.ready().await;
    until_joined(&scene.merchant, first).await;
    assert!(other.log().contains("start_ledger has no effect"));
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_past_with_a_transaction_missing_is_named_and_not_booked_until_it_is_told_whole() {
    let quorum = "[xrpl]\nquorum = 1\n[reconcile]\ninterval = \"1h\"\n";
    let scene = Scene::new("manual", "10000", quorum);
    let first = ten_ledgers(&scene.ledger).await;
    let truth = scene.ledger.truth_of(WALLET.0).await;
    let of_fifth = |tx: &&Value| tx["ledger_index"] == first + 5 && tx["account"] != WALLET.0;
    let hidden = &truth.iter().find(of_fifth).unwrap()["hash"];
    let lie = json!({ "kind": "lie_absent", "hash": hidden });
    scene.ledger.fault_all(&lie).await;
    let layer = "[wallets.hot]\nstart_ledger = 2\n";
    let setup = scene.setup.clone().with(layer);
    let daemon = setup.start();
    setup.ready().await;
    let waits = |journal: &Value| journal["waiting_for"][0].is_object();
    let journal = until_journal(&scene.merchant, waits).await;
    let reason = journal["waiting_for"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("proves nothing"), "{reason}");
    assert!(
        reason.contains("what was read before it leaves"),
        "{reason}"
    );
    assert_eq!(journal["waiting_for"][0]["missing_ledgers"], Value::Null);
    assert_eq!(journal["ledger"], 1, "{journal:#}");
    let health = scene.merchant.get("/health").await;
    assert_eq!(
        health["checks"]["journal"]["status"], "degraded",
        "{health:#}"
    );
    scene.ledger.clear().await;
    until_joined(&scene.merchant, 2).await;
    let books = setup.command(&["reconcile"]);
    assert_eq!(books["agrees"], true, "{books:#}");
    assert_eq!(books["wallets"][0]["foreign_accepted"], 10, "{books:#}");
    let journal = until_journal(&scene.merchant, |_| true).await;
    assert_eq!(journal["waiting_for"], json!([]), "{journal:#}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_named_and_waited_for_until_a_server_that_holds_it_is_added() {
    let scene = Scene::new("200ms", "10000", "[reconcile]\ninterval = \"1h\"\n");
    deposit(&scene.ledger, "7").await;
    let validated = scene.ledger.validated().await;
    scene.ledger.reach(validated + 20).await;
    deposit(&scene.ledger, "11").await;
    scene.ledger.reach(validated + 25).await;
    let gap = json!({ "kind": "history_gap", "from": 2, "to": validated + 10 });
    for server in 0..2 {
        scene.ledger.fault(server, &gap).await;
    }
    let servers = |count: usize| {
        let urls = &scene.ledger.urls[..count];
        format!("[xrpl]\nservers = {urls:?}\nquorum = 1\n[wallets.hot]\nstart_ledger = 2\n")
    };
    let setup = scene.setup.clone().with(&servers(2));
    let daemon = setup.start();
    setup.ready().await;
    let waits = |journal: &Value| journal["waiting_for"][0].is_object();
    let journal = until_journal(&scene.merchant, waits).await;
    let wait = &journal["waiting_for"][0];
    let reason = wait["reason"].as_str().unwrap();
    assert_eq!(wait["from_ledger"], 2, "{journal:#}");
    assert_eq!(wait["missing_ledgers"], validated + 9, "{journal:#}");
    let held = format!("from ledger {} on a quorum holds", validated + 11);
    assert!(reason.contains(&held), "{reason}");
    for url in &scene.ledger.urls[..2] {
        let name = url.trim_start_matches("ws://");
        let holds = format!("{name} holds {}-", validated + 11);
        assert!(reason.contains(&holds), "{reason}");
    }
    assert_eq!(journal["ledger"], 1, "{journal:#}");
    assert_eq!(journal["backfilling"], true, "{journal:#}");
    let health = scene.merchant.get("/health").await;
    assert_eq!(health["status"], "degraded", "{health:#}");
    let detail = health["checks"]["journal"]["detail"][0]
        .as_str()
        .unwrap_or_else(|| panic!("{health:#} {}", setup.log()));
    assert!(detail.contains(&held), "{detail}");
    let missing = f64::from(u32::try_from(validated).unwrap() + 9);
    let is_missing = |value: f64| value == missing;
    let label = r#"{wallet_type="hot"}"#;
    scene
        .until_metric(&format!("journal_gap_ledgers{label}"), is_missing)
        .await;
    let before_it = |value: f64| value == 1.0;
    scene
        .until_metric(&format!("journal_cursor_ledger{label}"), before_it)
        .await;
    // Payments do not wait for it.
    let id = scene.pay_one(1, "5").await;
    let payment = scene.merchant.payment(&id, is_final).await;
    assert_eq!(payment["status"], "succeeded", "{payment:#}");
    let journal = until_journal(&scene.merchant, |_| true).await;
    assert_eq!(journal["ledger"], 1, "it was stepped over: {journal:#}");

    setup.rewrite_last_layer(&servers(3));
    daemon.ask_to_reload();
    until_joined(&scene.merchant, 2).await;
    let healthy = |health: &Value| health["checks"]["journal"]["status"] == "healthy";
    scene.merchant.until("/health", healthy).await;
    let none = |value: f64| value == 0.0;
    scene
        .until_metric(&format!("journal_gap_ledgers{label}"), none)
        .await;
    scene.ledger.clear().await;
    let books = setup.command(&["reconcile"]);
    assert_eq!(books["agrees"], true, "{books:#}");
    let wallet = &books["wallets"][0];
    assert_eq!(wallet["opening_drops"], "0", "{books:#}");
    assert_eq!(wallet["credited_drops"], "10018000000", "{books:#}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let told = std::fs::read_to_string(scene.folder().join("daemon.log")).unwrap();
    let told = told.matches("history cannot be read on").count();
    assert!(told <= 4, "it was logged {told} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_whose_next_ledgers_nobody_holds_any_more_says_so_and_goes_on_when_they_are_back()
{
    let scene = Scene::new("200ms", "10000", "[reconcile]\ninterval = \"1h\"\n");
    let daemon = scene.start().await;
    scene.pay(1, 1).await;
    scene.all_succeed(1).await;
    daemon.kill();
    let left = scene.ledger.validated().await;
    deposit(&scene.ledger, "7").await;
    scene.ledger.reach(left + 20).await;
    let gap = json!({ "kind": "history_gap", "from": 2, "to": left + 10 });
    scene.ledger.fault_all(&gap).await;
    let _daemon = scene.setup.start();
    scene.setup.ready().await;
    let waits = |health: &Value| health["checks"]["journal"]["waiting"] == 1;
    scene.merchant.until("/health", waits).await;
    let id = scene.pay_one(2, "5").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(waiting["attempts"], json!([]), "{waiting:#}");
    scene.ledger.clear().await;
    let healthy = |health: &Value| health["checks"]["journal"]["status"] == "healthy";
    scene.merchant.until("/health", healthy).await;
    scene.merchant.all_final(PATIENCE).await;
    scene.all_succeed(2).await;
}
