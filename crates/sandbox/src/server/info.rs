//! What a server says of itself.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::streams::range;
use crate::clock;
use crate::config::CloseInterval;
use crate::ledger::chain::FIRST_INDEX;
use crate::ledger::queue;
use crate::ledger::rules::Fees;
use serde_json::{Value, json};
use xrpayd_codec::sha512_half;
use xrpayd_core::address::base58check_encode;
use xrpayd_core::ids::LedgerHash;

/// The version of rippled that the model speaks like.
const BUILD_VERSION: &str = "2.4.0-rc2";
/// The type byte of a node's public key as text.
const NODE_KEY_TYPE: u8 = 0x1C;
/// What the model says it took to come up.
const SYNC_US: &str = "1000";
/// Transactions that an open ledger is expected to hold where no capacity is set.
const EXPECTED_SIZE: u32 = 1_000;
/// How many expected ledgers the queue says it holds where no capacity is set, as rippled's does.
const QUEUE_LEDGERS: u32 = 20;

/// The host's name as administrators see it, and as others do.
pub(super) fn host_id(call: &Call<'_>) -> &'static str {
    if call.is_admin() { "model" } else { "MODL" }
}

/// A server's public key: different for each server, the same in every run.
pub(super) fn node_key(server: usize) -> String {
    let seed = sha512_half(&[b"model server", &server.to_be_bytes()]);
    let mut payload = vec![NODE_KEY_TYPE, 2];
    payload.extend(seed);
    base58check_encode(&payload)
}

/// What `server_info` and `server_state` have in common.
struct Facts {
    out: Value,
    validated: crate::ledger::chain::Header,
    age_s: u64,
}

fn facts(call: &Call<'_>) -> Result<Facts, RpcError> {
    let net = call.shared.net();
    let server = call.server();
    let view = &net.servers[server];
    let chain = net.chain(server);
    let validated = chain
        .ledger(view.validated)
        .ok_or_else(RpcError::ledger_not_found)?;
    let validated = validated.header.clone();
    let first = net.first_index(server);
    let oldest = chain.first_index();
    let complete = match view.faults.gap {
        Some(gap) if gap.from > oldest && gap.to < view.complete => {
            format!(
                "{},{}",
                range(oldest, gap.from - 1),
                range(first, view.complete)
            )
        }
        _ if first > view.complete => "empty".to_owned(),
        _ => range(first, view.complete),
    };
    let now_us = net.time.now_us(net.main.tip().header.close_time);
    let up_us = clock::unix_us().saturating_sub(call.shared.started_us);
    let duration = up_us.to_string();
    let port = |address: &std::net::SocketAddr| json!({"port": address.port().to_string(), "protocol": ["ws"]});
    let ports: Vec<Value> = call
        .shared
        .addresses
        .iter()
        .skip(server)
        .take(1)
        .map(port)
        .collect();
    let mut out = json!({
        "build_version": BUILD_VERSION,
        "complete_ledgers": complete,
        "initial_sync_duration_us": SYNC_US,
        "io_latency_ms": 1,
        "jq_trans_overflow": "0",
        "peer_disconnects": "0",
        "peer_disconnects_resources": "0",
        "peers": 0,
        "ports": ports,
        "pubkey_node": node_key(server),
        "server_state": "full",
        "server_state_duration_us": duration,
        "state_accounting": {
            "connected": {"duration_us": "0", "transitions": "0"},
            "disconnected": {"duration_us": SYNC_US, "transitions": "1"},
            "full": {"duration_us": duration, "transitions": "1"},
            "syncing": {"duration_us": "0", "transitions": "0"},
            "tracking": {"duration_us": "0", "transitions": "0"},
        },
        "time": clock::human_us(now_us),
        "uptime": up_us / 1_000_000,
        "validation_quorum": 0,
    });
    let network_id = view.faults.network_id.unwrap_or(call.shared.network_id);
    if network_id != 0 {
        out["network_id"] = json!(network_id);
    }
    if view.faults.amendment_blocked {
        out["amendment_blocked"] = json!(true);
    }
    if call.is_admin() {
        out["git"] = json!({"branch": "model", "hash": "0000000000000000000000000000000000000000"});
        let job = json!({"in_progress": 1, "job_type": "clientWebsocket"});
        out["load"] = json!({"job_types": [job], "threads": 1});
        out["node_size"] = json!("tiny");
        out["pubkey_validator"] = json!("none");
    }
    let closed_s = u64::from(validated.close_time) + clock::RIPPLE_EPOCH_UNIX_S;
    let age_s = (now_us / 1_000_000).saturating_sub(closed_s);
    Ok(Facts {
        out,
        validated,
        age_s,
    })
}

fn converge_ms(call: &Call<'_>) -> u64 {
    match call.shared.close_interval {
        CloseInterval::Every(interval) => u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
        CloseInterval::Manual => 0,
    }
}

/// Milliseconds as seconds with one decimal, without a float in between.
fn seconds(ms: u64) -> Value {
    let text = format!("{}.{}", ms / 1_000, ms % 1_000 / 100);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The level that the open ledger asks for now.
fn open_level(call: &Call<'_>) -> u64 {
    let net = call.shared.net();
    queue::level_required(net.servers[call.server()].open.txs.len(), net.capacity)
}

/// A level as a multiple of the base fee, without a float in between.
fn load_factor(level: u64) -> Value {
    let (whole, rest) = (
        level / queue::LEVEL_REFERENCE,
        level % queue::LEVEL_REFERENCE,
    );
    if rest == 0 {
        return json!(whole);
    }
    let text = format!("{whole}.{:08}", rest * 100_000_000 / queue::LEVEL_REFERENCE);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

pub(super) fn server_info(call: &Call<'_>) -> Answer {
    let Facts {
        mut out,
        validated,
        age_s,
    } = facts(call)?;
    out["hostid"] = json!(host_id(call));
    out["last_close"] = json!({"converge_time_s": seconds(converge_ms(call)), "proposers": 0});
    out["load_factor"] = load_factor(open_level(call));
    out["validated_ledger"] = json!({
        "age": age_s,
        "base_fee_xrp": serde_json::from_str::<Value>("1e-05").unwrap_or(Value::Null),
        "hash": LedgerHash(validated.hash),
        "reserve_base_xrp": 1,
        "reserve_inc_xrp": serde_json::from_str::<Value>("0.2").unwrap_or(Value::Null),
        "seq": validated.index,
    });
    if call.is_admin() {
        let unknown = json!({"count": 0, "expiration": "unknown", "status": "unknown"});
        out["validator_list"] = unknown;
    }
    Ok(json!({ "info": out }))
}

pub(super) fn server_state(call: &Call<'_>) -> Answer {
    let Facts {
        mut out, validated, ..
    } = facts(call)?;
    out["last_close"] = json!({"converge_time": converge_ms(call), "proposers": 0});
    let level = open_level(call);
    for name in [
        "load_base",
        "load_factor_fee_queue",
        "load_factor_fee_reference",
        "load_factor_server",
    ] {
        out[name] = json!(queue::LEVEL_REFERENCE);
    }
    out["load_factor"] = json!(level);
    out["load_factor_fee_escalation"] = json!(level);
    out["validated_ledger"] = json!({
        "base_fee": Fees::MODEL.base,
        "close_time": validated.close_time,
        "hash": LedgerHash(validated.hash),
        "reserve_base": Fees::MODEL.reserve_base,
        "reserve_inc": Fees::MODEL.reserve_increment,
        "seq": validated.index,
    });
    if call.is_admin() {
        out["validator_list_expires"] = json!(0);
    }
    Ok(json!({ "state": out }))
}

pub(super) fn fee(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let view = &net.servers[call.server()];
    let count = view.open.txs.len();
    let base = Fees::MODEL.base;
    let (expected, queue_max) = match net.capacity {
        Some(capacity) => (capacity, capacity.saturating_mul(queue::QUEUE_LEDGERS)),
        None => (EXPECTED_SIZE, EXPECTED_SIZE * QUEUE_LEDGERS),
    };
    let level = queue::level_required(count, net.capacity);
    let open_fee = queue::level_in_drops(level.saturating_sub(1), base).saturating_add(1);
    let minimum_level = queue::LEVEL_REFERENCE;
    let mut out = json!({
        "current_ledger_size": count.to_string(),
        "current_queue_size": view.queue.len().to_string(),
        "drops": {
            "base_fee": base.to_string(),
            "median_fee": queue::level_in_drops(queue::LEVEL_MULTIPLIER, base).to_string(),
            "minimum_fee": base.to_string(),
            "open_ledger_fee": open_fee.to_string(),
        },
        "expected_ledger_size": expected.to_string(),
        "ledger_current_index": view.open.index,
        "levels": {
            "median_level": queue::LEVEL_MULTIPLIER.to_string(),
            "minimum_level": minimum_level.to_string(),
            "open_ledger_level": level.to_string(),
            "reference_level": queue::LEVEL_REFERENCE.to_string(),
        },
    });
    // A real server cannot tell how large its queue may get before its first close.
    if view.validated > FIRST_INDEX {
        out["max_queue_size"] = json!(queue_max.to_string());
    }
    Ok(out)
}
