//! Holds the checked-in field table against the ledger's own definitions file.
//!
//! `UPDATE_TABLE=1 cargo test -p xrpayd-codec --test table` writes the table anew after the file
//! has been replaced by a newer one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

const DEFINITIONS: &str = include_str!("../definitions.json");
const TABLE_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/table.rs");
/// Types that exist only in the server's memory, and the two marks that end a container.
const NOT_ON_THE_WIRE: [&str; 3] = ["Generic", "ObjectEndMarker", "ArrayEndMarker"];

fn definitions() -> Value {
    serde_json::from_str(DEFINITIONS).unwrap()
}

fn type_code(definitions: &Value, kind: &str) -> u64 {
    definitions["TYPES"][kind].as_u64().unwrap()
}

fn render() -> String {
    let definitions = definitions();
    let mut out = String::from(
        "//! Every field, transaction type, ledger entry type and result code the ledger knows.\n\
         //!\n\
         //! Generated from `definitions.json`; `tests/table.rs` holds the two together.\n\n\
         use crate::field::{Field, Kind, field as f};\n\n\
         /// All fields, sorted by name.\n\
         pub(crate) static FIELDS: &[Field] = &[\n",
    );
    let fields: BTreeMap<&str, &Value> = definitions["FIELDS"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, field)| (name.as_str(), field))
        .filter(|(name, _)| !NOT_ON_THE_WIRE.contains(name))
        .collect();
    for (name, field) in &fields {
        let (kind, nth, signed) = (
            field[0].as_str().unwrap(),
            field[1].as_u64().unwrap(),
            field[3].as_bool().unwrap(),
        );
        let prefixed = matches!(kind, "Blob" | "AccountID" | "Vector256");
        assert_eq!(field[2].as_bool().unwrap(), prefixed, "{name}");
        let kind = kind.replace("AccountID", "AccountId");
        writeln!(out, "    f(\"{name}\", Kind::{kind}, {nth}, {signed}),").unwrap();
    }
    out.push_str("];\n\n/// Positions in [`FIELDS`], sorted by type and number.\npub(crate) static BY_ID: &[u16] = &[\n");
    let names: Vec<&str> = fields.keys().copied().collect();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&at| {
        let field = fields[names[at]];
        (
            type_code(&definitions, field[0].as_str().unwrap()),
            field[1].as_u64(),
        )
    });
    let mut line = String::from("   ");
    for at in order {
        if line.len() + at.to_string().len() + 2 > 100 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("   ");
        }
        write!(line, " {at},").unwrap();
    }
    out.push_str(&line);
    out.push_str("\n];\n");
    for (constant, key, doc) in [
        (
            "TRANSACTION_TYPES",
            "TRANSACTION_TYPES",
            "Transaction types",
        ),
        (
            "LEDGER_ENTRY_TYPES",
            "LEDGER_ENTRY_TYPES",
            "Ledger entry types",
        ),
        (
            "RESULTS",
            "TRANSACTION_RESULTS",
            "Result codes that can stand in a ledger",
        ),
    ] {
        writeln!(
            out,
            "\n/// {doc}, sorted by name.\npub(crate) static {constant}: &[(&str, u16)] = &["
        )
        .unwrap();
        let sorted: BTreeMap<_, _> = definitions[key].as_object().unwrap().iter().collect();
        for (name, code) in sorted {
            if let Some(code) = code.as_u64() {
                writeln!(out, "    (\"{name}\", {code}),").unwrap();
            }
        }
        out.push_str("];\n");
    }
    out
}

#[test]
fn the_table_is_what_the_definitions_say() {
    let rendered = render();
    if std::env::var_os("UPDATE_TABLE").is_some() {
        std::fs::write(TABLE_PATH, &rendered).unwrap();
    }
    let table = std::fs::read_to_string(TABLE_PATH).unwrap();
    // The formatter may lay the lists out anew; no name in them has a space.
    let bare = |text: &str| {
        let joined = text.split_whitespace().collect::<String>();
        joined.replace(",)", ")").replace(",]", "]")
    };
    assert!(
        bare(&table) == bare(&rendered),
        "src/table.rs is out of date: run with UPDATE_TABLE=1"
    );
}
