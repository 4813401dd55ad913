//! The triggers by which the database itself refuses to change the audit log: whether they still stand.
//!
//! What a trigger has to be is taken from the migration that made it, so that it is written down once.

use crate::store::db::{Tx, TxOn};
use crate::store::error::StoreError;

const OF_SQLITE: &str = include_str!("../../../migrations/sqlite/0013_audit.sql");
const OF_POSTGRES: &str = include_str!("../../../migrations/postgres/0013_audit.sql");

/// The triggers on SQLite.
const NAMES_OF_SQLITE: [&str; 6] = [
    "audit_log_update",
    "audit_log_delete",
    "audit_log_insert",
    "audit_head_update",
    "audit_head_delete",
    "audit_head_insert",
];

/// A trigger of PostgreSQL: its name, its table and the bits of its `tgtype`.
type Guard = (&'static str, &'static str, i64);

/// Fires for each row; before; on delete; on update; on truncate: the bits of `tgtype`.
const ROW: i64 = 1;
const BEFORE: i64 = 2;
const DELETE: i64 = 8;
const UPDATE: i64 = 16;
const TRUNCATE: i64 = 32;

const GUARDS_OF_POSTGRES: [Guard; 5] = [
    (
        "audit_log_change",
        "audit_log",
        ROW | BEFORE | DELETE | UPDATE,
    ),
    ("audit_log_truncate", "audit_log", BEFORE | TRUNCATE),
    ("audit_head_update", "audit_head", ROW | BEFORE | UPDATE),
    ("audit_head_delete", "audit_head", ROW | BEFORE | DELETE),
    ("audit_head_truncate", "audit_head", BEFORE | TRUNCATE),
];

/// The triggers that are gone, or not as they were made.
pub(super) async fn fallen(tx: &mut Tx) -> Result<Vec<&'static str>, StoreError> {
    match &tx.on {
        TxOn::Sqlite(_) => fallen_on_sqlite(tx).await,
        TxOn::Postgres(_) => fallen_on_postgres(tx).await,
    }
}

async fn fallen_on_sqlite(tx: &mut Tx) -> Result<Vec<&'static str>, StoreError> {
    let sql = "select name, sql from sqlite_schema where type = 'trigger' \
        and tbl_name in ('audit_log', 'audit_head')";
    let mut standing = Vec::new();
    for row in tx.fetch(sql, Vec::new()).await? {
        let (name, text) = (row.text("name")?, row.text("sql")?);
        // SQLite keeps the statement as it was given from the trigger's name on.
        let is_as_made = text
            .find(&name)
            .is_some_and(|at| OF_SQLITE.contains(&format!("create trigger {}", &text[at..])));
        if is_as_made {
            standing.push(name);
        }
    }
    let is_gone = |name: &&str| !standing.iter().any(|standing| standing == name);
    Ok(NAMES_OF_SQLITE.into_iter().filter(is_gone).collect())
}

async fn fallen_on_postgres(tx: &mut Tx) -> Result<Vec<&'static str>, StoreError> {
    let sql = "select t.tgname::text as name, c.relname::text as of_table, t.tgtype::bigint as fires, \
        t.tgenabled::text as enabled, p.prosrc as body \
        from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid \
        where t.tgrelid in ('audit_log'::regclass, 'audit_head'::regclass) and t.tgqual is null";
    let mut standing = Vec::new();
    for row in tx.fetch(sql, Vec::new()).await? {
        // Always, also in a session that passes itself off as a replica's.
        let is_as_made = row.text("enabled")? == "A" && OF_POSTGRES.contains(&row.text("body")?);
        if is_as_made {
            standing.push((row.text("name")?, row.text("of_table")?, row.int("fires")?));
        }
    }
    let is_gone = |(name, table, fires): &Guard| {
        !standing.iter().any(|(standing, of_table, fires_on)| {
            standing == name && of_table == table && fires_on == fires
        })
    };
    let gone = GUARDS_OF_POSTGRES.into_iter().filter(is_gone);
    Ok(gone.map(|(name, _, _)| name).collect())
}
