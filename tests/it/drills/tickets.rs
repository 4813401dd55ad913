//! Tickets: made while payments flow, refilled, used where the lane is stuck, and never two of what
//! was asked for once.

use super::scene::{
    GRACE, IMPATIENT, PATIENCE, SHOP, Scene, id_of, is_final, submissions_are_lost,
};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The tickets of the wallet that really stand.
async fn standing(scene: &Scene) -> BTreeSet<u64> {
    let request = json!({ "command": "account_objects", "account": WALLET.0, "type": "ticket",
        "ledger_index": "validated", "limit": 400 });
    let answer = scene.ledger.ask(request).await;
    let objects = answer["account_objects"].as_array().unwrap().iter();
    let numbers = objects.map(|object| object["TicketSequence"].as_u64().unwrap());
    numbers.collect()
}

/// How many transactions that make tickets succeeded.
async fn creations(scene: &Scene) -> usize {
    let truth = scene.ledger.truth_of(WALLET.0).await;
    let made = truth
        .iter()
        .filter(|tx| tx["type"] == "TicketCreate" && tx["result"] == "tesSUCCESS");
    made.count()
}

/// Waits until the daemon knows of so many tickets, and nothing is on order.
async fn until_tickets(scene: &Scene, wanted: u64) {
    let settled = |wallet: &Value| {
        wallet["tickets"]["standing"] == wanted && wallet["tickets"]["on_order"] == 0
    };
    scene.merchant.until("/v1/wallets/hot", settled).await;
}

fn create_tickets(scene: &Scene, count: u32, more: &[&str]) -> Value {
    let count = count.to_string();
    let mut command = vec!["wallet", "create-tickets", "hot", "--count", &count];
    command.extend(more);
    scene.setup.command(&command)
}

/// The tickets that a payment's attempts went by.
fn tickets_of(payment: &Value) -> Vec<u64> {
    let attempts = payment["attempts"].as_array().unwrap().iter();
    attempts
        .filter_map(|attempt| attempt["ticket"].as_u64())
        .collect()
}

/// Signs with the wallet's key past the daemon and gives it to the ledger.
async fn sign_past_the_daemon(scene: &Scene, mut tx: Value) -> String {
    let key = xrpayd_codec::Keypair::from_seed(WALLET.1).unwrap();
    for (field, value) in [("Account", json!(WALLET.0)), ("Flags", json!(0))] {
        tx[field] = value;
    }
    let signed = xrpayd_codec::sign(&tx, &key).unwrap();
    let request = json!({ "command": "submit", "tx_blob": hex::encode_upper(&signed.blob) });
    let answer = scene.ledger.ask(request).await;
    assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer:#}");
    signed.hash.to_string()
}

/// Pays 1 XRP for no more than the ledger's base fee.
async fn pay_frugally(scene: &Scene, tag: u32) -> String {
    let body = json!({
        "destination": SHOP,
        "destination_tag": tag,
        "amount": { "currency": "XRP", "value": "1" },
        "max_fee_drops": "10",
    });
    id_of(&scene.merchant.create(&format!("frugal-{tag}"), &body).await)
}

/// The servers ask for more than a frugal payment may pay, and for no more than others may.
fn spike() -> Value {
    json!({ "kind": "fee_spike", "load_factor": 20 })
}

