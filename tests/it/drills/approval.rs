//! The word of a second person, through kills, a lost database and time that runs out.

use super::memory::lose_database;
use super::scene::{GRACE, PATIENCE, SHOP, SHORT_LIVED, Scene, merchant_of, store_in};
use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Payments of 2 XRP and more wait.
const THRESHOLD: &str = "[limits]\napproval_threshold = \"2\"\n";

const PAYMENTS: u32 = 60;
const KILLS: u64 = 25;

/// Whether the treasury would have the payment with this tag.
const fn is_wanted(tag: u32) -> bool {
    !tag.is_multiple_of(3)
}

/// A key that rules on payments, of another client than the merchant.
fn treasury_of(setup: &Setup) -> Merchant {
    let key = setup.create_key("treasury", &["payments:approve", "payments:read"]);
    Merchant::new(&setup.api, &key)
}

/// What the treasury was answered for each tag: the status of the payment after its word.
type Answers = BTreeMap<u32, String>;

/// Rules on whatever waits, until told that nothing more comes and nothing waits.
async fn rule_on_all(treasury: Merchant, enough: Arc<AtomicBool>) -> Answers {
    let mut answers = Answers::new();
    loop {
        let last_round = enough.load(Ordering::SeqCst);
        let path = "/v1/payments?status=awaiting_approval&limit=10";
        let waiting = treasury.get(path).await;
        let waiting = waiting["data"].as_array().unwrap().clone();
        if waiting.is_empty() && last_round {
            return answers;
        }
        for payment in waiting {
            let tag = u32::try_from(payment["destination_tag"].as_u64().unwrap()).unwrap();
            let verb = if is_wanted(tag) { "approve" } else { "reject" };
            let path = format!("/v1/payments/{}/{verb}", payment["id"].as_str().unwrap());
            let body = json!({ "version": payment["version"] });
            // A word whose answer was lost is said again.
            let (status, answer) = treasury.say(&path, &body).await;
            match status {
                200 => {
                    answers.insert(tag, answer["status"].as_str().unwrap().to_owned());
                }
                409 => assert_eq!(answer["code"], "not_known_yet", "{answer:#}"),
                _ => panic!("{status} {answer:#}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_payments_wait_and_are_ruled_on_each_is_paid_once_or_never_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    survive(folder.path(), &store_in(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_payments_wait_and_are_ruled_on_each_is_paid_once_or_never_on_postgresql() {
    if let Some(store) = crate::store::fresh_postgres().await {
        let folder = tempfile::tempdir().unwrap();
        survive(folder.path(), &store).await;
    }
}

async fn survive(folder: &Path, store: &str) {
    let funds = [(WALLET.0, "10000"), (SHOP, "1000")];
    let ledger = Ledger::start(folder, "200ms", &funds);
    let setup = Setup::new(folder, &ledger.urls, store, "")
        .with(SHORT_LIVED)
        .with(THRESHOLD);
    let (merchant, treasury) = (merchant_of(&setup), treasury_of(&setup));
    let enough = Arc::new(AtomicBool::new(false));
    let ruling = tokio::spawn(rule_on_all(treasury.clone(), Arc::clone(&enough)));
    let paying = tokio::spawn({
        let merchant = merchant.clone();
        async move {
            for tag in 1..=PAYMENTS {
                merchant.pay(&format!("key-{tag}"), SHOP, tag, "2").await;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        }
    });
    for kill in 0..KILLS {
        let daemon = setup.start();
        tokio::time::sleep(Duration::from_millis(60 + kill * 53 % 400)).await;
        daemon.kill();
    }
    let survivor = setup.start();
    setup.ready().await;
    paying.await.unwrap();
    enough.store(true, Ordering::SeqCst);
    let answers = ruling.await.unwrap();
    merchant.all_final(PATIENCE).await;

    let mut paid: BTreeMap<u32, usize> = BTreeMap::new();
    for tx in ledger.truth_of(SHOP).await {
        if tx["result"] == "tesSUCCESS"
            && let Some(tag) = tx["destination_tag"].as_u64()
        {
            *paid.entry(u32::try_from(tag).unwrap()).or_default() += 1;
        }
    }
    let payments = merchant.all_payments().await;
    assert_eq!(payments.len(), usize::try_from(PAYMENTS).unwrap());
    for payment in payments {
        let tag = u32::try_from(payment["destination_tag"].as_u64().unwrap()).unwrap();
        let (status, decision, times) = if is_wanted(tag) {
            ("succeeded", "approved", 1)
        } else {
            ("rejected", "rejected", 0)
        };
        assert_eq!(payment["status"], status, "{payment:#}");
        assert_eq!(payment["approval"]["decision"], decision, "{payment:#}");
        assert_eq!(paid.remove(&tag).unwrap_or(0), times, "{payment:#}");
        // What the treasury was told is what became of it.
        if let Some(told) = answers.get(&tag) {
            assert_eq!(told == "rejected", status == "rejected", "{payment:#}");
        }
    }
    assert!(paid.is_empty(), "paid without a payment: {paid:?}");
    assert_eq!(survivor.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_again_in_an_empty_database_and_was_paid_needs_nobodys_word() {
    let layer = format!("{SHORT_LIVED}{THRESHOLD}");
    let mut scene = Scene::new("200ms", "10000", &layer);
    let daemon = scene.start().await;
    let treasury = treasury_of(&scene.setup);
    let mut before = BTreeMap::new();
    for tag in 1..=6 {
        let id = scene.pay_one(tag, "3").await;
        let path = format!("/v1/payments/{id}/approve");
        let (status, answer) = treasury.say(&path, &json!({ "version": 1 })).await;
        assert_eq!(status, 200, "{answer:#}");
    }
    for (tag, payment) in scene.all_succeed(6).await {
        before.insert(tag, payment["tx_hash"].clone());
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
    lose_database(scene.folder());
    scene.merchant = merchant_of(&scene.setup);
    let treasury = treasury_of(&scene.setup);
    let _daemon = scene.start().await;
    let mut ids = Vec::new();
    for tag in 1..=7 {
        ids.push(scene.pay_one(tag, "3").await);
    }
    // Nobody can call off or reject what the ledger may hold, and nobody has to approve it.
    let (status, refused) = scene.merchant.cancel(&ids[0]).await;
    let path = format!("/v1/payments/{}/reject", ids[1]);
    let (rejection, answer) = treasury.say(&path, &json!({ "version": 1 })).await;
    for (status, answer) in [(status, refused), (rejection, answer)] {
        let code = answer["code"].as_str();
        let too_late = code == Some("already_final");
        assert!(
            status == 409 && (too_late || code == Some("not_known_yet")),
            "{answer:#}"
        );
    }
    for id in &ids[..6] {
        let paid = |payment: &Value| payment["status"] == "succeeded";
        let payment = scene.merchant.payment(id, paid).await;
        assert_eq!(payment["approval"]["decision"], "remembered", "{payment:#}");
        let tag = payment["destination_tag"].as_u64().unwrap();
        assert_eq!(payment["tx_hash"], before[&tag], "{payment:#}");
    }
    let new = scene
        .merchant
        .get(&format!("/v1/payments/{}", ids[6]))
        .await;
    assert_eq!(new["status"], "awaiting_approval", "{new:#}");
    scene.audit(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_rules_on_in_time_expires_and_is_never_paid() {
    let layer = format!("{SHORT_LIVED}{THRESHOLD}approval_expires_in = \"1s\"\n");
    let scene = Scene::new("200ms", "10000", &layer);
    let _daemon = scene.start().await;
    let treasury = treasury_of(&scene.setup);
    let id = scene.pay_one(1, "2").await;
    let small = scene.pay_one(2, "1").await;
    let ended = |payment: &Value| payment["status"] == "expired";
    let expired = scene.merchant.payment(&id, ended).await;
    assert_eq!(expired["proof"]["kind"], "nothing_signed", "{expired:#}");
    assert_eq!(expired["approval"]["decision"], Value::Null);
    let body = json!({ "version": expired["version"] });
    let path = format!("/v1/payments/{id}/approve");
    let (status, late) = treasury.say(&path, &body).await;
    assert_eq!((status, &late["code"]), (409, &json!("already_final")));
    let paid = |payment: &Value| payment["status"] == "succeeded";
    scene.merchant.payment(&small, paid).await;
    scene.audit(&[]).await;
}
