//! Looking up one transaction.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render::{self, Delivered, hex};
use super::select::{self, Selected};
use crate::clock;
use crate::faults::Faults;
use crate::ledger::chain::{Ledger, Place};
use crate::ledger::tx::Tx;
use crate::network::Net;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use xrpayd_core::ids::{LedgerHash, TxHash};

/// The most ledgers that a search may cover.
const RANGE_MAX: u32 = 1_000;

/// Bounds of a search.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    min: u32,
    max: u32,
}

/// The bounds of a search, if the request gives both: one alone counts for nothing.
fn bounds(call: &Call<'_>) -> Result<Option<Bounds>, RpcError> {
    let given = |name: &str| call.params.get(name);
    let (Some(min), Some(max)) = (given("min_ledger"), given("max_ledger")) else {
        return Ok(None);
    };
    let (min, max) = match (index(min), index(max)) {
        (Some(min), Some(max)) if min <= max => (min, max),
        _ => return Err(RpcError::range_invalid()),
    };
    if max - min > RANGE_MAX {
        return Err(RpcError::range_too_large());
    }
    Ok(Some(Bounds { min, max }))
}

/// A ledger's index, as a number or as its digits.
fn index(value: &Value) -> Option<u32> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
}

/// What a request looks for.
enum Wanted {
    Hash(TxHash),
    Place(Place),
}

fn wanted(call: &Call<'_>) -> Result<Wanted, RpcError> {
    match (call.params.get("transaction"), call.params.get("ctid")) {
        (Some(_), Some(_)) | (None, None) => Err(RpcError::invalid_params()),
        (Some(hash), None) => {
            let hash = hash.as_str().and_then(|text| text.parse().ok());
            hash.map(Wanted::Hash).ok_or_else(RpcError::not_implemented)
        }
        (None, Some(ctid)) => {
            let (place, network_id) = ctid
                .as_str()
                .and_then(parse_ctid)
                .ok_or_else(RpcError::invalid_params)?;
            let faults = &call.shared.net().servers[call.server()].faults;
            if network_id != faults.network_id.unwrap_or(call.shared.network_id) {
                return Err(RpcError::wrong_network(network_id));
            }
            Ok(Wanted::Place(place))
        }
    }
}

/// The place that a compact identifier names, and the network.
fn parse_ctid(text: &str) -> Option<(Place, u32)> {
    if text.len() != 16 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(text, 16)
        .ok()
        .filter(|number| number >> 60 == 0xC)?;
    let ledger = u32::try_from(number >> 32 & 0x0FFF_FFFF).ok()?;
    let position = u32::try_from(number >> 16 & 0xFFFF).ok()?;
    let network_id = u32::try_from(number & 0xFFFF).ok()?;
    Some((Place { ledger, position }, network_id))
}

/// What is known of a transaction.
enum Found {
    Validated(Arc<Ledger>, usize),
    /// In a ledger that the server stores and does not count as complete.
    Stored(Arc<Ledger>, usize),
    Known(Arc<Tx>),
}

fn find(net: &Net, server: usize, wanted: &Wanted) -> Option<Found> {
    let view = &net.servers[server];
    let place = match wanted {
        Wanted::Hash(hash) => net.chain(server).place(*hash),
        Wanted::Place(place) => Some(*place),
    };
    let visible = place.filter(|place| view.has_history(place.ledger));
    if let Some((ledger, tx)) = visible.and_then(|place| net.chain(server).at(place)) {
        if !view.faults.hides(tx.hash, &tx.accounts) {
            let position = place.and_then(|place| usize::try_from(place.position).ok())?;
            let ledger = Arc::clone(ledger);
            return Some(if view.only_stores(ledger.header.index) {
                Found::Stored(ledger, position)
            } else {
                Found::Validated(ledger, position)
            });
        }
        return None;
    }
    match wanted {
        Wanted::Hash(hash) => view
            .memory
            .known
            .get(hash)
            .map(|tx| Found::Known(Arc::clone(tx))),
        Wanted::Place(_) => None,
    }
}

/// Whether the search covered every ledger of the range. As on a real server, a ledger without
/// transactions is not counted as searched.
fn searched_all(net: &Net, server: usize, bounds: Bounds) -> bool {
    let view = &net.servers[server];
    (bounds.min..=bounds.max).all(|index| {
        view.has_history(index)
            && net
                .chain(server)
                .ledger(index)
                .is_some_and(|ledger| !ledger.txs.is_empty())
    })
}

