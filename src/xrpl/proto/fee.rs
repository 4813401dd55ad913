//! The answer to `fee`.

use serde::Deserialize;
use xrpayd_core::money::Drops;

/// The result; only the amounts in drops are used.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Fee {
    pub drops: FeeDrops,
}

/// What a transaction costs.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct FeeDrops {
    pub base_fee: Drops,
    /// What gets a transaction into the open ledger now.
    pub open_ledger_fee: Drops,
    /// What gets it into the queue.
    pub minimum_fee: Drops,
}
