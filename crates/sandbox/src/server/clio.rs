//! Clio's differences, for a server that a drill tells to answer as Clio does.
//!
//! Clio serves validated ledgers out of a database and passes on to a rippled what concerns the open one.
//! Owns nothing. What Clio counts of itself is shown to administrators only and is left out here, and so
//! are its older forms of errors over HTTP.

use super::dispatch::{Answer, Call};
use super::frame::{Request, RpcError};
use super::info::{self, BUILD_VERSION};
use crate::condition::Condition;
use serde_json::{Map, Value, json};

/// The version that the model says it is.
const CLIO_VERSION: &str = "2.4.0";
const WARNING: &str = "This is a clio server. clio only serves validated data. If you want to talk to rippled, include 'ledger_index':'current' in your request";
/// What Clio always asks a rippled for.
const FORWARDED: [&str; 10] = [
    "channel_authorize",
    "fee",
    "ledger_closed",
    "ledger_current",
    "manifest",
    "path_find",
    "ripple_path_find",
    "simulate",
    "submit",
    "submit_multisigned",
];
/// Streams that only a rippled has.
const STREAMS_LACKED: [&str; 3] = ["consensus", "peer_status", "server"];
/// Validated data is old after this many seconds.
const OUT_OF_DATE_S: u64 = 60;

/// Whether Clio passes the request on.
fn is_forwarded(request: &Request) -> bool {
    let index = request.params.get("ledger_index").and_then(Value::as_str);
    let asks_for_queue = request.params.get("queue") == Some(&Value::Bool(true));
    FORWARDED.contains(&request.command.as_str())
        || matches!(index, Some("current" | "closed"))
        || (request.command == "account_info" && asks_for_queue)
}

/// What stands beside every answer of a server in this condition.
pub(super) fn marks(condition: &Condition, request: &Request) -> Map<String, Value> {
    let mut marks = Map::new();
    if condition.clio && !request.command.starts_with("sandbox_") {
        let warning = json!({"id": 2001, "message": WARNING});
        let old = json!({"id": 2002, "message": "This server may be out of date"});
        let is_old = u64::from(condition.older_s) >= OUT_OF_DATE_S;
        let warnings = if is_old {
            json!([warning, old])
        } else {
            json!([warning])
        };
        marks.insert("warnings".to_owned(), warnings);
        if is_forwarded(request) {
            marks.insert("forwarded".to_owned(), json!(true));
        }
    }
    marks
}

/// Refuses what Clio has not.
pub(super) fn check(command: &str, params: &Map<String, Value>) -> Result<(), RpcError> {
    let streams = params.get("streams").and_then(Value::as_array);
    let lacked = |stream: &Value| stream.as_str().is_some_and(|s| STREAMS_LACKED.contains(&s));
    if command == "subscribe" && streams.into_iter().flatten().any(lacked) {
        return Err(RpcError::reporting_unsupported());
    }
    Ok(())
}

/// `server_info` as Clio answers it to clients elsewhere.
pub(super) fn server_info(call: &Call<'_>) -> Answer {
    let mut from = info::rippled_info(call)?;
    let mut out = json!({
        "cache": {
            "is_enabled": true,
            "is_full": true,
            "latest_ledger_seq": from["validated_ledger"]["seq"],
            "object_hit_rate": 1,
            "size": 0,
            "successor_hit_rate": 1,
        },
        "clio_version": CLIO_VERSION,
        "libxrpl_version": BUILD_VERSION,
        "rippled_version": BUILD_VERSION,
    });
    let shared = [
        "amendment_blocked",
        "complete_ledgers",
        "load_factor",
        "network_id",
        "time",
        "uptime",
        "validated_ledger",
        "validation_quorum",
    ];
    for name in shared {
        if let Some(value) = from.get_mut(name) {
            out[name] = value.take();
        }
    }
    if out.get("network_id").is_none() {
        out["network_id"] = json!(0);
    }
    Ok(json!({"info": out, "validated": true}))
}
