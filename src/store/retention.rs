//! What the feed no longer hands out.
//!
//! The oldest events go, in the order of their sequences, in transactions small enough that nobody
//! waits for them: first they are no longer handed out, and what no other reader needs is deleted
//! with that. A payment's own events stay: they are its history, which a merchant or an auditor may
//! ask for as long as the payment is there. The sequences go on from where they were.

use super::Store;
use super::error::StoreError;
use super::events;
use xrpayd_core::ids::UnixMs;

/// How many events one transaction looks at: a few milliseconds' work.
const BATCH: u32 = 1_000;

/// What a step took out of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// How many events are no longer handed out.
    pub events: u64,
    /// How many of them are gone for good.
    pub deleted: u64,
    /// Whether there may be more of them at once.
    pub more: bool,
}

impl Store {
    /// Takes the oldest events of before an instant out of the feed, a bounded number of them. An event
    /// whose time is later holds back what came after it, so nothing is ever taken too early.
    ///
    /// # Errors
    /// The database does not answer; nothing was taken out.
    pub async fn expire_events(&self, before: UnixMs) -> Result<Expired, StoreError> {
        let mut tx = self.db().write().await?;
        let from = events::expired_locked(&mut tx).await?;
        let oldest = tx
            .fetch(
                "select sequence, at from events where sequence > $1 order by sequence limit $2",
                vec![from.into(), BATCH.into()],
            )
            .await?;
        let (mut through, mut taken) = (from, 0_u32);
        for row in &oldest {
            if row.int("at")? >= before.0 {
                break;
            }
            through = row.int("sequence")?;
            taken = taken.saturating_add(1);
        }
        if taken == 0 {
            tx.end().await?;
            return Ok(Expired::default());
        }
        let deleted = tx
            .execute(
                "delete from events where sequence > $1 and sequence <= $2 and object <> 'payment'",
                vec![from.into(), through.into()],
            )
            .await?;
        events::expire_through(&mut tx, through).await?;
        tx.commit().await?;
        Ok(Expired {
            events: u64::from(taken),
            deleted,
            more: taken == BATCH,
        })
    }
}
