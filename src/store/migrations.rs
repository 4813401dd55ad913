//! The schema's history, embedded in the binary; the two dialects are numbered alike.
//!
//! A migration never changes once it has been released, and programs of two versions share a database
//! while one replaces the other: what a migration adds, an older program lives with; what takes something
//! away comes a release later and raises the floor below which a program leaves the database alone
//! (docs/POSTGRES.md, "Upgrades").

use super::error::StoreError;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The table in which the driver keeps what was done.
pub(super) const TABLE: &str = "_sqlx_migrations";

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
        (3, "approval", "0003_approval.sql"),
        (4, "tickets", "0004_tickets.sql"),
        (5, "reconcile", "0005_reconcile.sql"),
        (6, "feed", "0006_feed.sql"),
        (7, "deposits", "0007_deposits.sql"),
        (8, "invoices", "0008_invoices.sql"),
        (9, "webhooks", "0009_webhooks.sql"),
        (10, "backfill", "0010_backfill.sql"),
        (11, "webhook_order", "0011_webhook_order.sql"),
        (12, "returns", "0012_returns.sql"),
        (13, "audit", "0013_audit.sql"),
        (14, "pauses", "0014_pauses.sql"),
        (15, "identity", "0015_identity.sql"),
        (16, "home", "0016_home.sql"),
        (17, "rollout", "0017_rollout.sql"),
        (18, "limit_scopes", "0018_limit_scopes.sql"),
        (19, "leases", "0019_leases.sql"),
        (20, "lane_views", "0020_lane_views.sql"),
        (21, "lineage", "0021_lineage.sql"),
        (22, "schema_floor", "0022_schema_floor.sql"),
        (23, "moves", "0023_moves.sql"),
        (24, "backups", "0024_backups.sql"),
        (26, "feed_lineage", "0026_feed_lineage.sql"),
        (27, "sign_offs", "0027_sign_offs.sql"),
        (28, "sign_off_subjects", "0028_sign_off_subjects.sql"),
        (29, "limit_words", "0029_limit_words.sql"),
    )
}

pub(super) fn for_postgres() -> Vec<Migration> {
    migrations!(
        "postgres",
        (1, "payments", "0001_payments.sql"),
        (2, "remembered", "0002_remembered.sql"),
        (3, "approval", "0003_approval.sql"),
        (4, "tickets", "0004_tickets.sql"),
        (5, "reconcile", "0005_reconcile.sql"),
        (6, "feed", "0006_feed.sql"),
        (7, "deposits", "0007_deposits.sql"),
        (8, "invoices", "0008_invoices.sql"),
        (9, "webhooks", "0009_webhooks.sql"),
        (10, "backfill", "0010_backfill.sql"),
        (11, "webhook_order", "0011_webhook_order.sql"),
        (12, "returns", "0012_returns.sql"),
        (13, "audit", "0013_audit.sql"),
        (14, "pauses", "0014_pauses.sql"),
        (15, "identity", "0015_identity.sql"),
        (16, "home", "0016_home.sql"),
        (17, "rollout", "0017_rollout.sql"),
        (18, "limit_scopes", "0018_limit_scopes.sql"),
        (19, "leases", "0019_leases.sql"),
        (20, "lane_views", "0020_lane_views.sql"),
        (21, "lineage", "0021_lineage.sql"),
        (22, "schema_floor", "0022_schema_floor.sql"),
        (23, "moves", "0023_moves.sql"),
        (24, "backups", "0024_backups.sql"),
        (26, "feed_lineage", "0026_feed_lineage.sql"),
        (27, "sign_offs", "0027_sign_offs.sql"),
        (28, "sign_off_subjects", "0028_sign_off_subjects.sql"),
        (29, "limit_words", "0029_limit_words.sql"),
    )
}

fn newest(migrations: &[Migration]) -> i64 {
    migrations
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// What a database says about itself.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Versions and checksums of what has been applied.
    pub(super) migrations: Vec<(i64, Vec<u8>)>,
    /// The newest migration that a program has to know at least; unknown before that was kept.
    pub(super) floor: Option<i64>,
}

/// What has to be applied still, in order. A database that has more than is known is as good as one that
/// has all that is known, where it says that programs as old as this one may use it.
///
/// # Errors
/// The database is not this program's: it is newer, or what was applied is not what is known under the
/// same number.
pub(super) fn missing<'a>(
    known: &'a [Migration],
    applied: &Applied,
) -> Result<Vec<&'a Migration>, StoreError> {
    let (mut is_applied, mut unknown) = (BTreeSet::new(), None);
    for (version, checksum) in &applied.migrations {
        match known.iter().find(|known| known.version == *version) {
            Some(migration) if *migration.checksum == **checksum => {
                is_applied.insert(*version);
            }
            Some(_) => {
                let edited = MigrateError::VersionMismatch(*version);
                return Err(StoreError::Migration(Arc::new(edited)));
            }
            None => unknown = unknown.max(Some(*version)),
        }
    }
    let missing: Vec<&Migration> = known
        .iter()
        .filter(|migration| !is_applied.contains(&migration.version))
        .collect();
    let newest = newest(known);
    let is_welcome = missing.is_empty() && applied.floor.is_some_and(|floor| floor <= newest);
    match unknown {
        Some(found) if !is_welcome => Err(StoreError::Newer {
            found,
            known: newest,
        }),
        Some(_) | None => Ok(missing),
    }
}

/// The newest schema that this program knows.
pub(super) fn known() -> i64 {
    newest(&for_sqlite())
}

