//! What methods say of trust lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod town;
mod wire;

use serde_json::json;
use town::*;
use wire::account_set;

#[tokio::test]
async fn lines_are_listed_page_by_page() {
    let mut town = Town::new().await;
    for who in [ALICE, BOB, CAROL] {
        town.good(ISSUER, trust(who, "1")).await;
    }
    let mut marker = json!({});
    let mut peers = Vec::new();
    loop {
        let page = town
            .ask("account_lines", ISSUER, with(json!({"limit": 2}), marker))
            .await;
        let lines = page["lines"].as_array().unwrap();
        peers.extend(
            lines
                .iter()
                .map(|line| line["account"].as_str().unwrap().to_owned()),
        );
        match page.get("marker") {
            Some(next) => marker = json!({"marker": next}),
            None => break,
        }
        assert_eq!(page["limit"], 2);
    }
    peers.sort();
    let mut all = [address(ALICE), address(BOB), address(CAROL)];
    all.sort();
    assert_eq!(peers, all);
    let one = town
        .ask("account_lines", ISSUER, json!({"peer": address(BOB)}))
        .await;
    assert_eq!(one["lines"].as_array().unwrap().len(), 1);
    let quiet = town
        .ask("account_lines", BOB, json!({"ignore_default": true}))
        .await;
    assert!(quiet["lines"].as_array().unwrap().is_empty());
    for wrong in [
        json!("x"),
        json!("00,1"),
        json!(format!("{},0", "0".repeat(64))),
    ] {
        let request =
            json!({"command": "account_lines", "account": address(ISSUER), "marker": wrong});
        assert_eq!(
            town.stage.client.ask(request).await["error"],
            "invalidParams"
        );
    }
    town.stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_is_told_what_its_lines_lack() {
    let mut town = Town::new().await;
    town.good(ALICE, trust(ISSUER, "7")).await;
    let asked = json!({"role": "gateway", "transactions": true});
    let found = town.ask("noripple_check", ISSUER, asked).await;
    let problems = found["problems"].as_array().unwrap();
    assert_eq!(
        problems[0],
        "You should immediately set your default ripple flag"
    );
    let line = format!(
        "You should clear the no ripple flag on your USD line to {}",
        address(ALICE)
    );
    assert_eq!(problems[1], line);
    let mends = found["transactions"].as_array().unwrap();
    assert_eq!(mends[0]["SetFlag"], 8);
    assert_eq!(mends[1]["Flags"], TF_CLEAR_NO_RIPPLE);
    assert_eq!(mends[1]["LimitAmount"], usd(ALICE, "0"));
    assert_eq!(
        mends[1]["Sequence"].as_u64().unwrap(),
        mends[0]["Sequence"].as_u64().unwrap() + 1
    );
    let user = town
        .ask("noripple_check", ALICE, json!({"role": "user"}))
        .await;
    let words = format!(
        "You should probably set the no ripple flag on your USD line to {}",
        address(ISSUER)
    );
    assert_eq!(user["problems"], json!([words]));
    town.stage.network.stop().await;
}

#[tokio::test]
async fn who_may_not_deposit_is_told_so_beforehand() {
    let mut town = Town::with_money().await;
    town.good(BOB, account_set(9)).await;
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "1"))).await,
        "tecNO_PERMISSION"
    );
    let ask = |from: u8, to: u8| json!({"command": "deposit_authorized", "source_account": address(from), "destination_account": address(to)});
    let answer = town.stage.client.result(ask(ALICE, BOB)).await;
    assert_eq!(answer["deposit_authorized"], false);
    assert_eq!(
        town.stage.client.result(ask(BOB, ALICE)).await["deposit_authorized"],
        true
    );
    assert_eq!(
        town.stage.client.ask(ask(ALICE, 8)).await["error"],
        "dstActNotFound"
    );
    assert_eq!(
        town.stage.client.ask(ask(8, ALICE)).await["error"],
        "srcActNotFound"
    );
    town.stage.network.stop().await;
}
