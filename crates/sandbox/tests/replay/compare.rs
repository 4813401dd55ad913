//! Holding what the model said against what was recorded: value by value, or by codes and shapes.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How closely a recording is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Every value and every field name.
    Exactly,
    /// Status and result codes, and the set of field names: the recording comes from a server that had
    /// lived through more than was recorded, so that numbers cannot agree.
    InShape,
}

/// Values that differ between any two servers or moments; their presence is still compared.
const VOLATILE: [&str; 30] = [
    "account_hash",
    "age",
    "build_version",
    "close_time",
    "close_time_human",
    "close_time_iso",
    "converge_time",
    "converge_time_s",
    "date",
    "duration_us",
    "hash_of_ledger",
    "hostid",
    "initial_sync_duration_us",
    "ledger_data",
    "ledger_hash",
    "ledger_time",
    "load",
    "parent_close_time",
    "parent_hash",
    "ports",
    "pubkey_node",
    "random",
    "server_state_duration_us",
    "time",
    "transitions",
    "uptime",
    "git",
    "master_seed",
    "node_size",
    "validated_ledger.hash",
];

/// Values that tell what happened, whatever the numbers.
const TELLING: [&str; 14] = [
    "status",
    "type",
    "error",
    "error_code",
    "error_message",
    "engine_result",
    "engine_result_code",
    "engine_result_message",
    "applied",
    "queued",
    "validated",
    "searched_all",
    "TransactionType",
    "TransactionResult",
];

/// Where two messages differ, as closely as the recording is to be followed.
pub fn differences(held: Held, recorded: &Value, actual: &Value) -> Vec<String> {
    let mut out = Vec::new();
    match held {
        Held::Exactly => exactly("", recorded, actual, &mut out),
        Held::InShape => in_shape(recorded, actual, &mut out),
    }
    out
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn exactly(path: &str, recorded: &Value, actual: &Value, out: &mut Vec<String>) {
    match (recorded, actual) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let inner = within(path, name);
                let volatile = VOLATILE.iter().any(|v| v == name || inner.ends_with(v));
                match (a.get(name), b.get(name)) {
                    (Some(_), None) => out.push(format!("{inner} missing")),
                    (None, Some(_)) => out.push(format!("{inner} extra")),
                    (Some(_), Some(_)) if volatile => {}
                    (Some(x), Some(y)) => exactly(&inner, x, y, out),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                exactly(&format!("{path}[{index}]"), x, y, out);
            }
        }
        _ if recorded == actual => {}
        _ => out.push(changed(path, recorded, actual)),
    }
}

fn changed(path: &str, recorded: &Value, actual: &Value) -> String {
    format!("{path}: {} became {}", brief(recorded), brief(actual))
}

/// A value, cut to a readable length.
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(120).collect()
}

/// The paths of a message with what is at them, where that tells something. The elements of an array
/// share one path, and what stands in them tells nothing: their number is not compared.
fn shape(path: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = within(path, name);
                let tells = TELLING.contains(&name.as_str()) && !inner.contains("[]");
                let kept = if tells { value.clone() } else { Value::Null };
                out.insert(inner.clone(), kept);
                if !VOLATILE.contains(&name.as_str()) {
                    shape(&inner, value, out);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                shape(&format!("{path}[]"), item, out);
            }
        }
        _ => {}
    }
}

/// Whether long content was cut out of the recording here.
fn is_elided(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.starts_with('<') && text.ends_with(" elided>"))
}

fn elided(path: &str, value: &Value, out: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        for (name, value) in fields {
            elided(&within(path, name), value, out);
        }
    } else if is_elided(value) {
        out.push(format!("{path}["));
    }
}

fn in_shape(recorded: &Value, actual: &Value, out: &mut Vec<String>) {
    let (mut a, mut b) = (BTreeMap::new(), BTreeMap::new());
    shape("", recorded, &mut a);
    shape("", actual, &mut b);
    let mut cut = Vec::new();
    elided("", recorded, &mut cut);
    b.retain(|path, _| !cut.iter().any(|cut| path.starts_with(cut)));
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for path in paths {
        match (a.get(path), b.get(path)) {
            (Some(_), None) => out.push(format!("{path} missing")),
            (None, Some(_)) => out.push(format!("{path} extra")),
            (Some(x), Some(y)) if x != y => out.push(changed(path, x, y)),
            _ => {}
        }
    }
}
