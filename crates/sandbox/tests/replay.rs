//! Replays recordings of a real rippled against the model, over real websockets, and holds every answer
//! and every stream message against what the real server said.
//!
//! Where the model answers otherwise, the difference stands in `replay_deviations.txt` with its reason;
//! a difference that is not listed fails the test, and so does a listed one that no longer occurs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flate2::read::GzDecoder;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// The recordings, in the order of the recorded server's life.
const RECORDINGS: [&str; 7] = [
    "s01_server",
    "s02_fund_tx",
    "s02v2_fund_tx",
    "s03_subscribe",
    "s03v2_subscribe",
    "s04_failures",
    "s05_tickets",
];
/// How long the model may take to say what the real server said.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take for news that perhaps never come.
const STREAM_PATIENCE: Duration = Duration::from_millis(400);
/// Values that differ between any two servers or moments; their presence is still compared.
const VOLATILE: [&str; 30] = [
    "account_hash",
    "age",
    "build_version",
    "close_time",
    "close_time_human",
    "close_time_iso",
    "converge_time",
    "converge_time_s",
    "date",
    "duration_us",
    "hash_of_ledger",
    "hostid",
    "initial_sync_duration_us",
    "ledger_data",
    "ledger_hash",
    "ledger_time",
    "load",
    "parent_close_time",
    "parent_hash",
    "ports",
    "pubkey_node",
    "random",
    "server_state_duration_us",
    "time",
    "transitions",
    "uptime",
    "git",
    "master_seed",
    "node_size",
    "validated_ledger.hash",
];

#[derive(Debug)]
struct Step {
    line: usize,
    direction: String,
    connection: String,
    message: Value,
    text: String,
    url: String,
}

fn recording(name: &str) -> Vec<Step> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/transcripts")
        .join(format!("{name}.jsonl.gz"));
    let file = std::fs::File::open(&path).expect("the recordings are checked in");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let field = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    text.lines()
        .enumerate()
        .map(|(line, text)| {
            let step: Value = serde_json::from_str(text).unwrap();
            Step {
                line: line + 1,
                direction: field(&step, "dir"),
                connection: field(&step, "conn"),
                text: field(&step, "text"),
                url: field(&step, "url"),
                message: step["msg"].clone(),
            }
        })
        .collect()
}

/// A client that keeps answers and news apart.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    answers: VecDeque<Value>,
    news: VecDeque<Value>,
}

fn is_news(message: &Value) -> bool {
    let kind = message["type"].as_str().unwrap_or_default();
    message.get("id").is_none() && kind != "response" && kind != "error"
}

impl Client {
    async fn pump(&mut self, patience: Duration) -> bool {
        match tokio::time::timeout(patience, self.socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                let message: Value = serde_json::from_str(&text).expect("the model sends JSON");
                if is_news(&message) {
                    self.news.push_back(message);
                } else {
                    self.answers.push_back(message);
                }
                true
            }
            Ok(Some(Ok(_))) => true,
            Ok(other) => panic!("the connection ended: {other:?}"),
            Err(_) => false,
        }
    }

    async fn answer(&mut self, id: &Value) -> Option<Value> {
        loop {
            if let Some(found) = self.answers.iter().position(|answer| answer["id"] == *id) {
                return self.answers.remove(found);
            }
            if !self.pump(PATIENCE).await {
                return None;
            }
        }
    }

    async fn news_like(&mut self, recorded: &Value) -> Option<Value> {
        loop {
            if let Some(found) = self.news.iter().position(|news| key(news) == key(recorded)) {
                return self.news.remove(found);
            }
            if !self.pump(STREAM_PATIENCE).await {
                return None;
            }
        }
    }
}

/// What makes two stream messages the same piece of news.
fn key(news: &Value) -> String {
    let history = news.get("account_history_tx_index").is_some();
    let hash = news["hash"]
        .as_str()
        .or_else(|| news["transaction"]["hash"].as_str());
    format!(
        "{} {} {:?} {history}",
        news["type"], news["validated"], hash
    )
}

/// Collects where two values differ.
fn differences(path: &str, recorded: &Value, actual: &Value, out: &mut Vec<String>) {
    match (recorded, actual) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let inner = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let volatile = VOLATILE.iter().any(|v| v == name || inner.ends_with(v));
                match (a.get(name), b.get(name)) {
                    (Some(_), None) => out.push(format!("{inner} missing")),
                    (None, Some(_)) => out.push(format!("{inner} extra")),
                    (Some(_), Some(_)) if volatile => {}
                    (Some(x), Some(y)) => differences(&inner, x, y, out),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{index}]"), x, y, out);
            }
        }
        _ if recorded == actual => {}
        _ => out.push(format!(
            "{path}: {} became {}",
            brief(recorded),
            brief(actual)
        )),
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(120).collect()
}

/// Drops the echo of the request: it is what was sent.
fn without_request(mut message: Value) -> Value {
    if let Some(object) = message.as_object_mut() {
        object.remove("request");
    }
    message
}

