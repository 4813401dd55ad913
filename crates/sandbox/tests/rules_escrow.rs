//! Escrows and payment channels, by the result codes and the balances that a client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod wire;

use serde_json::{Value, json};
use stage::{Stage, address};
use wire::{account_set, key, with};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;
const STRANGER: u8 = 9;

/// The condition and the fulfillment of a preimage of three bytes, and another condition.
const CONDITION: &str =
    "A02580209834876DCFB05CB167A5C24953EBA58C4AC89B1ADF57F28F2F9D09AF107EE8F0810103";
const FULFILLMENT: &str = "A0058003616161";
const EMPTY_CONDITION: &str =
    "A0258020E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855810100";
const EMPTY_FULFILLMENT: &str = "A0028000";

async fn stage() -> Stage {
    Stage::with(&[(ALICE, 100), (BOB, 100), (CAROL, 100)]).await
}

fn escrow(to: u8, fields: Value) -> Value {
    let base =
        json!({"TransactionType": "EscrowCreate", "Destination": address(to), "Amount": "1000000"});
    with(base, fields)
}

fn finish(kind: &str, sequence: u64, fields: Value) -> Value {
    let base = json!({"TransactionType": kind, "Owner": address(ALICE), "OfferSequence": sequence});
    with(base, fields)
}

#[tokio::test]
async fn an_escrow_is_made_as_its_times_and_condition_allow() {
    let mut stage = stage().await;
    let now = stage.now().await;
    let later = json!({"FinishAfter": now + 100});
    stage
        .play(vec![
            (ALICE, escrow(BOB, json!({})), "temBAD_EXPIRATION"),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now + 9, "CancelAfter": now + 9})),
                "temBAD_EXPIRATION",
            ),
            (
                ALICE,
                escrow(BOB, json!({"CancelAfter": now + 9})),
                "temMALFORMED",
            ),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now + 9, "Amount": "0"})),
                "temBAD_AMOUNT",
            ),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now + 9, "Condition": "A0"})),
                "temMALFORMED",
            ),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now + 9, "Flags": 1})),
                "temINVALID_FLAG",
            ),
            (ALICE, escrow(STRANGER, later.clone()), "tecNO_DST"),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now - 1})),
                "tecNO_PERMISSION",
            ),
            (
                ALICE,
                escrow(BOB, json!({"FinishAfter": now, "Amount": "98900000"})),
                "tecUNFUNDED",
            ),
            (CAROL, account_set(1), "tesSUCCESS"),
            (ALICE, escrow(CAROL, later.clone()), "tecDST_TAG_NEEDED"),
            (
                ALICE,
                escrow(CAROL, with(later.clone(), json!({"DestinationTag": 7}))),
                "tesSUCCESS",
            ),
            (ALICE, escrow(BOB, later), "tesSUCCESS"),
        ])
        .await;
    assert_eq!(stage.objects(BOB).await.len(), 1);
    assert_eq!(stage.objects(ALICE).await.len(), 2);
    stage.network.stop().await;
}

