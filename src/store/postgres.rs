//! What is PostgreSQL's own: how it is connected to, and how many rows are phrased.
//!
//! TLS follows the URL's `sslmode`; `verify-full` with `sslrootcert` is what a network that is not
//! private needs. Every commit is durable before it is answered, whatever the server's default.

use super::db::{Columns, Kind, Value};
use super::error::{Class, Conflict, StoreError};
use super::{StoreConfig, migrations};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Arguments as _, ConnectOptions as _, Executor as _, Transaction};
use std::str::FromStr as _;

/// More rows in one statement gain nothing and hold memory.
const BATCH_ROWS_MAX: usize = 1_000;

/// Settings of every connection. A lock that nobody gives back within ten seconds belongs to a
/// replica that hangs; a transaction that is left idle for half a minute is ended by the server.
/// A server that is set to answer commits before they are durable is overruled.
const SESSION: &str = "select set_config('lock_timeout', '10s', false), \
     set_config('idle_in_transaction_session_timeout', '30s', false), \
     case when current_setting('synchronous_commit') = 'off' \
     then set_config('synchronous_commit', 'on', false) end";

/// An open PostgreSQL database.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: PgPool,
}

/// Connects and brings the schema up to date; replicas that start together wait for each other.
pub(super) async fn open(config: &StoreConfig) -> Result<Postgres, StoreError> {
    let options = PgConnectOptions::from_str(&config.url)?
        .application_name("xrpayd")
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections.max(2))
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(config.idle_timeout)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) })
        })
        .connect_with(options)
        .await?;
    migrations::run_postgres(&pool).await?;
    Ok(Postgres { pool })
}

impl Postgres {
    /// Read committed: what has to be read unchanged until the end is locked row by row.
    pub(super) async fn write(&self) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        Ok(self
            .pool
            .begin_with("begin isolation level read committed read write")
            .await?)
    }

    pub(super) async fn read(&self) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        Ok(self
            .pool
            .begin_with("begin isolation level repeatable read read only")
            .await?)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// How many of `rows` go into the next statement.
pub(super) fn batch_size(rows: usize) -> usize {
    rows.min(BATCH_ROWS_MAX)
}

/// `rows` as one array a column: one statement text whatever their number.
pub(super) fn rows_source(columns: Columns, rows: Vec<Vec<Value>>) -> (String, Vec<Value>) {
    let mut arrays: Vec<Value> = columns
        .iter()
        .map(|(_, kind)| empty_array(*kind, rows.len()))
        .collect();
    for row in rows {
        assert!(
            row.len() == columns.len(),
            "a row has as many values as its table has columns"
        );
        for (array, value) in arrays.iter_mut().zip(row) {
            match (array, value) {
                (Value::Ints(array), Value::Int(value)) => array.push(value),
                (Value::Texts(array), Value::Text(value)) => array.push(value),
                (Value::Blobs(array), Value::Blob(value)) => array.push(value),
                (array, value) => unreachable!("{value:?} is not a value for {array:?}"),
            }
        }
    }
    let casts: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(n, (_, kind))| {
            let name = match kind {
                Kind::Int => "bigint",
                Kind::Text => "text",
                Kind::Blob => "bytea",
            };
            format!("${}::{name}[]", n + 1)
        })
        .collect();
    let sql = format!("select * from unnest({})", casts.join(", "));
    (sql, arrays)
}

fn empty_array(kind: Kind, capacity: usize) -> Value {
    match kind {
        Kind::Int => Value::Ints(Vec::with_capacity(capacity)),
        Kind::Text => Value::Texts(Vec::with_capacity(capacity)),
        Kind::Blob => Value::Blobs(Vec::with_capacity(capacity)),
    }
}

/// The values as PostgreSQL's driver takes them.
pub(super) fn arguments(values: Vec<Value>) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
            Value::Ints(values) => arguments.add(values),
            Value::Texts(values) => arguments.add(values),
            Value::Blobs(values) => arguments.add(values),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// What an error of PostgreSQL means; `None` where it is none of the cases that callers tell apart.
pub(super) fn classify(error: &dyn sqlx::error::DatabaseError) -> Option<Class> {
    let error = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    match error.code() {
        // Serialization failure, deadlock, lock not available, idle transaction ended.
        "40001" | "40P01" | "55P03" | "25P03" => Some(Class::Contention),
        // Read-only: a standby that has not been promoted, or a primary that no longer is one.
        "25006" => Some(Class::Unavailable),
        "23505" => error.constraint().and_then(conflict).map(Class::Conflict),
        // Connection, resources, operator's intervention, system errors.
        code if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Some(Class::Unavailable)
        }
        code if code.starts_with("XX") => Some(Class::Damaged),
        _ => None,
    }
}

fn conflict(constraint: &str) -> Option<Conflict> {
    match constraint {
        "payments_pk" => Some(Conflict::Payment),
        "payments_idempotency" | "paybacks_idempotency" => Some(Conflict::IdempotencyKey),
        "attempts_pk" | "attempts_of_payment" => Some(Conflict::Attempt),
        "journal_entries_pk" => Some(Conflict::JournalEntry),
        "api_keys_pk" => Some(Conflict::ApiKey),
        _ => None,
    }
}