struct Deviations {
    found: BTreeMap<String, Vec<String>>,
}

impl Deviations {
    fn add(&mut self, name: &str, step: &Step, what: &str, details: Vec<String>) {
        if !details.is_empty() {
            let place = format!("{name}:{} {what}", step.line);
            self.found.insert(place, details);
        }
    }
}

fn describe(request: &Value) -> String {
    request["command"].as_str().unwrap_or("raw").to_owned()
}

async fn replay(name: &str, network: &Network, deviations: &mut Deviations) {
    let mut clients: BTreeMap<String, Client> = BTreeMap::new();
    let mut requests: BTreeMap<String, Value> = BTreeMap::new();
    for step in recording(name) {
        let connection = step.connection.clone();
        match step.direction.as_str() {
            "open" => {
                let is_admin = step.url.ends_with(":6906");
                let address = if is_admin {
                    network.addresses()[0]
                } else {
                    network.public_addresses()[0]
                };
                let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}"))
                    .await
                    .unwrap();
                let client = Client {
                    socket,
                    answers: VecDeque::new(),
                    news: VecDeque::new(),
                };
                clients.insert(connection, client);
            }
            "close" => {
                if let Some(mut client) = clients.remove(&connection) {
                    while client.pump(Duration::from_millis(50)).await {}
                    let extra = client
                        .news
                        .iter()
                        .map(|news| format!("news {}", brief(news)))
                        .collect();
                    deviations.add(name, &step, "extra news", extra);
                }
            }
            "send" | "send_raw" => {
                let client = clients.get_mut(&connection).unwrap();
                let text = if step.direction == "send" {
                    step.message.to_string()
                } else {
                    step.text.clone()
                };
                let id = format!("{connection} {}", step.message["id"]);
                requests.insert(id, step.message.clone());
                client.socket.send(Message::text(text)).await.unwrap();
            }
            "recv" => {
                let client = clients.get_mut(&connection).unwrap();
                let recorded = without_request(step.message.clone());
                if is_news(&recorded) {
                    let kind = recorded["type"].as_str().unwrap_or_default().to_owned();
                    let mut details = Vec::new();
                    match client.news_like(&recorded).await {
                        Some(actual) => differences("", &recorded, &actual, &mut details),
                        None => details.push("never came".to_owned()),
                    }
                    deviations.add(name, &step, &format!("news {kind}"), details);
                    continue;
                }
                let request = requests.get(&format!("{connection} {}", recorded["id"]));
                let what = request.map_or_else(|| "raw".to_owned(), describe);
                let mut details = Vec::new();
                match client.answer(&recorded["id"]).await {
                    Some(actual) => {
                        differences("", &recorded, &without_request(actual), &mut details)
                    }
                    None => details.push("never answered".to_owned()),
                }
                deviations.add(name, &step, &what, details);
            }
            _ => {}
        }
    }
}

/// One line of the list: which places it covers, and why.
struct Listed {
    pattern: String,
    reason: String,
}

fn listed() -> Vec<Listed> {
    let text = include_str!("replay_deviations.txt");
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (pattern, reason) = line.split_once(" | ").expect("a pattern, ` | `, a reason");
            Listed {
                pattern: pattern.trim().to_owned(),
                reason: reason.trim().to_owned(),
            }
        })
        .collect()
}

/// A pattern covers a difference that begins with it; `*` at its end is implied.
fn covers(pattern: &str, place: &str, detail: &str) -> bool {
    format!("{place} {detail}").starts_with(pattern)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_answers_as_a_real_server_did() {
    let config = NetworkConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        listen_public: vec!["127.0.0.1:0".parse().unwrap()],
        close_interval: CloseInterval::Manual,
        ..NetworkConfig::default()
    };
    let network = Network::start(config).await.unwrap();
    let mut deviations = Deviations {
        found: BTreeMap::new(),
    };
    for name in RECORDINGS {
        replay(name, &network, &mut deviations).await;
    }
    network.stop().await;
    let listed = listed();
    assert!(
        listed.iter().all(|entry| !entry.reason.is_empty()),
        "every deviation has a reason"
    );
    let mut used = vec![false; listed.len()];
    let mut unlisted = Vec::new();
    for (place, details) in &deviations.found {
        for detail in details {
            let mut covered = false;
            for (index, entry) in listed.iter().enumerate() {
                if covers(&entry.pattern, place, detail) {
                    used[index] = true;
                    covered = true;
                }
            }
            if !covered {
                unlisted.push(format!("{place} {detail}"));
            }
        }
    }
    let stale: Vec<&str> = listed
        .iter()
        .zip(&used)
        .filter(|(_, used)| !**used)
        .map(|(entry, _)| entry.pattern.as_str())
        .collect();
    assert!(
        unlisted.is_empty() && stale.is_empty(),
        "{} differences that are not listed:\n{}\n{} listed ones that no longer occur:\n{}",
        unlisted.len(),
        unlisted.join("\n"),
        stale.len(),
        stale.join("\n"),
    );
}
