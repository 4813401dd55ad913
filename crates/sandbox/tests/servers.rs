//! Servers as wholes: stops and restarts, states, holes in their history, Clio, and the streams that tell
//! of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::{Client, by_hand, fund, key, payment};
use xrpayd_sandbox::{FaultError, Network};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stopped_server_refuses_and_misses_what_the_others_validate() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut stopped = Client::connect(network.addresses()[1]).await;
    let mut other = Client::connect(network.addresses()[0]).await;
    network
        .fault(&json!({"server": 1, "kind": "stop"}))
        .unwrap();
    assert_eq!(stopped.frame(PATIENCE).await, None);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let knocked = TcpStream::connect(network.addresses()[1]).await;
        if knocked.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the door stays open"
        );
    }
    let hash = other
        .submit(&payment(&alice, &bob, sequence, 2_000_000))
        .await["tx_json"]["hash"]
        .clone();
    let _open = network.close_ledger();
    let _open = network.close_ledger();
    network
        .fault(&json!({"server": 1, "kind": "clear"}))
        .unwrap();
    let mut back = connect(network.addresses()[1]).await;
    let info = back.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["complete_ledgers"], "5");
    let lookup = json!({"command": "tx", "transaction": hash, "api_version": 2});
    let found = back.result(lookup.clone()).await;
    assert_eq!(found["validated"], false);
    assert_eq!(found["meta"]["TransactionResult"], "tesSUCCESS");
    assert_eq!(found.get("ledger_index"), None);
    assert_eq!(other.result(lookup).await["validated"], true);
    let history = json!({"command": "account_tx", "account": bob.account_id().to_string(), "ledger_index_min": 3, "api_version": 2});
    assert_eq!(back.ask(history).await["error"], "lgrIdxMalformed");
    network.stop().await;
}

#[tokio::test]
async fn a_restart_loses_what_was_in_flight_and_may_keep_its_history() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let blob = payment(&alice, &bob, sequence, 2_000_000);
    let hash = client.submit(&blob).await["tx_json"]["hash"].clone();
    let restart = json!({"kind": "restart", "graceful": false, "history": "kept"});
    network.fault(&restart).unwrap();
    assert_eq!(client.frame(PATIENCE).await, None);
    let mut client = connect(network.addresses()[0]).await;
    let lookup = json!({"command": "tx", "transaction": hash});
    assert_eq!(client.ask(lookup).await["error"], "txnNotFound");
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["complete_ledgers"], "2-3");
    assert_eq!(client.engine_result(&blob).await, "tesSUCCESS");
    network.stop().await;
}

#[tokio::test]
async fn a_server_refuses_by_its_state_and_its_subscribers_hear_of_it() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    client
        .result(json!({"command": "subscribe", "streams": ["server"]}))
        .await;
    network
        .fault(&json!({"kind": "state", "state": "connected"}))
        .unwrap();
    assert_eq!(
        client.next_news("serverStatus").await["server_status"],
        "connected"
    );
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["server_state"], "connected");
    assert_eq!(
        info["info"]["state_accounting"]["connected"]["transitions"],
        "1"
    );
    for (version, expected) in [(1, "noNetwork"), (2, "notSynced")] {
        for command in ["fee", "ledger_current", "tx", "submit"] {
            let request = json!({"command": command, "api_version": version});
            assert_eq!(client.ask(request).await["error"], expected, "{command}");
        }
    }
    network
        .fault(&json!({"kind": "state", "state": "tracking"}))
        .unwrap();
    client.result(json!({"command": "fee"})).await;
    network.stop().await;
}

#[tokio::test]
async fn a_server_without_a_fresh_validated_ledger_says_so_in_each_version() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let alice = key(1);
    fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let account = alice.account_id().to_string();
    network
        .fault(&json!({"kind": "stale", "seconds": 121}))
        .unwrap();
    let info = client.result(json!({"command": "server_info"})).await;
    assert!(info["info"]["validated_ledger"]["age"].as_u64().unwrap() >= 121);
    for (version, fee, account_info) in
        [(1, "noCurrent", "noNetwork"), (2, "notSynced", "notSynced")]
    {
        let request = json!({"command": "fee", "api_version": version});
        assert_eq!(client.ask(request).await["error"], fee);
        let request = json!({"command": "account_info", "account": account, "ledger_index": "validated", "api_version": version});
        assert_eq!(client.ask(request).await["error"], account_info);
    }
    network.fault(&json!({"kind": "clear"})).unwrap();
    network
        .fault(&json!({"kind": "state", "state": "full", "validated": false}))
        .unwrap();
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["complete_ledgers"], "empty");
    assert_eq!(info["info"].get("validated_ledger"), None);
    assert!(info["info"]["closed_ledger"].is_object());
    for (version, expected) in [(1, "lgrIdxsInvalid"), (2, "notSynced")] {
        let request = json!({"command": "account_tx", "account": account, "api_version": version});
        assert_eq!(client.ask(request).await["error"], expected);
    }
    network.stop().await;
}

