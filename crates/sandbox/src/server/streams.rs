//! Subscriptions: who is told what, and the one publisher of each server.
//!
//! Owns each server's subscribers. A publisher takes the server's events in order and renders each
//! message once for each API version; `ledgerClosed` comes before the ledger's transactions. A client
//! whose queue is full is cut off, as rippled does with slow readers.

use super::history::{self, History};
use super::path_request::PathRequest;
use super::render::{self, Delivered};
use super::shared::Shared;
use super::{book_changes, books, path_find};
use crate::clock;
use crate::faults::Faults;
use crate::ledger::chain::{Applied, Header, Ledger};
use crate::ledger::codes::Ter;
use crate::ledger::rules::offer::Book;
use crate::ledger::rules::{Fees, Mode};
use crate::ledger::tx::Tx;
use crate::network::{Event, Load, Net};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, TxHash};

/// What goes to a client's socket.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(Utf8Bytes),
    Close(CloseFrame),
}

/// Messages that may wait for a slow client.
pub(crate) const QUEUE_MAX: usize = 65_536;

/// The streams that a client may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Ledger,
    Transactions,
    TransactionsProposed,
    Server,
    BookChanges,
    /// A stream that exists and on which the model never has news.
    Silent(&'static str),
}

impl Stream {
    /// The stream of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        const SILENT: [&str; 5] = [
            "validations",
            "consensus",
            "manifests",
            "peer_status",
            "ledger_data",
        ];
        Some(match name {
            "ledger" => Self::Ledger,
            "transactions" => Self::Transactions,
            "transactions_proposed" | "rt_transactions" => Self::TransactionsProposed,
            "server" => Self::Server,
            "book_changes" => Self::BookChanges,
            other => Self::Silent(SILENT.into_iter().find(|silent| *silent == other)?),
        })
    }
}

/// One client's subscriptions.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) out: mpsc::Sender<Outgoing>,
    /// The API version of the latest subscription.
    pub(crate) version: u32,
    /// The validated ledger at the latest subscription to ledgers: older news is not news.
    pub(crate) since: u32,
    pub(crate) streams: BTreeSet<Stream>,
    pub(crate) accounts: BTreeSet<AccountId>,
    pub(crate) accounts_proposed: BTreeSet<AccountId>,
    pub(crate) books: BTreeSet<Book>,
    pub(crate) histories: BTreeMap<AccountId, History>,
    /// A search for paths that is answered again with every ledger.
    pub(crate) paths: Option<PathRequest>,
}

impl Subscriber {
    /// A client that has subscribed to nothing yet.
    pub(crate) const fn new(out: mpsc::Sender<Outgoing>) -> Self {
        Self {
            out,
            version: 1,
            since: 0,
            streams: BTreeSet::new(),
            accounts: BTreeSet::new(),
            accounts_proposed: BTreeSet::new(),
            books: BTreeSet::new(),
            histories: BTreeMap::new(),
            paths: None,
        }
    }

    /// Whether it has subscribed to nothing, or to nothing any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty()
            && self.accounts.is_empty()
            && self.accounts_proposed.is_empty()
            && self.books.is_empty()
    }

    fn wants_book(&self, touched: &BTreeSet<Book>) -> bool {
        !touched.is_disjoint(&self.books)
    }

    fn has(&self, stream: Stream) -> bool {
        self.streams.contains(&stream)
    }

    fn wants_validated(&self, accounts: &[AccountId]) -> bool {
        let mine = |id| self.accounts.contains(id) || self.accounts_proposed.contains(id);
        !(self.accounts.is_empty() && self.accounts_proposed.is_empty())
            && accounts.iter().any(mine)
    }

    fn tell(&self, message: &Utf8Bytes) -> bool {
        self.out.try_send(Outgoing::Text(message.clone())).is_ok()
    }
}

/// One server's clients.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    pub(crate) clients: BTreeMap<u64, Subscriber>,
}

impl Subscribers {
    /// Whether anyone wants to hear of proposed transactions.
    pub(crate) fn proposed_wanted(&self) -> bool {
        self.clients.values().any(|client| {
            client.has(Stream::TransactionsProposed) || !client.accounts_proposed.is_empty()
        })
    }

    /// Whether anyone wants to hear of the server's status.
    pub(crate) fn status_wanted(&self) -> bool {
        self.clients
            .values()
            .any(|client| client.has(Stream::Server))
    }

