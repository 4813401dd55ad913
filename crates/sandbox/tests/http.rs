//! JSON-RPC over HTTP on the ports that speak websocket, and the limits that both share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::{Client, by_hand, fund, key, payment};
use xrpayd_sandbox::{Network, NetworkConfig};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends raw bytes and reads until the server ends the connection.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let _reset_or_ended = tokio::time::timeout(PATIENCE, read).await.unwrap();
    answer
}

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Status and body of a JSON-RPC request.
async fn rpc(address: SocketAddr, body: &Value) -> (String, Value) {
    let answer = raw(address, &post(&body.to_string())).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap_or(json!(body)))
}

fn with_public() -> NetworkConfig {
    NetworkConfig {
        listen_public: vec!["127.0.0.1:0".parse().unwrap()],
        ..by_hand(1)
    }
}

#[tokio::test]
async fn a_payment_can_be_submitted_over_http_on_the_port_that_speaks_websocket() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let address = network.addresses()[0];
    let blob = payment(&alice, &bob, sequence, 2_000_000);
    let (status, answer) = rpc(
        address,
        &json!({"method": "submit", "params": [{"tx_blob": blob}]}),
    )
    .await;
    assert_eq!(status, "200");
    assert_eq!(answer["result"]["engine_result"], "tesSUCCESS");
    assert_eq!(answer["result"]["status"], "success");
    let _open = network.close_ledger();
    let mut client = Client::connect(address).await;
    assert_eq!(client.validated_account(&bob).await["Balance"], "2000000");
    network.stop().await;
}

#[tokio::test]
async fn http_takes_chunks_many_requests_on_one_connection_and_both_forms_of_error() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let address = network.addresses()[0];
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"method\": \"ping\",\r\n11\r\n \"params\": [{}]}  \r\n0\r\n\r\n";
    let nope = r#"{"method": "nope", "params": [{"ripplerpc": "2.0", "id": 7}]}"#;
    let answer = raw(address, &format!("{chunked}{}", post(nope))).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
    assert!(answer.contains(r#"{"result":{"role":"admin","status":"success"}}"#));
    let error = answer.rsplit_once("\r\n\r\n").unwrap().1;
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(
        error,
        json!({
            "error": {"code": 32, "error": "unknownCmd", "error_code": 32, "message": "Unknown method.", "status": "error"},
            "id": 7,
            "ripplerpc": "2.0",
        })
    );
    network.stop().await;
}

#[tokio::test]
async fn what_is_no_http_or_too_long_ends_the_connection_without_an_answer() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let address = network.addresses()[0];
    assert_eq!(raw(address, "HELLO\r\n\r\n").await, "");
    let announced = "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n";
    assert_eq!(raw(address, announced).await, "");
    let page = raw(address, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("text/html"));
    let keyless = "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(raw(address, keyless).await.starts_with("HTTP/1.1 400 "));
    network.stop().await;
}

#[tokio::test]
async fn a_stranger_is_refused_over_http_where_an_administrator_is_not() {
    let network = Network::start(with_public()).await.unwrap();
    let request = json!({"method": "ledger_accept", "params": [{}]});
    let (status, words) = rpc(network.public_addresses()[0], &request).await;
    assert_eq!((status.as_str(), words), ("403", json!("Forbidden\r\n")));
    let (status, answer) = rpc(network.addresses()[0], &request).await;
    assert_eq!(status, "200");
    assert_eq!(answer["result"]["ledger_current_index"], 4);
    network.stop().await;
}

#[tokio::test]
async fn limits_are_one_for_both_protocols_and_none_for_administrators() {
    let network = Network::start(with_public()).await.unwrap();
    let heavy = json!({"method": "sign", "params": [{}]});
    let (stranger, admin) = (network.public_addresses()[0], network.addresses()[0]);
    let mut warned = false;
    let mut asked = 0;
    loop {
        let (status, answer) = rpc(stranger, &heavy).await;
        if status == "503" {
            break;
        }
        warned |= answer["result"]["warning"] == "load";
        asked += 1;
        assert!(asked < 1_000, "it must end");
    }
    assert!(warned && asked > 200, "{asked}");
    let mut refused = Client::connect(stranger).await;
    refused.send(json!({"command": "ping"})).await;
    assert_eq!(refused.frame(PATIENCE).await, None);
    for _ in 0..300 {
        let (status, answer) = rpc(admin, &heavy).await;
        assert_eq!((status.as_str(), answer.get("warning")), ("200", None));
    }
    network.stop().await;
}

#[tokio::test]
async fn clio_says_what_it_is_over_http_too() {
    let network = Network::start(by_hand(1)).await.unwrap();
    network.fault(&json!({"kind": "clio"})).unwrap();
    let request = json!({"method": "fee", "params": [{}]});
    let (_, answer) = rpc(network.addresses()[0], &request).await;
    assert_eq!(answer["forwarded"], true);
    assert_eq!(answer["warnings"][0]["id"], 2001);
    network.stop().await;
}
