//! The emergency stop on a daemon that pays: what began before is settled, nothing begins, nothing is lost.

use super::scene::{SHORT_LIVED, Scene, is_final, sequences, store_in, submissions_are_lost};
use crate::store::bed::run_on;
use crate::store::fresh_postgres;
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The store of a drill: SQLite where there is none.
async fn stores() -> Vec<Option<String>> {
    let mut stores = vec![None];
    if let Some(url) = fresh_postgres().await {
        stores.push(Some(url));
    }
    stores
}

fn administrator(scene: &Scene) -> Merchant {
    let key = scene.setup.create_key("ops", &["admin"]);
    Merchant::new(&scene.setup.api, &key)
}

async fn switch(admin: &Merchant, verb: &str, scope: &str) {
    let body = json!({ "scope": scope, "reason": "a drill" });
    let (status, answer) = admin.say(&format!("/v1/{verb}"), &body).await;
    assert_eq!(status, 200, "{answer:#}");
}

/// Every sequence that anything was ever signed on for a payment.
async fn signed(scene: &Scene) -> BTreeSet<(String, u64)> {
    let payments = scene.merchant.all_payments().await;
    let of = |payment: &Value| {
        let id = payment["id"].as_str().unwrap().to_owned();
        sequences(payment)
            .into_iter()
            .map(move |sequence| (id.clone(), sequence))
    };
    payments.iter().flat_map(of).collect()
}

async fn processing(scene: &Scene, substatus: &str) -> usize {
    let payments = scene.merchant.all_payments().await;
    let shown = payments
        .iter()
        .filter(|payment| payment["substatus"] == substatus);
    shown.count()
}

