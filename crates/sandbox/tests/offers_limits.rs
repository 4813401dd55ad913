//! What stands in the way of an offer: fees, freezes, and the end of its time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::json;
use wire::key;
use wire::market::{ISSUER, Market};

#[tokio::test]
async fn where_offers_cross_each_owner_pays_the_fee_of_what_he_gives() {
    let mut market = Market::open().await;
    let issuer = key(ISSUER);
    let rate = json!({"TransactionType": "AccountSet", "TransferRate": 1_100_000_000_u32});
    market.does(&issuer, rate).await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    market
        .offers(&carol, json!("10000000"), market.usd("10"))
        .await;
    assert_eq!(market.holds(&carol, "USD").await, "10");
    assert_eq!(market.holds(&bob, "USD").await, "89");
    // The one who crosses with a currency that costs a fee pays it on top, and gets no more for it.
    market
        .offers(&carol, json!("5000000"), market.usd("5"))
        .await;
    let before = market.drops(&carol).await;
    market.offers(&bob, market.usd("5"), json!("5000000")).await;
    assert_eq!(market.holds(&bob, "USD").await, "83.5");
    assert_eq!(market.holds(&carol, "USD").await, "15");
    assert_eq!(market.drops(&carol).await, before - 5_000_000);
}

#[tokio::test]
async fn what_is_frozen_is_not_offered() {
    let mut market = Market::open().await;
    let issuer = key(ISSUER);
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    let limit = json!({"currency": "USD", "issuer": bob.account_id().to_string(), "value": "0"});
    let freeze = json!({"TransactionType": "TrustSet", "LimitAmount": limit, "Flags": 0x0010_0000});
    market.does(&issuer, freeze).await;
    let (_, result) = market.offers(&bob, market.usd("1"), json!("1000000")).await;
    assert_eq!(result, "tecUNFUNDED_OFFER");
    // The frozen offer that stands is as good as unfunded, and goes when it is met.
    market
        .offers(&carol, json!("10000000"), market.usd("10"))
        .await;
    assert!(market.left(&bob).await.is_empty());
    assert_eq!(market.left(&carol).await.len(), 1);
    let global = json!({"TransactionType": "AccountSet", "SetFlag": 7});
    market.does(&issuer, global).await;
    let (_, result) = market
        .offers(&carol, json!("10000000"), market.usd("10"))
        .await;
    assert_eq!(result, "tecFROZEN");
}

#[tokio::test]
async fn an_offer_that_has_ended_is_passed_by() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    let ledger = json!({"command": "ledger", "ledger_index": "validated"});
    let closed = market.client.result(ledger).await;
    let now = closed["ledger"]["close_time"].as_u64().unwrap();
    let soon = json!({ "Expiration": now + 3 });
    market
        .offers_with(&bob, market.usd("10"), json!("5000000"), soon)
        .await;
    assert_eq!(market.left(&bob).await.len(), 1);
    for _ in 0..4 {
        let _open = market.network.close_ledger();
    }
    let (_, result) = market
        .offers(&carol, json!("10000000"), market.usd("10"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&carol, "USD").await, "0");
    assert!(market.left(&bob).await.is_empty());
}
