//! What the connections of a pool have in common: the servers, and the ledger they agree on.

use super::config::{Deps, PoolConfig};
use super::dispute::{Dispute, Disputes, Outcome};
use super::error::Evidence;
use super::health::State;
use super::proto::stream::Header;
use super::quorum::parole::Quarantine;
use super::server::Server;
use super::subscribe::Subscription;
use super::tip::{Chain, Tip};
use super::transport::Transport;
use super::voters::{self, Told};
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
    /// How the servers' voices are told apart.
    told: Told,
    disputes: Mutex<Disputes>,
    pub subscription: Subscription,
    pub hint: Arc<Notify>,
    tip: watch::Sender<Option<Tip>>,
    chain: Mutex<Chain>,
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
        servers: Vec<Arc<Server>>,
        subscription: Subscription,
    ) -> Self {
        let told = voters::told_apart(&config.servers, config.quorum);
        if told == Told::ByServer && config.quorum > 1 {
            tracing::warn!(
                quorum = config.quorum,
                "the servers are run by fewer operators than must agree: each server counts as a voice of its own"
            );
        }
        let mut chain = Chain::new(config.quorum);
        for server in &servers {
            chain.join(server.index, server.name(), told.voter(&server.config));
        }
        Self {
            told,
            disputes: Mutex::default(),
            chain: Mutex::new(chain),
            config,
            deps,
            transport,
            servers,
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
        let known = asked.into_iter().filter_map(|index| {
            let server = self.servers.iter().find(|server| server.index == *index);
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

    /// How many voices must agree.
    pub(super) fn quorum(&self) -> usize {
        self.config.quorum.max(1)
    }

    /// The voice that a server's word belongs to; `None` where it does not count.
    pub(super) fn voter(&self, server: &Server) -> Option<String> {
        self.told.voter(&server.config)
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
