//! What the ledger keeps as bytes, as the JSON that rippled prints of it, beside every server.
//!
//! Owns nothing. Bytes that the ledger holds always decode; were they not to, an empty object stands in
//! their place and the error is logged.

use serde_json::{Map, Value};
use xrpayd_codec::CodecError;

/// The fields of a state entry or of metadata: the objects that only the ledger itself writes.
pub(crate) fn object(bytes: &[u8]) -> Map<String, Value> {
    fields(xrpayd_codec::decode_object(bytes))
}

/// A transaction's fields as signed.
pub(crate) fn transaction(blob: &[u8]) -> Map<String, Value> {
    fields(xrpayd_codec::decode(blob))
}

fn fields(decoded: Result<Value, CodecError>) -> Map<String, Value> {
    match decoded {
        Ok(Value::Object(map)) => map,
        Ok(_) => Map::new(),
        Err(error) => {
            tracing::error!(%error, "bytes in the ledger do not decode");
            Map::new()
        }
    }
}

/// What a transaction that succeeded delivered: as metadata says, or else all that was asked for.
pub(crate) fn delivered_amount(blob: &[u8], meta: &Map<String, Value>) -> Option<Value> {
    let tx = transaction(blob);
    let delivers = ["Payment", "CheckCash", "AccountDelete"];
    let kind = tx.get("TransactionType").and_then(Value::as_str)?;
    if !delivers.contains(&kind) {
        return None;
    }
    meta.get("DeliveredAmount")
        .or_else(|| tx.get("Amount"))
        .cloned()
}
