//! What methods answer, and above all what they answer to requests that are not as they should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::refusals::{GENESIS, STRANGER, assert_refused, request};
use wire::{Client, by_hand, fund, key, started};
use xrpayd_sandbox::{Network, NetworkConfig};

#[tokio::test]
async fn a_parameter_that_is_missing_or_of_the_wrong_type_is_named_in_rippleds_words() {
    let (network, mut client) = started(by_hand(1)).await;
    const INVALID: &str = "invalidParams";
    const ANY: &str = "Invalid parameters.";
    let refused = |command: &str, fields: Value, words| (request(command, fields), INVALID, words);
    let table = vec![
        refused("account_info", json!({}), "Missing field 'account'."),
        refused(
            "account_info",
            json!({"account": 1}),
            "Invalid field 'account'.",
        ),
        refused("account_tx", json!({}), "Missing field 'account'."),
        refused(
            "account_tx",
            json!({"account": 1}),
            "Invalid field 'account'.",
        ),
        refused("account_lines", json!({}), "Missing field 'account'."),
        refused(
            "account_lines",
            json!({"account": []}),
            "Invalid field 'account'.",
        ),
        refused("account_objects", json!({}), "Missing field 'account'."),
        refused(
            "account_objects",
            json!({"account": {}}),
            "Invalid field 'account'.",
        ),
        refused("account_nfts", json!({}), "Missing field 'account'."),
        refused(
            "account_nfts",
            json!({"account": true}),
            "Invalid field 'account'.",
        ),
        refused("account_currencies", json!({}), "Missing field 'account'."),
        refused("gateway_balances", json!({}), "Missing field 'account'."),
        refused("owner_info", json!({}), "Missing field 'account'."),
        refused("manifest", json!({}), "Missing field 'public_key'."),
        refused("tx", json!({}), ANY),
        refused("tx", json!({"ctid": "XX"}), ANY),
        refused(
            "ledger",
            json!({"ledger_index": -5}),
            "ledgerIndexMalformed",
        ),
        refused(
            "ledger",
            json!({"ledger_index": "foo"}),
            "ledgerIndexMalformed",
        ),
        refused("ledger", json!({"ledger_hash": 5}), "ledgerHashNotString"),
        refused("ledger", json!({"ledger_hash": "5"}), "ledgerHashMalformed"),
        refused(
            "ledger",
            json!({"ledger_index": "validated", "queue": true}),
            ANY,
        ),
        refused("subscribe", json!({"streams": "ledger"}), ANY),
        refused("nft_buy_offers", json!({}), "Missing field 'nft_id'."),
        refused(
            "nft_sell_offers",
            json!({"nft_id": "5"}),
            "Invalid field 'nft_id'.",
        ),
        refused("amm_info", json!({}), ANY),
        refused("get_aggregate_price", json!({}), "Missing field 'oracles'."),
        refused("feature", json!({"feature": 5}), ANY),
        refused(
            "server_definitions",
            json!({"hash": "5"}),
            "Invalid field 'hash'.",
        ),
        refused(
            "server_definitions",
            json!({"hash": 5}),
            "Invalid field 'hash'.",
        ),
        refused("log_level", json!({"severity": "loud"}), ANY),
        refused("validator_info", json!({}), "not a validator"),
        refused(
            "peer_reservations_add",
            json!({}),
            "Missing field 'public_key'.",
        ),
        refused(
            "peer_reservations_del",
            json!({"public_key": 5}),
            "Invalid field 'public_key', not a string.",
        ),
        refused(
            "ledger_request",
            json!({}),
            "Exactly one of ledger_hash and ledger_index can be set.",
        ),
        refused(
            "ledger_request",
            json!({"ledger_index": "1"}),
            "Invalid field 'ledger_index'.",
        ),
        refused(
            "ledger_request",
            json!({"ledger_index": 9}),
            "Ledger index too large",
        ),
        refused(
            "ledger_request",
            json!({"ledger_index": 0}),
            "Ledger index too small",
        ),
        refused(
            "ledger_request",
            json!({"ledger_hash": "x"}),
            "Invalid field 'ledger_hash'.",
        ),
        refused(
            "wallet_propose",
            json!({"key_type": 5}),
            "Invalid field 'key_type', not string.",
        ),
        refused("wallet_propose", json!({"key_type": "rsa"}), ANY),
        refused(
            "wallet_propose",
            json!({"seed": "x", "passphrase": "x"}),
            "Exactly one of the following must be specified: passphrase, seed or seed_hex",
        ),
    ];
    assert_refused(&mut client, table).await;
    let others = vec![
        (
            request("wallet_propose", json!({"seed": "x"})),
            "badSeed",
            "Disallowed seed.",
        ),
        (
            request("validation_create", json!({"secret": ""})),
            "badSeed",
            "Disallowed seed.",
        ),
        (
            request("feature", json!({"feature": "x"})),
            "badFeature",
            "Feature unknown or invalid.",
        ),
        (
            request("can_delete", json!({})),
            "notEnabled",
            "Not enabled in configuration.",
        ),
        (
            request("connect", json!({"ip": "1"})),
            "notSynced",
            "Not synced to the network.",
        ),
        (
            request("peer_reservations_add", json!({"public_key": "x"})),
            "publicMalformed",
            "Public key is malformed.",
        ),
        (
            request("get_aggregate_price", json!({"oracles": []})),
            "oracleMalformed",
            "Oracle request is malformed.",
        ),
        (
            request("account_nfts", json!({"account": "x"})),
            "actMalformed",
            "Account malformed.",
        ),
        (
            request("account_nfts", json!({"account": STRANGER})),
            "actNotFound",
            "Account not found.",
        ),
        (
            request("nft_buy_offers", json!({"nft_id": "0".repeat(64)})),
            "objectNotFound",
            "The requested object was not found.",
        ),
        (
            request("tx", json!({"transaction": "abc"})),
            "notImpl",
            "Not implemented.",
        ),
        (
            request("ledger", json!({"ledger_index": 99_999_999})),
            "lgrNotFound",
            "ledgerNotFound",
        ),
        (request("json", json!({})), "unknownCmd", "Unknown method."),
        (
            request("crawl_shards", json!({})),
            "unknownCmd",
            "Unknown method.",
        ),
    ];
    assert_refused(&mut client, others).await;
    network.stop().await;
}

