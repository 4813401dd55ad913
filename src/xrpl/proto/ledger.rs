//! The answer to `ledger`: the hash of a validated ledger, or the whole of it in bytes.

use super::unix_ms;
use serde::Deserialize;
use std::borrow::Cow;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};

/// The result of asking for the whole ledger in binary form.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct WholeLedger {
    pub ledger: LedgerBytes,
}

/// A ledger's header and transactions, in hexadecimal.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct LedgerBytes {
    pub ledger_data: String,
    #[serde(default)]
    pub transactions: Vec<TransactionBytes>,
}

/// One transaction and its metadata, in hexadecimal.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct TransactionBytes {
    pub tx_blob: String,
    pub meta_blob: String,
}

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Ledger<'a> {
    #[serde(borrow, default)]
    ledger_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    ledger_index: Option<u32>,
    #[serde(default)]
    validated: bool,
    #[serde(default)]
    ledger: Option<Header>,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    close_time: Option<u32>,
}

impl Ledger<'_> {
    /// The hash, where the answer is about the validated ledger `wanted`.
    pub(in crate::xrpl) fn hash_of(&self, wanted: LedgerIndex) -> Result<LedgerHash, &'static str> {
        if !self.validated {
            return Err("the ledger is not validated there");
        }
        if self.ledger_index != Some(wanted.0) {
            return Err("the answer is about another ledger");
        }
        let hash = self
            .ledger_hash
            .as_deref()
            .and_then(|text| text.parse().ok());
        hash.ok_or("the answer bears no ledger hash")
    }

    /// When the ledger closed, where the answer tells it.
    pub(in crate::xrpl) fn close_time(&self) -> Option<UnixMs> {
        self.ledger.as_ref()?.close_time.map(unix_ms)
    }
}
