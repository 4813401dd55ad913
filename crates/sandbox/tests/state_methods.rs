//! Reading the state: entries by name and by index, what an account owns, and the whole of it by pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod wire;

use serde_json::{Value, json};
use stage::{Stage, address};
use std::collections::BTreeSet;
use wire::{Client, by_hand, fund, key};
use xrpayd_sandbox::Network;

const ALICE: u8 = 1;
const BOB: u8 = 2;

/// Two accounts with an entry of each kind that only takes one of them.
async fn stage() -> Stage {
    let mut stage = Stage::with(&[(ALICE, 100), (BOB, 100)]).await;
    let to = address(BOB);
    let list = json!([{"SignerEntry": {"Account": to, "SignerWeight": 1}}]);
    let key = hex::encode_upper(wire::key(ALICE).public_key().bytes());
    let limit = json!({"currency": "USD", "issuer": to, "value": "10"});
    for fields in [
        json!({"TransactionType": "EscrowCreate", "Destination": to, "Amount": "5", "FinishAfter": 999_999_999}),
        json!({"TransactionType": "CheckCreate", "Destination": to, "SendMax": "5"}),
        json!({"TransactionType": "PaymentChannelCreate", "Destination": to, "Amount": "5", "SettleDelay": 1, "PublicKey": key}),
        json!({"TransactionType": "DepositPreauth", "Authorize": to}),
        json!({"TransactionType": "SignerListSet", "SignerQuorum": 1, "SignerEntries": list}),
        json!({"TransactionType": "TicketCreate", "TicketCount": 40}),
        json!({"TransactionType": "MPTokenIssuanceCreate"}),
        json!({"TransactionType": "TrustSet", "LimitAmount": limit}),
    ] {
        stage.settle(ALICE, fields).await;
    }
    stage
}

async fn find(client: &mut Client, mut request: Value) -> Value {
    request["command"] = json!("ledger_entry");
    client.result(request).await
}

/// The entries of one type that Alice owns.
async fn of_type(client: &mut Client, kind: &str) -> Vec<Value> {
    let request = json!({"command": "account_objects", "account": address(ALICE), "type": kind});
    let found = client.result(request).await["account_objects"].clone();
    found.as_array().unwrap().clone()
}

#[tokio::test]
async fn every_kind_of_entry_is_found_by_what_it_is_about_and_by_its_index() {
    let mut stage = stage().await;
    let (alice, bob) = (address(ALICE), address(BOB));
    let escrow = of_type(&mut stage.client, "escrow").await[0].clone();
    assert_eq!(escrow["LedgerEntryType"], "Escrow");
    let check = of_type(&mut stage.client, "check").await[0]["index"].clone();
    let channel = of_type(&mut stage.client, "payment_channel").await[0]["index"].clone();
    let issuance = of_type(&mut stage.client, "mpt_issuance").await[0]["mpt_issuance_id"].clone();
    let ticket = of_type(&mut stage.client, "ticket").await[0]["TicketSequence"].clone();
    let ways = [
        ("AccountRoot", json!({"account_root": alice})),
        ("Escrow", json!({"escrow": {"owner": alice, "seq": 3}})),
        ("Check", json!({"check": check})),
        ("PayChannel", json!({"payment_channel": channel})),
        (
            "DepositPreauth",
            json!({"deposit_preauth": {"owner": alice, "authorized": bob}}),
        ),
        (
            "Ticket",
            json!({"ticket": {"account": alice, "ticket_seq": ticket}}),
        ),
        ("MPTokenIssuance", json!({"mpt_issuance": issuance})),
        ("DirectoryNode", json!({"directory": {"owner": alice}})),
        (
            "DirectoryNode",
            json!({"directory": {"owner": alice, "sub_index": 1}}),
        ),
        (
            "RippleState",
            json!({"ripple_state": {"accounts": [bob, alice], "currency": "USD"}}),
        ),
    ];
    for (kind, way) in ways {
        let found = find(&mut stage.client, way.clone()).await;
        assert_eq!(found["node"]["LedgerEntryType"], kind, "{way}");
        let index = found["index"].clone();
        for ledger in ["current", "validated"] {
            let same = json!({"index": index, "ledger_index": ledger});
            let same = find(&mut stage.client, same).await;
            assert_eq!(same["node"], found["node"], "{way}");
        }
    }
    let list = of_type(&mut stage.client, "signer_list").await[0]["index"].clone();
    let list = find(&mut stage.client, json!({"index": list, "binary": true})).await;
    assert!(list["node_binary"].as_str().unwrap().starts_with("110053"));
    stage.network.stop().await;
}

#[tokio::test]
async fn what_names_no_entry_is_refused_in_the_server_s_words() {
    let mut stage = stage().await;
    let alice = address(ALICE);
    let index = find(&mut stage.client, json!({"account_root": alice})).await["index"].clone();
    let cases = [
        (json!({}), "unknownOption"),
        (json!({"index": "12"}), "malformedRequest"),
        (json!({"index": "0".repeat(64)}), "entryNotFound"),
        (json!({"check": index}), "unexpectedLedgerType"),
        (json!({"account_root": "r"}), "malformedAddress"),
        (json!({"escrow": {"owner": alice}}), "malformedRequest"),
        (
            json!({"escrow": {"owner": "r", "seq": 1}}),
            "malformedOwner",
        ),
        (
            json!({"escrow": {"owner": alice, "seq": 1}}),
            "entryNotFound",
        ),
        (
            json!({"deposit_preauth": {"owner": alice, "authorized": "r"}}),
            "malformedAuthorized",
        ),
        (
            json!({"directory": {"owner": alice, "dir_root": index}}),
            "malformedRequest",
        ),
        (
            json!({"ripple_state": {"accounts": [alice, alice], "currency": "USD"}}),
            "malformedRequest",
        ),
    ];
    for (mut request, wanted) in cases {
        request["command"] = json!("ledger_entry");
        let answer = stage.client.ask(request.clone()).await;
        assert_eq!(answer["error"], wanted, "{request}");
    }
    stage.network.stop().await;
}

