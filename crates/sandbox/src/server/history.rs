//! `account_history_tx_stream`: an account's past, newest first, and then its news, all numbered.
//!
//! Owns what a client has been told of each account. The past is sent after the answer to the
//! subscription, as fast as the client reads; news of later ledgers may come in between, as on a real
//! server, and their numbers tell which is which.

use super::dispatch::{Call, Client};
use super::frame::RpcError;
use super::shared::Shared;
use super::streams::{self, Outgoing, Subscribers};
use crate::decoded;
use crate::ledger::chain::{Applied, Ledger, Place};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use xrpayd_core::address::AccountId;

/// The name of the parameter.
pub(super) const PARAMETER: &str = "account_history_tx_stream";
/// What a server says to whoever subscribes.
pub(super) const WARNING: &str =
    "account_history_tx_stream is an experimental feature and likely to be removed in the future";

/// What a client is told of one account.
#[derive(Debug)]
pub(crate) struct History {
    /// News are of later ledgers than this; the past is up to it.
    after: u32,
    /// The number of the next piece of news.
    next: i64,
    /// Whether there is a past, so that no piece of news is the account's first.
    has_past: bool,
    past: Past,
}

/// How far the telling of the past has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Untold,
    Telling,
    Stopped,
}

/// The account that a request names, if it names this stream.
pub(super) fn account(call: &Call<'_>) -> Result<Option<AccountId>, RpcError> {
    let Some(asked) = call.params.get(PARAMETER) else {
        return Ok(None);
    };
    let account = asked.get("account").and_then(Value::as_str);
    let account = account.and_then(|text| text.parse().ok());
    account.map(Some).ok_or_else(RpcError::invalid_params)
}

/// Subscribes a client to an account's history. Twice is an error.
pub(super) fn subscribe(call: &Call<'_>, account: AccountId) -> Result<(), RpcError> {
    let (after, has_past) = {
        let net = call.shared.net();
        let after = net.servers[call.server()].complete;
        let past = net.chain(call.server()).history(account);
        (after, past.is_some_and(|places| !places.is_empty()))
    };
    let mut subscribers = call.shared.subscribers(call.server());
    let Some(client) = subscribers.clients.get_mut(&call.client.id) else {
        return Ok(());
    };
    if client.histories.contains_key(&account) {
        return Err(RpcError::invalid_params());
    }
    let history = History {
        after,
        next: 0,
        has_past,
        past: Past::Untold,
    };
    client.histories.insert(account, history);
    Ok(())
}

/// Ends a subscription, or only the telling of the past.
pub(super) fn unsubscribe(call: &Call<'_>, account: AccountId) {
    let only_past = call.params.get(PARAMETER).is_some_and(|asked| {
        asked.get("stop_history_tx_only").and_then(Value::as_bool) == Some(true)
    });
    let mut subscribers = call.shared.subscribers(call.server());
    let Some(client) = subscribers.clients.get_mut(&call.client.id) else {
        return;
    };
    if only_past {
        if let Some(history) = client.histories.get_mut(&account) {
            history.past = Past::Stopped;
        }
    } else {
        client.histories.remove(&account);
    }
}

/// Tells a client the past of the accounts that it has just subscribed to.
pub(crate) async fn tell_past(shared: &Shared, client: &Client, out: &mpsc::Sender<Outgoing>) {
    while let Some(untold) = next_untold(shared, client) {
        let places = past(shared, client.server, &untold);
        for (count, place) in (1_i64..).zip(&places) {
            if is_stopped(shared, client, untold.account) {
                break;
            }
            let older = usize::try_from(count).ok().and_then(|at| places.get(at));
            let boundary = older.is_none_or(|older| older.ledger != place.ledger);
            let Some((message, is_first)) = told(shared, client, &untold, *place) else {
                continue;
            };
            let message = numbered(message, -count, boundary, is_first);
            let sent = out.send(Outgoing::Text(message.to_string().into()));
            if sent.await.is_err() {
                return;
            }
            if is_first {
                break;
            }
        }
    }
}

