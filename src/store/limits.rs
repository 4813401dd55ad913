//! What is used of the limits, exact to the drop.
//!
//! One row holds the sum over the rolling day and the number on their way. Whoever changes it locks
//! it first, so reservations are made one after the other whatever the number of replicas. What
//! leaves the window is subtracted when the window is next looked at: each payment once, found by
//! the index on the time of acceptance.
//!
//! The clock may be set. Where it went back the window goes back with it, and what had left it is
//! added again; what was accepted while the clock was ahead counts until it would have left then. So
//! whatever the clock does, what is accepted at an instant fits beside all that was accepted in the
//! day before it and after it.

use super::Store;
use super::db::{Row, Tx};
use super::error::StoreError;
use super::payments::{drops_from, drops_value};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{self, Caps, Usage};
use xrpayd_core::money::Drops;

/// How many of the oldest counted payments [`Store::limit_usage`] hands out.
const OLDEST_MAX: u32 = 200;
/// How many counted payments are read at a time to find out when an amount will fit.
const RESETS_PAGE: u32 = 2_000;
/// After this many pages nobody is told when an amount will fit.
const RESETS_PAGES_MAX: u32 = 50;

/// What is used of the limits at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUsage {
    /// What counts against the rolling day, and how many payments are on their way.
    pub usage: Usage,
    /// The oldest payments that count, with what each counts for; oldest first, at most 200.
    pub oldest: Vec<(UnixMs, Drops)>,
}

/// The row that holds what is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitState {
    pub usage: Usage,
    /// Payments accepted at or before this instant do not count.
    pub counted_through: UnixMs,
}

impl LimitState {
    /// Whether the window begins later than it does at `now`, because the clock was set back.
    pub(super) fn is_ahead_of(&self, now: UnixMs) -> bool {
        limits::window_start(now) < self.counted_through
    }
}

/// Reads the row and keeps everybody else from changing it until the transaction ends.
pub(super) async fn lock(tx: &mut Tx) -> Result<LimitState, StoreError> {
    let lock = tx.for_update();
    read_with(tx, lock).await
}

async fn read_with(tx: &mut Tx, lock: &str) -> Result<LimitState, StoreError> {
    let sql = format!(
        "select used_drops, pending, counted_through from limit_state where scope = 'all'{lock}"
    );
    decode(tx.fetch_optional(sql, Vec::new()).await?)
}

fn decode(row: Option<Row>) -> Result<LimitState, StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt("the limits", "their row is missing"))?;
    Ok(LimitState {
        usage: Usage {
            daily_used: drops_from("the limits", row.int("used_drops")?)?,
            pending: row.uint("pending")?,
        },
        counted_through: UnixMs(row.int("counted_through")?),
    })
}

/// Reserves `drops` for `count` payments before anybody has looked whether they fit, and keeps
/// everybody else from the row until the transaction ends. Answers with the row as it was: whoever
/// finds that they do not fit writes the row again.
pub(super) async fn lock_reserving(
    tx: &mut Tx,
    drops: Drops,
    count: u32,
) -> Result<LimitState, StoreError> {
    let row = tx
        .fetch_optional(
            "update limit_state set used_drops = used_drops + $1, pending = pending + $2 \
             where scope = 'all' \
             returning used_drops - $1 as used_drops, pending - $2 as pending, counted_through",
            vec![drops_value(drops).into(), count.into()],
        )
        .await?;
    decode(row)
}

/// Moves the window to where it is at `now`: what has left it no longer counts, and where the clock
/// was set back, what is in it again does.
pub(super) async fn align(
    tx: &mut Tx,
    state: LimitState,
    now: UnixMs,
) -> Result<LimitState, StoreError> {
    let through = limits::window_start(now);
    if through == state.counted_through {
        return Ok(state);
    }
    let goes_back = state.is_ahead_of(now);
    let (from, to) = if goes_back {
        (through, state.counted_through)
    } else {
        (state.counted_through, through)
    };
    let row = tx
        .fetch_optional(
            "select cast(coalesce(sum(counted_drops), 0) as bigint) as moved_drops from payments \
             where created_at > $1 and created_at <= $2",
            vec![from.0.into(), to.0.into()],
        )
        .await?;
    let moved = row.map_or(Ok(0), |row| row.int("moved_drops"))?;
    let moved = drops_from("the limits", moved)?;
    let used = state.usage.daily_used;
    let daily_used = if goes_back {
        used.checked_add(moved)
    } else {
        used.checked_sub(moved)
    };
    let daily_used = daily_used.ok_or_else(|| {
        let way = if goes_back { "enter" } else { "leave" };
        StoreError::corrupt(
            "the limits",
            format!("{moved} drops {way} the day and {used} count"),
        )
    })?;
    Ok(LimitState {
        usage: Usage {
            daily_used,
            ..state.usage
        },
        counted_through: through,
    })
}

