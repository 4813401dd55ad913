//! What is PostgreSQL's own: how it is connected to, and how many rows are phrased.
//!
//! TLS follows the URL's `sslmode`; `verify-full` with `sslrootcert` is what a network that is not
//! private needs. Every commit is durable before it is answered, whatever the server's default.
//!
//! Nothing relies on the state of a session: what a transaction needs is said with its `begin`
//! ([`session`]), so it holds behind a pooler that deals out connections by the transaction too.
//! A server that does not answer is given up on after a stated time, and the connections of that
//! moment are not trusted any more ([`trust`]). Where another server has become the primary since, it
//! is found ([`hosts`]), and what was asked of the old one is given up.

mod begun;
mod hosts;
mod migrate;
mod pooler;
mod session;
mod standby;
mod trust;
mod url;
mod way;

use super::db::{self, Kind, Purpose, Value};
use super::error::{Class, Conflict, StoreError};
use super::{Connections, Pooler, StoreConfig, lineage};
use hosts::Hosts;
use session::Session;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::{Arguments as _, ConnectOptions as _, Connection as _};
use standby::Standby;
use std::time::Duration;
use tokio::time::Instant;
pub(super) use trust::Patience;
pub(super) use way::Begun;
use way::Way;

/// More rows in one statement gain nothing and hold memory.
const BATCH_ROWS_MAX: usize = 1_000;
/// How often a transaction is begun anew because its connection had been cut while nobody used it.
const BEGINS_MAX: u32 = 3;
/// How much longer than the server's own limit its answer is waited for: the way there and back.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// An open PostgreSQL database.
#[derive(Debug)]
pub(super) struct Postgres {
    /// The way of what requests and everything else ask.
    requests: Way,
    /// The way of what the engines do and go by.
    engines: Way,
    /// The way of what keeps leases.
    leases: Way,
    /// The way of what takes them.
    takings: Way,
    hosts: Hosts,
    session: Session,
    /// How the server is asked which history of the database this is.
    lineage: &'static str,
    /// Whether statements stay prepared on a connection.
    prepares: bool,
    /// How a connection is made that only listens, where that is another way.
    listen: Option<Box<PgConnectOptions>>,
    /// Where lists are read, if not here.
    standby: Option<Standby>,
}

/// Connects and brings the schema up to date; replicas that start together wait for each other.
pub(super) async fn open(config: &StoreConfig) -> Result<Postgres, StoreError> {
    let listen = config.listen_url.as_deref().map(url::options).transpose()?;
    let hosts = Hosts::of(&config.url, config.acquire_timeout)?;
    let primary = hosts.find(Instant::now()).await?;
    let lineage = match primary.tells_timeline {
        true => lineage::OF_POSTGRES,
        false => {
            tracing::warn!(
                "the database does not tell its timeline: where a standby is promoted that lacks commits, nobody notices"
            );
            lineage::OF_OTHERS
        }
    };
    let standby = config
        .read_url
        .as_ref()
        .map(|url| Standby::new(config, url));
    let standby = standby.transpose()?;
    let postgres = Postgres {
        requests: Way::of_requests(config, primary.options.clone()),
        engines: Way::of_engines(config, primary.options.clone()),
        leases: Way::of_leases(config, primary.options.clone()),
        takings: Way::of_takings(config, primary.options),
        hosts,
        session: Session::new(config),
        lineage,
        prepares: config.pooler == Pooler::None,
        listen: listen.map(Box::new),
        standby,
    };
    if postgres.prepares {
        pooler::refuse_unnamed(&postgres.requests.pool()).await?;
    }
    migrate::run(&postgres.requests.pool()).await?;
    Ok(postgres)
}

/// The schema that a database is at.
pub(super) async fn schema(config: &StoreConfig) -> Result<Option<i64>, StoreError> {
    let mut connection = url::options(&config.url)?.connect().await?;
    let applied = migrate::look(&mut connection).await?;
    connection.close().await?;
    Ok(applied.migrations.iter().map(|(version, _)| *version).max())
}

impl Postgres {
    /// Read committed: what has to be read unchanged until the end is locked row by row.
    pub(super) async fn write(&self, purpose: Purpose) -> Result<Begun, StoreError> {
        self.begin(self.way(purpose), &self.session.write).await
    }

    pub(super) async fn read(&self, purpose: Purpose) -> Result<Begun, StoreError> {
        self.begin(self.way(purpose), &self.session.read).await
    }

    const fn way(&self, purpose: Purpose) -> &Way {
        match purpose {
            Purpose::Requests => &self.requests,
            Purpose::Engines => &self.engines,
        }
    }

    /// The same for what keeps a lease.
    pub(super) async fn write_lease(&self) -> Result<Begun, StoreError> {
        self.begin(&self.leases, &self.session.write).await
    }

    pub(super) async fn read_lease(&self) -> Result<Begun, StoreError> {
        self.begin(&self.leases, &self.session.read).await
    }

    /// The same for what takes one, which waits no longer for a commit than a renewal may take.
    pub(super) async fn write_taking(&self) -> Result<Begun, StoreError> {
        self.begin(&self.takings, &self.session.take).await
    }

    pub(super) async fn read_taking(&self) -> Result<Begun, StoreError> {
        self.begin(&self.takings, &self.session.read).await
    }

