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
//!
//! What left for payments that a promotion or a restored copy has lost counts beside them ([`forgotten`]).
//!
//! Clients and destinations that have limits of their own have rows of their own ([`scopes`]); whoever
//! changes one of those has locked the row of all first.

pub(super) mod forgotten;
mod scopes;
mod usage;
pub(super) mod words;

pub(super) use forgotten::Forgotten;
pub(super) use scopes::{Scopes, Wanted};
pub use usage::LimitUsage;

use super::db::{Row, Tx};
use super::error::StoreError;
use super::payments::{drops_from, drops_value};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{self, Scope, Usage};
use xrpayd_core::money::Drops;

/// A row that holds what is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitState {
    pub usage: Usage,
    /// Payments accepted at or before this instant do not count.
    pub counted_through: UnixMs,
    /// How many rows there are besides; of the row of all payments alone.
    pub others: u32,
    /// How often what the replicas say of limits has changed; of that row alone too.
    pub words: u32,
}

impl LimitState {
    /// Whether the window begins later than it does at `now`, because the clock was set back.
    pub(super) fn is_ahead_of(&self, now: UnixMs) -> bool {
        limits::window_start(now) < self.counted_through
    }

    /// Moves the window to where it is at `now`, where `moved` is what lies between.
    fn moved_to(self, now: UnixMs, moved: Drops) -> Result<Self, StoreError> {
        let used = self.usage.daily_used;
        let goes_back = self.is_ahead_of(now);
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
        Ok(Self {
            usage: Usage {
                daily_used,
                ..self.usage
            },
            counted_through: limits::window_start(now),
            ..self
        })
    }

    /// The instants between which a payment was accepted that counts at one of `counted_through` and
    /// `now` and not at the other: after the first of them, and not after the second.
    fn between(&self, now: UnixMs) -> (UnixMs, UnixMs) {
        let through = limits::window_start(now);
        if self.is_ahead_of(now) {
            (through, self.counted_through)
        } else {
            (self.counted_through, through)
        }
    }

    /// Keeps what was delivered of a payment that ended, and releases the rest.
    fn settle(&mut self, one: &Settled<'_>) -> Result<(), StoreError> {
        let wrong = |why: &str| StoreError::corrupt("the limits", why);
        if one.created_at > self.counted_through {
            self.usage.daily_used = self
                .usage
                .daily_used
                .checked_sub(one.reserved)
                .and_then(|rest| rest.checked_add(one.delivered))
                .ok_or_else(|| wrong("a settled payment was never counted"))?;
        }
        self.usage.pending = self
            .usage
            .pending
            .checked_sub(1)
            .ok_or_else(|| wrong("more payments ended than were on their way"))?;
        Ok(())
    }
}

/// Reads the row and keeps everybody else from changing it until the transaction ends.
pub(super) async fn lock(tx: &mut Tx) -> Result<LimitState, StoreError> {
    let lock = tx.for_update();
    read_with(tx, lock).await
}

async fn read_with(tx: &mut Tx, lock: &str) -> Result<LimitState, StoreError> {
    let sql = format!(
        "select used_drops, pending, counted_through, others, words from limit_state \
         where scope = 'all'{lock}"
    );
    decode(tx.fetch_optional(sql, Vec::new()).await?)
}

fn decode(row: Option<Row>) -> Result<LimitState, StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt("the limits", "their row is missing"))?;
    let (others, words) = (row.uint("others")?, row.uint("words")?);
    Ok(LimitState {
        others,
        words,
        ..decode_counts(&row)?
    })
}

fn decode_counts(row: &Row) -> Result<LimitState, StoreError> {
    Ok(LimitState {
        usage: Usage {
            daily_used: drops_from("the limits", row.int("used_drops")?)?,
            pending: row.uint("pending")?,
        },
        counted_through: UnixMs(row.int("counted_through")?),
        others: 0,
        words: 0,
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
             returning used_drops - $1 as used_drops, pending - $2 as pending, counted_through, \
             others, words",
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
    if limits::window_start(now) == state.counted_through {
        return Ok(state);
    }
    let (from, to) = state.between(now);
    let row = tx
        .fetch_optional(
            "select cast(coalesce(sum(counted_drops), 0) as bigint) as moved_drops from payments \
             where created_at > $1 and created_at <= $2",
            vec![from.0.into(), to.0.into()],
        )
        .await?;
    let moved = row.map_or(Ok(0), |row| row.int("moved_drops"))?;
    state.moved_to(now, drops_from("the limits", moved)?)
}

/// Writes the row.
pub(super) async fn save(tx: &mut Tx, state: &LimitState) -> Result<(), StoreError> {
    let written = tx
        .execute(
            "update limit_state set used_drops = $1, pending = $2, counted_through = $3, \
             others = $4 where scope = 'all'",
            vec![
                drops_value(state.usage.daily_used).into(),
                state.usage.pending.into(),
                state.counted_through.0.into(),
                state.others.into(),
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
pub(super) struct Settled<'a> {
    pub client: &'a str,
    pub destination: AccountId,
    pub created_at: UnixMs,
    /// What it counted for until now.
    pub reserved: Drops,
    pub delivered: Drops,
}

impl Settled<'_> {
    fn scopes(&self) -> [Scope; 2] {
        [
            Scope::Client(self.client.to_owned()),
            Scope::Destination(self.destination),
        ]
    }
}

/// Keeps what was delivered, releases the rest, and lets `pending` fall by one for each.
pub(super) async fn settle(tx: &mut Tx, settled: &[Settled<'_>]) -> Result<(), StoreError> {
    if settled.is_empty() {
        return Ok(());
    }
    let mut state = lock(tx).await?;
    for one in settled {
        state.settle(one)?;
    }
    if state.others > 0 {
        let touched = settled.iter().flat_map(Settled::scopes).collect();
        let mut scopes = Scopes::standing(tx, &touched).await?;
        for one in settled {
            scopes.settle(one)?;
        }
        scopes.save(tx).await?;
    }
    save(tx, &state).await
}
