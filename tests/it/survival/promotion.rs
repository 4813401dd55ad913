//! PostgreSQL itself fails over: its primary dies or hangs, its standby is promoted, and whoever is
//! paid is paid once.
//!
//! With a synchronous standby nothing that was answered is lost, and the shoppers and the audit of the
//! other tests hold every answer against all others. With an asynchronous one a promotion loses answers:
//! payments are asked for again then, as a merchant does who knows of it, and the ledger's truth is what
//! is held against them.

use super::database::store_is_away;
use super::dice::{Dice, seed};
use super::stage::{GRACE, PATIENCE, SHOP, Stage};
use crate::store::fresh_postgres;
use crate::support::clusters::{Clusters, Replication};
use crate::support::daemon::WALLET;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

const DATABASE: &str = "pay";
const SHOPPERS: u64 = 4;

async fn clusters() -> Option<Clusters> {
    fresh_postgres().await?;
    let clusters = Clusters::start(Replication::Synchronous).await;
    clusters.primary().create_database(DATABASE).await;
    Some(clusters)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_synchronous_standby_takes_over_and_nothing_is_lost_or_paid_twice() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let stage = Stage::new(seed(), Some(&clusters.url(DATABASE)));
    let mut shoppers = stage.shoppers(SHOPPERS, 60, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    for is_silent in [true, false] {
        tokio::time::sleep(Duration::from_millis(dice.between(700, 1_500))).await;
        // Commits are on their way at every moment, and what became of them is not answered.
        if is_silent {
            clusters.primary().freeze();
        } else {
            clusters.primary_mut().kill();
        }
        tokio::time::sleep(Duration::from_millis(dice.between(0, 500))).await;
        clusters.promote().await;
        let promoted = Instant::now();
        stage.setup.ready().await;
        println!("ready {:?} after the promotion", promoted.elapsed());
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        shoppers.still_content().await;
        stage.glance().await;
        clusters.rejoin().await;
        clusters.replicate(Replication::Synchronous).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!("two promotions, {payments} payments, {succeeded} of them succeeded");
    noticed(&stage, 1..=2);
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

/// How many payments of each round the standby never hears of.
const LOST: u32 = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_asynchronous_promotion_forgets_in_mid_flight_is_not_paid_a_second_time() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let stage = Stage::new(seed(), Some(&clusters.url(DATABASE)));
    let merchant = stage.merchant();
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    let mut tags = 0..;
    let mut all = Vec::new();
    for is_alone in [true, false] {
        // What the standby has: its wallet is in the middle of its life.
        let known: Vec<u32> = tags.by_ref().take(6).collect();
        all.extend(&known);
        pay(&stage, &known).await;
        merchant.all_final(PATIENCE).await;
        clusters.replicate(Replication::Asynchronous).await;
        clusters.cut().await;
        // What it does not have is signed and sent, and no ledger shows it for a while.
        stage
            .ledger
            .fault_all(&json!({ "kind": "stall_ledger" }))
            .await;
        let lost: Vec<u32> = tags.by_ref().take(LOST as usize).collect();
        all.extend(&lost);
        pay(&stage, &lost).await;
        let signed = "select count(*) from attempts";
        let deadline = Instant::now() + Duration::from_millis(800);
        let before = clusters.standby().number(DATABASE, signed).await;
        let mut had = 0;
        while had - before < i64::from(LOST) && Instant::now() < deadline {
            had = clusters.primary().number(DATABASE, signed).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        clusters.primary_mut().kill();
        if is_alone {
            clusters.promote().await;
        } else {
            // The machine that signed is gone too, with all that it knew.
            daemon.kill();
            clusters.promote().await;
            daemon = stage.setup.start();
        }
        let has = clusters.primary().number(DATABASE, signed).await;
        println!("{} attempts of {had} are forgotten", had - has);
        assert!(has < had, "the promotion lost nothing");
        stage.setup.ready().await;
        // Asked for again in another order, so that each would be signed with another's sequence.
        let again: Vec<u32> = lost.iter().rev().copied().collect();
        pay(&stage, &again).await;
        stage.ledger.clear().await;
        pay(&stage, &all).await;
        merchant.all_final(PATIENCE).await;
        once_each(&stage, &all).await;
        clusters.rejoin().await;
        clusters.replicate(Replication::Synchronous).await;
    }
    let wallet = merchant.get("/v1/wallets/hot").await;
    assert_eq!(wallet["halted"], Value::Null, "{wallet:#}");
    noticed(&stage, 2..=2);
    let (code, answer, errors) = stage.setup.try_command(&["reconcile"]);
    assert_eq!(code, Some(0), "{answer:#} {errors}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

/// The wallet waited so often because of a promotion; on a busy machine the second may come before it has
/// gone on after the first.
fn noticed(stage: &Stage, promotions: RangeInclusive<usize>) {
    let log = std::fs::read_to_string(stage.setup.log_path()).unwrap();
    let waits = log.matches("another server was promoted").count();
    assert!(promotions.contains(&waits), "{waits} {}", stage.setup.log());
}

/// Asks for a payment for each tag, in this order, under a key of its own that is always the same.
async fn pay(stage: &Stage, tags: &[u32]) {
    let merchant = stage.merchant();
    for some in tags.chunks(4) {
        join_all(some.iter().map(|tag| {
            let (merchant, key) = (merchant.clone(), format!("order-{tag}"));
            async move { merchant.pay(&key, SHOP, *tag, "1.5").await }
        }))
        .await;
    }
}

/// Each is told to have succeeded, and the ledger delivered it once.
async fn once_each(stage: &Stage, tags: &[u32]) {
    let mut paid: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for tx in stage.ledger.truth_of(WALLET.0).await {
        if tx["account"] == WALLET.0 && tx["type"] == "Payment" && tx["result"] == "tesSUCCESS" {
            let tag = tx["destination_tag"].as_u64().unwrap();
            paid.entry(tag).or_default().push(tx);
        }
    }
    let told: BTreeMap<u64, Value> = stage
        .merchant()
        .all_payments()
        .await
        .into_iter()
        .map(|payment| (payment["destination_tag"].as_u64().unwrap(), payment))
        .collect();
    for tag in tags {
        let tag = u64::from(*tag);
        let (told, paid) = (&told[&tag], &paid.get(&tag));
        let once = paid.is_some_and(|txs| txs.len() == 1);
        assert!(once, "{told:#} {paid:#?} {}", stage.setup.log());
        assert_eq!(told["status"], "succeeded", "{told:#}");
        assert_eq!(told["tx_hash"], paid.unwrap()[0]["hash"], "{told:#}");
    }
    assert_eq!(paid.len(), tags.len(), "nothing else was paid");
}
