//! What can go wrong with the store, named by what the caller can do about it.
//!
//! Owns the translation of database errors: names of constraints become domain errors, and the
//! codes of both dialects become the same few cases. Nothing outside the store sees a database's
//! own error except as the cause that is logged.

use std::path::PathBuf;
use std::sync::Arc;
use xrpayd_core::ids::PaymentId;

/// Why the store did not do what it was asked to.
///
/// Unless [`StoreError::effect_unknown`] says otherwise, nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or cannot write at the moment.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// Other transactions were in the way, more often than a retry cures.
    #[error("the database is busy with other transactions")]
    Contention(#[source] Arc<sqlx::Error>),
    /// The commit was sent and not answered: it may or may not have been done.
    #[error("the database did not answer the commit; it may have been done")]
    OutcomeUnknown(#[source] Arc<sqlx::Error>),
    /// More requests wait to be written than the queue holds.
    #[error("too many requests are waiting to be written")]
    Overloaded,
    /// The store is closed, or the writer has ended.
    #[error("the store is closed")]
    Closed,
    /// Something that has to be new exists already.
    #[error("{0}")]
    Conflict(Conflict),
    /// A stored row does not mean anything, or contradicts another one. Never guessed at.
    #[error("the database holds {what} that cannot be read: {why}")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database file is damaged, or is no database.
    #[error("the database is damaged or is not a database")]
    Damaged(#[source] Arc<sqlx::Error>),
    /// A text that no database can hold.
    #[error("{field} contains a NUL character")]
    NulInText {
        /// Which text.
        field: &'static str,
    },
    /// The caller asked for a change that contradicts itself: a fault of the program.
    #[error("payment {payment} cannot be written: {why}")]
    BadChange {
        /// The payment.
        payment: PaymentId,
        /// What is wrong with the change.
        why: &'static str,
    },
    /// The wallet is in the database under another account or another network.
    #[error("wallet {wallet} is known to the database as {known}, not as {asked}")]
    WalletDiffers {
        /// The wallet.
        wallet: String,
        /// What the database says.
        known: String,
        /// What was asked for.
        asked: String,
    },
    /// The wallet has no row yet.
    #[error("wallet {0} is not known to the database")]
    UnknownWallet(String),
    /// Another process holds the wallet now, or nobody does: what is written under this tenure is
    /// refused.
    #[error("the lease of wallet {0} is lost")]
    LeaseLost(String),
    /// The database is not the one that the wallet was last worked on in: a standby was promoted, or a
    /// copy is in its place. Its engine has to begin anew.
    #[error("wallet {0} was last worked on in another history of the database")]
    HistoryBroken(String),
    /// Another daemon uses the same SQLite file.
    #[error("another daemon is using this database: {} is locked", .0.display())]
    InUse(PathBuf),
    /// Another process reads the SQLite file and does not let a start make durable what it found.
    #[error(
        "a program that reads the database has held up its start for too long; end that program"
    )]
    LogHeldUp,
    /// The database was written by a newer version of the program.
    #[error(
        "the database is at schema {found} and this program knows schemas up to {known}: it was written by a newer version"
    )]
    Newer {
        /// The newest schema in the database.
        found: i64,
        /// The newest schema that the program knows.
        known: i64,
    },
    /// The database is at an older schema and a running daemon still uses it.
    #[error(
        "the database has to be migrated to schema {known}, and a running daemon still uses it; stop that daemon first"
    )]
    MigrationBlocked {
        /// The newest schema that the program knows.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated")]
    Migration(#[source] Arc<sqlx::migrate::MigrateError>),
    /// The URL or another setting makes no sense.
    #[error("store.url: {0}")]
    Config(String),
    /// A file of the store could not be opened.
    #[error("cannot open {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The database refused a statement: a fault of the program.
    #[error("the database refused a statement")]
    Refused(#[source] Arc<sqlx::Error>),
    /// The database answers, and not to what is paused: everything counts as paused.
    #[error("what is paused cannot be read, so everything is")]
    PausesUnreadable(#[source] Arc<StoreError>),
}

/// What exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A payment with that id.
    #[error("a payment with that id exists already")]
    Payment,
    /// A payment of that client under that idempotency key.
    #[error("the idempotency key is taken")]
    IdempotencyKey,
    /// An attempt with that hash on that slot.
    #[error("that attempt is recorded already")]
    Attempt,
    /// A journal entry at that place.
    #[error("that place of the journal is taken already")]
    JournalEntry,
    /// An API key with that id.
    #[error("an API key with that id exists already")]
    ApiKey,
}

impl StoreError {
    /// Whether the same call may succeed a little later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Contention(_)
            | Self::OutcomeUnknown(_)
            | Self::Overloaded
            | Self::Closed => true,
            Self::Conflict(_)
            | Self::Corrupt { .. }
            | Self::Damaged(_)
            | Self::NulInText { .. }
            | Self::BadChange { .. }
            | Self::WalletDiffers { .. }
            | Self::UnknownWallet(_)
            | Self::LeaseLost(_)
            | Self::HistoryBroken(_)
            | Self::InUse(_)
            | Self::LogHeldUp
            | Self::Newer { .. }
            | Self::MigrationBlocked { .. }
            | Self::Migration(_)
            | Self::Config(_)
            | Self::File { .. }
            | Self::Refused(_)
            | Self::PausesUnreadable(_) => false,
        }
    }

    /// Whether what was asked for may have been done all the same.
    #[must_use]
    pub const fn effect_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown(_))
    }

    /// Whether other transactions were in the way, so that an immediate retry makes sense.
    pub(super) const fn is_contention(&self) -> bool {
        matches!(self, Self::Contention(_))
    }

    /// A row that does not decode.
    pub(super) fn corrupt(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.into(),
            why: why.into(),
        }
    }

    /// The same failure when it came as the answer to a commit: a broken connection leaves open
    /// whether the commit was done.
    pub(super) fn of_commit(self) -> Self {
        match self {
            Self::Unavailable(source) => Self::OutcomeUnknown(source),
            other => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) => {
                let class = super::postgres::classify(refusal.as_ref())
                    .or_else(|| super::sqlite::classify(refusal.as_ref()));
                of_class(class, error)
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed => Self::Unavailable(Arc::new(error)),
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Configuration(source) => Self::Config(source.to_string()),
            sqlx::Error::ColumnDecode { index, source } => {
                Self::corrupt(format!("a column {index}"), source.to_string())
            }
            sqlx::Error::Decode(source) => Self::corrupt("a value", source.to_string()),
            _ => Self::Refused(Arc::new(error)),
        }
    }
}

