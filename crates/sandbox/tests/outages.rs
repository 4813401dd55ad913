//! Servers that the network loses and that come back: forks, partitions, lost quorums, freezes and the
//! false expiry, each as it was measured on a real network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use std::time::Duration;
use wire::{Client, by_hand, fund, key, payment, payment_until};
use xrpayd_sandbox::{FaultError, Network};

async fn current(client: &mut Client) -> u64 {
    let answer = client.result(json!({"command": "ledger_current"})).await;
    answer["ledger_current_index"].as_u64().unwrap()
}

async fn submit(client: &mut Client, blob: &str) -> (Value, Value) {
    let taken = client.submit(blob).await;
    (
        taken["engine_result"].clone(),
        taken["tx_json"]["hash"].clone(),
    )
}

fn close(network: &Network, times: usize) {
    for _ in 0..times {
        let _open = network.close_ledger();
    }
}

#[tokio::test]
async fn a_fork_validates_its_own_ledgers_and_gives_them_up_when_it_heals() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob, carol) = (key(1), key(2), key(3));
    let sequence = fund(&network, &alice, 100);
    let mut forked = Client::connect(network.addresses()[0]).await;
    let mut honest = Client::connect(network.addresses()[1]).await;
    forked
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    network
        .fault(&json!({"server": 0, "kind": "fork"}))
        .unwrap();
    let own = payment(&alice, &bob, sequence, 2_000_000);
    let (result, lost) = submit(&mut forked, &own).await;
    assert_eq!(result, "tesSUCCESS");
    let (_, later) = submit(&mut forked, &payment(&alice, &bob, sequence + 1, 3_000_000)).await;
    let (result, real) = submit(&mut honest, &payment(&alice, &carol, sequence, 5_000_000)).await;
    assert_eq!(result, "tesSUCCESS");
    close(&network, 2);
    assert_eq!(forked.lookup(&lost).await["result"]["validated"], true);
    assert_eq!(forked.lookup(&real).await["error"], "txnNotFound");
    assert_eq!(honest.lookup(&lost).await["error"], "txnNotFound");
    let tip = honest.info().await["validated_ledger"]["seq"]
        .as_u64()
        .unwrap();
    assert_eq!(forked.info().await["validated_ledger"]["seq"], tip);
    for index in [tip - 1, tip] {
        assert_ne!(
            forked.ledger_hash(index).await,
            honest.ledger_hash(index).await
        );
    }
    let truth = network.truth();
    assert!(
        truth["accounts"]
            .get(bob.account_id().to_string())
            .is_none()
    );
    for _ in 0..2 {
        forked.next_news("ledgerClosed").await;
    }
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    assert_eq!(forked.ledger_hash(tip).await, honest.ledger_hash(tip).await);
    assert_eq!(forked.lookup(&real).await["result"]["validated"], true);
    assert_eq!(forked.lookup(&lost).await["result"]["validated"], false);
    close(&network, 1);
    let news = forked.next_news("ledgerClosed").await;
    assert_eq!(
        (&news["ledger_index"], &news["txn_count"]),
        (&json!(tip + 1), &json!(1)),
        "what the fork was given comes back where it still can apply"
    );
    assert_eq!(honest.lookup(&later).await["result"]["validated"], true);
    assert_eq!(honest.lookup(&lost).await["error"], "txnNotFound");
    network.stop().await;
}

#[tokio::test]
async fn a_partitioned_server_climbs_without_validating_and_what_it_took_comes_back() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut cut_off = Client::connect(network.addresses()[0]).await;
    let mut other = Client::connect(network.addresses()[1]).await;
    network
        .fault(&json!({"server": 0, "kind": "partition"}))
        .unwrap();
    let (before, seq) = (
        current(&mut cut_off).await,
        cut_off.info().await["validated_ledger"]["seq"].clone(),
    );
    let (result, hash) = submit(&mut cut_off, &payment(&alice, &bob, sequence, 2_000_000)).await;
    assert_eq!(result, "tesSUCCESS");
    close(&network, 3);
    assert_eq!(current(&mut cut_off).await, before + 3);
    assert_eq!(cut_off.info().await["validated_ledger"]["seq"], seq);
    let closed = json!({"command": "account_info", "account": bob.account_id().to_string(), "ledger_index": "closed"});
    let closed = cut_off.result(closed).await;
    assert_eq!(
        (&closed["validated"], &closed["ledger_index"]),
        (&json!(false), &json!(before + 2)),
        "its own newest ledger is closed and no more"
    );
    assert_eq!(cut_off.lookup(&hash).await["result"]["validated"], false);
    assert_eq!(other.lookup(&hash).await["error"], "txnNotFound");
    network
        .fault(&json!({"server": 0, "kind": "partition", "on": false}))
        .unwrap();
    close(&network, 1);
    assert_eq!(other.lookup(&hash).await["result"]["validated"], true);
    assert_eq!(cut_off.lookup(&hash).await["result"]["validated"], true);
    network.stop().await;
}

