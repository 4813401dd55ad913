//! Measures the model ledger: submitted payments a second over several connections, and how long a
//! close takes. Run with `cargo run --release -p xrpayd-sandbox --example flood [PAYMENTS] [CONNECTIONS]`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a measuring tool: it stops at the first surprise, prints, and reads the clock"
)]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// Requests in flight on one connection.
const WINDOW: usize = 64;
/// Payments in one measured ledger.
const LEDGER: usize = 2_000;

fn blobs(key: &Keypair, to: &str, first: u32, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let payment = json!({
                "TransactionType": "Payment",
                "Account": key.account_id().to_string(),
                "Destination": to,
                "Amount": "1",
                "Fee": "10",
                "Flags": 0,
                "Sequence": first + u32::try_from(n).unwrap(),
                "LastLedgerSequence": 100_000,
            });
            hex::encode_upper(xrpayd_codec::sign(&payment, key).unwrap().blob)
        })
        .collect()
}

async fn flood(address: std::net::SocketAddr, blobs: Vec<String>) {
    let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}"))
        .await
        .unwrap();
    let (mut sink, mut source) = socket.split();
    let (mut sent, mut answered) = (0, 0);
    while answered < blobs.len() {
        while sent < blobs.len() && sent - answered < WINDOW {
            let request = json!({"id": sent, "command": "submit", "tx_blob": blobs[sent]});
            sink.feed(Message::text(request.to_string())).await.unwrap();
            sent += 1;
        }
        sink.flush().await.unwrap();
        let answer = source.next().await.unwrap().unwrap();
        let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
        assert_eq!(answer["result"]["engine_result"], "tesSUCCESS", "{answer}");
        answered += 1;
    }
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse::<usize>().expect("a number"));
    let payments = arguments.next().unwrap_or(20_000);
    let connections = arguments.next().unwrap_or(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(payments, connections));
}

async fn run(payments: usize, connections: usize) {
    for servers in [1, 3] {
        let config = NetworkConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap(); servers],
            close_interval: CloseInterval::Manual,
            ..NetworkConfig::default()
        };
        let network = Network::start(config).await.unwrap();
        let seed = |n: usize| [u8::try_from(n % 256).unwrap(); 16];
        let keys: Vec<Keypair> = (0..connections)
            .map(|n| Keypair::from_entropy(Algorithm::Ed25519, &seed(n)).unwrap())
            .collect();
        for key in &keys {
            assert!(network.fund(key.account_id(), Drops::new(1_000_000_000_000).unwrap()));
        }
        let first = network.close_ledger() - 1;
        let to = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
        let rounds = (payments / LEDGER).max(1);
        let share = LEDGER / connections;
        let mut signed: Vec<Vec<String>> = keys
            .iter()
            .map(|key| blobs(key, to, first, share * rounds))
            .collect();
        let (mut submitting, mut closing, mut worst) = (0.0, 0.0, 0.0_f64);
        for _ in 0..rounds {
            let batches: Vec<Vec<String>> = signed
                .iter_mut()
                .map(|left| left.drain(..share).collect())
                .collect();
            let start = Instant::now();
            let tasks = batches.into_iter().enumerate().map(|(n, batch)| {
                let address = network.addresses()[n % servers];
                flood(address, batch)
            });
            futures_util::future::join_all(tasks).await;
            submitting += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let _index = network.close_ledger();
            let took = start.elapsed().as_secs_f64() * 1_000.0;
            closing += took;
            worst = worst.max(took);
        }
        let total = rounds * share * connections;
        let mean = closing / f64::from(u32::try_from(rounds).unwrap());
        println!(
            "{servers} server(s), {connections} connections: {:.0} submits a second; closes of {} transactions: mean {mean:.1} ms, worst {worst:.1} ms",
            f64::from(u32::try_from(total).unwrap()) / submitting,
            share * connections,
        );
        network.stop().await;
    }
}
