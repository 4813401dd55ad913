//! The schema's history, embedded in the binary; the two dialects are numbered alike.
//!
//! A migration never changes once it has been released. A database that has one that this program
//! does not know is left alone.

use super::error::StoreError;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgPool, SqlSafeStr as _, SqlitePool};
use std::sync::Arc;

const TABLE: &str = "_sqlx_migrations";

macro_rules! migrations {
    ($dialect:literal, $(($version:literal, $name:literal, $file:literal)),+ $(,)?) => {
        vec![$(Migration::new(
            $version,
            $name.into(),
            MigrationType::Simple,
            include_str!(concat!("../../migrations/", $dialect, "/", $file)).into_sql_str(),
            false,
        )),+]
    };
}

fn for_sqlite() -> Vec<Migration> {
    migrations!(
        "sqlite",
        (1, "payments", "0001_payments.sql"),
        (2, "remembered", "0002_remembered.sql"),
    )
}

fn for_postgres() -> Vec<Migration> {
    migrations!(
        "postgres",
        (1, "payments", "0001_payments.sql"),
        (2, "remembered", "0002_remembered.sql"),
    )
}

fn newest(migrations: &[Migration]) -> i64 {
    migrations
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Brings a SQLite database up to date.
pub(super) async fn run_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let migrations = for_sqlite();
    let known = newest(&migrations);
    let run = Migrator::with_migrations(migrations).run(pool).await;
    run.map_err(|error| of_migration(error, known))
}

/// Brings a PostgreSQL database up to date.
pub(super) async fn run_postgres(pool: &PgPool) -> Result<(), StoreError> {
    let migrations = for_postgres();
    let known = newest(&migrations);
    let run = Migrator::with_migrations(migrations).run(pool).await;
    run.map_err(|error| of_migration(error, known))
}

/// Checks that a SQLite database which a running daemon uses has this program's schema.
pub(super) async fn check_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let known = newest(&for_sqlite());
    let mut connection = pool.acquire().await?;
    let is_new = sqlx::query("select 1 from sqlite_schema where name = $1")
        .bind(TABLE)
        .fetch_optional(&mut *connection)
        .await?
        .is_none();
    if is_new {
        return Err(StoreError::MigrationBlocked { known });
    }
    let applied = connection
        .list_applied_migrations(TABLE)
        .await
        .map_err(|error| of_migration(error, known))?;
    match applied
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
    {
        found if found > known => Err(StoreError::Newer { found, known }),
        found if found < known => Err(StoreError::MigrationBlocked { known }),
        _ => Ok(()),
    }
}

fn of_migration(error: MigrateError, known: i64) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::Newer { found, known },
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => source.into(),
        other => StoreError::Migration(Arc::new(other)),
    }
}
