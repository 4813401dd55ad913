//! A model of the XRP Ledger: several rippled-shaped websocket servers over one ledger, with faults.
//!
//! What it is for: a newcomer's first payment, the tests of the daemon, and drills. It speaks as a
//! standalone rippled 2.4 does (recordings of a real one are replayed against it), takes real signed
//! blobs, applies the ledger's own rules for XRP, and writes metadata byte for byte as rippled does.
//!
//! - `ledger` holds the rules and the chain and knows nothing of sockets or time.
//! - `network` owns everything that changes, behind one lock that is never held across an await:
//!   the chain, and for each server its own view, open ledger and held transactions.
//! - `server` speaks websocket and JSON; it verifies signatures before it asks for the lock.
//! - `faults` are what a drill may inflict on one server; `auditor` reads out the truth beside them.
//!
//! **Truth and faults.** A fault changes what a *server* says or hears: it may lag, stay silent, lose
//! requests or answers, hide transactions or swap results. It never changes the chain. `sandbox_truth`
//! reads the chain itself, whatever faults are on, so an auditor compares what a client believes with
//! what happened. A ledger is written to the log before any server tells anyone of it, so a killed
//! process never forgets a validated ledger that somebody saw.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout
    )
)]

mod auditor;
mod clock;
mod condition;
mod config;
mod decoded;
mod faults;
mod ledger;
mod network;
mod random;
mod server;
mod st;
mod tasks;

pub use config::{CloseInterval, NetworkConfig, StartError};
pub use faults::FaultError;
pub use server::Network;
