//! Old ways to ask for ledgers and transactions, which only version 1 has, and the administrators' way.
//!
//! Owns nothing.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::ledger_methods::bare_body;
use super::render::{self, hex};
use super::select::{self, Selected};
use crate::ledger::entry::Key;
use crate::ledger::rules::directory;
use crate::ledger::state::Read;
use crate::network::Net;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerHash;

/// Transactions that `tx_history` lists at once.
const PAGE: usize = 20;
/// How far back strangers may go.
const START_MAX: u64 = 10_000;

/// `tx_history`: the newest transactions of all, from the `start`th.
pub(super) fn tx_history(call: &Call<'_>) -> Answer {
    let start = call.params.get("start");
    let start = start.ok_or_else(RpcError::invalid_params)?;
    let start = start.as_u64().ok_or_else(RpcError::internal)?;
    if start > START_MAX && !call.is_admin() {
        return Err(RpcError::no_permission());
    }
    let skipped = usize::try_from(start).unwrap_or(usize::MAX);
    let net = call.shared.net();
    let view = &net.servers[call.server()];
    let chain = net.chain(call.server());
    let newest = (chain.first_index()..=view.validated).rev();
    let rows = newest
        .filter(|&index| view.has_ledger(index))
        .filter_map(|index| chain.ledger(index))
        .flat_map(|ledger| ledger.txs.iter().map(move |tx| (ledger, tx)))
        .filter(|(_, tx)| !view.faults.hides(tx.hash, &tx.accounts));
    let txs: Vec<Value> = rows
        .skip(skipped)
        .take(PAGE)
        .map(|(ledger, tx)| {
            let mut fields = render::tx_json(&tx.blob, tx.hash, call.version);
            fields.insert("inLedger".to_owned(), json!(ledger.header.index));
            fields.insert("ledger_index".to_owned(), json!(ledger.header.index));
            Value::Object(fields)
        })
        .collect();
    Ok(json!({ "index": start, "txs": txs }))
}

/// `ledger_header`: a ledger's header in both forms.
pub(super) fn ledger_header(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let mut out = selected.fields();
    if let Selected::Closed(ledger) | Selected::Awaiting(ledger) = &selected {
        let bytes = hex(&ledger.header.to_bytes());
        out.insert("ledger_data".to_owned(), json!(bytes));
    }
    let body = bare_body(call, &net, &selected, false);
    out.insert("ledger".to_owned(), body);
    Ok(Value::Object(out))
}

/// `ledger_request`: fetches a ledger from other servers, which have none that this one lacks.
pub(super) fn ledger_request(call: &Call<'_>) -> Answer {
    const ONE_OF: &str = "Exactly one of ledger_hash and ledger_index can be set.";
    let net = call.shared.net();
    let server = call.server();
    let validated = net.servers[server].validated;
    let index = match (
        call.params.get("ledger_hash"),
        call.params.get("ledger_index"),
    ) {
        (Some(hash), None) => {
            let hash = hash.as_str().and_then(|text| text.parse().ok());
            let hash: LedgerHash = hash.ok_or_else(|| RpcError::invalid_field("ledger_hash"))?;
            match net.chain(server).index_of(&hash.0) {
                Some(index) => index,
                None => return Ok(sought(hash)),
            }
        }
        (None, Some(index)) => {
            let malformed = || RpcError::invalid_field("ledger_index");
            let index = index.as_i64().ok_or_else(malformed)?;
            if index >= i64::from(validated) {
                return Err(RpcError::invalid("Ledger index too large"));
            }
            let small = || RpcError::invalid("Ledger index too small");
            let index = u32::try_from(index).ok().filter(|&index| index > 0);
            index.ok_or_else(small)?
        }
        _ => return Err(RpcError::invalid(ONE_OF)),
    };
    let selected = Selected::Closed(select::closed(&net, server, index)?);
    let body = bare_body(call, &net, &selected, false);
    Ok(json!({ "ledger": body, "ledger_index": index }))
}

/// A ledger that is asked for among peers, of which nothing has come.
fn sought(hash: LedgerHash) -> Value {
    json!({ "hash": hash, "have_header": false, "peers": 0, "timeouts": 0 })
}

/// `owner_info`: offers and lines of an account, in the closed ledger and in the open one.
pub(super) fn owner_info(call: &Call<'_>) -> Answer {
    let name = call
        .params
        .get("account")
        .or_else(|| call.params.get("ident"));
    let name = name.ok_or_else(|| RpcError::missing("account"))?;
    let Some(id) = name
        .as_str()
        .and_then(|text| text.parse::<AccountId>().ok())
    else {
        let malformed = json!({
            "error": "actMalformed",
            "error_code": 35,
            "error_message": "Account malformed.",
        });
        return Ok(json!({ "accepted": malformed, "current": malformed }));
    };
    let net = call.shared.net();
    let server = call.server();
    let closed = Selected::Closed(select::closed(&net, server, net.servers[server].validated)?);
    let open = Selected::Open {
        index: net.servers[server].open.index,
    };
    let owned = |selected: &Selected| owned_of(&net, server, selected, id);
    Ok(json!({ "accepted": owned(&closed)?, "current": owned(&open)? }))
}

fn owned_of(
    net: &Net,
    server: usize,
    selected: &Selected,
    owner: AccountId,
) -> Result<Value, RpcError> {
    selected.with_state(net, server, |state| {
        let mut lists: Map<String, Value> = Map::new();
        for key in directory::owned(state, owner) {
            put_owned(state, &key, &mut lists);
        }
        Value::Object(lists)
    })
}

fn put_owned(state: &dyn Read, key: &Key, lists: &mut Map<String, Value>) {
    let Some(entry) = state.entry(key) else {
        return;
    };
    let entry = render::entry(key, &entry);
    let list = match entry.get("LedgerEntryType").and_then(Value::as_str) {
        Some("Offer") => "offers",
        Some("RippleState") => "ripple_lines",
        _ => return,
    };
    let list = lists.entry(list).or_insert_with(|| json!([]));
    if let Value::Array(items) = list {
        items.push(Value::Object(entry));
    }
}
