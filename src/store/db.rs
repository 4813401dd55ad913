//! The thin executor that both dialects run on: typed values in, typed rows out, one transaction
//! type.
//!
//! Owns how a statement that takes many rows is phrased: multi-row `values` on SQLite, `unnest` of
//! one array a column on PostgreSQL. The statements themselves are written once, in the aggregates.
//! A transaction that is dropped is rolled back. One that told something to the feed writes nothing
//! after it. Once it is committed, and only then, whoever waits for what it did is given a hint.

mod begin;
mod row;

pub(super) use row::Row;

use super::error::StoreError;
use super::hints::{Hint, Hints, Others};
use super::{Connections, lineage, postgres, sqlite};
use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::watch;

/// The open database, for one purpose.
#[derive(Debug)]
pub(super) struct Db {
    dialect: Arc<Dialect>,
    /// Who is told of what is committed.
    hints: Arc<Hints>,
    purpose: Purpose,
}

/// What the database is asked for: neither waits for a connection behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What requests ask, and all that payments do not wait for.
    Requests,
    /// What the wallets' engines do and go by, so that payments go on whatever is asked.
    Engines,
}

/// Which database it is.
#[derive(Debug)]
pub(super) enum Dialect {
    Sqlite(sqlite::Sqlite),
    Postgres(Box<postgres::Postgres>),
}

impl Db {
    pub(super) fn new(dialect: Dialect) -> Self {
        let others = match &dialect {
            Dialect::Sqlite(_) => Others::None,
            Dialect::Postgres(_) => Others::Perhaps,
        };
        let hints = Arc::new(Hints::new(others));
        Self {
            dialect: Arc::new(dialect),
            hints,
            purpose: Purpose::Requests,
        }
    }

    /// The same database for what the engines do and go by.
    pub(super) fn for_engines(&self) -> Self {
        Self {
            dialect: Arc::clone(&self.dialect),
            hints: Arc::clone(&self.hints),
            purpose: Purpose::Engines,
        }
    }

    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    pub(super) fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Changes whenever something was committed that the feed was told, as far as is known here.
    pub(super) fn feed_changed(&self) -> watch::Receiver<i64> {
        self.hints.feed_changed()
    }

    /// What `read` makes of a picture for a list: of a server that is there for lists, where there is
    /// one that shows everything by now, and otherwise of the one that takes the writes. Nothing that
    /// decides about money is read this way.
    pub(super) async fn list<T, F, Done>(&self, read: F) -> Result<T, StoreError>
    where
        F: Fn(Tx) -> Done,
        Done: Future<Output = Result<T, StoreError>>,
    {
        if let Dialect::Postgres(db) = self.dialect()
            && let Some(standby) = db.list().await
        {
            let mut tx = self.begun(Begun::Postgres(standby));
            tx.prepares = false;
            match read(tx).await {
                Err(error) if error.retryable() => db.leave_standby(&error.to_string()),
                answer => return answer,
            }
        }
        read(self.read().await?).await
    }

    fn begun(&self, begun: Begun) -> Tx {
        let hints = Arc::clone(&self.hints);
        let (on, patience) = match begun {
            Begun::Sqlite(tx) => (TxOn::Sqlite(tx), None),
            Begun::Postgres((tx, patience)) => (TxOn::Postgres(tx), Some(patience)),
        };
        let (prepares, lineage) = match self.dialect() {
            Dialect::Sqlite(_) => (true, lineage::OF_FILES),
            Dialect::Postgres(db) => (db.prepares(), db.lineage()),
        };
        Tx {
            on,
            hints,
            told: None,
            hinted: Vec::new(),
            patience,
            prepares,
            lineage,
        }
    }

    /// Closes every connection, after what they are doing.
    pub(super) async fn close(&self) {
        match self.dialect() {
            Dialect::Sqlite(db) => db.close().await,
            Dialect::Postgres(db) => db.close().await,
        }
    }
}

/// The driver's transaction as it has just begun.
enum Begun {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(postgres::Begun),
}

/// A value of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    /// One column of many rows; PostgreSQL alone.
    Ints(Vec<Option<i64>>),
    /// The same, of texts.
    Texts(Vec<Option<String>>),
    /// The same, of bytes.
    Blobs(Vec<Option<Vec<u8>>>),
}

/// The type of a column of rows that are handed to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Blob,
}

/// The columns of rows that are handed to a statement.
pub(super) type Columns = &'static [(&'static str, Kind)];

