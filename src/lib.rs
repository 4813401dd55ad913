//! xrpayd: a self-hosted payment daemon for the XRP Ledger.
//!
//! The rooms, from the door to the ledger: `cli` starts the `app`, which builds all others. `http`
//! takes what clients ask, `payments` drives it, `store` remembers it, `wallet` signs it, `xrpl`
//! carries it to the servers, `journal` reads what became of it and `webhooks` tells the merchant's
//! systems. `docs/ARCHITECTURE.md` follows one payment through them.

pub mod app;
pub mod backup;
mod cidr;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deposits;
pub mod http;
pub mod journal;
pub mod payments;
pub mod preflight;
mod private_file;
pub mod private_memory;
pub mod reconcile;
pub mod request;
mod rfc3339;
pub mod rollout;
mod sealing_key;
mod shape;
pub mod store;
pub mod supervise;
pub mod telemetry;
pub mod wallet;
pub mod webhooks;
pub mod xrpl;
