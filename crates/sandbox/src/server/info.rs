//! What a server says of itself.

use super::clio;
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::streams::range;
use crate::clock;
use crate::condition::{Condition, SYNC_US, State};
use crate::config::CloseInterval;
use crate::ledger::fees::{self, LEVEL_REFERENCE};
use crate::ledger::rules::Fees;
use crate::network::{Load, ServerView};
use serde_json::{Value, json};
use xrpayd_codec::sha512_half;
use xrpayd_core::address::base58check_encode;
use xrpayd_core::ids::LedgerHash;

/// The version of rippled that the model speaks like.
pub(super) const BUILD_VERSION: &str = "2.4.0-rc2";
/// The type byte of a node's public key as text.
const NODE_KEY_TYPE: u8 = 0x1C;

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
    let condition = &view.faults.condition;
    let complete = match condition.without_validated || first > view.complete {
        true => "empty".to_owned(),
        false => complete_ledgers(oldest.max(view.history_from), view),
    };
    let now_us = net.time.now_us(net.main.tip().header.close_time);
    let wall_us = clock::unix_us();
    let up_us = wall_us.saturating_sub(view.accounting.started_us);
    let port = |address: &std::net::SocketAddr| json!({"port": address.port().to_string(), "protocol": ["http", "ws"]});
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
        "initial_sync_duration_us": SYNC_US.to_string(),
        "io_latency_ms": 1,
        "jq_trans_overflow": "0",
        "peer_disconnects": "0",
        "peer_disconnects_resources": "0",
        "peers": 0,
        "ports": ports,
        "pubkey_node": node_key(server),
        "server_state": condition.state.name(),
        "server_state_duration_us": view.accounting.in_state_us(wall_us).to_string(),
        "state_accounting": view.accounting.render(wall_us),
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
    let older_s = u64::from(condition.older_s);
    let age_s = (now_us / 1_000_000).saturating_sub(closed_s) + older_s;
    Ok(Facts {
        out,
        validated,
        age_s,
    })
}

/// The ledgers that a server has from `oldest` on, as ranges around its gaps.
fn complete_ledgers(oldest: u32, view: &ServerView) -> String {
    let mut ranges = Vec::new();
    let mut from = oldest;
    for gap in &view.faults.gaps {
        if from < gap.from && from <= view.complete {
            ranges.push(range(from, (gap.from - 1).min(view.complete)));
        }
        from = from.max(gap.to.saturating_add(1));
    }
    if from <= view.complete {
        ranges.push(range(from, view.complete));
    }
    ranges.join(",")
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

/// A multiple of the reference level, without a float in between.
fn multiple(level: u64) -> Value {
    let (whole, rest) = (level / LEVEL_REFERENCE, level % LEVEL_REFERENCE);
    if rest == 0 {
        return json!(whole);
    }
    let text = format!("{whole}.{:08}", rest * 100_000_000 / LEVEL_REFERENCE);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A number as rippled prints it where it has room for 32 bits.
fn clipped(number: u64) -> u64 {
    number.min(u64::from(u32::MAX))
}

/// What a server asks now, as it is told to people.
fn load_for_people(out: &mut Value, load: &Load, is_admin: bool) {
    let factor = load.factor();
    out["load_factor"] = multiple(factor);
    if load.server != factor {
        out["load_factor_server"] = multiple(load.server);
    }
    if is_admin && load.server != LEVEL_REFERENCE {
        out["load_factor_local"] = multiple(load.server);
    }
    if load.open_level != LEVEL_REFERENCE && (is_admin || load.open_level != factor) {
        out["load_factor_fee_escalation"] = multiple(load.open_level);
    }
    if load.queue_level != LEVEL_REFERENCE {
        out["load_factor_fee_queue"] = multiple(load.queue_level);
    }
}

/// What a server asks now, as it is told to programs.
fn load_for_programs(out: &mut Value, load: &Load) {
    out["load_base"] = json!(LEVEL_REFERENCE);
    out["load_factor"] = json!(clipped(load.factor()));
    out["load_factor_fee_escalation"] = json!(clipped(load.open_level));
    out["load_factor_fee_queue"] = json!(clipped(load.queue_level));
    out["load_factor_fee_reference"] = json!(LEVEL_REFERENCE);
    out["load_factor_server"] = json!(load.server);
}

/// The news that a server's fees or its state have changed.
pub(super) fn server_status(load: &Load, state: State) -> Value {
    let mut out = json!({
        "type": "serverStatus",
        "base_fee": Fees::MODEL.base,
        "server_status": state.name(),
    });
    load_for_programs(&mut out, load);
    out
}

pub(super) fn server_info(call: &Call<'_>) -> Answer {
    let condition = call.condition();
    if condition.clio {
        return clio::server_info(call);
    }
    let mut info = rippled_info(call)?;
    without_validated(&condition, &mut info);
    Ok(json!({ "info": info }))
}

/// A server that holds no ledger for validated shows the one that it closed last.
fn without_validated(condition: &Condition, out: &mut Value) {
    if condition.without_validated
        && let Some(fields) = out.as_object_mut()
        && let Some(ledger) = fields.remove("validated_ledger")
    {
        fields.insert("closed_ledger".to_owned(), ledger);
        fields.insert("published_ledger".to_owned(), json!("none"));
    }
}

/// What a rippled says of itself.
pub(super) fn rippled_info(call: &Call<'_>) -> Answer {
    let Facts {
        mut out,
        validated,
        age_s,
    } = facts(call)?;
    out["hostid"] = json!(host_id(call));
    out["last_close"] = json!({"converge_time_s": seconds(converge_ms(call)), "proposers": 0});
    let load = call.shared.net().load(call.server());
    load_for_people(&mut out, &load, call.is_admin());
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
    Ok(out)
}

pub(super) fn server_state(call: &Call<'_>) -> Answer {
    let Facts {
        mut out, validated, ..
    } = facts(call)?;
    out["last_close"] = json!({"converge_time": converge_ms(call), "proposers": 0});
    let load = call.shared.net().load(call.server());
    load_for_programs(&mut out, &load);
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
    without_validated(&call.condition(), &mut out);
    Ok(json!({ "state": out }))
}

pub(super) fn fee(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let server = call.server();
    let view = &net.servers[server];
    let base = Fees::MODEL.base;
    let load = net.load(server);
    let median = view.metrics.multiplier();
    let mut out = json!({
        "current_ledger_size": view.open.txs.len().to_string(),
        "current_queue_size": net.queue_len(server).to_string(),
        "drops": {
            "base_fee": base.to_string(),
            "median_fee": fees::level_in_drops(median, base).to_string(),
            "minimum_fee": fees::level_in_drops(load.queue_level, base).to_string(),
            "open_ledger_fee": fees::drops_for_level(load.open_level, base).to_string(),
        },
        "expected_ledger_size": view.metrics.expected().to_string(),
        "ledger_current_index": view.open.index,
        "levels": {
            "median_level": median.to_string(),
            "minimum_level": load.queue_level.to_string(),
            "open_ledger_level": load.open_level.to_string(),
            "reference_level": LEVEL_REFERENCE.to_string(),
        },
    });
    // A real server cannot tell how large its queue may get before its first close.
    if let Some(max) = view.metrics.queue_max() {
        out["max_queue_size"] = json!(max.to_string());
    }
    Ok(out)
}
