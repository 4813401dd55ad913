//! The books of one database, copied into another one that is empty.
//!
//! The source is retired first: from that commit on it refuses every write, whoever tries. Its rows then
//! go over table by table, in pages, into ONE transaction of the target, so the target has all of them or
//! none. They are read again there and held against the source before the source says that the books are
//! gone, and only after that does the target say that they are its own. Whatever is cut short leaves
//! at most one of the two usable: neither, until the same copy is run again, or the source, once it is
//! taken back.
//!
//! Each public method is one transaction on one of the two ends, but for [`Store::fill_from`], which reads
//! the one and writes the other.

mod catalog;
mod feed;
mod numbers;
mod retire;
mod rows;
mod schema;
mod target;

pub use feed::FeedSpan;
pub use rows::{Progress, TableSum};

use super::audit::{self, Actor, Audited};
use super::db::Tx;
use super::error::StoreError;
use super::moves::{self, Move, MoveState, Whereabouts};
use super::{Store, home};
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;

/// Why nothing is copied, or not to the end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CopyError {
    /// No daemon has ever started on the source.
    #[error("there is nothing to copy: no daemon has ever run on the source")]
    NothingToCopy,
    /// The source is itself the target of a copy that did not come to its end.
    #[error(
        "the source is itself the target of a copy from {} that has not come to its end", .0.other
    )]
    SourceArriving(Move),
    /// A copy to another target is under way, or was cut short.
    #[error(
        "a copy of the source to {} is under way or was cut short: run that one again, or take it back \
         with `xrpayd store release`", .0.other
    )]
    LeavingElsewhere(Move),
    /// The books are elsewhere already.
    #[error("the books have left the source: they are kept in {}", .0.other)]
    Left(Move),
    /// There are rows in the target.
    #[error("the target is not empty: there are rows in its table {table}")]
    TargetNotEmpty {
        /// Where.
        table: String,
    },
    /// The target belongs to somebody.
    #[error("the target is in use: a daemon has run on it")]
    TargetInUse,
    /// The target holds what another copy left.
    #[error(
        "the target holds a copy from {} that has not come to its end: run that one again, or clear the \
         target with --clear-target", .0.other
    )]
    TargetHalfDone(Move),
    /// The copy has been taken back, or another one was faster.
    #[error("the copy was taken back, or ended by somebody else, while it was under way")]
    Overtaken,
    /// The source was last used by an older program.
    #[error(
        "the source is at schema {found}, and this program is at {known}: start this version's daemon on it \
         once, or copy with the version that it belongs to"
    )]
    Older {
        /// The source's.
        found: i64,
        /// The program's.
        known: i64,
    },
    /// The two databases are not of one schema.
    #[error("the two databases are not of the same schema: {0}")]
    SchemasDiffer(String),
    /// Nothing of this kind is to be taken back.
    #[error("the books have not left this database: there is nothing to take back")]
    NothingToTakeBack,
    /// A daemon has started on the copy.
    #[error(
        "a daemon has started on the copy since: what it has paid and been paid is there alone. Copy the \
         books back, into a fresh database"
    )]
    CopyInUse,
    /// What is named as the copy is another database.
    #[error("the books of this database were not copied to that one")]
    NotTheCopy,
    /// A database did not do what it was asked to.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Retires this database for a copy of its books to `other`: from the commit on it takes no write. A
    /// copy to the same target that was cut short is gone on with.
    ///
    /// # Errors
    /// It has no books, or they are on their way elsewhere; it goes on as before then.
    pub async fn retire(
        &self,
        id: String,
        other: &str,
        by: Actor,
        now: UnixMs,
    ) -> Result<Move, CopyError> {
        let mut tx = self.db().write().await?;
        match moves::whereabouts(&mut tx).await? {
            Whereabouts::Leaving(known) => {
                tx.end().await?;
                return match (known.state, known.other == other) {
                    (_, true) => Ok(known),
                    (MoveState::Done, false) => Err(CopyError::Left(known)),
                    (MoveState::Open | MoveState::Filled, false) => {
                        Err(CopyError::LeavingElsewhere(known))
                    }
                };
            }
            Whereabouts::Arriving(known) => return Err(CopyError::SourceArriving(known)),
            // Where its own books came from is no way back any more.
            Whereabouts::Arrived(known) => moves::settle(&mut tx, &known.id, now).await?,
            Whereabouts::Here => {}
        }
        if home::read(&mut tx).await?.is_none() {
            return Err(CopyError::NothingToCopy);
        }
        let one = Move {
            id,
            other: other.to_owned(),
            at: now,
            state: MoveState::Open,
        };
        moves::begin(&mut tx, "to", &one).await?;
        let data = json!({ "copy": one.id, "to": one.other });
        note(&mut tx, "store.retired", by, data, now).await?;
        let tables = catalog::read(&mut tx).await?;
        retire::retire(&mut tx, &tables).await?;
        tx.commit().await?;
        Ok(one)
    }

    /// The books have left this database for good.
    ///
    /// # Errors
    /// The copy was taken back meanwhile, or the database could not write.
    pub async fn hand_over(&self, id: &str, now: UnixMs) -> Result<(), CopyError> {
        let mut tx = self.db().write().await?;
        let step = (MoveState::Open, MoveState::Done);
        if !moves::advance(&mut tx, (id, "to"), step, now).await? {
            return Err(CopyError::Overtaken);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes back what [`Store::retire`] did, where the copy is as far as `known` says: the books are
    /// here. The caller has seen to it that no daemon ever uses the copy.
    ///
    /// # Errors
    /// The copy is further by now, or the database could not write; nothing was taken back then.
    pub async fn reinstate(&self, known: &Move, by: Actor, now: UnixMs) -> Result<(), CopyError> {
        let mut tx = self.db().write().await?;
        if !moves::forget(&mut tx, (&known.id, "to"), known.state).await? {
            return Err(CopyError::Overtaken);
        }
        let tables = catalog::read(&mut tx).await?;
        retire::reinstate(&mut tx, &tables).await?;
        let data = json!({ "copy": known.id, "to": known.other });
        note(&mut tx, "store.reinstated", by, data, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What every table of the books holds, in one unmoving picture.
    ///
    /// # Errors
    /// The database does not answer, or holds what cannot be read.
    pub async fn sums(&self, progress: &mut Progress<'_>) -> Result<Vec<TableSum>, StoreError> {
        let mut tx = self.db().read().await?;
        let sums = sums_of(&mut tx, progress).await?;
        tx.end().await?;
        Ok(sums)
    }
}

/// The same, in a picture that is there already.
pub(super) async fn sums_of(
    tx: &mut Tx,
    progress: &mut Progress<'_>,
) -> Result<Vec<TableSum>, StoreError> {
    let mut sums = Vec::new();
    for table in books(catalog::read(tx).await?) {
        sums.push(rows::sum(tx, &table, progress).await?);
    }
    Ok(sums)
}

/// The tables that hold the books.
fn books(tables: Vec<catalog::Table>) -> impl Iterator<Item = catalog::Table> {
    tables.into_iter().filter(catalog::Table::is_of_the_books)
}

/// Writes down in the audit log what becomes of the database.
async fn note(
    tx: &mut Tx,
    action: &'static str,
    actor: Actor,
    data: Json,
    at: UnixMs,
) -> Result<(), StoreError> {
    let entry = Audited {
        at,
        actor,
        action,
        object: "store".to_owned(),
        data,
    };
    audit::note(tx, vec![entry]).await
}
