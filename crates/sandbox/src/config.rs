//! What a model network is started with, and why it may refuse to start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// When ledgers close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseInterval {
    /// By themselves, at this interval.
    Every(Duration),
    /// Only on `ledger_accept` or [`crate::Network::close_ledger`].
    Manual,
}

/// The settings of a model network.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// One server for each address; port 0 takes a free one. Clients there are administrators.
    pub listen: Vec<SocketAddr>,
    /// Further addresses of the first server whose clients are not administrators.
    pub listen_public: Vec<SocketAddr>,
    /// When ledgers close.
    pub close_interval: CloseInterval,
    /// Seeds everything that is random.
    pub seed: u64,
    /// The network's id; above 1024 transactions must carry it.
    pub network_id: u32,
    /// Transactions in an open ledger before the fee escalates; three such ledgers wait in the queue.
    /// `None` never escalates, whatever a ledger holds.
    pub ledger_capacity: Option<u32>,
    /// The log that makes the ledger survive a restart; `None` keeps it in memory only.
    pub state: Option<PathBuf>,
    /// Accounts that a *fresh* ledger pays out of the genesis account and validates at once.
    pub fund: Vec<(AccountId, Drops)>,
    /// How many ledgers of history servers keep; `None` keeps all.
    pub retain_ledgers: Option<u32>,
}

impl Default for NetworkConfig {
    /// One server on a free port of the loopback, a ledger a second, nothing kept on disk.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            listen_public: Vec::new(),
            close_interval: CloseInterval::Every(Duration::from_secs(1)),
            seed: 1,
            network_id: 0,
            ledger_capacity: None,
            state: None,
            fund: Vec::new(),
            retain_ledgers: None,
        }
    }
}

/// Why a model network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No address to listen on was given.
    #[error("a model network needs at least one address to listen on")]
    NoAddress,
    /// An address could not be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file could not be read or written.
    #[error("cannot use the state file {path}")]
    State {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file is not ours, or is damaged before its end.
    #[error("the state file {path} is not usable: {reason}")]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The genesis account's key could not be derived.
    #[error("the genesis account's key cannot be derived")]
    Genesis,
    /// An account could not be funded.
    #[error("cannot fund {account} with {drops} drops: {result}")]
    Fund {
        /// The account.
        account: AccountId,
        /// How much it was to get.
        drops: Drops,
        /// The ledger's result code.
        result: &'static str,
    },
}
