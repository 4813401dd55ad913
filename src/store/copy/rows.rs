//! The rows of a table, a page at a time in the order of their key: read, summed up, written.
//!
//! Both dialects order keys by their bytes, so one table gives the same rows in the same order, and the
//! same digest, on either.

use super::catalog::{Column, Table, list, quoted};
use crate::store::db::{Kind, Row, Tx, Value};
use crate::store::error::StoreError;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// How many rows are held in memory at a time.
const PAGE: u32 = 500;

/// Tables in which a fresh database has rows hold only a few, whatever happened since.
const FRESH_ROWS_MAX: u32 = 1_000;

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    /// Its name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over all columns of all rows, in the order of the primary key.
    pub digest: [u8; 32],
    /// What its columns of drops add up to, by status where rows have one.
    pub drops: BTreeMap<String, i128>,
    /// How many rows have each status, where rows have one.
    pub by_status: BTreeMap<String, u64>,
    /// The last number that the database gave to a row, where it numbers them.
    pub last_number: Option<i64>,
}

/// Adds up a table while its rows pass by.
struct Summing {
    digest: Sha256,
    rows: u64,
    /// The place of the status among the columns.
    status: Option<usize>,
    /// The columns of drops.
    money: Vec<(usize, String)>,
    drops: BTreeMap<String, i128>,
    by_status: BTreeMap<String, u64>,
}

impl Summing {
    fn of(table: &Table) -> Self {
        let columns = table.columns.iter().enumerate();
        let is_money = |column: &Column| {
            column.kind == Kind::Int && (column.name == "drops" || column.name.ends_with("_drops"))
        };
        Self {
            digest: Sha256::new(),
            rows: 0,
            status: table
                .columns
                .iter()
                .position(|column| column.kind == Kind::Text && column.name == "status"),
            money: columns
                .filter(|(_, column)| is_money(column))
                .map(|(place, column)| (place, column.name.clone()))
                .collect(),
            drops: BTreeMap::new(),
            by_status: BTreeMap::new(),
        }
    }

    fn take(&mut self, row: &[Value]) {
        self.rows = self.rows.saturating_add(1);
        for value in row {
            match value {
                Value::Int(Some(number)) => {
                    self.digest.update([1]);
                    self.digest.update(number.to_be_bytes());
                }
                Value::Text(Some(text)) => self.bytes(2, text.as_bytes()),
                Value::Blob(Some(bytes)) => self.bytes(3, bytes),
                Value::Int(None) | Value::Text(None) | Value::Blob(None) => {
                    self.digest.update([0]);
                }
                Value::Ints(_) | Value::Texts(_) | Value::Blobs(_) => {
                    unreachable!("a column holds one value")
                }
            }
        }
        let status = match self.status.and_then(|place| row.get(place)) {
            Some(Value::Text(Some(status))) => {
                let rows = self.by_status.entry(status.clone()).or_default();
                *rows = rows.saturating_add(1);
                format!(" {status}")
            }
            _ => String::new(),
        };
        for (place, name) in &self.money {
            if let Some(Value::Int(Some(drops))) = row.get(*place) {
                let sum = self.drops.entry(format!("{name}{status}")).or_default();
                *sum = sum.saturating_add(i128::from(*drops));
            }
        }
    }

    /// Each value begins with what it is and how long, so no two rows are written alike.
    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.digest.update([tag]);
        self.digest.update(length.to_be_bytes());
        self.digest.update(bytes);
    }

    fn end(self, table: &Table, last_number: Option<i64>) -> TableSum {
        TableSum {
            table: table.name.clone(),
            rows: self.rows,
            digest: self.digest.finalize().into(),
            drops: self.drops,
            by_status: self.by_status,
            last_number,
        }
    }
}

/// The pages of a table.
struct Pages<'a> {
    table: &'a Table,
    /// The key of the last row that was read.
    after: Vec<Value>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    const fn of(table: &'a Table) -> Self {
        Self {
            table,
            after: Vec::new(),
            is_over: false,
        }
    }

    /// The next rows; none once all were read.
    async fn next(&mut self, tx: &mut Tx) -> Result<Vec<Vec<Value>>, StoreError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let (columns, key) = (list(&self.table.columns), list(self.table.key_columns()));
        let from = self.table.quoted();
        let mut values = std::mem::take(&mut self.after);
        let beyond = if values.is_empty() {
            String::new()
        } else {
            let places: Vec<String> = (1..=values.len()).map(|n| format!("${n}")).collect();
            format!("where ({key}) > ({}) ", places.join(", "))
        };
        values.push(PAGE.into());
        let sql = format!(
            "select {columns} from {from} {beyond}order by {key} limit ${}",
            values.len()
        );
        let rows = tx.fetch(sql, values).await?;
        self.is_over = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let rows = rows.iter().map(|row| values_of(self.table, row));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = rows.last() {
            self.after = last.iter().take(self.table.key).cloned().collect();
        }
        Ok(rows)
    }
}

fn values_of(table: &Table, row: &Row) -> Result<Vec<Value>, StoreError> {
    let columns = table.columns.iter();
    columns
        .map(|column| {
            let name = column.name.as_str();
            Ok(match column.kind {
                Kind::Int => Value::Int(row.int_or_null(name)?),
                Kind::Text => Value::Text(row.text_or_null(name)?),
                Kind::Blob => Value::Blob(row.blob_or_null(name)?),
            })
        })
        .collect()
}

