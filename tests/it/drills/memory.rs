//! A database that is lost, or older than the ledger: the ledger remembers what was paid, and nothing
//! is paid again.

use super::backups::{die_in_flight, each_is_paid_once};
use super::scene::{GRACE, PATIENCE, SHOP, SHORT_LIVED, Scene, is_final, sequences};
use serde_json::{Value, json};
use std::path::Path;

/// Removes the database with all that belongs to it.
pub fn lose_database(folder: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let path = folder.join(format!("xrpayd.db{suffix}"));
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// A payment under a key of its own, whose caller sets an InvoiceID.
async fn pay_with_invoice(scene: &Scene, tag: u32) -> Value {
    let body = json!({
        "destination": SHOP,
        "destination_tag": tag,
        "amount": { "currency": "XRP", "value": "1" },
        "invoice_id": "AB".repeat(32),
    });
    scene.merchant.create(&format!("drill-{tag}"), &body).await
}

/// A merchant whose key the new database knows, under the same client name.
fn known_again(scene: &mut Scene) {
    scene.merchant = super::scene::merchant_of(&scene.setup);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_empty_database_fifty_keys_are_posted_again_and_none_is_paid_again() {
    let mut scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let daemon = scene.start().await;
    scene.pay(1, 45).await;
    for tag in 46..=50 {
        pay_with_invoice(&scene, tag).await;
    }
    let before = scene.all_succeed(50).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    lose_database(scene.folder());
    known_again(&mut scene);
    let _daemon = scene.start().await;
    // They come while nothing is known yet; five are new. None of them can be called off before it is.
    let ids = scene.pay(1, 45).await;
    let (status, _) = scene.merchant.cancel(&ids[44]).await;
    assert_eq!(status, 409);
    for tag in 46..=50 {
        pay_with_invoice(&scene, tag).await;
    }
    scene.pay(51, 5).await;
    let after = scene.all_succeed(55).await;
    for (tag, payment) in &before {
        let adopted = &after[tag];
        for field in ["tx_hash", "ledger_index", "delivered_amount", "fee_drops"] {
            assert_eq!(adopted[field], payment[field], "{adopted:#}");
        }
        assert_eq!(sequences(adopted), sequences(payment));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_older_database_what_was_paid_since_is_not_paid_again() {
    let scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let daemon = scene.start().await;
    scene.pay(1, 10).await;
    scene.all_succeed(10).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let backup = scene.folder().join("backup.db");
    std::fs::copy(scene.folder().join("xrpayd.db"), &backup).unwrap();
    let daemon = scene.start().await;
    scene.pay(11, 20).await;
    scene.all_succeed(30).await;
    daemon.kill();
    lose_database(scene.folder());
    std::fs::copy(&backup, scene.folder().join("xrpayd.db")).unwrap();
    let _daemon = scene.start().await;
    scene.pay(11, 25).await;
    scene.all_succeed(35).await;
}

/// What `xrpayd reconcile` lists of the payments that were forgotten, once there are so many.
async fn forgotten(scene: &Scene, count: u64) -> Vec<Value> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let (code, found, errors) = scene.setup.try_command(&["reconcile"]);
        assert_eq!(code, Some(0), "{errors} {found:#}");
        assert_eq!(found["agrees"], true, "{found:#}");
        let listed = found["wallets"][0]["forgotten"].as_array().unwrap().clone();
        assert_eq!(found["forgotten"], listed.len(), "{found:#}");
        if found["forgotten"] == count {
            // Within a ledger they stand in its order, which is nobody's.
            let mut listed = listed;
            listed.sort_by_key(|row| row["destination_tag"].as_u64());
            return listed;
        }
        assert!(std::time::Instant::now() < deadline, "{found:#}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_database_forgot_is_named_until_it_is_asked_for_again() {
    let layer = format!("{SHORT_LIVED}[reconcile]\ninterval = \"1s\"\n");
    let scene = Scene::new("200ms", "10000", &layer);
    let daemon = scene.start().await;
    scene.pay(1, 2).await;
    scene.all_succeed(2).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let backup = scene.folder().join("backup.db");
    std::fs::copy(scene.folder().join("xrpayd.db"), &backup).unwrap();
    let daemon = scene.start().await;
    scene.pay(3, 4).await;
    let before = scene.all_succeed(6).await;
    daemon.kill();
    put_back(&scene, &backup);
    let _daemon = scene.start().await;
    // Nobody asks again: who paid is gone, what was paid is not.
    let listed = forgotten(&scene, 4).await;
    for (row, tag) in listed.iter().zip(3..) {
        let paid = before.values().find(|paid| paid["destination_tag"] == tag);
        let paid = paid.unwrap();
        assert_eq!(row["destination_tag"], tag, "{row:#}");
        assert_eq!(row["destination"], SHOP);
        assert_eq!(row["delivered_drops"], "1000000");
        assert_eq!(row["tx_hash"], paid["tx_hash"]);
        assert_eq!(row["ledger_index"], paid["ledger_index"]);
        assert_eq!(row["payment_id"], Value::Null);
    }
    let metric = "reconciliation_forgotten_payments";
    scene.until_metric(metric, |count| count == 4.0).await;
    let text = scene.setup.said(&["reconcile"]);
    let hash = listed[0]["tx_hash"].as_str().unwrap();
    assert!(
        text.contains(&format!("FORGOTTEN transaction {hash}")),
        "{text}"
    );
    assert!(text.contains("4 deliveries belong to no payment"), "{text}");
    // One key asks for something else, two for the same.
    let other = scene.merchant.pay("drill-3", SHOP, 3, "7").await;
    let id = other["id"].as_str().unwrap();
    let ended = scene.merchant.payment(id, is_final).await;
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    for id in scene.pay(4, 2).await {
        scene.merchant.payment(&id, is_final).await;
    }
    let listed = forgotten(&scene, 2).await;
    let of = |row: &Value| (row["destination_tag"].clone(), row["payment_id"].clone());
    assert_eq!(of(&listed[0]), (3.into(), id.into()));
    assert_eq!(of(&listed[1]), (6.into(), Value::Null));
    scene.until_metric(metric, |count| count == 2.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_paid_something_else_on_the_ledger_pays_nothing_now() {
    let mut scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let daemon = scene.start().await;
    scene.pay(1, 1).await;
    scene.all_succeed(1).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    lose_database(scene.folder());
    known_again(&mut scene);
    let _daemon = scene.start().await;
    let key = "drill-1";
    let other = scene.merchant.pay(key, SHOP, 1, "7").await;
    let id = other["id"].as_str().unwrap();
    let ended = scene.merchant.payment(id, is_final).await;
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    let paid = scene.ledger.truth_of(SHOP).await;
    let ours = paid.iter().filter(|tx| tx["destination"] == SHOP);
    let amounts: Vec<&Value> = ours
        .filter(|tx| tx["destination_tag"] == 1)
        .map(|tx| &tx["delivered"])
        .collect();
    assert_eq!(amounts, ["1000000"]);
}

/// A ledger that is closed by hand, so that what was signed stays in flight; and a daemon that writes
/// down in a folder what it signed last.
fn scene_with_a_folder() -> Scene {
    let mut scene = Scene::new("manual", "10000", SHORT_LIVED);
    let kept = scene.folder().join("last-run");
    std::fs::create_dir(&kept).unwrap();
    let layer = format!("[store]\nlast_run_dir = \"{}\"\n", kept.display());
    scene.setup = scene.setup.clone().with(&layer);
    scene
}

/// Puts a copy in the database's place.
fn put_back(scene: &Scene, backup: &Path) {
    lose_database(scene.folder());
    std::fs::copy(backup, scene.folder().join("xrpayd.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_backup_of_moments_ago_nothing_is_signed_beside_what_is_in_flight() {
    let scene = Scene::new("manual", "10000", SHORT_LIVED);
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    scene.settle_by_hand().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let backup = scene.folder().join("backup.db");
    std::fs::copy(scene.folder().join("xrpayd.db"), &backup).unwrap();
    // A plain restart waits for nothing.
    let daemon = scene.start().await;
    die_in_flight(&scene, daemon).await;
    put_back(&scene, &backup);
    let _daemon = scene.start().await;
    // Each of the keys could take the sequence of another.
    each_is_paid_once(&scene).await;
    let told = "the database is older than what this machine signed last";
    let log = std::fs::read_to_string(scene.folder().join("daemon.log")).unwrap();
    assert_eq!(log.matches(told).count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_to_another_machine_waits_once() {
    let scene = scene_with_a_folder();
    let daemon = scene.start().await;
    scene.pay(1, 1).await;
    scene.settle_by_hand().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    std::fs::remove_file(scene.folder().join("last-run/hot.last")).unwrap();
    let daemon = scene.start().await;
    let id = scene.pay_one(2, "1").await;
    scene.close_slowly().await;
    let waiting = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(sequences(&waiting), Vec::<u64>::new(), "{waiting:#}");
    scene.settle_by_hand().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let _daemon = scene.start().await;
    let id = scene.pay_one(3, "1").await;
    let signed = |payment: &Value| payment["substatus"] == "submitted";
    scene.merchant.payment(&id, signed).await;
    scene.settle_by_hand().await;
    scene.all_succeed(3).await;
}
