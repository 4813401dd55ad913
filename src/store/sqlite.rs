//! What is SQLite's own: how the file is opened, locked and written, and how many rows are phrased.
//!
//! One connection writes; others read beside it (WAL). Every commit is on the disk before it is
//! answered (`synchronous = FULL`). A daemon holds `<file>.lock` for as long as it lives.
//!
//! A disk that fails a sync may lose what it was asked to make durable and go on showing it, and the
//! next sync of the same pages succeeds without writing them. So nothing is concluded from reading it
//! back. While the daemon lives, a commit whose sync failed is not seen by anybody and the next commit
//! writes over it, all of it. A daemon that starts may find it in the log and believe it: so before
//! anything else the log is written again as it stands and synced, and what it holds is written into
//! the database and synced there, or the start fails. The log comes first: a power cut in the middle
//! would otherwise leave pages of the newer commit in the database under a log that lacks it, and
//! replaying that log would mix the two. One connection stays open throughout, because the log is only
//! searched for commits when the first one opens.

mod copies;

pub(super) use copies::{open_copy, vacuum_into};

use super::db::{self, Kind, Value};
use super::error::{Class, Conflict, StoreError};
use super::{Access, Connections, StoreConfig, migrations};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, Transaction,
};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a statement waits for another process (a command of the same program) to finish.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The writer's statements come in a few shapes times the sizes of a batch; with room for all of them
/// none is parsed twice.
const STATEMENTS_CACHED_MAX: usize = 400;
/// More rows in one statement gain nothing and make its text long.
const BATCH_ROWS_MAX: usize = 128;
/// More readers than this only wait for each other's pages.
const READERS_MAX: u32 = 8;

/// A command holds the lock while it opens the database; these tries outlast it.
const LOCK_TRIES_MAX: u32 = 10;
/// How long a start waits for who reads the database. A backup of many gigabytes takes minutes, and whoever
/// is told of the wait ends what hangs.
const LOG_PATIENCE: Duration = Duration::from_secs(600);
/// How long it waits before it tells so, and how often it looks at the time.
const LOG_LOOK: Duration = Duration::from_secs(1);
/// How often it tells so.
const LOG_TOLD: Duration = Duration::from_secs(30);
/// How much of the log is written again at a time.
const REWRITTEN_BYTES: usize = 64 * 1024;
/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// An open SQLite database.
#[derive(Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Uses nothing and is never closed before the others.
    keeper: SqlitePool,
    lock: Mutex<Option<File>>,
    path: PathBuf,
}

/// Opens the file, takes the lock that `access` asks for, and brings the schema up to date.
pub(super) async fn open(config: &StoreConfig, access: Access) -> Result<Sqlite, StoreError> {
    let options = SqliteConnectOptions::from_str(&config.url)?;
    let path = file_of(&config.url)?;
    create_private(&path)?;
    let path = std::fs::canonicalize(&path).map_err(|source| file_error(&path, source))?;
    let lock_path = beside(&path, ".lock");
    let lock = take_lock(&lock_path).await?;
    if lock.is_none() && access == Access::Daemon {
        return Err(StoreError::InUse(lock_path));
    }

    let options = options
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_CACHED_MAX)
        .disable_statement_logging();
    let pool = |size: u32| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .max_lifetime(None)
    };
    let keeper = pool(1)
        .idle_timeout(None)
        .connect_with(options.clone())
        .await?;
    if access == Access::Daemon {
        write_log_again(&keeper, &beside(&path, "-wal")).await?;
        settle_log(&keeper).await?;
    }
    let writer = pool(1)
        .idle_timeout(None)
        .before_acquire(|connection, _| {
            // A commit that fails ends SQLite's transaction and not the driver's: what is left of
            // it could never begin another.
            let fit = !connection.is_in_transaction();
            Box::pin(async move { Ok(fit) })
        })
        .connect_with(options.clone())
        .await?;
    match (&lock, access) {
        (Some(_), Access::Daemon | Access::Tool) => migrations::run_sqlite(&writer).await?,
        (None, Access::Daemon | Access::Tool) => migrations::check_sqlite(&writer).await?,
    }
    let readers = pool(config.max_connections.clamp(1, READERS_MAX))
        .idle_timeout(config.idle_timeout)
        .connect_lazy_with(options.read_only(true));
    Ok(Sqlite {
        writer,
        readers,
        keeper,
        lock: Mutex::new(match access {
            Access::Daemon => lock,
            Access::Tool => None,
        }),
        path,
    })
}

