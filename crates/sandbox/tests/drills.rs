//! Three servers of one model network, held against what was measured on networks of three and four real
//! ones: order and copies of news, lag, a server that dies and returns, a frozen one, a lost quorum,
//! another chain, a rolling outage under payments, and the stop of everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::{Client, by_hand, clients, fund, key, payment, payment_until};
use xrpayd_sandbox::{Network, NetworkConfig};

const SERVERS: usize = 3;

/// Everything that was sent to a client until its server answers a ping.
async fn news(client: &mut Client) -> Vec<Value> {
    client.result(json!({"command": "ping"})).await;
    client.news.drain(..).collect()
}

/// Waits for the news of ledger `index` and returns all that came up to and with its transactions.
async fn news_of_ledger(client: &mut Client, index: u64) -> Vec<Value> {
    let closed = client.next_news("ledgerClosed").await;
    assert_eq!(closed["ledger_index"], index);
    let mut all = vec![closed];
    all.extend(news(client).await);
    all
}

#[tokio::test]
async fn a_steady_network_tells_a_ledger_before_its_transactions_on_every_connection() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut clients = clients(&network).await;
    for client in &mut clients {
        let all = json!({"command": "subscribe", "streams": ["ledger", "transactions", "transactions_proposed"], "accounts": [alice.account_id().to_string()]});
        client.result(all).await;
    }
    let mut hashes = BTreeSet::new();
    for ahead in 0..3_u32 {
        let through = usize::try_from(ahead).unwrap();
        let blob = payment(&alice, &bob, sequence + ahead, 2_000_000);
        let taken = clients[through].submit(&blob).await;
        assert_eq!(taken["engine_result"], "tesSUCCESS");
        hashes.insert(taken["tx_json"]["hash"].as_str().unwrap().to_owned());
    }
    let index = u64::from(network.close_ledger() - 1);
    for client in &mut clients {
        let mut copies: BTreeMap<(String, bool), u32> = BTreeMap::new();
        client.next_news("ledgerClosed").await;
        // What came before the ledger is still in the queue of news, the ledger itself is not.
        for message in client.news.drain(..) {
            assert_eq!(message["validated"], false, "{message}");
            let hash = message["transaction"]["hash"].as_str().unwrap().to_owned();
            *copies.entry((hash, false)).or_default() += 1;
        }
        for message in news(client).await {
            assert_eq!(message["validated"], true, "{message}");
            assert_eq!(message["ledger_index"], index);
            let hash = message["transaction"]["hash"].as_str().unwrap().to_owned();
            *copies.entry((hash, true)).or_default() += 1;
        }
        let expected = hashes
            .iter()
            .flat_map(|hash| [((hash.clone(), false), 1), ((hash.clone(), true), 3)]);
        assert_eq!(
            copies,
            expected.collect(),
            "three validated copies and one proposed, on each server"
        );
    }
    network.stop().await;
}

