//! Scripted servers in memory: what a transport of the tests connects to. They answer like servers
//! do, or as a test tells them to.

use super::super::transport::{
    FrameSink, FrameStream, Incoming, Link, LinkError, Outgoing, Transport,
};
use super::super::{Deps, Members, Pool, PoolConfig, ServerConfig, Tip, Voice};
use crate::clock::{SeededEntropy, SystemClock};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use xrpayd_core::address::AccountId;

pub const NETWORK: u32 = 31_337;
pub const GENESIS: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";

/// What a test makes of a request: an answer instead of the usual one, or none at all.
pub type Script = Box<dyn FnMut(&Value) -> Option<Reaction> + Send>;

pub enum Reaction {
    /// This result.
    Result(Value),
    /// This error, with these fields beside it.
    Error(&'static str, Value),
    /// Nothing.
    Silence,
    /// The usual answer, and this field beside it.
    With(&'static str, Value),
}

type Socket = mpsc::UnboundedSender<Result<Incoming, LinkError>>;

/// One server.
pub struct Fake {
    pub network_id: Option<u32>,
    pub state: &'static str,
    pub validated: u32,
    /// Goes into every hash, so that servers with the same one agree.
    pub chain: u8,
    pub complete: Option<String>,
    pub stand_alone: bool,
    pub history: Vec<Value>,
    pub refuses: Option<LinkError>,
    pub answers_pings: bool,
    pub scripts: HashMap<&'static str, Script>,
    /// Every request, as it came.
    pub requests: Vec<Value>,
    /// When each connection was asked for.
    pub connects: Vec<Instant>,
    sockets: Vec<Socket>,
}

impl Fake {
    fn new() -> Self {
        Self {
            network_id: Some(NETWORK),
            state: "full",
            validated: 5,
            chain: 0xA0,
            complete: None,
            stand_alone: false,
            history: Vec::new(),
            refuses: None,
            answers_pings: true,
            scripts: HashMap::new(),
            requests: Vec::new(),
            connects: Vec::new(),
            sockets: Vec::new(),
        }
    }

    pub fn hash(&self, index: u32) -> String {
        format!("{index:08X}{:02X}{}", self.chain, "0".repeat(54))
    }

    fn complete(&self) -> String {
        self.complete
            .clone()
            .unwrap_or_else(|| format!("2-{}", self.validated))
    }

    fn ledger(&self) -> Value {
        json!({
            "ledger_index": self.validated, "ledger_hash": self.hash(self.validated), "ledger_time": 800_000_000 + self.validated,
            "fee_base": 10, "reserve_base": 1_000_000, "reserve_inc": 200_000, "validated_ledgers": self.complete(),
        })
    }

    /// The next ledger is validated, and every connection is told.
    pub fn close(&mut self) {
        self.close_quietly();
        let mut message = self.ledger();
        message["type"] = "ledgerClosed".into();
        message["txn_count"] = 0.into();
        self.tell(&message.to_string());
    }

    /// The next ledger is validated, and nobody is told.
    pub fn close_quietly(&mut self) {
        self.validated += 1;
    }

    pub fn tell(&mut self, text: &str) {
        self.send(Ok(Incoming::Text(text.into())));
    }

    pub fn send(&mut self, frame: Result<Incoming, LinkError>) {
        self.sockets
            .retain(|socket| socket.send(frame.clone()).is_ok());
    }

    /// Breaks every connection.
    pub fn hang_up(&mut self) {
        self.sockets.clear();
    }

    /// Whether a connection to it stands.
    pub fn is_connected(&mut self) -> bool {
        self.sockets.retain(|socket| !socket.is_closed());
        !self.sockets.is_empty()
    }

    pub fn on(
        &mut self,
        command: &'static str,
        script: impl FnMut(&Value) -> Option<Reaction> + Send + 'static,
    ) {
        self.scripts.insert(command, Box::new(script));
    }

    pub fn asked(&self, command: &str) -> usize {
        self.requests
            .iter()
            .filter(|request| request["command"] == command)
            .count()
    }

    fn usual(&self, request: &Value) -> Value {
        match request["command"].as_str().unwrap_or_default() {
            "server_info" => {
                let mut info = json!({
                    "build_version": "2.4.0", "complete_ledgers": self.complete(), "load_factor": 1, "peers": 0,
                    "server_state": self.state,
                });
                if self.state == "full" {
                    info["validated_ledger"] = json!({"age": 1, "seq": self.validated, "hash": self.hash(self.validated),
                        "base_fee_xrp": 1e-05, "reserve_base_xrp": 1, "reserve_inc_xrp": 0.2});
                }
                if let Some(id) = self.network_id {
                    info["network_id"] = id.into();
                }
                json!({ "info": info })
            }
            "subscribe" if self.state != "full" => json!({}),
            "subscribe" => {
                let mut ledger = self.ledger();
                if self.stand_alone {
                    ledger["stand_alone"] = true.into();
                }
                ledger
            }
            "account_tx" => {
                let bound = |name: &str| u32::try_from(request[name].as_i64().unwrap()).unwrap();
                let (low, high) = (
                    bound("ledger_index_min"),
                    bound("ledger_index_max").min(self.validated),
                );
                let within = |tx: &&Value| {
                    (low..=high)
                        .contains(&u32::try_from(tx["ledger_index"].as_u64().unwrap()).unwrap())
                };
                let all: Vec<&Value> = self.history.iter().filter(within).collect();
                // Two a page, so that markers are met in every test.
                let begin = request["marker"]["seq"].as_u64().unwrap_or(0) as usize;
                let page: Vec<&Value> = all.iter().skip(begin).take(2).copied().collect();
                let mut result = json!({"account": request["account"], "ledger_index_min": low, "ledger_index_max": high,
                    "limit": 2, "validated": true, "transactions": page});
                if begin + 2 < all.len() {
                    result["marker"] = json!({"ledger": low, "seq": begin + 2});
                }
                result
            }
            "account_info" => json!({
                "account_data": {"Account": request["account"], "Balance": "1000", "Flags": 0, "OwnerCount": 1,
                    "PreviousTxnLgrSeq": 3, "Sequence": 9, "LedgerEntryType": "AccountRoot"},
                "ledger_index": request["ledger_index"], "validated": true,
                "ledger_hash": self.hash(u32::try_from(request["ledger_index"].as_u64().unwrap()).unwrap()),
            }),
            "deposit_authorized" => {
                let index = u32::try_from(request["ledger_index"].as_u64().unwrap()).unwrap();
                json!({"source_account": request["source_account"], "destination_account": request["destination_account"],
                    "deposit_authorized": true, "ledger_index": index, "ledger_hash": self.hash(index), "validated": true})
            }
            "simulate" => {
                json!({"applied": false, "engine_result": "tesSUCCESS", "engine_result_code": 0,
                    "ledger_index": self.validated + 1, "meta": {}, "tx_json": request["tx_json"]})
            }
            "ledger" => {
                let index = u32::try_from(request["ledger_index"].as_u64().unwrap()).unwrap();
                json!({"ledger_index": index, "ledger_hash": self.hash(index), "validated": true, "ledger": {}})
            }
            "fee" => {
                json!({"drops": {"base_fee": "10", "open_ledger_fee": "10", "minimum_fee": "10", "median_fee": "5000"}})
            }
            "submit" => {
                json!({"engine_result": "tesSUCCESS", "engine_result_code": 0, "applied": true, "broadcast": true,
                "queued": false, "kept": true, "accepted": true, "validated_ledger_index": self.validated})
            }
            other => panic!("the pool asked for {other}"),
        }
    }

    fn receive(&mut self, out: Outgoing, socket: &Socket) {
        match out {
            Outgoing::Text(text) => {
                let request: Value = serde_json::from_str(&text).expect("a request is JSON");
                assert_eq!(request["api_version"], 2, "{request}");
                self.requests.push(request.clone());
                self.react(&request, socket);
            }
            Outgoing::Ping if self.answers_pings => {
                let _ = socket.send(Ok(Incoming::Alive));
            }
            Outgoing::Ping | Outgoing::Close => {}
        }
    }

    fn react(&mut self, request: &Value, socket: &Socket) {
        let command = request["command"].as_str().unwrap_or_default().to_owned();
        let reaction = self
            .scripts
            .get_mut(command.as_str())
            .and_then(|script| script(request));
        let id = &request["id"];
        let success = |result| json!({"id": id, "api_version": 2, "status": "success", "type": "response", "result": result});
        let frame = match reaction {
            None => success(self.usual(request)),
            Some(Reaction::Result(result)) => success(result),
            Some(Reaction::With(field, value)) => {
                let mut frame = success(self.usual(request));
                frame[field] = value;
                frame
            }
            Some(Reaction::Error(error, mut beside)) => {
                beside["id"] = id.clone();
                beside["error"] = error.into();
                beside["status"] = "error".into();
                beside["type"] = "response".into();
                beside["request"] = request.clone();
                beside
            }
            Some(Reaction::Silence) => return,
        };
        let _ = socket.send(Ok(Incoming::Text(frame.to_string().into())));
    }
}

/// A transaction of the genesis account as a page of history bears it.
pub fn payment(server: &Fake, index: u32, place: u32, sequence: u32, result: &str) -> Value {
    let hash = format!("{index:08X}{place:08X}{}", "7".repeat(48));
    let mut meta = json!({
        "TransactionIndex": place, "TransactionResult": result,
        "AffectedNodes": [
            {"ModifiedNode": {"LedgerEntryType": "RippleState", "LedgerIndex": "AA",
                "FinalFields": {"Balance": {"currency": "USD", "issuer": "rrrrrrrrrrrrrrrrrrrrBZbvji", "value": "1"}, "Flags": 1,
                "LowLimit": {"currency": "USD", "issuer": "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "value": "0"},
                "HighLimit": {"currency": "USD", "issuer": GENESIS, "value": "0"}}}},
            {"ModifiedNode": {"LedgerEntryType": "AccountRoot", "LedgerIndex": "BB", "FinalFields":
                {"Account": "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "Balance": "77", "Flags": 0, "OwnerCount": 0, "Sequence": 1}}},
            {"ModifiedNode": {"LedgerEntryType": "AccountRoot", "LedgerIndex": "CC", "FinalFields":
                {"Account": GENESIS, "Balance": "900", "Flags": 0, "OwnerCount": 2, "Sequence": sequence + 1},
                "PreviousFields": {"Balance": "1000", "Sequence": sequence}}},
            {"ModifiedNode": {"LedgerEntryType": "DirectoryNode", "LedgerIndex": "DD"}},
        ],
    });
    if result == "tesSUCCESS" {
        meta["delivered_amount"] = "90".into();
    }
    json!({
        "hash": hash, "ledger_hash": server.hash(index), "ledger_index": index, "validated": true,
        "close_time_iso": "2026-11-21T03:05:24Z", "meta": meta,
        "tx_json": {"Account": GENESIS, "Destination": "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "DeliverMax": "100", "Fee": "10",
            "Sequence": sequence, "TransactionType": "Payment", "DestinationTag": 0, "date": 800_000_000 + index},
    })
}

/// Servers, and a pool over them.
pub struct World {
    fakes: Vec<Arc<Mutex<Fake>>>,
    pub supervisor: Supervisor,
    pub metrics: Arc<Metrics>,
}

struct Wire(Vec<Arc<Mutex<Fake>>>);

impl Transport for Wire {
    fn connect<'a>(&'a self, server: &'a ServerConfig) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let index: usize = server
                .url
                .trim_start_matches("ws://s")
                .parse()
                .expect("a url of the world");
            let fake = Arc::clone(&self.0[index]);
            let (socket, mut receiver) = mpsc::unbounded_channel();
            {
                let mut fake = fake.lock().unwrap();
                fake.connects.push(Instant::now());
                if let Some(error) = &fake.refuses {
                    return Err(error.clone());
                }
                fake.sockets.push(socket.clone());
            }
            let stream: FrameStream = Box::pin(futures_util::stream::poll_fn(move |cx| {
                receiver.poll_recv(cx)
            }));
            // Only weakly, so that hanging up ends the stream.
            let socket = socket.downgrade();
            let sink: FrameSink = Box::pin(futures_util::sink::unfold((), move |(), out| {
                let (fake, socket) = (Arc::clone(&fake), socket.clone());
                async move {
                    let Some(socket) = socket.upgrade() else {
                        return Err(LinkError::Broken("reset".into()));
                    };
                    fake.lock().unwrap().receive(out, &socket);
                    Ok(())
                }
            }));
            Ok(Link { sink, stream })
        })
    }
}

impl World {
    pub fn new(servers: usize) -> Self {
        Self {
            fakes: (0..servers)
                .map(|_| Arc::new(Mutex::new(Fake::new())))
                .collect(),
            supervisor: Supervisor::new(),
            metrics: Arc::new(Metrics::new().unwrap()),
        }
    }

    pub fn server(&self, index: usize) -> MutexGuard<'_, Fake> {
        self.fakes[index].lock().unwrap()
    }

    pub fn each(&self, change: impl Fn(&mut Fake)) {
        for index in 0..self.fakes.len() {
            change(&mut self.server(index));
        }
    }

    pub fn config(&self) -> PoolConfig {
        let server = |index| ServerConfig {
            name: format!("s{index}"),
            url: format!("ws://s{index}"),
            operator: format!("operator {index}"),
            priority: 0,
            voice: Voice::Counts,
            pins: Vec::new(),
        };
        PoolConfig {
            network_id: NETWORK,
            servers: (0..self.fakes.len()).map(server).collect(),
            quorum: 2.min(self.fakes.len()),
            ..PoolConfig::default()
        }
    }

    /// What the configuration says of the servers.
    pub fn members(&self) -> Members {
        let config = self.config();
        Members {
            servers: config.servers,
            quorum: config.quorum,
            submit_to: config.submit_to,
        }
    }

    pub fn start(&self) -> Pool {
        self.start_with(self.config())
    }

    pub fn start_with(&self, config: PoolConfig) -> Pool {
        let deps = Deps {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SeededEntropy::new(7)),
            metrics: Arc::clone(&self.metrics),
            supervisor: self.supervisor.clone(),
        };
        Pool::start_on(
            Arc::new(Wire(self.fakes.clone())),
            config,
            &[genesis()],
            deps,
        )
    }

    /// A pool whose servers are all in the given state.
    pub async fn ready(&self) -> Pool {
        let pool = self.start();
        for index in 0..self.fakes.len() {
            until(|| state(&pool, index) == "ready").await;
        }
        pool
    }

    /// How many frames of a kind a server sent that could not be used.
    pub fn odd_frames(&self, server: &str, kind: &str) -> u64 {
        self.metrics
            .xrpl_requests_total
            .with_label_values(&[server, "frame", kind])
            .get()
    }
}

pub fn genesis() -> AccountId {
    GENESIS.parse().unwrap()
}

pub fn state(pool: &Pool, server: usize) -> &'static str {
    pool.servers()[server].state.as_str()
}

/// Waits until something holds. Time is paused: this costs none, and a deadline far away says that
/// it never will.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(600);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn tip_at(pool: &Pool, index: u32) -> Tip {
    let mut tip = pool.tip();
    let waiting = tip.wait_for(|tip| tip.as_ref().is_some_and(|tip| tip.index.0 >= index));
    let found = tokio::time::timeout(Duration::from_secs(600), waiting)
        .await
        .expect("the tip never came");
    found.unwrap().clone().unwrap()
}
