//! Deposits in numbers: customers pay exactly, in parts, twice, too much, to tags of nobody's and to
//! none, while the daemon is killed at random instants and its servers lie, forget and fall silent.
//! Afterwards every credit is booked once and no other, each invoice has received what the ledger
//! delivered to its tag, and all of it was told once and in order.
//!
//! The suite pays as many as a test may take; `make inflow` pays fifty thousand on each store.

use super::dice::{Dice, seed};
use super::payers::{Gift, Payer};
use super::receipts::{Asked, Receipts};
use super::stage::{GRACE, PATIENCE, Stage};
use super::trouble;
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How many deposits are made, where nothing else is asked for by this variable.
const DEPOSITS: usize = 2_500;
const DEPOSITS_VARIABLE: &str = "XRPAYD_TEST_DEPOSITS";
/// How many deposits one invoice gets on average.
const DEPOSITS_PER_INVOICE: usize = 4;
/// The fewest kills.
const KILLS: u32 = 25;
/// Customers, each an account of its own.
const PAYERS: u8 = 8;
/// Invoices that are asked for at the same time.
const CLERKS: usize = 8;
/// In a hundred, how many deposits are to a tag of nobody's, and to none.
const ASTRAY: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposits_are_counted_once_through_kills_and_lying_servers_on_sqlite() {
    survive(&Stage::new(seed(), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposits_are_counted_once_through_kills_and_lying_servers_on_postgresql() {
    let Some(store) = crate::store::fresh_postgres().await else {
        return;
    };
    survive(&Stage::new(seed(), Some(&store))).await;
}

fn wanted() -> usize {
    match std::env::var(DEPOSITS_VARIABLE) {
        Ok(given) => given.parse().expect("a whole number of deposits"),
        Err(_) => DEPOSITS,
    }
}

/// How long a daemon lives: long enough to read something, mostly.
fn life(dice: &Dice) -> Duration {
    Duration::from_millis(match dice.between(1, 100) {
        1..=20 => dice.between(2, 100),
        21..=80 => dice.between(100, 1_000),
        _ => dice.between(1_000, 2_500),
    })
}

async fn survive(stage: &Stage) {
    let began = Instant::now();
    let dice = Dice::new(stage.seed, 3_000);
    let deposits = wanted();
    let scopes = ["payments:read", "invoices:read", "invoices:write"];
    let key = stage.setup.create_key("till", &scopes);
    let till = Merchant::new(&stage.setup.api, &key);
    let payers = Payer::funded(&stage.ledger, PAYERS).await;

    let first = stage.setup.start();
    stage.setup.ready().await;
    let ready = |wallet: &Value| !wallet["balance"].is_null();
    till.until("/v1/wallets/hot", ready).await;
    let invoices = issue(&till, deposits / DEPOSITS_PER_INVOICE, &dice).await;
    let issued = began.elapsed();
    first.kill();

    let mut gifts = draw(&dice, &invoices, deposits);
    let mut shares = Vec::new();
    let share = deposits.div_ceil(payers.len());
    while !gifts.is_empty() {
        shares.push(gifts.split_off(gifts.len().saturating_sub(share)));
    }
    let paying = payers
        .into_iter()
        .zip(&shares)
        .map(|(payer, gifts)| payer.pay(&stage.ledger, WALLET.0, gifts));
    let mut kills = 0;
    let flood = async {
        futures_util::future::join_all(paying).await;
    };
    tokio::pin!(flood);
    let mut is_paid = false;
    let killing = async {
        while kills < KILLS || !is_paid {
            let mut daemon = stage.setup.start();
            tokio::select! {
                () = &mut flood, if !is_paid => is_paid = true,
                () = tokio::time::sleep(life(&dice)) => {}
            }
            let log = || stage.setup.log();
            assert!(!daemon.has_ended(), "it died by itself: {}", log());
            daemon.kill();
            kills += 1;
        }
    };
    tokio::select! {
        () = killing => {}
        () = trouble::reign(&stage.ledger, Dice::new(stage.seed, 4_000)) => {}
    }
    let hurt = began.elapsed();
    stage.ledger.clear().await;
    let survivor = stage.setup.start();
    stage.setup.ready().await;
    let receipts = Receipts::of(&stage.ledger, &invoices).await;
    receipts.arrive(&till).await;
    let read = began.elapsed();
    let told = receipts.audit(&till).await;
    reconcile(stage).await;
    println!(
        "{} deposits to {} invoices through {kills} kills, {told} events: invoices issued in \
         {issued:.1?}, paid and hurt for {:.1?}, the rest read in {:.1?}, audited in {:.1?}",
        receipts.count(),
        invoices.len(),
        hurt.saturating_sub(issued),
        read.saturating_sub(hurt),
        began.elapsed().saturating_sub(read),
    );
    assert!(receipts.count() >= deposits, "some deposits were not made");
    assert_eq!(survivor.terminate(GRACE), Some(0));
}

/// Holds the books against the ledger, once the servers hold again what some of them had lost.
async fn reconcile(stage: &Stage) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, found, errors) = stage.setup.try_command(&["reconcile"]);
        if code == Some(0) {
            return;
        }
        assert!(found.is_null(), "the books are off: {found:#} {errors}");
        assert!(Instant::now() < deadline, "never compared: {errors}");
    }
}

/// Asks for invoices, some at a time.
async fn issue(till: &Merchant, count: usize, dice: &Dice) -> Vec<Asked> {
    let mut wanted = Vec::new();
    for _ in 0..count.max(1) {
        wanted.push(dice.between(1_000, 5_000_000));
    }
    let share = wanted.len().div_ceil(CLERKS);
    let shares = wanted.chunks(share).enumerate();
    let clerks = shares.map(|(clerk, amounts)| async move {
        let mut asked = Vec::new();
        for &drops in amounts {
            let value = xrpayd_core::money::Drops::new(drops).unwrap().to_xrp();
            let body = json!({ "amount": { "currency": "XRP", "value": value } });
            let key = format!("{clerk}-{}", asked.len());
            let invoice = till.create_at("/v1/invoices", &key, &body).await;
            asked.push(Asked::of(&invoice, drops));
        }
        asked
    });
    let asked = futures_util::future::join_all(clerks).await;
    asked.into_iter().flatten().collect()
}

/// What the customers do, in the order in which it is done.
fn draw(dice: &Dice, invoices: &[Asked], count: usize) -> Vec<Gift> {
    let mut gifts = Vec::with_capacity(count + 64);
    while gifts.len() < count {
        let asked = dice.pick(invoices);
        let amount = asked.drops;
        let part = dice.between(1, amount);
        let to = |drops: u64| Gift {
            tag: Some(asked.tag),
            drops,
        };
        match dice.between(1, 100) {
            // Twice the tag of one invoice may be that of another: the audit goes by what it is.
            1..=ASTRAY => {
                let tag = asked.tag.checked_mul(2).unwrap_or(1);
                gifts.push(Gift {
                    tag: Some(tag),
                    drops: part,
                });
            }
            7..=12 => gifts.push(Gift {
                tag: None,
                drops: part,
            }),
            13..=45 => gifts.push(to(amount)),
            46..=60 => gifts.extend([to(amount), to(amount)]),
            61..=70 => gifts.push(to(amount + dice.between(1, 1_000))),
            71..=85 => gifts.extend([to(part), to(amount.saturating_sub(part).max(1))]),
            _ => gifts.push(to(part)),
        }
    }
    gifts
}