/// Leaves the wallet's first payment stuck: signed at the base fee, for which no server takes it any
/// more. Ledgers are closed by hand.
async fn with_a_stuck_head(scene: &Scene) -> String {
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let head = pay_frugally(scene, 1).await;
    let signed = |payment: &Value| !payment["attempts"].as_array().unwrap().is_empty();
    scene.merchant.payment(&head, signed).await;
    scene.ledger.fault_all(&spike()).await;
    let works = json!({ "kind": "drop_requests", "per_mille": 0, "only": "submit" });
    scene.ledger.fault_all(&works).await;
    for _ in 0..4 {
        scene.close_slowly().await;
    }
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_are_made_while_payments_flow_and_the_reserve_they_keep_is_not_spent() {
    let scene = Scene::new("200ms", "10000", IMPATIENT);
    let daemon = scene.start().await;
    scene.pay(1, 15).await;
    let made = tokio::task::block_in_place(|| create_tickets(&scene, 10, &[]));
    assert_eq!(
        (&made["status"], &made["count"]),
        (&json!("made"), &json!(10)),
        "{made:#}"
    );
    scene.pay(16, 15).await;
    scene.all_succeed(30).await;
    until_tickets(&scene, 10).await;
    assert_eq!(
        (standing(&scene).await.len(), creations(&scene).await),
        (10, 1)
    );
    let wallet = scene.merchant.get("/v1/wallets/hot").await;
    // 1 XRP for the account and 0.2 XRP for each ticket.
    assert_eq!(wallet["reserve"]["value"], "3", "{wallet:#}");

    // What was done is not done again; what is asked for anew is.
    let first = &made["request"];
    let again = tokio::task::block_in_place(|| create_tickets(&scene, 10, &[]));
    assert_ne!(&again["request"], first, "{again:#}");
    until_tickets(&scene, 20).await;
    assert_eq!(creations(&scene).await, 2);
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let waits = create_tickets(&scene, 5, &[]);
    assert_eq!(waits["status"], "open", "no daemon runs: {waits:#}");
    let _daemon = scene.start().await;
    until_tickets(&scene, 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_pass_by_a_stuck_one_on_tickets_and_the_tickets_refill_by_themselves() {
    let layer = format!("{IMPATIENT}[wallets.hot]\nticket_low_water = 3\nticket_refill_to = 4\n");
    let scene = Scene::new("manual", "10000", &layer);
    let _daemon = scene.start().await;
    let none = |wallet: &Value| wallet["tickets"]["on_order"] == 4;
    scene.merchant.until("/v1/wallets/hot", none).await;
    scene.close_slowly().await;
    until_tickets(&scene, 4).await;

    let head = with_a_stuck_head(&scene).await;
    let ids = scene.pay(2, 3).await;
    let mut used = BTreeSet::new();
    for id in &ids {
        let by_ticket = |payment: &Value| !tickets_of(payment).is_empty();
        let payment = scene.merchant.payment(id, by_ticket).await;
        used.extend(tickets_of(&payment));
    }
    assert_eq!(used.len(), 3, "each went by a ticket of its own");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for id in &ids {
        while !is_final(&scene.merchant.get(&format!("/v1/payments/{id}")).await) {
            assert!(tokio::time::Instant::now() < deadline, "{id} never ends");
            scene.close_slowly().await;
        }
    }
    let waits = scene.merchant.get(&format!("/v1/payments/{head}")).await;
    assert_eq!(waits["status"], "processing", "{waits:#}");

    scene.ledger.clear().await;
    scene.settle_by_hand().await;
    scene.all_succeed(4).await;
    // One of the four was left, below the mark: three are made once the lane moves.
    while creations(&scene).await < 2 {
        assert!(tokio::time::Instant::now() < deadline, "no refill");
        scene.close_slowly().await;
    }
    until_tickets(&scene, 4).await;
    assert!(standing(&scene).await.is_disjoint(&used));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_while_it_makes_tickets_makes_them_once() {
    // The transaction never left; it left and nobody answered; it is in a ledger that nobody read.
    let lost_answers = json!({ "kind": "drop_responses", "per_mille": 1000, "only": "submit" });
    for (fault, closes) in [
        (submissions_are_lost(), false),
        (lost_answers.clone(), false),
        (lost_answers, true),
    ] {
        let scene = Scene::new("manual", "10000", IMPATIENT);
        let daemon = scene.start().await;
        scene.ledger.fault_all(&fault).await;
        let asked = create_tickets(&scene, 7, &["--no-wait"]);
        assert_eq!(asked["status"], "open", "{asked:#}");
        let on_order = |wallet: &Value| wallet["tickets"]["on_order"] == 7;
        scene.merchant.until("/v1/wallets/hot", on_order).await;
        daemon.kill();
        if closes {
            scene.ledger.close().await;
        }
        scene.ledger.clear().await;
        let again = create_tickets(&scene, 7, &["--no-wait"]);
        assert_eq!(again["request"], asked["request"], "asked for once");
        let _daemon = scene.start().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while creations(&scene).await == 0 {
            assert!(tokio::time::Instant::now() < deadline, "never made");
            scene.close_slowly().await;
        }
        until_tickets(&scene, 7).await;
        for _ in 0..3 {
            scene.close_slowly().await;
        }
        assert_eq!(
            (creations(&scene).await, standing(&scene).await.len()),
            (1, 7)
        );
        scene.pay(1, 3).await;
        scene.settle_by_hand().await;
        scene.all_succeed(3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ticket_that_still_stands_proves_that_a_payment_by_it_never_happened() {
    let layer = format!("{IMPATIENT}[wallets.hot]\nledger_window = 8\n");
    let scene = Scene::new("manual", "10000", &layer);
    let _daemon = scene.start().await;
    create_tickets(&scene, 2, &["--no-wait"]);
    let on_order = |wallet: &Value| wallet["tickets"]["on_order"] == 2;
    scene.merchant.until("/v1/wallets/hot", on_order).await;
    scene.close_slowly().await;
    until_tickets(&scene, 2).await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let head = scene.pay_one(1, "1").await;
    let signed = |payment: &Value| !payment["attempts"].as_array().unwrap().is_empty();
    scene.merchant.payment(&head, signed).await;
    for _ in 0..4 {
        scene.close_slowly().await;
    }
    let body = json!({
        "destination": SHOP,
        "destination_tag": 2,
        "amount": { "currency": "XRP", "value": "5" },
        "expires_in": 1,
    });
    let id = id_of(&scene.merchant.create("expires", &body).await);
    let by_ticket = |payment: &Value| !tickets_of(payment).is_empty();
    scene.merchant.payment(&id, by_ticket).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let payment = loop {
        let payment = scene.merchant.get(&format!("/v1/payments/{id}")).await;
        if is_final(&payment) {
            break payment;
        }
        assert!(tokio::time::Instant::now() < deadline, "{payment:#}");
        scene.close_slowly().await;
    };
    assert_eq!(payment["status"], "expired", "{payment:#}");
    let (proof, attempts) = (&payment["proof"], payment["attempts"].as_array().unwrap());
    let last = attempts.last().unwrap();
    assert_eq!(proof["kind"], "absent", "{payment:#}");
    assert_eq!(proof["reason"], "ticket_stands", "{payment:#}");
    assert_eq!(proof["ticket"], last["ticket"], "{payment:#}");
    assert!(proof["read_at_ledger"].as_u64() >= last["last_ledger_sequence"].as_u64());
    assert!(proof["servers"].as_array().unwrap().len() >= 2);
    scene.ledger.clear().await;
    scene.settle_by_hand().await;
    let payments = scene.settle().await;
    assert_eq!(payments[&1]["status"], "succeeded");
    until_tickets(&scene, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_uses_our_ticket_halts_the_wallet() {
    let scene = Scene::new("manual", "10000", IMPATIENT);
    let _daemon = scene.start().await;
    create_tickets(&scene, 1, &["--no-wait"]);
    let on_order = |wallet: &Value| wallet["tickets"]["on_order"] == 1;
    scene.merchant.until("/v1/wallets/hot", on_order).await;
    scene.close_slowly().await;
    until_tickets(&scene, 1).await;
    with_a_stuck_head(&scene).await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let id = scene.pay_one(2, "1").await;
    let by_ticket = |payment: &Value| !tickets_of(payment).is_empty();
    let payment = scene.merchant.payment(&id, by_ticket).await;
    let theirs = json!({ "TransactionType": "Payment", "Destination": SHOP, "Fee": "5000",
        "DestinationTag": 999, "Amount": "7000000", "Sequence": 0,
        "TicketSequence": tickets_of(&payment)[0] });
    let stranger = sign_past_the_daemon(&scene, theirs).await;
    scene.close_slowly().await;
    let halted = |wallet: &Value| wallet["status"] == "halted";
    let wallet = scene.merchant.until("/v1/wallets/hot", halted).await;
    let reason = wallet["halted_reason"].as_str().unwrap();
    assert!(
        reason.contains(&stranger) && reason.contains("our ticket"),
        "{reason}"
    );

    let resumed = scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot", "--accept", &stranger]);
    assert_eq!(resumed["resumed"], true, "{resumed}");
    scene.ledger.clear().await;
    scene.settle_by_hand().await;
    let payments = scene.audit(&[&stranger]).await;
    assert!(
        payments
            .values()
            .all(|payment| payment["status"] == "succeeded")
    );
    let robbed = &payments[&2]["attempts"];
    assert_eq!(robbed[0]["state"], "dead", "{robbed:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_that_the_account_had_before_are_read_once_and_known_from_then_on() {
    let scene = Scene::new("200ms", "10000", "[wallets.hot]\nledger_window = 6\n");
    let info = json!({ "command": "account_info", "account": WALLET.0 });
    let sequence = scene.ledger.ask(info).await["account_data"]["Sequence"].clone();
    let create = json!({ "TransactionType": "TicketCreate", "TicketCount": 12, "Fee": "10",
        "Sequence": sequence });
    sign_past_the_daemon(&scene, create).await;
    scene.ledger.reach(scene.ledger.validated().await + 2).await;
    let daemon = scene.start().await;
    until_tickets(&scene, 12).await;
    let wallet = scene.merchant.get("/v1/wallets/hot").await;
    assert_eq!(wallet["reserve"]["value"], "3.4", "{wallet:#}");
    daemon.kill();
    let _daemon = scene.start().await;
    until_tickets(&scene, 12).await;
    scene.pay(1, 3).await;
    scene.all_succeed(3).await;
}
