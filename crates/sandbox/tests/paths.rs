//! Looking for paths: what is found, in which form, and when a standing search is answered again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::market::Market;
use xrpayd_codec::keys::Keypair;

fn id(key: &Keypair) -> String {
    key.account_id().to_string()
}

fn wish(from: &Keypair, to: &Keypair, amount: &Value) -> Value {
    json!({
        "command": "ripple_path_find",
        "source_account": id(from),
        "destination_account": id(to),
        "destination_amount": amount,
    })
}

#[tokio::test]
async fn a_book_between_two_currencies_is_found_and_can_be_paid_over() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    market
        .offers(&bob, market.usd("50"), json!("100000000"))
        .await;
    let dave = market.holder(4, "0").await;
    let usd = market.usd("10");
    let found = market.client.result(wish(&dave, &carol, &usd)).await;
    assert_eq!(found["full_reply"], json!(true));
    assert_eq!(found["destination_amount"], usd);
    let ways = found["alternatives"].as_array().unwrap();
    assert_eq!(ways.len(), 1);
    assert_eq!(ways[0]["source_amount"], "20000000");
    let issuer = id(&market.issuer);
    let step = json!({"currency": "USD", "issuer": issuer, "type": 48});
    assert_eq!(ways[0]["paths_computed"], json!([[step]]));
    assert_eq!(ways[0]["paths_canonical"], json!([]));
    // What was found is what a payment costs.
    let pays = json!({
        "TransactionType": "Payment", "Destination": id(&carol), "Amount": usd,
        "SendMax": ways[0]["source_amount"],
        "Paths": [[{"currency": "USD", "issuer": issuer}]],
    });
    market.does(&dave, pays).await;
    assert_eq!(market.holds(&carol, "USD").await, "10");
}

#[tokio::test]
async fn the_issuers_lines_need_no_path_to_be_named() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    let usd = market.usd("10");
    let found = market.client.result(wish(&bob, &carol, &usd)).await;
    let ways = found["alternatives"].as_array().unwrap();
    assert_eq!(ways.len(), 1);
    assert_eq!(ways[0]["paths_computed"], json!([]));
    assert_eq!(
        ways[0]["source_amount"],
        json!({"currency": "USD", "issuer": id(&bob), "value": "10"})
    );
    let mut currencies: Vec<_> = found["destination_currencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    currencies.sort();
    assert_eq!(currencies, ["EUR", "USD", "XRP"]);
    // Only the currencies that are named are tried.
    let mut only_xrp = wish(&bob, &carol, &usd);
    only_xrp["source_currencies"] = json!([{"currency": "XRP"}]);
    let found = market.client.result(only_xrp).await;
    assert_eq!(found["alternatives"], json!([]));
}

#[tokio::test]
async fn all_that_a_limit_buys_is_found_where_the_amount_is_left_open() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    let dave = market.holder(4, "0").await;
    market
        .offers(&bob, market.usd("50"), json!("100000000"))
        .await;
    let mut all = wish(&dave, &carol, &market.usd("-1"));
    all["send_max"] = json!("30000000");
    let found = market.client.result(all).await;
    let way = &found["alternatives"][0];
    assert_eq!(way["source_amount"], "30000000");
    assert_eq!(way["destination_amount"], market.usd("15"));
}

#[tokio::test]
async fn xrp_arrives_as_xrp_or_out_of_a_book() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "0").await;
    let carol = market.holder(3, "100").await;
    market
        .offers(&bob, json!("90000000"), market.usd("45"))
        .await;
    let found = market
        .client
        .result(wish(&carol, &bob, &json!("2000000")))
        .await;
    let ways = found["alternatives"].as_array().unwrap();
    assert_eq!(ways.len(), 2);
    assert_eq!(ways[0]["source_amount"], "2000000");
    assert_eq!(ways[0]["paths_computed"], json!([]));
    assert_eq!(ways[1]["source_amount"]["value"], "1");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_words_of_the_real_server() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "0").await;
    let usd = market.usd("1");
    let nobody = id(&wire::key(99));
    let change = |name: &str, value: Value| {
        let mut request = wish(&bob, &bob, &usd);
        request[name] = value;
        request
    };
    let without = |name: &str| {
        let mut request = wish(&bob, &bob, &usd);
        request.as_object_mut().unwrap().remove(name);
        request
    };
    let cases = [
        (without("source_account"), "srcActMissing"),
        (without("destination_account"), "dstActMissing"),
        (without("destination_amount"), "dstAmtMissing"),
        (change("source_account", json!("x")), "srcActMalformed"),
        (change("destination_account", json!("x")), "dstActMalformed"),
        (change("destination_amount", json!("x")), "dstAmtMalformed"),
        (change("destination_amount", json!("0")), "dstAmtMalformed"),
        (change("send_max", json!("5")), "dstAmtMalformed"),
        (change("source_currencies", json!([])), "srcCurMalformed"),
        (change("source_account", json!(nobody)), "srcActNotFound"),
        (change("destination_account", json!(nobody)), "actNotFound"),
    ];
    for (request, error) in cases {
        let answer = market.client.ask(request.clone()).await;
        assert_eq!(answer["error"], error, "{request}");
    }
    for (request, error) in [
        (json!({"command": "path_find"}), "invalidParams"),
        (
            json!({"command": "path_find", "subcommand": "status"}),
            "noPathRequest",
        ),
        (
            json!({"command": "path_find", "subcommand": "close"}),
            "noPathRequest",
        ),
    ] {
        let answer = market.client.ask(request.clone()).await;
        assert_eq!(answer["error"], error, "{request}");
    }
}

#[tokio::test]
async fn a_standing_search_is_answered_again_with_every_ledger_until_it_is_closed() {
    let mut market = Market::open().await;
    let bob = market.holder(2, "100").await;
    let carol = market.holder(3, "0").await;
    let dave = market.holder(4, "0").await;
    let mut create = wish(&dave, &carol, &market.usd("10"));
    create["command"] = json!("path_find");
    create["subcommand"] = json!("create");
    let first = market.client.result(create).await;
    assert_eq!(first["full_reply"], json!(false));
    assert_eq!(first["alternatives"], json!([]));
    let news = market.client.next_news("path_find").await;
    assert_eq!(news["full_reply"], json!(true));
    market
        .offers(&bob, market.usd("50"), json!("100000000"))
        .await;
    let news = market.client.next_news("path_find").await;
    assert_eq!(news["alternatives"][0]["source_amount"], "20000000");
    let ask = |subcommand: &str| json!({"command": "path_find", "subcommand": subcommand});
    let status = market.client.result(ask("status")).await;
    assert_eq!(status["status"], "success");
    assert_eq!(status["alternatives"], news["alternatives"]);
    let closed = market.client.result(ask("close")).await;
    assert_eq!(closed["closed"], json!(true));
    assert_eq!(
        market.client.ask(ask("status")).await["error"],
        "noPathRequest"
    );
}
