//! A way to the primary: connections that are there for one purpose, and how much patience that has.
//!
//! There are four, so that nothing which a wallet's payments wait for waits behind what the API is asked.
//! What requests, webhooks and the background ask goes by the first; what the engines do and go by, such as
//! the operators' switches, by the second, which has [`ENGINES_SHARE`] of the connections of the
//! configuration. What keeps a wallet's lease goes by the third, which has [`LEASE_CONNECTIONS`] beside
//! those: one that gets no answer within a fraction of a lease is given up and asked again over another
//! connection while there is time. A taking goes by the fourth, which has [`TAKING_CONNECTIONS`], because
//! it may have to wait for a commit of the last holder and would hold renewals up meanwhile. Each way
//! judges its connections by what it has seen itself, so that a renewal that was slow once does not end
//! what others have asked; where another server is the primary, all go there.
//!
//! These are pools and no places in one pool, because a connection whose request was given up is busy for a
//! while after its place is free: callers that hang up would fill what is kept for the engines.

use super::begun::begun;
use super::trust::{Patience, Trust};
use super::{ANSWER_GRACE, Postgres};
use crate::store::StoreConfig;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Transaction};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// How many connections are there for leases alone: one for the renewal, and one for whoever looks
/// meanwhile who holds what.
const LEASE_CONNECTIONS: u32 = 2;
/// How many connections are there for takings alone: whoever waits for a commit leaves one to the others.
const TAKING_CONNECTIONS: u32 = 2;
/// A taking is given up after so many times the patience of a renewal. A commit it waits for may take one
/// of them; what remains of the lease then is still worth having.
const TAKING_PATIENCE: u32 = 3;
/// This part of the connections is kept for the engines.
const ENGINES_SHARE: u32 = 4;
/// How few connections there are for either: two transactions of one task may overlap.
const SHARE_MIN: u32 = 2;
/// The beginning of what concerns a lease gets this part of all its time, so that what is left is enough
/// for another connection.
const BEGIN_SHARE: u32 = 2;

/// Connections for one purpose.
#[derive(Debug)]
pub(super) struct Way {
    pool: RwLock<Current>,
    pub(super) patience: Patience,
    /// How long the beginning of a transaction may go without an answer.
    pub(super) begins_within: Duration,
    /// How long a whole transaction may take, where that is bounded.
    whole_within: Option<Duration>,
}

/// The pool of now, and since when it is that.
#[derive(Debug)]
struct Current {
    pool: PgPool,
    since: Instant,
}

impl Current {
    fn new(pool: PgPool) -> RwLock<Self> {
        let since = Instant::now();
        RwLock::new(Self { pool, since })
    }
}

impl Way {
    /// The way of what requests and everything else ask.
    pub(super) fn of_requests(config: &StoreConfig, options: PgConnectOptions) -> Self {
        let (requests, _) = shares(config.max_connections);
        Self::of_share(config, requests, options)
    }

    /// The way of what the engines do and go by.
    pub(super) fn of_engines(config: &StoreConfig, options: PgConnectOptions) -> Self {
        let (_, engines) = shares(config.max_connections);
        Self::of_share(config, engines, options)
    }

    fn of_share(config: &StoreConfig, connections: u32, options: PgConnectOptions) -> Self {
        let trust = Arc::new(Trust::new());
        Self {
            pool: Current::new(pool(
                config,
                (connections, config.acquire_timeout),
                options,
                &trust,
            )),
            begins_within: config.acquire_timeout.saturating_mul(2),
            patience: Patience {
                limit: config.statement_timeout.saturating_add(ANSWER_GRACE),
                trust,
                until: None,
            },
            whole_within: None,
        }
    }

    /// The way of what keeps leases.
    pub(super) fn of_leases(config: &StoreConfig, options: PgConnectOptions) -> Self {
        let limit = config.lease_patience;
        // So that time is left where none is free because all lead nowhere.
        let connections = (LEASE_CONNECTIONS, limit / BEGIN_SHARE);
        Self::within(config, connections, limit, options)
    }

    /// The way of what takes leases.
    pub(super) fn of_takings(config: &StoreConfig, options: PgConnectOptions) -> Self {
        let limit = config.lease_patience.saturating_mul(TAKING_PATIENCE);
        let connections = (TAKING_CONNECTIONS, config.lease_patience);
        Self::within(config, connections, limit, options)
    }

