//! The ledger's hash and the prefixes that keep its uses apart.

use sha2::{Digest, Sha512};
use xrpayd_core::ids::TxHash;

/// Precedes what a single signature covers.
pub const PREFIX_SIGN: [u8; 4] = *b"STX\0";
/// Precedes what one of several signatures covers.
pub const PREFIX_MULTISIGN: [u8; 4] = *b"SMT\0";
/// Precedes a signed transaction when its identifying hash is taken.
pub const PREFIX_TRANSACTION: [u8; 4] = *b"TXN\0";

/// The first half of the SHA-512 of all `parts` in a row.
#[must_use]
pub fn sha512_half(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    let mut half = [0; 32];
    half.copy_from_slice(&hasher.finalize()[..32]);
    half
}

/// The identifying hash of a signed transaction.
#[must_use]
pub fn transaction_hash(blob: &[u8]) -> TxHash {
    TxHash(sha512_half(&[&PREFIX_TRANSACTION, blob]))
}
