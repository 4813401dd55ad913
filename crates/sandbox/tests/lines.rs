//! Trust lines and issued currencies, by result codes, balances and metadata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod town;
mod wire;

use serde_json::{Value, json};
use town::*;
use wire::{account_set, fund, key};

#[tokio::test]
async fn a_line_is_paid_for_by_who_asks_for_it_and_goes_when_nothing_is_left_of_it() {
    let mut town = Town::new().await;
    assert_eq!(
        town.act(ALICE, trust(ISSUER, "0")).await,
        "tecNO_LINE_REDUNDANT"
    );
    town.good(ALICE, trust(ISSUER, "5")).await;
    assert_eq!(town.owner_count(ALICE).await, 1);
    assert_eq!(town.owner_count(ISSUER).await, 0);
    // Rippling is not Alice's default, so a line that lets it through is more than nothing.
    town.good(ALICE, trust(ISSUER, "0")).await;
    assert_eq!(town.owner_count(ALICE).await, 1);
    let quiet = with(trust(ISSUER, "0"), json!({"Flags": TF_SET_NO_RIPPLE}));
    town.good(ALICE, quiet).await;
    assert_eq!(town.owner_count(ALICE).await, 0);
    assert!(town.lines(ALICE).await.is_empty() && town.lines(ISSUER).await.is_empty());
    town.stage.network.stop().await;
}

#[tokio::test]
async fn the_first_two_lines_need_no_reserve_and_the_third_does() {
    let mut town = Town::new().await;
    let poor = 9;
    let _first = fund(&town.stage.network, &key(poor), 1);
    town.good(poor, trust(ISSUER, "1")).await;
    town.good(poor, trust(ALICE, "1")).await;
    assert_eq!(
        town.act(poor, trust(BOB, "1")).await,
        "tecNO_LINE_INSUF_RESERVE"
    );
    town.stage.network.stop().await;
}

#[tokio::test]
async fn a_trust_set_that_makes_no_sense_is_refused_in_the_ledgers_words() {
    let mut town = Town::new().await;
    let limit = |limit: Value| json!({"TransactionType": "TrustSet", "LimitAmount": limit});
    let cases = [
        (limit(json!("10")), "temBAD_LIMIT"),
        (limit(usd(ISSUER, "-1")), "temBAD_LIMIT"),
        (trust(ALICE, "1"), "temDST_IS_SRC"),
        (trust(8, "1"), "tecNO_DST"),
        (
            with(trust(ISSUER, "1"), json!({"Flags": TF_SET_AUTH})),
            "tefNO_AUTH_REQUIRED",
        ),
        (
            with(trust(ISSUER, "1"), json!({"Flags": 1})),
            "temINVALID_FLAG",
        ),
        (
            with(
                trust(ISSUER, "1"),
                json!({"Flags": TF_SET_FREEZE | TF_CLEAR_FREEZE}),
            ),
            "tecNO_PERMISSION",
        ),
        (
            with(trust(ISSUER, "1"), json!({"Flags": TF_SET_DEEP_FREEZE})),
            "tecNO_PERMISSION",
        ),
    ];
    for (fields, code) in cases {
        let text = fields.to_string();
        assert_eq!(town.act(ALICE, fields).await, code, "{text}");
    }
    town.good(BOB, account_set(15)).await;
    assert_eq!(town.act(ALICE, trust(BOB, "1")).await, "tecNO_PERMISSION");
    town.stage.network.stop().await;
}

