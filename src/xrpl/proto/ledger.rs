//! The answer to `ledger`: only the hash of a validated ledger is used.

use serde::Deserialize;
use std::borrow::Cow;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Ledger<'a> {
    #[serde(borrow, default)]
    ledger_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    ledger_index: Option<u32>,
    #[serde(default)]
    validated: bool,
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
}