/// Told now and then how many rows of which table have passed.
pub type Progress<'a> = dyn FnMut(&str, u64) + Send + 'a;

/// Sums a table up.
pub(super) async fn sum(
    tx: &mut Tx,
    table: &Table,
    progress: &mut Progress<'_>,
) -> Result<TableSum, StoreError> {
    let (mut pages, mut summing) = (Pages::of(table), Summing::of(table));
    loop {
        let rows = pages.next(tx).await?;
        if rows.is_empty() {
            break;
        }
        rows.iter().for_each(|row| summing.take(row));
        progress(&table.name, summing.rows);
    }
    let last_number = super::numbers::last(tx, table).await?;
    Ok(summing.end(table, last_number))
}

/// Writes every row of a table into the same table of another database, and sums up what was read.
pub(super) async fn copy(
    source: &mut Tx,
    target: &mut Tx,
    table: &Table,
    progress: &mut Progress<'_>,
) -> Result<TableSum, StoreError> {
    let (mut pages, mut summing) = (Pages::of(table), Summing::of(table));
    let is_fresh = is_empty(target, table).await?;
    if !is_fresh {
        forget_strangers(source, target, table).await?;
    }
    loop {
        let rows = pages.next(source).await?;
        if rows.is_empty() {
            break;
        }
        rows.iter().for_each(|row| summing.take(row));
        if is_fresh {
            insert(target, table, rows).await?;
        } else {
            merge(target, table, rows).await?;
        }
        progress(&table.name, summing.rows);
    }
    let last_number = super::numbers::last(source, table).await?;
    if let Some(last) = last_number {
        super::numbers::go_on_after(target, table, last).await?;
    }
    Ok(summing.end(table, last_number))
}

/// Whether a table has no row.
pub(super) async fn is_empty(tx: &mut Tx, table: &Table) -> Result<bool, StoreError> {
    let sql = format!("select 1 as there from {} limit 1", table.quoted());
    Ok(tx.fetch_optional(sql, Vec::new()).await?.is_none())
}

async fn insert(tx: &mut Tx, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|column| quoted(&column.name))
        .collect();
    let columns: Vec<(&str, Kind)> = names
        .iter()
        .zip(&table.columns)
        .map(|(name, column)| (name.as_str(), column.kind))
        .collect();
    let (into, all, key) = (
        table.quoted(),
        list(&table.columns),
        list(table.key_columns()),
    );
    let numbers = super::numbers::overriding(tx, table);
    // Some tables take their rows only in order.
    let sql = format!("insert into {into} ({all}){numbers} select {all} from v order by {key}");
    tx.execute_with(&columns, rows, &sql).await.map(|_| ())
}

/// Writes rows into a table that a fresh database has rows in.
async fn merge(tx: &mut Tx, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let known = fresh_rows(tx, table).await?;
    for row in rows {
        if known.contains(&row) {
            continue;
        }
        let is_known = known
            .iter()
            .any(|known| known.get(..table.key) == row.get(..table.key));
        if is_known {
            update(tx, table, row).await?;
        } else {
            insert(tx, table, vec![row]).await?;
        }
    }
    Ok(())
}

async fn update(tx: &mut Tx, table: &Table, row: Vec<Value>) -> Result<(), StoreError> {
    let place = |from: usize| {
        move |(n, column): (usize, &Column)| {
            let place = from.saturating_add(n).saturating_add(1);
            format!("{} = ${place}", quoted(&column.name))
        }
    };
    let key = table.key_columns().iter().enumerate().map(place(0));
    let rest = table.other_columns().iter().enumerate();
    let rest = rest.map(place(table.key));
    let sql = format!(
        "update {} set {} where {}",
        table.quoted(),
        rest.collect::<Vec<_>>().join(", "),
        key.collect::<Vec<_>>().join(" and ")
    );
    tx.execute(sql, row).await.map(|_| ())
}

/// Deletes the rows of a fresh database that the source has lost: what their absence means comes along.
async fn forget_strangers(
    source: &mut Tx,
    target: &mut Tx,
    table: &Table,
) -> Result<(), StoreError> {
    let own = fresh_rows(target, table).await?;
    let places: Vec<String> = table
        .key_columns()
        .iter()
        .enumerate()
        .map(|(n, column)| format!("{} = ${}", quoted(&column.name), n.saturating_add(1)))
        .collect();
    let (name, places) = (table.quoted(), places.join(" and "));
    for row in own {
        let key: Vec<Value> = row.into_iter().take(table.key).collect();
        let sql = format!("select 1 as there from {name} where {places}");
        if source.fetch_optional(sql, key.clone()).await?.is_none() {
            let sql = format!("delete from {name} where {places}");
            target.execute(sql, key).await?;
        }
    }
    Ok(())
}

async fn fresh_rows(tx: &mut Tx, table: &Table) -> Result<Vec<Vec<Value>>, StoreError> {
    let sql = format!(
        "select {} from {} limit $1",
        list(&table.columns),
        table.quoted()
    );
    let rows = tx.fetch(sql, vec![FRESH_ROWS_MAX.into()]).await?;
    rows.iter().map(|row| values_of(table, row)).collect()
}
