//! What makes two requests under one idempotency key "the same request".
//!
//! The fingerprint is taken over what the request means, not over its bytes: spacing, the order of
//! fields, `12.50` for `12.5` and an X-address for an address with its tag make no difference.
//! Nothing from the configuration enters it, so that a request replayed after a change of the
//! configuration is still the same.

use crate::request::fingerprint;
use serde::Serialize;
use std::collections::BTreeMap;
use xrpayd_core::payment::Memo;

/// Separates this use of the hash from every other, and names its version.
const DOMAIN: &[u8] = b"xrpayd/payment-request/1\n";

/// A payment request by its meaning, in a fixed order of fields.
#[derive(Debug, Serialize)]
pub(super) struct Canonical<'a> {
    pub wallet: Option<&'a str>,
    pub destination: String,
    pub destination_tag: Option<u32>,
    pub amount_drops: u64,
    pub source_tag: Option<u32>,
    pub invoice_id: Option<String>,
    pub memos: Vec<CanonicalMemo<'a>>,
    pub max_fee_drops: Option<u64>,
    pub reference: Option<&'a str>,
    pub metadata: &'a BTreeMap<String, String>,
    pub expires_in: Option<u64>,
}

/// A memo in its ledger form.
#[derive(Debug, Serialize)]
pub(super) struct CanonicalMemo<'a> {
    memo_type: Option<&'a str>,
    memo_format: Option<&'a str>,
    memo_data: Option<&'a str>,
}

impl<'a> From<&'a Memo> for CanonicalMemo<'a> {
    fn from(memo: &'a Memo) -> Self {
        Self {
            memo_type: memo.memo_type.as_deref(),
            memo_format: memo.memo_format.as_deref(),
            memo_data: memo.memo_data.as_deref(),
        }
    }
}

impl Canonical<'_> {
    /// The fingerprint.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(DOMAIN, self)
    }
}
