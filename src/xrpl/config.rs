//! What a pool is told when it starts.

use super::tls::{Pin, Roots};
use crate::clock::{Clock, Entropy};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;

/// Whether what a server says is counted when servers have to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// It is.
    Counts,
    /// It is not: the server is only submitted to, and asked for the fee.
    Unheard,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its name in views, metrics and logs.
    pub name: String,
    /// `ws://` or `wss://`.
    pub url: String,
    /// Who runs it.
    pub operator: String,
    /// The lower, the sooner it is asked.
    pub priority: u32,
    /// Whether its word counts towards the quorum.
    pub voice: Voice,
    /// The keys that it may show; any that its chain vouches for where none is given.
    pub pins: Vec<Pin>,
}

/// Whether servers are asked to stream the transactions of our accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStreams {
    /// They are: each server then sends every transaction of ours once more, in full, after
    /// telling of the ledger that holds it.
    On,
    /// They are not: a closed ledger wakes the readers, and history is read anyway.
    Off,
}

/// A pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The network that every server must be of.
    pub network_id: u32,
    /// The servers.
    pub servers: Vec<ServerConfig>,
    /// How many servers must agree before anything is final.
    pub quorum: usize,
    /// How many servers a transaction is given to at once.
    pub submit_to: usize,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long the other servers of a submission are waited for once one has answered it whole.
    pub submit_grace: Duration,
    /// How long a question may go unanswered before one more server is asked it too.
    pub hedge_after: Duration,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long a server may close no ledger before it is probed, and passed over where it lags.
    pub silence_timeout: Duration,
    /// How often a connection is pinged; one that shows no life for two of these is given up.
    pub ping_interval: Duration,
    /// How many requests may wait for an answer on one connection.
    pub in_flight_max: usize,
    /// The longest wait between attempts to connect.
    pub backoff_max: Duration,
    /// Whether our accounts' transactions are streamed.
    pub account_streams: AccountStreams,
    /// The roots of the servers' certificates.
    pub roots: Roots,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            network_id: 0,
            servers: Vec::new(),
            quorum: 2,
            submit_to: 2,
            request_timeout: Duration::from_secs(30),
            submit_grace: Duration::from_millis(250),
            hedge_after: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(20),
            ping_interval: Duration::from_secs(10),
            in_flight_max: 1_024,
            backoff_max: Duration::from_secs(30),
            account_streams: AccountStreams::Off,
            roots: Roots::Bundled,
        }
    }
}

impl PoolConfig {
    /// How often a connection is pinged: at least thrice within the silence time-out, so that a link
    /// on which everything vanishes is given up before that has passed.
    pub(super) fn ping_every(&self) -> Duration {
        self.ping_interval.min(self.silence_timeout / 3)
    }
}

/// What the pool stands on.
#[derive(Clone)]
pub struct Deps {
    /// Wall time, for what is shown.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// Runs one task a server.
    pub supervisor: Supervisor,
}
