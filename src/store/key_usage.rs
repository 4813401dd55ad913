//! How often keys were used in the last hour, by the minute, and when last: what the rate limits go on
//! with after a restart.
//!
//! Every replica adds what it has seen, so a row is the sum of all of them. Rows of before the window
//! are deleted as they leave it. Nothing of money stands on this.

use super::Store;
use super::db::{Columns, Kind, Row};
use super::error::StoreError;
use xrpayd_core::ids::UnixMs;

const COLUMNS: Columns = &[
    ("key_id", Kind::Text),
    ("minute", Kind::Int),
    ("count", Kind::Int),
];

/// The window of an hour, and an hour by which clocks may differ: what stands later than that was counted
/// by a clock that was wrong.
const MINUTES_KEPT_MAX: i64 = 120;

/// The writes of a key in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCount {
    /// The key's id.
    pub key: String,
    /// The minute, since the epoch.
    pub minute: i64,
    /// How many.
    pub count: u32,
}

impl Store {
    /// What every key has used since `oldest_minute`.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn key_counts(&self, oldest_minute: i64) -> Result<Vec<KeyCount>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select key_id, minute, count from key_counts where minute >= $1";
        let rows = tx.fetch(sql, vec![oldest_minute.into()]).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }

    /// Adds to the counts of keys, notes when keys were last used, forgets what is older than
    /// `oldest_minute`, and tells what those keys have used since. Both lists are in the order of their
    /// keys.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn count_keys(
        &self,
        counts: &[KeyCount],
        used: &[(String, UnixMs)],
        oldest_minute: i64,
    ) -> Result<Vec<KeyCount>, StoreError> {
        let mut tx = self.db().write().await?;
        let rows = counts.iter().map(|count| {
            let key = count.key.as_str().into();
            vec![key, count.minute.into(), count.count.into()]
        });
        let add =
            "on conflict (key_id, minute) do update set count = key_counts.count + excluded.count";
        tx.insert("key_counts", COLUMNS, rows.collect(), add)
            .await?;
        let used = used
            .iter()
            .map(|(key, at)| vec![key.as_str().into(), at.0.into()]);
        tx.execute_with(
            &[("id", Kind::Text), ("at", Kind::Int)],
            used.collect(),
            "update api_keys set last_used_at = v.at from v where api_keys.id = v.id \
             and (api_keys.last_used_at is null or api_keys.last_used_at < v.at)",
        )
        .await?;
        let far_ahead = oldest_minute.saturating_add(MINUTES_KEPT_MAX);
        let forget = "delete from key_counts where minute < $1 or minute > $2";
        tx.execute(forget, vec![oldest_minute.into(), far_ahead.into()])
            .await?;
        let mut keys: Vec<&str> = counts.iter().map(|count| count.key.as_str()).collect();
        keys.dedup();
        let known = tx
            .fetch_with(
                &[("key_id", Kind::Text)],
                keys.into_iter().map(|key| vec![key.into()]).collect(),
                "select c.key_id, c.minute, c.count from key_counts c join v on c.key_id = v.key_id",
            )
            .await?;
        tx.commit().await?;
        known.iter().map(decode).collect()
    }
}

fn decode(row: &Row) -> Result<KeyCount, StoreError> {
    Ok(KeyCount {
        key: row.text("key_id")?,
        minute: row.int("minute")?,
        count: row.uint("count")?,
    })
}
