//! The ledger itself: rules, state, metadata, open ledgers, closing, and what servers hold back.
//!
//! Pure but for the log: no sockets, no clock, no randomness. `network` drives it.

pub(crate) mod admission;
pub(crate) mod amount;
pub(crate) mod chain;
pub(crate) mod close;
pub(crate) mod codes;
pub(crate) mod definitions;
pub(crate) mod entry;
pub(crate) mod fees;
pub(crate) mod fields;
pub(crate) mod formats;
pub(crate) mod held;
pub(crate) mod log;
pub(crate) mod meta;
pub(crate) mod open;
pub(crate) mod paths;
pub(crate) mod queue;
pub(crate) mod rules;
pub(crate) mod state;
pub(crate) mod tx;