    /// Tells each client `copies` times, and forgets those who cannot keep up.
    fn tell(
        &mut self,
        mut render: impl FnMut(u32) -> Utf8Bytes,
        copies: impl Fn(&Subscriber) -> usize,
    ) {
        let mut rendered: BTreeMap<u32, Utf8Bytes> = BTreeMap::new();
        let mut slow = Vec::new();
        for (&id, client) in &self.clients {
            for _ in 0..copies(client) {
                let version = client.version;
                let message = rendered.entry(version).or_insert_with(|| render(version));
                if !client.tell(message) {
                    slow.push(id);
                    break;
                }
            }
        }
        for id in slow {
            self.clients.remove(&id);
        }
    }
}

/// The close frame for a client that does not read.
pub(crate) fn too_slow() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Policy,
        reason: Utf8Bytes::from_static("Policy error: client is too slow."),
    }
}

/// Tells a server's subscribers of its events until the network stops.
pub(crate) async fn publish(
    shared: Arc<Shared>,
    server: usize,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Closed {
                ledger,
                first_index,
            } => {
                closed(&shared, server, &ledger, first_index);
                path_find::update(&shared, server, None);
                tokio::task::yield_now().await;
            }
            Event::Late { due_us } => {
                let left_us = due_us.saturating_sub(clock::unix_us());
                tokio::time::sleep(Duration::from_micros(left_us)).await;
                shared.net().follow(server);
            }
            Event::Paths { client } => path_find::update(&shared, server, Some(client)),
            Event::Status(load) => status(&shared, server, &load),
            Event::Proposed {
                tx,
                result,
                current,
            } => proposed(&shared, server, &tx, result, current),
        }
    }
}

fn closed(shared: &Shared, server: usize, ledger: &Ledger, first_index: u32) {
    if shared.subscribers(server).clients.is_empty() {
        return;
    }
    let (faults, funds) = {
        let net = shared.net();
        let funds = funds_of_offers(&net, server, ledger);
        (net.servers[server].faults.clone(), funds)
    };
    let mut subscribers = shared.subscribers(server);
    let index = ledger.header.index;
    let news =
        |client: &Subscriber, stream| usize::from(client.has(stream) && client.since < index);
    subscribers.tell(
        |_| {
            ledger_closed(ledger, first_index, shared.network_id)
                .to_string()
                .into()
        },
        |client| news(client, Stream::Ledger),
    );
    subscribers.tell(
        |_| book_changes::message(ledger).to_string().into(),
        |client| news(client, Stream::BookChanges),
    );
    let minds_books = subscribers
        .clients
        .values()
        .any(|client| !client.books.is_empty());
    for tx in ledger
        .txs
        .iter()
        .filter(|tx| !faults.hides(tx.hash, &tx.accounts))
    {
        let touched = if minds_books {
            book_changes::touched(tx)
        } else {
            BTreeSet::new()
        };
        let funds = funds.get(&tx.hash).map(String::as_str);
        subscribers.tell(
            |version| {
                validated(ledger, tx, &faults, funds, version)
                    .to_string()
                    .into()
            },
            |client| {
                let streams = [Stream::Transactions, Stream::TransactionsProposed];
                let copies = streams
                    .into_iter()
                    .filter(|stream| client.has(*stream))
                    .count();
                let copies = copies
                    + usize::from(client.wants_book(&touched))
                    + usize::from(client.wants_validated(&tx.accounts));
                if client.since < index { copies } else { 0 }
            },
        );
    }
    history::publish(&mut subscribers, ledger, |tx, version| {
        let funds = funds.get(&tx.hash).map(String::as_str);
        (!faults.hides(tx.hash, &tx.accounts))
            .then(|| validated(ledger, tx, &faults, funds, version))
    });
}

fn proposed(shared: &Shared, server: usize, tx: &Tx, result: Ter, current: u32) {
    let funds = book_changes::made_offer(&tx.blob).and_then(|(owner, gives)| {
        let net = shared.net();
        let setting = net.servers[server].open.setting(Mode::Open);
        books::owner_funds(&net.open_view(server), &setting, owner, &gives)
    });
    let mut subscribers = shared.subscribers(server);
    let mentioned = tx.mentioned();
    subscribers.tell(
        |version| {
            proposed_message(tx, result, current, funds.as_deref(), version)
                .to_string()
                .into()
        },
        |client| {
            let mine = |id: &AccountId| client.accounts_proposed.contains(id);
            usize::from(client.has(Stream::TransactionsProposed))
                + usize::from(mentioned.iter().any(mine))
        },
    );
}

fn status(shared: &Shared, server: usize, load: &Load) {
    let state = shared.net().servers[server].faults.condition.state;
    shared.subscribers(server).tell(
        |_| super::info::server_status(load, state).to_string().into(),
        |client| usize::from(client.has(Stream::Server)),
    );
}