#[tokio::test]
async fn money_moves_within_limits_and_what_does_not_fit_is_partial() {
    let mut town = Town::with_money().await;
    town.good(BOB, trust(ISSUER, "30")).await;
    town.close().await;
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "31"))).await,
        "tecPATH_PARTIAL"
    );
    let partial = with(pay(BOB, usd(ISSUER, "50")), json!({"Flags": TF_PARTIAL}));
    let too_little = with(partial.clone(), json!({"DeliverMin": usd(ISSUER, "31")}));
    assert_eq!(town.act(ALICE, too_little).await, "tecPATH_PARTIAL");
    let no_flag = with(
        pay(BOB, usd(ISSUER, "5")),
        json!({"DeliverMin": usd(ISSUER, "1")}),
    );
    assert_eq!(town.act(ALICE, no_flag).await, "temBAD_AMOUNT");
    town.close().await;
    town.good(
        ALICE,
        with(partial, json!({"DeliverMin": usd(ISSUER, "30")})),
    )
    .await;
    let meta = town.close().await;
    assert_eq!(meta["delivered_amount"], usd(ISSUER, "30"));
    assert_eq!(town.balance(ALICE).await, "70");
    assert_eq!(town.balance(BOB).await, "30");
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    assert_eq!(
        town.act(ALICE, pay(CAROL, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    town.stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_takes_its_fee_between_holders_and_not_from_its_own_payments() {
    let mut town = Town::with_money().await;
    let rate = json!({"TransactionType": "AccountSet", "TransferRate": 1_250_000_000});
    town.good(ISSUER, rate).await;
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "8"))).await,
        "tecPATH_PARTIAL"
    );
    let enough = with(
        pay(BOB, usd(ISSUER, "8")),
        json!({"SendMax": usd(ISSUER, "10")}),
    );
    town.good(ALICE, enough.clone()).await;
    assert_eq!(town.balance(ALICE).await, "90");
    assert_eq!(town.balance(BOB).await, "8");
    // A limit on the quality that the fee does not meet leaves nothing to pay with.
    let limited = with(
        enough,
        json!({"Flags": TF_LIMIT_QUALITY, "SendMax": usd(ISSUER, "9")}),
    );
    assert_eq!(town.act(ALICE, limited).await, "tecPATH_PARTIAL");
    town.good(ALICE, pay(ISSUER, usd(ISSUER, "10"))).await;
    assert_eq!(town.balance(ALICE).await, "80");
    town.stage.network.stop().await;
}

#[tokio::test]
async fn a_holder_who_wants_no_rippling_is_no_bridge() {
    let mut town = Town::with_money().await;
    // Carol trusts Alice, Alice holds the issuer's money: it could ripple through Alice only.
    town.good(CAROL, trust(ALICE, "50")).await;
    let through = json!([[{"account": address(ALICE)}]]);
    let bridged = with(
        pay(CAROL, usd(CAROL, "5")),
        json!({"Paths": through, "SendMax": usd(ISSUER, "6")}),
    );
    town.good(ALICE, pay(BOB, usd(ISSUER, "20"))).await;
    // Carol's line is one that Alice did not ask for: there she refuses without having said so.
    town.good(
        ALICE,
        with(trust(ISSUER, "1000"), json!({"Flags": TF_SET_NO_RIPPLE})),
    )
    .await;
    assert_eq!(town.act(BOB, bridged.clone()).await, "tecPATH_DRY");
    town.good(
        ALICE,
        with(trust(ISSUER, "1000"), json!({"Flags": TF_CLEAR_NO_RIPPLE})),
    )
    .await;
    town.good(BOB, bridged).await;
    assert_eq!(town.balance(CAROL).await, "5");
    // Who owes may not refuse.
    let refuse = with(trust(CAROL, "0"), json!({"Flags": TF_SET_NO_RIPPLE}));
    assert_eq!(town.act(ALICE, refuse).await, "tecNO_PERMISSION");
    town.stage.network.stop().await;
}