/// What a database's own error code means, the same for both dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Unavailable,
    Contention,
    Damaged,
    Conflict(Conflict),
}

fn of_class(class: Option<Class>, error: sqlx::Error) -> StoreError {
    match class {
        Some(Class::Unavailable) => StoreError::Unavailable(Arc::new(error)),
        Some(Class::Contention) => StoreError::Contention(Arc::new(error)),
        Some(Class::Damaged) => StoreError::Damaged(Arc::new(error)),
        Some(Class::Conflict(conflict)) => StoreError::Conflict(conflict),
        None => StoreError::Refused(Arc::new(error)),
    }
}

/// Why a lane's commit did not happen. Nothing of it was written, except where
/// [`StoreError::effect_unknown`] says that it may have been.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// These payments have moved on since they were read.
    #[error("{} payments have changed since they were read", .0.len())]
    Stale(Vec<PaymentId>),
    /// The journal has been carried on by somebody else.
    #[error("the journal's cursor has moved")]
    CursorMoved,
    /// The journal names who took the slot of an attempt, and the commit leaves the attempt open:
    /// another hand signed it.
    #[error("the journal settles an attempt that the engine does not know")]
    Overlooked,
    /// The wallet is paused, and the commit signs something new.
    #[error("the wallet is paused, and nothing new is signed")]
    Paused,
    /// Another hand has halted the wallet, and the commit signs something new.
    #[error("the wallet is halted, and nothing new is signed")]
    Halted,
    /// The store could not write.
    #[error(transparent)]
    Store(#[from] StoreError),
}
