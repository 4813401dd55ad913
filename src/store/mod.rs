//! The store: everything that has to outlive the process, on SQLite or PostgreSQL.
//!
//! Owns the database, its schema and every statement; nothing outside speaks SQL. Each public
//! method is one transaction, opened and committed in the method itself. What is accepted is
//! answered only after its commit; concurrent accepts share one. A payment is written only where it
//! is still at the version that was read, so two writers never undo each other.
//!
//! On failure a method says whether a retry makes sense ([`StoreError::retryable`]) and whether
//! something may have been written ([`StoreError::effect_unknown`]); a row that cannot be read is an
//! error and never a default.

mod accept;
mod anchor;
mod attempts;
mod audit;
mod backfill;
mod backups;
mod behind;
mod changes;
mod copy;
mod db;
mod deposit_list;
mod deposit_news;
mod deposits;
mod deposits_older;
mod error;
mod events;
mod foreign;
mod halts;
mod hints;
mod home;
mod invoices;
mod journal;
mod key_usage;
mod keys;
mod lane;
mod lane_views;
mod lease;
mod limits;
mod lineage;
mod list;
mod look;
mod migrations;
mod moves;
mod older;
mod pauses;
mod paybacks;
mod payment_news;
mod payments;
#[cfg(test)]
mod plans;
mod postgres;
mod primaries;
mod reconcile;
mod reconcile_deposits;
mod remembered;
mod retention;
mod retry;
mod rollout;
mod ruling;
mod sign_offs;
mod signatures;
mod snapshot;
mod sqlite;
pub mod switches;
mod ticket_requests;
mod tickets;
mod time;
mod totals;
mod verdicts;
pub mod webhooks;

pub use accept::{AcceptOutcome, NewPayment};
pub use anchor::Before;
pub use audit::{
    Actor, ActorForm, AuditEntry, AuditFault, AuditFilter, AuditForm, AuditFrom, AuditHead,
    AuditReport,
};
pub use backfill::Backfill;
pub use backups::Backup;
pub use copy::{CopyError, FeedSpan, Progress, TableSum};
pub use deposit_list::DepositFilter;
pub use deposit_news::DepositForm;
pub use deposits::{Booked, Deposit, Place, Returned};
pub use error::{CommitError, Conflict, StoreError};
pub use events::{FeedEvent, FeedFilter, FeedPage, HOUSE};
pub use foreign::{FOREIGN_MAX, ForeignTx, Resumed};
pub use hints::Hint;
pub use hints::line::{Heard, Line};
pub use home::Home;
pub use invoices::{
    AssignOutcome, Assignment, CancelOutcome, InvoiceDocument, InvoiceFilter, IssueOutcome,
    NewInvoice, RefundDocument, ShownInvoice, amount_refunded,
};
pub use key_usage::KeyCount;
pub use keys::{ApiKey, KeyLimits, NewKey, PreviousSecret, Rotation, RotationOutcome};
pub use lane_views::LaneView;
pub use lease::{
    Claim, EndedAs, Lease, LeaseBoard, LeaseTerm, Replica, ReplicaSeen, Taken, Tenure,
};
pub use limits::LimitUsage;
pub use limits::words::{Holding, Occasion, Told, Words};
pub use lineage::{Descent, Lineage};
pub use list::{PAGE_MAX, Page, PageOf, PaymentFilter};
pub use look::{Schema, ServerSettings};
pub use moves::{Move, MoveState, Whereabouts};
pub use pauses::{Pause, Switched};
pub use paybacks::{
    Blocked, Bounce, NewPayback, PaybackOutcome, PaybackRow, PaybackState, Subject,
};
pub use payment_news::PaymentEvent;
pub use reconcile::{BookedRow, Signed, Standing};
pub use retention::Expired;
pub use rollout::{
    Closing, Incident, IncidentKind, StageChange, StageInForce, StageOutcome, StageRecord, Step,
};
pub use ruling::{Past, Person, RulingOutcome};
pub use sign_offs::SignedItem;
pub use snapshot::SnapshotError;
pub(crate) use sqlite::beside;
pub use ticket_requests::{TicketAsk, TicketRow, TicketStatus};
pub use totals::{Totals, WalletTotals};
pub use xrpayd_core::engine::{
    Change, InFlight, JournalCommit, LaneCommit, LaneRecord, NewPlug, PlugRecord, Remembered,
};

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:///absolute/path.db`, `sqlite://relative/path.db` or `postgres://…`.
    pub url: String,
    /// Another way to the same database, on which hints are listened for.
    pub listen_url: Option<String>,
    /// The most connections to hold; on PostgreSQL a quarter of them is the engines'.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// After how long an unused connection is closed.
    pub idle_timeout: Duration,
    /// How long PostgreSQL may take for a statement or a commit before its answer is given up on.
    pub statement_timeout: Duration,
    /// How long a statement waits for what others have locked; shorter than `statement_timeout`.
    pub lock_timeout: Duration,
    /// After how long PostgreSQL ends a transaction that was begun and left alone.
    pub idle_in_transaction_timeout: Duration,
    /// How long PostgreSQL may take to renew a lease, all in all, before it is asked over another
    /// connection.
    pub lease_patience: Duration,
    /// What lies between us and PostgreSQL.
    pub pooler: Pooler,
    /// A standby of PostgreSQL that lists are read on.
    pub read_url: Option<String>,
    /// How long a list waits for the standby to show what the primary shows.
    pub read_lag: Duration,
}

