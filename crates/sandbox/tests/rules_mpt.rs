//! Multi-purpose tokens, by the result codes and the amounts that a client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod wire;

use serde_json::{Value, json};
use stage::{Stage, address};

const ISSUER: u8 = 1;
const ALICE: u8 = 2;
const BOB: u8 = 3;
const STRANGER: u8 = 9;

const CAN_LOCK: u32 = 0x02;
const REQUIRE_AUTH: u32 = 0x04;
const CAN_TRANSFER: u32 = 0x20;
const CAN_CLAWBACK: u32 = 0x40;
const PARTIAL: u32 = 0x0002_0000;

async fn stage() -> Stage {
    Stage::with(&[(ISSUER, 100), (ALICE, 100), (BOB, 100)]).await
}

fn create(flags: u32) -> Value {
    json!({"TransactionType": "MPTokenIssuanceCreate", "Flags": flags})
}

fn about(kind: &str, id: &str) -> Value {
    json!({"TransactionType": kind, "MPTokenIssuanceID": id})
}

fn held_by(mut fields: Value, who: u8, flags: u32) -> Value {
    fields["Holder"] = json!(address(who));
    fields["Flags"] = json!(flags);
    fields
}

fn units(id: &str, value: u64) -> Value {
    json!({"mpt_issuance_id": id, "value": value.to_string()})
}

fn pay(id: &str, to: u8, value: u64) -> Value {
    json!({"TransactionType": "Payment", "Destination": address(to), "Amount": units(id, value)})
}

fn partial(id: &str, to: u8, value: u64, most: u64, least: u64) -> Value {
    let mut fields = pay(id, to, value);
    fields["SendMax"] = units(id, most);
    fields["Flags"] = json!(PARTIAL);
    if least > 0 {
        fields["DeliverMin"] = units(id, least);
    }
    fields
}

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

async fn issue(stage: &mut Stage, fields: Value) -> String {
    let tx = stage.settle(ISSUER, fields).await;
    tx["meta"]["mpt_issuance_id"].as_str().unwrap().to_owned()
}

/// What an account holds of an issuance, in the open ledger.
async fn balance(stage: &mut Stage, who: u8, id: &str) -> Value {
    let objects = stage.objects(who).await;
    let held = objects
        .iter()
        .find(|object| object["MPTokenIssuanceID"] == id);
    held.unwrap()["MPTAmount"].clone()
}

#[tokio::test]
async fn an_issuance_is_made_as_its_flags_and_fields_allow() {
    let mut stage = stage().await;
    let plain = create(0);
    stage
        .play(vec![
            (ISSUER, create(0x80), "temINVALID_FLAG"),
            (
                ISSUER,
                with(create(CAN_TRANSFER), "TransferFee", json!(50_001)),
                "temBAD_TRANSFER_FEE",
            ),
            (
                ISSUER,
                with(plain.clone(), "TransferFee", json!(1)),
                "temMALFORMED",
            ),
            (
                ISSUER,
                with(plain.clone(), "MPTokenMetadata", json!("00".repeat(1025))),
                "temMALFORMED",
            ),
            (
                ISSUER,
                with(plain.clone(), "MaximumAmount", json!("0")),
                "temMALFORMED",
            ),
            (
                ISSUER,
                with(plain.clone(), "MaximumAmount", json!("9223372036854775808")),
                "temMALFORMED",
            ),
            (
                ISSUER,
                with(plain, "MaximumAmount", json!("9223372036854775807")),
                "tesSUCCESS",
            ),
        ])
        .await;
    stage.network.stop().await;
}