macro_rules! value_from {
    ($($variant:ident: $($plain:ty => $convert:expr),+;)+) => {$($(
        impl From<$plain> for Value {
            fn from(value: $plain) -> Self {
                let convert: fn($plain) -> _ = $convert;
                Self::$variant(Some(convert(value)))
            }
        }
        impl From<Option<$plain>> for Value {
            fn from(value: Option<$plain>) -> Self {
                let convert: fn($plain) -> _ = $convert;
                Self::$variant(value.map(convert))
            }
        }
    )+)+};
}

value_from! {
    Int: i64 => |v| v, u32 => i64::from, bool => i64::from;
    Text: String => |v| v, &str => str::to_owned;
    Blob: Vec<u8> => |v| v, [u8; 32] => |v| v.to_vec();
}

/// A statement's text: written out, or put together from parts that are written out.
pub(super) type Sql = Cow<'static, str>;

/// One transaction on either dialect.
#[derive(Debug)]
pub(super) struct Tx {
    pub(super) on: TxOn,
    /// Who is told once it is committed.
    hints: Arc<Hints>,
    /// The last sequence that this transaction drew.
    told: Option<i64>,
    /// What else is said then.
    hinted: Vec<Hint>,
    /// How long an answer is waited for, where a network lies in between.
    patience: Option<postgres::Patience>,
    /// Whether statements stay prepared on the connection.
    prepares: bool,
    /// How the server is asked which history this is.
    lineage: &'static str,
}

/// What a pool of the driver holds at this moment.
pub(super) fn connections<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> Connections {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    Connections {
        // The two are read one after the other, so the difference may be off by one for a moment.
        in_use: pool.size().saturating_sub(idle),
        idle,
        max: pool.options().get_max_connections(),
    }
}