#[tokio::test]
async fn without_a_quorum_ledgers_are_validated_late_and_the_index_runs_ahead_of_history() {
    let network = Network::start(by_hand(3)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[1]).await;
    let subscription = json!({"command": "subscribe", "streams": ["ledger", "transactions"]});
    client.result(subscription).await;
    let start = client.info().await["validated_ledger"]["seq"]
        .as_u64()
        .unwrap();
    network.fault(&json!({"kind": "quorum_lost"})).unwrap();
    close(&network, 2);
    let (result, hash) = submit(
        &mut client,
        &payment_until(&alice, &bob, sequence, start + 5),
    )
    .await;
    assert_eq!(result, "tesSUCCESS");
    close(&network, 18);
    assert_eq!(current(&mut client).await, start + 21);
    let stands = client.info().await;
    assert_eq!(stands["validated_ledger"]["seq"], start);
    assert_eq!(client.lookup(&hash).await["result"]["validated"], false);
    assert!(
        client.news.is_empty(),
        "nothing is validated, so nothing is told"
    );

    network
        .fault(&json!({"kind": "quorum_lost", "on": false}))
        .unwrap();
    let healed = client.info().await;
    assert_eq!(healed["validated_ledger"]["seq"], start + 20);
    assert_eq!(healed["complete_ledgers"], format!("2-{start}"));
    let falsely_expired = client.lookup(&hash).await;
    assert_eq!(falsely_expired["result"]["validated"], false);
    assert_eq!(
        client.validated_account(&alice).await["Sequence"],
        sequence + 1,
        "the root at the validated index shows that the sequence is consumed"
    );
    let history = json!({"command": "account_tx", "account": alice.account_id().to_string(), "ledger_index_min": -1, "ledger_index_max": -1});
    assert_eq!(
        client.result(history.clone()).await["ledger_index_max"],
        start
    );
    close(&network, 2);
    assert_eq!(
        client.info().await["complete_ledgers"],
        format!("2-{}", start + 4)
    );
    let validated = client.lookup(&hash).await;
    assert_eq!(
        (
            &validated["result"]["validated"],
            &validated["result"]["ledger_index"]
        ),
        (&json!(true), &json!(start + 3)),
        "validated below its LastLedgerSequence, long after that had passed"
    );
    for index in start + 1..=start + 4 {
        assert_eq!(
            client.next_news("ledgerClosed").await["ledger_index"],
            index
        );
    }
    close(&network, 20);
    let caught_up = client.info().await;
    assert_eq!(caught_up["complete_ledgers"], format!("2-{}", start + 42));
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_heard_of_no_validated_ledger_for_long_admits_it() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let alice = key(1);
    fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    network
        .fault(&json!({"kind": "quorum_lost", "stale_after_ms": 0}))
        .unwrap();
    let account = json!({"command": "account_info", "account": alice.account_id().to_string(), "ledger_index": "validated"});
    let old = client.ask(account.clone()).await;
    assert_eq!(
        (&old["error"], &old["error_message"]),
        (&json!("noNetwork"), &json!("InsufficientNetworkMode"))
    );
    let fee = json!({"command": "fee"});
    assert_eq!(client.ask(fee.clone()).await["error"], "noCurrent");
    let newer = json!({"command": "fee", "api_version": 2});
    assert_eq!(client.ask(newer).await["error"], "notSynced");
    network.fault(&json!({"kind": "clear"})).unwrap();
    client.result(account).await;
    client.result(fee).await;
    network.stop().await;
}

