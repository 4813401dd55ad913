//! What the tests of real processes share: the built binary as a ledger and as a daemon, an HTTP
//! client that retries as a merchant would, and the ledger's own truth.

#![allow(
    dead_code,
    reason = "the tests and the bench share this, and each uses a part"
)]

pub mod address;
pub mod alertmanager;
pub mod blackbox;
pub mod clusters;
pub mod daemon;
pub mod executable;
pub mod fleet;
pub mod held;
pub mod ledger;
pub mod merchant;
pub mod metronome;
pub mod outside;
pub mod overlay;
pub mod pgbouncer;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod receiver;
