//! How fast the model ledger is, and that it stays small: payments submitted a second over four
//! connections, how long a close of 2,000 of them takes, and what is resident while ledger follows
//! ledger under a bounded history. Ends with a failure where a bound is not met, so that the model never
//! becomes what another benchmark measures.
//!
//! Clients and servers share the process and its two worker threads; signing is not measured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measuring program: it prints, reads the clock, and stops where it cannot go on"
)]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// Connections that submit, each for a sender of its own.
const CONNECTIONS: usize = 4;
/// Requests in flight on one connection.
const WINDOW: usize = 64;
/// Payments in one ledger whose close is measured, and such ledgers in a run.
const LEDGER: usize = 2_000;
const ROUNDS: usize = 9;
/// The fewest submits a second, and the longest close, in the median of the rounds.
const SUBMITS_A_SECOND_MIN: u128 = 5_000;
const CLOSE_MAX: Duration = Duration::from_millis(100);
/// The run that shows that memory is bounded: so many ledgers of so many payments to so many accounts.
const MEMORY_LEDGERS: usize = 200;
const MEMORY_LEDGER: usize = 1_000;
const MEMORY_ACCOUNTS: usize = 4_000;
const MEMORY_RETAINED: u32 = 32;
/// After these ledgers everything that is bounded is full.
const MEMORY_WARM: usize = 80;
/// How much more may be resident at the end than then: what the allocator rounds.
const MEMORY_GROWTH_MAX_KIB: u64 = 16 << 10;

/// One sender, its next sequence, and its connection.
struct Sender {
    key: Keypair,
    sequence: u32,
    address: SocketAddr,
}

impl Sender {
    /// Signs so many payments of `drops`, to accounts that `destination` names by their number.
    fn sign(
        &mut self,
        count: usize,
        drops: u64,
        destination: impl Fn(usize) -> AccountId,
    ) -> Vec<String> {
        let sign = |n: usize| {
            let payment = json!({
                "TransactionType": "Payment",
                "Account": self.key.account_id().to_string(),
                "Destination": destination(n).to_string(),
                "Amount": drops.to_string(),
                "Fee": "10",
                "Flags": 0,
                "Sequence": self.sequence + u32::try_from(n).unwrap(),
                "LastLedgerSequence": 100_000,
            });
            hex::encode_upper(xrpayd_codec::sign(&payment, &self.key).unwrap().blob)
        };
        let blobs = (0..count).map(sign).collect();
        self.sequence += u32::try_from(count).unwrap();
        blobs
    }
}

/// Submits over a connection of its own, so many at a time, and expects that each applies.
async fn submit(address: SocketAddr, blobs: Vec<String>) {
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

/// A network that is closed by hand, and its funded senders.
async fn network(servers: usize, retain_ledgers: Option<u32>) -> (Network, Vec<Sender>) {
    let config = NetworkConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap(); servers],
        close_interval: CloseInterval::Manual,
        retain_ledgers,
        ..NetworkConfig::default()
    };
    let network = Network::start(config).await.unwrap();
    let keys: Vec<Keypair> = (0..CONNECTIONS)
        .map(|n| {
            Keypair::from_entropy(Algorithm::Ed25519, &[u8::try_from(n).unwrap(); 16]).unwrap()
        })
        .collect();
    for key in &keys {
        assert!(network.fund(key.account_id(), Drops::new(1_000_000_000_000).unwrap()));
    }
    let sequence = network.close_ledger() - 1;
    let sender = |(n, key)| Sender {
        key,
        sequence,
        address: network.addresses()[n % servers],
    };
    let senders = keys.into_iter().enumerate().map(sender).collect();
    (network, senders)
}

/// Submits one ledger's payments over all connections at once.
async fn submit_all(senders: &[Sender], batches: Vec<Vec<String>>) {
    let works = senders
        .iter()
        .zip(batches)
        .map(|(sender, batch)| submit(sender.address, batch));
    futures_util::future::join_all(works).await;
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Measures submits and closes; returns whether the bounds hold.
async fn speed(servers: usize) -> bool {
    let (network, mut senders) = network(servers, None).await;
    let genesis: AccountId = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh".parse().unwrap();
    let (mut submits, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let batches: Vec<_> = senders
            .iter_mut()
            .map(|sender| sender.sign(LEDGER / CONNECTIONS, 1, |_| genesis))
            .collect();
        let start = Instant::now();
        submit_all(&senders, batches).await;
        submits.push(start.elapsed());
        let start = Instant::now();
        let _open = network.close_ledger();
        closes.push(start.elapsed());
    }
    network.stop().await;
    let worst = closes.iter().max().copied().unwrap_or_default();
    let (submits, close) = (median(submits), median(closes));
    let rate = u128::try_from(LEDGER).unwrap() * 1_000_000 / submits.as_micros();
    println!(
        "{servers} server(s), {CONNECTIONS} connections: {rate} submits a second; a close of {LEDGER}: {close:.1?}, worst {worst:.1?}"
    );
    rate >= SUBMITS_A_SECOND_MIN && close <= CLOSE_MAX
}

/// What this process holds in memory, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.unwrap().trim().trim_end_matches(" kB");
    text.parse().unwrap()
}

/// Lets ledger follow ledger under a bounded history; returns whether memory stays as it was.
async fn memory() -> bool {
    let (network, mut senders) = network(1, Some(MEMORY_RETAINED)).await;
    let mut warm = 0;
    for ledger in 0..MEMORY_LEDGERS {
        let share = MEMORY_LEDGER / CONNECTIONS;
        let batches: Vec<_> = senders
            .iter_mut()
            .enumerate()
            .map(|(connection, sender)| {
                let first = ledger * MEMORY_LEDGER + connection * share;
                sender.sign(share, 1_000_000, |n| {
                    receiver((first + n) % MEMORY_ACCOUNTS)
                })
            })
            .collect();
        submit_all(&senders, batches).await;
        let _open = network.close_ledger();
        if ledger == MEMORY_WARM {
            warm = resident_kib();
        }
    }
    let end = resident_kib();
    network.stop().await;
    println!(
        "{MEMORY_LEDGERS} ledgers of {MEMORY_LEDGER}, {MEMORY_RETAINED} retained: {} MiB resident after {MEMORY_WARM}, {} MiB at the end",
        warm >> 10,
        end >> 10,
    );
    end <= warm + MEMORY_GROWTH_MAX_KIB
}

/// An account that only receives.
fn receiver(number: usize) -> AccountId {
    let mut id = [0x5A; 20];
    id[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    AccountId(id)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let held = runtime.block_on(async {
        // Memory first: what the other runs leave with the allocator would hide its growth.
        [memory().await, speed(1).await, speed(3).await]
    });
    assert!(held.iter().all(|held| *held), "a bound is not met");
}
