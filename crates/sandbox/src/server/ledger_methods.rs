//! Methods about ledgers and their entries.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::ledger_added;
use super::ledger_data;
use super::render::{self, Delivered, hex};
use super::select::{self, Selected};
use crate::clock;
use crate::faults::Faults;
use crate::ledger::chain::{Applied, Ledger};
use crate::ledger::tx::Tx;
use crate::network::Net;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use xrpayd_core::ids::LedgerHash;

pub(super) fn ledger_current(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    Ok(json!({ "ledger_current_index": net.servers[call.server()].open.index }))
}

pub(super) fn ledger_closed(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let server = call.server();
    let ledger = net.chain(server).ledger(net.servers[server].closed);
    let ledger = ledger.ok_or_else(RpcError::ledger_not_found)?;
    Ok(json!({
        "ledger_hash": LedgerHash(ledger.header.hash),
        "ledger_index": ledger.header.index,
    }))
}

/// The number of the warning about a parameter that is out of use.
const WARNING_DEPRECATED: u32 = 2_004;

/// How a ledger's transactions are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Hashes,
    Expanded,
    Binary,
}

pub(super) fn ledger(call: &Call<'_>) -> Answer {
    let is_named = ["ledger", "ledger_hash", "ledger_index"]
        .iter()
        .any(|name| call.params.contains_key(*name));
    let mut out = if is_named {
        named_ledger(call)?
    } else {
        newest_ledgers(call)?
    };
    if call.params.contains_key("type") {
        out.insert("warnings".to_owned(), json!([{
            "id": WARNING_DEPRECATED,
            "message": "Some fields from your request are deprecated. Please check the documentation at https://xrpl.org/docs/references/http-websocket-apis/ and update your request. Field `type` is deprecated.",
        }]));
    }
    Ok(Value::Object(out))
}

/// What is told to whoever names no ledger: of the closed one and the open one, no more than the headers.
fn newest_ledgers(call: &Call<'_>) -> Result<Map<String, Value>, RpcError> {
    let net = call.shared.net();
    let view = &net.servers[call.server()];
    let closed = select::closed(&net, call.server(), view.validated)?;
    let open = Selected::Open {
        index: view.open.index,
    };
    let mut out = Map::new();
    for (name, selected) in [("closed", Selected::Closed(closed)), ("open", open)] {
        let body = bare_body(call, &net, &selected, false);
        out.insert(name.to_owned(), json!({ "ledger": body }));
    }
    Ok(out)
}

fn named_ledger(call: &Call<'_>) -> Result<Map<String, Value>, RpcError> {
    let (selected, open, parent, faults) = {
        let net = call.shared.net();
        let view = &net.servers[call.server()];
        let selected = select::select(call, &net)?;
        let parent = net
            .chain(call.server())
            .ledger(view.closed)
            .map(|parent| parent.header.hash);
        (selected, view.open.txs.clone(), parent, view.faults.clone())
    };
    let (full, binary) = (call.truthy("full"), call.truthy("binary"));
    let (transactions, accounts) = (
        full || call.truthy("transactions"),
        full || call.truthy("accounts"),
    );
    let expand = full || call.truthy("expand");
    let shown = match (transactions, expand, binary) {
        (false, _, _) => Shown::Nothing,
        (true, true, true) => Shown::Binary,
        (true, true, false) => Shown::Expanded,
        (true, false, _) => Shown::Hashes,
    };
    if accounts && !call.is_admin() {
        return Err(RpcError::no_permission());
    }
    if call.truthy("queue") && !matches!(selected, Selected::Open { .. }) {
        return Err(RpcError::invalid_params());
    }
    let mut body = match &selected {
        Selected::Open { index } => open_body(call.version, *index, parent, &open, shown),
        Selected::Closed(ledger) | Selected::Awaiting(ledger) => {
            closed_body(call.version, ledger, &faults, shown, binary)
        }
    };
    let mut out = selected.fields();
    let net = call.shared.net();
    if call.truthy("owner_funds") && shown == Shown::Expanded {
        ledger_added::owner_funds(&net, call.server(), &selected, &mut body);
    }
    if accounts {
        let state = ledger_data::whole(&net, call.server(), &selected)?;
        let state = state.iter().map(|(key, entry)| match (binary, expand) {
            (true, _) => json!({"hash": hex(&key.index()), "tx_blob": hex(&entry.to_node())}),
            (false, true) => Value::Object(render::entry(key, entry)),
            (false, false) => json!(hex(&key.index())),
        });
        body["accountState"] = state.collect();
    }
    out.insert("ledger".to_owned(), body);
    if call.truthy("queue") {
        let queue = ledger_added::queue_data(&net, call.server(), call.version, shown);
        if !queue.is_empty() {
            out.insert("queue_data".to_owned(), json!(queue));
        }
    }
    Ok(out)
}