#[tokio::test]
async fn servers_differ_by_a_ledger_and_tell_the_same_in_the_end() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let mut clients = clients(&network).await;
    network
        .fault(&json!({"server": 2, "kind": "lag", "ledgers": 1}))
        .unwrap();
    for _ in 0..4 {
        let _open = network.close_ledger();
    }
    let ahead = clients[0].validated().await;
    assert_eq!(clients[2].validated().await, ahead - 1);
    network
        .fault(&json!({"server": 2, "kind": "clear"}))
        .unwrap();
    for index in 2..=ahead {
        let hash = clients[0].ledger_hash(index).await;
        for client in &mut clients[1..] {
            assert_eq!(client.ledger_hash(index).await, hash);
        }
    }
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_follows_late_tells_late() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let mut clients = clients(&network).await;
    for client in &mut clients {
        let ledgers = json!({"command": "subscribe", "streams": ["ledger"]});
        client.result(ledgers).await;
    }
    network
        .fault(&json!({"server": 1, "kind": "lag", "ms": 400}))
        .unwrap();
    let index = u64::from(network.close_ledger() - 1);
    for server in [0, 2] {
        assert_eq!(
            clients[server].next_news("ledgerClosed").await["ledger_index"],
            index
        );
    }
    assert_eq!(clients[1].validated().await, index - 1);
    assert!(clients[1].news.is_empty());
    assert_eq!(
        clients[1].next_news("ledgerClosed").await["ledger_index"],
        index
    );
    assert_eq!(clients[1].validated().await, index);
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_died_returns_with_part_of_history_and_never_tells_what_it_missed() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut clients = clients(&network).await;
    let (dying, others) = clients.split_at_mut(1);
    let dying = &mut dying[0];
    dying
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    let before = dying
        .submit(&payment(&alice, &bob, sequence, 2_000_000))
        .await["tx_json"]["hash"]
        .clone();
    let _open = network.close_ledger();
    dying.next_news("ledgerClosed").await;
    network
        .fault(&json!({"server": 0, "kind": "refuse"}))
        .unwrap();
    assert_eq!(dying.frame(Duration::from_secs(5)).await, None);
    let missed = others[0]
        .submit(&payment(&alice, &bob, sequence + 1, 2_000_000))
        .await["tx_json"]["hash"]
        .clone();
    let missed_in = u64::from(network.close_ledger() - 1);
    let _open = network.close_ledger();
    network
        .fault(&json!({"server": 0, "kind": "history_gap", "from": 2, "to": missed_in}))
        .unwrap();
    network
        .fault(&json!({"server": 0, "kind": "refuse", "on": false}))
        .unwrap();
    let mut returned = Client::connect(network.addresses()[0]).await;
    returned
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    let tip = returned.validated().await;
    let history = json!({"command": "account_tx", "account": alice.account_id().to_string(), "ledger_index_min": -1, "ledger_index_max": -1});
    let partial = returned.result(history.clone()).await;
    assert_eq!(
        (&partial["ledger_index_min"], &partial["ledger_index_max"]),
        (&json!(tip), &json!(tip)),
        "it succeeds, and covers one ledger"
    );
    assert_eq!(partial["transactions"], json!([]));
    let mut range = history.clone();
    range["ledger_index_min"] = json!(2);
    range["ledger_index_max"] = json!(tip);
    range["api_version"] = json!(2);
    assert_eq!(returned.ask(range).await["error"], "lgrIdxMalformed");
    for hash in [&before, &missed] {
        assert_ne!(returned.lookup(hash).await["result"]["validated"], true);
        assert_eq!(others[0].lookup(hash).await["result"]["validated"], true);
    }
    let _open = network.close_ledger();
    assert_eq!(
        returned.next_news("ledgerClosed").await["ledger_index"],
        tip + 1,
        "news go on where it returned"
    );
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    let backfilled = returned.result(history).await;
    assert_eq!(backfilled["transactions"].as_array().unwrap().len(), 3);
    network.stop().await;
}

#[tokio::test]
async fn what_a_frozen_server_was_given_validates_once_where_it_was_sent_again() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut clients = clients(&network).await;
    let tip = clients[2].validated().await;
    clients[2]
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    network
        .fault(&json!({"server": 2, "kind": "freeze"}))
        .unwrap();
    let blob = payment_until(&alice, &bob, sequence, tip + 5);
    clients[2]
        .send(json!({"command": "submit", "tx_blob": blob}))
        .await;
    let again = clients[0].submit(&blob).await;
    assert_eq!(again["engine_result"], "tesSUCCESS");
    for _ in 0..3 {
        let _open = network.close_ledger();
    }
    network
        .fault(&json!({"server": 2, "kind": "clear"}))
        .unwrap();
    let thawed = clients[2].frame(Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        thawed["result"]["engine_result"], "tesSUCCESS",
        "it stands where it stood, and knows nothing of the copy"
    );
    let _open = network.close_ledger();
    for index in tip + 1..=tip + 4 {
        assert_eq!(
            clients[2].next_news("ledgerClosed").await["ledger_index"],
            index,
            "what it missed comes in a burst"
        );
    }
    let hash = &again["tx_json"]["hash"];
    for client in &mut clients {
        let found = client.lookup(hash).await;
        assert_eq!(found["result"]["ledger_index"], tip + 1);
    }
    let truth = network.truth();
    let paid = &truth["accounts"][bob.account_id().to_string()];
    assert_eq!(
        (
            &paid["balance"],
            paid["transactions"].as_array().unwrap().len()
        ),
        (&json!("2000000"), 1)
    );
    network.stop().await;
}

