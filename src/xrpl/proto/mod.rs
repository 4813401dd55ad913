//! rippled's JSON, typed. Its field names and shapes stop at this module.
//!
//! Every answer that the pool uses has a struct here. Unknown fields are tolerated and optional
//! ones may be absent, because servers of several makes and versions answer; a field that is there
//! with the wrong shape makes the whole answer malformed.

pub(super) mod account_info;
pub(super) mod account_objects;
pub(super) mod account_tx;
pub(super) mod deposit_authorized;
pub(super) mod effects;
pub(super) mod envelope;
pub(super) mod fee;
pub(super) mod ledger;
pub(super) mod ranges;
pub(super) mod server_info;
pub(super) mod simulate;
pub(super) mod stream;
pub(super) mod submit;

#[cfg(test)]
mod recorded;

use serde::Deserialize;
use xrpayd_core::ids::UnixMs;

/// Seconds between the Unix epoch and the ledger's own, the first of January 2000.
const RIPPLE_EPOCH_S: i64 = 946_684_800;

/// A time of the ledger, in its own seconds, as milliseconds since the Unix epoch.
pub(super) fn unix_ms(ripple_s: u32) -> UnixMs {
    UnixMs((i64::from(ripple_s) + RIPPLE_EPOCH_S) * 1_000)
}

/// The part of a success frame that bears the result.
#[derive(Debug, Deserialize)]
pub(super) struct Response<T> {
    /// What was asked for.
    pub result: T,
}

/// Reads the result of a success frame.
pub(super) fn result<'a, T: Deserialize<'a>>(frame: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str::<Response<T>>(frame).map(|response| response.result)
}

/// Tells a stream's transaction from everything else without parsing it. A quote inside a JSON string
/// is escaped, so a stranger's text cannot imitate it.
pub(super) fn looks_like_stream_transaction(frame: &str) -> bool {
    frame.contains(r#""type":"transaction""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_epoch_is_the_year_2000() {
        assert_eq!(unix_ms(0), UnixMs(946_684_800_000));
        assert_eq!(unix_ms(848_545_524), UnixMs(1_795_230_324_000));
    }

    #[test]
    fn a_strangers_text_cannot_imitate_a_stream_transaction() {
        let memo = serde_json::json!({ "memo": r#""type":"transaction""# }).to_string();
        assert!(!looks_like_stream_transaction(&memo));
        assert!(looks_like_stream_transaction(r#"{"type":"transaction"}"#));
    }
}
