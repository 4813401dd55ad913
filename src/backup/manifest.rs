//! What is said of a backup in the file beside it: what it is, when it is of, and what is in it.
//!
//! The manifest is made of what the database held at that moment, not of the copy: so a copy can be held
//! against it wherever it lies. It names no client, no destination and no amount of a single payment.

use crate::rfc3339::{self, Rfc3339};
use crate::store::TableSum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use xrpayd_core::ids::UnixMs;

/// The form of manifests that this program writes and reads.
pub const FORM: u32 = 1;

/// What is said of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this document.
    pub form: u32,
    /// The backup's identifier, as the database and its audit log know it.
    pub id: String,
    /// How it was taken: `sqlite`, `pg_dump`, or a word of the operator's.
    pub kind: String,
    /// The name of its file, in the same folder.
    pub file: String,
    /// The moment that it shows.
    pub taken_at: Time,
    /// When it was complete.
    pub ended_at: Time,
    /// When it was found whole, and by what; none where nobody has looked.
    pub verified: Option<Verified>,
    /// How long its file is.
    pub bytes: u64,
    /// The SHA-256 of its file, as it lies there.
    pub sha256: String,
    /// What it is sealed with; none where it lies in the clear.
    pub sealed: Option<Sealed>,
    /// The program that wrote this.
    pub program: String,
    /// What is in it, where that could be looked at.
    pub books: Option<Books>,
}

/// That a backup was found whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When.
    pub at: Time,
    /// By what means.
    pub by: String,
}

/// What a backup is sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The cipher and how it is used.
    pub with: String,
    /// The mark of the key, by which it is told from other keys.
    pub key: String,
    /// How long what was sealed is, and its SHA-256.
    pub bytes: u64,
    /// The SHA-256 of what was sealed.
    pub sha256: String,
}

/// What the database held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// The schema that it was at.
    pub schema: i64,
    /// The profile that it belongs to, where a daemon has run on it.
    pub profile: Option<String>,
    /// The network that it belongs to.
    pub network_id: Option<u32>,
    /// The head of its audit log, as `xrpayd audit verify --head` takes it.
    pub audit_head: Option<String>,
    /// The last event of its feed.
    pub feed: i64,
    /// Its tables.
    pub tables: Vec<Table>,
}

/// What one table held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over all columns of all rows, in the order of the primary key.
    pub sha256: String,
    /// How many rows have each status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_status: BTreeMap<String, u64>,
    /// What its columns of drops add up to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drops: BTreeMap<String, String>,
    /// The last number that the database gave to a row, where it numbers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_number: Option<i64>,
}

/// The tables that are not the same on both sides.
#[must_use]
pub fn tables_that_differ(one: &[Table], other: &[Table]) -> Vec<String> {
    let lost = one.iter().filter(|table| !other.contains(table));
    let strange = other
        .iter()
        .filter(|table| !one.iter().any(|known| known.table == table.table));
    lost.chain(strange)
        .map(|table| table.table.clone())
        .collect()
}

impl Table {
    /// What a table was found to hold.
    #[must_use]
    pub fn of(sum: &TableSum) -> Self {
        let drops = sum.drops.iter();
        Self {
            table: sum.table.clone(),
            rows: sum.rows,
            sha256: hex::encode(sum.digest),
            by_status: sum.by_status.clone(),
            drops: drops
                .map(|(name, drops)| (name.clone(), drops.to_string()))
                .collect(),
            last_number: sum.last_number,
        }
    }
}

/// Whether a text could be an identifier: it becomes a part of files' names, and of the audit log.
fn is_id(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// A time as it is written in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub UnixMs);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rfc3339(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Rfc3339(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = rfc3339::parse(&text).map(Self);
        time.ok_or_else(|| serde::de::Error::custom("must be a time as RFC 3339 writes it"))
    }
}

impl Manifest {
    /// The text of its file.
    ///
    /// # Errors
    /// It cannot be written as JSON, which is a fault of the program.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads one; none where the text is no manifest of this form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let read: Self = serde_json::from_str(text).ok()?;
        (read.form == FORM && is_id(&read.id)).then_some(read)
    }
}
