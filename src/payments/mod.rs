//! Payments: from a client's request to its proven end.
//!
//! Owns the engines, one a wallet, which are the only writers of accepted payments. Their
//! transaction boundary is one `Store::commit` a step; on failure an engine forgets what it holds
//! and reads it again.

pub mod accept;
mod adopt;
mod batch;
pub mod engine;
mod fees;
mod lane;
mod observe;
mod settle;
mod sign;
mod submit;
