//! What a payment costs when the ledger is full: it is paid more for on its own sequence where that
//! buys anything, and waits where the cap does not reach.

use super::scene::{SHORT_LIVED, Scene, sequences, submissions_are_lost};
use serde_json::{Value, json};

/// Attempts that outlive whatever a busy machine does to a drill.
const LONG_LIVED: &str =
    "[xrpl]\nrequest_timeout = \"500ms\"\n[wallets.hot]\nledger_window = 120\n";
/// The most that an attempt may cost where nothing else is said.
const MAX_FEE: u64 = 2_000;

fn fees(payment: &Value) -> Vec<u64> {
    let attempts = payment["attempts"].as_array().unwrap();
    let fee = |attempt: &Value| attempt["fee_drops"].as_str().unwrap().parse().unwrap();
    attempts.iter().map(fee).collect()
}

/// Signs `count` payments at the base fee that no server hears of until the fault `spike` has begun.
async fn surprise(scene: &Scene, count: u32, spike: &Value) {
    scene.ledger.fault_all(&submissions_are_lost()).await;
    for id in scene.pay(1, count).await {
        let signed = |payment: &Value| !sequences(payment).is_empty();
        let payment = scene.merchant.payment(&id, signed).await;
        assert_eq!(fees(&payment), [10]);
    }
    let mut everywhere = spike.clone();
    everywhere["command"] = json!("sandbox_fault");
    everywhere["server"] = json!("all");
    scene.ledger.ask(everywhere).await;
    let heard = json!({ "kind": "drop_requests", "per_mille": 0, "only": "submit" });
    scene.ledger.fault_all(&heard).await;
}

/// Every payment was replaced on its own sequence, each time by more than a quarter, and what was paid
/// is at least `price`.
async fn assert_replaced(scene: &Scene, count: u32, price: u64) {
    for payment in scene
        .all_succeed(usize::try_from(count).unwrap())
        .await
        .values()
    {
        let fees = fees(payment);
        assert!(fees.len() >= 2, "{payment:#}");
        assert!(
            fees.windows(2).all(|pair| pair[1] * 4 > pair[0] * 5),
            "{fees:?}"
        );
        let used = sequences(payment);
        assert!(used.iter().all(|sequence| *sequence == used[0]), "{used:?}");
        let paid: u64 = payment["fee_drops"].as_str().unwrap().parse().unwrap();
        assert!((price..=MAX_FEE).contains(&paid), "{payment:#}");
        let attempts = payment["attempts"].as_array().unwrap();
        let state = |state: &str| attempts.iter().filter(|a| a["state"] == state).count();
        assert_eq!(
            (state("validated"), state("dead")),
            (1, fees.len() - 1),
            "{payment:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_servers_turn_away_over_their_fee_are_replaced_and_each_is_paid_once() {
    let scene = Scene::new("300ms", "10000", LONG_LIVED);
    let _daemon = scene.start().await;
    surprise(
        &scene,
        12,
        &json!({ "kind": "fee_spike", "load_factor": 30 }),
    )
    .await;
    assert_replaced(&scene, 12, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_wait_in_the_queues_under_a_fee_spike_are_replaced_and_each_is_paid_once() {
    let scene = Scene::new("300ms", "10000", LONG_LIVED);
    let _daemon = scene.start().await;
    // More than the queue takes of one account.
    surprise(
        &scene,
        15,
        &json!({ "kind": "fee_spike", "multiplier": 50 }),
    )
    .await;
    assert_replaced(&scene, 15, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_above_the_cap_holds_payments_until_it_falls() {
    let layer = format!("{SHORT_LIVED}max_fee_drops = \"100\"\n");
    let scene = Scene::new("200ms", "10000", &layer);
    let _daemon = scene.start().await;
    let spike = json!({ "kind": "fee_spike", "load_factor": 30 });
    scene.ledger.fault_all(&spike).await;
    for id in scene.pay(1, 5).await {
        let held = |payment: &Value| payment["substatus"] == "fee_hold";
        scene.merchant.payment(&id, held).await;
    }
    scene.ledger.clear().await;
    for payment in scene.all_succeed(5).await.values() {
        let paid: u64 = payment["fee_drops"].as_str().unwrap().parse().unwrap();
        assert!(paid <= 100, "{payment:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_holds_five_pays_eighty_under_the_cap() {
    let capacity = ["--ledger-capacity", "5"];
    let scene = Scene::on("300ms", "10000", LONG_LIVED, &capacity);
    let _daemon = scene.start().await;
    scene.pay(1, 80).await;
    for payment in scene.all_succeed(80).await.values() {
        assert!(
            fees(payment).iter().all(|fee| *fee <= MAX_FEE),
            "{payment:#}"
        );
    }
}