#[tokio::test]
async fn a_holder_takes_and_gives_up_a_token_itself() {
    let mut stage = stage().await;
    let id = issue(&mut stage, create(CAN_TRANSFER)).await;
    let nothing = "0".repeat(48);
    let authorize = || about("MPTokenAuthorize", &id);
    let unauthorize = || with(authorize(), "Flags", json!(1));
    stage
        .play(vec![
            (
                ALICE,
                about("MPTokenAuthorize", &nothing),
                "tecOBJECT_NOT_FOUND",
            ),
            (ISSUER, authorize(), "tecNO_PERMISSION"),
            (ALICE, unauthorize(), "tecOBJECT_NOT_FOUND"),
            (
                ALICE,
                with(authorize(), "Holder", json!(address(ALICE))),
                "temMALFORMED",
            ),
            (ALICE, authorize(), "tesSUCCESS"),
            (ALICE, authorize(), "tecDUPLICATE"),
            (ISSUER, held_by(authorize(), ALICE, 0), "tecNO_AUTH"),
            (ISSUER, held_by(authorize(), STRANGER, 0), "tecNO_DST"),
            (BOB, held_by(authorize(), ALICE, 0), "tecNO_PERMISSION"),
            (ISSUER, pay(&id, ALICE, 5), "tesSUCCESS"),
            (ALICE, unauthorize(), "tecHAS_OBLIGATIONS"),
            (
                ISSUER,
                about("MPTokenIssuanceDestroy", &id),
                "tecHAS_OBLIGATIONS",
            ),
            (
                ALICE,
                about("MPTokenIssuanceDestroy", &id),
                "tecNO_PERMISSION",
            ),
            (ALICE, pay(&id, ISSUER, 5), "tesSUCCESS"),
            (ISSUER, about("MPTokenIssuanceDestroy", &id), "tesSUCCESS"),
            (
                ISSUER,
                about("MPTokenIssuanceDestroy", &id),
                "tecOBJECT_NOT_FOUND",
            ),
            (ALICE, unauthorize(), "tesSUCCESS"),
        ])
        .await;
    assert_eq!(stage.objects(ALICE).await, Vec::<Value>::new());
    stage.close();
    assert_eq!(stage.root(ALICE, "OwnerCount").await, 0);
    stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_that_requires_it_lists_its_holders() {
    let mut stage = stage().await;
    let id = issue(&mut stage, create(REQUIRE_AUTH)).await;
    let authorize = || about("MPTokenAuthorize", &id);
    stage
        .play(vec![
            (
                ISSUER,
                held_by(authorize(), ALICE, 0),
                "tecOBJECT_NOT_FOUND",
            ),
            (ISSUER, pay(&id, ALICE, 1), "tecNO_AUTH"),
            (ALICE, authorize(), "tesSUCCESS"),
            (ISSUER, pay(&id, ALICE, 1), "tecNO_AUTH"),
            (ISSUER, held_by(authorize(), ALICE, 0), "tesSUCCESS"),
            (ISSUER, pay(&id, ALICE, 1), "tesSUCCESS"),
            (ISSUER, held_by(authorize(), ALICE, 1), "tesSUCCESS"),
            (ALICE, pay(&id, ISSUER, 1), "tecNO_AUTH"),
        ])
        .await;
    stage.network.stop().await;
}

#[tokio::test]
async fn tokens_move_up_to_what_there_is_and_may_be() {
    let mut stage = stage().await;
    let id = issue(&mut stage, with(create(0), "MaximumAmount", json!("100"))).await;
    let authorize = || about("MPTokenAuthorize", &id);
    let nothing = "0".repeat(48);
    stage
        .play(vec![
            (ALICE, authorize(), "tesSUCCESS"),
            (BOB, authorize(), "tesSUCCESS"),
            (ISSUER, pay(&nothing, ALICE, 1), "tecOBJECT_NOT_FOUND"),
            (ISSUER, pay(&id, ISSUER, 1), "temREDUNDANT"),
            (ISSUER, pay(&id, ALICE, 0), "temBAD_AMOUNT"),
            (ISSUER, pay(&id, STRANGER, 1), "tecNO_DST"),
            (ISSUER, pay(&id, ALICE, 101), "tecPATH_PARTIAL"),
            (ISSUER, pay(&id, ALICE, 100), "tesSUCCESS"),
            (ISSUER, pay(&id, ALICE, 1), "tecPATH_PARTIAL"),
            (ALICE, pay(&id, ISSUER, 101), "tecPATH_PARTIAL"),
            (ALICE, pay(&id, BOB, 1), "tecNO_AUTH"),
            (ALICE, pay(&id, ISSUER, 40), "tesSUCCESS"),
        ])
        .await;
    assert_eq!(balance(&mut stage, ALICE, &id).await, "60");
    stage.network.stop().await;
}

#[tokio::test]
async fn a_transfer_fee_is_paid_on_top_or_out_of_a_partial_payment() {
    let mut stage = stage().await;
    // Ten per cent.
    let id = issue(
        &mut stage,
        with(create(CAN_TRANSFER), "TransferFee", json!(10_000)),
    )
    .await;
    let authorize = || about("MPTokenAuthorize", &id);
    stage
        .play(vec![
            (ALICE, authorize(), "tesSUCCESS"),
            (BOB, authorize(), "tesSUCCESS"),
            (ISSUER, pay(&id, ALICE, 1000), "tesSUCCESS"),
            // Without SendMax there is nothing to pay the fee from.
            (ALICE, pay(&id, BOB, 100), "tecPATH_PARTIAL"),
            (
                ALICE,
                with(pay(&id, BOB, 100), "SendMax", units(&id, 109)),
                "tecPATH_PARTIAL",
            ),
            (
                ALICE,
                with(pay(&id, BOB, 100), "SendMax", units(&id, 110)),
                "tesSUCCESS",
            ),
            (
                ALICE,
                with(pay(&id, BOB, 100), "DeliverMin", units(&id, 1)),
                "temBAD_AMOUNT",
            ),
            (ALICE, partial(&id, BOB, 100, 55, 51), "tecPATH_PARTIAL"),
            (ALICE, partial(&id, BOB, 100, 55, 50), "tesSUCCESS"),
            (
                ALICE,
                with(pay(&id, BOB, 1), "SendMax", json!("5")),
                "temMALFORMED",
            ),
            (
                ALICE,
                with(pay(&id, BOB, 1), "Flags", json!(0x0001_0000)),
                "temINVALID_FLAG",
            ),
        ])
        .await;
    assert_eq!(balance(&mut stage, ALICE, &id).await, "835");
    assert_eq!(balance(&mut stage, BOB, &id).await, "150");
    stage.network.stop().await;
}

#[tokio::test]
async fn a_locked_token_moves_only_to_and_from_its_issuer() {
    let mut stage = stage().await;
    let id = issue(&mut stage, create(CAN_LOCK | CAN_TRANSFER)).await;
    let free = issue(&mut stage, create(CAN_TRANSFER)).await;
    let set = |flags: u32| with(about("MPTokenIssuanceSet", &id), "Flags", json!(flags));
    let authorize = || about("MPTokenAuthorize", &id);
    stage
        .play(vec![
            (ALICE, authorize(), "tesSUCCESS"),
            (BOB, authorize(), "tesSUCCESS"),
            (ISSUER, pay(&id, ALICE, 100), "tesSUCCESS"),
            (ISSUER, set(3), "temINVALID_FLAG"),
            (ISSUER, set(4), "temINVALID_FLAG"),
            (ISSUER, held_by(set(1), ISSUER, 1), "temMALFORMED"),
            (
                ISSUER,
                with(about("MPTokenIssuanceSet", &free), "Flags", json!(1)),
                "tecNO_PERMISSION",
            ),
            (ALICE, set(1), "tecNO_PERMISSION"),
            (ISSUER, held_by(set(1), STRANGER, 1), "tecNO_DST"),
            (ISSUER, held_by(set(1), ALICE, 1), "tesSUCCESS"),
            (ALICE, pay(&id, BOB, 1), "tecLOCKED"),
            (ALICE, pay(&id, ISSUER, 1), "tesSUCCESS"),
            (ISSUER, held_by(set(2), ALICE, 2), "tesSUCCESS"),
            (ALICE, pay(&id, BOB, 1), "tesSUCCESS"),
            (ISSUER, set(1), "tesSUCCESS"),
            (ALICE, pay(&id, BOB, 1), "tecLOCKED"),
            (ISSUER, pay(&id, BOB, 1), "tesSUCCESS"),
        ])
        .await;
    stage.network.stop().await;
}

#[tokio::test]
async fn an_issuer_claws_back_what_its_flags_let_it() {
    let mut stage = stage().await;
    let id = issue(&mut stage, create(CAN_CLAWBACK)).await;
    let other = issue(&mut stage, create(0)).await;
    let claw = |id: &str, holder: u8, value: u64| json!({"TransactionType": "Clawback", "Holder": address(holder), "Amount": units(id, value)});
    let mut nobody = claw(&id, ALICE, 1);
    nobody.as_object_mut().unwrap().remove("Holder");
    stage
        .play(vec![
            (ALICE, about("MPTokenAuthorize", &id), "tesSUCCESS"),
            (ALICE, about("MPTokenAuthorize", &other), "tesSUCCESS"),
            (ISSUER, claw(&id, ALICE, 1), "tecINSUFFICIENT_FUNDS"),
            (ISSUER, claw(&id, BOB, 1), "tecOBJECT_NOT_FOUND"),
            (ISSUER, claw(&id, STRANGER, 1), "terNO_ACCOUNT"),
            (ISSUER, pay(&id, ALICE, 10), "tesSUCCESS"),
            (ISSUER, pay(&other, ALICE, 10), "tesSUCCESS"),
            (ISSUER, claw(&other, ALICE, 1), "tecNO_PERMISSION"),
            (BOB, claw(&id, ALICE, 1), "tecNO_PERMISSION"),
            (ISSUER, claw(&id, ISSUER, 1), "temMALFORMED"),
            (ISSUER, claw(&id, ALICE, 0), "temBAD_AMOUNT"),
            (ISSUER, nobody, "temMALFORMED"),
            (ISSUER, claw(&id, ALICE, 4), "tesSUCCESS"),
        ])
        .await;
    assert_eq!(balance(&mut stage, ALICE, &id).await, "6");
    assert_eq!(stage.act(ISSUER, claw(&id, ALICE, 400)).await, "tesSUCCESS");
    assert_eq!(balance(&mut stage, ALICE, &id).await, Value::Null);
    stage.network.stop().await;
}