/// Waits until every payment that has no end shows that it is paused.
async fn until_all_wait(scene: &Scene) {
    let deadline = Instant::now() + super::scene::PATIENCE;
    loop {
        let payments = scene.merchant.all_payments().await;
        let waits = |payment: &Value| is_final(payment) || payment["substatus"] == "paused";
        if payments.iter().all(waits) {
            return;
        }
        assert!(Instant::now() < deadline, "{payments:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks for a payment, which is refused because payments are paused.
async fn is_refused(scene: &Scene, tag: u32, key: &str) {
    let body = json!({ "destination": super::scene::SHOP, "destination_tag": tag,
        "amount": { "currency": "XRP", "value": "1" } });
    let (status, refused) = scene.merchant.post("/v1/payments", Some(key), &body).await;
    assert_eq!(
        (status, &refused["code"]),
        (503, &json!("paused")),
        "{refused:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_amid_a_stream_of_payments_begins_nothing_settles_what_flies_and_loses_nothing() {
    for store in stores().await {
        let layer = "[wallets.hot]\nmax_in_flight = 5\n";
        let scene = Scene::with_store(store.as_deref(), "500ms", "10000", layer, &[]);
        let mut daemon = scene.start().await;
        let admin = administrator(&scene);
        scene.pay(1, 40).await;
        switch(&admin, "pause", "payments").await;
        let before = signed(&scene).await;
        assert!(
            before.len() < 40,
            "the pause came too late to show anything"
        );
        // What is asked for now is refused, and was not made.
        is_refused(&scene, 99, "late").await;
        until_all_wait(&scene).await;
        // A pause outlives the process, killed or not.
        daemon.kill();
        daemon = scene.start().await;
        scene.ledger.reach(scene.ledger.validated().await + 4).await;
        assert_eq!(
            signed(&scene).await,
            before,
            "something was signed while paused"
        );
        let waiting = processing(&scene, "paused").await;
        assert_eq!(waiting, 40 - before.len());
        scene
            .until_metric("paused{scope=\"payments\"} ", |paused| paused == 1.0)
            .await;
        scene.audit(&[]).await;

        switch(&admin, "resume", "payments").await;
        scene.all_succeed(40).await;
        assert_eq!(processing(&scene, "paused").await, 0);
        assert!(daemon.terminate(super::scene::GRACE) == Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_dies_while_paused_is_signed_again_only_after_the_pause() {
    let scene = Scene::new("250ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    let admin = administrator(&scene);
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let id = scene.pay_one(1, "1").await;
    scene
        .merchant
        .payment(&id, |payment| !sequences(payment).is_empty())
        .await;
    switch(&admin, "pause", "wallet:hot").await;
    let held = scene
        .merchant
        .payment(&id, |payment| payment["substatus"] == "paused")
        .await;
    assert_eq!(held["attempts"][0]["state"], "dead", "{held:#}");
    scene.ledger.clear().await;
    scene.ledger.reach(scene.ledger.validated().await + 8).await;
    let still = scene.merchant.payment(&id, |_| true).await;
    assert_eq!(sequences(&still), sequences(&held), "{still:#}");
    let sent = scene.ledger.truth_of(WALLET.0).await;
    assert!(sent.iter().all(|tx| tx["account"] != WALLET.0), "{sent:#?}");
    switch(&admin, "resume", "wallet:hot").await;
    scene.all_succeed(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_stops_a_running_daemon_and_is_seen_within_two_seconds() {
    for store in stores().await {
        let scene = Scene::with_store(store.as_deref(), "500ms", "10000", "", &[]);
        let _daemon = scene.start().await;
        let done = scene
            .setup
            .command(&["pause", "--scope", "all", "--reason", "a drill"]);
        assert_eq!(done["changed"], true);
        let answered = Instant::now();
        // The very first request after the command is refused: the store says so, seen or not.
        is_refused(&scene, 1, "one").await;
        scene
            .merchant
            .until("/v1/pause", |told| told["paused"] == true)
            .await;
        println!("seen {:?} after the command", answered.elapsed());
        let told = scene.merchant.get("/v1/pause").await;
        assert_eq!(told["pauses"][0]["reason"], "a drill");
        assert!(
            told["pauses"][0]["by"]
                .as_str()
                .unwrap()
                .starts_with("cli:")
        );
        let again = scene.setup.command(&["pause"]);
        assert_eq!(
            (&again["changed"], &again["pauses"][0]["reason"]),
            (&json!(false), &json!("a drill"))
        );
        let (code, _, error) = scene
            .setup
            .try_command(&["pause", "--scope", "wallet:moon"]);
        assert_eq!(code, Some(1), "{error}");
        let (code, _, error) = scene.setup.try_command(&["pause", "--scope", "moon"]);
        assert_eq!(code, Some(2), "{error}");

        let done = scene.setup.command(&["resume"]);
        assert_eq!(
            (&done["changed"], &done["pauses"]),
            (&json!(true), &json!([]))
        );
        scene.pay(1, 3).await;
        scene.all_succeed(3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_cannot_be_read_begins_nothing_and_settles_what_flies() {
    for store in stores().await {
        let layer = "[wallets.hot]\nmax_in_flight = 3\n";
        let scene = Scene::with_store(store.as_deref(), "500ms", "10000", layer, &[]);
        let url = store.clone().unwrap_or_else(|| store_in(scene.folder()));
        let _daemon = scene.start().await;
        scene.pay(1, 20).await;
        run_on(&url, "alter table pauses rename to lost")
            .await
            .unwrap();
        let before = signed(&scene).await;
        assert!(before.len() < 20, "it came too late to show anything");
        is_refused(&scene, 99, "late").await;
        scene
            .merchant
            .until("/v1/pause", |told| told["readable"] == false)
            .await;
        until_all_wait(&scene).await;
        scene.ledger.reach(scene.ledger.validated().await + 3).await;
        assert_eq!(signed(&scene).await, before, "something was signed unseen");
        run_on(&url, "alter table lost rename to pauses")
            .await
            .unwrap();
        scene.all_succeed(20).await;
    }
}