#[tokio::test]
async fn what_only_administrators_may_ask_is_forbidden_to_strangers() {
    let config = NetworkConfig {
        listen_public: vec!["127.0.0.1:0".parse().unwrap()],
        ..by_hand(1)
    };
    let network = Network::start(config).await.unwrap();
    let mut stranger = Client::connect(network.public_addresses()[0]).await;
    let only_administrators = [
        "blacklist",
        "can_delete",
        "connect",
        "consensus_info",
        "fetch_info",
        "get_counts",
        "ledger_accept",
        "ledger_cleaner",
        "ledger_request",
        "log_level",
        "logrotate",
        "peer_reservations_add",
        "peer_reservations_del",
        "peer_reservations_list",
        "peers",
        "print",
        "stop",
        "unl_list",
        "validation_create",
        "validator_info",
        "validator_list_sites",
        "validators",
        "wallet_propose",
    ];
    let table = only_administrators
        .iter()
        .map(|command| (request(command, json!({})), "forbidden", "Bad credentials."))
        .collect();
    assert_refused(&mut stranger, table).await;
    let noted = "You don't have permission for this command.";
    let table = vec![
        (
            request("feature", json!({"feature": "Checks", "vetoed": true})),
            "noPermission",
            noted,
        ),
        (
            request("ledger", json!({"ledger_index": "validated", "full": true})),
            "noPermission",
            noted,
        ),
    ];
    assert_refused(&mut stranger, table).await;
    let feature = json!({"command": "feature", "feature": "Escrow"});
    let told = stranger.result(feature.clone()).await;
    let mut administrator = Client::connect(network.addresses()[0]).await;
    let told_more = administrator.result(feature).await;
    let escrow = "07D43DCE529B15A10827E5E04943B496762F9A88E3268269D69C44BE49E21104";
    assert_eq!(told[escrow]["vetoed"], Value::Null);
    assert_eq!(told_more[escrow]["vetoed"], "Obsolete");
    network.stop().await;
}

#[tokio::test]
async fn methods_of_the_first_version_are_unknown_to_the_second() {
    let (network, mut client) = started(by_hand(1)).await;
    fund(&network, &key(1), 1_000);
    for (request, field) in [
        (json!({"command": "tx_history", "start": 0}), "txs"),
        (
            json!({"command": "ledger_header", "ledger_index": 3}),
            "ledger_data",
        ),
    ] {
        let told = client.result(request.clone()).await;
        assert!(told.get(field).is_some(), "{told}");
        let mut newer = request;
        newer["api_version"] = json!(2);
        assert_eq!(client.ask(newer).await["error"], "unknownCmd");
    }
    network.stop().await;
}

#[tokio::test]
async fn what_administrators_set_is_what_they_read() {
    let (network, mut client) = started(by_hand(1)).await;
    let set = json!({"command": "log_level", "severity": "DEBUG", "partition": "Ledger"});
    client.result(set).await;
    let levels = client.result(json!({"command": "log_level"})).await;
    assert_eq!(
        levels["levels"],
        json!({"Ledger": "Debug", "base": "Warning"})
    );
    let keys = client
        .result(json!({"command": "validation_create", "secret": "x"}))
        .await;
    let node = keys["validation_public_key"].clone();
    let reserve =
        json!({"command": "peer_reservations_add", "public_key": node, "description": "a"});
    assert_eq!(client.result(reserve.clone()).await, json!({}));
    let previous = json!({"previous": {"node": node, "description": "a"}});
    assert_eq!(client.result(reserve).await, previous);
    let list = client
        .result(json!({"command": "peer_reservations_list"}))
        .await;
    assert_eq!(
        list["reservations"],
        json!([{"node": node, "description": "a"}])
    );
    let release = json!({"command": "peer_reservations_del", "public_key": node});
    assert_eq!(client.result(release.clone()).await, previous);
    assert_eq!(client.result(release).await, json!({}));
    network.stop().await;
}

