//! The whole of an SQLite database in another file, while daemons and commands write to it; and such a
//! file, looked at without a change to it.
//!
//! `vacuum into` writes the copy out of one unmoving picture. A second picture of the same moment is held
//! open beside it, and what every table holds in that is what the copy has to hold: both pictures are taken
//! while nobody else may write, which is over in milliseconds. The log of the database is not cut back for
//! as long as its picture is looked at, so it grows by what is written meanwhile.
//!
//! On failure the copy is a file that nobody should believe; who asked for it throws it away.

use super::copy::{Progress, TableSum, sums_of};
use super::db::{Db, Dialect, Tx};
use super::error::StoreError;
use super::{Store, migrations, sqlite};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A copy that has not begun by then keeps nobody from writing any longer.
const HELD_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether the copy has begun.
const LOOK: Duration = Duration::from_millis(1);

/// Why there is no copy, or none to be believed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SnapshotError {
    /// The database is no file.
    #[error(
        "the database is PostgreSQL, whose own tools take its backups: see deploy/backup-postgres.sh"
    )]
    NotAFile,
    /// What SQLite finds wrong with the file.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// It does not hold what the database held.
    #[error("the copy differs from the database in the tables {0}")]
    Differs(String),
    /// A database did not do what it was asked to.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes all that the database holds at one moment into `file`, which is empty, and says what that is.
    ///
    /// # Errors
    /// The database is no file, or one of the two files could not be read or written.
    pub async fn copy_into(
        &self,
        file: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<TableSum>, SnapshotError> {
        let Dialect::Sqlite(database) = self.db().dialect() else {
            return Err(SnapshotError::NotAFile);
        };
        let nobody_writes = database.write().await?;
        let mut picture = self.db().read().await?;
        // A picture is of the moment of its first look.
        let look = "select count(*) as tables from sqlite_schema";
        picture.fetch(look, Vec::new()).await?;
        let copying = sqlite::vacuum_into(database.path(), file);
        tokio::pin!(copying);
        let begun = Instant::now();
        let early = loop {
            tokio::select! {
                done = &mut copying => break Some(done),
                () = sleep(LOOK) => {
                    // What is there of the copy was read out of its own picture, which it has by then.
                    let has_begun = std::fs::metadata(file).is_ok_and(|known| known.len() > 0);
                    if has_begun || begun.elapsed() > HELD_MAX {
                        break None;
                    }
                }
            }
        };
        nobody_writes.rollback().await.map_err(StoreError::from)?;
        // Both at once: a daemon that starts waits until nobody looks at a picture any more.
        let copied = async {
            match early {
                Some(done) => done,
                None => copying.await,
            }
        };
        let ((), sums) = tokio::try_join!(copied, sums_of(&mut picture, progress))?;
        picture.end().await?;
        Ok(sums)
    }

    /// Opens a file that nobody writes to, to be read alone: nothing is made beside it, and its schema
    /// stays as it is.
    ///
    /// # Errors
    /// It is no database.
    pub async fn open_copy(file: &Path) -> Result<Self, StoreError> {
        let database = sqlite::open_copy(file).await?;
        Ok(Self::of(Db::new(Dialect::Sqlite(database))))
    }

    /// The file that a URL of an SQLite database names.
    ///
    /// # Errors
    /// The URL is another database's, or names no file.
    pub fn file_of(url: &str) -> Result<PathBuf, SnapshotError> {
        if !url.starts_with("sqlite:") {
            return Err(SnapshotError::NotAFile);
        }
        Ok(sqlite::file_of(url)?)
    }

    /// The URL that names a file, whatever its path is made of.
    ///
    /// # Errors
    /// The path is no text.
    pub fn url_of(file: &Path) -> Result<String, StoreError> {
        sqlite::url_of(file)
    }

    /// Whether a daemon runs on a database's file, even where that file itself is gone.
    ///
    /// # Errors
    /// It cannot be found out.
    pub async fn is_locked(file: &Path) -> Result<bool, StoreError> {
        sqlite::is_locked(file).await
    }

    /// What SQLite itself has to say against a copy; its schema where that is nothing.
    ///
    /// # Errors
    /// It is damaged, or is no database of this program.
    pub async fn look_through(&self) -> Result<i64, SnapshotError> {
        let mut tx = self.db().read().await?;
        let found = look_through(&mut tx).await;
        tx.end().await?;
        found
    }
}

async fn look_through(tx: &mut Tx) -> Result<i64, SnapshotError> {
    let rows = tx.fetch("pragma integrity_check", Vec::new()).await?;
    for row in &rows {
        let found = row.text("integrity_check")?;
        if found != "ok" {
            return Err(SnapshotError::Damaged(found));
        }
    }
    let rows = tx.fetch("pragma foreign_key_check", Vec::new()).await?;
    if let Some(row) = rows.first() {
        let (table, parent) = (row.text("table")?, row.text("parent")?);
        let what = format!("a row of {table} refers to one of {parent} that is not there");
        return Err(SnapshotError::Damaged(what));
    }
    let sql = format!("select max(version) as newest from {}", migrations::TABLE);
    let row = tx.fetch_optional(sql, Vec::new()).await?;
    let newest = row.map(|row| row.int_or_null("newest")).transpose()?;
    newest
        .flatten()
        .ok_or_else(|| SnapshotError::Damaged("it says nothing of its schema".to_owned()))
}