#[tokio::test]
async fn an_account_history_is_told_backwards_and_then_goes_on() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    client
        .submit(&payment(&alice, &bob, sequence, 2_000_000))
        .await;
    let _open = network.close_ledger();
    let stream = json!({"account": alice.account_id().to_string()});
    let subscribe = json!({"command": "subscribe", "account_history_tx_stream": stream});
    client.result(subscribe.clone()).await;
    assert_eq!(client.ask(subscribe).await["error"], "invalidParams");
    let paid = client.next_news("transaction").await;
    let funded = client.next_news("transaction").await;
    assert_eq!(paid["account_history_tx_index"], -1);
    assert_eq!(paid.get("account_history_tx_first"), None);
    assert_eq!(funded["account_history_tx_index"], -2);
    assert_eq!(funded["account_history_tx_first"], true);
    client.submit(&payment(&alice, &bob, sequence + 1, 1)).await;
    let _open = network.close_ledger();
    assert_eq!(
        client.next_news("transaction").await["account_history_tx_index"],
        0
    );
    let unsubscribe = json!({"command": "unsubscribe", "account_history_tx_stream": stream});
    client.result(unsubscribe).await;
    client.submit(&payment(&alice, &bob, sequence + 2, 1)).await;
    let _open = network.close_ledger();
    client.result(json!({"command": "ping"})).await;
    assert!(client.news.is_empty(), "{:?}", client.news);
    network.stop().await;
}

#[tokio::test]
async fn a_kind_about_the_whole_server_that_is_misspelled_is_refused() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let bad = [
        json!({"kind": "state", "state": "proposing"}),
        json!({"kind": "state"}),
        json!({"kind": "stale"}),
        json!({"kind": "restart", "history": "some"}),
    ];
    for request in bad {
        let refused = network.fault(&request);
        assert!(
            matches!(refused, Err(FaultError::BadParameter(_))),
            "{request}"
        );
    }
    let unknown = [
        json!({"kind": "stop", "gracefully": true}),
        json!({"kind": "restart", "ms": 5}),
        json!({"kind": "clio", "off": true}),
        json!({"kind": "stale", "seconds": 5, "on": true}),
    ];
    for request in unknown {
        let refused = network.fault(&request);
        let is_unknown = matches!(refused, Err(FaultError::UnknownParameter { .. }));
        assert!(is_unknown, "{request}");
    }
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_plays_clio_serves_validated_data_and_says_what_it_is() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    network.fault(&json!({"kind": "clio"})).unwrap();
    let mut client = Client::connect(network.addresses()[0]).await;
    let submit =
        json!({"command": "submit", "tx_blob": payment(&alice, &bob, sequence, 2_000_000)});
    let submitted = client.ask(submit).await;
    assert_eq!(submitted["forwarded"], true);
    let hash = submitted["result"]["tx_json"]["hash"].clone();
    let account = bob.account_id().to_string();
    let lookup = json!({"command": "account_info", "account": account});
    let absent = client.ask(lookup.clone()).await;
    assert_eq!(absent["error"], "actNotFound");
    assert_eq!(absent["warnings"][0]["id"], 2001);
    assert_eq!(absent.get("forwarded"), None);
    let current = json!({"command": "account_info", "account": account, "ledger_index": "current"});
    assert_eq!(client.ask(current).await["forwarded"], true);
    let pending = client
        .ask(json!({"command": "tx", "transaction": hash}))
        .await;
    assert_eq!(pending["error"], "txnNotFound");
    let _open = network.close_ledger();
    let found = client.result(lookup).await;
    assert_eq!(
        (&found["validated"], &found["ledger_index"]),
        (&json!(true), &json!(4))
    );
    let info = client.result(json!({"command": "server_info"})).await;
    assert!(
        info["info"]["clio_version"].is_string() && info["info"].get("build_version").is_none()
    );
    let stream = client
        .ask(json!({"command": "subscribe", "streams": ["server"]}))
        .await;
    assert_eq!(stream["error"], "reportingUnsupported");
    network
        .fault(&json!({"kind": "clio", "on": false}))
        .unwrap();
    assert_eq!(
        client.ask(json!({"command": "ping"})).await.get("warnings"),
        None
    );
    network.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_without_a_goodbye() {
    let network = Network::start(by_hand(1)).await.unwrap();
    network
        .fault(&json!({"kind": "slow_reader", "after_ms": 200}))
        .unwrap();
    let mut stream = TcpStream::connect(network.addresses()[0]).await.unwrap();
    let hello = "GET / HTTP/1.1\r\nHost: model\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(hello.as_bytes()).await.unwrap();
    // A masked text frame whose mask is zero, and an answer of many bytes to it.
    let request = format!(
        r#"{{"command": "nope", "padding": "{}"}}"#,
        "x".repeat(60_000)
    );
    let length = u16::try_from(request.len()).unwrap().to_be_bytes();
    let mut frame = vec![0x81, 0xFE, length[0], length[1], 0, 0, 0, 0];
    frame.extend(request.as_bytes());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Ok(())) = tokio::time::timeout_at(deadline, stream.write_all(&frame)).await {}
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    let _reset_or_ended = tokio::time::timeout_at(deadline, read)
        .await
        .expect("an end in time");
    assert!(received.len() > 100_000, "{}", received.len());
    assert!(frames(&received).iter().all(|first| *first == 0x81));
    network.stop().await;
}

