//! The marker that every payment bears on the ledger, so that the ledger itself remembers which intent
//! it served: a lost database finds its payments again by it.
//!
//! The wallet is part of it. Where a service has several, an intent that names none of them may have
//! been paid from any, so whoever asks what the ledger remembers asks for the markers of all.

use crate::ids::Hash256;
use sha2::{Digest as _, Sha512};

/// Separates this use of the hash from every other, and names its version.
const DOMAIN: &[u8] = b"xrpayd/payment-marker/1";

/// The marker of one intent: SHA-512Half over the wallet, the client and the client's key, each with its
/// length so that no two different triples read alike.
#[must_use]
pub fn of(wallet: &str, client: &str, idempotency_key: &str) -> Hash256 {
    let mut hasher = Sha512::new();
    hasher.update(DOMAIN);
    for part in [wallet, client, idempotency_key] {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut half = [0; 32];
    half.copy_from_slice(&hasher.finalize()[..32]);
    Hash256(half)
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
