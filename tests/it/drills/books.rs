//! Books against ledger: they agree to the drop after a busy life, and every falsification of either is
//! found, named, and halts the wallet until a person has looked.

use super::scene::{GRACE, PATIENCE, SHOP, Scene, is_final, sequences};
use super::wallet::pay_past_the_daemon;
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use std::time::{Duration, Instant};

/// Short waits, and a reconciliation every second.
const WATCHED: &str = "[xrpl]\nrequest_timeout = \"500ms\"\nreconnect_max = \"200ms\"\n\
                       [reconcile]\ninterval = \"1s\"\n";
/// Attempts that live for seven ledgers; no reconciliation but the one that is asked for.
const BUSY: &str = "[xrpl]\nrequest_timeout = \"300ms\"\nreconnect_max = \"100ms\"\n\
                    silence_timeout = \"2s\"\n[wallets.hot]\nledger_window = 7\n";

/// Runs a statement behind the daemon's back.
async fn falsify(store: &str, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    if store.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(store).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(store).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// What `xrpayd reconcile` finds: its exit code, and the kinds of what differs.
fn reconcile(scene: &Scene) -> (Option<i32>, Vec<String>, Value) {
    let (code, found, errors) = scene.setup.try_command(&["reconcile"]);
    assert!(found.is_object(), "{errors}");
    let of_wallets = found["wallets"].as_array().unwrap().iter();
    let of_wallets = of_wallets.flat_map(|wallet| wallet["differences"].as_array().unwrap());
    let all = of_wallets.chain(found["counters"].as_array().unwrap());
    let kinds = all
        .map(|difference| difference["kind"].as_str().unwrap().to_owned())
        .collect();
    (code, kinds, found)
}

fn agrees(scene: &Scene) -> Value {
    let (code, kinds, found) = reconcile(scene);
    assert_eq!((code, kinds), (Some(0), Vec::new()), "{found:#}");
    assert_eq!(found["agrees"], true, "{found:#}");
    found["wallets"][0].clone()
}

/// A falsification, what undoes it, and the kind of difference that names it.
struct Plant {
    kind: &'static str,
    sql: &'static str,
    undo: &'static str,
}

/// The first payment that was booked: every payment of these drills is of 1 XRP.
const FIRST: &str = "(ledger_index, tx_index) = (select ledger_index, tx_index from journal_entries \
    where delivered_value = '1000000' and fee_drops > 0 order by ledger_index, tx_index limit 1)";

const fn plant(kind: &'static str, sql: &'static str, undo: &'static str) -> Plant {
    Plant { kind, sql, undo }
}

#[rustfmt::skip]
const PLANTS: &[Plant] = &[
    plant("altered_entry", "update journal_entries set delivered_value = '1000001' where FIRST",
        "update journal_entries set delivered_value = '1000000' where delivered_value = '1000001'"),
    plant("missing_entry", "create table kept as select * from journal_entries where FIRST; delete from journal_entries where FIRST",
        "insert into journal_entries select * from kept; drop table kept"),
    plant("extra_entry", "create table kept as select * from journal_entries where FIRST; update kept set tx_index = tx_index + 1000; insert into journal_entries select * from kept",
        "drop table kept; delete from journal_entries where tx_index >= 1000"),
    plant("movement", "update journal_entries set change_drops = change_drops - 1 where FIRST",
        "update journal_entries set change_drops = change_drops + 1 where FIRST"),
    plant("opening_balance", "update wallets set opening_drops = opening_drops + 1",
        "update wallets set opening_drops = opening_drops - 1"),
    plant("cursor", "update wallets set balance_drops = balance_drops + 1",
        "update wallets set balance_drops = balance_drops - 1"),
    plant("payment", "update attempts set fee_drops = fee_drops + 1",
        "update attempts set fee_drops = fee_drops - 1"),
    plant("payment", "update payments set amount_drops = 1000001, order_doc = replace(order_doc, '\"amount\":\"1000000\"', '\"amount\":\"1000001\"') where status = 'succeeded'",
        "update payments set amount_drops = 1000000, order_doc = replace(order_doc, '\"amount\":\"1000001\"', '\"amount\":\"1000000\"') where status = 'succeeded'"),
    plant("unreadable", "update payments set status = 'expired' where status = 'succeeded'",
        "update payments set status = 'succeeded' where status = 'expired'"),
    plant("foreign_transaction", "create table kept as select * from attempts where payment_id = (select min(payment_id) from attempts); create table kept_payment as select * from payments where id in (select payment_id from kept); delete from attempts where payment_id in (select payment_id from kept); delete from payments where id in (select id from kept_payment)",
        "insert into payments select * from kept_payment; insert into attempts select * from kept; drop table kept; drop table kept_payment"),
    plant("not_on_ledger", "create table kept as select * from attempts where payment_id = (select min(payment_id) from attempts); delete from attempts where payment_id in (select payment_id from kept)",
        "insert into attempts select * from kept; drop table kept"),
    plant("limits", "update limit_state set used_drops = used_drops + 1",
        "update limit_state set used_drops = used_drops - 1"),
    plant("limits", "update limit_state set pending = pending + 1",
        "update limit_state set pending = pending - 1"),
    plant("deposit", "create table kept as select * from deposits where id = (select min(id) from deposits); delete from deposits where id in (select id from kept)",
        "insert into deposits select * from kept; drop table kept"),
    plant("deposit", "update deposits set value = '1.234568', drops = drops + 1 where id = (select min(id) from deposits)",
        "update deposits set value = '1.234567', drops = drops - 1 where value = '1.234568'"),
    plant("deposit", "update deposits set destination_tag = 4242 where id = (select min(id) from deposits)",
        "update deposits set destination_tag = null where destination_tag = 4242"),
    plant("deposit", "create table kept as select * from deposits where id = (select min(id) from deposits); update kept set id = 'dep_70000000000000000000000000', network_id = 77; insert into deposits select * from kept",
        "drop table kept; delete from deposits where network_id = 77"),
    plant("invoice", "insert into invoices (id, client, fingerprint, version, wallet, account, destination_tag, tag_held, asset, amount, received, tolerance_bps, status, overpaid, paid_late, metadata, created_at, updated_at, expires_at) select 'inv_01890000000000000000000001', 'shop', hash, 1, wallet, account, 9, 1, 'XRP', '5', '1', 0, 'partially_paid', 0, 0, '{}', 1, 1, 9000000000000 from deposits where id = (select min(id) from deposits)",
        "delete from invoices where id = 'inv_01890000000000000000000001'"),
    plant("totals", "update payment_ends set reached = reached + 1 where status = 'succeeded'",
        "update payment_ends set reached = reached - 1 where status = 'succeeded'"),
];

async fn every_falsification_is_found(scene: &Scene, store: &str) {
    for Plant { kind, sql, undo } in PLANTS {
        falsify(store, &sql.replace("FIRST", FIRST)).await;
        let (code, kinds, found) = reconcile(scene);
        assert_eq!(code, Some(1), "{sql}: {found:#}");
        assert!(kinds.iter().any(|found| found == kind), "{sql}: {found:#}");
        falsify(store, &undo.replace("FIRST", FIRST)).await;
    }
    agrees(scene);
}

async fn busy_life(store: Option<&str>) {
    let scene = Scene::with_store(store, "200ms", "10000", BUSY, &[]);
    let own = super::scene::store_in(scene.folder());
    let store = store.unwrap_or(&own);
    let mut tag = 0;
    for server in 0..4 {
        let daemon = scene.start().await;
        let lossy = json!({ "kind": "drop_responses", "per_mille": 500 });
        scene.ledger.fault(server % 3, &lossy).await;
        scene.pay(tag, 8).await;
        tag += 8;
        // Others pay the wallet, too.
        let fund = json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": "1234567" });
        scene.ledger.ask(fund).await;
        scene.audit_in_flow().await;
        daemon.kill();
        scene.ledger.clear().await;
    }
    let daemon = scene.start().await;
    scene.all_succeed(usize::try_from(tag).unwrap()).await;
    // Beside the daemon, which goes on writing.
    agrees(&scene);
    let at = scene.ledger.validated().await;
    scene.ledger.reach(at + 3).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let wallet = agrees(&scene);
    // To the drop: what it began with, what came in, what went out, and the ledger's own truth.
    let truth = scene
        .ledger
        .ask(json!({ "command": "sandbox_truth", "account": WALLET.0 }))
        .await;
    let balance = &truth["accounts"][WALLET.0]["balance"];
    assert_eq!(&wallet["ledger_drops"], balance, "{wallet:#}");
    assert_eq!(&wallet["books_drops"], balance, "{wallet:#}");
    assert_eq!(wallet["delivered_drops"], "32000000", "{wallet:#}");
    assert_eq!(wallet["credited_drops"], (4 * 1_234_567).to_string());
    assert_eq!(wallet["other_drops"], "0", "{wallet:#}");
    let from = wallet["through_ledger"].as_u64().unwrap() - 2;
    let part = scene
        .setup
        .command(&["reconcile", "--from", &from.to_string()]);
    assert_eq!(part["wallets"][0]["from_ledger"], from, "{part:#}");
    assert_eq!(part["wallets"][0]["books_drops"], *balance, "{part:#}");
    every_falsification_is_found(&scene, store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_busy_life_books_and_ledger_agree_and_every_falsification_is_found_on_sqlite() {
    busy_life(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_busy_life_books_and_ledger_agree_and_every_falsification_is_found_on_postgresql() {
    if let Some(store) = crate::store::fresh_postgres().await {
        busy_life(Some(&store)).await;
    }
}

/// The wallet as it is once it is halted.
async fn halted(scene: &Scene) -> Value {
    let is_halted = |wallet: &Value| wallet["status"] == "halted";
    scene.merchant.until("/v1/wallets/hot", is_halted).await
}

async fn background(store: Option<&str>) {
    let scene = Scene::with_store(store, "200ms", "10000", WATCHED, &[]);
    let own = super::scene::store_in(scene.folder());
    let store = store.unwrap_or(&own);
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    let paid = scene.all_succeed(3).await;
    let checked = |health: &Value| {
        let books = &health["checks"]["books"];
        books["checked_through"].as_u64().is_some_and(|at| at > 0) && books["differences"] == 0
    };
    scene.merchant.until("/health", checked).await;
    assert_eq!(scene.metric("reconciliation_difference_drops").await, 0.0);

    // Somebody else uses the key while nothing of ours is in flight.
    let next = paid.values().flat_map(sequences).max().unwrap() + 1;
    let stranger = pay_past_the_daemon(&scene, next).await;
    let wallet = halted(&scene).await;
    let reason = wallet["halted_reason"].as_str().unwrap();
    assert!(reason.contains(&stranger), "{reason}");
    let differs = |health: &Value| health["checks"]["books"]["differences"] == 1;
    let health = scene.merchant.until("/health", differs).await;
    assert_eq!(health["status"], "degraded", "{health:#}");
    assert_eq!(health["checks"]["books"]["status"], "degraded");
    scene
        .until_metric("reconciliation_difference_drops", |drops| {
            drops > 7_000_000.0
        })
        .await;
    let (code, kinds, found) = reconcile(&scene);
    assert_eq!(
        (code, &kinds[..]),
        (Some(1), &["foreign_transaction".to_owned()][..])
    );
    assert!(found.to_string().contains(&stranger), "{found:#}");

    // It survives the process, and nothing is signed before a person has looked.
    daemon.kill();
    let _daemon = scene.start().await;
    halted(&scene).await;
    let id = scene.pay_one(4, "1").await;
    let at = scene.ledger.validated().await;
    scene.ledger.reach(at + 5).await;
    let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(waiting["substatus"], "queued", "{waiting:#}");
    let resumed = scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot", "--accept", &stranger]);
    assert_eq!(resumed["foreign"][0]["tx_hash"], stranger, "{resumed:#}");
    scene.merchant.payment(&id, is_final).await;
    scene.merchant.until("/health", checked).await;
    assert_eq!(agrees(&scene)["foreign_accepted"], 1);

    // A deposit that is booked otherwise than it came is told, and halts nothing that pays.
    let fund = json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": "1234567" });
    scene.ledger.ask(fund).await;
    let booked = r#"deposits_total{matched="false"}"#;
    scene.until_metric(booked, |count| count == 1.0).await;
    falsify(store, "update deposits set destination_tag = 4242").await;
    let found = "reconciliation_differences";
    scene.until_metric(found, |count| count == 1.0).await;
    let id = scene.pay_one(6, "1").await;
    let paid = scene.merchant.payment(&id, is_final).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    falsify(store, "update deposits set destination_tag = null").await;
    scene.until_metric(found, |count| count == 0.0).await;

    // A row that is edited by hand halts it as well, until the row is right again.
    let edit = "update journal_entries set delivered_value = '1000001' where FIRST";
    falsify(store, &edit.replace("FIRST", FIRST)).await;
    let wallet = halted(&scene).await;
    let reason = wallet["halted_reason"].as_str().unwrap();
    assert!(reason.contains("altered_entry"), "{reason}");
    let undo =
        "update journal_entries set delivered_value = '1000000' where delivered_value = '1000001'";
    falsify(store, undo).await;
    scene
        .until_metric("reconciliation_differences", |count| count == 0.0)
        .await;
    scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot"]);
    let id = scene.pay_one(5, "1").await;
    let payment = scene.merchant.payment(&id, is_final).await;
    assert_eq!(payment["status"], "succeeded", "{payment:#}");
    scene.merchant.all_final(PATIENCE).await;
    let payments = scene.audit(&[&stranger]).await;
    assert_eq!(payments.len(), 6);
    assert!(
        payments
            .values()
            .all(|payment| payment["destination"] == SHOP)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_halts_the_wallet_until_a_person_has_looked_on_sqlite() {
    background(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_halts_the_wallet_until_a_person_has_looked_on_postgresql() {
    if let Some(store) = crate::store::fresh_postgres().await {
        background(Some(&store)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_that_cannot_be_compared_are_not_said_to_agree() {
    let scene = Scene::new("200ms", "10000", BUSY);
    let daemon = scene.start().await;
    scene.pay(1, 2).await;
    scene.all_succeed(2).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let at = scene.ledger.validated().await;
    let gap = json!({ "kind": "history_gap", "from": 2, "to": at });
    scene.ledger.fault_all(&gap).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (code, found, errors) = scene.setup.try_command(&["reconcile"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(found.is_null(), "{found:#}");
    assert!(errors.contains("could not be held against"), "{errors}");
    let (code, _, errors) = scene.setup.try_command(&["reconcile", "--wallet", "cold"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("no wallet cold"), "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_hang_do_not_hold_up_a_reconciliation_beyond_its_time() {
    let scene = Scene::new("200ms", "10000", BUSY);
    let daemon = scene.start().await;
    scene.pay(1, 1).await;
    scene.all_succeed(1).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    scene.ledger.fault_all(&json!({ "kind": "freeze" })).await;
    let began = Instant::now();
    let (code, found, errors) = scene.setup.try_command(&["reconcile", "--timeout", "2s"]);
    let took = began.elapsed();
    assert_eq!(code, Some(1), "{errors}");
    assert!(found.is_null(), "{found:#}");
    assert!(errors.contains("not done after 2 s"), "{errors}");
    // Without its own end it would wait for a minute to hear of any ledger.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
