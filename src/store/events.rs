//! The outbox, and the feed that is read from it.
//!
//! What is told to the outside is written in the transaction that it tells of, as the last thing in
//! it. Sequences are drawn from one counter, whose row stays locked from there to the commit: the
//! order of the sequences is the order of the commits, on both stores and whatever the number of
//! replicas. So whoever has read up to a sequence can never find a lower one later. A database that became
//! another one, by a promotion that may have lost events, goes on from further on: nobody who has read
//! what was lost takes new events for those.
//!
//! A reader that asks too late for events that are no longer handed out is told so by
//! [`FeedPage::expired`]; nothing is left out silently.

use super::Store;
use super::db::{Columns, Kind, Row, Tx, Value};
use super::error::StoreError;
use serde_json::Value as Json;
use tokio::sync::watch;
use xrpayd_core::ids::UnixMs;

/// The client of what is no client's: the service, its wallets, deposits that match nothing. No key
/// can bear it, because a key's name is never empty.
pub const HOUSE: &str = "";

/// How many sequences a page looks at: enough that filters cost a reader few round trips, and few
/// enough that a filter that lets nothing through does not hold a connection for long.
const LOOKED_AT_MAX: i64 = 20_000;

/// How far the sequences go on where the database has become another one: further than any standby is
/// behind.
const JUMP: i64 = 1_000_000;

/// Something to tell about an object, as it stands after its change.
#[derive(Debug, Clone)]
pub(super) struct News {
    /// What kind of object.
    pub object: &'static str,
    /// Which.
    pub object_id: String,
    /// Whose, or [`HOUSE`].
    pub client: String,
    /// The object's version after the change.
    pub version: u32,
    /// The type, such as `payment.succeeded`.
    pub type_: String,
    /// When it happened.
    pub at: UnixMs,
    /// The public object as it stands. Its `object` and `id` are put in where they are left out.
    pub data: Json,
}

/// Something that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// Its place in the feed.
    pub sequence: i64,
    /// The kind of object that it is about.
    pub object: String,
    /// Which object.
    pub object_id: String,
    /// Whose that is; empty for the house's.
    pub client: String,
    /// Its type, such as `payment.succeeded`.
    pub type_: String,
    /// When it happened.
    pub at: UnixMs,
    /// The version of the object that it tells of.
    pub version: u32,
    /// The public object, with at least its `object` and `id`.
    pub data: Json,
}

/// Which events a reader is handed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedFilter {
    /// Those of one client; of all, where there is none.
    pub client: Option<String>,
    /// The house's as well, where a client is named.
    pub house: bool,
    /// Those of these types; of all, where there is none.
    pub types: Vec<String>,
    /// Those about objects of these kinds; of all, where there is none.
    pub objects: Vec<String>,
}

/// A stretch of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// What the filter lets through, in order.
    pub events: Vec<FeedEvent>,
    /// Everything up to this sequence has been looked at: the place to go on from. It is before the
    /// place that was asked for where that is beyond the end of the feed.
    pub through: i64,
    /// Whether that is the end of the feed, as of this moment.
    pub at_end: bool,
    /// Events up to this sequence are no longer handed out.
    pub expired: i64,
}

const NEW: Columns = &[
    ("sequence", Kind::Int),
    ("object", Kind::Text),
    ("object_id", Kind::Text),
    ("client", Kind::Text),
    ("version", Kind::Int),
    ("type", Kind::Text),
    ("at", Kind::Int),
    ("data", Kind::Text),
];

/// Writes events, in their order, as the last thing that a transaction writes.
pub(super) async fn tell(tx: &mut Tx, news: Vec<News>) -> Result<(), StoreError> {
    let Ok(count) = i64::try_from(news.len()) else {
        return Err(StoreError::Overloaded);
    };
    if count == 0 {
        return Ok(());
    }
    let last = draw(tx, count).await?;
    let first = last.saturating_sub(count).saturating_add(1);
    let mut rows = Vec::with_capacity(news.len());
    for (sequence, news) in (first..=last).zip(news) {
        rows.push(vec![
            sequence.into(),
            news.object.into(),
            news.object_id.into(),
            news.client.into(),
            news.version.into(),
            news.type_.into(),
            news.at.0.into(),
            news.data.to_string().into(),
        ]);
    }
    tx.insert("events", NEW, rows, "").await?;
    tx.has_told(last);
    Ok(())
}