/// The file that a URL names.
pub(super) fn file_of(url: &str) -> Result<PathBuf, StoreError> {
    let options = SqliteConnectOptions::from_str(url)?;
    let path = options.get_filename().to_owned();
    let in_memory = [":memory:", "mode=memory"]
        .iter()
        .any(|word| url.contains(word));
    if path.as_os_str().is_empty() || in_memory {
        let why = "must name a file, as in sqlite:///var/lib/xrpayd/xrpayd.db";
        return Err(StoreError::Config(why.to_owned()));
    }
    Ok(path)
}

/// The URL that names a file: its path with everything escaped that a URL has a meaning for.
pub(super) fn url_of(path: &Path) -> Result<String, StoreError> {
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Config(format!("{} is no text", path.display())))?;
    let mut url = "sqlite://".to_owned();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    Ok(url)
}

/// The schema that a file is at, which is not made where there is none.
pub(super) async fn schema(config: &StoreConfig) -> Result<Option<i64>, StoreError> {
    let options = SqliteConnectOptions::from_str(&config.url)?.create_if_missing(false);
    if !options.get_filename().exists() {
        return Ok(None);
    }
    let mut connection = options.busy_timeout(BUSY_TIMEOUT).connect().await?;
    let has_table = sqlx::query("select 1 from sqlite_schema where name = $1")
        .bind(migrations::TABLE)
        .fetch_optional(&mut connection)
        .await?
        .is_some();
    let mut found = None;
    if has_table {
        let row = sqlx::query("select max(version) as newest from _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?;
        found = row.try_get("newest")?;
    }
    connection.close().await?;
    Ok(found)
}

impl Sqlite {
    pub(super) fn connections(&self) -> Connections {
        db::connections(&self.readers)
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the write lock at once: a transaction that reads first and writes later could find
    /// that it has read what is gone.
    pub(super) async fn write(&self) -> Result<Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }

    pub(super) async fn read(&self) -> Result<Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.readers.begin_with("begin deferred").await?)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.keeper.close().await;
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        *lock = None;
    }
}

/// Writes the log over itself and syncs it, so that the disk holds what reading it shows. Nobody else
/// writes to it meanwhile, because that takes the write lock; readers find the same bytes as before.
async fn write_log_again(pool: &SqlitePool, log: &Path) -> Result<(), StoreError> {
    let writing = pool.begin_with("begin immediate").await?;
    let path = log.to_owned();
    let written = tokio::task::spawn_blocking(move || rewrite(&path)).await;
    writing.rollback().await?;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(file_error(log, source)),
        Err(_) => Err(StoreError::Closed),
    }
}

fn rewrite(path: &Path) -> std::io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut piece = vec![0; REWRITTEN_BYTES];
    let mut at = 0_u64;
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            break;
        }
        file.write_all_at(&piece[..read], at)?;
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    file.sync_all()
}

/// Copies what the log holds into the database, and syncs both, once nobody looks at an older picture of it
/// any more: a backup that a command takes looks at one for as long as it takes.
async fn settle_log(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let (begun, mut told) = (Instant::now(), None::<Instant>);
    wait_at_most(&mut connection, LOG_LOOK).await?;
    while !is_settled(&mut connection).await? {
        if begun.elapsed() >= LOG_PATIENCE {
            return Err(StoreError::LogHeldUp);
        }
        if told.is_none_or(|at| at.elapsed() >= LOG_TOLD) {
            tracing::warn!(
                "the start waits for a program that reads the database, such as a backup that is being taken"
            );
            told = Some(Instant::now());
        }
    }
    wait_at_most(&mut connection, BUSY_TIMEOUT).await
}

/// Whether nobody was in the way of copying it; waits for who is.
async fn is_settled(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("pragma wal_checkpoint(full)")
        .fetch_one(connection)
        .await?;
    let is_held_up: i64 = row.try_get(0)?;
    Ok(is_held_up == 0)
}

