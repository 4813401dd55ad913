//! The pure core of xrpayd: money, addresses, the payment machine and the fold over the journal.
//!
//! Nothing in this crate reads a clock, draws entropy or does I/O: time and new identifiers are
//! arguments. That is what lets it be model-checked, fuzzed and simulated.

pub mod address;
pub mod amount;
pub mod backfill;
pub mod currency;
pub mod deposit;
pub mod engine;
pub mod fee;
pub mod ids;
pub mod invoice;
pub mod journal;
pub mod ledger;
pub mod limits;
pub mod marker;
pub mod money;
pub mod mpt;
pub mod pause;
pub mod payment;
pub mod preflight;
pub mod reconcile;
pub mod rollout;
pub mod route;
pub mod sequence;
pub mod spread;
mod text;
pub mod tickets;
pub mod token;
pub mod xaddress;
