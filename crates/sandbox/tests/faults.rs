//! What a drill may do to one server, as its clients see it; the truth stays the truth.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use wire::{Client, by_hand, clients, fund, key, payment};
use xrpayd_sandbox::{FaultError, Network};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_lagging_and_a_stalled_server_fall_behind_and_catch_up() {
    let network = Network::start(by_hand(3)).await.unwrap();
    network
        .fault(&json!({"server": 1, "kind": "lag", "ledgers": 2}))
        .unwrap();
    network
        .fault(&json!({"server": 2, "kind": "stall_ledger"}))
        .unwrap();
    for _ in 0..5 {
        let _open = network.close_ledger();
    }
    let mut clients = clients(&network).await;
    let mut seen = Vec::new();
    for client in &mut clients {
        seen.push(client.validated().await);
    }
    assert_eq!(seen, [7, 5, 2]);
    let mut stalled = clients.pop().unwrap();
    stalled
        .result(json!({"command": "subscribe", "streams": ["ledger"]}))
        .await;
    network
        .fault(&json!({"server": "all", "kind": "clear"}))
        .unwrap();
    for expected in 3..=7 {
        assert_eq!(
            stalled.next_news("ledgerClosed").await["ledger_index"],
            expected
        );
    }
    assert_eq!(stalled.validated().await, 7);
    network.stop().await;
}

#[tokio::test]
async fn a_stalled_server_still_takes_payments_which_the_others_validate() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    network
        .fault(&json!({"server": 0, "kind": "stall_ledger"}))
        .unwrap();
    let mut stalled = Client::connect(network.addresses()[0]).await;
    let mut other = Client::connect(network.addresses()[1]).await;
    assert_eq!(
        stalled
            .engine_result(&payment(&alice, &bob, sequence, 2_000_000))
            .await,
        "tesSUCCESS"
    );
    for _ in 0..3 {
        let _open = network.close_ledger();
    }
    assert_eq!(other.validated_account(&bob).await["Balance"], "2000000");
    let request = json!({"command": "account_info", "account": bob.account_id().to_string(), "ledger_index": "validated"});
    assert_eq!(stalled.ask(request).await["error"], "actNotFound");
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    assert_eq!(stalled.validated_account(&bob).await["Balance"], "2000000");
    network.stop().await;
}

#[tokio::test]
async fn a_lost_answer_does_not_undo_what_was_asked() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    network
        .fault(&json!({"kind": "drop_responses", "only": "submit"}))
        .unwrap();
    client
        .send(json!({"command": "submit", "tx_blob": payment(&alice, &bob, sequence, 2_000_000)}))
        .await;
    client.result(json!({"command": "ping"})).await;
    network
        .fault(&json!({"kind": "drop_requests", "only": "submit"}))
        .unwrap();
    client
        .send(
            json!({"command": "submit", "tx_blob": payment(&alice, &bob, sequence + 1, 2_000_000)}),
        )
        .await;
    client.result(json!({"command": "ping"})).await;
    let _open = network.close_ledger();
    assert_eq!(client.validated_account(&bob).await["Balance"], "2000000");
    network.stop().await;
}

#[tokio::test]
async fn a_liar_hides_and_swaps_what_the_truth_still_tells() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut liar = Client::connect(network.addresses()[0]).await;
    let mut honest = Client::connect(network.addresses()[1]).await;
    let hash = liar
        .submit(&payment(&alice, &bob, sequence, 2_000_000))
        .await["tx_json"]["hash"]
        .clone();
    let _open = network.close_ledger();
    let lookup = json!({"command": "tx", "transaction": hash});
    network
        .fault(&json!({"server": 0, "kind": "lie_absent", "hash": hash}))
        .unwrap();
    assert_eq!(liar.ask(lookup.clone()).await["error"], "txnNotFound");
    let history = json!({"command": "account_tx", "account": bob.account_id().to_string()});
    assert_eq!(liar.result(history).await["transactions"], json!([]));
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    network
        .fault(&json!({"server": 0, "kind": "lie_result", "hash": hash, "result": "tecNO_DST"}))
        .unwrap();
    let lie = liar.result(lookup.clone()).await["meta"].clone();
    assert_eq!(
        (&lie["TransactionResult"], lie.get("delivered_amount")),
        (&json!("tecNO_DST"), None)
    );
    assert_eq!(
        honest.result(lookup).await["meta"]["TransactionResult"],
        "tesSUCCESS"
    );
    let truth = network.truth();
    let rows = truth["accounts"][bob.account_id().to_string()]["transactions"].clone();
    assert_eq!(
        (&rows[0]["hash"], &rows[0]["delivered"]),
        (&hash, &json!("2000000"))
    );
    let nonsense = network.fault(&json!({"kind": "lie_result", "result": "tecHONEST"}));
    assert_eq!(nonsense, Err(FaultError::BadParameter("result")));
    network.stop().await;
}

