//! What every connection shares: the network behind its lock, the subscribers, and what never changes.
//!
//! Owns the locks. Neither is held across an await, and where both are needed the network's
//! is taken and released first.

use super::arrivals::Arrivals;
use super::connection::{Cut, Role};
use super::desk::Desk;
use super::dispatch::Client;
use super::limits::{Consumers, Load};
use super::streams::Subscribers;
use crate::clock;
use crate::config::CloseInterval;
use crate::ledger::held::Recent;
use crate::network::Net;
use crate::random::Random;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use xrpayd_core::ids::TxHash;

/// Transactions whose good signature is remembered.
const VERIFIED_MAX: usize = 20_000;

/// How long a real server waits for a socket that takes nothing.
const PATIENCE_MS: u64 = 30_000;
/// How long a server's doors may take to shut before its clients are sent away all the same.
const SHUT_WITHIN: Duration = Duration::from_secs(1);

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    net: Mutex<Net>,
    subscribers: Vec<Mutex<Subscribers>>,
    verified: Mutex<Recent<TxHash, ()>>,
    desks: Vec<Mutex<Desk>>,
    consumers: Vec<Mutex<Consumers>>,
    arrivals: Mutex<Arrivals>,
    /// How often each server was asked for each method that it has.
    counts: Vec<Mutex<BTreeMap<String, u64>>>,
    /// Changes when all connections of a server are to be closed.
    pub(crate) cuts: Vec<watch::Sender<Cut>>,
    /// How long a socket may take nothing, in milliseconds.
    patience_ms: Vec<AtomicU64>,
    /// Whether each server is to take connections.
    pub(crate) doors: Vec<watch::Sender<bool>>,
    /// How many of each server's sockets listen.
    pub(crate) listening: Vec<watch::Sender<usize>>,
    /// Changes when a server's faults do, and so perhaps its freeze.
    pub(crate) thaws: Vec<watch::Sender<u64>>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) network_id: u32,
    pub(crate) close_interval: CloseInterval,
    next_client: AtomicU64,
    seed: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Puts a network under its lock.
    pub(crate) fn new(
        net: Net,
        addresses: Vec<SocketAddr>,
        close_interval: CloseInterval,
        seed: u64,
    ) -> Self {
        let count = net.servers.len();
        Self {
            network_id: net.network_id,
            net: Mutex::new(net),
            subscribers: (0..count).map(|_| Mutex::default()).collect(),
            verified: Mutex::new(Recent::new(VERIFIED_MAX)),
            desks: (0..count).map(|_| Mutex::default()).collect(),
            consumers: (0..count).map(|_| Mutex::default()).collect(),
            arrivals: Mutex::default(),
            counts: (0..count).map(|_| Mutex::default()).collect(),
            cuts: (0..count).map(|_| watch::Sender::new(Cut::NONE)).collect(),
            patience_ms: (0..count).map(|_| AtomicU64::new(PATIENCE_MS)).collect(),
            doors: (0..count).map(|_| watch::Sender::new(true)).collect(),
            listening: (0..count).map(|_| watch::Sender::new(0)).collect(),
            thaws: (0..count).map(|_| watch::Sender::new(0)).collect(),
            addresses,
            close_interval,
            next_client: AtomicU64::new(1),
            seed,
        }
    }

    /// Waits until a server that is down refuses whoever knocks, so that a client that is sent away and
    /// comes straight back finds it as it is. A door that does not shut is not waited for.
    pub(crate) async fn until_shut(&self, server: usize) {
        if *self.doors[server].borrow() {
            return;
        }
        let mut listening = self.listening[server].subscribe();
        let shut = listening.wait_for(|count| *count == 0);
        let _in_time = tokio::time::timeout(SHUT_WITHIN, shut).await.is_ok();
    }

    /// Counts a request. Names that no method has are counted as one, so that nobody makes the table grow.
    pub(crate) fn count(&self, server: usize, command: &str) {
        let name = if super::dispatch::is_known(command) {
            command
        } else {
            "unknown"
        };
        let mut counts = lock(&self.counts[server]);
        match counts.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                counts.insert(name.to_owned(), 1);
            }
        }
    }

    /// How often a server was asked for what.
    pub(crate) fn counted(&self, server: usize) -> BTreeMap<String, u64> {
        lock(&self.counts[server]).clone()
    }

    /// What was submitted to any server.
    pub(super) fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        lock(&self.arrivals)
    }

    /// The network. The guard must be dropped before any await.
    pub(crate) fn net(&self) -> MutexGuard<'_, Net> {
        lock(&self.net)
    }

    /// A server's subscribers.
    pub(crate) fn subscribers(&self, server: usize) -> MutexGuard<'_, Subscribers> {
        lock(&self.subscribers[server])
    }

    /// What administrators set on a server.
    pub(super) fn desk(&self, server: usize) -> MutexGuard<'_, Desk> {
        lock(&self.desks[server])
    }

    /// Whether the transaction's signatures were found good before.
    pub(crate) fn is_verified(&self, hash: TxHash) -> bool {
        lock(&self.verified).get(&hash).is_some()
    }

    /// Remembers that the transaction's signatures are good.
    pub(crate) fn remember_verified(&self, hash: TxHash) {
        lock(&self.verified).insert(hash, ());
    }

    /// What the faults of one connection are drawn from: that of the `count`th client that a server took
    /// on this listener. Each connection draws for itself, so that the same requests on it meet the same
    /// luck in every run, whatever the others do meanwhile.
    pub(crate) fn connection_random(&self, server: usize, role: Role, count: u64) -> Random {
        let server = u64::try_from(server).unwrap_or(u64::MAX);
        Random::of(self.seed, [server, u64::from(role == Role::Admin), count])
    }

    /// How long a client's socket may take nothing before the server gives the client up.
    pub(crate) fn patience(&self, server: usize) -> Duration {
        Duration::from_millis(self.patience_ms[server].load(Ordering::Relaxed))
    }

    /// Sets that patience, or sets it back.
    pub(crate) fn set_patience(&self, server: usize, ms: Option<u64>) {
        self.patience_ms[server].store(ms.unwrap_or(PATIENCE_MS), Ordering::Relaxed);
    }

    /// Whether a client has asked for so much that it is to be cut off.
    pub(crate) fn is_over_limit(&self, client: &Client) -> bool {
        let mut consumers = lock(&self.consumers[client.server]);
        consumers.is_over(client.peer.ip(), clock::unix_us() / 1_000_000)
    }

    /// Charges a client for a request, and says whether the answer must warn it.
    pub(crate) fn charge(&self, client: &Client, cost: u64) -> Load {
        let mut consumers = lock(&self.consumers[client.server]);
        consumers.charge(client.peer.ip(), cost, clock::unix_us() / 1_000_000)
    }

    /// A number for a new client.
    pub(crate) fn next_client(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes what anyone listens for of what a server would not tell otherwise.
    pub(crate) fn note_wanted(&self, server: usize) {
        let (proposed, status) = {
            let subscribers = self.subscribers(server);
            (subscribers.proposed_wanted(), subscribers.status_wanted())
        };
        let mut net = self.net();
        net.servers[server].proposed_wanted = proposed;
        net.servers[server].status_wanted = status;
    }
}
