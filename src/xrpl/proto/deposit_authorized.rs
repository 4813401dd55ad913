//! The answer to `deposit_authorized` at one validated ledger.

use serde::Deserialize;
use std::borrow::Cow;
use xrpayd_core::address::AccountId;

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct DepositAuthorized<'a> {
    pub deposit_authorized: bool,
    #[serde(borrow)]
    source_account: Cow<'a, str>,
    #[serde(borrow)]
    destination_account: Cow<'a, str>,
}

impl DepositAuthorized<'_> {
    /// Whether it is about these accounts.
    pub(in crate::xrpl) fn is_about(&self, source: AccountId, destination: AccountId) -> bool {
        self.source_account == source.to_string()
            && self.destination_account == destination.to_string()
    }
}
