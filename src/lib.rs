//! xrpayd: a self-hosted payment daemon for the XRP Ledger.

pub mod config;
