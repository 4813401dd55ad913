//! `server_definitions`: the tables by which a client writes and reads the ledger's binary form.
//!
//! Owns them, read once from the list beside this file. They are those of the release that the model
//! speaks like; their hash is computed, as rippled computes it, and so proves the list.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use crate::ledger::codes::Ter;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use xrpayd_codec::sha512_half;
use xrpayd_core::ids::LedgerHash;

const LIST: &str = include_str!("data/definitions.txt");

/// The whole answer, its own hash within.
static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(read);

fn read() -> Map<String, Value> {
    let (mut types, mut entries, mut transactions) = (Map::new(), Map::new(), Map::new());
    let mut fields = Vec::new();
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| {
            let number: Option<i32> = text.parse().ok();
            assert!(number.is_some(), "a line of the definitions has a number");
            json!(number)
        };
        match words[..] {
            ["type", name, code] => drop(types.insert(name.to_owned(), number(code))),
            ["entry", name, code] => drop(entries.insert(name.to_owned(), number(code))),
            ["transaction", name, code] => {
                drop(transactions.insert(name.to_owned(), number(code)));
            }
            ["field", name, kind, nth, flags] => fields.push(json!([name, {
                "isSerialized": flags.contains('S'),
                "isSigningField": flags.contains('G'),
                "isVLEncoded": flags.contains('V'),
                "nth": number(nth),
                "type": kind,
            }])),
            _ => unreachable!("every line of the definitions is one of these"),
        }
    }
    let results = Ter::ALL
        .iter()
        .map(|code| (code.name().to_owned(), json!(code.number())));
    let tables = [
        ("FIELDS", json!(fields)),
        ("LEDGER_ENTRY_TYPES", Value::Object(entries)),
        ("TRANSACTION_RESULTS", Value::Object(results.collect())),
        ("TRANSACTION_TYPES", Value::Object(transactions)),
        ("TYPES", Value::Object(types)),
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
        if DEFINITIONS.get("hash") == Some(&json!(known)) {
            return Ok(json!({ "hash": known }));
        }
    }
    Ok(Value::Object(DEFINITIONS.clone()))
}
