//! Signing for clients, submitting for several signers, and simulating: what is refused and in which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::refusals::{GENESIS, STRANGER, assert_refused, request};
use wire::{by_hand, fund, key, started};

const SEED: &str = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb";

fn payment(fields: Value) -> Value {
    let mut tx = json!({
        "TransactionType": "Payment",
        "Account": GENESIS,
        "Destination": STRANGER,
        "Amount": "1000000",
    });
    for (name, value) in fields.as_object().unwrap() {
        tx[name.as_str()] = value.clone();
    }
    tx
}

#[tokio::test]
async fn a_transaction_in_json_is_refused_for_the_field_that_is_wrong() {
    let (network, mut client) = started(by_hand(1)).await;
    const INVALID: &str = "invalidParams";
    let sign = |tx: Value| json!({"command": "sign", "secret": SEED, "tx_json": tx});
    let table = vec![
        (
            request("sign", json!({})),
            INVALID,
            "Missing field 'secret'.",
        ),
        (
            request("sign", json!({"secret": SEED})),
            INVALID,
            "Missing field 'tx_json'.",
        ),
        (
            sign(json!([])),
            INVALID,
            "Invalid field 'tx_json', not object.",
        ),
        (
            sign(json!({})),
            INVALID,
            "Missing field 'tx_json.TransactionType'.",
        ),
        (
            sign(json!({"TransactionType": "Payment"})),
            "srcActMissing",
            "Missing field 'tx_json.Account'.",
        ),
        (
            sign(payment(json!({"Account": "x"}))),
            "srcActMalformed",
            "Invalid field 'tx_json.Account'.",
        ),
        (
            sign(payment(json!({"Account": STRANGER}))),
            "srcActNotFound",
            "Source account not found.",
        ),
        (
            sign(payment(json!({"Amount": "x"}))),
            INVALID,
            "Invalid field 'tx_json.Amount'.",
        ),
        (
            sign(payment(json!({"Destination": "x"}))),
            INVALID,
            "Invalid field 'tx_json.Destination'.",
        ),
        (
            sign(payment(json!({"DeliverMax": "5"}))),
            INVALID,
            "Cannot specify differing 'Amount' and 'DeliverMax'",
        ),
        (
            sign(payment(json!({"Nonsense": "5"}))),
            INVALID,
            "Field 'tx_json.Nonsense' is unknown.",
        ),
        (
            sign(payment(json!({"DestinationTag": "x"}))),
            INVALID,
            "Field 'tx_json.DestinationTag' has invalid data.",
        ),
        (
            sign(payment(json!({"DestinationTag": []}))),
            INVALID,
            "Field 'tx_json.DestinationTag' has bad type.",
        ),
        (
            sign(payment(json!({"Memos": 5}))),
            INVALID,
            "Field 'tx_json.Memos' must be a JSON array.",
        ),
        (
            sign(payment(json!({"TickSize": 5}))),
            INVALID,
            "Field 'TickSize' found in disallowed location.",
        ),
        (
            sign(json!({"TransactionType": "TicketCreate", "Account": GENESIS})),
            INVALID,
            "Field 'TicketCount' is required but missing.",
        ),
        (
            sign(payment(json!({"Signers": []}))),
            "alreadyMultisig",
            "Already multisigned.",
        ),
        (
            json!({"command": "sign", "secret": "another", "tx_json": payment(json!({}))}),
            "badSecret",
            "Secret does not match account.",
        ),
        (
            json!({"command": "sign", "secret": SEED, "seed": SEED, "tx_json": {}}),
            INVALID,
            "Exactly one of the following must be specified: passphrase, secret, seed or seed_hex",
        ),
        (
            json!({"command": "sign", "secret": SEED, "key_type": "ed25519", "tx_json": {}}),
            INVALID,
            "The secret field is not allowed if key_type is used.",
        ),
        (
            json!({"command": "sign", "secret": SEED, "offline": true, "tx_json": payment(json!({}))}),
            INVALID,
            "Missing field 'tx_json.Sequence'.",
        ),
        (
            json!({"command": "sign", "secret": SEED, "fee_mult_max": 0, "tx_json": payment(json!({}))}),
            "highFee",
            "Fee of 10 exceeds the requested tx limit of 0",
        ),
        (
            json!({"command": "sign", "secret": SEED, "fee_mult_max": "x", "tx_json": payment(json!({}))}),
            "highFee",
            "Invalid field 'fee_mult_max', not a positive integer.",
        ),
        (
            json!({"command": "sign", "secret": SEED, "build_path": true, "tx_json": payment(json!({}))}),
            INVALID,
            "Cannot build XRP to XRP paths.",
        ),
    ];
    assert_refused(&mut client, table).await;
    network.stop().await;
}

