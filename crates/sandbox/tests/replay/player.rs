//! Playing a recording to the model: sending what was sent, and comparing what comes back.

use crate::client::{Client, is_news};
use crate::compare::{Held, brief, differences};
use crate::deviations::Deviations;
use crate::recording::{self, Step};
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use xrpayd_sandbox::Network;

/// The code of a close by the client, which the model has no say in.
const CLOSED_BY_CLIENT: u64 = 1000;
/// The codes that a client sees when the server stops, and when it is killed.
const SERVER_STOPPED: u64 = 1005;
const SERVER_KILLED: u64 = 1006;

/// Drops the echo of the request: it is what was sent.
fn without_request(mut message: Value) -> Value {
    if let Some(object) = message.as_object_mut() {
        object.remove("request");
    }
    message
}

/// A connection of the recording, and the news on it that are still to be compared. They are looked for
/// when the connection closes: nothing is waited for while requests can go on.
struct Connection {
    client: Client,
    awaited: Vec<Step>,
    requests: BTreeMap<String, String>,
}

/// One recording being played.
pub struct Player<'a> {
    name: &'a str,
    held: Held,
    network: &'a Network,
    connections: BTreeMap<String, Connection>,
    is_down: bool,
    deviations: Deviations,
}

impl<'a> Player<'a> {
    pub fn new(name: &'a str, held: Held, network: &'a Network) -> Self {
        Self {
            name,
            held,
            network,
            connections: BTreeMap::new(),
            is_down: false,
            deviations: Deviations::default(),
        }
    }

    /// Plays the whole recording.
    pub async fn play(mut self) -> Deviations {
        for step in recording::load(self.name) {
            match step.direction.as_str() {
                "open" => self.open(&step).await,
                "send" | "send_raw" => self.send(&step).await,
                "recv" => self.receive(step).await,
                "close" => self.close(&step).await,
                "note" if step.text == "connect refused" => self.knock(&step).await,
                _ => {}
            }
        }
        for connection in std::mem::take(&mut self.connections).into_values() {
            self.settle(connection).await;
        }
        self.deviations
    }

    async fn open(&mut self, step: &Step) {
        if std::mem::take(&mut self.is_down) {
            self.network.fault(&json!({"kind": "restart"})).unwrap();
        }
        // Of the recorded server's ports, those ending in 7 were open to strangers.
        let address = if step.url.ends_with('7') {
            self.network.public_addresses()[0]
        } else {
            self.network.addresses()[0]
        };
        let connection = Connection {
            client: Client::connect(address).await,
            awaited: Vec::new(),
            requests: BTreeMap::new(),
        };
        self.connections.insert(step.connection.clone(), connection);
    }

    fn connection(&mut self, step: &Step) -> &mut Connection {
        let connection = self.connections.get_mut(&step.connection);
        connection.expect("a recording opens its connections")
    }

    async fn send(&mut self, step: &Step) {
        let text = if step.direction == "send" {
            step.message.to_string()
        } else {
            step.text.clone()
        };
        let command = step.message["command"].as_str().unwrap_or("raw").to_owned();
        let connection = self.connection(step);
        if command == "unsubscribe" || command == "path_find" {
            // News travel beside the answers; those of before are to be on their way by now.
            connection.client.heard(connection.awaited.len()).await;
        }
        connection
            .requests
            .insert(step.message["id"].to_string(), command);
        connection.client.send(text).await;
    }

    async fn receive(&mut self, step: Step) {
        let held = self.held;
        let connection = self.connection(&step);
        let recorded = without_request(step.message.clone());
        if is_news(&recorded) {
            connection.awaited.push(step);
            return;
        }
        let id = &recorded["id"];
        let command = connection.requests.get(&id.to_string()).cloned();
        let what = command.unwrap_or_else(|| "raw".to_owned());
        let details = match connection.client.answer(id).await {
            Some(actual) => differences(held, &recorded, &without_request(actual)),
            None => vec!["never answered".to_owned()],
        };
        self.deviations.add(self.name, &step, &what, details);
    }

    async fn close(&mut self, step: &Step) {
        let Some(mut connection) = self.connections.remove(&step.connection) else {
            return;
        };
        if [SERVER_STOPPED, SERVER_KILLED].contains(&step.code) {
            let graceful = step.code == SERVER_STOPPED;
            let stop = json!({"kind": "stop", "graceful": graceful});
            self.network.fault(&stop).unwrap();
            self.is_down = true;
        }
        if step.code != CLOSED_BY_CLIENT {
            let code = connection.client.closing().await;
            let details = if code == Some(step.code) {
                Vec::new()
            } else {
                vec![format!("code: {} became {code:?}", step.code)]
            };
            self.deviations.add(self.name, step, "close", details);
        }
        let rest = self.settle(connection).await;
        let extra = rest
            .iter()
            .map(|news| format!("news {}", brief(news)))
            .collect();
        self.deviations.add(self.name, step, "extra news", extra);
    }

    /// Connects where the recording could not.
    async fn knock(&mut self, step: &Step) {
        let address = self.network.addresses()[0];
        let knocked = tokio::net::TcpStream::connect(address).await;
        let refused = knocked.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused);
        let details = if refused {
            Vec::new()
        } else {
            vec!["was not refused".to_owned()]
        };
        self.deviations.add(self.name, step, "connect", details);
    }

    /// Compares the news of a connection, and returns those that the recording does not have.
    async fn settle(&mut self, mut connection: Connection) -> Vec<Value> {
        for step in connection.awaited {
            let kind = step.message["type"].as_str().unwrap_or_default();
            let details = match connection.client.news_like(&step.message).await {
                Some(actual) => differences(self.held, &step.message, &actual),
                None => vec!["never came".to_owned()],
            };
            let what = format!("news {kind}");
            self.deviations.add(self.name, &step, &what, details);
        }
        let (news, _) = connection.client.rest().await;
        news.into()
    }
}