#[tokio::test]
async fn freezes_stop_what_they_are_to_stop_and_no_more() {
    let mut town = Town::with_money().await;
    town.good(ALICE, pay(BOB, usd(ISSUER, "50"))).await;
    let freeze = |flags: u32| with(trust(ALICE, "0"), json!({"Flags": flags}));
    town.good(ISSUER, freeze(TF_SET_FREEZE)).await;
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    town.good(BOB, pay(ALICE, usd(ISSUER, "1"))).await;
    town.good(ALICE, pay(ISSUER, usd(ISSUER, "1"))).await;
    town.good(ISSUER, freeze(TF_SET_DEEP_FREEZE)).await;
    assert_eq!(
        town.act(BOB, pay(ALICE, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    assert_eq!(
        town.act(ISSUER, freeze(TF_CLEAR_FREEZE)).await,
        "tecNO_PERMISSION"
    );
    town.good(ISSUER, freeze(TF_CLEAR_FREEZE | TF_CLEAR_DEEP_FREEZE))
        .await;
    town.good(BOB, pay(ALICE, usd(ISSUER, "1"))).await;
    town.good(ISSUER, account_set(7)).await;
    assert_eq!(
        town.act(ALICE, pay(BOB, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    town.good(ALICE, pay(ISSUER, usd(ISSUER, "1"))).await;
    town.good(ISSUER, account_set(6)).await;
    assert_eq!(
        town.act(ISSUER, freeze(TF_SET_FREEZE)).await,
        "tecNO_PERMISSION"
    );
    town.stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_that_authorises_pays_nobody_it_has_not_authorised() {
    let mut town = Town::new().await;
    town.good(CAROL, trust(BOB, "1")).await;
    assert_eq!(town.act(BOB, account_set(2)).await, "tecOWNERS");
    town.good(ISSUER, account_set(2)).await;
    town.good(ALICE, trust(ISSUER, "10")).await;
    assert_eq!(
        town.act(ISSUER, pay(ALICE, usd(ISSUER, "1"))).await,
        "tecPATH_DRY"
    );
    town.good(
        ISSUER,
        with(trust(ALICE, "0"), json!({"Flags": TF_SET_AUTH})),
    )
    .await;
    town.good(ISSUER, pay(ALICE, usd(ISSUER, "1"))).await;
    assert_eq!(town.lines(ALICE).await[0]["peer_authorized"], true);
    town.stage.network.stop().await;
}

#[tokio::test]
async fn line_qualities_change_what_a_line_takes_and_gives() {
    let mut town = Town::with_money().await;
    // Bob counts only half of what comes in over his line; the last step pays in full all the same.
    town.good(
        BOB,
        with(trust(ISSUER, "1000"), json!({"QualityIn": 500_000_000})),
    )
    .await;
    let paid = with(
        pay(BOB, usd(ISSUER, "5")),
        json!({"SendMax": usd(ISSUER, "10")}),
    );
    town.good(ALICE, paid).await;
    assert_eq!(town.balance(ALICE).await, "90");
    assert_eq!(town.balance(BOB).await, "10");
    let line = town.lines(BOB).await[0].clone();
    assert_eq!(line["quality_in"], 500_000_000);
    assert_eq!(line["quality_out"], 0);
    town.good(BOB, with(trust(ISSUER, "1000"), json!({"QualityIn": 0})))
        .await;
    assert_eq!(town.lines(BOB).await[0]["quality_in"], 0);
    town.stage.network.stop().await;
}

#[tokio::test]
async fn a_line_that_a_payment_empties_is_deleted_when_its_holder_wants_nothing_of_it() {
    let mut town = Town::with_money().await;
    let quiet = with(trust(ISSUER, "0"), json!({"Flags": TF_SET_NO_RIPPLE}));
    town.good(ALICE, quiet).await;
    assert_eq!(town.owner_count(ALICE).await, 1);
    town.close().await;
    town.good(ALICE, pay(ISSUER, usd(ISSUER, "100"))).await;
    assert_eq!(town.owner_count(ALICE).await, 0);
    assert_eq!(town.balance(ALICE).await, "none");
    let meta = town.close().await;
    let nodes = meta["AffectedNodes"].as_array().unwrap();
    let line = nodes
        .iter()
        .find(|node| node["DeletedNode"]["LedgerEntryType"] == "RippleState");
    let line = &line.expect("the line is deleted")["DeletedNode"];
    assert_eq!(line["FinalFields"]["Balance"]["value"], "0");
    town.stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_claws_back_what_it_kept_the_right_to() {
    let mut town = Town::new().await;
    let claw = |value: &str| json!({"TransactionType": "Clawback", "Amount": usd(ALICE, value)});
    town.good(ISSUER, account_set(16)).await;
    assert_eq!(town.act(ISSUER, account_set(6)).await, "tecNO_PERMISSION");
    assert_eq!(town.act(ISSUER, claw("1")).await, "tecNO_LINE");
    town.good(ALICE, trust(ISSUER, "100")).await;
    assert_eq!(town.act(ISSUER, claw("1")).await, "tecINSUFFICIENT_FUNDS");
    town.good(ISSUER, pay(ALICE, usd(ISSUER, "10"))).await;
    assert_eq!(town.act(ISSUER, claw("0")).await, "temBAD_AMOUNT");
    town.good(ISSUER, claw("3")).await;
    assert_eq!(town.balance(ALICE).await, "7");
    town.good(ISSUER, claw("300")).await;
    assert_eq!(town.balance(ALICE).await, "0");
    let other = json!({"TransactionType": "Clawback", "Amount": usd(BOB, "1")});
    assert_eq!(town.act(ALICE, other).await, "tecNO_PERMISSION");
    town.stage.network.stop().await;
}

#[tokio::test]
async fn paths_are_bounded_and_must_lead_somewhere() {
    let mut town = Town::with_money().await;
    let to_bob = pay(BOB, usd(ISSUER, "1"));
    let only_named = with(to_bob.clone(), json!({"Flags": TF_NO_RIPPLE_DIRECT}));
    assert_eq!(town.act(ALICE, only_named.clone()).await, "temRIPPLE_EMPTY");
    let element = json!({"account": address(ISSUER)});
    let paths =
        |count: usize, length: usize| json!({"Paths": vec![vec![element.clone(); length]; count]});
    assert_eq!(
        town.act(ALICE, with(to_bob.clone(), paths(7, 1))).await,
        "telBAD_PATH_COUNT"
    );
    assert_eq!(
        town.act(ALICE, with(to_bob.clone(), paths(1, 9))).await,
        "telBAD_PATH_COUNT"
    );
    assert_eq!(
        town.act(ALICE, with(to_bob.clone(), paths(1, 2))).await,
        "temBAD_PATH"
    );
    town.good(ALICE, with(only_named, paths(1, 1))).await;
    let looped =
        json!({"Paths": [[element, {"account": address(BOB)}, {"account": address(ISSUER)}]]});
    assert_eq!(
        town.act(ALICE, with(to_bob, looped)).await,
        "temBAD_PATH_LOOP"
    );
    town.stage.network.stop().await;
}

#[tokio::test]
async fn several_paths_share_a_payment_and_each_gives_what_it_has() {
    let mut town = Town::new().await;
    // The issuer owes through Alice and through Bob, who both trust it and are trusted by Carol.
    for bridge in [ALICE, BOB] {
        town.good(bridge, account_set(8)).await;
    }
    town.close().await;
    for bridge in [ALICE, BOB] {
        town.good(bridge, trust(ISSUER, "10")).await;
        town.good(CAROL, trust(bridge, "100")).await;
    }
    town.close().await;
    let both = json!({
        "Paths": [[{"account": address(ALICE)}], [{"account": address(BOB)}]],
        "SendMax": usd(ISSUER, "30"),
    });
    let too_much = with(pay(CAROL, usd(CAROL, "25")), both.clone());
    assert_eq!(town.act(ISSUER, too_much.clone()).await, "tecPATH_PARTIAL");
    town.good(ISSUER, with(pay(CAROL, usd(CAROL, "15")), both))
        .await;
    let lines = town.lines(CAROL).await;
    let mut held: Vec<_> = lines
        .iter()
        .map(|line| line["balance"].as_str().unwrap())
        .collect();
    held.sort_unstable();
    assert_eq!(held, ["10", "5"]);
    town.close().await;
    town.good(ISSUER, with(too_much, json!({"Flags": TF_PARTIAL})))
        .await;
    assert_eq!(town.close().await["delivered_amount"], usd(CAROL, "5"));
    town.stage.network.stop().await;
}

#[tokio::test]
async fn a_check_of_an_issued_currency_makes_its_line_and_outruns_its_limit() {
    let mut town = Town::with_money().await;
    let write = |to: u8, max: &str| json!({"TransactionType": "CheckCreate", "Destination": address(to), "SendMax": usd(ISSUER, max)});
    town.good(ALICE, write(CAROL, "60")).await;
    town.good(ALICE, write(BOB, "90")).await;
    town.good(BOB, trust(ISSUER, "1")).await;
    town.close().await;
    let request = json!({"command": "account_objects", "account": address(ALICE), "type": "check"});
    let objects = town.stage.client.result(request).await;
    let check = |to: u8| {
        let all = objects["account_objects"].as_array().unwrap();
        let found = all
            .iter()
            .find(|object| object["Destination"] == address(to));
        found.expect("the check")["index"].clone()
    };
    let cash = |to: u8, field: &str, amount: Value| json!({"TransactionType": "CheckCash", "CheckID": check(to), field: amount});
    let too_much = cash(CAROL, "Amount", usd(ISSUER, "61"));
    assert_eq!(town.act(CAROL, too_much).await, "tecPATH_PARTIAL");
    town.good(CAROL, cash(CAROL, "Amount", usd(ISSUER, "60")))
        .await;
    assert_eq!(town.balance(CAROL).await, "60");
    assert_eq!(town.lines(CAROL).await[0]["limit"], "0");
    town.close().await;
    let least = cash(BOB, "DeliverMin", usd(ISSUER, "41"));
    assert_eq!(town.act(BOB, least).await, "tecPATH_PARTIAL");
    town.close().await;
    town.good(BOB, cash(BOB, "DeliverMin", usd(ISSUER, "5")))
        .await;
    assert_eq!(town.close().await["delivered_amount"], usd(ISSUER, "40"));
    let line = town.lines(BOB).await[0].clone();
    assert_eq!(
        (line["balance"].clone(), line["limit"].clone()),
        (json!("40"), json!("1"))
    );
    town.good(ISSUER, account_set(7)).await;
    assert_eq!(town.act(ALICE, write(BOB, "1")).await, "tecFROZEN");
    town.stage.network.stop().await;
}