    /// The same where a list is read, which may be another server; `None` where it is this one.
    pub(super) async fn list(&self) -> Option<Begun> {
        let begun = self.standby.as_ref()?.begin(&self.requests.pool()).await?;
        Some((begun, self.requests.patience_now()))
    }

    /// Lists are read on this server for a while.
    pub(super) fn leave_standby(&self, why: &str) {
        if let Some(standby) = &self.standby {
            standby.rest(why);
        }
    }

    async fn begin(&self, way: &Way, how: &str) -> Result<Begun, StoreError> {
        let patience = way.patience_now();
        let mut begins = 1;
        loop {
            let asked_at = Instant::now();
            let error = match way.begin(how, patience.until).await {
                Ok(transaction) => return Ok((transaction, patience)),
                Err(error) => error,
            };
            // Nothing has been asked for yet, so asking another connection is safe.
            let another = self.has_another_way(way, asked_at, &error);
            let has_another = match patience.until {
                None => another.await,
                Some(until) => {
                    let another = tokio::time::timeout_at(until, another);
                    another.await.unwrap_or_default()
                }
            };
            if !has_another || begins == BEGINS_MAX {
                return Err(error.into());
            }
            begins += 1;
        }
    }

    /// Whether it makes sense to begin again after `error`: the connections of before are not used any
    /// more, or the primary is another server by now.
    async fn has_another_way(&self, way: &Way, asked_at: Instant, error: &sqlx::Error) -> bool {
        let trust = &way.patience.trust;
        let loss = Loss::of(error);
        if matches!(loss, Loss::Cut | Loss::Silent) {
            trust.lose();
        }
        match loss {
            Loss::None => return false,
            Loss::Cut if !self.hosts.are_several() => return true,
            Loss::Cut | Loss::Silent | Loss::NoneFree => {}
        }
        let primary = match self.hosts.find(asked_at).await {
            Ok(primary) => primary,
            Err(error) => {
                tracing::debug!(error = ?error, "no primary is to be found");
                return false;
            }
        };
        if primary.is_another {
            self.go_to(&primary.options);
        } else if (loss == Loss::Silent || (loss == Loss::NoneFree && way.is_brief()))
            && !way.is_renewed_since(asked_at)
        {
            // The server answers, over a new connection. What hangs on the old ones is told so, once.
            way.renew(None);
        }
        loss != Loss::NoneFree || way.is_renewed_since(asked_at)
    }

    /// Looks at all servers that the URL names while everything seems to work: where another one has become
    /// the primary, everything goes there.
    pub(super) async fn survey(&self) -> Result<(), StoreError> {
        if self.hosts.are_several() {
            let primary = self.hosts.find(Instant::now()).await?;
            if primary.is_another {
                self.go_to(&primary.options);
            }
        }
        Ok(())
    }

    /// The servers that took writes when all were asked last, though another has succeeded them.
    pub(super) fn rivals(&self) -> Vec<String> {
        self.hosts.rivals()
    }

    /// Another server is the primary: nobody waits any longer for what was asked of the old one.
    fn go_to(&self, primary: &PgConnectOptions) {
        for way in self.ways() {
            way.renew(Some(primary));
        }
    }

    /// How the server is asked which history of the database this is.
    pub(super) const fn lineage(&self) -> &'static str {
        self.lineage
    }

    /// Whether statements stay prepared on a connection.
    pub(super) const fn prepares(&self) -> bool {
        self.prepares
    }

    /// How a connection is made that only listens; `None` where only a pooler leads to the database that
    /// would give what is said there to anybody.
    pub(super) fn listen_options(&self) -> Option<PgConnectOptions> {
        match &self.listen {
            Some(options) => Some(options.as_ref().clone()),
            None if self.prepares => Some(self.requests.pool().connect_options().as_ref().clone()),
            None => None,
        }
    }

    pub(super) fn connections(&self) -> Connections {
        db::connections(&self.requests.pool())
    }

    pub(super) async fn close(&self) {
        if let Some(standby) = &self.standby {
            standby.close().await;
        }
        for way in self.ways() {
            way.pool().close().await;
        }
    }
}

/// What an error at the beginning of a transaction says of the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Nothing: the server refused something.
    None,
    /// The connection has ended, or is not one to the primary.
    Cut,
    /// There is a connection, and no answer over it.
    Silent,
    /// No connection was to be had in time: all are in use, or none can be made.
    NoneFree,
}

impl Loss {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::NoneFree,
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => Self::Silent,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => Self::Cut,
            // Ended by an operator, by a crash, because it idled; left in the middle of something; or
            // the server has become a standby.
            sqlx::Error::Database(error)
                if error.code().is_some_and(|code| {
                    ["57P01", "57P02", "57P03", "57P05", "25P02", "25006"].contains(&code.as_ref())
                }) =>
            {
                Self::Cut
            }
            _ => Self::None,
        }
    }
}

/// How many of `rows` go into the next statement.
pub(super) fn batch_size(rows: usize) -> usize {
    rows.min(BATCH_ROWS_MAX)
}

/// `rows` as one array a column: one statement text whatever their number.
pub(super) fn rows_source(columns: &[(&str, Kind)], rows: Vec<Vec<Value>>) -> (String, Vec<Value>) {
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
        // The same, where only a primary could have told: recovery is in progress.
        "55000" => Some(Class::Unavailable),
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
