//! Transactions recorded from a ledger server: each blob must print exactly as the server printed
//! it, be written back byte for byte, hash alike and carry a signature that holds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;
use xrpayd_codec::{check_signature, decode, encode, transaction_hash};

fn recorded() -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(include_bytes!("data/recorded.json.gz").as_slice())
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn recorded_transactions_print_as_the_server_printed_them() {
    let recorded = recorded();
    assert!(recorded.len() > 400);
    let mut failures = Vec::new();
    for pair in &recorded {
        let blob = hex::decode(pair["tx_blob"].as_str().unwrap()).unwrap();
        let mut printed = pair["tx_json"].clone();
        let fields = printed.as_object_mut().unwrap();
        let hash = fields.remove("hash").unwrap();
        // The newer shape of the server's answers names a payment's amount by an alias.
        if let Some(alias) = fields.remove("DeliverMax") {
            let amount = fields.entry("Amount").or_insert_with(|| alias.clone());
            assert_eq!(*amount, alias);
        }
        match decode(&blob) {
            Ok(ours) if ours == printed => assert_eq!(encode(&ours).unwrap(), blob),
            other => failures.push(format!("{printed}\n  ours: {other:?}")),
        }
        assert_eq!(transaction_hash(&blob).to_string(), hash.as_str().unwrap());
        assert!(check_signature(&blob).is_ok(), "{printed}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
