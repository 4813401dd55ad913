//! The model ledger as a process of its own, and its truth.

use super::process::Process;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::Path;
use tokio_tungstenite::tungstenite::Message;

/// `xrpayd sandbox-ledger` with three servers.
#[derive(Debug)]
pub struct Ledger {
    #[expect(dead_code, reason = "held for its drop")]
    process: Process,
    /// The websocket URLs of its servers.
    pub urls: Vec<String>,
}

impl Ledger {
    /// Starts it with a close every `close_interval` and the accounts of `fund` funded.
    pub fn start(folder: &Path, close_interval: &str, fund: &[(&str, &str)]) -> Self {
        let mut arguments: Vec<String> = [
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0",
            "--close-interval",
            close_interval,
        ]
        .map(str::to_owned)
        .to_vec();
        for (address, xrp) in fund {
            arguments.extend(["--fund".to_owned(), format!("{address}={xrp}")]);
        }
        let mut process = Process::start(&arguments, &folder.join("ledger.log"));
        let urls = process
            .first_lines(3)
            .iter()
            .map(|line| {
                let at = line.find("ws://").expect("a line names its server's URL");
                line[at..].split_whitespace().next().unwrap().to_owned()
            })
            .collect();
        Self { process, urls }
    }

    /// One request to the first server.
    pub async fn ask(&self, request: Value) -> Value {
        let (mut socket, _) = tokio_tungstenite::connect_async(&self.urls[0])
            .await
            .unwrap();
        socket
            .send(Message::text(request.to_string()))
            .await
            .unwrap();
        loop {
            let frame = socket.next().await.expect("an answer").unwrap();
            if let Message::Text(text) = frame {
                let answer: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(answer["status"], "success", "{answer}");
                return answer["result"].clone();
            }
        }
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