#[tokio::test]
async fn an_escrow_is_finished_after_its_time_and_cancelled_after_its_end() {
    let mut stage = stage().await;
    let now = stage.now().await;
    let times = json!({"FinishAfter": now + 5, "CancelAfter": now + 12});
    let one = stage.sequence(ALICE).await;
    stage.settle(ALICE, escrow(BOB, times.clone())).await;
    let two = stage.sequence(ALICE).await;
    stage.settle(ALICE, escrow(BOB, times)).await;
    let three = stage.sequence(ALICE).await;
    stage
        .settle(ALICE, escrow(BOB, json!({"FinishAfter": now + 5})))
        .await;
    stage
        .play(vec![
            (
                BOB,
                finish("EscrowFinish", one, json!({})),
                "tecNO_PERMISSION",
            ),
            (
                BOB,
                finish("EscrowCancel", one, json!({})),
                "tecNO_PERMISSION",
            ),
            (BOB, finish("EscrowFinish", 1, json!({})), "tecNO_TARGET"),
            (BOB, finish("EscrowCancel", 1, json!({})), "tecNO_TARGET"),
        ])
        .await;
    stage.wait_until_past(now + 5).await;
    assert_eq!(
        stage
            .act(CAROL, finish("EscrowFinish", one, json!({})))
            .await,
        "tesSUCCESS"
    );
    stage.wait_until_past(now + 12).await;
    stage
        .play(vec![
            (
                BOB,
                finish("EscrowFinish", two, json!({})),
                "tecNO_PERMISSION",
            ),
            (CAROL, finish("EscrowCancel", two, json!({})), "tesSUCCESS"),
            (
                BOB,
                finish("EscrowCancel", three, json!({})),
                "tecNO_PERMISSION",
            ),
            (BOB, finish("EscrowFinish", three, json!({})), "tesSUCCESS"),
        ])
        .await;
    stage.close();
    assert_eq!(stage.root(ALICE, "Balance").await, "97999970");
    assert_eq!(stage.root(ALICE, "OwnerCount").await, 0);
    assert_eq!(stage.root(BOB, "Balance").await, "101999930");
    stage.network.stop().await;
}

#[tokio::test]
async fn a_condition_wants_its_own_fulfillment_and_the_fee_for_it() {
    let mut stage = stage().await;
    let now = stage.now().await;
    let sequence = stage.sequence(ALICE).await;
    let conditional = json!({"CancelAfter": now + 100, "Condition": CONDITION});
    stage.settle(ALICE, escrow(BOB, conditional)).await;
    let plain = stage.sequence(ALICE).await;
    stage
        .settle(ALICE, escrow(BOB, json!({"FinishAfter": now + 5})))
        .await;
    stage.wait_until_past(now + 5).await;
    // Ten for the transaction, and ten times 32 for a fulfillment of less than sixteen bytes.
    let shown = |condition: &str, fulfillment: &str| json!({"Condition": condition, "Fulfillment": fulfillment, "Fee": "330"});
    let all = |sequence, fields| finish("EscrowFinish", sequence, fields);
    stage
        .play(vec![
            (
                BOB,
                all(sequence, json!({"Condition": CONDITION})),
                "temMALFORMED",
            ),
            (
                BOB,
                all(sequence, json!({"Fulfillment": FULFILLMENT, "Fee": "330"})),
                "temMALFORMED",
            ),
            (
                BOB,
                with(
                    all(sequence, shown(CONDITION, FULFILLMENT)),
                    json!({"Fee": "329"}),
                ),
                "telINSUF_FEE_P",
            ),
            (BOB, all(sequence, json!({})), "tecCRYPTOCONDITION_ERROR"),
            (
                BOB,
                all(sequence, shown(CONDITION, EMPTY_FULFILLMENT)),
                "tecCRYPTOCONDITION_ERROR",
            ),
            (
                BOB,
                all(sequence, shown(EMPTY_CONDITION, EMPTY_FULFILLMENT)),
                "tecCRYPTOCONDITION_ERROR",
            ),
            (
                BOB,
                all(plain, shown(CONDITION, FULFILLMENT)),
                "tecCRYPTOCONDITION_ERROR",
            ),
            (
                BOB,
                all(sequence, shown(CONDITION, FULFILLMENT)),
                "tesSUCCESS",
            ),
        ])
        .await;
    stage.network.stop().await;
}

#[tokio::test]
async fn a_guarded_account_lets_its_escrows_be_finished_by_those_it_knows() {
    let mut stage = stage().await;
    let now = stage.now().await;
    let sequence = stage.sequence(ALICE).await;
    stage
        .settle(ALICE, escrow(BOB, json!({"FinishAfter": now + 1})))
        .await;
    stage.wait_until_past(now + 1).await;
    let done = finish("EscrowFinish", sequence, json!({}));
    stage
        .play(vec![
            (BOB, account_set(9), "tesSUCCESS"),
            (CAROL, done.clone(), "tecNO_PERMISSION"),
            (
                BOB,
                json!({"TransactionType": "DepositPreauth", "Authorize": address(CAROL)}),
                "tesSUCCESS",
            ),
            (CAROL, done, "tesSUCCESS"),
        ])
        .await;
    stage.network.stop().await;
}

