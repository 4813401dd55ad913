//! How clients see order books: subscriptions, changes, and the words with which a book is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::json;
use wire::market::Market;

#[tokio::test]
async fn a_book_is_shown_at_once_and_its_news_come_once() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("10"), json!("10000000"))
        .await;
    let side = json!({"currency": "USD", "issuer": market.issuer.account_id().to_string()});
    let book = json!({
        "taker_pays": side, "taker_gets": {"currency": "XRP"}, "snapshot": true, "both": true,
    });
    let subscribe = json!({"command": "subscribe", "books": [book]});
    let shown = market.client.result(subscribe).await;
    assert_eq!(shown["bids"], json!([]));
    assert_eq!(shown["asks"][0]["quality"], "1000000");
    market
        .offers(&carol, json!("4000000"), market.usd("4"))
        .await;
    let news = market.client.next_news("transaction").await;
    assert_eq!(news["transaction"]["TransactionType"], "OfferCreate");
    assert_eq!(news["transaction"]["owner_funds"], "994599970");
    assert!(market.client.news.is_empty());
    let changes = json!({"command": "book_changes", "ledger_index": "validated"});
    let changes = market.client.result(changes).await;
    assert_eq!(changes["changes"][0]["currency_a"], "XRP_drops");
    assert_eq!(changes["changes"][0]["volume_a"], "4000000");
    assert_eq!(changes["changes"][0]["volume_b"], "4");
    assert_eq!(changes["changes"][0]["close"], "1000000");
}

#[tokio::test]
async fn a_book_that_is_none_is_refused_with_the_words_of_the_real_server() {
    let mut market = Market::open().await;
    let issuer = market.issuer.account_id().to_string();
    let usd = json!({"currency": "USD", "issuer": issuer});
    let xrp = json!({"currency": "XRP"});
    let cases = [
        (
            json!({"taker_gets": usd}),
            "invalidParams",
            "Missing field 'taker_pays'.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": "XRP"}),
            "invalidParams",
            "Invalid field 'taker_pays', not object.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": {}}),
            "invalidParams",
            "Missing field 'taker_pays.currency'.",
        ),
        (
            json!({"taker_gets": {"currency": "USD"}, "taker_pays": xrp}),
            "dstIsrMalformed",
            "Invalid field 'taker_gets.issuer', expected non-XRP issuer.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": {"currency": "XRP", "issuer": issuer}}),
            "srcIsrMalformed",
            "Unneeded field 'taker_pays.issuer' for XRP currency specification.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": {"currency": "US$?"}}),
            "srcCurMalformed",
            "Invalid field 'taker_pays.currency', bad currency.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": usd}),
            "badMarket",
            "No such market.",
        ),
        (
            json!({"taker_gets": usd, "taker_pays": xrp, "taker": "x"}),
            "invalidParams",
            "Invalid field 'taker'.",
        ),
    ];
    for (mut request, error, words) in cases {
        request["command"] = json!("book_offers");
        let answer = market.client.ask(request.clone()).await;
        assert_eq!(answer["error"], error, "{request}");
        assert_eq!(answer["error_message"], words, "{request}");
    }
}