#[tokio::test]
async fn two_of_three_frozen_leave_a_third_that_validates_late_what_it_took() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob, carol) = (key(1), key(2), key(3));
    let sequence = fund(&network, &alice, 1_000);
    let other = fund(&network, &carol, 1_000);
    let mut clients = clients(&network).await;
    let stood = clients[0].validated().await;
    network.fault(&json!({"kind": "quorum_lost"})).unwrap();
    for server in [1, 2] {
        network
            .fault(&json!({"server": server, "kind": "freeze"}))
            .unwrap();
    }
    let _open = network.close_ledger();
    let too_late = payment_until(&alice, &bob, sequence, stood + 1);
    assert_eq!(
        clients[0].engine_result(&too_late).await,
        "tefMAX_LEDGER",
        "the open ledger is past it, though the validated one is not"
    );
    let mut late = Vec::new();
    for (from, sequence, last) in [(&alice, sequence, stood + 2), (&carol, other, stood + 3)] {
        let taken = clients[0]
            .submit(&payment_until(from, &bob, sequence, last))
            .await;
        assert_eq!(
            (&taken["engine_result"], &taken["validated_ledger_index"]),
            (&json!("tesSUCCESS"), &json!(stood))
        );
        late.push(taken["tx_json"]["hash"].clone());
    }
    for _ in 0..3 {
        let _open = network.close_ledger();
    }
    for hash in &late {
        assert_eq!(clients[0].lookup(hash).await["result"]["validated"], false);
    }
    for server in [1, 2] {
        network
            .fault(&json!({"server": server, "kind": "freeze", "on": false}))
            .unwrap();
    }
    network
        .fault(&json!({"kind": "quorum_lost", "on": false}))
        .unwrap();
    for _ in 0..4 {
        let _open = network.close_ledger();
    }
    for client in &mut clients {
        for hash in &late {
            let found = client.lookup(hash).await;
            assert_eq!(
                (
                    &found["result"]["validated"],
                    &found["result"]["ledger_index"]
                ),
                (&json!(true), &json!(stood + 2))
            );
        }
    }
    network.stop().await;
}

#[tokio::test]
async fn another_chain_is_told_by_its_id_and_by_its_hashes() {
    let config = |seed| NetworkConfig { seed, ..by_hand(1) };
    let ours = Network::start(by_hand(SERVERS)).await.unwrap();
    let theirs = Network::start(config(77)).await.unwrap();
    let mut clients = clients(&ours).await;
    let mut stranger = Client::connect(theirs.addresses()[0]).await;
    ours.fault(&json!({"server": 1, "kind": "wrong_network", "network_id": 31_338}))
        .unwrap();
    let info = clients[1].result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["network_id"], 31_338);
    let common = clients[0].validated().await;
    ours.fault(&json!({"server": 2, "kind": "fork"})).unwrap();
    for network in [&ours, &theirs] {
        let _open = network.close_ledger();
    }
    for index in [common, common + 1] {
        let real = clients[0].ledger_hash(index).await;
        assert_ne!(stranger.ledger_hash(index).await, real);
        let forked = clients[2].ledger_hash(index).await;
        assert_eq!(
            forked == real,
            index == common,
            "a fork shares everything up to where it left"
        );
    }
    ours.stop().await;
    theirs.stop().await;
}