#[tokio::test]
async fn what_an_account_owns_comes_in_pages_of_its_directory() {
    let mut stage = stage().await;
    let all: Vec<Value> = stage.objects(ALICE).await;
    assert_eq!(all.len(), 47);
    let mut pages = Vec::new();
    let mut marker = Value::Null;
    loop {
        let mut request =
            json!({"command": "account_objects", "account": address(ALICE), "limit": 13});
        if !marker.is_null() {
            request["marker"] = marker.clone();
        }
        let page = stage.client.result(request).await;
        pages.extend(page["account_objects"].as_array().unwrap().clone());
        marker = page["marker"].clone();
        if marker.is_null() {
            break;
        }
        assert_eq!(page["limit"], 13);
    }
    assert_eq!(pages, all);
    for (field, value, words) in [
        ("marker", json!("12"), "Invalid field 'marker'."),
        ("marker", json!(5), "Invalid field 'marker', not string."),
        ("type", json!("house"), "Invalid field 'type'."),
        ("type", json!("amendments"), "Invalid field 'type'."),
        (
            "limit",
            json!("5"),
            "Invalid field 'limit', not unsigned integer.",
        ),
    ] {
        let mut request = json!({"command": "account_objects", "account": address(ALICE)});
        request[field] = value;
        assert_eq!(stage.client.ask(request).await["error_message"], words);
    }
    stage.network.stop().await;
}

#[tokio::test]
async fn the_whole_state_comes_in_pages_of_its_indexes() {
    let mut stage = stage().await;
    let whole = json!({"command": "ledger_data", "ledger_index": "validated"});
    let whole = stage.client.result(whole).await;
    assert_eq!(whole["ledger"]["closed"], true);
    let state = whole["state"].as_array().unwrap().clone();
    let indexes: Vec<&str> = state.iter().map(|e| e["index"].as_str().unwrap()).collect();
    let sorted: BTreeSet<&str> = indexes.iter().copied().collect();
    assert_eq!(indexes, sorted.into_iter().collect::<Vec<_>>());
    let mut seen = Vec::new();
    let mut marker = Value::Null;
    loop {
        let mut request = json!({"command": "ledger_data", "ledger_index": "validated", "limit": 7, "binary": true});
        if !marker.is_null() {
            request["marker"] = marker.clone();
        }
        let page = stage.client.result(request).await;
        assert_eq!(page.get("ledger").is_some(), marker.is_null());
        let entries = page["state"].as_array().unwrap();
        seen.extend(
            entries
                .iter()
                .map(|entry| entry["index"].as_str().unwrap().to_owned()),
        );
        marker = page["marker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(seen, indexes);
    let tickets = json!({"command": "ledger_data", "ledger_index": "validated", "type": "ticket"});
    let tickets = stage.client.result(tickets).await;
    assert_eq!(tickets["state"].as_array().unwrap().len(), 40);
    // An entry of the open ledger is in no closed one.
    let write =
        json!({"TransactionType": "CheckCreate", "Destination": address(ALICE), "SendMax": "5"});
    assert_eq!(stage.act(BOB, write).await, "tesSUCCESS");
    let open = json!({"command": "ledger_data", "ledger_index": "current", "type": "check"});
    let open = stage.client.result(open).await;
    assert_eq!(open["state"].as_array().unwrap().len(), 2);
    stage.network.stop().await;
}

#[tokio::test]
async fn administrators_see_a_ledger_with_all_that_it_holds() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let _sequence = fund(&network, &key(1), 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let mut shown = async |flags: &[&str]| {
        let mut request = json!({"command": "ledger", "ledger_index": "validated"});
        for &flag in flags {
            request[flag] = json!(true);
        }
        client.result(request).await["ledger"].clone()
    };
    let state = shown(&["accounts"]).await["accountState"].clone();
    let indexes = state.as_array().unwrap();
    assert!(indexes.iter().all(Value::is_string), "{state}");
    let expanded = shown(&["accounts", "expand"]).await;
    let entries = expanded["accountState"].as_array().unwrap();
    let of_entries: Vec<&Value> = entries.iter().map(|entry| &entry["index"]).collect();
    assert_eq!(of_entries, indexes.iter().collect::<Vec<_>>());
    assert!(expanded.get("transactions").is_none(), "{expanded}");
    let binary = shown(&["accounts", "binary"]).await["accountState"].clone();
    assert_eq!(binary[0]["hash"], indexes[0]);
    assert!(binary[0]["tx_blob"].is_string(), "{binary}");
    let full = shown(&["full"]).await;
    assert_eq!(full["accountState"], expanded["accountState"]);
    assert!(full["transactions"][0]["metaData"].is_object(), "{full}");
    // What is binary is not expanded for that.
    let hashes = shown(&["transactions", "binary"]).await["transactions"].clone();
    assert!(hashes[0].is_string(), "{hashes}");
    network.stop().await;
}
