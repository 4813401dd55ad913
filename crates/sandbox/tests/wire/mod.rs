//! A small client for the model's servers, and signed transactions to give them.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub mod market;
pub mod refusals;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A network of `servers` servers that closes by hand.
pub fn by_hand(servers: usize) -> NetworkConfig {
    NetworkConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap(); servers],
        close_interval: CloseInterval::Manual,
        ..NetworkConfig::default()
    }
}

/// A key of its own for each number.
pub fn key(number: u8) -> Keypair {
    Keypair::from_entropy(Algorithm::Ed25519, &[number; 16]).unwrap()
}

/// Pays an account `xrp` and closes; returns the account's first sequence.
pub fn fund(network: &Network, key: &Keypair, xrp: u64) -> u32 {
    assert!(network.fund(key.account_id(), Drops::new(xrp * 1_000_000).unwrap()));
    network.close_ledger() - 1
}

/// A signed blob, in hexadecimal.
pub fn signed(key: &Keypair, fields: Value) -> String {
    let usual = json!({"Account": key.account_id().to_string(), "Fee": "10", "Flags": 0});
    let tx = with(usual, fields);
    hex::encode_upper(xrpayd_codec::sign(&tx, key).unwrap().blob)
}

/// A signed payment of some drops.
pub fn payment(key: &Keypair, to: &Keypair, sequence: u32, drops: u64) -> String {
    signed(
        key,
        json!({
            "TransactionType": "Payment",
            "Destination": to.account_id().to_string(),
            "Amount": drops.to_string(),
            "Sequence": sequence,
        }),
    )
}

/// A payment of two XRP that may apply up to the ledger `last`.
pub fn payment_until(from: &Keypair, to: &Keypair, sequence: u32, last: u64) -> String {
    let fields = json!({
        "TransactionType": "Payment",
        "Destination": to.account_id().to_string(),
        "Amount": "2000000",
        "Sequence": sequence,
        "LastLedgerSequence": last,
    });
    signed(from, fields)
}

/// The fields of an AccountSet that sets a flag.
pub fn account_set(flag: u32) -> Value {
    json!({"TransactionType": "AccountSet", "SetFlag": flag})
}

/// `fields` with more of them.
pub fn with(mut fields: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        fields[name.as_str()] = value.clone();
    }
    fields
}

/// A network, and a client of its first server.
pub async fn started(config: NetworkConfig) -> (Network, Client) {
    let network = Network::start(config).await.unwrap();
    let client = Client::connect(network.addresses()[0]).await;
    (network, client)
}

/// A client of each server.
pub async fn clients(network: &Network) -> Vec<Client> {
    let mut clients = Vec::new();
    for address in network.addresses() {
        clients.push(Client::connect(*address).await);
    }
    clients
}

/// A client.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub news: VecDeque<Value>,
    next_id: u64,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let url = format!("ws://{address}");
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self {
            socket,
            news: VecDeque::new(),
            next_id: 1,
        }
    }

    /// The next frame; `None` when the connection ends or nothing comes in time.
    pub async fn frame(&mut self, patience: Duration) -> Option<Value> {
        loop {
            match tokio::time::timeout(patience, self.socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => return serde_json::from_str(&text).ok(),
                Ok(Some(Ok(_))) => {}
                _ => return None,
            }
        }
    }

    pub async fn send(&mut self, mut request: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        request["id"] = json!(id);
        self.socket
            .send(Message::text(request.to_string()))
            .await
            .unwrap();
        id
    }

    /// Asks, and returns the whole answer; news that come first are kept.
    pub async fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request.clone()).await;
        loop {
            let frame = self.frame(PATIENCE).await;
            let frame = frame.unwrap_or_else(|| panic!("no answer to {request}"));
            if frame["id"] == json!(id) {
                return frame;
            }
            self.news.push_back(frame);
        }
    }

    /// Asks, and returns the result of a success.
    pub async fn result(&mut self, request: Value) -> Value {
        let answer = self.ask(request).await;
        assert_eq!(answer["status"], "success", "{answer}");
        answer["result"].clone()
    }

    /// Submits, and returns the result.
    pub async fn submit(&mut self, blob: &str) -> Value {
        self.result(json!({"command": "submit", "tx_blob": blob}))
            .await
    }

    /// Submits, and returns the engine's result code.
    pub async fn engine_result(&mut self, blob: &str) -> String {
        self.submit(blob).await["engine_result"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// An account's validated root.
    pub async fn validated_account(&mut self, key: &Keypair) -> Value {
        let account = key.account_id().to_string();
        let request =
            json!({"command": "account_info", "account": account, "ledger_index": "validated"});
        self.result(request).await["account_data"].clone()
    }

    /// What the server says of itself.
    pub async fn info(&mut self) -> Value {
        self.result(json!({"command": "server_info"})).await["info"].clone()
    }

    /// The index of the newest ledger that the server calls validated.
    pub async fn validated(&mut self) -> u64 {
        self.info().await["validated_ledger"]["seq"]
            .as_u64()
            .unwrap()
    }

    /// The hash of the ledger with this index.
    pub async fn ledger_hash(&mut self, index: u64) -> Value {
        let request = json!({"command": "ledger", "ledger_index": index});
        self.result(request).await["ledger_hash"].clone()
    }

    /// The whole answer about one transaction, in version 2.
    pub async fn lookup(&mut self, hash: &Value) -> Value {
        self.ask(json!({"command": "tx", "transaction": hash, "api_version": 2}))
            .await
    }

    /// Waits for a piece of news of this type.
    pub async fn next_news(&mut self, kind: &str) -> Value {
        loop {
            let queued = self.news.iter().position(|news| news["type"] == kind);
            if let Some(news) = queued.and_then(|at| self.news.remove(at)) {
                return news;
            }
            let frame = self.frame(PATIENCE).await.expect("news in time");
            self.news.push_back(frame);
        }
    }
}
