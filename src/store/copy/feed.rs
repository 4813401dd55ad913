//! Whether the feed goes on right where it was: its two marks, and the events between them.

use crate::store::Store;
use crate::store::error::StoreError;

/// How far the feed goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedSpan {
    /// The last sequence that was drawn.
    pub drawn: i64,
    /// The last that is no longer handed out.
    pub expired: i64,
    /// The last event that is there; 0 without one.
    pub last: i64,
    /// How many events are handed out.
    pub events: i64,
}

impl FeedSpan {
    /// How many sequences between the marks have no event. A database of before the feed had its own
    /// counter may have some, and one that was another server's before it was promoted.
    #[must_use]
    pub const fn missing(&self) -> i64 {
        let handed_out = self.drawn.saturating_sub(self.expired);
        handed_out.saturating_sub(self.events)
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let Self {
            drawn,
            expired,
            last,
            ..
        } = self;
        if last > drawn {
            return Some(format!(
                "event {last} comes after {drawn}, the last sequence that was drawn"
            ));
        }
        (expired > drawn).then(|| {
            format!("it has expired up to {expired}, and {drawn} is the last sequence drawn")
        })
    }
}

impl Store {
    /// How far the feed goes.
    ///
    /// # Errors
    /// The database does not answer, or the feed has lost its marks.
    pub async fn feed_span(&self) -> Result<FeedSpan, StoreError> {
        let mut tx = self.db().read().await?;
        let (mut drawn, mut expired) = (None, None);
        let marks = tx
            .fetch("select mark, sequence from feed", Vec::new())
            .await?;
        for row in &marks {
            let sequence = Some(row.int("sequence")?);
            if row.text("mark")? == "drawn" {
                drawn = sequence;
            } else {
                expired = sequence;
            }
        }
        let lost = || StoreError::corrupt("the feed", "one of its marks is missing");
        let (drawn, expired) = (drawn.ok_or_else(lost)?, expired.ok_or_else(lost)?);
        let sql = "select coalesce(max(sequence), 0) as last, \
            (select count(*) from events where sequence > $1) as events from events";
        let row = tx.fetch_optional(sql, vec![expired.into()]).await?;
        tx.end().await?;
        let row = row.ok_or_else(lost)?;
        Ok(FeedSpan {
            drawn,
            expired,
            last: row.int("last")?,
            events: row.int("events")?,
        })
    }
}
