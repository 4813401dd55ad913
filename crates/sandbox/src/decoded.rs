//! State entries and metadata as JSON: the objects that only the ledger itself writes.
//!
//! Owns nothing. Bytes that the ledger holds always decode; were they not to, an empty object stands in
//! their place and the error is logged.

use serde_json::{Map, Value};

/// An object's fields as rippled prints them.
pub(crate) fn to_json(bytes: &[u8]) -> Map<String, Value> {
    match xrpayd_codec::decode_object(bytes) {
        Ok(Value::Object(map)) => map,
        Ok(_) => Map::new(),
        Err(error) => {
            tracing::error!(%error, "an object of the ledger does not decode");
            Map::new()
        }
    }
}