/// Draws so many sequences and answers with the last. The first that are drawn in another history of the
/// database are beyond all that were told in the one before.
pub(super) async fn draw(tx: &mut Tx, count: i64) -> Result<i64, StoreError> {
    let here = tx.lineage();
    let sql = format!(
        "with here (lineage) as materialized (select {here}) \
         update feed set lineage = here.lineage, sequence = sequence + $1 \
         + case when feed.lineage <> here.lineage then {JUMP} else 0 end \
         from here where mark = 'drawn' returning sequence"
    );
    marked(tx.fetch_optional(sql, vec![count.into()]).await?.as_ref())
}

fn marked(row: Option<&Row>) -> Result<i64, StoreError> {
    let missing = || StoreError::corrupt("the feed", "a mark of it is missing");
    row.ok_or_else(missing)?.int("sequence")
}

async fn mark(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let sql = "select sequence from feed where mark = $1";
    marked(tx.fetch_optional(sql, vec![name.into()]).await?.as_ref())
}

/// The last sequence that is no longer handed out, kept as it is until the transaction ends.
pub(super) async fn expired_locked(tx: &mut Tx) -> Result<i64, StoreError> {
    let lock = tx.for_update();
    let sql = format!("select sequence from feed where mark = 'expired'{lock}");
    marked(tx.fetch_optional(sql, Vec::new()).await?.as_ref())
}

/// Hands out nothing up to `sequence` from now on.
pub(super) async fn expire_through(tx: &mut Tx, sequence: i64) -> Result<(), StoreError> {
    let sql = "update feed set sequence = $1 where mark = 'expired' and sequence < $1";
    tx.execute(sql, vec![sequence.into()]).await?;
    Ok(())
}

/// The last sequence of the feed, as of this transaction.
pub(super) async fn end(tx: &mut Tx) -> Result<i64, StoreError> {
    mark(tx, "drawn").await
}

impl FeedFilter {
    /// The condition that lets an event through, and its values; `first` is the number of the first
    /// of them.
    fn condition(&self, first: usize) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), Vec::new());
        let mut one_of = |column: &str, names: &[&str]| {
            let from = first + values.len();
            let places: Vec<String> = (from..from + names.len())
                .map(|n| format!("${n}"))
                .collect();
            values.extend(names.iter().map(|name| Value::from(*name)));
            sql.push_str(&format!(" and {column} in ({})", places.join(", ")));
        };
        match (&self.client, self.house) {
            (Some(client), true) => one_of("client", &[client, HOUSE]),
            (Some(client), false) => one_of("client", &[client]),
            (None, _) => {}
        }
        for (column, names) in [("object", &self.objects), ("type", &self.types)] {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if !names.is_empty() {
                one_of(column, &names);
            }
        }
        (sql, values)
    }
}