/// What a ledger says of itself alone, without its transactions.
pub(super) fn bare_body(call: &Call<'_>, net: &Net, selected: &Selected, binary: bool) -> Value {
    let view = &net.servers[call.server()];
    match selected {
        Selected::Open { index } => {
            let parent = net.chain(call.server()).ledger(view.closed);
            let parent = parent.map(|parent| parent.header.hash);
            open_body(call.version, *index, parent, &[], Shown::Nothing)
        }
        Selected::Closed(ledger) | Selected::Awaiting(ledger) => {
            closed_body(call.version, ledger, &view.faults, Shown::Nothing, binary)
        }
    }
}

/// Version 1 prints a ledger's index as text.
fn index_value(index: u32, version: u32) -> Value {
    if version > 1 {
        json!(index)
    } else {
        json!(index.to_string())
    }
}

fn open_body(
    version: u32,
    index: u32,
    parent: Option<[u8; 32]>,
    txs: &[Arc<Tx>],
    shown: Shown,
) -> Value {
    let mut out = json!({
        "closed": false,
        "ledger_index": index_value(index, version),
        "parent_hash": LedgerHash(parent.unwrap_or_default()),
    });
    if shown != Shown::Nothing {
        // An open ledger too lists its transactions by their hashes, not as they came.
        let mut ordered: Vec<&Arc<Tx>> = txs.iter().collect();
        ordered.sort_unstable_by_key(|tx| tx.hash);
        let list: Vec<Value> = ordered
            .into_iter()
            .map(|tx| open_transaction(tx, version, shown))
            .collect();
        out["transactions"] = json!(list);
    }
    out
}

/// A transaction that no ledger has yet, as it is shown.
pub(super) fn open_transaction(tx: &Tx, version: u32, shown: Shown) -> Value {
    match shown {
        Shown::Nothing | Shown::Hashes => json!(tx.hash),
        Shown::Binary if version > 1 => json!({"hash": tx.hash, "tx_blob": hex(&tx.blob)}),
        Shown::Binary => json!({"tx_blob": hex(&tx.blob)}),
        Shown::Expanded => {
            let fields = render::tx_json(&tx.blob, tx.hash, version);
            if version > 1 {
                json!({"hash": tx.hash, "tx_json": fields, "validated": false})
            } else {
                Value::Object(fields)
            }
        }
    }
}

fn closed_body(
    version: u32,
    ledger: &Ledger,
    faults: &Faults,
    shown: Shown,
    binary: bool,
) -> Value {
    let header = &ledger.header;
    let mut out = if binary {
        json!({ "closed": true, "ledger_data": hex(&header.to_bytes()) })
    } else {
        json!({
            "account_hash": LedgerHash(header.account_hash),
            "close_flags": header.close_flags,
            "close_time": header.close_time,
            "close_time_human": clock::human(header.close_time),
            "close_time_iso": clock::iso(header.close_time),
            "close_time_resolution": crate::ledger::close::CLOSE_RESOLUTION_S,
            "closed": true,
            "ledger_hash": LedgerHash(header.hash),
            "ledger_index": index_value(header.index, version),
            "parent_close_time": header.parent_close_time,
            "parent_hash": LedgerHash(header.parent_hash),
            "total_coins": header.total_drops.to_string(),
            "transaction_hash": LedgerHash(header.transaction_hash),
        })
    };
    if shown != Shown::Nothing {
        let visible = ledger
            .txs
            .iter()
            .filter(|tx| !faults.hides(tx.hash, &tx.accounts));
        let mut list: Vec<&Applied> = visible.collect();
        // The ledger's tree lists its transactions by their hashes.
        list.sort_unstable_by_key(|tx| tx.hash);
        let list: Vec<Value> = list
            .into_iter()
            .map(|tx| closed_transaction(version, ledger, tx, faults, shown))
            .collect();
        out["transactions"] = json!(list);
    }
    out
}

fn closed_transaction(
    version: u32,
    ledger: &Ledger,
    tx: &Applied,
    faults: &Faults,
    shown: Shown,
) -> Value {
    match shown {
        Shown::Nothing | Shown::Hashes => json!(tx.hash),
        Shown::Binary if version > 1 => {
            json!({"hash": tx.hash, "meta_blob": hex(&tx.meta), "tx_blob": hex(&tx.blob)})
        }
        Shown::Binary => json!({"meta": hex(&tx.meta), "tx_blob": hex(&tx.blob)}),
        Shown::Expanded => {
            let mut fields = render::tx_json(&tx.blob, tx.hash, version);
            let meta = render::meta(tx, faults, Delivered::Shown);
            if version > 1 {
                return render::validated(&ledger.header, tx.hash, fields, meta);
            }
            fields.insert("metaData".to_owned(), meta);
            Value::Object(fields)
        }
    }
}