#[tokio::test]
async fn what_several_are_to_sign_must_be_complete_before_anyone_does() {
    let (network, mut client) = started(by_hand(1)).await;
    const INVALID: &str = "invalidParams";
    let several =
        |fields: Value| request("submit_multisigned", json!({"tx_json": payment(fields)}));
    let signer = |account: &str| json!({"Signer": {"Account": account, "SigningPubKey": "02", "TxnSignature": "AA"}});
    let whole = |signers: Value| {
        several(json!({"Sequence": 1, "SigningPubKey": "", "Fee": "30", "Signers": signers}))
    };
    let table = vec![
        (
            request("submit_multisigned", json!({})),
            INVALID,
            "Missing field 'tx_json'.",
        ),
        (
            several(json!({})),
            INVALID,
            "Missing field 'tx_json.Sequence'.",
        ),
        (
            several(json!({"Sequence": 1})),
            INVALID,
            "Missing field 'tx_json.SigningPubKey'.",
        ),
        (
            several(json!({"Sequence": 1, "SigningPubKey": "02"})),
            INVALID,
            "When multi-signing 'tx_json.SigningPubKey' must be empty.",
        ),
        (
            several(json!({"Sequence": 1, "SigningPubKey": ""})),
            INVALID,
            "Missing field 'tx_json.Fee'.",
        ),
        (
            several(json!({"Sequence": 1, "SigningPubKey": "", "Fee": "0"})),
            INVALID,
            "Invalid Fee field.  Fees must be greater than zero.",
        ),
        (
            several(json!({"Sequence": 1, "SigningPubKey": "", "Fee": "30"})),
            INVALID,
            "Missing field 'tx_json.Signers'.",
        ),
        (
            whole(json!([])),
            INVALID,
            "tx_json.Signers array may not be empty.",
        ),
        (
            whole(json!([signer(GENESIS)])),
            INVALID,
            "A Signer may not be the transaction's Account (rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh).",
        ),
        (
            whole(json!([signer(STRANGER), signer(STRANGER)])),
            INVALID,
            "Duplicate Signers:Signer:Account entries (rrrrrrrrrrrrrrrrrrrrrhoLvTp) are not allowed.",
        ),
        (
            whole(json!([signer(STRANGER)])),
            "internal",
            "Invalid signature.",
        ),
        (
            request("sign_for", json!({"secret": SEED})),
            INVALID,
            "Missing field 'account'.",
        ),
        (
            request("sign_for", json!({"secret": SEED, "account": "x"})),
            "srcActMalformed",
            "Invalid field 'account'.",
        ),
    ];
    assert_refused(&mut client, table).await;
    network.stop().await;
}

#[tokio::test]
async fn signatures_that_a_server_made_for_each_signer_are_enough_together() {
    let (network, mut client) = started(by_hand(1)).await;
    let account = key(1);
    let sequence = fund(&network, &account, 1_000);
    let signers = ["first", "second"];
    let mut ids = Vec::new();
    for passphrase in signers {
        let proposal = json!({"command": "wallet_propose", "passphrase": passphrase});
        let proposal = client.result(proposal).await;
        assert!(
            proposal["warning"]
                .as_str()
                .unwrap()
                .contains("low entropy")
        );
        ids.push(proposal["account_id"].as_str().unwrap().to_owned());
    }
    let entries: Vec<Value> = ids
        .iter()
        .map(|id| json!({"SignerEntry": {"Account": id, "SignerWeight": 1}}))
        .collect();
    let list = wire::signed(
        &account,
        json!({
            "TransactionType": "SignerListSet",
            "SignerQuorum": 2,
            "SignerEntries": entries,
            "Sequence": sequence,
        }),
    );
    assert_eq!(client.engine_result(&list).await, "tesSUCCESS");
    let _open = network.close_ledger();
    let mut tx = payment(json!({
        "Account": account.account_id().to_string(),
        "Destination": GENESIS,
        "Fee": "30",
        "Sequence": sequence + 1,
        "SigningPubKey": "",
    }));
    for (passphrase, id) in signers.iter().zip(&ids) {
        let request = json!({
            "command": "sign_for",
            "account": id,
            "secret": passphrase,
            "tx_json": tx,
        });
        tx = client.result(request).await["tx_json"].clone();
        let fields = tx.as_object_mut().unwrap();
        fields.remove("hash");
    }
    let request = json!({"command": "submit_multisigned", "tx_json": tx});
    assert_eq!(client.result(request).await["engine_result"], "tesSUCCESS");
    network.stop().await;
}