fn open_channel(to: u8, drops: u64, fields: Value) -> Value {
    let base = json!({
        "TransactionType": "PaymentChannelCreate",
        "Destination": address(to),
        "Amount": drops.to_string(),
        "SettleDelay": 10,
        "PublicKey": public_key(ALICE),
    });
    with(base, fields)
}

fn public_key(who: u8) -> String {
    hex::encode_upper(key(who).public_key().bytes())
}

fn on_channel(kind: &str, channel: &str, fields: Value) -> Value {
    with(json!({"TransactionType": kind, "Channel": channel}), fields)
}

/// A claim that `signer` signs.
fn signature(signer: u8, channel: &str, drops: u64) -> String {
    let id = hex::decode(channel).unwrap();
    let message = [&b"CLM\0"[..], &id, &drops.to_be_bytes()].concat();
    hex::encode_upper(key(signer).sign(&message))
}

async fn channel_of(stage: &mut Stage, fields: Value) -> String {
    stage.settle(ALICE, fields).await;
    let request = json!({"command": "account_channels", "account": address(ALICE)});
    let channels = stage.client.result(request).await["channels"].clone();
    let last = channels.as_array().unwrap().last().unwrap().clone();
    last["channel_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_channel_is_opened_and_funded_within_the_owner_s_means() {
    let mut stage = stage().await;
    let id = channel_of(&mut stage, open_channel(BOB, 1_000_000, json!({}))).await;
    let nowhere = "0".repeat(64);
    let fund = |fields| on_channel("PaymentChannelFund", &id, fields);
    let now = stage.now().await;
    stage
        .play(vec![
            (ALICE, open_channel(ALICE, 1, json!({})), "temDST_IS_SRC"),
            (ALICE, open_channel(BOB, 0, json!({})), "temBAD_AMOUNT"),
            (
                ALICE,
                open_channel(BOB, 1, json!({"PublicKey": "00".repeat(33)})),
                "temMALFORMED",
            ),
            (ALICE, open_channel(STRANGER, 1, json!({})), "tecNO_DST"),
            (
                ALICE,
                open_channel(BOB, 99_000_000, json!({})),
                "tecUNFUNDED",
            ),
            (CAROL, account_set(14), "tesSUCCESS"),
            (ALICE, open_channel(CAROL, 1, json!({})), "tecNO_PERMISSION"),
            (BOB, fund(json!({"Amount": "5"})), "tecNO_PERMISSION"),
            (
                ALICE,
                on_channel("PaymentChannelFund", &nowhere, json!({"Amount": "5"})),
                "tecNO_ENTRY",
            ),
            (ALICE, fund(json!({"Amount": "0"})), "temBAD_AMOUNT"),
            (
                ALICE,
                fund(json!({"Amount": "5", "Expiration": now + 1})),
                "temBAD_EXPIRATION",
            ),
            (ALICE, fund(json!({"Amount": "98000000"})), "tecUNFUNDED"),
            (
                ALICE,
                fund(json!({"Amount": "5", "Expiration": now + 1000})),
                "tesSUCCESS",
            ),
        ])
        .await;
    let request = json!({"command": "account_channels", "account": address(ALICE), "destination_account": address(BOB)});
    let channels = stage.client.result(request).await["channels"].clone();
    assert_eq!(channels[0]["amount"], "1000005");
    assert_eq!(channels[0]["expiration"], now + 1000);
    stage.network.stop().await;
}

#[tokio::test]
async fn a_receiver_claims_what_the_owner_signed_and_no_more() {
    let mut stage = stage().await;
    let id = channel_of(&mut stage, open_channel(BOB, 1_000_000, json!({}))).await;
    let claim = |fields| on_channel("PaymentChannelClaim", &id, fields);
    let signed = |signer: u8, balance: u64, amount: u64| {
        claim(json!({
            "Balance": balance.to_string(),
            "Amount": amount.to_string(),
            "PublicKey": public_key(signer),
            "Signature": signature(signer, &id, amount),
        }))
    };
    let nowhere = on_channel("PaymentChannelClaim", &"0".repeat(64), json!({}));
    let forged = with(signed(ALICE, 5, 9), json!({"Amount": "10"}));
    stage
        .play(vec![
            (BOB, nowhere, "tecNO_TARGET"),
            (
                BOB,
                claim(json!({"Balance": "6", "Amount": "5"})),
                "temBAD_AMOUNT",
            ),
            (BOB, claim(json!({"Flags": 0x0003_0000})), "temMALFORMED"),
            (
                BOB,
                claim(json!({"Balance": "5", "Signature": "00"})),
                "temMALFORMED",
            ),
            (BOB, forged, "temBAD_SIGNATURE"),
            (BOB, claim(json!({"Balance": "5"})), "temBAD_SIGNATURE"),
            (BOB, signed(BOB, 5, 5), "temBAD_SIGNER"),
            (CAROL, signed(ALICE, 5, 5), "tecNO_PERMISSION"),
            (BOB, signed(ALICE, 400_000, 500_000), "tesSUCCESS"),
            (BOB, signed(ALICE, 400_000, 500_001), "tecUNFUNDED_PAYMENT"),
            (
                ALICE,
                claim(json!({"Balance": "1000001"})),
                "tecUNFUNDED_PAYMENT",
            ),
            (ALICE, claim(json!({"Balance": "600000"})), "tesSUCCESS"),
            (
                BOB,
                claim(json!({"Flags": 0x0001_0000})),
                "tecNO_PERMISSION",
            ),
        ])
        .await;
    stage.close();
    let before = stage.root(ALICE, "OwnerCount").await;
    assert_eq!(
        stage.act(BOB, claim(json!({"Flags": 0x0002_0000}))).await,
        "tesSUCCESS"
    );
    stage.close();
    assert_eq!(
        (before, stage.root(ALICE, "OwnerCount").await),
        (json!(1), json!(0))
    );
    assert_eq!(stage.root(ALICE, "Balance").await, "99399970");
    let authorize = json!({"command": "channel_authorize", "channel_id": id, "amount": "7", "secret": "masterpassphrase"});
    let by_server = stage.client.result(authorize).await["signature"].clone();
    let genesis = xrpayd_codec::keys::Keypair::from_passphrase("masterpassphrase").unwrap();
    let genesis = hex::encode_upper(genesis.public_key().bytes());
    let signed = json!({"command": "channel_verify", "public_key": genesis, "channel_id": id, "amount": "7", "signature": by_server});
    assert_eq!(
        stage.client.result(signed).await["signature_verified"],
        true
    );
    let verify = |drops: &str| json!({"command": "channel_verify", "public_key": public_key(ALICE), "channel_id": id, "amount": drops, "signature": signature(ALICE, &id, 7)});
    assert_eq!(
        stage.client.result(verify("7")).await["signature_verified"],
        true
    );
    assert_eq!(
        stage.client.result(verify("8")).await["signature_verified"],
        false
    );
    stage.network.stop().await;
}

#[tokio::test]
async fn an_owner_closes_a_channel_after_its_delay() {
    let mut stage = stage().await;
    let id = channel_of(&mut stage, open_channel(BOB, 1_000_000, json!({}))).await;
    let claim = |flags: u32| on_channel("PaymentChannelClaim", &id, json!({"Flags": flags}));
    let asked = stage.now().await;
    stage
        .play(vec![
            (ALICE, claim(0x0002_0000), "tesSUCCESS"),
            (ALICE, claim(0x0001_0000), "tesSUCCESS"),
            (ALICE, claim(0x0002_0000), "tesSUCCESS"),
        ])
        .await;
    stage.wait_until_past(asked + 9).await;
    // Whoever touches a channel that has expired closes it.
    assert_eq!(stage.act(CAROL, claim(0)).await, "tesSUCCESS");
    stage.close();
    assert_eq!(stage.root(ALICE, "Balance").await, "99999960");
    assert_eq!(stage.objects(BOB).await, Vec::<Value>::new());
    stage.network.stop().await;
}