#[tokio::test]
async fn a_client_that_has_the_definitions_is_told_no_more_than_that() {
    let (network, mut client) = started(by_hand(1)).await;
    let all = client
        .result(json!({"command": "server_definitions"}))
        .await;
    let request = json!({"command": "server_definitions", "hash": all["hash"]});
    assert_eq!(client.result(request).await, json!({"hash": all["hash"]}));
    let other = json!({"command": "server_definitions", "hash": "0".repeat(64)});
    assert_eq!(client.result(other).await, all);
    network.stop().await;
}

#[tokio::test]
async fn a_ledger_is_found_by_its_older_name_and_shows_the_queue_and_what_offers_are_worth() {
    let config = NetworkConfig {
        ledger_capacity: Some(1),
        ..by_hand(1)
    };
    let (network, mut client) = started(config).await;
    let account = key(1);
    let sequence = fund(&network, &account, 1_000);
    let newest = client.result(json!({"command": "ledger"})).await;
    let closed = &newest["closed"]["ledger"];
    assert_eq!(newest["open"]["ledger"]["closed"], false);
    let by_hash = json!({"command": "ledger", "ledger": closed["ledger_hash"]});
    assert_eq!(client.result(by_hash).await["ledger"], *closed);
    let by_index = json!({"command": "ledger", "ledger": closed["ledger_index"]});
    assert_eq!(client.result(by_index).await["ledger"], *closed);
    let offer = |sequence: u32| {
        let usd = json!({"currency": "USD", "issuer": GENESIS, "value": "1"});
        wire::signed(
            &account,
            json!({
                "TransactionType": "OfferCreate",
                "TakerGets": "1000000",
                "TakerPays": usd,
                "Sequence": sequence,
            }),
        )
    };
    let mut results = Vec::new();
    for next in sequence..sequence + 4 {
        results.push(client.engine_result(&offer(next)).await);
    }
    assert_eq!(results[0], "tesSUCCESS");
    assert_eq!(results[3], "terQUEUED");
    let request = json!({
        "command": "ledger",
        "ledger_index": "current",
        "transactions": true,
        "expand": true,
        "owner_funds": true,
        "queue": true,
    });
    let told = client.result(request).await;
    let offers = told["ledger"]["transactions"].as_array().unwrap();
    assert!(offers.iter().all(|offer| offer["owner_funds"].is_string()));
    let queue = told["queue_data"].as_array().unwrap();
    assert_eq!(queue.len() + offers.len(), results.len());
    assert_eq!(queue[0]["retries_remaining"], 10);
    assert_eq!(queue[0]["tx"]["TransactionType"], "OfferCreate");
    network.stop().await;
}

#[tokio::test]
async fn a_compact_identifier_is_good_on_its_own_network_alone() {
    let config = NetworkConfig {
        network_id: 7,
        ..by_hand(1)
    };
    let (network, mut client) = started(config).await;
    let _sequence = fund(&network, &key(1), 100);
    let found = json!({"command": "tx", "ctid": "C000000300000007"});
    let result = client.result(found.clone()).await;
    assert_eq!(result["ctid"], "C000000300000007");
    let elsewhere = client
        .ask(json!({"command": "tx", "ctid": "C000000300000002"}))
        .await;
    assert_eq!(elsewhere["error"], "wrongNetwork", "{elsewhere}");
    assert_eq!(elsewhere["error_code"], 4);
    assert_eq!(
        elsewhere["error_message"],
        "Wrong network. You should submit this request to a node running on NetworkID: 2"
    );
    network
        .fault(&json!({"kind": "wrong_network", "network_id": 2}))
        .unwrap();
    assert_eq!(client.ask(found).await["error"], "wrongNetwork");
    network.stop().await;
}

#[tokio::test]
async fn one_bound_alone_does_not_make_a_search_and_a_bound_may_be_digits() {
    let (network, mut client) = started(by_hand(1)).await;
    let mut search = async |bounds: Value| {
        let mut request = json!({"command": "tx", "transaction": "AB".repeat(32)});
        for (name, bound) in bounds.as_object().unwrap() {
            request[name.as_str()] = bound.clone();
        }
        client.ask(request).await
    };
    for alone in [json!({"min_ledger": 2}), json!({"max_ledger": "x"})] {
        let answer = search(alone).await;
        assert_eq!(answer["error"], "txnNotFound", "{answer}");
        assert!(answer.get("searched_all").is_none(), "{answer}");
    }
    let answer = search(json!({"min_ledger": "1", "max_ledger": "5"})).await;
    assert_eq!(answer["searched_all"], false, "{answer}");
    let answer = search(json!({"min_ledger": "x", "max_ledger": 5})).await;
    assert_eq!(answer["error"], "invalidLgrRange", "{answer}");
    network.stop().await;
}
