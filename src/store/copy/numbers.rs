//! The numbers that a database gives to rows by itself: they go on where the other one left off, also
//! where the last rows that had any are deleted by now.

use super::catalog::{Table, quoted};
use crate::store::db::{Tx, TxOn};
use crate::store::error::StoreError;

/// The words by which an insert brings its own numbers.
pub(super) const fn overriding(tx: &Tx, table: &Table) -> &'static str {
    match &tx.on {
        TxOn::Postgres(_) if table.is_numbered => " overriding system value",
        TxOn::Sqlite(_) | TxOn::Postgres(_) => "",
    }
}

/// The last number that was given, 0 before the first; `None` where the table's rows are not numbered.
pub(super) async fn last(tx: &mut Tx, table: &Table) -> Result<Option<i64>, StoreError> {
    if !table.is_numbered {
        return Ok(None);
    }
    let row = match &tx.on {
        TxOn::Sqlite(_) => {
            let sql = "select seq as n from sqlite_sequence where name = $1";
            tx.fetch_optional(sql, vec![table.name.as_str().into()])
                .await?
        }
        TxOn::Postgres(_) => {
            let sequence = sequence(tx, table).await?;
            let sql = format!(
                "select case when is_called then last_value else 0 end as n from {sequence}"
            );
            tx.fetch_optional(sql, Vec::new()).await?
        }
    };
    row.map_or(Ok(0), |row| row.int("n")).map(Some)
}

/// The next number is the one after `last`.
pub(super) async fn go_on_after(tx: &mut Tx, table: &Table, last: i64) -> Result<(), StoreError> {
    if last == 0 {
        return Ok(());
    }
    match &tx.on {
        TxOn::Sqlite(_) => {
            let forget = "delete from sqlite_sequence where name = $1";
            tx.execute(forget, vec![table.name.as_str().into()]).await?;
            let note = "insert into sqlite_sequence (name, seq) values ($1, $2)";
            tx.execute(note, vec![table.name.as_str().into(), last.into()])
                .await?;
        }
        TxOn::Postgres(_) => {
            let sequence = sequence(tx, table).await?;
            let sql = "select setval($1::text::regclass, $2) as n";
            tx.fetch(sql, vec![sequence.into(), last.into()]).await?;
        }
    }
    Ok(())
}

/// The name of the sequence behind the numbers, as a statement takes it.
async fn sequence(tx: &mut Tx, table: &Table) -> Result<String, StoreError> {
    let column = table.key_columns().first().map(|column| &column.name);
    let values = vec![
        quoted(&table.name).into(),
        column.map(String::as_str).unwrap_or_default().into(),
    ];
    let sql = "select pg_get_serial_sequence($1, $2) as name";
    let row = tx.fetch_optional(sql, values).await?;
    let name = row.map_or(Ok(None), |row| row.text_or_null("name"))?;
    name.ok_or_else(|| StoreError::corrupt(format!("a table {}", table.name), "it has no sequence"))
}
