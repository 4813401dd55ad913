//! The answer to `account_info` at one validated ledger.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::money::Drops;

/// What says which ledger an answer is about: in the result, or beside the error `actNotFound`.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct AtLedger<'a> {
    #[serde(borrow, default)]
    ledger_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    ledger_index: Option<u32>,
    #[serde(default)]
    validated: bool,
}

impl AtLedger<'_> {
    /// Makes sure that the answer is about the validated ledger `wanted`, and returns its hash where
    /// the server gives it.
    pub(in crate::xrpl) fn check(
        &self,
        wanted: LedgerIndex,
    ) -> Result<Option<LedgerHash>, &'static str> {
        if !self.validated {
            return Err("the ledger is not validated there");
        }
        if self.ledger_index != Some(wanted.0) {
            return Err("the answer is about another ledger");
        }
        match self.ledger_hash.as_deref().map(str::parse) {
            None => Ok(None),
            Some(Ok(hash)) => Ok(Some(hash)),
            Some(Err(_)) => Err("the ledger's hash is malformed"),
        }
    }
}

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct AccountInfo<'a> {
    #[serde(borrow)]
    pub account_data: AccountData<'a>,
}

/// The account root.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::xrpl) struct AccountData<'a> {
    #[serde(borrow)]
    pub account: Cow<'a, str>,
    pub balance: Drops,
    pub sequence: u32,
    pub owner_count: u32,
    pub flags: u32,
    #[serde(default, rename = "PreviousTxnLgrSeq")]
    pub previous_txn_lgr_seq: u32,
    #[serde(default)]
    pub regular_key: Option<AccountId>,
    #[serde(default, rename = "AMMID")]
    amm: Option<IgnoredAny>,
    #[serde(default, rename = "VaultID")]
    vault: Option<IgnoredAny>,
    #[serde(default, rename = "LoanBrokerID")]
    loan_broker: Option<IgnoredAny>,
}

impl AccountData<'_> {
    /// Whether the account is the ledger's own.
    pub(in crate::xrpl) const fn is_pseudo(&self) -> bool {
        self.amm.is_some() || self.vault.is_some() || self.loan_broker.is_some()
    }
}
