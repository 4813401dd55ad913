//! Transaction types that the model does not carry out: automated market makers, NFTs, bridges,
//! identities, oracles and whatever came later.
//!
//! It answers as a ledger does whose amendments for them are not enabled.

use crate::ledger::codes::Ter;
use crate::ledger::tx::Tx;

pub(super) const fn preflight(_tx: &Tx) -> Result<(), Ter> {
    Err(Ter::TEM_DISABLED)
}
