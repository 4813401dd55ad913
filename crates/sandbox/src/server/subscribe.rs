//! `subscribe` and `unsubscribe`.

use super::books;
use super::dispatch::{Answer, Call, Transport};
use super::frame::RpcError;
use super::history;
use super::select::{self, Selected};
use super::streams::{Stream, ledger_facts};
use crate::condition::State;
use crate::config::CloseInterval;
use crate::ledger::rules::offer::Book;
use crate::network::Net;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;

/// What a request names.
struct Named {
    streams: BTreeSet<Stream>,
    accounts: BTreeSet<AccountId>,
    accounts_proposed: BTreeSet<AccountId>,
    books: Vec<books::Subscribed>,
}

impl Named {
    /// Every book that is meant, on both sides where that is asked for.
    fn all_books(&self) -> impl Iterator<Item = Book> + '_ {
        self.books.iter().flat_map(|subscribed| {
            let other = subscribed.both.then(|| subscribed.book.reversed());
            std::iter::once(subscribed.book).chain(other)
        })
    }
}

fn named(call: &Call<'_>) -> Result<Named, RpcError> {
    let mut streams = BTreeSet::new();
    if let Some(list) = call.params.get("streams") {
        for name in list.as_array().ok_or_else(RpcError::invalid_params)? {
            let stream = name.as_str().and_then(Stream::named);
            streams.insert(stream.ok_or_else(RpcError::stream_malformed)?);
        }
    }
    let old_name = if call.params.contains_key("rt_accounts") {
        "rt_accounts"
    } else {
        "accounts_proposed"
    };
    Ok(Named {
        streams,
        accounts_proposed: accounts(call, old_name)?,
        accounts: accounts(call, "accounts")?,
        books: books::subscribed(call.params)?,
    })
}

fn accounts(call: &Call<'_>, name: &str) -> Result<BTreeSet<AccountId>, RpcError> {
    let Some(list) = call.params.get(name) else {
        return Ok(BTreeSet::new());
    };
    let list = list.as_array().ok_or_else(RpcError::invalid_params)?;
    let parse = |item: &Value| item.as_str().and_then(|text| text.parse().ok());
    let parsed: Option<BTreeSet<AccountId>> = list.iter().map(parse).collect();
    parsed
        .filter(|accounts| !accounts.is_empty())
        .ok_or_else(RpcError::account_malformed)
}

/// News need a connection on which they can come.
fn needs_connection(call: &Call<'_>) -> Result<(), RpcError> {
    match call.client.transport {
        Transport::WebSocket => Ok(()),
        Transport::Http if call.params.contains_key("url") => Err(RpcError::not_supported_because(
            "The model calls nobody back over HTTP.",
        )),
        Transport::Http => Err(RpcError::invalid_params()),
    }
}

pub(super) fn subscribe(call: &Call<'_>) -> Answer {
    needs_connection(call)?;
    let named = named(call)?;
    let history = history::account(call)?;
    let server = call.server();
    let mut out = Map::new();
    let complete = {
        let mut net = call.shared.net();
        let view = &net.servers[server];
        let (validated, first) = (view.validated, net.first_index(server));
        let complete = view.complete;
        if named.streams.contains(&Stream::Ledger)
            && let Some(ledger) = net.chain(server).ledger(validated)
        {
            out.extend(ledger_facts(&ledger.header, first, complete));
        }
        if named.streams.contains(&Stream::Server) {
            let random = super::render::hex(&net.random.bytes32());
            let load_factor = net.load(server).server;
            let state = net.servers[server].faults.condition.state;
            server_fields(call, &mut out, &random, load_factor, state);
        }
        for subscribed in named.books.iter().filter(|book| book.snapshot) {
            snapshot(&net, server, subscribed, &mut out)?;
        }
        complete
    };
    {
        let mut subscribers = call.shared.subscribers(server);
        if let Some(client) = subscribers.clients.get_mut(&call.client.id) {
            if client.is_idle() {
                client.since = complete;
            }
            client.version = call.version;
            client.books.extend(named.all_books());
            client.streams.extend(named.streams);
            client.accounts.extend(named.accounts);
            client.accounts_proposed.extend(named.accounts_proposed);
        }
    }
    call.shared.note_wanted(server);
    if let Some(account) = history {
        history::subscribe(call, account)?;
        out.insert("warning".to_owned(), json!(history::WARNING));
    }
    Ok(Value::Object(out))
}

/// Shows what is offered in the newest validated ledger.
fn snapshot(
    net: &Net,
    server: usize,
    subscribed: &books::Subscribed,
    out: &mut Map<String, Value>,
) -> Result<(), RpcError> {
    let ledger = select::closed(net, server, net.servers[server].validated)?;
    let selected = Selected::Closed(ledger);
    let setting = selected.setting(net, server);
    let mut add = |name: &str, book: Book| {
        let rows = selected.with_state(net, server, |view| {
            books::page(view, &setting, &book, subscribed.taker, books::PAGE_USUAL)
        })?;
        let rows = rows.map_err(|_| RpcError::internal())?;
        let list = out.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.extend(rows);
        }
        Ok(())
    };
    if subscribed.both {
        add("bids", subscribed.book)?;
        add("asks", subscribed.book.reversed())
    } else {
        add("offers", subscribed.book)
    }
}

fn server_fields(
    call: &Call<'_>,
    out: &mut Map<String, Value>,
    random: &str,
    load_factor: u64,
    state: State,
) {
    let fields = json!({
        "hostid": super::info::host_id(call),
        "load_base": 256,
        "load_factor": load_factor,
        "pubkey_node": super::info::node_key(call.server()),
        "random": random,
        "server_status": state.name(),
    });
    if let Value::Object(fields) = fields {
        out.extend(fields);
    }
    // A server that closes by the clock plays one of a network; one that waits for `ledger_accept`
    // stands alone, as the recorded one did.
    if call.shared.close_interval == CloseInterval::Manual {
        out.insert("stand_alone".to_owned(), Value::Bool(true));
    }
}

pub(super) fn unsubscribe(call: &Call<'_>) -> Answer {
    needs_connection(call)?;
    let named = named(call)?;
    {
        let mut subscribers = call.shared.subscribers(call.server());
        if let Some(client) = subscribers.clients.get_mut(&call.client.id) {
            client
                .streams
                .retain(|stream| !named.streams.contains(stream));
            client
                .accounts
                .retain(|account| !named.accounts.contains(account));
            client
                .accounts_proposed
                .retain(|account| !named.accounts_proposed.contains(account));
            for book in named.all_books() {
                client.books.remove(&book);
            }
        }
    }
    if let Some(account) = history::account(call)? {
        history::unsubscribe(call, account);
    }
    call.shared.note_wanted(call.server());
    Ok(json!({}))
}