#[tokio::test]
async fn every_payment_survives_servers_that_leave_one_after_the_other() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut watcher = Client::connect(network.addresses()[0]).await;
    let stream = json!({"command": "subscribe", "streams": ["transactions"]});
    watcher.result(stream.clone()).await;
    let mut told = 0;
    let mut hashes = Vec::new();
    let mut next = sequence;
    for leaving in 0..SERVERS {
        network
            .fault(&json!({"server": leaving, "kind": "refuse"}))
            .unwrap();
        for _ in 0..4 {
            let through = (leaving + 1) % SERVERS;
            let mut client = Client::connect(network.addresses()[through]).await;
            let taken = client.submit(&payment(&alice, &bob, next, 1_000_000)).await;
            assert_eq!(taken["engine_result"], "tesSUCCESS");
            hashes.push(taken["tx_json"]["hash"].clone());
            next += 1;
            let _open = network.close_ledger();
        }
        network
            .fault(&json!({"server": leaving, "kind": "refuse", "on": false}))
            .unwrap();
        if leaving == 0 {
            assert_eq!(watcher.frame(Duration::from_secs(5)).await, None);
            watcher = Client::connect(network.addresses()[0]).await;
            watcher.result(stream.clone()).await;
        }
    }
    for _ in 4..hashes.len() {
        watcher.next_news("transaction").await;
        told += 1;
    }
    let mut client = Client::connect(network.addresses()[2]).await;
    for hash in &hashes {
        assert_eq!(client.lookup(hash).await["result"]["validated"], true);
    }
    assert!(news(&mut watcher).await.is_empty());
    assert_eq!(
        (told, hashes.len()),
        (8, 12),
        "all are validated, and the stream showed only those after the return"
    );
    network.stop().await;
}

#[tokio::test]
async fn when_all_servers_stop_what_was_in_flight_is_lost_until_it_is_sent_again() {
    let state = std::env::temp_dir().join(format!("model-{}-outage.log", std::process::id()));
    if state.exists() {
        std::fs::remove_file(&state).unwrap();
    }
    let config = || NetworkConfig {
        state: Some(state.clone()),
        ..by_hand(SERVERS)
    };
    let network = Network::start(config()).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let blob = payment(&alice, &bob, sequence, 2_000_000);
    let mut client = Client::connect(network.addresses()[1]).await;
    let taken = client.submit(&blob).await;
    assert_eq!(
        (&taken["engine_result"], &taken["broadcast"]),
        (&json!("tesSUCCESS"), &json!(true))
    );
    network.stop().await;
    let network = Network::start(config()).await.unwrap();
    let mut client = Client::connect(network.addresses()[1]).await;
    for _ in 0..3 {
        let _open = network.close_ledger();
    }
    let hash = &taken["tx_json"]["hash"];
    assert_eq!(client.lookup(hash).await["error"], "txnNotFound");
    assert_eq!(client.validated_account(&alice).await["Sequence"], sequence);
    assert_eq!(client.engine_result(&blob).await, "tesSUCCESS");
    let _open = network.close_ledger();
    assert_eq!(client.lookup(hash).await["result"]["validated"], true);
    network.stop().await;
    std::fs::remove_file(&state).unwrap();
}

#[tokio::test]
async fn the_same_blob_to_three_servers_validates_once_and_only_one_says_success() {
    let network = Network::start(by_hand(SERVERS)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut clients = clients(&network).await;
    clients[0]
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    let blob = payment(&alice, &bob, sequence, 2_000_000);
    let mut results = Vec::new();
    for client in &mut clients {
        results.push(client.engine_result(&blob).await);
    }
    assert_eq!(results, ["tesSUCCESS", "tefPAST_SEQ", "tefPAST_SEQ"]);
    let index = u64::from(network.close_ledger() - 1);
    let told = news_of_ledger(&mut clients[0], index).await;
    assert_eq!(told[0]["txn_count"], 1);
    network.stop().await;
}