#[tokio::test]
async fn a_submission_that_is_turned_away_is_answered_and_never_carried_out() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let lost = payment(&alice, &bob, sequence, 2_000_000);
    let away = json!({"server": 0, "kind": "turn_away", "result": "temMALFORMED"});
    network.fault(&away).unwrap();
    let answer = client.submit(&lost).await;
    assert_eq!(answer["engine_result"], "temMALFORMED");
    let hash = answer["tx_json"]["hash"].clone();
    let only = json!({"server": 0, "kind": "turn_away", "hash": hash});
    network.fault(&only).unwrap();
    assert_eq!(client.submit(&lost).await["engine_result"], "terQUEUED");
    let other = payment(&alice, &bob, sequence, 3_000_000);
    assert_eq!(client.submit(&other).await["engine_result"], "tesSUCCESS");
    let _open = network.close_ledger();
    let truth = network.truth();
    let rows = truth["accounts"][bob.account_id().to_string()]["transactions"].clone();
    let held = |row: &serde_json::Value| row["hash"] == hash;
    assert!(!rows.as_array().unwrap().iter().any(held), "{rows:#}");
    let nonsense = network.fault(&json!({"kind": "turn_away", "result": "temHONEST"}));
    assert_eq!(nonsense, Err(FaultError::BadParameter("result")));
    network.stop().await;
}

#[tokio::test]
async fn a_hole_in_history_is_admitted_in_ranges_and_refused_in_version_two() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    for n in 0..6 {
        client
            .submit(&payment(&alice, &bob, sequence + n, 1_000_000))
            .await;
        let _open = network.close_ledger();
    }
    network
        .fault(&json!({"kind": "history_gap", "from": 5, "to": 6}))
        .unwrap();
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["complete_ledgers"], "2-4,7-9");
    let mut history = json!({"command": "account_tx", "account": bob.account_id().to_string(), "ledger_index_min": 2, "ledger_index_max": 9});
    let clipped = client.result(history.clone()).await;
    assert_eq!(
        (&clipped["ledger_index_min"], &clipped["ledger_index_max"]),
        (&json!(7), &json!(9))
    );
    assert_eq!(clipped["transactions"].as_array().unwrap().len(), 3);
    history["api_version"] = json!(2);
    assert_eq!(client.ask(history).await["error"], "lgrIdxMalformed");
    assert_eq!(
        client
            .ask(json!({"command": "ledger", "ledger_index": 5}))
            .await["error"],
        "lgrNotFound"
    );
    network.stop().await;
}

