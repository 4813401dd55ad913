//! Whoever takes a wallet over looks at whom it is to pay while it still reads the journal.

use super::preflight::{PATIENT, REQUIRE_DESTINATION_TAG, asked, order, stranger};
use super::scene::{SHOP, Scene, accounts_are_untold, id_of, is_final, sequences};
use crate::support::process::Process;
use serde_json::{Value, json};
use std::time::Duration;

/// By then a look has been taken, or given up.
const LOOKED_BY_NOW: Duration = Duration::from_millis(1_500);

/// So many of a thousand answers to what the account did come from no server.
async fn withhold_the_journal(scene: &Scene, per_mille: u32) {
    let fault = json!({ "kind": "drop_responses", "per_mille": per_mille, "only": "account_tx" });
    scene.ledger.fault_all(&fault).await;
}

/// Has `body` put into the queue of a daemon that is kept from reading the journal, and so signs nothing,
/// and another one begun with that queue. Returns it, and the payment's id.
async fn begun_with(scene: &Scene, first: Process, body: &Value) -> (Process, String) {
    withhold_the_journal(scene, 1_000).await;
    scene.close_slowly().await;
    first.kill();
    let second = scene.start().await;
    let id = id_of(&scene.merchant.create("ahead", body).await);
    second.kill();
    (scene.start().await, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_that_is_paid_first_is_looked_at_while_the_journal_is_read() {
    let scene = Scene::new("manual", "100", PATIENT);
    let first = scene.start().await;
    let mut body = order(SHOP, "2");
    body["destination_tag"] = json!(1);
    let (_third, id) = begun_with(&scene, first, &body).await;
    tokio::time::sleep(LOOKED_BY_NOW).await;
    let payment = scene.merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(sequences(&payment), Vec::<u64>::new(), "{payment:#}");
    // What was seen counts though the ledger that it was seen at is not the newest any more.
    scene.close_slowly().await;
    let before = asked(&scene).await;
    withhold_the_journal(&scene, 0).await;
    let is_signed = |payment: &Value| !sequences(payment).is_empty();
    scene.merchant.payment(&id, is_signed).await;
    assert_eq!(asked(&scene).await, before, "it was looked at once more");
    scene.settle_by_hand().await;
    scene.all_succeed(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_nobody_told_of_by_then_is_looked_at_again_before_it_is_paid() {
    let scene = Scene::new("300ms", "100", PATIENT);
    let first = scene.start().await;
    let tagged = stranger(&scene, 20).await;
    tagged.sets(&scene, REQUIRE_DESTINATION_TAG).await;
    scene.ledger.fault_all(&accounts_are_untold()).await;
    let (_third, id) = begun_with(&scene, first, &order(&tagged.address, "2")).await;
    tokio::time::sleep(LOOKED_BY_NOW).await;
    let told = json!({ "kind": "drop_requests", "per_mille": 0, "only": "account_info" });
    scene.ledger.fault_all(&told).await;
    withhold_the_journal(&scene, 0).await;
    let failed = scene.merchant.payment(&id, is_final).await;
    assert_eq!(
        failed["failure"]["code"], "destination_tag_required",
        "{failed:#}"
    );
    assert_eq!(failed["attempts"], json!([]), "{failed:#}");
    assert_eq!(failed["proof"]["kind"], "preflight", "{failed:#}");
}