#[tokio::test]
async fn a_frozen_server_carries_out_what_it_was_asked_on_the_ledger_it_stood_at() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut frozen = Client::connect(network.addresses()[0]).await;
    let mut other = Client::connect(network.addresses()[1]).await;
    frozen
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    let tip = other.info().await["validated_ledger"]["seq"]
        .as_u64()
        .unwrap();
    network
        .fault(&json!({"server": 0, "kind": "freeze"}))
        .unwrap();
    let blob = payment_until(&alice, &bob, sequence, tip + 2);
    frozen
        .send(json!({"command": "submit", "tx_blob": blob}))
        .await;
    let asked = frozen.send(json!({"command": "ping"})).await;
    close(&network, 4);
    assert_eq!(frozen.frame(Duration::from_millis(100)).await, None);
    network
        .fault(&json!({"server": 0, "kind": "freeze", "on": false}))
        .unwrap();
    let taken = frozen.frame(Duration::from_secs(5)).await.unwrap();
    assert_eq!(taken["result"]["engine_result"], "tesSUCCESS", "{taken}");
    assert_eq!(taken["result"]["applied"], true);
    assert_eq!(taken["result"]["broadcast"], true);
    let pong = frozen.frame(Duration::from_secs(5)).await.unwrap();
    assert_eq!(pong["id"], asked, "requests are answered in their order");
    close(&network, 1);
    for index in tip + 1..=tip + 5 {
        assert_eq!(
            frozen.next_news("ledgerClosed").await["ledger_index"],
            index
        );
    }
    let hash = &taken["result"]["tx_json"]["hash"];
    for client in [&mut frozen, &mut other] {
        let found = client.lookup(hash).await;
        assert_ne!(found["result"]["validated"], true, "{found}");
    }
    let truth = network.truth();
    assert!(
        truth["accounts"]
            .get(bob.account_id().to_string())
            .is_none()
    );
    network.stop().await;
}

#[tokio::test]
async fn a_freeze_with_a_time_ends_by_itself() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    client
        .result(json!({"command": "sandbox_fault", "kind": "freeze", "ms": 200}))
        .await;
    client.result(json!({"command": "ping"})).await;
    close(&network, 1);
    assert_eq!(client.info().await["validated_ledger"]["seq"], 3);
    network.stop().await;
}

#[tokio::test]
async fn a_leap_after_standing_still_leaves_history_to_crawl() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    network.fault(&json!({"kind": "stall_ledger"})).unwrap();
    network
        .fault(&json!({"kind": "jump", "ledgers_per_close": 3}))
        .unwrap();
    close(&network, 10);
    network
        .fault(&json!({"kind": "stall_ledger", "on": false}))
        .unwrap();
    let leapt = client.info().await;
    assert_eq!(
        (
            &leapt["validated_ledger"]["seq"],
            &leapt["complete_ledgers"]
        ),
        (&json!(12), &json!("2"))
    );
    close(&network, 1);
    assert_eq!(client.info().await["complete_ledgers"], "2-5");
    close(&network, 5);
    assert_eq!(client.info().await["complete_ledgers"], "2-18");
    let standing = network.fault(&json!({"kind": "jump", "ledgers_per_close": 0}));
    assert_eq!(standing, Err(FaultError::BadParameter("ledgers_per_close")));
    network.stop().await;
}

#[tokio::test]
async fn a_server_lies_about_a_balance_and_a_sequence_while_another_does_not() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let alice = key(1);
    let sequence = fund(&network, &alice, 100);
    let mut liar = Client::connect(network.addresses()[0]).await;
    let mut honest = Client::connect(network.addresses()[1]).await;
    let account = alice.account_id().to_string();
    network
        .fault(&json!({"server": 0, "kind": "lie_balance", "account": account, "balance": "7", "sequence": 99}))
        .unwrap();
    let told = liar.validated_account(&alice).await;
    assert_eq!(
        (&told["Balance"], &told["Sequence"]),
        (&json!("7"), &json!(99))
    );
    let entry =
        json!({"command": "ledger_entry", "account_root": account, "ledger_index": "validated"});
    assert_eq!(liar.result(entry).await["node"]["Balance"], "7");
    assert_eq!(honest.validated_account(&alice).await["Sequence"], sequence);
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    assert_eq!(liar.validated_account(&alice).await["Sequence"], sequence);
    let nothing = network.fault(&json!({"kind": "lie_balance", "account": account}));
    assert_eq!(nothing, Err(FaultError::BadParameter("balance")));
    network.stop().await;
}
