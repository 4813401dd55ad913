//! Checks, leave to deposit, and the deletion of accounts, by the result codes that a client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod wire;

use serde_json::{Value, json};
use stage::{Stage, address};
use wire::{account_set, with};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;
const STRANGER: u8 = 9;

async fn stage() -> Stage {
    Stage::with(&[(ALICE, 100), (BOB, 100), (CAROL, 100)]).await
}

fn check(to: u8, max: &str, fields: Value) -> Value {
    let base =
        json!({"TransactionType": "CheckCreate", "Destination": address(to), "SendMax": max});
    with(base, fields)
}

fn cash(id: &str, fields: Value) -> Value {
    with(
        json!({"TransactionType": "CheckCash", "CheckID": id}),
        fields,
    )
}

fn cancel(id: &str) -> Value {
    json!({"TransactionType": "CheckCancel", "CheckID": id})
}

/// Writes a check, closes, and returns its id.
async fn write(stage: &mut Stage, fields: Value) -> String {
    let tx = stage.settle(ALICE, fields).await;
    let nodes = tx["meta"]["AffectedNodes"].as_array().unwrap().clone();
    let made = nodes
        .iter()
        .find(|node| node["CreatedNode"]["LedgerEntryType"] == "Check");
    made.unwrap()["CreatedNode"]["LedgerIndex"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_check_is_written_as_its_reader_allows() {
    let mut stage = stage().await;
    let now = stage.now().await;
    stage
        .play(vec![
            (ALICE, check(ALICE, "5", json!({})), "temREDUNDANT"),
            (ALICE, check(BOB, "0", json!({})), "temBAD_AMOUNT"),
            (
                ALICE,
                check(BOB, "5", json!({"Expiration": 0})),
                "temBAD_EXPIRATION",
            ),
            (
                ALICE,
                check(BOB, "5", json!({"Flags": 1})),
                "temINVALID_FLAG",
            ),
            (ALICE, check(STRANGER, "5", json!({})), "tecNO_DST"),
            (
                ALICE,
                check(BOB, "5", json!({"Expiration": now})),
                "tecEXPIRED",
            ),
            (BOB, account_set(1), "tesSUCCESS"),
            (ALICE, check(BOB, "5", json!({})), "tecDST_TAG_NEEDED"),
            (
                ALICE,
                check(BOB, "5", json!({"DestinationTag": 1})),
                "tesSUCCESS",
            ),
            (CAROL, account_set(13), "tesSUCCESS"),
            (ALICE, check(CAROL, "5", json!({})), "tecNO_PERMISSION"),
        ])
        .await;
    stage.network.stop().await;
}

#[tokio::test]
async fn a_check_is_cashed_by_its_reader_for_what_there_is() {
    let mut stage = stage().await;
    let id = write(&mut stage, check(BOB, "150000000", json!({}))).await;
    let nowhere = "0".repeat(64);
    stage
        .play(vec![
            (BOB, cash(&id, json!({})), "temMALFORMED"),
            (
                BOB,
                cash(&id, json!({"Amount": "5", "DeliverMin": "5"})),
                "temMALFORMED",
            ),
            (BOB, cash(&id, json!({"Amount": "0"})), "temBAD_AMOUNT"),
            (BOB, cash(&nowhere, json!({"Amount": "5"})), "tecNO_ENTRY"),
            (CAROL, cash(&id, json!({"Amount": "5"})), "tecNO_PERMISSION"),
            (
                BOB,
                cash(&id, json!({"Amount": "150000001"})),
                "tecPATH_PARTIAL",
            ),
            (
                BOB,
                cash(&id, json!({"Amount": "120000000"})),
                "tecPATH_PARTIAL",
            ),
        ])
        .await;
    let tx = stage
        .settle(BOB, cash(&id, json!({"DeliverMin": "5"})))
        .await;
    // All but the base reserve: the check's own reserve is free once it is cashed.
    assert_eq!(tx["meta"]["delivered_amount"], "98999990");
    assert_eq!(stage.root(ALICE, "Balance").await, "1000000");
    assert_eq!(stage.root(ALICE, "OwnerCount").await, 0);
    assert_eq!(stage.objects(BOB).await, Vec::<Value>::new());
    stage.network.stop().await;
}

#[tokio::test]
async fn a_check_is_cancelled_by_its_parties_and_by_anyone_once_it_expired() {
    let mut stage = stage().await;
    let now = stage.now().await;
    let one = write(&mut stage, check(BOB, "5", json!({"Expiration": now + 8}))).await;
    let two = write(&mut stage, check(BOB, "5", json!({"Expiration": now + 8}))).await;
    stage
        .play(vec![
            (CAROL, cancel(&one), "tecNO_PERMISSION"),
            (BOB, cancel(&one), "tesSUCCESS"),
            (BOB, cancel(&one), "tecNO_ENTRY"),
        ])
        .await;
    stage.wait_until_past(now + 8).await;
    stage
        .play(vec![
            (BOB, cash(&two, json!({"Amount": "5"})), "tecEXPIRED"),
            (CAROL, cancel(&two), "tesSUCCESS"),
        ])
        .await;
    stage.network.stop().await;
}

fn preauth(field: &str, who: u8) -> Value {
    json!({"TransactionType": "DepositPreauth", field: address(who)})
}

fn pay(to: u8, drops: u64) -> Value {
    json!({"TransactionType": "Payment", "Destination": address(to), "Amount": drops.to_string()})
}

#[tokio::test]
async fn leave_to_deposit_is_given_and_taken_away() {
    let mut stage = stage().await;
    let both = with(
        preauth("Authorize", BOB),
        json!({"Unauthorize": address(BOB)}),
    );
    stage
        .play(vec![
            (ALICE, both, "temMALFORMED"),
            (
                ALICE,
                json!({"TransactionType": "DepositPreauth"}),
                "temMALFORMED",
            ),
            (ALICE, preauth("Authorize", ALICE), "temCANNOT_PREAUTH_SELF"),
            (ALICE, preauth("Authorize", STRANGER), "tecNO_TARGET"),
            (ALICE, preauth("Unauthorize", BOB), "tecNO_ENTRY"),
            (ALICE, account_set(9), "tesSUCCESS"),
            (BOB, pay(ALICE, 5), "tecNO_PERMISSION"),
            (ALICE, preauth("Authorize", BOB), "tesSUCCESS"),
            (ALICE, preauth("Authorize", BOB), "tecDUPLICATE"),
            (BOB, pay(ALICE, 5), "tesSUCCESS"),
            (CAROL, pay(ALICE, 5), "tecNO_PERMISSION"),
            (ALICE, preauth("Unauthorize", BOB), "tesSUCCESS"),
            (BOB, pay(ALICE, 5), "tecNO_PERMISSION"),
        ])
        .await;
    stage.network.stop().await;
}

fn delete(to: u8) -> Value {
    json!({"TransactionType": "AccountDelete", "Destination": address(to), "Fee": "200000"})
}

#[tokio::test]
async fn an_account_takes_with_it_what_binds_nobody_else() {
    let mut stage = stage().await;
    let entry = json!({"SignerEntry": {"Account": address(CAROL), "SignerWeight": 1}});
    let list =
        json!({"TransactionType": "SignerListSet", "SignerQuorum": 1, "SignerEntries": [entry]});
    let id = write(&mut stage, check(CAROL, "5", json!({}))).await;
    stage
        .play_one_by_one(vec![
            (
                ALICE,
                json!({"TransactionType": "TicketCreate", "TicketCount": 40}),
                "tesSUCCESS",
            ),
            (ALICE, preauth("Authorize", CAROL), "tesSUCCESS"),
            (ALICE, list, "tesSUCCESS"),
        ])
        .await;
    for _ in 0..300 {
        stage.close();
    }
    stage
        .play_one_by_one(vec![
            (ALICE, delete(ALICE), "temDST_IS_SRC"),
            (
                ALICE,
                with(delete(BOB), json!({"Fee": "199999"})),
                "telINSUF_FEE_P",
            ),
            (ALICE, delete(STRANGER), "tecNO_DST"),
            (BOB, account_set(9), "tesSUCCESS"),
            (ALICE, delete(BOB), "tecNO_PERMISSION"),
            (BOB, preauth("Authorize", ALICE), "tesSUCCESS"),
            (ALICE, delete(BOB), "tecHAS_OBLIGATIONS"),
            (CAROL, delete(BOB), "tecNO_PERMISSION"),
            (CAROL, cancel(&id), "tesSUCCESS"),
        ])
        .await;
    let blockers = json!({"command": "account_objects", "account": address(ALICE), "deletion_blockers_only": true});
    assert_eq!(
        stage.client.result(blockers).await["account_objects"],
        json!([])
    );
    assert_eq!(stage.objects(ALICE).await.len(), 42);
    stage.close();
    let before: u64 = stage
        .root(ALICE, "Balance")
        .await
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let tx = stage.settle(ALICE, delete(BOB)).await;
    assert_eq!(
        tx["meta"]["DeliveredAmount"],
        (before - 200_000).to_string()
    );
    let gone = json!({"command": "account_objects", "account": address(ALICE)});
    assert_eq!(stage.client.ask(gone).await["error"], "actNotFound");
    stage.network.stop().await;
}
