//! The database written into another file, and a file that is only read.

use super::{BUSY_TIMEOUT, Sqlite};
use crate::store::error::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use std::path::Path;
use std::sync::Mutex;

/// Writes everything out of one picture of a database into a file that is empty, over a connection of its
/// own. The disk has it once it is synced.
pub(in crate::store) async fn vacuum_into(path: &Path, file: &Path) -> Result<(), StoreError> {
    let target = file.to_str().ok_or_else(|| {
        StoreError::Config(format!("{} is no text that SQLite takes", file.display()))
    })?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    let copied = sqlx::query("vacuum into $1")
        .bind(target)
        .execute(&mut connection)
        .await;
    connection.close().await?;
    copied?;
    Ok(())
}

/// Opens a file that nobody writes to. No lock is taken and no file made beside it.
pub(in crate::store) async fn open_copy(path: &Path) -> Result<Sqlite, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .immutable(true)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    Ok(Sqlite {
        writer: pool.clone(),
        readers: pool.clone(),
        keeper: pool,
        lock: Mutex::new(None),
        path: path.to_owned(),
    })
}
