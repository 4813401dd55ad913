//! A database that is lost, or older than the ledger: the ledger remembers what was paid, and nothing
//! is paid again.

use super::scene::{GRACE, SHOP, SHORT_LIVED, Scene, is_final, sequences};
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