#[tokio::test]
async fn a_simulation_tells_what_would_happen_and_changes_nothing() {
    let (network, mut client) = started(by_hand(1)).await;
    let account = key(1);
    fund(&network, &account, 1_000);
    let before = client.validated_account(&account).await;
    let tx = payment(json!({"Account": account.account_id().to_string(), "Destination": GENESIS}));
    let simulate = json!({"command": "simulate", "tx_json": tx});
    let told = client.result(simulate.clone()).await;
    assert_eq!(told["engine_result"], "tesSUCCESS");
    assert_eq!(told["applied"], false);
    assert_eq!(told["tx_json"]["Fee"], "10");
    let mut binary = simulate.clone();
    binary["binary"] = json!(true);
    let told = client.result(binary).await;
    assert!(told["meta_blob"].is_string() && told["tx_blob"].is_string());
    assert!(told.get("meta").is_none() && told.get("tx_json").is_none());
    let by_blob = json!({"command": "simulate", "tx_blob": told["tx_blob"]});
    assert_eq!(client.result(by_blob).await["engine_result"], "tesSUCCESS");
    let _open = network.close_ledger();
    assert_eq!(client.validated_account(&account).await, before);
    let refused = |fields: Value| request("simulate", fields);
    const INVALID: &str = "invalidParams";
    let table = vec![
        (
            refused(json!({})),
            INVALID,
            "Neither `tx_blob` nor `tx_json` included.",
        ),
        (
            refused(json!({"tx_json": {}, "tx_blob": "00"})),
            INVALID,
            "Can only include one of `tx_blob` and `tx_json`.",
        ),
        (
            refused(json!({"tx_json": 5})),
            INVALID,
            "Invalid field 'tx_json', not object.",
        ),
        (
            refused(json!({"tx_blob": "ZZ"})),
            INVALID,
            "Invalid field 'tx_blob'.",
        ),
        (
            refused(json!({"tx_json": {"Account": GENESIS}})),
            INVALID,
            "Missing field 'tx.TransactionType'.",
        ),
        (
            refused(json!({"tx_json": {"TransactionType": "Payment"}})),
            INVALID,
            "Missing field 'tx.Account'.",
        ),
        (
            refused(json!({"tx_json": payment(json!({})), "binary": 5})),
            INVALID,
            "Invalid field 'binary'.",
        ),
        (
            refused(json!({"tx_json": payment(json!({})), "secret": "x"})),
            INVALID,
            "Invalid field 'secret'.",
        ),
        (
            refused(json!({"tx_json": payment(json!({"Account": "x"}))})),
            "srcActMalformed",
            "Invalid field 'tx.Account'.",
        ),
        (
            refused(json!({"tx_json": payment(json!({"Account": STRANGER}))})),
            "srcActNotFound",
            "Source account not found.",
        ),
        (
            refused(json!({"tx_json": payment(json!({"TxnSignature": "AB"}))})),
            "transactionSigned",
            "Transaction should not be signed.",
        ),
        (
            refused(json!({"tx_json": payment(json!({"Signers": 5}))})),
            INVALID,
            "Invalid field 'tx.Signers'.",
        ),
        (
            refused(json!({"tx_json": payment(json!({"Signers": [5]}))})),
            INVALID,
            "Invalid field 'tx.Signers[0]'.",
        ),
        (
            refused(json!({"tx_json": {"TransactionType": "TicketCreate", "Account": GENESIS}})),
            "invalidTransaction",
            "",
        ),
    ];
    assert_refused(&mut client, table).await;
    network.stop().await;
}