/// What lies between us and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing, or what leaves a connection of the server to us for as long as ours lives.
    None,
    /// What deals out connections of the server by the transaction: no statement stays prepared.
    Transaction,
}

impl StoreConfig {
    /// The default settings for `url`: 20 connections, 2 s to get one, closed after 30 s unused; 15 s
    /// for a statement, 10 s for a lock, 5 s idle in a transaction, 1 s for a lease's renewal; no pooler.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            listen_url: None,
            max_connections: 20,
            acquire_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(5),
            lease_patience: Duration::from_secs(1),
            pooler: Pooler::None,
            read_url: None,
            read_lag: Duration::from_millis(500),
        }
    }
}

/// The connections of a pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Handed out.
    pub in_use: u32,
    /// Open and free.
    pub idle: u32,
    /// The most that there may be.
    pub max: u32,
}

/// Who opens the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The daemon: alone on a SQLite file for as long as it lives.
    Daemon,
    /// A command that looks or makes a small change, beside a running daemon if need be.
    Tool,
}

/// How long the close waits to tell the other processes what was done last: they find out without.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

/// The open store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    purpose: db::Purpose,
}

#[derive(Debug)]
struct Inner {
    db: db::Db,
    /// The same for the engines.
    engines_db: db::Db,
    /// The queue of the accept writer, once that runs.
    writer: OnceLock<accept::Queue>,
    /// Whether requests are being repeated at the moment: a hint, for speed alone.
    keys_repeat: AtomicBool,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// The URL makes no sense, the database does not answer, another daemon has it, or a newer
    /// program wrote it.
    pub async fn open(config: &StoreConfig, access: Access) -> Result<Self, StoreError> {
        let scheme = config.url.split_once(':').map(|(scheme, _)| scheme);
        let dialect = match scheme {
            Some("sqlite") => db::Dialect::Sqlite(sqlite::open(config, access).await?),
            Some("postgres" | "postgresql") => {
                db::Dialect::Postgres(Box::new(postgres::open(config).await?))
            }
            Some(_) | None => {
                let why = "must begin with sqlite:// or postgres://";
                return Err(StoreError::Config(why.to_owned()));
            }
        };
        Ok(Self::of(db::Db::new(dialect)))
    }

    fn of(db: db::Db) -> Self {
        Self {
            purpose: db::Purpose::Requests,
            inner: Arc::new(Inner {
                engines_db: db.for_engines(),
                db,
                writer: OnceLock::new(),
                keys_repeat: AtomicBool::new(false),
            }),
        }
    }

    fn db(&self) -> &db::Db {
        match self.purpose {
            db::Purpose::Requests => &self.inner.db,
            db::Purpose::Engines => &self.inner.engines_db,
        }
    }

    /// The same store for what the wallets' engines do and go by: they wait for no connection behind what
    /// requests ask.
    #[must_use]
    pub fn for_engines(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            purpose: db::Purpose::Engines,
        }
    }

    /// The database's file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self.db().dialect() {
            db::Dialect::Sqlite(db) => Some(db.path()),
            db::Dialect::Postgres(_) => None,
        }
    }

    /// Writes and commits one row: whether payments could be accepted now. It costs an fsync, so
    /// the caller bounds how often it asks.
    ///
    /// # Errors
    /// The database does not answer or takes no writes.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let beat = "update heartbeat set beats = beats + 1 where scope = 'all'";
        tx.execute(beat, Vec::new()).await?;
        tx.commit().await
    }

    /// How many connections are in use at this moment. Of a file it is those that read, because the one
    /// that writes is waited for by design.
    #[must_use]
    pub fn connections(&self) -> Connections {
        match self.db().dialect() {
            db::Dialect::Sqlite(db) => db.connections(),
            db::Dialect::Postgres(db) => db.connections(),
        }
    }

    /// Closes every connection after what it is doing, and gives the lock back. What is asked of
    /// the store afterwards, through any clone, fails with [`StoreError::Closed`].
    pub async fn close(self) {
        // What the last thing done was about: a command has no task that sends it.
        let last_words = tokio::time::timeout(LAST_WORDS_MAX, self.send_hints(""));
        if let Ok(Err(error)) = last_words.await {
            tracing::debug!(%error, "the other processes find out by themselves");
        }
        self.db().close().await;
    }
}
