//! The marker that every payment bears on the ledger, so that the ledger itself remembers which
//! intent it served: a lost database finds its payments again by it.

use serde_json::{Value, json};
use xrpayd_core::ids::Hash256;
use xrpayd_core::journal::MARKER_MEMO_TYPE;

/// Separates this use of the hash from every other, and names its version.
const DOMAIN: &[u8] = b"xrpayd/payment-marker/1";

/// The marker of one intent: a hash over the wallet, the client and the client's key, each with its
/// length so that no two different triples read alike.
#[must_use]
pub fn of(wallet: &str, client: &str, idempotency_key: &str) -> Hash256 {
    let parts = [wallet, client, idempotency_key];
    let lengths = parts.map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    Hash256(xrpayd_codec::sha512_half(&[
        DOMAIN,
        &lengths[0],
        parts[0].as_bytes(),
        &lengths[1],
        parts[1].as_bytes(),
        &lengths[2],
        parts[2].as_bytes(),
    ]))
}

/// The memo that carries `marker`.
#[must_use]
pub fn memo(marker: Hash256) -> Value {
    json!({ "Memo": {
        "MemoType": hex::encode_upper(MARKER_MEMO_TYPE),
        "MemoData": marker.to_string(),
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_intents_bear_different_markers() {
        let a = of("hot", "shop", "key");
        assert_eq!(a, of("hot", "shop", "key"));
        for (wallet, client, key) in [
            ("ho", "tshop", "key"),
            ("hot", "shopk", "ey"),
            ("hot", "shop", "key2"),
            ("cold", "shop", "key"),
        ] {
            assert_ne!(a, of(wallet, client, key));
        }
    }
}
