//! The recording of JSON-RPC over HTTP: status, headers and words as recorded, JSON by codes and shapes.

use crate::compare::{Held, differences};
use crate::deviations::Deviations;
use crate::recording::{self, Step};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

const NAME: &str = "s11_http";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came back.
struct Reply {
    status: u64,
    headers: BTreeSet<String>,
    body: String,
}

/// Reads one reply; `None` when the connection ends instead.
async fn reply(stream: &mut TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let mut lines = head.lines();
            let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
            let length = pairs.iter().find(|(name, _)| *name == "Content-Length")?;
            let end = at + 4 + length.1.parse::<usize>().unwrap();
            if bytes.len() >= end {
                let named = pairs.iter().map(|(name, _)| (*name).to_owned());
                return Some(Reply {
                    status,
                    headers: named.collect(),
                    body: String::from_utf8(bytes[at + 4..end].to_vec()).unwrap(),
                });
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(read) if read > 0 => {}
            _ => return None,
        }
    }
}

async fn ask(stream: &mut TcpStream, method: &str, path: &str, body: &str) -> Option<Reply> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: model\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // The server may break the connection before it has read everything.
    let _broken = stream.write_all(format!("{head}{body}").as_bytes()).await;
    tokio::time::timeout(PATIENCE, reply(stream))
        .await
        .unwrap_or_default()
}

fn compare(step: &Step, reply: &Reply) -> Vec<String> {
    let recorded = &step.whole;
    let mut out = Vec::new();
    if recorded["status"] != json!(reply.status) {
        out.push(format!(
            "status {} became {}",
            recorded["status"], reply.status
        ));
    }
    let names = recorded["headers"].as_object().unwrap().keys();
    if names.cloned().collect::<BTreeSet<_>>() != reply.headers {
        out.push(format!("headers became {:?}", reply.headers));
    }
    let recorded = recorded["body"].as_str().unwrap();
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (parsed(recorded), parsed(&reply.body)) {
        (Some(a), Some(b)) => out.extend(differences(Held::InShape, &a, &b)),
        _ if recorded == reply.body => {}
        _ => out.push(format!("{recorded:?} became {:?}", reply.body)),
    }
    out
}

/// Plays the recording, over one connection for as long as it lasts.
pub async fn play() -> Deviations {
    let config = NetworkConfig {
        close_interval: CloseInterval::Manual,
        ..NetworkConfig::default()
    };
    let network = Network::start(config).await.unwrap();
    let _open = network.close_ledger();
    let address = network.addresses()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut deviations = Deviations::default();
    for step in recording::load(NAME) {
        let field = |name: &str| step.whole[name].as_str().unwrap_or_default().to_owned();
        let (method, path, body) = (field("method"), field("path"), field("request"));
        let details = if step.direction == "note" {
            let large = format!(
                "{{\"method\": \"ping\", \"x\": \"{}\"}}",
                "x".repeat(1_100_000)
            );
            let reply = ask(&mut stream, "POST", "/", &large).await;
            stream = TcpStream::connect(address).await.unwrap();
            reply
                .map(|reply| format!("answered {}", reply.status))
                .into_iter()
                .collect()
        } else {
            match ask(&mut stream, &method, &path, &body).await {
                Some(reply) => compare(&step, &reply),
                None => vec!["never answered".to_owned()],
            }
        };
        deviations.add(NAME, &step, "http", details);
    }
    network.stop().await;
    deviations
}
