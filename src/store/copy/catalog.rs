//! What tables there are, by the database's own word: so no table and no column is ever forgotten by a
//! copy, whatever later migrations add.
//!
//! The two dialects describe the same schema in the same terms; where two databases do not, they are not
//! of one schema, and nothing is copied.

use crate::store::db::{Kind, Tx, TxOn};
use crate::store::error::StoreError;
use crate::store::migrations::TABLE as MIGRATIONS;
use std::collections::{BTreeMap, BTreeSet};

/// Tables that tell of the database itself, or of the processes on it, and not of the books. Leases are
/// of the books: their epochs go on where they were.
const NOT_OF_THE_BOOKS: [&str; 6] = [
    "backups",
    "lane_views",
    "limit_words",
    "moves",
    "replicas",
    "schema_floor",
];

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub name: String,
    /// Its columns: those of the primary key first, in the key's order, then the others by name.
    pub columns: Vec<Column>,
    /// How many of them are the primary key.
    pub key: usize,
    /// The tables that its rows refer to.
    pub parents: BTreeSet<String>,
    /// Whether the database itself numbers its rows.
    pub is_numbered: bool,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

impl Table {
    /// Whether its rows are part of the books.
    pub fn is_of_the_books(&self) -> bool {
        !NOT_OF_THE_BOOKS.contains(&self.name.as_str())
    }

    /// The columns of its primary key.
    pub fn key_columns(&self) -> &[Column] {
        self.columns.get(..self.key).unwrap_or_default()
    }

    /// Its other columns.
    pub fn other_columns(&self) -> &[Column] {
        self.columns.get(self.key..).unwrap_or_default()
    }

    /// Its name as a statement takes it.
    pub fn quoted(&self) -> String {
        quoted(&self.name)
    }
}

