//! A model of the XRP Ledger: several rippled-shaped websocket servers over one ledger, with faults.
//!
//! What it is for: a newcomer's first payment, the tests of the daemon, and drills. It speaks as a
//! rippled 2.4 does over websocket and HTTP (recordings of real ones are replayed against it, and what
//! still differs is listed with its reason), takes real signed blobs, applies the ledger's own rules, and
//! writes metadata byte for byte as rippled does. It can also answer as Clio.
//!
//! It models payments of XRP, issued currencies and multi-purpose tokens over paths and order books,
//! trust lines, offers, clawback, checks, escrows, channels, tickets, keys and signer lists; the queue
//! and its prices; the limits of strangers. It does not model automated market makers, NFTs, bridges,
//! identities, oracles and credentials, which answer as on a ledger without those amendments, nor
//! consensus: servers differ only by the faults that a drill inflicts.
//!
//! - `ledger` holds the rules and the chain and knows nothing of sockets or time.
//! - `network` owns everything that changes, behind one lock that is never held across an await:
//!   the chain, and for each server its own view, open ledger and held transactions.
//! - `server` speaks websocket, HTTP and JSON; it verifies signatures before it asks for the lock. Its
//!   methods read the ledger through `ledger`'s own readers and decide no transaction's result.
//! - `faults` and `condition` are what a drill may inflict on one server; `auditor` reads out the truth
//!   beside them.
//! - `st` and `decoded` are the ledger's bytes: how they are written and walked, and how they print.
//!
//! Users read `docs/SANDBOX.md`: methods, every fault, ports, time and what is kept.
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
