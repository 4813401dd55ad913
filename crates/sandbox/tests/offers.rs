//! The rules of direct offers: placing, crossing, and paying through books.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::key;
use wire::market::{ISSUER, Market};

const PASSIVE: u32 = 0x0001_0000;
const IMMEDIATE_OR_CANCEL: u32 = 0x0002_0000;
const FILL_OR_KILL: u32 = 0x0004_0000;
const SELL: u32 = 0x0008_0000;

#[tokio::test]
async fn a_malformed_offer_is_refused_for_the_reason_that_comes_first() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let usd = market.usd("10");
    let xrp_as_token = json!({
        "currency": "0000000000000000000000005852500000000000",
        "issuer": market.issuer.account_id().to_string(),
        "value": "1",
    });
    let cases = [
        (
            usd.clone(),
            json!("5"),
            json!({"Flags": 0x0010_0000}),
            "temINVALID_FLAG",
        ),
        (
            usd.clone(),
            json!("5"),
            json!({"Flags": IMMEDIATE_OR_CANCEL | FILL_OR_KILL}),
            "temINVALID_FLAG",
        ),
        (
            usd.clone(),
            json!("5"),
            json!({"Expiration": 0}),
            "temBAD_EXPIRATION",
        ),
        (
            usd.clone(),
            json!("5"),
            json!({"OfferSequence": 0}),
            "temBAD_SEQUENCE",
        ),
        (
            usd.clone(),
            json!("5"),
            json!({"OfferSequence": 9_999}),
            "temBAD_SEQUENCE",
        ),
        (json!("7"), json!("5"), json!({}), "temBAD_OFFER"),
        (usd.clone(), json!("0"), json!({}), "temBAD_OFFER"),
        (usd.clone(), market.usd("5"), json!({}), "temREDUNDANT"),
        (xrp_as_token, json!("5"), json!({}), "temBAD_CURRENCY"),
        (
            usd.clone(),
            json!("5"),
            json!({"Expiration": 1}),
            "tecEXPIRED",
        ),
        (
            market.token("1", "EUR"),
            json!("5"),
            json!({}),
            "tecUNFUNDED_OFFER",
        ),
    ];
    for (gets, pays, more, expected) in cases {
        let (_, result) = market.offers_with(&bob, gets, pays, more.clone()).await;
        assert_eq!(result, expected, "{more}");
    }
    let nobody = json!({
        "currency": "USD", "issuer": key(99).account_id().to_string(), "value": "1",
    });
    let (_, result) = market.offers(&bob, usd, nobody).await;
    assert_eq!(result, "tecNO_ISSUER");
}

#[tokio::test]
async fn an_offer_stands_in_its_book_until_it_is_cancelled() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let before = market.owns(&bob).await;
    let (dear, result) = market
        .offers(&bob, market.usd("10"), json!("30000000"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    let (cheap, _) = market
        .offers(&bob, market.usd("10"), json!("20000000"))
        .await;
    assert_eq!(market.owns(&bob).await, before + 2);
    let book = json!({
        "command": "book_offers",
        "taker_gets": {"currency": "USD", "issuer": market.issuer.account_id().to_string()},
        "taker_pays": {"currency": "XRP"},
    });
    let offers = market.client.result(book.clone()).await["offers"].clone();
    let sequences: Vec<_> = offers
        .as_array()
        .unwrap()
        .iter()
        .map(|offer| offer["Sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [u64::from(cheap), u64::from(dear)]);
    assert_eq!(offers[0]["quality"], "2000000");
    assert_eq!(offers[0]["owner_funds"], "100");
    assert_eq!(offers[1].get("owner_funds"), None);
    let cancel =
        |sequence: u32| json!({"TransactionType": "OfferCancel", "OfferSequence": sequence});
    market.does(&bob, cancel(cheap)).await;
    market.does(&bob, cancel(cheap)).await;
    assert_eq!(market.owns(&bob).await, before + 1);
    let replacing = json!({"OfferSequence": dear});
    let (third, _) = market
        .offers_with(&bob, market.usd("1"), json!("9000000"), replacing)
        .await;
    let left = market.left(&bob).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, u64::from(third));
    let (result, _) = market.sends(&bob, cancel(100_000)).await;
    assert_eq!(result, "temBAD_SEQUENCE");
}

#[tokio::test]
async fn a_new_offer_takes_the_best_ones_and_leaves_the_rest_of_itself() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("20000000"))
        .await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    // Asks 30 USD for 60 XRP: both of the standing offers are at its price or better.
    let bob_before = market.drops(&bob).await;
    let (sequence, result) = market
        .offers(&carol, json!("60000000"), market.usd("30"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&carol, "USD").await, "20");
    assert_eq!(market.drops(&bob).await, bob_before + 30_000_000);
    assert!(market.left(&bob).await.is_empty());
    let left = market.left(&carol).await;
    assert_eq!(
        left,
        [(u64::from(sequence), json!("20000000"), market.usd("10"))]
    );
}

