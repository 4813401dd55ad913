//! What rippled has for those who run it: counts, consensus, logs, peers and validators.
//!
//! Owns nothing; what is set is on the server's desk. A method that asks for something the model does not
//! have, such as a validator's key, answers as a rippled without it does.

use super::desk::Severity;
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::wallet::NODE_PUBLIC;
use crate::clock;
use crate::config::CloseInterval;
use crate::ledger::close::CLOSE_RESOLUTION_S;
use serde_json::{Value, json};
use xrpayd_codec::keys::PublicKey;
use xrpayd_core::address::base58check_decode;

/// rippled's idea of the length of a round before there was one.
const FIRST_ROUND_MS: u32 = 15_000;
/// How long a round takes that nobody else takes part in.
const LONE_ROUND_MS: u32 = 100;
/// The port that a peer is sought at when none is named.
const PEER_PORT: i64 = 2459;
const UNITS: [(&str, u64); 5] = [
    ("year", 365 * 86_400),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
];

/// A time as words, such as `2 minutes, 38 seconds`.
fn time_in_words(mut seconds: u64) -> String {
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        let count = seconds / length;
        seconds %= length;
        match count {
            0 => {}
            1 => parts.push(format!("1 {unit}")),
            _ => parts.push(format!("{count} {unit}s")),
        }
    }
    parts.join(", ")
}

/// `get_counts`: the model keeps everything in memory, so that nothing is read and all that is written
/// is the ledgers themselves.
pub(super) fn get_counts(call: &Call<'_>) -> Answer {
    let (ledgers, transactions, bytes, entries) = {
        let net = call.shared.net();
        let chain = net.chain(call.server());
        let mut counted = (0_u64, 0_u64, 0_u64);
        for ledger in chain.ledgers() {
            let sizes = ledger.txs.iter().map(|tx| tx.blob.len() + tx.meta.len());
            counted.0 += 1;
            counted.1 += u64::try_from(ledger.txs.len()).unwrap_or(u64::MAX);
            counted.2 += u64::try_from(sizes.sum::<usize>()).unwrap_or(u64::MAX);
        }
        (counted.0, counted.1, counted.2, chain.state.iter().count())
    };
    let started_us = call.shared.net().servers[call.server()]
        .accounting
        .started_us;
    let up_us = clock::unix_us().saturating_sub(started_us);
    let kilobytes = |bytes: u64| bytes.div_ceil(1_024).max(1);
    let header_bytes = ledgers.saturating_mul(118);
    Ok(json!({
        "AL_hit_rate": 0,
        "AL_size": 0,
        "SLE_hit_rate": 0,
        "dbKBLedger": kilobytes(header_bytes),
        "dbKBTotal": kilobytes(header_bytes.saturating_add(bytes)),
        "dbKBTransaction": kilobytes(bytes),
        "fullbelow_size": 0,
        "historical_perminute": 0,
        "ledger_hit_rate": 100,
        "node_read_bytes": "0",
        "node_reads_duration_us": "0",
        "node_reads_hit": "0",
        "node_reads_total": "0",
        "node_writes": ledgers.saturating_add(transactions).to_string(),
        "node_written_bytes": header_bytes.saturating_add(bytes).to_string(),
        "read_queue": 0,
        "read_request_bundle": 4,
        "read_threads_running": 0,
        "read_threads_total": 4,
        "treenode_cache_size": 0,
        "treenode_track_size": entries,
        "uptime": time_in_words(up_us / 1_000_000),
        "write_load": 0,
    }))
}

/// `consensus_info`: the model agrees with itself at once, so that a round is always just begun.
pub(super) fn consensus_info(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let view = &net.servers[call.server()];
    let round_ms = if view.closed <= crate::ledger::chain::FIRST_INDEX {
        FIRST_ROUND_MS
    } else {
        LONE_ROUND_MS
    };
    Ok(json!({"info": {
        "close_granularity": CLOSE_RESOLUTION_S,
        "close_resolution": CLOSE_RESOLUTION_S,
        "converge_percent": 0,
        "have_time_consensus": false,
        "ledger_seq": view.open.index,
        "phase": "open",
        "previous_mseconds": round_ms,
        "previous_proposers": 0,
        "proposers": 0,
        "proposing": false,
        "synched": true,
        "validating": false,
    }}))
}

fn message(text: impl Into<String>) -> Value {
    json!({ "message": text.into() })
}

pub(super) fn fetch_info(call: &Call<'_>) -> Answer {
    let mut out = json!({"info": {}});
    if call.truthy("clear") {
        out["clear"] = json!(true);
    }
    Ok(out)
}

/// `print`: rippled dumps what its parts say of themselves; the model has one that rippled also has.
pub(super) fn print(_call: &Call<'_>) -> Answer {
    Ok(json!({"app": {"ledgercleaner": {"status": "idle"}}}))
}

