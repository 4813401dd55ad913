//! The whole path: 10,000 payments over HTTP through one daemon and a model ledger that closes
//! every second, both on this machine, and the raw limits of the same machine in the same run.
//!
//! Fails where a payment is lost, doubled or not final, or where the daemon's memory grows with the
//! number of payments it has seen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    dead_code,
    missing_docs
)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::daemon::{Setup, WALLET};
use support::ledger::Ledger;
use support::merchant::Merchant;

const PAYMENTS: usize = 10_000;
const WARM: usize = 2_000;
const CONNECTIONS: usize = 64;
const DESTINATION: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
const PATIENCE: Duration = Duration::from_secs(300);
/// What the daemon may grow by from the 2,000th payment to the last.
const GROWTH_MAX_KB: u64 = 16 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("raw limits of this machine, now:");
    let fsyncs = fsync_rate();
    println!("  fdatasync of 4 kB                       {fsyncs:>9.0} /s");
    let signs = sign_rate();
    println!("  ed25519 sign and hash of 200 bytes      {signs:>9.0} /s on one core");
    runtime.block_on(whole_path(signs));
}

async fn whole_path(signs: f64) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::start(
        folder.path(),
        "1s",
        &[(WALLET.0, "1000000"), (DESTINATION, "1000")],
    );
    let store = format!("sqlite://{}", folder.path().join("xrpayd.db").display());
    let setup = Setup::new(folder.path(), &ledger.urls, &store, "");
    let key = setup.create_key("bench", &["payments:read", "payments:write"]);
    let daemon = setup.start();
    setup.ready().await;
    let merchant = Merchant::new(&setup.api, &key);

    let started = Instant::now();
    let paying = tokio::spawn({
        let (setup, key) = (setup.clone(), key.clone());
        async move { (pay(&setup, &key).await, started.elapsed()) }
    });
    let warm_kb = loop {
        if succeeded(&setup).await >= WARM {
            break daemon.resident_kb();
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{WARM} payments take too long"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (latencies, accepted) = paying.await.unwrap();
    merchant.all_final(PATIENCE).await;
    let finished = started.elapsed();
    let end_kb = daemon.resident_kb();

    let per_second = |time: Duration| PAYMENTS as f64 / time.as_secs_f64();
    println!("the daemon, HTTP to SQLite FULL to the ledger and back, {CONNECTIONS} connections:");
    println!(
        "  accepted                                {:>9.0} /s",
        per_second(accepted)
    );
    println!(
        "  accept p50 / p99                        {:?} / {:?}",
        at(&latencies, 50),
        at(&latencies, 99)
    );
    println!(
        "  accepted and final, one wallet          {:>9.0} /s",
        per_second(finished)
    );
    println!(
        "  of the signing limit                    {:>9.3}",
        per_second(finished) / signs
    );
    println!("  resident at {WARM} / at {PAYMENTS} final    {warm_kb} / {end_kb} kB");
    audit(&ledger, &merchant).await;
    assert!(
        end_kb < warm_kb + GROWTH_MAX_KB,
        "the daemon grew from {warm_kb} to {end_kb} kB from the {WARM}th payment to the last"
    );
    assert_eq!(daemon.terminate(Duration::from_secs(30)), Some(0));
}

/// How many payments the daemon says have succeeded.
async fn succeeded(setup: &Setup) -> usize {
    let text = reqwest::get(&setup.metrics)
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("payments_total{status=\"succeeded\"}"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .map_or(0, |count| count.parse().unwrap())
}

/// Posts all payments; returns the sorted latencies.
async fn pay(setup: &Setup, key: &str) -> Vec<Duration> {
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|task| {
            let merchant = Merchant::new(&setup.api, key);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for n in (task..PAYMENTS).step_by(CONNECTIONS) {
                    let started = Instant::now();
                    let tag = u32::try_from(n).unwrap();
                    merchant
                        .pay(&format!("bench-{n:08}"), DESTINATION, tag, "0.01")
                        .await;
                    latencies.push(started.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort();
    all
}

async fn audit(ledger: &Ledger, merchant: &Merchant) {
    let mut paid: BTreeMap<u64, usize> = BTreeMap::new();
    for tx in ledger.truth_of(DESTINATION).await {
        if tx["result"] == "tesSUCCESS"
            && let Some(tag) = tx["destination_tag"].as_u64()
        {
            *paid.entry(tag).or_default() += 1;
        }
    }
    assert_eq!(paid.len(), PAYMENTS, "a payment is missing on the ledger");
    assert!(
        paid.values().all(|&times| times == 1),
        "a payment was made twice"
    );
    let payments = merchant.all_payments().await;
    assert_eq!(payments.len(), PAYMENTS);
    assert!(
        payments
            .iter()
            .all(|payment| payment["status"] == "succeeded")
    );
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn fsync_rate() -> f64 {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    let page = [7_u8; 4096];
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        file.rewind().unwrap();
        file.write_all(&page).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn sign_rate() -> f64 {
    let key = xrpayd_codec::Keypair::from_seed(WALLET.1).unwrap();
    let mut message = [7_u8; 200];
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        message[..4].copy_from_slice(&count.to_be_bytes());
        let signature = key.sign(&message);
        std::hint::black_box(xrpayd_codec::sha512_half(&[&message, &signature]));
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}
