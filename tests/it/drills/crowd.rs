//! Who takes a wallet, and pays from it, while the API has every connection that it may have.

use super::scene::{GRACE, PATIENCE, SHOP, id_of};
use crate::store::fresh_postgres;
use crate::support::daemon::{Setup, WALLET};
use crate::support::fleet::Fleet;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TTL_MS: i64 = 4_000;
/// How much later than the lease's end another one has to have it.
const LATE_MS: i64 = 1_000;
/// As many as wait at once: three times what the pool holds.
const CROWD: u32 = 60;
/// A long while for one question, and shorter than what a statement may take.
const HANGS: Duration = Duration::from_secs(12);

async fn number(database: &mut PgConnection, sql: String) -> i64 {
    let row = database.fetch_one(AssertSqlSafe(sql)).await.unwrap();
    row.get(0)
}

async fn metric(setup: &Setup, name: &str) -> f64 {
    let text = reqwest::get(&setup.metrics).await.unwrap();
    let text = text.text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_passes_on_and_pays_in_time_while_requests_hold_every_connection() {
    let Some(store) = fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let funds = [(WALLET.0, "500"), (SHOP, "1000")];
    let ledger = Ledger::start(folder.path(), "200ms", &funds);
    let mut fleet = Fleet::new(
        folder.path(),
        2,
        &ledger.urls,
        &store,
        "[lease]\nttl = \"4s\"\n",
    );
    let key = fleet
        .setup(0)
        .create_key("shop", &["payments:read", "payments:write", "admin"]);
    fleet.start_all().await;
    let deadline = Instant::now() + PATIENCE;
    let holder = loop {
        let held = [0, 1].map(|place| metric(fleet.setup(place), "lease_held "));
        let held = futures_util::future::join_all(held).await;
        match held[..] {
            [1.0, 0.0] => break 0,
            [0.0, 1.0] => break 1,
            _ => assert!(Instant::now() < deadline, "{held:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let standby = fleet.setup(1 - holder).clone();
    let client = Merchant::new(&standby.api, &key);
    client
        .until("/v1/wallets/hot", |wallet| !wallet["balance"].is_null())
        .await;

    let mut database = PgConnection::connect(&store).await.unwrap();
    let now = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let killed_at = number(&mut database, now.to_owned()).await;
    let epoch = number(&mut database, "select epoch from leases".to_owned()).await;
    fleet.kill(holder);
    // It waits until somebody has the wallet again.
    let order = json!({ "destination": SHOP, "destination_tag": 7, "wallet": "hot",
        "amount": { "currency": "XRP", "value": "150" } });
    let id = id_of(&client.create("later", &order).await);

    // The crowd asks for what no engine needs, and nobody can read.
    let mut lock = PgConnection::connect(&store).await.unwrap();
    let mut lock = lock.begin().await.unwrap();
    lock.execute("lock table audit_log in access exclusive mode")
        .await
        .unwrap();
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let url = format!("{}/v1/audit?limit=1", standby.api);
        let asked = reqwest::Client::new().get(url).bearer_auth(&key);
        crowd.spawn(async move {
            loop {
                let asked = asked.try_clone().expect("no body");
                let _answer = asked.timeout(HANGS).send().await;
            }
        });
    }
    let full = r#"store_pool_connections{state="in_use"} "#;
    let most = r#"store_pool_connections{state="max"} "#;
    let deadline = Instant::now() + PATIENCE;
    while metric(&standby, full).await < metric(&standby, most).await {
        assert!(Instant::now() < deadline, "the crowd never fills the pool");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let deadline = Instant::now() + PATIENCE;
    let taken = format!("select coalesce(max(taken_at), 0) from lease_log where epoch > {epoch}");
    let taken_at = loop {
        match number(&mut database, taken.clone()).await {
            0 => assert!(Instant::now() < deadline, "nobody takes the wallet"),
            at => break at,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("taken {} ms after the death", taken_at - killed_at);
    assert!(
        taken_at - killed_at <= TTL_MS + LATE_MS,
        "{} ms",
        taken_at - killed_at
    );

    let has_passed_on = Instant::now();
    let signed =
        format!("select count(*) from attempts where epoch > {epoch} and payment_id = '{id}'");
    let paid = format!("select count(*) from payments where id = '{id}' and status = 'succeeded'");
    for sql in [signed, paid] {
        let deadline = Instant::now() + PATIENCE;
        while number(&mut database, sql.clone()).await == 0 {
            let log = standby.log();
            assert!(Instant::now() < deadline, "it is not: {sql}\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("after {:?}: {sql}", has_passed_on.elapsed());
    }
    assert!(
        metric(&standby, full).await >= metric(&standby, most).await,
        "the crowd is still there"
    );
    let log = standby.log();
    assert!(!log.contains("the store does not answer"), "{log}");
    crowd.shutdown().await;
    lock.rollback().await.unwrap();
    fleet.terminate_all(GRACE).await;
}