/// Writes the row.
pub(super) async fn save(tx: &mut Tx, state: &LimitState) -> Result<(), StoreError> {
    let written = tx
        .execute(
            "update limit_state set used_drops = $1, pending = $2, counted_through = $3 \
             where scope = 'all'",
            vec![
                drops_value(state.usage.daily_used).into(),
                state.usage.pending.into(),
                state.counted_through.0.into(),
            ],
        )
        .await?;
    if written == 1 {
        Ok(())
    } else {
        Err(StoreError::corrupt("the limits", "their row is missing"))
    }
}

/// A payment that reached its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub created_at: UnixMs,
    /// What it counted for until now.
    pub reserved: Drops,
    pub delivered: Drops,
}

/// Keeps what was delivered, releases the rest, and lets `pending` fall by one for each.
pub(super) async fn settle(tx: &mut Tx, settled: &[Settled]) -> Result<(), StoreError> {
    if settled.is_empty() {
        return Ok(());
    }
    let mut state = lock(tx).await?;
    let wrong = |why: &str| StoreError::corrupt("the limits", why);
    for one in settled {
        if one.created_at > state.counted_through {
            state.usage.daily_used = state
                .usage
                .daily_used
                .checked_sub(one.reserved)
                .and_then(|rest| rest.checked_add(one.delivered))
                .ok_or_else(|| wrong("a settled payment was never counted"))?;
        }
        state.usage.pending = state
            .usage
            .pending
            .checked_sub(1)
            .ok_or_else(|| wrong("more payments ended than were on their way"))?;
    }
    save(tx, &state).await
}

async fn counted_after(
    tx: &mut Tx,
    after: (UnixMs, &str),
    limit: u32,
) -> Result<Vec<(UnixMs, Drops, String)>, StoreError> {
    let rows = tx
        .fetch(
            "select created_at, counted_drops, id from payments \
             where (created_at, id) > ($1, $2) order by created_at, id limit $3",
            vec![after.0.0.into(), after.1.into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let drops = drops_from("the limits", row.int("counted_drops")?)?;
            Ok((UnixMs(row.int("created_at")?), drops, row.text("id")?))
        })
        .collect()
}

/// Sorts after every id, so that a page that begins after an instant leaves out all of it.
const AFTER_EVERY_ID: &str = "~";

impl Store {
    /// What is used of the limits at `now`.
    ///
    /// # Errors
    /// The database does not answer, or its limits contradict its payments.
    pub async fn limit_usage(&self, now: UnixMs) -> Result<LimitUsage, StoreError> {
        let mut tx = self.db().read().await?;
        let stored = read_with(&mut tx, "").await?;
        let state = align(&mut tx, stored, now).await?;
        let oldest =
            counted_after(&mut tx, (state.counted_through, AFTER_EVERY_ID), OLDEST_MAX).await?;
        tx.end().await?;
        if state.usage != stored.usage {
            self.align_limits(now).await?;
        }
        let counts =
            |(at, drops, _): (UnixMs, Drops, String)| (drops > Drops::ZERO).then_some((at, drops));
        Ok(LimitUsage {
            usage: state.usage,
            oldest: oldest.into_iter().filter_map(counts).collect(),
        })
    }

    /// Writes down where the window is, so that nobody has to add up again what moved.
    async fn align_limits(&self, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let stored = lock(&mut tx).await?;
        let state = align(&mut tx, stored, now).await?;
        save(&mut tx, &state).await?;
        tx.commit().await
    }

    /// When `amount` will fit into the rolling day, if nothing else is accepted until then; `None`
    /// where it can never fit, or where that is too far to look ahead.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn resets_at(
        &self,
        caps: &Caps,
        amount: Drops,
        now: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        if amount > caps.daily {
            return Ok(None);
        }
        let mut tx = self.db().read().await?;
        let stored = read_with(&mut tx, "").await?;
        let state = align(&mut tx, stored, now).await?;
        let mut usage = state.usage;
        let mut after = (state.counted_through, AFTER_EVERY_ID.to_owned());
        let mut found = None;
        for _ in 0..RESETS_PAGES_MAX {
            let page = counted_after(&mut tx, (after.0, &after.1), RESETS_PAGE).await?;
            let counted = page.iter().map(|(at, drops, _)| (*at, *drops));
            found = limits::resets_at(caps, usage, amount, counted.clone());
            let Some((at, _, id)) = page.last() else {
                break;
            };
            if found.is_some() {
                break;
            }
            after = (*at, id.clone());
            let left = counted.fold(usage.daily_used, |used, (_, drops)| {
                used.saturating_sub(drops)
            });
            usage.daily_used = left;
        }
        tx.end().await?;
        Ok(found)
    }
}
