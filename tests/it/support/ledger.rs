//! The model ledger as a process of its own, and its truth.

use super::process::Process;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Servers that a daemon knows.
pub const SERVERS: usize = 3;
/// Submissions on one connection that are answered before more are made.
const SUBMITTED_TOGETHER: usize = 32;

/// `xrpayd sandbox-ledger` with three servers a daemon, and one more that no daemon knows: the auditor
/// asks there, so that no fault of the others keeps the truth from it or a fault from being cleared.
#[derive(Debug)]
pub struct Ledger {
    #[expect(dead_code, reason = "held for its drop")]
    process: Process,
    /// The websocket URLs of its servers.
    pub urls: Vec<String>,
    auditor: String,
}

impl Ledger {
    /// Starts it with a close every `close_interval` and the accounts of `fund` funded.
    pub fn start(folder: &Path, close_interval: &str, fund: &[(&str, &str)]) -> Self {
        Self::start_with(folder, close_interval, fund, &[])
    }

    /// The same, with `more` arguments.
    pub fn start_with(
        folder: &Path,
        close_interval: &str,
        fund: &[(&str, &str)],
        more: &[&str],
    ) -> Self {
        Self::start_for(1, folder, close_interval, fund, more)
    }

    /// The same with servers for so many daemons, three for each alone: what arrives at one of them
    /// comes from that daemon.
    pub fn start_for(
        daemons: usize,
        folder: &Path,
        close_interval: &str,
        fund: &[(&str, &str)],
        more: &[&str],
    ) -> Self {
        let count = daemons * SERVERS + 1;
        let listen = vec!["127.0.0.1:0"; count].join(",");
        let mut arguments: Vec<String> = [
            "sandbox-ledger",
            "--listen",
            &listen,
            "--close-interval",
            close_interval,
        ]
        .map(str::to_owned)
        .to_vec();
        for (address, xrp) in fund {
            arguments.extend(["--fund".to_owned(), format!("{address}={xrp}")]);
        }
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let mut process = Process::start(&arguments, &folder.join("ledger.log"));
        let mut urls: Vec<String> = process
            .first_lines(count)
            .iter()
            .map(|line| {
                let at = line.find("ws://").expect("a line names its server's URL");
                line[at..].split_whitespace().next().unwrap().to_owned()
            })
            .collect();
        let auditor = urls.pop().unwrap();
        Self {
            process,
            urls,
            auditor,
        }
    }

    /// One request to the server that no fault is about.
    pub async fn ask(&self, request: Value) -> Value {
        let answer = ask(&self.auditor, request).await;
        assert_eq!(answer["status"], "success", "{answer}");
        answer["result"].clone()
    }

    /// One request to a server of the daemon: its whole answer, which may be an error.
    pub async fn ask_server(&self, server: usize, request: Value) -> Value {
        ask(&self.urls[server], request).await
    }

    /// Inflicts `fault`, such as `{"kind": "stall_ledger"}`, on one server of the daemon.
    pub async fn fault(&self, server: usize, fault: &Value) {
        let mut request = fault.clone();
        request["command"] = json!("sandbox_fault");
        request["server"] = json!(server);
        self.ask(request).await;
    }

    /// Inflicts `fault` on every server of the daemon.
    pub async fn fault_all(&self, fault: &Value) {
        for server in 0..self.urls.len() {
            self.fault(server, fault).await;
        }
    }

    /// Ends every fault.
    pub async fn clear(&self) {
        self.fault_all(&json!({ "kind": "clear" })).await;
    }

    /// The index of the newest validated ledger.
    pub async fn validated(&self) -> u64 {
        let info = self.ask(json!({ "command": "server_info" })).await;
        info["info"]["validated_ledger"]["seq"].as_u64().unwrap()
    }

    /// Waits until the ledger `index` is validated.
    pub async fn reach(&self, index: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.validated().await < index {
            assert!(Instant::now() < deadline, "ledger {index} never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends signed transactions to the server that no fault is about, in their order and without
    /// waiting for each answer. What is answered is a hint, as always.
    pub async fn submit(&self, blobs: &[String]) {
        let (socket, _) = tokio_tungstenite::connect_async(&self.auditor)
            .await
            .unwrap();
        let (mut sink, mut source) = socket.split();
        for window in blobs.chunks(SUBMITTED_TOGETHER) {
            for blob in window {
                let request = json!({ "command": "submit", "tx_blob": blob });
                let message = Message::text(request.to_string());
                sink.feed(message).await.unwrap();
            }
            sink.flush().await.unwrap();
            for _ in window {
                source.next().await.expect("an answer").unwrap();
            }
        }
    }

    /// The servers of one daemon.
    pub fn urls_of(&self, daemon: usize) -> &[String] {
        &self.urls[daemon * SERVERS..(daemon + 1) * SERVERS]
    }

    /// Everything that was submitted to any server since this was asked first, in the order of its
    /// arrival.
    pub async fn submissions(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let question = json!({ "command": "sandbox_submissions", "after": all.len() });
            let told = self.ask(question).await;
            assert_eq!(told["unkept"], 0, "there were more than are kept");
            all.extend(told["arrivals"].as_array().unwrap().iter().cloned());
            if told["kept"] == all.len() {
                return all;
            }
        }
    }

    /// Closes a ledger by hand.
    pub async fn close(&self) {
        self.ask(json!({ "command": "ledger_accept" })).await;
    }

    /// Everything that really happened to `account`.
    pub async fn truth_of(&self, account: &str) -> Vec<Value> {
        let truth = self
            .ask(json!({ "command": "sandbox_truth", "account": account }))
            .await;
        let of_account = &truth["accounts"][account]["transactions"];
        of_account
            .as_array()
            .unwrap_or_else(|| panic!("no transactions in {truth}"))
            .clone()
    }
}

async fn ask(url: &str, request: Value) -> Value {
    // The truth about an account of which much is to be told is one long answer.
    let config = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None);
    let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config), false)
        .await
        .unwrap();
    socket
        .send(Message::text(request.to_string()))
        .await
        .unwrap();
    loop {
        let frame = socket.next().await.expect("an answer").unwrap();
        if let Message::Text(text) = frame {
            return serde_json::from_str(&text).unwrap();
        }
    }
}
