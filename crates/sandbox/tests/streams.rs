//! What subscribers are told, in which order, and closes by the clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::json;
use std::time::Duration;
use wire::{Client, by_hand, fund, key, payment};
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

#[tokio::test]
async fn a_closed_ledger_is_told_before_its_transactions_once_for_each_subscription() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let me = json!([alice.account_id().to_string()]);
    let everything = json!({
        "command": "subscribe",
        "api_version": 2,
        "streams": ["ledger", "transactions", "transactions_proposed"],
        "accounts": me,
    });
    let now = client.result(everything).await;
    assert_eq!(now["ledger_index"], 3);
    for n in 0..3 {
        client
            .submit(&payment(&alice, &bob, sequence + n, 2_000_000))
            .await;
    }
    let _open = network.close_ledger();
    let mut told = Vec::new();
    while told.len() < 3 + 1 + 9 {
        let frame = match client.news.pop_front() {
            Some(frame) => frame,
            None => client
                .frame(Duration::from_secs(5))
                .await
                .expect("news in time"),
        };
        told.push(frame);
    }
    let kinds: Vec<String> = told
        .iter()
        .map(|frame| frame["status"].as_str().unwrap_or("ledger").to_owned())
        .collect();
    let mut expected = vec!["proposed"; 3];
    expected.push("ledger");
    expected.extend(["closed"; 9]);
    assert_eq!(kinds, expected);
    let indexes: Vec<u64> = told[4..]
        .iter()
        .map(|frame| frame["meta"]["TransactionIndex"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert!(told[4].get("tx_json").is_some() && told[4]["tx_json"].get("hash").is_none());
    assert_eq!(client.frame(Duration::from_millis(50)).await, None);
    network.stop().await;
}

#[tokio::test]
async fn ledgers_close_by_the_clock_without_a_gap() {
    let close_interval = CloseInterval::Every(Duration::from_millis(20));
    let config = NetworkConfig {
        close_interval,
        ..by_hand(2)
    };
    let network = Network::start(config).await.unwrap();
    let mut clients = Vec::new();
    for address in network.addresses() {
        let mut client = Client::connect(*address).await;
        let now = client
            .result(json!({"command": "subscribe", "streams": ["ledger"]}))
            .await;
        clients.push((client, now["ledger_index"].as_u64().unwrap()));
    }
    let mut hashes = Vec::new();
    for (client, since) in &mut clients {
        let mut mine = Vec::new();
        for step in 1..=10 {
            let news = client.next_news("ledgerClosed").await;
            assert_eq!(news["ledger_index"], *since + step);
            mine.push((news["ledger_index"].clone(), news["ledger_hash"].clone()));
        }
        hashes.push(mine);
    }
    let agree = hashes[0]
        .iter()
        .filter(|entry| hashes[1].contains(entry))
        .count();
    let overlap = hashes[0]
        .iter()
        .filter(|(i, _)| hashes[1].iter().any(|(j, _)| i == j))
        .count();
    assert!(
        overlap > 0 && agree == overlap,
        "two servers tell of the same ledgers"
    );
    network.stop().await;
}
