//! The same seed and the same script give the same run: what `sandbox_truth` answers is equal byte for
//! byte, whatever the wall clock, the ports and the scheduling of the tasks did meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use futures_util::future::join_all;
use serde_json::{Value, json};
use wire::{Client, by_hand, key, payment, signed};
use xrpayd_codec::keys::Keypair;
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{Network, NetworkConfig};

const SENDERS: u8 = 6;
const ROUNDS: u32 = 8;
/// What one sender submits in a round: payments in a circle, and now and then another kind, one that
/// fails, or one that came too early.
fn script(sender: &Keypair, next: &Keypair, sequence: u32, round: u32) -> Vec<String> {
    let mut blobs = vec![
        payment(sender, next, sequence, 1_000 + u64::from(round)),
        payment(sender, next, sequence + 1, 5_000_000_000_000),
    ];
    match round % 4 {
        0 => blobs.push(signed(
            sender,
            json!({"TransactionType": "TicketCreate", "TicketCount": 2, "Sequence": sequence + 2}),
        )),
        1 => blobs.push(signed(
            sender,
            json!({"TransactionType": "AccountSet", "Domain": "6578", "Sequence": sequence + 2}),
        )),
        2 => blobs.insert(0, payment(sender, next, sequence + 2, 77)),
        _ => {}
    }
    blobs
}

/// Submits without waiting for answers, some of which never come. The drill's own commands are never
/// lost, and a connection's requests are taken in order: the last one's answer comes after them all.
async fn submit_all(client: &mut Client, blobs: Vec<String>) {
    for blob in blobs {
        client
            .send(json!({"command": "submit", "tx_blob": blob}))
            .await;
    }
    client
        .result(json!({"command": "sandbox_truth", "after_ledger": u32::MAX}))
        .await;
}

/// One whole run; returns the text of its truth.
async fn run(seed: u64) -> String {
    let config = NetworkConfig {
        seed,
        fund: vec![(key(99).account_id(), Drops::new(50_000_000).unwrap())],
        ..by_hand(3)
    };
    let network = Network::start(config).await.unwrap();
    let senders: Vec<Keypair> = (1..=SENDERS).map(key).collect();
    for sender in &senders {
        assert!(network.fund(sender.account_id(), Drops::new(1_000_000_000).unwrap()));
    }
    let _open = network.close_ledger();
    let mut clients = Vec::new();
    for n in 0..senders.len() {
        clients.push(Client::connect(network.addresses()[n % 3]).await);
    }
    for fault in [
        json!({"server": 0, "kind": "drop_responses", "per_mille": 200}),
        json!({"server": 1, "kind": "drop_requests", "per_mille": 300}),
        json!({"server": 2, "kind": "latency", "ms": 1, "jitter_ms": 9}),
    ] {
        network.fault(&fault).unwrap();
    }
    for round in 0..ROUNDS {
        let truth = network.truth();
        // All at once: in which order the servers hear of them is for the machine to say.
        let turns = clients.iter_mut().enumerate().map(|(n, client)| {
            let (sender, next) = (&senders[n], &senders[(n + 1) % senders.len()]);
            let account = &truth["accounts"][sender.account_id().to_string()];
            let sequence = u32::try_from(account["sequence"].as_u64().unwrap()).unwrap();
            submit_all(client, script(sender, next, sequence, round))
        });
        join_all(turns).await;
        let _open = if round % 3 == 2 {
            network.close_ledger_after(3_600)
        } else {
            network.close_ledger()
        };
    }
    network
        .fault(&json!({"server": "all", "kind": "clear"}))
        .unwrap();
    let mut auditor = Client::connect(network.addresses()[1]).await;
    let truth = auditor.result(json!({"command": "sandbox_truth"})).await;
    assert_eq!(truth, network.truth());
    network.stop().await;
    truth.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_and_the_same_script_give_the_same_truth_byte_for_byte() {
    let (first, second) = (run(7).await, run(7).await);
    let truth: Value = serde_json::from_str(&first).unwrap();
    let accounts = truth["accounts"].as_object().unwrap();
    let rows = accounts
        .values()
        .map(|account| account["transactions"].as_array().unwrap());
    let results: Vec<&str> = rows
        .flatten()
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    assert!(results.contains(&"tesSUCCESS") && results.contains(&"tecUNFUNDED_PAYMENT"));
    assert!(results.len() > 100, "{} rows", results.len());
    assert_eq!(first, second);
    assert_ne!(first, run(8).await);
}

#[tokio::test]
async fn two_seeds_begin_two_chains_at_the_same_moment() {
    let mut hashes = Vec::new();
    for seed in [1, 1, 2] {
        let config = NetworkConfig { seed, ..by_hand(1) };
        let network = Network::start(config).await.unwrap();
        let _open = network.close_ledger();
        let mut truth = network.truth();
        assert_eq!(truth["ledger"]["close_time"], 846_806_401);
        hashes.push(truth["ledger"]["ledger_hash"].take());
        network.stop().await;
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
}

#[tokio::test]
async fn time_passes_between_closes_by_hand_only_as_far_as_it_is_told_to() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    let closed = |index: u32| json!({"command": "ledger", "ledger_index": index});
    client.result(json!({"command": "ledger_accept"})).await;
    client
        .result(json!({"command": "ledger_accept", "advance_s": 86_400}))
        .await;
    let mut times = Vec::new();
    for index in [2, 3, 4] {
        let ledger = client.result(closed(index)).await;
        times.push(ledger["ledger"]["close_time_iso"].clone());
    }
    let expected = [
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:01Z",
        "2026-11-02T00:00:01Z",
    ];
    assert_eq!(times, expected);
    let info = client.result(json!({"command": "server_info"})).await["info"].clone();
    assert!(info["validated_ledger"]["age"].as_u64().unwrap() < 60);
    assert!(
        info["time"]
            .as_str()
            .unwrap()
            .starts_with("2026-Nov-02 00:0")
    );
    for nonsense in [json!(0), json!(-1), json!("1"), json!(u32::MAX)] {
        let refused = client
            .ask(json!({"command": "ledger_accept", "advance_s": nonsense}))
            .await;
        assert_eq!(refused["error"], "invalidParams", "{nonsense}");
    }
    network.stop().await;
}
