//! A way to the primary: connections that are there for one purpose, and how much patience that has.
//!
//! There are two. Nearly everything goes by the first. What keeps a wallet's lease goes by the second,
//! which has [`LEASE_CONNECTIONS`] of its own: a renewal never waits behind what the API is asked, and one
//! that gets no answer within a fraction of a lease is given up and asked again over another connection
//! while there is time. Each way judges its connections by what it has seen itself, so that a renewal that
//! was slow once does not end what others have asked; where another server is the primary, both go there.

use super::begun::begun;
use super::trust::{Patience, Trust};
use super::{ANSWER_GRACE, Postgres};
use crate::store::StoreConfig;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Transaction};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How many connections are there for leases alone: one for the renewal, and one for whoever looks
/// meanwhile who holds what.
const LEASE_CONNECTIONS: u32 = 2;
/// The beginning of what concerns a lease gets this part of all its time, so that what is left is enough
/// for another connection.
const BEGIN_SHARE: u32 = 2;

/// Connections for one purpose.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) pool: PgPool,
    pub(super) patience: Patience,
    /// How long the beginning of a transaction may go without an answer.
    pub(super) begins_within: Duration,
    /// How long a whole transaction may take, where that is bounded.
    whole_within: Option<Duration>,
}

impl Way {
    /// The way of nearly everything.
    pub(super) fn of_all(config: &StoreConfig, options: PgConnectOptions) -> Self {
        let trust = Arc::new(Trust::new());
        let connections = config.max_connections.max(2);
        Self {
            pool: pool(
                config,
                (connections, config.acquire_timeout),
                options,
                &trust,
            ),
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
        let trust = Arc::new(Trust::new());
        let limit = config.lease_patience;
        Self {
            pool: pool(config, (LEASE_CONNECTIONS, limit), options, &trust),
            begins_within: limit / BEGIN_SHARE,
            patience: Patience {
                limit,
                trust,
                until: None,
            },
            whole_within: Some(limit),
        }
    }

    /// Begins a transaction, before `until` where that is bounded.
    pub(super) async fn begin(
        &self,
        how: &str,
        until: Option<Instant>,
    ) -> Result<Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        let connection = self.pool.acquire();
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
                // What was left in the middle is rolled back now; who does not answer to that is
                // not waited for, because his place in the pool is.
                if connection.should_flush() {
                    let ping = tokio::time::timeout(patience, connection.ping());
                    ping.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

impl Postgres {
    /// Every way to the primary.
    pub(super) const fn ways(&self) -> [&Way; 2] {
        [&self.way, &self.leases]
    }
}
