//! xrpayd: a self-hosted payment daemon for the XRP Ledger.
pub mod config;
pub mod clock;
pub mod supervise;
pub mod telemetry;
pub mod store;
pub mod http;
pub mod payments;
pub mod wallet;
pub mod journal;
pub mod app;
pub mod xrpl;
pub mod cli;
