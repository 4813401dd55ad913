//! A client calls a payment off just while it is being signed, among others.

use super::scene::{Scene, sequences};
use crate::store::{fresh_postgres, waiters};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// What every commit that signs begins with, and no request needs.
const HOLD: &str = "select name from wallets where name = 'hot' for no key update";
const READS_AGAIN: &str = "the wallet's work is read again";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_off_while_it_is_signed_keeps_nothing_else_from_being_paid_at_once() {
    let Some(store) = fresh_postgres().await else {
        return;
    };
    let scene = Scene::with_store(Some(&store), "manual", "500", "", &[]);
    let _daemon = scene.start().await;
    let mut one = PgConnection::connect(&store).await.unwrap();
    let mut other = PgConnection::connect(&store).await.unwrap();
    let mut first = one.begin().await.unwrap();
    first.execute(HOLD).await.unwrap();
    let before = scene.pay_one(1, "1").await;
    waiters(&store, 1).await;
    // Behind the first one, which the engine is about to sign, the others come to lie in the queue.
    let ids = scene.pay(2, 5).await;
    let second = tokio::spawn(async move {
        other.execute("begin").await.unwrap();
        other.execute(HOLD).await.unwrap();
        other
    });
    waiters(&store, 2).await;
    first.rollback().await.unwrap();
    let mut second = second.await.unwrap();
    let is_signed = |payment: &Value| !sequences(payment).is_empty();
    scene.merchant.payment(&before, is_signed).await;
    waiters(&store, 1).await;
    let (status, answer) = scene.merchant.cancel(&ids[2]).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("cancelled")),
        "{answer}"
    );
    second.execute("rollback").await.unwrap();

    let mut used = Vec::new();
    for id in std::iter::once(&before)
        .chain(&ids)
        .filter(|id| **id != ids[2])
    {
        let signed = scene.merchant.payment(id, is_signed);
        used.extend(sequences(&signed.await));
    }
    let next: Vec<u64> = (used[0]..).take(6).collect();
    assert_eq!(
        used,
        next[..used.len()],
        "no sequence is lost with the one that was called off"
    );
    assert_eq!(used.len(), 5, "each was signed once");
    let log = scene.setup.log();
    assert!(!log.contains(READS_AGAIN), "{log}");
    scene.settle_by_hand().await;
    scene.audit(&[]).await;
}
