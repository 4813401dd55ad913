//! `server_definitions`: the tables by which a client writes and reads the ledger's binary form.
//!
//! Owns the answer, made once. Its hash is computed, as rippled computes it, and so proves the tables.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use crate::ledger::codes::Ter;
use crate::ledger::definitions::{DEFINITIONS, Definition, Named};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use xrpayd_codec::sha512_half;
use xrpayd_core::ids::LedgerHash;

/// The whole answer, its own hash within.
static ANSWER: LazyLock<Map<String, Value>> = LazyLock::new(render);

fn table(named: &[Named]) -> Value {
    let table = named
        .iter()
        .map(|(name, code)| (name.to_string(), json!(code)));
    Value::Object(table.collect())
}

fn field(field: &Definition) -> Value {
    json!([field.name, {
        "isSerialized": field.id.is_some(),
        "isSigningField": field.is_signed,
        "isVLEncoded": field.has_length,
        "nth": field.number,
        "type": field.kind,
    }])
}

fn render() -> Map<String, Value> {
    let results = Ter::ALL
        .iter()
        .map(|code| (code.name().to_owned(), json!(code.number())));
    let fields: Vec<Value> = DEFINITIONS.fields.iter().map(field).collect();
    let tables = [
        ("FIELDS", json!(fields)),
        ("LEDGER_ENTRY_TYPES", table(&DEFINITIONS.entries)),
        ("TRANSACTION_RESULTS", Value::Object(results.collect())),
        ("TRANSACTION_TYPES", table(&DEFINITIONS.transactions)),
        ("TYPES", table(&DEFINITIONS.types)),
    ];
    let mut out: Map<String, Value> = tables
        .into_iter()
        .map(|(name, table)| (name.to_owned(), table))
        .collect();
    // rippled hashes its own compact text of the tables, whose names are sorted as ours are.
    let text = Value::Object(out.clone()).to_string();
    let hash = LedgerHash(sha512_half(&[text.as_bytes()]));
    out.insert("hash".to_owned(), json!(hash));
    out
}

pub(super) fn server_definitions(call: &Call<'_>) -> Answer {
    if let Some(known) = call.params.get("hash") {
        let known = known.as_str().and_then(|text| text.parse().ok());
        let known: LedgerHash = known.ok_or_else(|| RpcError::invalid_field("hash"))?;
        if ANSWER.get("hash") == Some(&json!(known)) {
            return Ok(json!({ "hash": known }));
        }
    }
    Ok(Value::Object(ANSWER.clone()))
}
