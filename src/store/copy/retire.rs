//! What makes a database refuse every write: triggers on all its tables.
//!
//! A mark that daemons look for at their start binds only those that look. A process that was frozen and
//! thaws, a command, an older program: they all meet these triggers, in whatever transaction they are.

use super::catalog::{Table, quoted};
use crate::store::db::{Tx, TxOn};
use crate::store::error::StoreError;

/// How the triggers are called.
const NAME: &str = "moved_refuse";

/// What SQLite says; PostgreSQL's words are in the migration.
const WORDS: &str = "the books of this database are kept in another one, or on their way there";

/// The tables that go on being written to.
fn is_spared(table: &Table) -> bool {
    table.name == "moves"
}

/// Refuses every write from this transaction's commit on.
pub(super) async fn retire(tx: &mut Tx, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables.iter().filter(|table| !is_spared(table)) {
        let on = table.quoted();
        match &tx.on {
            TxOn::Sqlite(_) => {
                for (verb, name) in of_sqlite(table) {
                    let sql = format!(
                        "create trigger {name} before {verb} on {on} \
                         begin select raise(abort, '{WORDS}'); end"
                    );
                    tx.execute(sql, Vec::new()).await?;
                }
            }
            TxOn::Postgres(_) => {
                let sql = format!(
                    "create trigger {NAME} before insert or update or delete or truncate on {on} \
                     for each statement execute function {NAME}()"
                );
                tx.execute(sql, Vec::new()).await?;
                // It holds in a session, too, that passes itself off as a replica's.
                let sql = format!("alter table {on} enable always trigger {NAME}");
                tx.execute(sql, Vec::new()).await?;
            }
        }
    }
    Ok(())
}

/// Takes that back.
pub(super) async fn reinstate(tx: &mut Tx, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables.iter().filter(|table| !is_spared(table)) {
        match &tx.on {
            TxOn::Sqlite(_) => {
                for (_, name) in of_sqlite(table) {
                    tx.execute(format!("drop trigger if exists {name}"), Vec::new())
                        .await?;
                }
            }
            TxOn::Postgres(_) => {
                let on = table.quoted();
                let sql = format!("drop trigger if exists {NAME} on {on}");
                tx.execute(sql, Vec::new()).await?;
            }
        }
    }
    Ok(())
}

/// One trigger for each way to write, with its name.
fn of_sqlite(table: &Table) -> [(&'static str, String); 3] {
    ["insert", "update", "delete"].map(|verb| {
        let name = quoted(&format!("{NAME}_{verb}_{}", table.name));
        (verb, name)
    })
}