/// A name as a statement takes it, whatever words a dialect reserves.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The names of columns as a statement takes them.
pub(super) fn list(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

/// Every table, each after those that it refers to.
pub(super) async fn read(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    let found = match &tx.on {
        TxOn::Sqlite(_) => of_sqlite(tx).await?,
        TxOn::Postgres(_) => of_postgres(tx).await?,
    };
    in_order(found)
}

/// A column as a catalogue tells of it, and its place in the primary key, from one on.
type Told = (i64, Column);

async fn of_sqlite(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    let sql = "select name, lower(sql) as made_by from sqlite_schema \
        where type = 'table' and name not like 'sqlite!_%' escape '!' and name <> $1 order by name";
    let mut tables = Vec::new();
    for row in tx.fetch(sql, vec![MIGRATIONS.into()]).await? {
        let name = row.text("name")?;
        let sql = "select name, lower(type) as kind, pk from pragma_table_info($1)";
        let mut columns = Vec::new();
        for row in tx.fetch(sql, vec![name.as_str().into()]).await? {
            let told = column(&name, row.text("name")?, &row.text("kind")?)?;
            columns.push((row.int("pk")?, told));
        }
        let sql = "select \"table\" as parent from pragma_foreign_key_list($1)";
        let parents = tx.fetch(sql, vec![name.as_str().into()]).await?;
        let parents = parents.iter().map(|row| row.text("parent"));
        let parents = parents.collect::<Result<_, _>>()?;
        let is_numbered = row.text("made_by")?.contains("autoincrement");
        tables.push(table(name, columns, parents, is_numbered)?);
    }
    Ok(tables)
}

async fn of_postgres(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    let sql = "select c.relname::text as of_table, a.attname::text as name, \
        format_type(a.atttypid, null) as kind, (a.attidentity <> '')::int::bigint as is_numbered, \
        coalesce((select k.place from unnest(i.indkey::int2[]) with ordinality as k (attnum, place) \
            where k.attnum = a.attnum), 0)::bigint as pk \
        from pg_class c join pg_namespace n on n.oid = c.relnamespace \
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
        left join pg_index i on i.indrelid = c.oid and i.indisprimary \
        where c.relkind = 'r' and n.nspname = current_schema() and c.relname <> $1";
    let mut columns: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    let mut numbered = BTreeSet::new();
    for row in tx.fetch(sql, vec![MIGRATIONS.into()]).await? {
        let name = row.text("of_table")?;
        if row.int("is_numbered")? == 1 {
            numbered.insert(name.clone());
        }
        let told = column(&name, row.text("name")?, &row.text("kind")?)?;
        columns
            .entry(name)
            .or_default()
            .push((row.int("pk")?, told));
    }
    let sql = "select c.relname::text as of_table, p.relname::text as parent from pg_constraint k \
        join pg_class c on c.oid = k.conrelid join pg_class p on p.oid = k.confrelid \
        join pg_namespace n on n.oid = c.relnamespace \
        where k.contype = 'f' and n.nspname = current_schema()";
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in tx.fetch(sql, Vec::new()).await? {
        let of_table = parents.entry(row.text("of_table")?).or_default();
        of_table.insert(row.text("parent")?);
    }
    columns
        .into_iter()
        .map(|(name, columns)| {
            let parents = parents.remove(&name).unwrap_or_default();
            let is_numbered = numbered.contains(&name);
            table(name, columns, parents, is_numbered)
        })
        .collect()
}

fn column(table: &str, name: String, kind: &str) -> Result<Column, StoreError> {
    let kind = match kind {
        "integer" | "bigint" => Kind::Int,
        "text" => Kind::Text,
        "blob" | "bytea" => Kind::Blob,
        other => {
            let what = format!("a column {table}.{name}");
            return Err(StoreError::corrupt(what, format!("its type is {other}")));
        }
    };
    Ok(Column { name, kind })
}

fn table(
    name: String,
    mut columns: Vec<Told>,
    parents: BTreeSet<String>,
    is_numbered: bool,
) -> Result<Table, StoreError> {
    let key = columns.iter().filter(|(place, _)| *place > 0).count();
    if key == 0 {
        let what = format!("a table {name}");
        return Err(StoreError::corrupt(what, "it has no primary key"));
    }
    // What is in no key comes last.
    columns.sort_by(|(a_place, a), (b_place, b)| {
        let place = |place: i64| (place == 0, place);
        (place(*a_place), &a.name).cmp(&(place(*b_place), &b.name))
    });
    Ok(Table {
        name,
        columns: columns.into_iter().map(|(_, column)| column).collect(),
        key,
        parents,
        is_numbered,
    })
}

/// Each table after those that it refers to, otherwise by name.
fn in_order(mut left: Vec<Table>) -> Result<Vec<Table>, StoreError> {
    left.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut ordered, mut names) = (Vec::with_capacity(left.len()), BTreeSet::new());
    while !left.is_empty() {
        let Some(next) = left
            .iter()
            .position(|table| table.parents.is_subset(&names))
        else {
            let why = "their rows refer to each other in a circle";
            return Err(StoreError::corrupt("the tables", why));
        };
        let table = left.remove(next);
        names.insert(table.name.clone());
        ordered.push(table);
    }
    Ok(ordered)
}

/// What one of two databases has and the other has not, or has otherwise; nothing where they are alike.
pub(super) fn difference(source: &[Table], target: &[Table]) -> Option<String> {
    let by_name = |tables: &[Table]| -> BTreeMap<String, Table> {
        let named = tables.iter().map(|table| (table.name.clone(), table));
        named.map(|(name, table)| (name, table.clone())).collect()
    };
    let (source, target) = (by_name(source), by_name(target));
    let names: BTreeSet<&String> = source.keys().chain(target.keys()).collect();
    names
        .into_iter()
        .find_map(|name| match (source.get(name), target.get(name)) {
            (Some(one), Some(other)) if one == other => None,
            (Some(_), Some(_)) => Some(format!("the table {name} is another on each side")),
            (Some(_), None) => Some(format!("the target has no table {name}")),
            (None, _) => Some(format!("the source has no table {name}")),
        })
}
