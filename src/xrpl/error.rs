//! What can go wrong with a request to the pool, named by what the caller can do about it.

use std::fmt;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// One request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No server is fit to be asked; nothing was sent.
    #[error("no server is fit to be asked")]
    NoServer,
    /// The server is not connected; nothing was sent.
    #[error("{server} is not connected")]
    NotConnected {
        /// The server.
        server: String,
    },
    /// Too many requests wait for this server; nothing was sent.
    #[error("{server} has too many requests waiting")]
    Busy {
        /// The server.
        server: String,
    },
    /// It was sent, and no answer came in time. Whether it was heard is unknown.
    #[error("{server} did not answer in time")]
    TimedOut {
        /// The server.
        server: String,
    },
    /// The connection was lost before the answer. Whether it was heard is unknown.
    #[error("the connection to {server} was lost before its answer: {why}")]
    Closed {
        /// The server.
        server: String,
        /// How it was lost.
        why: String,
    },
    /// The server answered with an error.
    #[error("{server} answered {error}")]
    Server {
        /// The server.
        server: String,
        /// The name of the error.
        error: String,
    },
    /// The server's answer cannot be used.
    #[error("{server} gave an answer that cannot be used: {why}")]
    Malformed {
        /// The server.
        server: String,
        /// What is wrong with it.
        why: String,
    },
}

impl RequestError {
    /// Whether the same request may succeed later or elsewhere. Only an error that names a mistake of
    /// the request itself does not.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoServer
            | Self::NotConnected { .. }
            | Self::Busy { .. }
            | Self::TimedOut { .. }
            | Self::Closed { .. }
            | Self::Malformed { .. } => true,
            Self::Server { error, .. } => !matches!(
                error.as_str(),
                "invalidParams"
                    | "actMalformed"
                    | "unknownCmd"
                    | "malformedAddress"
                    | "invalid_API_version"
            ),
        }
    }
}

/// What one server said, kept when another contradicts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The server.
    pub server: String,
    /// The ledger that it is about.
    pub ledger: LedgerIndex,
    /// The ledger's hash, as that server tells it.
    pub ledger_hash: Option<LedgerHash>,
    /// What it says that the other does not.
    pub says: String,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} says of ledger {}: {}",
            self.server, self.ledger, self.says
        )
    }
}

/// An account's history or root could not be had with the agreement that finality needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Too few servers are fit to be asked.
    #[error("{ready} servers are ready and {quorum} must agree")]
    NotEnoughServers {
        /// How many are.
        ready: usize,
        /// How many must agree.
        quorum: usize,
    },
    /// Too few servers hold the ledger that was asked for.
    #[error("{holding} servers hold ledger {from} and {quorum} must agree")]
    Gap {
        /// The first ledger that was asked for.
        from: LedgerIndex,
        /// How many servers hold it.
        holding: usize,
        /// How many must agree.
        quorum: usize,
        /// The oldest ledger that any server holds without a hole up to its newest.
        lowest: Option<LedgerIndex>,
    },
    /// Servers contradict each other, and no quorum of them agrees.
    #[error("servers disagree: {left}; {right}")]
    Disagreement {
        /// One of them.
        left: Box<Evidence>,
        /// Another.
        right: Box<Evidence>,
    },
    /// Too few servers answered; the last reason.
    #[error("{0}")]
    Request(#[from] RequestError),
}