/// How long statements of a connection wait for others from now on.
async fn wait_at_most(connection: &mut SqliteConnection, time: Duration) -> Result<(), StoreError> {
    let sql = format!("pragma busy_timeout = {}", time.as_millis());
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The file is created readable to its owner alone; SQLite gives its companions the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(file_error(path, source)),
    }
}

fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source: Arc::new(source),
    }
}

/// A file beside the database's, with its name and an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The lock, or `None` where another process holds it for longer than a command takes to open the
/// database. The operating system lets go of it when its holder dies, so a file that is left behind
/// locks nobody out.
async fn take_lock(path: &Path) -> Result<Option<File>, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options
        .open(path)
        .map_err(|source| file_error(path, source))?;
    for _ in 0..LOCK_TRIES_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::Error(source)) => return Err(file_error(path, source)),
        }
    }
    Ok(None)
}

/// Whether another process holds the lock of a database.
pub(super) async fn is_locked(database: &Path) -> Result<bool, StoreError> {
    let path = beside(database, ".lock");
    if !path.exists() {
        return Ok(false);
    }
    Ok(take_lock(&path).await?.is_none())
}

/// The sizes that a batch is filled up to: so few distinct statements exist that each stays
/// prepared, and at most a third of a batch is filling.
const SIZES: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, BATCH_ROWS_MAX];

/// How many of `rows` go into the next statement.
pub(super) fn batch_size(rows: usize) -> usize {
    rows.min(BATCH_ROWS_MAX)
}

/// `rows` as a multi-row `values`. What fills them up to a size is null, and sieved out again by the
/// first column, which no table of ours leaves null.
pub(super) fn rows_source(columns: &[(&str, Kind)], rows: Vec<Vec<Value>>) -> (String, Vec<Value>) {
    let count = rows.len();
    let size = SIZES
        .into_iter()
        .find(|size| *size >= count)
        .unwrap_or(count);
    let mut values = Vec::with_capacity(size * columns.len());
    for row in rows {
        assert!(
            row.len() == columns.len(),
            "a row has as many values as its table has columns"
        );
        values.extend(row);
    }
    values.resize(size * columns.len(), Value::Int(None));
    // Numbered parameters would be looked up by their names, each along all of them.
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let sql = format!("values {}", vec![row.as_str(); size].join(", "));
    if size == count {
        (sql, values)
    } else {
        (
            format!("select * from ({sql}) where column1 is not null"),
            values,
        )
    }
}

/// The values as SQLite's driver takes them.
pub(super) fn arguments(values: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
            Value::Ints(_) | Value::Texts(_) | Value::Blobs(_) => {
                Err("SQLite has no arrays".into())
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// What an error of SQLite means; `None` where it is none of the cases that callers tell apart.
pub(super) fn classify(error: &dyn sqlx::error::DatabaseError) -> Option<Class> {
    let error = error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let code: i32 = sqlx::error::DatabaseError::code(error)?.parse().ok()?;
    match code & 0xFF {
        5 | 6 => Some(Class::Contention),
        // Besides a file that fails: no memory, and what another connection's doing cut short.
        4 | 7 | 8 | 9 | 10 | 13 | 14 | 15 => Some(Class::Unavailable),
        11 | 26 => Some(Class::Damaged),
        19 => conflict(sqlx::error::DatabaseError::message(error)).map(Class::Conflict),
        _ => None,
    }
}

/// SQLite names the columns of a broken uniqueness, not the constraint.
fn conflict(message: &str) -> Option<Conflict> {
    let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
    match columns {
        "payments.id" => Some(Conflict::Payment),
        "payments.client, payments.idempotency_key"
        | "paybacks.asked_client, paybacks.asked_key" => Some(Conflict::IdempotencyKey),
        "attempts.wallet, attempts.slot_kind, attempts.slot, attempts.hash"
        | "attempts.payment_id, attempts.n" => Some(Conflict::Attempt),
        "journal_entries.wallet, journal_entries.ledger_index, journal_entries.tx_index" => {
            Some(Conflict::JournalEntry)
        }
        "api_keys.id" => Some(Conflict::ApiKey),
        _ => None,
    }
}
