//! The daemon is killed a hundred times while clients pay through it. Afterwards an auditor, who
//! reads only the ledger's truth and the API, finds every accepted payment exactly once on the
//! ledger, or proven not to be there.

use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PAYMENTS: usize = 1_000;
const CLIENTS: usize = 8;
const KILLS_MIN: usize = 100;
const DESTINATION: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_pay_nothing_twice_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", folder.path().join("xrpayd.db").display());
    survive_kills(folder.path(), &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_pay_nothing_twice_on_postgresql() {
    let Some(store) = crate::store::fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    survive_kills(folder.path(), &store).await;
}

async fn survive_kills(folder: &std::path::Path, store: &str) {
    let funds = [(WALLET.0, "100000"), (DESTINATION, "1000")];
    let ledger = Ledger::start(folder, "200ms", &funds);
    let setup = Setup::new(folder, &ledger.urls, store, "");
    let key = setup.create_key("shop", &["payments:read", "payments:write"]);

    let posted = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (merchant, posted) = (Merchant::new(&setup.api, &key), Arc::clone(&posted));
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for n in (client..PAYMENTS).step_by(CLIENTS) {
                    let tag = u32::try_from(n).unwrap();
                    let payment = merchant
                        .pay(&format!("key-{n}"), DESTINATION, tag, "1.5")
                        .await;
                    accepted.push((tag, payment["id"].as_str().unwrap().to_owned()));
                    posted.fetch_add(1, Ordering::Relaxed);
                    // Clients of a shop do not post all at once: the kills meet every phase.
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
                accepted
            })
        })
        .collect();

    let mut kills = 0;
    while kills < KILLS_MIN || posted.load(Ordering::Relaxed) < PAYMENTS {
        let daemon = setup.start();
        // From before the first line of its start-up to well into its work.
        let life = Duration::from_millis(20 + u64::try_from(kills * 37 % 420).unwrap());
        tokio::time::sleep(life).await;
        daemon.kill();
        kills += 1;
    }
    let survivor = setup.start();
    setup.ready().await;
    let mut accepted = BTreeMap::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    let merchant = Merchant::new(&setup.api, &key);
    merchant.all_final(Duration::from_secs(120)).await;

    audit(&ledger, &merchant, &accepted).await;
    println!("{kills} kills, {} payments", accepted.len());
    assert_eq!(survivor.terminate(Duration::from_secs(30)), Some(0));
}

async fn audit(ledger: &Ledger, merchant: &Merchant, accepted: &BTreeMap<u32, String>) {
    assert_eq!(accepted.len(), PAYMENTS);
    let mut paid: BTreeMap<u32, usize> = BTreeMap::new();
    for tx in ledger.truth_of(DESTINATION).await {
        if tx["result"] == "tesSUCCESS"
            && let Some(tag) = tx["destination_tag"].as_u64()
        {
            *paid.entry(u32::try_from(tag).unwrap()).or_default() += 1;
        }
    }
    let payments = merchant.all_payments().await;
    assert_eq!(
        payments.len(),
        PAYMENTS,
        "an accepted payment is lost, or one was made of nothing"
    );
    for payment in payments {
        let tag = u32::try_from(payment["destination_tag"].as_u64().unwrap()).unwrap();
        assert_eq!(
            accepted.get(&tag).map(String::as_str),
            payment["id"].as_str(),
            "{payment:#}"
        );
        let times = paid.remove(&tag).unwrap_or(0);
        match payment["status"].as_str().unwrap() {
            "succeeded" => {
                assert_eq!(times, 1, "{payment:#}");
                assert_eq!(payment["delivered_amount"]["value"], "1.5");
                assert!(
                    payment["proof"]["servers"].as_array().unwrap().len() >= 2,
                    "{payment:#}"
                );
            }
            "failed" => assert_eq!(times, 0, "{payment:#}"),
            other => panic!("{other}: {payment:#}"),
        }
    }
    assert!(paid.is_empty(), "paid without a payment: {paid:?}");
}
