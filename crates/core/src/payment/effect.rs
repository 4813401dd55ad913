//! What a transition asks for, to be done after it is durable.

use super::state::Payment;
use crate::ids::TxHash;
use crate::money::Drops;

/// The outcome of a legal transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The payment after it; its version is one higher than before.
    pub payment: Payment,
    /// What to do once the new state is durable.
    pub effects: Vec<Effect>,
}

/// Something to be done once the state that asks for it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the attempt to the servers.
    Submit(TxHash),
    /// Stop signing for the wallet and call a person.
    HaltWallet {
        /// What was seen.
        reason: String,
    },
    /// The payment has its end: the limits keep what was delivered and release the rest.
    Settle {
        /// What was delivered.
        delivered: Drops,
    },
}