    /// A way on which a whole transaction is given up after `limit`.
    fn within(
        config: &StoreConfig,
        connections: (u32, Duration),
        limit: Duration,
        options: PgConnectOptions,
    ) -> Self {
        let trust = Arc::new(Trust::new());
        Self {
            pool: Current::new(pool(config, connections, options, &trust)),
            begins_within: config.lease_patience / BEGIN_SHARE,
            patience: Patience {
                limit,
                trust,
                until: None,
            },
            whole_within: Some(limit),
        }
    }

    /// The connections of now.
    pub(super) fn pool(&self) -> PgPool {
        let current = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        current.pool.clone()
    }

    /// Whether other connections than those of then are used.
    pub(super) fn is_renewed_since(&self, then: Instant) -> bool {
        let current = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        current.since >= then
    }

    /// Whether all that is done here has an end before long, so that a place is never taken for long.
    pub(super) const fn is_brief(&self) -> bool {
        self.whole_within.is_some()
    }

    /// The connections of before lead nowhere: none of them has a place any more, and new ones lead to
    /// `primary`, where that is another one. They are left with their places, because some may never give
    /// theirs back: the driver asks over each connection that is returned, and waits for ever.
    pub(super) fn renew(&self, primary: Option<&PgConnectOptions>) {
        self.patience.trust.abandon();
        let mut current = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(primary) = primary {
            // Who waits for a place among the old ones still.
            current.pool.set_connect_options(primary.clone());
        }
        let options = current.pool.connect_options().as_ref().clone();
        let pool = current.pool.options().clone().connect_lazy_with(options);
        *current = Current {
            pool,
            since: Instant::now(),
        };
    }

    /// Begins a transaction, before `until` where that is bounded.
    pub(super) async fn begin(
        &self,
        how: &str,
        until: Option<Instant>,
    ) -> Result<Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        let pool = self.pool();
        let connection = pool.acquire();
        let connection = match until {
            None => connection.await?,
            Some(until) => tokio::time::timeout_at(until, connection)
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))?,
        };
        let end = Instant::now() + self.begins_within;
        let end = until.map_or(end, |until| until.min(end));
        begun(connection, how, end, &self.patience.trust).await
    }

    /// How long the answers to a transaction that begins now are waited for.
    pub(super) fn patience_now(&self) -> Patience {
        let until = self.whole_within.map(|within| Instant::now() + within);
        self.patience.until(until)
    }
}

/// How the connections of the configuration are dealt out: for requests, and for engines.
fn shares(connections: u32) -> (u32, u32) {
    let engines = (connections / ENGINES_SHARE).max(SHARE_MIN);
    (connections.saturating_sub(engines).max(SHARE_MIN), engines)
}

/// A transaction, and how long its answers are waited for.
pub(in crate::store) type Begun = (Transaction<'static, sqlx::Postgres>, Patience);

/// A pool of so many connections, each of which is waited for so long; it connects when it is first asked
/// to.
pub(super) fn pool(
    config: &StoreConfig,
    (connections, patience): (u32, Duration),
    options: PgConnectOptions,
    trust: &Arc<Trust>,
) -> PgPool {
    let (trust, trusted) = (Arc::clone(trust), Arc::clone(trust));
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .idle_timeout(config.idle_timeout)
        // The `begin` tells whether the connection is alive, without a way of its own.
        .test_before_acquire(false)
        .before_acquire(move |_, connection| {
            let is_trusted = trust.holds(connection.age);
            Box::pin(async move { Ok(is_trusted) })
        })
        .after_release(move |connection, about| {
            let is_trusted = trusted.holds(about.age);
            Box::pin(async move {
                if !is_trusted {
                    // It may lead nowhere, so it is not even asked.
                    return Err(sqlx::Error::WorkerCrashed);
                }
                // What was left in the middle is rolled back now. Who does not answer is not waited
                // for, because his place in the pool is: the driver asks the same right after this, and
                // waits for ever.
                let ping = tokio::time::timeout(patience, connection.ping());
                ping.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

impl Postgres {
    /// Every way to the primary.
    pub(super) const fn ways(&self) -> [&Way; 4] {
        [&self.requests, &self.engines, &self.leases, &self.takings]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_dealt_out_and_neither_is_left_without() {
        assert_eq!(shares(20), (15, 5));
        assert_eq!(shares(8), (6, 2));
        assert_eq!(shares(1_000), (750, 250));
        for few in 0..=4 {
            assert_eq!(shares(few), (2, 2));
        }
        for connections in 4..=1_000 {
            let (requests, engines) = shares(connections);
            assert_eq!(requests + engines, connections);
        }
    }
}
