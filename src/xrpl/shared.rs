//! What the connections of a pool have in common: the servers, and the ledger they agree on.

use super::config::{Deps, PoolConfig, ServerConfig};
use super::dispute::{Dispute, Disputes, Outcome};
use super::error::Evidence;
use super::health::State;
use super::proto::stream::Header;
use super::quorum::parole::Quarantine;
use super::roster::Roster;
use super::server::{Call, Server};
use super::subscribe::Subscription;
use super::tip::{Chain, Tip};
use super::transport::Transport;
use crate::telemetry::metrics::seconds;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};

/// The pool's inside.
pub(super) struct Shared {
    pub config: PoolConfig,
    pub deps: Deps,
    pub transport: Arc<dyn Transport>,
    roster: RwLock<Arc<Roster>>,
    disputes: Mutex<Disputes>,
    pub subscription: Subscription,
    pub hint: Arc<Notify>,
    tip: watch::Sender<Option<Tip>>,
    chain: Mutex<Chain>,
    /// How many servers there ever were: the number of the next one.
    server_count: AtomicUsize,
    /// The number of the last connection that was made.
    connections: AtomicU64,
    /// How often a server became ready.
    arrivals: watch::Sender<u64>,
    /// The servers by index in the order that was found last.
    order: Mutex<Vec<usize>>,
}

impl Shared {
    pub(super) fn new(
        config: PoolConfig,
        deps: Deps,
        transport: Arc<dyn Transport>,
        subscription: Subscription,
    ) -> Self {
        Self {
            roster: RwLock::new(Arc::new(Roster::empty())),
            server_count: AtomicUsize::new(0),
            disputes: Mutex::default(),
            chain: Mutex::new(Chain::new(config.quorum)),
            config,
            deps,
            transport,
            subscription,
            hint: Arc::new(Notify::new()),
            tip: watch::Sender::new(None),
            connections: AtomicU64::new(0),
            arrivals: watch::Sender::new(0),
            order: Mutex::default(),
        }
    }