#[tokio::test]
async fn a_history_may_have_many_holes_and_answers_only_beside_them() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let blob = payment(&alice, &bob, sequence, 2_000_000);
    let hash = client.submit(&blob).await["tx_json"]["hash"].clone();
    while network.close_ledger() < 13 {}
    let holes = json!({"kind": "history_gap", "ranges": [[4, 5], [9, 9]]});
    network.fault(&holes).unwrap();
    let info = client.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["complete_ledgers"], "2-3,6-8,10-12");
    let lookup = json!({"command": "tx", "transaction": hash, "min_ledger": 3, "max_ledger": 6});
    let absent = client.ask(lookup).await;
    assert_eq!(
        (&absent["error"], &absent["searched_all"]),
        (&json!("txnNotFound"), &json!(false))
    );
    let account = alice.account_id().to_string();
    let history = json!({"command": "account_tx", "account": account, "ledger_index_min": 3, "ledger_index_max": 12});
    let clipped = client.result(history.clone()).await;
    assert_eq!(
        (&clipped["ledger_index_min"], &clipped["transactions"]),
        (&json!(10), &json!([]))
    );
    let mut second = history;
    second["api_version"] = json!(2);
    assert_eq!(client.ask(second).await["error"], "lgrIdxMalformed");
    let ledger = json!({"command": "ledger", "ledger_index": 9});
    assert_eq!(client.ask(ledger).await["error"], "lgrNotFound");
    for ranges in [
        json!([]),
        json!([[5, 4]]),
        json!([[4, 6], [6, 7]]),
        json!([4, 5]),
    ] {
        let refused = network.fault(&json!({"kind": "history_gap", "ranges": ranges}));
        assert_eq!(refused, Err(FaultError::BadParameter("ranges")));
    }
    network.stop().await;
}

/// The first bytes of the whole frames after an upgrade's head; each tells what kind of frame it is.
fn frames(received: &[u8]) -> Vec<u8> {
    let head = received.windows(4).position(|end| end == b"\r\n\r\n");
    let mut rest = &received[head.unwrap() + 4..];
    let mut kinds = Vec::new();
    while let [first, length, ..] = *rest {
        let (start, length) = match (length, rest) {
            (126, [_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [_, _, _, _, _, _, a, b, c, d, ..]) => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]);
                (10, usize::try_from(length).unwrap())
            }
            (126 | 127, _) => break,
            (length, _) => (2, usize::from(length)),
        };
        let Some(next) = rest.get(start + length..) else {
            break;
        };
        kinds.push(first);
        rest = next;
    }
    kinds
}

/// Connects to a server that is coming up.
async fn connect(address: SocketAddr) -> Client {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it stays down");
        tokio::task::yield_now().await;
    }
    Client::connect(address).await
}