#[tokio::test]
async fn a_sale_gives_all_it_has_for_more_than_it_asks() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("40"), json!("40000000"))
        .await;
    let sell = json!({"Flags": SELL});
    market
        .offers_with(&carol, json!("30000000"), market.usd("10"), sell)
        .await;
    assert_eq!(market.holds(&carol, "USD").await, "30");
    assert!(market.left(&carol).await.is_empty());
    // Without the flag the same offer is content with what it asks.
    market
        .offers(&carol, json!("30000000"), market.usd("5"))
        .await;
    assert_eq!(market.holds(&carol, "USD").await, "35");
}

#[tokio::test]
async fn what_is_to_be_filled_at_once_is_filled_or_killed() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    let with = |flags: u32| json!({"Flags": flags});
    let (_, result) = market
        .offers_with(
            &carol,
            json!("20000000"),
            market.usd("20"),
            with(FILL_OR_KILL),
        )
        .await;
    assert_eq!(result, "tecKILLED");
    assert_eq!(market.left(&bob).await.len(), 1);
    let (_, result) = market
        .offers_with(
            &carol,
            json!("1000000"),
            market.usd("20"),
            with(IMMEDIATE_OR_CANCEL),
        )
        .await;
    assert_eq!(result, "tecKILLED");
    let (_, result) = market
        .offers_with(
            &carol,
            json!("20000000"),
            market.usd("20"),
            with(IMMEDIATE_OR_CANCEL),
        )
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&carol, "USD").await, "10");
    assert!(market.left(&carol).await.is_empty());
    assert!(market.left(&bob).await.is_empty());
}

#[tokio::test]
async fn a_passive_offer_does_not_take_one_of_its_own_price() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    let passive = json!({"Flags": PASSIVE});
    market
        .offers_with(&carol, json!("10000000"), market.usd("10"), passive)
        .await;
    assert_eq!(market.left(&bob).await.len(), 1);
    assert_eq!(market.left(&carol).await.len(), 1);
}

#[tokio::test]
async fn offers_that_are_dead_go_when_they_are_met() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "10").await;
    let carol = market.holder(3, "0").await;
    let dave = market.holder(4, "50").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    market
        .offers(&dave, market.usd("5"), json!("10000000"))
        .await;
    let issuer = key(ISSUER).account_id().to_string();
    let back = json!({
        "TransactionType": "Payment", "Destination": issuer, "Amount": market.usd("10"),
    });
    market.does(&bob, back).await;
    let book = json!({
        "command": "book_offers",
        "taker_gets": {"currency": "USD", "issuer": issuer},
        "taker_pays": {"currency": "XRP"},
    });
    let seen = market.client.result(book).await["offers"][0].clone();
    assert_eq!(seen["taker_gets_funded"], market.usd("0"));
    assert_eq!(seen["taker_pays_funded"], "0");
    assert_eq!(seen["owner_funds"], "0");
    let owned = market.owns(&bob).await;
    // It takes nothing, for what is left is too dear, and still buries the dead.
    let (_, result) = market
        .offers_with(
            &carol,
            json!("1000000"),
            market.usd("1"),
            json!({"Flags": FILL_OR_KILL}),
        )
        .await;
    assert_eq!(result, "tecKILLED");
    assert!(market.left(&bob).await.is_empty());
    assert_eq!(market.owns(&bob).await, owned - 1);
    assert_eq!(market.left(&dave).await.len(), 1);
}

#[tokio::test]
async fn an_account_that_meets_its_own_offer_deletes_it() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    let (second, result) = market
        .offers(&bob, json!("10000000"), market.usd("10"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    let left = market.left(&bob).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, u64::from(second));
}