/// The driver's transaction.
#[derive(Debug)]
pub(super) enum TxOn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// The words that lock the rows a transaction has read until it ends, where a dialect has more
    /// than one writer.
    pub(super) const fn for_update(&self) -> &'static str {
        match &self.on {
            TxOn::Sqlite(_) => "",
            TxOn::Postgres(_) => " for update",
        }
    }

    /// The database's own time in Unix milliseconds, as an expression: what all processes that use the
    /// database agree on.
    pub(super) const fn now_ms(&self) -> &'static str {
        match &self.on {
            // One statement sees one time, so the two parts belong together.
            TxOn::Sqlite(_) => {
                "(cast(strftime('%s', 'now') as integer) * 1000 \
                 + cast(substr(strftime('%f', 'now'), 4) as integer))"
            }
            TxOn::Postgres(_) => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
        }
    }

    /// The expression for the history of the database that this is.
    pub(super) const fn lineage(&self) -> &'static str {
        self.lineage
    }

    /// The words that lock the rows a transaction has read, passing over those that another has locked
    /// instead of waiting for them.
    pub(super) const fn for_update_of_free(&self) -> &'static str {
        match &self.on {
            TxOn::Sqlite(_) => "",
            TxOn::Postgres(_) => " for update skip locked",
        }
    }

    /// Runs a statement that answers with rows.
    pub(super) async fn fetch(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into();
        #[cfg(test)]
        super::plans::record(self, &sql, &values).await;
        let sql = AssertSqlSafe(sql);
        match &mut self.on {
            TxOn::Sqlite(tx) => {
                let query = sqlx::query_with(sql, sqlite::arguments(values)?);
                let rows = query.fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            TxOn::Postgres(tx) => {
                let query = sqlx::query_with(sql, postgres::arguments(values)?);
                let answer = query.persistent(self.prepares).fetch_all(&mut **tx);
                let rows = within(self.patience.as_ref(), answer).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs a statement that answers with at most one row.
    pub(super) async fn fetch_optional(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, values).await?.into_iter().next())
    }

    /// Runs a statement and tells how many rows it wrote.
    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Sql>,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        assert!(
            self.told.is_none(),
            "what is told to the feed is the last that a transaction writes"
        );
        let sql = sql.into();
        #[cfg(test)]
        super::plans::record(self, &sql, &values).await;
        let sql = AssertSqlSafe(sql);
        match &mut self.on {
            TxOn::Sqlite(tx) => {
                let query = sqlx::query_with(sql, sqlite::arguments(values)?);
                Ok(query.execute(&mut **tx).await?.rows_affected())
            }
            TxOn::Postgres(tx) => {
                let query = sqlx::query_with(sql, postgres::arguments(values)?);
                let answer = query.persistent(self.prepares).execute(&mut **tx);
                let done = within(self.patience.as_ref(), answer).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Inserts `rows` into `table`; `after` is what follows them, such as an `on conflict`.
    pub(super) async fn insert(
        &mut self,
        table: &str,
        columns: &[(&str, Kind)],
        rows: Vec<Vec<Value>>,
        after: &str,
    ) -> Result<u64, StoreError> {
        let names = names(columns);
        let head = format!("insert into {table} ({names}) ");
        let mut written = 0_u64;
        for batch in self.batches(rows) {
            let (source, values) = self.source(columns, batch);
            let sql = format!("{head}{source} {after}");
            written = written.saturating_add(self.execute(sql, values).await?);
        }
        Ok(written)
    }

    /// Runs `statement`, which sees `rows` as the table `v`, and tells how many rows it wrote.
    pub(super) async fn execute_with(
        &mut self,
        columns: &[(&str, Kind)],
        rows: Vec<Vec<Value>>,
        statement: &str,
    ) -> Result<u64, StoreError> {
        let mut written = 0_u64;
        for batch in self.batches(rows) {
            let (sql, values) = self.with(columns, batch, statement);
            written = written.saturating_add(self.execute(sql, values).await?);
        }
        Ok(written)
    }

    /// Runs `statement`, which sees `rows` as the table `v`, and answers with its rows. Their order
    /// holds only within a batch.
    pub(super) async fn fetch_with(
        &mut self,
        columns: &[(&str, Kind)],
        rows: Vec<Vec<Value>>,
        statement: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for batch in self.batches(rows) {
            let (sql, values) = self.with(columns, batch, statement);
            found.append(&mut self.fetch(sql, values).await?);
        }
        Ok(found)
    }

    fn with(
        &self,
        columns: &[(&str, Kind)],
        rows: Vec<Vec<Value>>,
        statement: &str,
    ) -> (String, Vec<Value>) {
        let (source, values) = self.source(columns, rows);
        let names = names(columns);
        (
            format!("with v ({names}) as ({source}) {statement}"),
            values,
        )
    }

    fn source(&self, columns: &[(&str, Kind)], rows: Vec<Vec<Value>>) -> (String, Vec<Value>) {
        match &self.on {
            TxOn::Sqlite(_) => sqlite::rows_source(columns, rows),
            TxOn::Postgres(_) => postgres::rows_source(columns, rows),
        }
    }

    fn batches(&self, mut rows: Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
        let mut batches = Vec::new();
        while !rows.is_empty() {
            let size = match &self.on {
                TxOn::Sqlite(_) => sqlite::batch_size(rows.len()),
                TxOn::Postgres(_) => postgres::batch_size(rows.len()),
            };
            let rest = rows.split_off(size);
            batches.push(std::mem::replace(&mut rows, rest));
        }
        batches
    }

    /// Notes that events up to this sequence have been written; nothing is written after them.
    pub(super) const fn has_told(&mut self, last: i64) {
        self.told = Some(last);
    }

    /// Has `hint` said once this is committed.
    pub(super) fn will_hint(&mut self, hint: Hint) {
        if !self.hinted.contains(&hint) {
            self.hinted.push(hint);
        }
    }

    /// Makes everything durable. A connection that breaks here, or is silent for too long, leaves the
    /// outcome unknown.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let answer = match self.on {
            TxOn::Sqlite(tx) => tx.commit().await.map_err(StoreError::from),
            TxOn::Postgres(tx) => within(self.patience.as_ref(), tx.commit()).await,
        };
        // Also where nobody knows whether it was done: whoever is woken looks for himself.
        let feed = self.told.map(Hint::Feed);
        for hint in self.hinted.into_iter().chain(feed) {
            self.hints.say(hint);
        }
        answer.map_err(StoreError::of_commit)
    }

    /// Forgets everything; also the proper end of a transaction that only read.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        match self.on {
            TxOn::Sqlite(tx) => tx.rollback().await?,
            TxOn::Postgres(tx) => within(self.patience.as_ref(), tx.rollback()).await?,
        }
        Ok(())
    }
}

/// The answer, unless somebody's patience ends before it comes.
async fn within<T>(
    patience: Option<&postgres::Patience>,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match patience {
        Some(patience) => patience.wait(answer).await,
        None => Ok(answer.await?),
    }
}

fn names(columns: &[(&str, Kind)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}
