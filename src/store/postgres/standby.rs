//! A server that only reads, for lists: a standby that follows the primary.
//!
//! A list is read there only once it shows everything that was committed before the list was asked for,
//! by whichever daemon: the primary tells how far its log is on the disk, and the standby has to have
//! replayed that much of the same log. So nobody is shown less than he was told, and no list is older
//! than its request. Where the standby does not get there in time, is away or follows another primary,
//! the list is read on the primary, and the standby is left alone for a moment.
//!
//! Which log is a matter of the timeline, and a server's control file tells the one of its last
//! checkpoint: minutes after a promotion that is still the old one, on the server that was promoted and
//! on whatever goes on following the one before it. So the timeline that the primary *writes* has to be
//! in its control file already and in the standby's as well, and nothing else that the standby tells may
//! speak of a later one. Until then, a checkpoint on either, lists are read on the primary.

use super::ANSWER_GRACE;
use super::begun::begun;
use super::session::Session;
use super::trust::{Patience, Trust};
use super::url::options;
use super::way::pool;
use crate::store::StoreConfig;
use crate::store::error::StoreError;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// How often is looked whether the standby has come far enough.
const GLANCE: Duration = Duration::from_millis(5);
/// How long a standby is left alone that was away or too far behind.
const REST: Duration = Duration::from_secs(2);

/// How far the primary's log is on the disk, and which log that is: the timeline that it writes, and the
/// one that its control file tells of.
const END: &str = "select pg_current_wal_flush_lsn()::text as lsn, \
     ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint as writes, \
     (select timeline_id from pg_control_checkpoint())::bigint as timeline, \
     (select system_identifier from pg_control_system())::text as system";

/// The end of the primary's log.
#[derive(Debug)]
struct End {
    lsn: String,
    /// The timeline that it writes.
    timeline: i64,
    system: String,
    /// Whether its control file says so too.
    is_told: bool,
}

/// The standby, with what is needed to come back to it.
#[derive(Debug)]
pub(super) struct Standby {
    pool: PgPool,
    session: Session,
    patience: Patience,
    /// How long a list waits for it to catch up.
    lag_max: Duration,
    /// How long a list tries to be read there, with all that a connection takes.
    patience_max: Duration,
    opened_at: Instant,
    rests_until_ms: AtomicU64,
    /// Whether the last list was read there; what changes is logged once.
    serves: AtomicBool,
}

impl Standby {
    /// Connects once the first list is asked for: a daemon starts without its standby.
    pub(super) fn new(config: &StoreConfig, url: &str) -> Result<Self, StoreError> {
        let trust = Arc::new(Trust::new());
        let connections = (config.max_connections.max(2), config.acquire_timeout);
        Ok(Self {
            pool: pool(config, connections, options(url)?, &trust),
            session: Session::new(config),
            patience: Patience {
                limit: config.statement_timeout.saturating_add(ANSWER_GRACE),
                trust,
                until: None,
            },
            lag_max: config.read_lag,
            patience_max: config.read_lag.saturating_add(config.acquire_timeout),
            opened_at: Instant::now(),
            rests_until_ms: AtomicU64::new(0),
            serves: AtomicBool::new(false),
        })
    }

    /// A transaction that shows everything that is committed on the primary by now; `None` where the
    /// list is the primary's.
    pub(super) async fn begin(
        &self,
        primary: &PgPool,
    ) -> Option<Transaction<'static, sqlx::Postgres>> {
        if self.now_ms() < self.rests_until_ms.load(Relaxed) {
            return None;
        }
        if !self.serves.load(Relaxed) {
            // One list finds out whether it is back; the others do not wait for that.
            self.rests_until_ms.fetch_max(self.rested_ms(), Relaxed);
        }
        let tried = tokio::time::timeout(self.patience_max, self.caught_up(primary));
        match tried.await {
            Ok(Ok(Ok(transaction))) => {
                self.rests_until_ms.store(0, Relaxed);
                if !self.serves.swap(true, Relaxed) {
                    tracing::info!("lists are read on the standby");
                }
                return Some(transaction);
            }
            Ok(Ok(Err(why))) => self.rest(why),
            Ok(Err(error)) => self.rest(&error.to_string()),
            Err(_) => {
                self.patience.trust.lose();
                self.rest("it does not answer");
            }
        }
        None
    }

    /// Leaves it alone for a moment.
    pub(super) fn rest(&self, why: &str) {
        self.rests_until_ms.fetch_max(self.rested_ms(), Relaxed);
        if self.serves.swap(false, Relaxed) {
            tracing::warn!(why, "lists are read on the primary again");
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction on the standby once it has caught up, or why it is left alone.
    async fn caught_up(
        &self,
        primary: &PgPool,
    ) -> Result<Result<Transaction<'static, sqlx::Postgres>, &'static str>, StoreError> {
        let answer = async { primary.acquire().await?.fetch_one(END).await };
        let end = self.patience.wait(answer).await?;
        let end = End {
            lsn: end.try_get("lsn")?,
            timeline: end.try_get("writes")?,
            system: end.try_get("system")?,
            is_told: end.try_get::<i64, _>("timeline")? == end.try_get::<i64, _>("writes")?,
        };
        if !end.is_told {
            return Ok(Err(
                "the primary was promoted and has made no checkpoint since",
            ));
        }
        let deadline = Instant::now() + self.lag_max;
        let mut connection = self.pool.acquire().await?;
        while !self.has(&mut connection, &end).await? {
            if Instant::now() >= deadline {
                return Ok(Err("it is too far behind, or follows another primary"));
            }
            tokio::time::sleep(GLANCE).await;
        }
        // On the very connection that was asked: behind one name there may be several standbys.
        let Patience { limit, trust, .. } = &self.patience;
        let transaction = begun(
            connection,
            &self.session.read,
            Instant::now() + *limit,
            trust,
        );
        Ok(Ok(self.patience.wait(transaction).await?))
    }

    /// Whether everything up to there has been replayed, of that very log.
    async fn has(&self, connection: &mut PgConnection, end: &End) -> Result<bool, StoreError> {
        let End { lsn, system, .. } = end;
        let timeline = end.timeline;
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit() || c == '/');
        if ![lsn, system].into_iter().all(|text| is_plain(text)) {
            return Ok(false);
        }
        // One that was promoted itself is the primary, or has a log of its own. One that has just gone
        // over to another timeline says so by what it has to replay and, to a role that may see that, by
        // what it receives, before its control file does.
        // In one message: outside of a transaction nothing may be prepared behind a pooler.
        let question = format!(
            "select pg_is_in_recovery() \
             and coalesce(pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn, false) \
             and (select timeline_id from pg_control_checkpoint()) = {timeline} \
             and (select min_recovery_end_timeline from pg_control_recovery()) <= {timeline} \
             and not exists (select 1 from pg_stat_wal_receiver where received_tli <> {timeline}) \
             and (select system_identifier from pg_control_system())::text = '{system}'"
        );
        let answer = connection.fetch_one(AssertSqlSafe(question));
        Ok(self.patience.wait(answer).await?.try_get(0)?)
    }

    /// When a rest that begins now ends.
    fn rested_ms(&self) -> u64 {
        let rest = u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        self.now_ms().saturating_add(rest)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
