//! Brings a PostgreSQL database up to date.
//!
//! One migration is one transaction, which holds a lock that ends with it: programs that start
//! together wait for each other, a program that is killed leaves a migration done or not begun, and
//! nothing depends on a session. Where nothing is left to do nothing is locked, so a program whose role
//! may only read and write rows starts on a schema that another role has made.

use crate::store::error::StoreError;
use crate::store::migrations::{self, Applied};
use crate::store::retry;
use sqlx::migrate::Migration;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

/// The migrations' lock, alone in the database's space of such locks: the first eight bytes of the
/// SHA-256 of "xrpayd schema" have no meaning either.
const LOCK: i64 = 0x7872_7061_7964_0001;

/// Waits for the lock for as long as a long migration takes; for tables only as long as their users
/// may be kept waiting behind us.
fn begin() -> String {
    format!(
        "begin isolation level read committed read write; \
         set local statement_timeout = 0; set local idle_in_transaction_session_timeout = '30s'; \
         set local lock_timeout = '10min'; select pg_advisory_xact_lock({LOCK}); \
         set local lock_timeout = '5s'"
    )
}

const TABLE: &str = "create table if not exists _sqlx_migrations (version bigint primary key, \
     description text not null, installed_on timestamptz not null default now(), \
     success boolean not null, checksum bytea not null, execution_time bigint not null)";

/// Applies what has not been applied.
pub(super) async fn run(pool: &PgPool) -> Result<(), StoreError> {
    let known = migrations::for_postgres();
    let applied = look(&mut *pool.acquire().await?).await?;
    for migration in migrations::missing(&known, &applied)? {
        retry::while_contended(|| apply(pool, migration, &known)).await?;
    }
    Ok(())
}

async fn apply(
    pool: &PgPool,
    migration: &Migration,
    known: &[Migration],
) -> Result<(), StoreError> {
    let mut tx = pool.begin_with(AssertSqlSafe(begin())).await?;
    tx.execute(TABLE).await?;
    let applied = look(&mut tx).await?;
    // Somebody else may have been here while we waited.
    let is_missing = migrations::missing(known, &applied)?
        .iter()
        .any(|missing| missing.version == migration.version);
    if is_missing {
        tx.execute(migration.sql.clone()).await?;
        let note = "insert into _sqlx_migrations \
                    (version, description, success, checksum, execution_time) \
                    values ($1, $2, true, $3, -1)";
        sqlx::query(note)
            .bind(migration.version)
            .bind(&*migration.description)
            .bind(&*migration.checksum)
            .persistent(false)
            .execute(&mut *tx)
            .await?;
        tracing::info!(schema = migration.version, "the database was migrated");
    }
    tx.commit().await.map_err(StoreError::from)
}

/// What has been applied. Asked in single messages: outside of a transaction a pooler may change the
/// server's connection between a statement that is prepared and its running.
pub(super) async fn look(connection: &mut PgConnection) -> Result<Applied, StoreError> {
    let found = "select to_regclass('_sqlx_migrations') is not null, \
                 to_regclass('schema_floor') is not null";
    let found = connection.fetch_one(found).await?;
    let (is_begun, has_floor): (bool, bool) = (found.try_get(0)?, found.try_get(1)?);
    let mut applied = Applied::default();
    if !is_begun {
        return Ok(applied);
    }
    if has_floor {
        let floor = "select program from schema_floor where scope = 'all'";
        let floor = connection.fetch_optional(floor).await?;
        applied.floor = floor.map(|row| row.try_get(0)).transpose()?;
    }
    let rows = "select version, checksum from _sqlx_migrations order by version";
    let rows = connection.fetch_all(rows).await?;
    for row in rows {
        applied.migrations.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(applied)
}