#[tokio::test]
async fn a_server_may_hang_up_refuse_slow_down_or_be_of_another_network() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    client
        .result(json!({"command": "sandbox_fault", "kind": "slow_down", "requests": 1}))
        .await;
    assert_eq!(
        client.ask(json!({"command": "ping"})).await["error"],
        "slowDown"
    );
    client.result(json!({"command": "ping"})).await;
    network
        .fault(&json!({"kind": "wrong_network", "network_id": 77}))
        .unwrap();
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["network_id"], 77);
    network
        .fault(&json!({"kind": "amendment_blocked"}))
        .unwrap();
    assert_eq!(
        client.ask(json!({"command": "fee"})).await["error"],
        "amendmentBlocked"
    );
    let unknown = client
        .ask(json!({"command": "sandbox_fault", "kind": "flood"}))
        .await;
    assert_eq!(unknown["error"], "invalidParams");
    network.fault(&json!({"kind": "disconnect"})).unwrap();
    assert_eq!(client.frame(Duration::from_secs(5)).await, None);
    network.fault(&json!({"kind": "refuse"})).unwrap();
    let url = format!("ws://{}", network.addresses()[0]);
    assert!(tokio_tungstenite::connect_async(url).await.is_err());
    network.fault(&json!({"kind": "clear"})).unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    client.result(json!({"command": "ping"})).await;
    let no_server = network.fault(&json!({"server": 2, "kind": "clear"}));
    assert_eq!(no_server, Err(FaultError::UnknownServer("2".to_owned())));
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_stood_still_for_very_long_still_tells_its_old_state_and_catches_up() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    network
        .fault(&json!({"server": 0, "kind": "stall_ledger"}))
        .unwrap();
    let mut stalled = Client::connect(network.addresses()[0]).await;
    let mut other = Client::connect(network.addresses()[1]).await;
    other
        .submit(&payment(&alice, &bob, sequence, 2_000_000))
        .await;
    for _ in 0..700 {
        let _open = network.close_ledger();
    }
    assert_eq!(
        stalled.validated_account(&alice).await["Balance"],
        "100000000"
    );
    assert_eq!(other.validated_account(&alice).await["Balance"], "97999990");
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    assert_eq!(
        stalled.validated_account(&alice).await["Balance"],
        "97999990"
    );
    assert_eq!(stalled.validated().await, other.validated().await);
    network.stop().await;
}

#[tokio::test]
async fn every_kind_that_the_documentation_lists_is_known() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let text = include_str!("../../../docs/SANDBOX.md");
    let (_, faults) = text.split_once("## Faults").unwrap();
    let (faults, _) = faults.split_once("\n## ").unwrap();
    let rows = faults.lines().filter_map(|line| line.strip_prefix("| `"));
    let kinds: Vec<&str> = rows
        .filter_map(|row| row.split_once('`').map(|(kind, _)| kind))
        .collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds {
        let asked = network.fault(&json!({"kind": kind}));
        assert_ne!(asked, Err(FaultError::UnknownKind(kind.to_owned())));
    }
    network.stop().await;
}

async fn takes_clients(address: SocketAddr) -> bool {
    let url = format!("ws://{address}");
    tokio_tungstenite::connect_async(url).await.is_ok()
}

#[tokio::test]
async fn servers_that_are_all_away_for_a_time_come_back_by_themselves() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let _sequence = fund(&network, &key(1), 100);
    for away in [
        json!({"command": "sandbox_fault", "kind": "refuse", "server": "all", "ms": 150}),
        json!({"command": "sandbox_fault", "kind": "stop", "server": "all", "ms": 150}),
    ] {
        let mut client = Client::connect(network.addresses()[0]).await;
        client.send(away.clone()).await;
        // The answer may still come; then the connection ends.
        while client.frame(PATIENCE).await.is_some() {}
        for &address in network.addresses() {
            let open = async {
                while !takes_clients(address).await {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(PATIENCE, open).await.expect("open");
            let mut client = Client::connect(address).await;
            assert_eq!(
                client.validated_account(&key(1)).await["Balance"],
                "100000000"
            );
        }
    }
    network.stop().await;
}

#[tokio::test]
async fn a_clear_that_is_refused_ends_nothing() {
    let network = Network::start(by_hand(1)).await.unwrap();
    network.fault(&json!({"kind": "quorum_lost"})).unwrap();
    assert!(network.fault(&json!({"kind": "clear", "ms": 4})).is_err());
    let mut client = Client::connect(network.addresses()[0]).await;
    let validated = json!({"command": "ledger", "ledger_index": "validated"});
    let before = client.result(validated.clone()).await["ledger_index"].clone();
    let _open = network.close_ledger();
    let after = client.result(validated).await["ledger_index"].clone();
    assert_eq!(before, after);
    network.stop().await;
}