pub(super) fn tx(call: &Call<'_>) -> Answer {
    let wanted = wanted(call)?;
    let bounds = bounds(call)?;
    let binary = call.flag("binary")?;
    let (found, faults) = {
        let net = call.shared.net();
        let server = call.server();
        let is_clio = net.servers[server].faults.condition.clio;
        let shows = |found: &Found| !is_clio || matches!(found, Found::Validated(..));
        let found = find(&net, server, &wanted).filter(shows).ok_or_else(|| {
            let error = RpcError::transaction_not_found();
            match bounds {
                Some(bounds) => {
                    error.with("searched_all", json!(searched_all(&net, server, bounds)))
                }
                None => error,
            }
        })?;
        (found, net.servers[server].faults.clone())
    };
    Ok(Value::Object(match found {
        Found::Validated(ledger, position) => validated(call, &ledger, position, &faults, binary)?,
        Found::Stored(ledger, position) => {
            let mut out = validated(call, &ledger, position, &faults, binary)?;
            put(&mut out, "validated", json!(false));
            if call.version > 1 {
                out.remove("ledger_index");
                out.remove("close_time_iso");
            }
            out
        }
        Found::Known(tx) => known(call, &tx, binary),
    }))
}

fn put(out: &mut Map<String, Value>, name: &str, value: Value) {
    out.insert(name.to_owned(), value);
}

fn known(call: &Call<'_>, tx: &Tx, binary: bool) -> Map<String, Value> {
    let mut out = body(call.version, &tx.blob, tx.hash, binary, None);
    put(&mut out, "hash", json!(tx.hash));
    put(&mut out, "validated", json!(false));
    out
}

/// The transaction itself: flat in version 1, under `tx_json` in version 2.
fn body(
    version: u32,
    blob: &[u8],
    hash: TxHash,
    binary: bool,
    ledger: Option<&Ledger>,
) -> Map<String, Value> {
    let mut out = Map::new();
    if binary {
        put(
            &mut out,
            if version > 1 { "tx_blob" } else { "tx" },
            json!(hex(blob)),
        );
        return out;
    }
    let mut fields = render::tx_json(blob, hash, version);
    if let Some(ledger) = ledger {
        put(&mut fields, "date", json!(ledger.header.close_time));
        put(&mut fields, "ledger_index", json!(ledger.header.index));
    }
    if version > 1 {
        put(&mut out, "tx_json", Value::Object(fields));
        return out;
    }
    fields
}

fn validated(
    call: &Call<'_>,
    ledger: &Ledger,
    position: usize,
    faults: &Faults,
    binary: bool,
) -> Result<Map<String, Value>, RpcError> {
    let tx = ledger
        .txs
        .get(position)
        .ok_or_else(RpcError::transaction_not_found)?;
    let header = &ledger.header;
    let version = call.version;
    let mut out = body(version, &tx.blob, tx.hash, binary, Some(ledger));
    put(&mut out, "hash", json!(tx.hash));
    put(&mut out, "ledger_index", json!(header.index));
    put(&mut out, "validated", json!(true));
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    if let Some(ctid) = render::ctid(header.index, position, call.shared.network_id) {
        put(&mut out, "ctid", json!(ctid));
    }
    let meta = if binary {
        json!(hex(&tx.meta))
    } else {
        render::meta(tx, faults, Delivered::Shown)
    };
    if version > 1 {
        put(
            &mut out,
            "close_time_iso",
            json!(clock::iso(header.close_time)),
        );
        put(&mut out, "ledger_hash", json!(LedgerHash(header.hash)));
        put(&mut out, if binary { "meta_blob" } else { "meta" }, meta);
    } else {
        put(&mut out, "date", json!(header.close_time));
        put(&mut out, "inLedger", json!(header.index));
        put(&mut out, "meta", meta);
    }
    Ok(out)
}

pub(super) fn transaction_entry(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let mut out = selected.fields();
    let hash = match call.params.get("tx_hash") {
        None => return Err(RpcError::bare("fieldNotFoundTransaction").with_all(out)),
        Some(hash) => hash.as_str().and_then(|text| text.parse::<TxHash>().ok()),
    };
    let ledger = match &selected {
        Selected::Open { .. } => return Err(RpcError::bare("notYetImplemented").with_all(out)),
        Selected::Closed(ledger) | Selected::Awaiting(ledger) => ledger,
    };
    let faults = &net.servers[call.server()].faults;
    let found = ledger
        .txs
        .iter()
        .find(|tx| Some(tx.hash) == hash && !faults.hides(tx.hash, &tx.accounts));
    let Some(tx) = found else {
        return Err(RpcError::bare("transactionNotFound").with_all(out));
    };
    let fields = render::tx_json(&tx.blob, tx.hash, call.version);
    let meta = render::meta(tx, faults, Delivered::Hidden);
    put(&mut out, "tx_json", Value::Object(fields));
    if call.version > 1 {
        put(&mut out, "hash", json!(tx.hash));
        put(&mut out, "meta", meta);
        put(
            &mut out,
            "close_time_iso",
            json!(clock::iso(ledger.header.close_time)),
        );
    } else {
        put(&mut out, "metadata", meta);
    }
    Ok(Value::Object(out))
}
