//! The books move to another database with payments in flight, and the daemon goes on there: once paid,
//! under the same keys, told to the same endpoints. The old database is nobody's any more.

use super::scene::{GRACE, PATIENCE, SHOP, Scene, id_of, is_final, sequences, store_in};
use crate::store::fresh_postgres;
use crate::support::daemon::Setup;
use crate::support::merchant::Merchant;
use crate::support::receiver::{Manner, Receiver};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What is sent and does not arrive is sent again soon.
const HASTY: &str = "retry_waits = [\"200ms\", \"500ms\", \"1s\", \"2s\", \"4s\", \"8s\"]\n\
    [wallets.hot]\nledger_window = 8\n";

/// `xrpayd store …`, of which only `copy` takes a configuration.
fn store(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xrpayd"));
    command.arg("store").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The same daemon on another database.
fn on(setup: &Setup, store: &str) -> Setup {
    setup.clone().with(&format!("[store]\nurl = \"{store}\"\n"))
}

/// A daemon that is started on the database ends at once, and says why.
fn is_refused(setup: &Setup, why: &str) {
    let before = setup.log().len();
    assert_eq!(setup.start().exit_code(GRACE), Some(1), "{}", setup.log());
    let said = setup.log();
    assert!(said.contains(why), "{before}: {said}");
}

/// A daemon's life that a move interrupts.
async fn a_life_goes_on(from: &str, to: &str) {
    // Secrets of endpoints are sealed by a key that is not in the database.
    let keys = tempfile::tempdir().unwrap();
    let sealing = keys.path().join("webhooks");
    std::fs::write(&sealing, "07".repeat(32)).unwrap();
    std::fs::set_permissions(
        &sealing,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let layer = format!(
        "[webhooks]\nencryption_key = \"file:{}\"\n{HASTY}",
        sealing.display()
    );
    let scene = Scene::with_store(Some(from), "manual", "10000", &layer, &[]);
    let daemon = scene.start().await;
    let key = scene.setup.create_key(
        "shop",
        &[
            "payments:read",
            "payments:write",
            "invoices:read",
            "invoices:write",
            "webhooks:write",
            "admin",
        ],
    );
    let shop = Merchant::new(&scene.setup.api, &key);
    let receiver = Receiver::start(Manner::Well).await;
    let body = json!({ "url": receiver.url(), "events": ["payment.succeeded"] });
    let (status, endpoint) = shop.post("/v1/webhook-endpoints", None, &body).await;
    assert_eq!(status, 201, "{endpoint}");
    let secret = endpoint["secret"].as_str().unwrap().to_owned();
    let invoice = json!({ "amount": { "currency": "XRP", "value": "3" } });
    let (status, invoice) = shop.post("/v1/invoices", Some("inv"), &invoice).await;
    assert_eq!(status, 201, "{invoice}");

    scene.pay(1, 5).await;
    scene.settle_by_hand().await;
    // These are with the ledger and in none when the daemon dies.
    let in_flight = scene.pay(11, 5).await;
    for id in &in_flight {
        let sent = |payment: &Value| payment["substatus"] == "submitted";
        scene.merchant.payment(id, sent).await;
    }
    // A pause moves with them.
    let pause = json!({ "scope": "wallet:hot", "reason": "the move" });
    let (status, answer) = shop.say("/v1/pause", &pause).await;
    assert_eq!(status, 200, "{answer}");
    daemon.kill();

    let copy = ["store", "copy", "--from", from, "--to", to];
    let (code, moved, errors) = scene.setup.try_command(&copy);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(
        (&moved["moved"], &moved["reconciled"]),
        (&json!(true), &json!(true)),
        "{moved:#}"
    );
    assert!(errors.contains("takes no write any more"), "{errors}");
    let tables = moved["tables"].as_array().unwrap();
    let payments = tables
        .iter()
        .find(|table| table["table"] == "payments")
        .unwrap();
    assert_eq!(payments["by_status"]["succeeded"], 5, "{payments:#}");
    assert_eq!(payments["by_status"]["processing"], 5, "{payments:#}");
    assert_eq!(
        payments["drops"]["amount_drops processing"], "5000000",
        "{payments:#}"
    );
    is_refused(&scene.setup, "have been moved to");
    // The same command once more finds that all is done.
    let (code, again, errors) = scene.setup.try_command(&copy);
    assert_eq!((code, &again["id"]), (Some(0), &moved["id"]), "{errors}");

    let there = on(&scene.setup, to);
    let daemon = there.start();
    there.ready().await;
    // The same keys, and the same answer to the same request.
    for (id, tag) in in_flight.iter().zip(11..) {
        assert_eq!(&scene.pay_one(tag, "1").await, id, "paid again");
    }
    let shown = shop
        .get(&format!("/v1/invoices/{}", invoice["id"].as_str().unwrap()))
        .await;
    assert_eq!(shown["destination_tag"], invoice["destination_tag"]);
    let more = json!({
        "destination": SHOP,
        "destination_tag": 31,
        "amount": { "currency": "XRP", "value": "1" },
    });
    let (status, answer) = shop.post("/v1/payments", Some("more"), &more).await;
    assert_eq!(
        (status, &answer["code"]),
        (503, &json!("paused")),
        "{answer}"
    );
    let resume = json!({ "scope": "wallet:hot" });
    let (status, answer) = shop.say("/v1/resume", &resume).await;
    assert_eq!(status, 200, "{answer}");
    scene.pay(31, 4).await;
    scene.settle_by_hand().await;
    let payments = scene.all_succeed(14).await;
    for tag in 11..16 {
        let attempts = sequences(&payments[&tag]);
        assert_eq!(attempts.len(), 1, "{:#}", payments[&tag]);
    }
    receiver
        .until(|heard| {
            let told = heard
                .iter()
                .filter(|one| one.verifies(&secret))
                .map(|one| one.json()["data"]["id"].as_str().unwrap().to_owned());
            told.collect::<std::collections::BTreeSet<_>>().len() == 14
        })
        .await;
    assert!(receiver.heard().iter().all(|one| one.verifies(&secret)));
    let books = there.command(&["reconcile"]);
    assert_eq!(books["agrees"], true, "{books:#}");
    assert_eq!(there.command(&["audit", "verify"])["whole"], true);
    assert_eq!(daemon.terminate(GRACE), Some(0));

    // What was paid since is known there alone.
    is_refused(&scene.setup, "have been moved to");
    let back = store(&["release", "--from", from, "--to", to]);
    assert_eq!(back.status.code(), Some(1), "{}", said(&back));
    assert!(
        said(&back).contains("a daemon has started on the copy"),
        "{}",
        said(&back)
    );
    let back = store(&["release", "--from", from]);
    assert_eq!(back.status.code(), Some(1), "{}", said(&back));
    is_refused(&scene.setup, "have been moved to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_goes_on_in_another_file_with_what_was_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("sqlite://{}", folder.path().join("new.db").display());
    let from = format!("sqlite://{}", folder.path().join("old.db").display());
    a_life_goes_on(&from, &to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_goes_on_in_postgresql_with_what_was_in_flight() {
    let Some(to) = fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    a_life_goes_on(&store_in(folder.path()), &to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_comes_back_from_postgresql_with_what_was_in_flight() {
    let Some(from) = fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    a_life_goes_on(&from, &store_in(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_leaves_no_database_to_pay_from_until_it_is_run_again() {
    use sqlx::{Connection as _, Executor as _, PgConnection};
    let Some(to) = fresh_postgres().await else {
        return;
    };
    let scene = Scene::new("200ms", "10000", "");
    let from = store_in(scene.folder());
    let daemon = scene.start().await;
    scene.pay(1, 5).await;
    scene.all_succeed(5).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let there = on(&scene.setup, &to);
    // A schema that is there already; somebody holds up one of its last tables.
    drop(
        xrpayd::store::Store::open(
            &xrpayd::store::StoreConfig::new(&to),
            xrpayd::store::Access::Tool,
        )
        .await
        .unwrap(),
    );
    let mut holding = PgConnection::connect(&to).await.unwrap();
    holding
        .execute("begin; lock table wallets in exclusive mode")
        .await
        .unwrap();
    let mut copy = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args(["store", "copy", "--from", &from, "--to", &to])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut watching = PgConnection::connect(&to).await.unwrap();
    let is_held_up = "select 1 from pg_locks where not granted \
        and database = (select oid from pg_database where datname = current_database())";
    while watching.fetch_optional(is_held_up).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "the copy was not held up");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
    holding.execute("rollback").await.unwrap();
    is_refused(&scene.setup, "have been moved to");
    is_refused(&there, "still coming from");

    // Taken back, it is as before; and the target is cleared by a word only.
    let back = store(&["release", "--from", &from]);
    assert_eq!(back.status.code(), Some(0), "{}", said(&back));
    let daemon = scene.start().await;
    scene.pay(6, 5).await;
    scene.all_succeed(10).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let refused = store(&["copy", "--from", &from, "--to", &to]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("--clear-target"),
        "{}",
        said(&refused)
    );
    let copied = store(&["copy", "--from", &from, "--to", &to, "--clear-target"]);
    assert_eq!(copied.status.code(), Some(0), "{}", said(&copied));
    // Nobody has started on it yet, so it can be taken back still; and done again.
    let back = store(&["release", "--from", &from, "--to", &to]);
    assert_eq!(back.status.code(), Some(0), "{}", said(&back));
    is_refused(&there, "still coming from");
    let copied = store(&["copy", "--from", &from, "--to", &to, "--clear-target"]);
    assert_eq!(copied.status.code(), Some(0), "{}", said(&copied));
    is_refused(&scene.setup, "have been moved to");
    let daemon = there.start();
    there.ready().await;
    scene.pay(11, 5).await;
    scene.all_succeed(15).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_a_daemon_runs_on_is_not_copied() {
    let scene = Scene::new("200ms", "10000", "");
    let from = store_in(scene.folder());
    let to = format!("sqlite://{}", scene.folder().join("new.db").display());
    let daemon = scene.start().await;
    let refused = store(&["copy", "--from", &from, "--to", &to]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("another daemon is using"),
        "{}",
        said(&refused)
    );
    let id = id_of(&scene.merchant.pay("still", SHOP, 1, "1").await);
    scene.merchant.payment(&id, is_final).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    // And the books have to be sound before they go anywhere.
    crate::store::bed::run_on(&from, "update payment_ends set reached = reached + 1")
        .await
        .unwrap();
    let refused = store(&["copy", "--from", &from, "--to", &to]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("do not add up"),
        "{}",
        said(&refused)
    );
    let daemon = scene.start().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_heard_of_on_postgresql_keeps_its_books() {
    use xrpayd::store::{Access, Replica, Store, StoreConfig, Whereabouts};
    let Some(from) = fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let to = store_in(folder.path());
    let scene = Scene::with_store(Some(&from), "200ms", "10000", "", &[]);
    let daemon = scene.start().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let source = Store::open(&StoreConfig::new(&from), Access::Tool)
        .await
        .unwrap();
    let replica = Replica {
        id: "till-1".to_owned(),
        name: "till".to_owned(),
        version: "1".to_owned(),
        is_draining: false,
    };
    source.enter_replica(&replica).await.unwrap();
    let mut copy = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args(["store", "copy", "--from", &from, "--to", &to])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while copy.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the copy listens for ever");
        source.enter_replica(&replica).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = copy.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("the daemon till runs on it"),
        "{}",
        said(&output)
    );
    assert_eq!(source.whereabouts().await.unwrap(), Whereabouts::Here);
    source.close().await;
}