/// An account whose past a client is to be told.
struct Untold {
    account: AccountId,
    up_to: u32,
    version: u32,
}

fn next_untold(shared: &Shared, client: &Client) -> Option<Untold> {
    let mut subscribers = shared.subscribers(client.server);
    let client = subscribers.clients.get_mut(&client.id)?;
    let version = client.version;
    let waiting = |history: &History| history.past == Past::Untold;
    let mut histories = client.histories.iter_mut();
    let (account, history) = histories.find(|(_, history)| waiting(history))?;
    history.past = Past::Telling;
    Some(Untold {
        account: *account,
        up_to: history.after,
        version,
    })
}

/// Whether the client has had enough of the past.
fn is_stopped(shared: &Shared, client: &Client, account: AccountId) -> bool {
    let subscribers = shared.subscribers(client.server);
    let client = subscribers.clients.get(&client.id);
    let history = client.and_then(|client| client.histories.get(&account));
    history.is_none_or(|history| history.past != Past::Telling)
}

/// Where the transactions of the past stand, newest first.
fn past(shared: &Shared, server: usize, untold: &Untold) -> Vec<Place> {
    let net = shared.net();
    let first = net.first_index(server);
    let places = net.chain(server).history(untold.account);
    let known = |place: &&Place| (first..=untold.up_to).contains(&place.ledger);
    places
        .into_iter()
        .flatten()
        .rev()
        .filter(known)
        .copied()
        .collect()
}

fn told(shared: &Shared, client: &Client, untold: &Untold, place: Place) -> Option<(Value, bool)> {
    let (ledger, faults) = {
        let net = shared.net();
        let ledger = net.chain(client.server).ledger(place.ledger)?;
        let faults = net.servers[client.server].faults.clone();
        (Arc::clone(ledger), faults)
    };
    let tx = ledger.txs.get(usize::try_from(place.position).ok()?)?;
    let message = streams::validated(&ledger, tx, &faults, None, untold.version);
    Some((message, creates(tx, untold.account)))
}

fn numbered(mut message: Value, number: i64, boundary: bool, is_first: bool) -> Value {
    message["account_history_tx_index"] = json!(number);
    if boundary {
        message["account_history_boundary"] = json!(true);
    }
    if is_first {
        message["account_history_tx_first"] = json!(true);
    }
    message
}

/// Whether the transaction made the account.
fn creates(tx: &Applied, account: AccountId) -> bool {
    let meta = decoded::object(&tx.meta);
    let nodes = meta.get("AffectedNodes").and_then(Value::as_array);
    nodes.into_iter().flatten().any(|node| {
        let made = &node["CreatedNode"];
        made["LedgerEntryType"] == "AccountRoot" && made["NewFields"]["Account"] == json!(account)
    })
}

/// Tells a ledger's transactions to those who follow the accounts that they touch. `render` makes the
/// message for an API version; there is none of a transaction that a server hides.
pub(super) fn publish(
    subscribers: &mut Subscribers,
    ledger: &Ledger,
    render: impl Fn(&Applied, u32) -> Option<Value>,
) {
    let index = ledger.header.index;
    for client in subscribers.clients.values_mut() {
        if client.histories.is_empty() {
            continue;
        }
        let last = ledger.txs.len();
        for (count, tx) in (1..).zip(&ledger.txs) {
            for account in &tx.accounts {
                let Some(history) = client.histories.get_mut(account) else {
                    continue;
                };
                if index <= history.after {
                    continue;
                }
                let Some(message) = render(tx, client.version) else {
                    continue;
                };
                let is_first = history.next == 0 && !history.has_past;
                let message = numbered(message, history.next, count == last, is_first);
                history.next += 1;
                // A client that does not keep up is cut off by the streams that it shares with others,
                // or by the socket; here its news are lost.
                let _full = client
                    .out
                    .try_send(Outgoing::Text(message.to_string().into()));
            }
        }
    }
}
