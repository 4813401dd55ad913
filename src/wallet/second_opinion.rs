//! The second opinion: before anything that we signed may be persisted, an encoder that we did not
//! write must encode it to the same bytes.
//!
//! It sees only what we built ourselves, never bytes from outside, and never a key.

use super::SignError;
use serde_json::Value;

/// Checks that the second encoder makes `blob` of `tx`.
///
/// # Errors
/// It makes something else of it, or refuses it.
pub fn check(tx: &Value, blob: &[u8]) -> Result<(), SignError> {
    let theirs = xrpl::core::binarycodec::encode(tx)
        .map_err(|error| SignError::Disagreement(error.to_string()))?;
    if theirs.eq_ignore_ascii_case(&hex::encode(blob)) {
        Ok(())
    } else {
        Err(SignError::Disagreement(
            "its bytes differ from ours".to_owned(),
        ))
    }
}