#[tokio::test]
async fn two_currencies_meet_over_xrp() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market.issue(&carol, "100", "EUR").await;
    let dave = market.holder(4, "0").await;
    market.issue(&dave, "50", "EUR").await;
    // One sells USD for XRP, the other buys EUR with XRP: together they turn EUR into USD.
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    market
        .offers(&carol, json!("10000000"), market.token("10", "EUR"))
        .await;
    let (_, result) = market
        .offers(&dave, market.token("10", "EUR"), market.usd("10"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&dave, "USD").await, "10");
    assert_eq!(market.holds(&dave, "EUR").await, "40");
    assert!(market.left(&bob).await.is_empty());
    assert!(market.left(&carol).await.is_empty());
    assert!(market.left(&dave).await.is_empty());
}

#[tokio::test]
async fn a_payment_goes_through_books_and_its_sender_bears_the_fee() {
    let mut market = Market::open().await;
    let issuer = key(ISSUER);
    market
        .does(
            &issuer,
            json!({"TransactionType": "AccountSet", "TransferRate": 1_100_000_000_u32}),
        )
        .await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    let dave = market.holder(4, "0").await;
    market
        .offers(&bob, market.usd("55"), json!("55000000"))
        .await;
    let pay = |amount: Value, max: Value, flags: u32| {
        json!({
            "TransactionType": "Payment",
            "Destination": carol.account_id().to_string(),
            "Amount": amount, "SendMax": max, "Flags": flags,
        })
    };
    let before = market.drops(&dave).await;
    let (result, _) = market
        .sends(&dave, pay(market.usd("10"), json!("10000000"), 0))
        .await;
    assert_eq!(result, "tecPATH_PARTIAL");
    let (result, _) = market
        .sends(&dave, pay(market.usd("10"), json!("11000000"), 0))
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&carol, "USD").await, "10");
    assert_eq!(market.drops(&dave).await, before - 20 - 11_000_000);
    assert_eq!(market.holds(&bob, "USD").await, "89");
    // A limit of quality leaves alone what is too dear.
    let (result, _) = market
        .sends(&dave, pay(market.usd("10"), json!("10000000"), 0x0006_0000))
        .await;
    assert_eq!(result, "tecPATH_DRY");
    let (result, meta) = market
        .sends(
            &dave,
            pay(market.usd("90"), json!("900000000"), 0x0002_0000),
        )
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(meta["delivered_amount"], market.usd("40"));
    assert!(market.left(&bob).await.is_empty());
}

#[tokio::test]
async fn a_tick_size_rounds_the_side_that_the_offer_is_not_firm_about() {
    let mut market = Market::open().await;
    let issuer = key(ISSUER);
    market
        .does(
            &issuer,
            json!({"TransactionType": "AccountSet", "TickSize": 5}),
        )
        .await;
    let bob = market.holder(2, "100").await;
    market
        .offers(&bob, market.usd("3"), json!("10000000"))
        .await;
    let left = market.left(&bob).await;
    // Ten XRP for three USD are 3333333.3 drops each, with five digits 3333400: three USD cost less.
    assert_eq!(left[0].1, market.usd("2.999940001199976"));
    assert_eq!(left[0].2, "10000000");
}

#[tokio::test]
async fn an_offer_needs_a_reserve_unless_it_crosses() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "0").await;
    let poor = key(5);
    market.fund(&poor, 2);
    let limit = market.usd("100");
    let trusts = json!({"TransactionType": "TrustSet", "LimitAmount": limit});
    market.does(&poor, trusts).await;
    let tickets = json!({"TransactionType": "TicketCreate", "TicketCount": 3});
    market.does(&poor, tickets).await;
    *market.next(&poor) += 3;
    market.issue(&poor, "10", "USD").await;
    // Four objects leave not quite the 2 XRP that a fifth needs.
    let (_, result) = market
        .offers(&poor, market.usd("10"), json!("10000000"))
        .await;
    assert_eq!(result, "tecINSUF_RESERVE_OFFER");
    market.offers(&bob, json!("4000000"), market.usd("4")).await;
    let (_, result) = market
        .offers(&poor, market.usd("10"), json!("10000000"))
        .await;
    assert_eq!(result, "tesSUCCESS");
    assert_eq!(market.holds(&poor, "USD").await, "6");
    assert!(market.left(&poor).await.is_empty());
}
