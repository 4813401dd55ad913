//! Payments: from a client's request to its proven end.
//!
//! Owns the engines, one a wallet, which are the only writers of accepted payments. What they do is
//! decided in `core::engine`; here are its hands: the store, the servers, the key, the time, the log.
//! Their transaction boundary is one `Store::commit` a step; on failure an engine forgets what it
//! holds and reads it again.

pub mod accept;
mod ask;
pub mod backfill;
mod carry;
pub mod engine;
mod fees;
mod halting;
mod histories;
pub mod hold;
pub mod last_run;
pub mod loads;
mod lookout;
pub mod observe;
pub mod pasts;
mod pausing;
pub mod preflight;
mod recall;
mod restore;
mod settle;
mod sign;
mod submit;
mod tickets;
mod view;