pub(super) fn log_level(call: &Call<'_>) -> Answer {
    let mut desk = call.shared.desk(call.server());
    let Some(severity) = call.params.get("severity") else {
        return Ok(json!({ "levels": desk.levels() }));
    };
    let severity = severity.as_str().and_then(Severity::read);
    let severity = severity.ok_or_else(RpcError::invalid_params)?;
    let partition = match call.params.get("partition") {
        None => "base",
        Some(partition) => partition.as_str().ok_or_else(RpcError::invalid_params)?,
    };
    desk.set_level(partition, severity);
    Ok(json!({}))
}

/// `logrotate`: there is no log file, which is what rippled says of one that is not there.
pub(super) fn log_rotate(_call: &Call<'_>) -> Answer {
    Ok(message("The log file could not be closed and reopened."))
}

pub(super) fn ledger_cleaner(_call: &Call<'_>) -> Answer {
    Ok(message("Cleaner configured"))
}

/// Deleting on advice is not configured.
pub(super) fn can_delete(_call: &Call<'_>) -> Answer {
    Err(RpcError::not_enabled())
}

/// `connect`: a server that closes its ledgers by hand stands alone; others are connected as they are.
pub(super) fn connect(call: &Call<'_>) -> Answer {
    if call.shared.close_interval == CloseInterval::Manual {
        return Err(RpcError::not_synced());
    }
    let ip = call
        .params
        .get("ip")
        .ok_or_else(|| RpcError::missing("ip"))?;
    let ip = ip.as_str().ok_or_else(RpcError::invalid_params)?;
    let port = match call.params.get("port") {
        None => PEER_PORT,
        Some(port) => port.as_i64().ok_or_else(RpcError::invalid_params)?,
    };
    Ok(message(format!(
        "attempting connection to IP:{ip} port: {port}"
    )))
}

/// `blacklist`: nobody's load is counted against them for longer than their connection lasts.
pub(super) fn blacklist(_call: &Call<'_>) -> Answer {
    Ok(json!({}))
}

pub(super) fn unl_list(_call: &Call<'_>) -> Answer {
    Ok(json!({ "unl": null }))
}

pub(super) fn validator_list_sites(_call: &Call<'_>) -> Answer {
    Ok(json!({ "validator_sites": [] }))
}

pub(super) fn validator_info(_call: &Call<'_>) -> Answer {
    Err(RpcError::invalid("not a validator"))
}

/// `tx_reduce_relay`: counts of messages between peers, of which the model has none.
pub(super) fn tx_reduce_relay(_call: &Call<'_>) -> Answer {
    const COUNTS: [&str; 14] = [
        "txr_get_ledger_cnt",
        "txr_get_ledger_sz",
        "txr_have_txs_cnt",
        "txr_have_txs_sz",
        "txr_ledger_data_cnt",
        "txr_ledger_data_sz",
        "txr_missing_tx_freq",
        "txr_not_enabled_cnt",
        "txr_selected_cnt",
        "txr_suppressed_cnt",
        "txr_transactions_cnt",
        "txr_transactions_sz",
        "txr_tx_cnt",
        "txr_tx_sz",
    ];
    let counts = COUNTS.iter().map(|&name| (name.to_owned(), json!("0")));
    Ok(Value::Object(counts.collect()))
}

/// The key of the node that a reservation is for.
fn reserved_node<'a>(call: &'a Call<'_>) -> Result<&'a str, RpcError> {
    let node = call.params.get("public_key");
    let node = node.ok_or_else(|| RpcError::missing("public_key"))?;
    let expected = || RpcError::expected("public_key", "a string");
    let node = node.as_str().ok_or_else(expected)?;
    let is_key = match base58check_decode(node).as_deref() {
        Ok([NODE_PUBLIC, key @ ..]) => PublicKey::from_bytes(key).is_ok(),
        _ => false,
    };
    if is_key {
        Ok(node)
    } else {
        Err(RpcError::public_malformed())
    }
}

fn previous(reservation: Option<Value>) -> Value {
    match reservation {
        Some(previous) => json!({ "previous": previous }),
        None => json!({}),
    }
}

pub(super) fn reservations_add(call: &Call<'_>) -> Answer {
    // rippled looks at the key's type, then at the description, and only then at the key.
    let text = call.params.get("public_key").is_some_and(Value::is_string);
    let description = match call.params.get("description") {
        Some(Value::String(description)) => description.clone(),
        Some(_) if text => return Err(RpcError::expected("description", "a string")),
        _ => String::new(),
    };
    let node = reserved_node(call)?.to_owned();
    let mut desk = call.shared.desk(call.server());
    Ok(previous(desk.reserve(node, description)))
}

pub(super) fn reservations_del(call: &Call<'_>) -> Answer {
    let node = reserved_node(call)?;
    Ok(previous(call.shared.desk(call.server()).release(node)))
}

pub(super) fn reservations_list(call: &Call<'_>) -> Answer {
    let reservations = call.shared.desk(call.server()).reservations();
    Ok(json!({ "reservations": reservations }))
}
