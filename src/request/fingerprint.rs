//! What makes two requests under one idempotency key "the same request": what they mean, not their bytes.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The fingerprint of a request in its canonical form; `domain` separates one kind of request from every
/// other, and names the version of its form.
pub(crate) fn fingerprint(domain: &[u8], canonical: &impl Serialize) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(domain);
    let text = serde_json::to_vec(canonical);
    // Strings, numbers and string-keyed maps always serialise.
    assert!(text.is_ok(), "a canonical request does not serialise");
    hash.update(text.unwrap_or_default());
    hash.finalize().into()
}