/// A range of ledgers as text.
pub(crate) fn range(first: u32, last: u32) -> String {
    if first >= last {
        last.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// What is told of a validated ledger, by a server that has all ledgers from `first` to `last`: to whoever
/// subscribes, and to subscribers of each that follows.
pub(super) fn ledger_facts(header: &Header, first: u32, last: u32) -> Map<String, Value> {
    let facts = [
        ("fee_base", json!(Fees::MODEL.base)),
        ("ledger_hash", json!(LedgerHash(header.hash))),
        ("ledger_index", json!(header.index)),
        ("ledger_time", json!(header.close_time)),
        ("reserve_base", json!(Fees::MODEL.reserve_base)),
        ("reserve_inc", json!(Fees::MODEL.reserve_increment)),
        ("validated_ledgers", json!(range(first, last))),
    ];
    let named = facts.map(|(name, value)| (name.to_owned(), value));
    named.into_iter().collect()
}

fn ledger_closed(ledger: &Ledger, first_index: u32, network_id: u32) -> Value {
    let header = &ledger.header;
    let mut message = Value::Object(ledger_facts(header, first_index, header.index));
    message["type"] = json!("ledgerClosed");
    message["txn_count"] = json!(ledger.txs.len());
    if network_id != 0 {
        message["network_id"] = json!(network_id);
    }
    message
}

fn with_result(message: &mut Map<String, Value>, result: Ter) {
    message.insert("engine_result".to_owned(), json!(result.name()));
    message.insert("engine_result_code".to_owned(), json!(result.number()));
    message.insert("engine_result_message".to_owned(), json!(result.message()));
    message.insert("type".to_owned(), json!("transaction"));
}

fn with_transaction(
    message: &mut Map<String, Value>,
    mut tx: Map<String, Value>,
    hash: Value,
    version: u32,
) {
    if version > 1 {
        message.insert("hash".to_owned(), hash);
        message.insert("tx_json".to_owned(), Value::Object(tx));
    } else {
        tx.insert("hash".to_owned(), hash);
        message.insert("transaction".to_owned(), Value::Object(tx));
    }
}

/// What the senders of a ledger's offers have of what they give, once the ledger is closed.
fn funds_of_offers(net: &Net, server: usize, ledger: &Ledger) -> HashMap<TxHash, String> {
    let offers = ledger
        .txs
        .iter()
        .filter_map(|tx| book_changes::made_offer(&tx.blob).map(|made| (tx.hash, made)));
    let mut offers = offers.peekable();
    let state = net.chain(server).state_at(ledger.header.index);
    let (Some(_), Some(state)) = (offers.peek(), state) else {
        return HashMap::new();
    };
    let setting = net.servers[server].open.setting(Mode::CloseFinal);
    offers
        .filter_map(|(hash, (owner, gives))| {
            books::owner_funds(&state, &setting, owner, &gives).map(|funds| (hash, funds))
        })
        .collect()
}

pub(super) fn validated(
    ledger: &Ledger,
    tx: &Applied,
    faults: &Faults,
    owner_funds: Option<&str>,
    version: u32,
) -> Value {
    let header = &ledger.header;
    let mut fields = render::tx_json(&tx.blob, tx.hash, version);
    if let Some(funds) = owner_funds {
        fields.insert("owner_funds".to_owned(), json!(funds));
    }
    fields.insert("date".to_owned(), json!(header.close_time));
    let mut message = Map::new();
    let claimed = Ter::from_name(render::claimed_result(faults, tx)).unwrap_or(tx.result);
    with_result(&mut message, claimed);
    with_transaction(&mut message, fields, json!(tx.hash), version);
    message.insert(
        "close_time_iso".to_owned(),
        json!(clock::iso(header.close_time)),
    );
    message.insert("ledger_hash".to_owned(), json!(LedgerHash(header.hash)));
    message.insert("ledger_index".to_owned(), json!(header.index));
    message.insert(
        "meta".to_owned(),
        render::meta(tx, faults, Delivered::Shown),
    );
    message.insert("status".to_owned(), json!("closed"));
    message.insert("validated".to_owned(), json!(true));
    Value::Object(message)
}

fn proposed_message(
    tx: &Tx,
    result: Ter,
    current: u32,
    owner_funds: Option<&str>,
    version: u32,
) -> Value {
    let mut message = Map::new();
    with_result(&mut message, result);
    let mut fields = render::tx_json(&tx.blob, tx.hash, version);
    if let Some(funds) = owner_funds {
        fields.insert("owner_funds".to_owned(), json!(funds));
    }
    with_transaction(&mut message, fields, json!(tx.hash), version);
    message.insert("ledger_current_index".to_owned(), json!(current));
    message.insert("status".to_owned(), json!("proposed"));
    message.insert("validated".to_owned(), json!(false));
    Value::Object(message)
}
