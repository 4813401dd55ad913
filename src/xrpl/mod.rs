//! The XRPL servers: redundant websocket connections behind one [`Pool`].
//!
//! Owns the connections, what is known of each server, and the agreement between them. It reads and
//! submits; it signs nothing, stores nothing and concludes nothing about a payment. What it calls
//! agreed was told alike by as many servers as the quorum asks for.
//!
//! On failure: a server that cannot be reached, lags, lies or talks nonsense is passed over and
//! tried again; when too few are left, callers get an error that says so, and nothing is guessed.
//!
//! `transport` moves frames, `connection` keeps one server connected, `route` chooses, `quorum`
//! compares, `proto` is where rippled's JSON stops.

mod account_setup;
mod backlog;
mod backoff;
mod budget;
mod cause;
mod config;
mod connection;
mod dispute;
mod error;
mod health;
mod history;
mod latency;
mod pool;
mod proof;
mod proto;
mod quorum;
mod roster;
mod route;
mod score;
mod server;
mod shared;
mod simulate;
mod submit;
mod subscribe;
mod tip;
mod tls;
pub mod transport;
mod view;
mod voters;

#[cfg(test)]
mod tests;

pub use account_setup::{AccountSetup, AgreedSetup, SignerList};
pub use backlog::{Backlog, Mark};
pub use cause::Cause;
pub use config::{AccountStreams, Deps, PoolConfig, ServerConfig, Voice};
pub use dispute::{Dispute, Outcome};
pub use error::{Evidence, HistoryError, RequestError};
pub use health::State;
pub use history::{
    AgreedHistory, AgreedLeave, AgreedRoot, AgreedTickets, HistoryEntry, Root, RootAfter,
    RootBefore,
};
pub use pool::{FeeQuote, Pool};
pub use proto::ranges::Ranges;
pub use roster::{Changed, Members};
pub use simulate::Simulation;
pub use submit::{MaySend, Submission, SubmitAnswer, SubmitReport};
pub use tip::Tip;
pub use tls::{BadRoots, Pin, Roots};
pub use view::ServerView;
pub use xrpayd_core::journal::Delivered;
