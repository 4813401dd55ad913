//! What the connections of a pool have in common: the servers, and the ledger they agree on.

use super::config::{Deps, PoolConfig};
use super::health::State;
use super::proto::stream::Header;
use super::server::Server;
use super::subscribe::Subscription;
use super::tip::{Chain, Tip};
use super::transport::Transport;
use crate::telemetry::metrics::seconds;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// The pool's inside.
pub(super) struct Shared {
    pub config: PoolConfig,
    pub deps: Deps,
    pub transport: Arc<dyn Transport>,
    pub servers: Vec<Arc<Server>>,
    pub subscription: Subscription,
    pub hint: Arc<Notify>,
    tip: watch::Sender<Option<Tip>>,
    chain: Mutex<Chain>,
    /// The number of the last connection that was made.
    connections: AtomicU64,
    /// How often a server became ready.
    arrivals: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(
        config: PoolConfig,
        deps: Deps,
        transport: Arc<dyn Transport>,
        servers: Vec<Arc<Server>>,
        subscription: Subscription,
    ) -> Self {
        let voices = servers
            .iter()
            .map(|server| (server.name().to_owned(), server.config.voice))
            .collect();
        Self {
            chain: Mutex::new(Chain::new(config.quorum, voices)),
            config,
            deps,
            transport,
            servers,
            subscription,
            hint: Arc::new(Notify::new()),
            tip: watch::Sender::new(None),
            connections: AtomicU64::new(0),
            arrivals: watch::Sender::new(0),
        }
    }

    /// A number for a new connection, never given out before.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
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
            self.deps.metrics.xrpl_server_disagreements_total.inc();
            tracing::error!(%left, %right, "servers disagree about a validated ledger");
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
        for server in &self.servers {
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