impl Store {
    /// What the filter lets through of the events after a sequence, oldest first, at most `limit`. It is
    /// looked for up to the end of the feed.
    ///
    /// # Errors
    /// The database does not answer, or holds an event that cannot be read.
    pub async fn feed(
        &self,
        after: i64,
        filter: &FeedFilter,
        limit: u32,
    ) -> Result<Vec<FeedEvent>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        loop {
            let missing = u32::try_from(limit.saturating_sub(found.len())).unwrap_or(u32::MAX);
            let mut page = self.feed_page(after, filter, missing).await?;
            found.append(&mut page.events);
            if page.at_end || found.len() >= limit {
                return Ok(found);
            }
            after = page.through;
        }
    }

    /// The same for one stretch of the feed, which may hold nothing of what the filter lets through: a
    /// reader goes on from [`FeedPage::through`].
    ///
    /// # Errors
    /// The database does not answer, or holds an event that cannot be read.
    pub async fn feed_page(
        &self,
        after: i64,
        filter: &FeedFilter,
        limit: u32,
    ) -> Result<FeedPage, StoreError> {
        let mut tx = self.db().read().await?;
        let expired = mark(&mut tx, "expired").await?;
        let mut end = mark(&mut tx, "drawn").await?;
        if after > end && is_left_behind(&mut tx).await? {
            // Whoever has read what is gone goes on from there, though nothing was told since.
            tx.end().await?;
            end = self.go_on().await?;
            tx = self.db().read().await?;
        }
        let after = after.max(expired);
        let look_through = end.min(after.saturating_add(LOOKED_AT_MAX));
        let (condition, mut rest) = filter.condition(4);
        let mut values = vec![after.into(), look_through.into(), limit.into()];
        values.append(&mut rest);
        let rows = tx
            .fetch(
                format!(
                    "select sequence, object, object_id, client, version, type, at, data from events \
                     where sequence > $1 and sequence <= $2{condition} order by sequence limit $3"
                ),
                values,
            )
            .await?;
        // Where sequences were left out, nobody goes through them step by step.
        let is_gap = rows.is_empty() && look_through < end;
        let look_through = match is_gap {
            true => before_next(&mut tx, look_through, end).await?,
            false => look_through,
        };
        tx.end().await?;
        let events = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let is_full = u32::try_from(events.len()) == Ok(limit);
        let through = match events.last() {
            Some(last) if is_full => last.sequence,
            Some(_) | None => look_through,
        };
        Ok(FeedPage {
            events,
            through,
            at_end: through >= end,
            expired,
        })
    }

    /// Takes the feed over into the history of the database that is there now; answers with its end.
    async fn go_on(&self) -> Result<i64, StoreError> {
        let mut tx = self.db().write().await?;
        let end = draw(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(end)
    }

    /// The last sequence of the feed. Nothing at or below it is committed later.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn feed_end(&self) -> Result<i64, StoreError> {
        let mut tx = self.db().read().await?;
        let end = mark(&mut tx, "drawn").await;
        tx.end().await?;
        end
    }

    /// Changes whenever something was committed that the feed was told. A hint: what another replica
    /// commits shows here where that replica can be heard.
    #[must_use]
    pub fn feed_changed(&self) -> watch::Receiver<i64> {
        self.db().feed_changed()
    }
}

/// Whether the last sequence was drawn in another history of the database.
async fn is_left_behind(tx: &mut Tx) -> Result<bool, StoreError> {
    let here = tx.lineage();
    let sql = format!("select 1 as is_so from feed where mark = 'drawn' and lineage <> {here}");
    Ok(tx.fetch_optional(sql, Vec::new()).await?.is_some())
}

/// The last sequence after which the next event comes; the end of the feed where none does.
async fn before_next(tx: &mut Tx, after: i64, end: i64) -> Result<i64, StoreError> {
    let sql = "select min(sequence) as next from events where sequence > $1";
    let row = tx.fetch_optional(sql, vec![after.into()]).await?;
    let next = row.map_or(Ok(None), |row| row.int_or_null("next"))?;
    Ok(next.map_or(end, |next| next.saturating_sub(1).min(end)))
}

fn decode(row: &Row) -> Result<FeedEvent, StoreError> {
    let (object, object_id) = (row.text("object")?, row.text("object_id")?);
    let sequence = row.int("sequence")?;
    let data = data_from(sequence, &row.text("data")?, &object, &object_id)?;
    Ok(FeedEvent {
        sequence,
        object,
        object_id,
        client: row.text("client")?,
        type_: row.text("type")?,
        at: UnixMs(row.int("at")?),
        version: row.uint("version")?,
        data,
    })
}

/// What is told, with the object's kind and name in it.
pub(super) fn data_from(
    sequence: i64,
    text: &str,
    object: &str,
    object_id: &str,
) -> Result<Json, StoreError> {
    let bad = |why: String| StoreError::corrupt(format!("event {sequence}"), why);
    let mut data: Json = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    let fields = data
        .as_object_mut()
        .ok_or_else(|| bad("what it tells is no object".to_owned()))?;
    for (name, value) in [("object", object), ("id", object_id)] {
        fields.entry(name).or_insert_with(|| value.into());
    }
    Ok(data)
}

#[cfg(test)]
mod tests;