    /// A number for a new connection, never given out before.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The order of the servers that was found last. Held for a moment only.
    pub(super) fn order(&self) -> MutexGuard<'_, Vec<usize>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long answers of these servers usually take at most: so long they are waited for before
    /// another is asked too.
    pub(super) fn patience<'a>(&self, asked: impl IntoIterator<Item = &'a usize>) -> Duration {
        let roster = self.roster();
        let known = asked.into_iter().filter_map(|index| {
            let mut servers = roster.servers.iter();
            let server = servers.find(|server| server.index == *index);
            server.map(|server| server.patience())
        });
        let longest = known.max().unwrap_or(self.config.hedge_after);
        longest.min(self.config.hedge_after)
    }

    /// A server became ready.
    pub(super) fn note_arrival(&self) {
        self.arrivals.send_modify(|count| *count += 1);
        self.hint.notify_one();
    }

    pub(super) fn watch_arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The servers at this moment.
    pub(super) fn roster(&self) -> Arc<Roster> {
        let roster = self.roster.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&roster)
    }

    /// The servers are these from now on; the word of those that are gone goes with them.
    pub(super) fn take_roster(&self, roster: Arc<Roster>, gone: &[Arc<Server>]) {
        {
            let mut chain = self.chain();
            chain.set_quorum(roster.quorum);
            gone.iter().for_each(|server| chain.leave(server.index));
            for server in &roster.servers {
                let is_heard = server.health().quarantined.is_none();
                let voter = roster.voter(server).filter(|_| is_heard);
                chain.join(server.index, server.name(), voter);
            }
            // Under the chain's lock, so that a server which is heard again at this moment speaks
            // with its new voice.
            *self.roster.write().unwrap_or_else(PoisonError::into_inner) = roster;
        }
        let metrics = &self.deps.metrics;
        for server in gone {
            let name = &[server.name()];
            // A server without a single measurement yet has no row to take away.
            let _ = metrics.xrpl_connection_status.remove_label_values(name);
            let _ = metrics.xrpl_server_ledger_lag.remove_label_values(name);
            let _ = metrics.xrpl_server_score.remove_label_values(name);
        }
        self.measure();
    }

    /// A server that was not in the pool before.
    pub(super) fn new_server(&self, config: ServerConfig) -> (Arc<Server>, mpsc::Receiver<Call>) {
        let index = self.server_count.fetch_add(1, Ordering::Relaxed);
        let (places, patience) = (self.config.in_flight_max, self.config.request_timeout);
        let metrics = Arc::clone(&self.deps.metrics);
        let (server, calls) = Server::new(index, config, places, patience, metrics);
        (Arc::new(server), calls)
    }

    /// How many voices must agree.
    pub(super) fn quorum(&self) -> usize {
        self.roster().quorum
    }

    /// The voice that a server's word belongs to; `None` where it does not count: it is not heard at
    /// all, is proven wrong, or is not of the pool any more.
    pub(super) fn voter(&self, server: &Server) -> Option<String> {
        let roster = self.roster();
        let is_member = roster.servers.iter().any(|kept| kept.index == server.index);
        let is_heard = is_member && server.health().quarantined.is_none();
        roster.voter(server).filter(|_| is_heard)
    }

    /// What servers have said against each other, the newest last.
    pub(super) fn disputes(&self) -> Vec<Dispute> {
        self.kept().newest()
    }

    fn kept(&self) -> MutexGuard<'_, Disputes> {
        self.disputes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and keeps a contradiction.
    pub(super) fn dispute(&self, about: &'static str, left: Evidence, right: Evidence) {
        self.deps.metrics.xrpl_server_disagreements_total.inc();
        if self
            .kept()
            .note(about, &left, &right, self.deps.clock.now())
        {
            tracing::error!(%left, %right, "servers disagree about {about}");
        }
    }

    /// Hears a server no more that is proven to have said what is not so.
    pub(super) fn quarantine(&self, server: &Server, quarantine: Quarantine) {
        let why = quarantine.why.as_str();
        tracing::error!(
            server.name = server.name(),
            why,
            "the server is not heard any more"
        );
        server.health().quarantined = Some(quarantine);
        self.kept().settle(server.name(), Outcome::Proven);
        self.chain().count_as(server.index, None);
        self.measure();
    }

    /// Hears a server again.
    pub(super) fn hear_again(&self, server: &Server) {
        self.chain().count_as(server.index, self.voter(server));
        self.measure();
        self.hint.notify_one();
    }

    pub(super) fn watch_tip(&self) -> watch::Receiver<Option<Tip>> {
        self.tip.subscribe()
    }

    /// The index of the newest agreed ledger.
    pub(super) fn tip_index(&self) -> Option<LedgerIndex> {
        self.tip.borrow().as_ref().map(|tip| tip.index)
    }

    /// The hash of a ledger as one server told it.
    pub(super) fn hash_at(&self, server: &Server, index: LedgerIndex) -> Option<LedgerHash> {
        self.chain().hash_at(server.index, index)
    }

    /// The hash of a ledger and when it closed, as one server told it.
    pub(super) fn told_at(
        &self,
        server: &Server,
        index: LedgerIndex,
    ) -> Option<(LedgerHash, UnixMs)> {
        let chain = self.chain();
        let header = chain.header_at(server.index, index)?;
        Some((header.hash, header.close_time))
    }

    /// Takes a header that a server told of.
    pub(super) fn note_header(&self, server: &Server, header: Header) {
        // Under the lock, so that tips are published in the order in which they were reached.
        let mut chain = self.chain();
        let noted = chain.note(server.index, header, self.deps.clock.now());
        if let Some(tip) = noted.tip {
            let index = i64::from(tip.index.0);
            tracing::debug!(ledger.index = tip.index.0, ledger.hash = %tip.hash, "the servers agree on a ledger");
            self.deps.metrics.xrpl_validated_ledger_index.set(index);
            self.tip.send_replace(Some(tip));
        }
        drop(chain);
        if let Some((left, right)) = noted.dispute {
            self.dispute("a validated ledger", left, right);
        }
    }

    /// Brings the gauges up to date.
    pub(super) fn measure(&self) {
        let metrics = &self.deps.metrics;
        let (tip, seen_at) = match self.tip.borrow().as_ref() {
            Some(tip) => (Some(tip.index), Some(tip.seen_at)),
            None => (None, None),
        };
        if let Some(seen_at) = seen_at {
            let age_ms = u64::try_from(self.deps.clock.now().since_ms(seen_at)).unwrap_or(0);
            metrics
                .xrpl_validated_ledger_age_seconds
                .set(seconds(Duration::from_millis(age_ms)));
        }
        let now = Instant::now();
        let roster = self.roster();
        let quorum = i64::try_from(roster.quorum).unwrap_or(i64::MAX);
        metrics.xrpl_quorum.set(quorum);
        for server in &roster.servers {
            let (state, lag, score) = {
                let health = server.health();
                (
                    health.state(tip, now),
                    health.lag(tip),
                    health.score(tip, now),
                )
            };
            let name = &[server.name()];
            metrics
                .xrpl_connection_status
                .with_label_values(name)
                .set(i64::from(state == State::Ready));
            metrics
                .xrpl_server_ledger_lag
                .with_label_values(name)
                .set(i64::from(lag.unwrap_or(0)));
            // In thousandths, so that no sum of floats is needed to get it.
            let share = seconds(Duration::from_millis(u64::from(score)));
            metrics.xrpl_server_score.with_label_values(name).set(share);
        }
    }
}
