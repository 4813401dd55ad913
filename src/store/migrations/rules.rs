//! What a migration may do without raising the floor: nothing that a program without it would trip over.

use super::{for_postgres, for_sqlite};

/// The first migration that these rules hold for: it made the floor.
const FIRST: i64 = 22;

/// What takes away or narrows what an older program reads or writes.
const CONTRACTING: [&str; 10] = [
    "drop table",
    "drop column",
    "rename",
    "alter column",
    "add constraint",
    "create unique index",
    "create trigger",
    "truncate",
    "delete from",
    "drop function",
];

/// The words of a migration without its comments, in lower case and single spaces.
fn words(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or(""));
    let text: Vec<&str> = lines.collect();
    let text = text.join(" ").to_lowercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Why a migration would trip up an older program; `None` where it only adds, or says that it does not.
fn contracts(sql: &str) -> Option<String> {
    let words = words(sql);
    if words.contains("update schema_floor set program = ") {
        return None;
    }
    // What narrows a table that comes with the same migration narrows nothing for anybody.
    let parts: Vec<&str> = words.split(';').map(str::trim).collect();
    let made = parts
        .iter()
        .filter_map(|part| part.strip_prefix("create table "));
    let made: Vec<String> = made
        .filter_map(|rest| rest.split_whitespace().next())
        .map(|table| format!(" on {table} "))
        .collect();
    let parts = parts.into_iter().filter(|part| {
        let narrows = ["create unique index", "create trigger"];
        let is_new = made.iter().any(|on| format!("{part} ").contains(on));
        !(is_new && narrows.iter().any(|phrase| part.starts_with(phrase)))
    });
    let parts: Vec<&str> = parts.collect();
    let phrase = CONTRACTING
        .iter()
        .find(|phrase| parts.iter().any(|part| part.contains(**phrase)));
    if let Some(phrase) = phrase {
        return Some((*phrase).to_owned());
    }
    let columns = parts.iter().filter(|part| part.contains("add column"));
    columns
        .filter(|part| part.contains("not null") && !part.contains("default"))
        .map(|part| format!("a column that older programs do not fill: {part}"))
        .next()
}

#[test]
fn a_migration_that_older_programs_cannot_live_with_raises_the_floor() {
    for migration in for_sqlite().iter().chain(&for_postgres()) {
        if migration.version > FIRST {
            let why = contracts(migration.sql.as_str());
            assert_eq!(why, None, "{}", migration.version);
        }
    }
}

#[test]
fn what_takes_away_is_noticed_and_what_adds_is_not() {
    for bad in [
        "ALTER TABLE payments\n  DROP COLUMN reference;",
        "alter table payments rename to orders",
        "alter table payments alter column reference type bigint",
        "alter table payments add column risk bigint not null",
        "alter table payments add constraint risk check (risk > 0)",
        "create unique index payments_reference on payments (reference)",
    ] {
        assert!(contracts(bad).is_some(), "{bad}");
        let raised = format!("{bad}; update schema_floor set program = 31 where scope = 'all';");
        assert_eq!(contracts(&raised), None, "{raised}");
    }
    for good in [
        "alter table payments add column risk bigint",
        "alter table payments add column risk bigint not null default 0",
        "create table risks (id text not null) -- instead of a drop table",
        "create index payments_risk on payments (risk)",
        "create table risks (id text); create unique index risks_one on risks (id)",
    ] {
        assert_eq!(contracts(good), None, "{good}");
    }
}

#[test]
fn both_dialects_have_the_same_migrations() {
    let names = |migrations: Vec<sqlx::migrate::Migration>| -> Vec<(i64, String)> {
        let named = migrations.into_iter();
        named
            .map(|one| (one.version, one.description.into_owned()))
            .collect()
    };
    assert_eq!(names(for_sqlite()), names(for_postgres()));
}
