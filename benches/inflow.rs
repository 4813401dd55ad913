//! What comes in: 10,000 deposits that wait on the ledger, through the daemon's journal into its books:
//! read from two servers, agreed, committed with the invoices that they pay and the events of it. In the
//! same run the same transactions are read from the same two servers and thrown away, which is the most
//! that a daemon could do.
//!
//! Fails where a deposit is not booked or an invoice has not received what came.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    dead_code,
    missing_docs
)]

#[path = "../tests/it/survival/payers.rs"]
mod payers;
#[path = "../tests/it/support/mod.rs"]
mod support;

use payers::{Gift, Payer};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::daemon::{Setup, WALLET};
use support::ledger::Ledger;
use support::merchant::Merchant;

const DEPOSITS: usize = 10_000;
const INVOICES: usize = 500;
const PAYERS: u8 = 8;
const SERVERS_READ: usize = 2;
/// What each deposit brings, and what each invoice asks for.
const DROPS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        through("SQLite", None).await;
        if let Ok(server) = std::env::var("XRPAYD_TEST_POSTGRES_URL") {
            through("PostgreSQL", Some(fresh_database(&server).await)).await;
        }
    });
}

/// A database of its own on the PostgreSQL server at `url`.
async fn fresh_database(url: &str) -> String {
    use sqlx::{Connection as _, Executor as _};
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let name = format!("inflow_{}", std::process::id());
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    connection.execute(create).await.unwrap();
    connection.close().await.unwrap();
    let (server, _) = url.rsplit_once('/').expect("a database in the URL");
    format!("{server}/{name}")
}

async fn through(name: &str, store: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::start(folder.path(), "200ms", &[(WALLET.0, "1000")]);
    let file = format!("sqlite://{}", folder.path().join("xrpayd.db").display());
    let setup = Setup::new(folder.path(), &ledger.urls, &store.unwrap_or(file), "");
    let key = setup.create_key(
        "bench",
        &["payments:read", "invoices:read", "invoices:write"],
    );
    let payers = Payer::funded(&ledger, PAYERS).await;
    let till = Merchant::new(&setup.api, &key);

    let daemon = setup.start();
    setup.ready().await;
    till.until("/v1/wallets/hot", |wallet| !wallet["balance"].is_null())
        .await;
    let body = json!({ "amount": { "currency": "XRP", "value": "0.001" } });
    let mut tags = Vec::new();
    for n in 0..INVOICES {
        let key = format!("invoice-{n}");
        let invoice = till.create_at("/v1/invoices", &key, &body).await;
        let tag = invoice["destination_tag"].as_u64().unwrap();
        tags.push(u32::try_from(tag).unwrap());
    }
    daemon.kill();

    // While nobody listens.
    let gifts: Vec<Gift> = (0..DEPOSITS)
        .map(|n| Gift {
            tag: Some(tags[n % INVOICES]),
            drops: DROPS,
        })
        .collect();
    let share = DEPOSITS.div_ceil(payers.len());
    let paying = payers
        .into_iter()
        .zip(gifts.chunks(share))
        .map(|(payer, gifts)| payer.pay(&ledger, WALLET.0, gifts));
    futures_util::future::join_all(paying).await;
    let newest = ledger.validated().await;

    let began = Instant::now();
    for server in 0..SERVERS_READ {
        read_all(&ledger, server).await;
    }
    let raw = DEPOSITS as f64 / began.elapsed().as_secs_f64();

    let daemon = setup.start();
    setup.ready().await;
    let began = Instant::now();
    loop {
        let wallet = till.get("/v1/wallets/hot").await;
        if wallet["journal_ledger"].as_u64() >= Some(newest) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the journal stays {wallet:#}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rate = DEPOSITS as f64 / began.elapsed().as_secs_f64();
    let invoices = till.all("/v1/invoices").await;
    let each = u64::try_from(DEPOSITS / INVOICES).unwrap() * DROPS;
    let each = xrpayd_core::money::Drops::new(each).unwrap().to_xrp();
    let is_right = |invoice: &Value| invoice["amount_received"]["value"] == *each;
    assert!(invoices.iter().all(is_right), "an invoice lacks a deposit");
    assert_eq!(till.all("/v1/deposits").await.len(), DEPOSITS);
    let kb = daemon.resident_kb();
    println!("{name}: {DEPOSITS} deposits to {INVOICES} invoices");
    println!("  read from two servers and thrown away   {raw:>9.0} /s");
    println!(
        "  through the journal into the books      {rate:>9.0} /s, {:.2} of that; {:.1} MB resident",
        rate / raw,
        kb as f64 / 1024.0
    );
}

/// The account's transactions by one server, page by page.
async fn read_all(ledger: &Ledger, server: usize) {
    let (mut marker, mut found) = (Value::Null, 0);
    loop {
        let mut request = json!({
            "command": "account_tx", "account": WALLET.0, "limit": 200, "forward": true,
            "ledger_index_min": -1, "ledger_index_max": -1,
        });
        if !marker.is_null() {
            request["marker"] = marker.clone();
        }
        let answer = ledger.ask_server(server, request).await;
        let page = answer["result"]["transactions"].as_array();
        found += page.unwrap_or_else(|| panic!("no page: {answer}")).len();
        marker = answer["result"]["marker"].clone();
        if marker.is_null() {
            assert!(found >= DEPOSITS, "{found} transactions");
            return;
        }
    }
}