/// Brings a SQLite database up to date.
pub(super) async fn run_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let known = for_sqlite();
    let applied = look_at_sqlite(pool).await?;
    if missing(&known, &applied)?.is_empty() {
        return Ok(());
    }
    let run = Migrator::with_migrations(known).run(pool).await;
    run.map_err(of_migration)
}

/// Checks that a SQLite database which a running daemon uses has this program's schema.
pub(super) async fn check_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let migrations = for_sqlite();
    let applied = look_at_sqlite(pool).await?;
    if missing(&migrations, &applied)?.is_empty() {
        Ok(())
    } else {
        let known = newest(&migrations);
        Err(StoreError::MigrationBlocked { known })
    }
}

async fn look_at_sqlite(pool: &SqlitePool) -> Result<Applied, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut applied = Applied::default();
    let tables = "select name from sqlite_schema where name in ($1, 'schema_floor')";
    let tables = sqlx::query(tables)
        .bind(TABLE)
        .fetch_all(&mut *connection)
        .await?;
    for table in tables {
        if table.try_get::<String, _>(0)? == TABLE {
            let rows = connection.list_applied_migrations(TABLE).await;
            let rows = rows.map_err(of_migration)?.into_iter();
            let rows = rows.map(|row| (row.version, row.checksum.into_owned()));
            applied.migrations = rows.collect();
        } else {
            let floor = sqlx::query("select program from schema_floor where scope = 'all'")
                .fetch_optional(&mut *connection)
                .await?;
            applied.floor = floor.map(|row| row.try_get(0)).transpose()?;
        }
    }
    Ok(applied)
}

fn of_migration(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => source.into(),
        other => StoreError::Migration(Arc::new(other)),
    }
}

#[cfg(test)]
mod rules;

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection as _, Executor as _, SqliteConnection};

    #[tokio::test]
    async fn payments_and_attempts_of_before_the_approvals_are_still_there_and_still_belong_together()
     {
        let folder = tempfile::tempdir().unwrap();
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("old.db").display()
        );
        let pool = SqlitePool::connect(&url).await.unwrap();
        let older = for_sqlite().into_iter().take(2).collect();
        Migrator::with_migrations(older).run(&pool).await.unwrap();
        for statement in [
            "insert into payments values ('pay_1', 'shop', 'key', x'00', 'hot', 'processing', \
             'signed', 'in_flight', 2, 'r', 5, 5, 'ref', 'internal', 1, 2, 3, '{}', '{}')",
            "insert into attempts values ('hot', 'sequence', 7, zeroblob(32), 'pay_1', 0, x'01', \
             10, 1, 2, 3, 1, '{}')",
            "insert into payment_ends values ('hot', 'failed', 4)",
            "insert into events values (8, 'pay_1', 'shop', 2, 'payment.processing', 9, '{}')",
        ] {
            pool.execute(statement).await.unwrap();
        }
        run_sqlite(&pool).await.unwrap();
        pool.close().await;

        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let row = connection
            .fetch_one(
                "select p.expires_at, p.state_doc, p.approval_doc, a.slot, e.reached \
                 from payments p join attempts a on a.payment_id = p.id \
                 join payment_ends e on e.wallet = p.wallet",
            )
            .await
            .unwrap();
        assert_eq!((row.get::<i64, _>(0), row.get::<&str, _>(1)), (3, "{}"));
        assert_eq!(row.get::<Option<&str>, _>(2), None);
        assert_eq!((row.get::<i64, _>(3), row.get::<i64, _>(4)), (7, 4));
        let row = connection
            .fetch_one(
                "select e.object || ' ' || e.object_id || ' ' || e.client || ' ' || e.type, \
                 e.sequence, e.at, f.sequence from events e join feed f on f.mark = 'drawn'",
            )
            .await
            .unwrap();
        let told: &str = row.get(0);
        assert_eq!(told, "payment pay_1 shop payment.processing");
        let numbers: [i64; 3] = [row.get(1), row.get(2), row.get(3)];
        assert_eq!(numbers, [8, 9, 8], "the feed goes on from what was told");
        let orphans = connection
            .fetch_all("pragma foreign_key_check")
            .await
            .unwrap();
        assert!(orphans.is_empty());
        let stranger = "update attempts set payment_id = 'pay_2'";
        assert!(
            connection.execute(stranger).await.is_err(),
            "no such payment"
        );
    }

    #[tokio::test]
    async fn journals_of_before_the_deposits_are_marked_for_booking_as_far_as_they_reach() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("old.db").display()
        );
        let pool = SqlitePool::connect(&url).await.unwrap();
        let older = for_sqlite().into_iter().take(6).collect();
        Migrator::with_migrations(older).run(&pool).await.unwrap();
        for (name, start, at) in [("read", 101, 150), ("fresh", 101, 100)] {
            let statement = format!(
                "insert into wallets (name, account, network_id, cursor_start, cursor_at, \
                 cursor_at_hash, next_sequence, balance_drops, owner_count) \
                 values ('{name}', 'r', 0, {start}, {at}, zeroblob(32), 1, 5, 0)"
            );
            pool.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        }
        run_sqlite(&pool).await.unwrap();
        let rows = "select name, deposits_from, deposits_to from wallets order by name";
        let rows = pool.fetch_all(rows).await.unwrap();
        let marks = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)));
        let expected: [(&str, Option<i64>, Option<i64>); 2] =
            [("fresh", None, None), ("read", Some(101), Some(150))];
        assert!(marks.eq(expected));
        pool.close().await;
    }
}
