//! How a payment bears its marker where its caller sets the InvoiceID: in a memo.

use serde_json::{Value, json};
use xrpayd_core::ids::Hash256;
use xrpayd_core::journal::MARKER_MEMO_TYPE;

pub use xrpayd_core::marker::of;

/// The memo that carries `marker`.
#[must_use]
pub fn memo(marker: Hash256) -> Value {
    json!({ "Memo": {
        "MemoType": hex::encode_upper(MARKER_MEMO_TYPE),
        "MemoData": marker.to_string(),
    }})
}
