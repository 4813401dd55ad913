//! What is used of the limits at a moment, for whoever asks: how much, and when it frees.
//!
//! Reads one unmoving picture. What had to be added up for the answer is written down afterwards, so
//! that nobody has to add it up again.

use super::{LimitState, Scopes, align, forgotten, lock, read_with, save};
use crate::store::Store;
use crate::store::db::{Row, Tx};
use crate::store::error::StoreError;
use crate::store::payments::drops_from;
use std::cmp::Ordering;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{self, Caps, Scope, ScopeCaps, Usage};
use xrpayd_core::money::Drops;

/// How many of the oldest counted payments are handed out.
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

/// A payment that counts: when it was accepted, what it counts for, its id.
type Counting = (UnixMs, Drops, String);

/// Sorts after every id, so that a page that begins after an instant leaves out all of it.
const AFTER_EVERY_ID: &str = "~";

/// Payments in the order of their acceptance.
async fn counted_after(
    tx: &mut Tx,
    scope: Option<&Scope>,
    after: (UnixMs, &str),
    limit: u32,
) -> Result<Vec<Counting>, StoreError> {
    let page = "and (created_at, id) > ($1, $2) order by created_at, id limit $3";
    // Phrased so that the few that are on their way are looked through, and not the day.
    let sieved = "and (created_at + 0, id) > ($1, $2) order by created_at + 0, id limit $3";
    let counting = "select created_at, counted_drops, id from payments";
    let (walks, name) = match scope {
        None => (vec![("true", page)], None),
        // Only these count for something.
        Some(Scope::Client(name)) => (
            vec![
                ("client = $4 and status = 'processing'", page),
                ("client = $4 and status = 'awaiting_approval'", page),
                ("client = $4 and status = 'succeeded'", page),
            ],
            Some(name.clone()),
        ),
        Some(Scope::Destination(account)) => (
            vec![
                ("destination || '' = $4 and status = 'processing'", sieved),
                ("destination = $4 and status <> 'processing'", page),
            ],
            Some(account.to_string()),
        ),
    };
    let mut found: Vec<Counting> = Vec::new();
    for (walk, page) in walks {
        let mut values = vec![after.0.0.into(), after.1.into(), limit.into()];
        values.extend(name.as_deref().map(Into::into));
        let sql = format!("{counting} where {walk} {page}");
        for row in &tx.fetch(sql, values).await? {
            found.push(counting_row(row)?);
        }
    }
    let by_time = |a: &Counting, b: &Counting| -> Ordering { (a.0, &a.2).cmp(&(b.0, &b.2)) };
    found.sort_by(by_time);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

fn counting_row(row: &Row) -> Result<Counting, StoreError> {
    let drops = drops_from("the limits", row.int("counted_drops")?)?;
    Ok((UnixMs(row.int("created_at")?), drops, row.text("id")?))
}

/// What is used of a scope, or of everything; and whether that had to be added up.
async fn state_of(
    tx: &mut Tx,
    scope: Option<&Scope>,
    now: UnixMs,
) -> Result<(LimitState, bool), StoreError> {
    let stored = read_with(tx, "").await?;
    let Some(scope) = scope else {
        let state = align(tx, stored, now).await?;
        return Ok((state, state.usage != stored.usage));
    };
    let wanted = [(scope.clone(), true)].into();
    let mut scopes = Scopes::load(tx, &wanted, stored.others, now).await?;
    scopes.align(tx, now).await?;
    let missing = || StoreError::corrupt("the limits", format!("{scope} has no row"));
    let state = scopes.state(scope).ok_or_else(missing)?;
    Ok((state, scopes.is_worth_keeping()))
}

impl Store {
    /// What is used at `now` of the limits of all payments.
    ///
    /// # Errors
    /// The database does not answer, or its limits contradict its payments.
    pub async fn limit_usage(&self, now: UnixMs) -> Result<LimitUsage, StoreError> {
        self.usage_of(None, now).await
    }

    /// What is used at `now` of the limits of one client or destination.
    ///
    /// # Errors
    /// The database does not answer, or its limits contradict its payments.
    pub async fn scope_usage(&self, scope: &Scope, now: UnixMs) -> Result<LimitUsage, StoreError> {
        self.usage_of(Some(scope), now).await
    }

    async fn usage_of(&self, scope: Option<&Scope>, now: UnixMs) -> Result<LimitUsage, StoreError> {
        let mut tx = self.db().read().await?;
        let (state, was_added_up) = state_of(&mut tx, scope, now).await?;
        let beside = match scope {
            None => forgotten::counted(&mut tx, state.others, now).await?,
            Some(_) => Drops::ZERO,
        };
        let after = (state.counted_through, AFTER_EVERY_ID);
        let oldest = counted_after(&mut tx, scope, after, OLDEST_MAX).await?;
        tx.end().await?;
        if was_added_up {
            self.write_down(scope, now).await?;
        }
        let mut usage = state.usage;
        usage.daily_used = usage.daily_used.checked_add(beside).unwrap_or(Drops::MAX);
        let counts = |(at, drops, _): Counting| (drops > Drops::ZERO).then_some((at, drops));
        Ok(LimitUsage {
            usage,
            oldest: oldest.into_iter().filter_map(counts).collect(),
        })
    }

    /// Writes down where the window is, so that nobody has to add up again what moved.
    async fn write_down(&self, scope: Option<&Scope>, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let stored = lock(&mut tx).await?;
        let mut state = align(&mut tx, stored, now).await?;
        if let Some(scope) = scope {
            let wanted = [(scope.clone(), true)].into();
            let mut scopes = Scopes::load(&mut tx, &wanted, state.others, now).await?;
            scopes.align(&mut tx, now).await?;
            state.others = state.others.saturating_add(scopes.new_rows());
            scopes.save(&mut tx).await?;
        }
        save(&mut tx, &state).await?;
        tx.commit().await
    }

    /// When `amount` will fit into every rolling day that it does not fit into now, if nothing else is
    /// accepted until then; `None` where it fits, where it can never fit, or where that is too far to
    /// look ahead.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn resets_at(
        &self,
        caps: &Caps,
        scopes: &[(Scope, ScopeCaps)],
        amount: Drops,
        now: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        let days = scopes
            .iter()
            .filter_map(|(scope, caps)| Some((Some(scope), caps.daily?)));
        let mut latest = None;
        let mut tx = self.db().read().await?;
        for (scope, daily) in std::iter::once((None, caps.daily)).chain(days) {
            match fits_at(&mut tx, scope, daily, amount, now).await? {
                Fits::Now => {}
                Fits::At(at) => latest = latest.max(Some(at)),
                Fits::Never => {
                    latest = None;
                    break;
                }
            }
        }
        tx.end().await?;
        Ok(latest)
    }
}

/// When an amount fits into a day.
enum Fits {
    Now,
    At(UnixMs),
    /// Or too late to be found.
    Never,
}

async fn fits_at(
    tx: &mut Tx,
    scope: Option<&Scope>,
    daily: Drops,
    amount: Drops,
    now: UnixMs,
) -> Result<Fits, StoreError> {
    if amount > daily {
        return Ok(Fits::Never);
    }
    let (state, _) = state_of(tx, scope, now).await?;
    let mut usage = state.usage;
    if scope.is_none() {
        // What is forgotten has no place among the payments: it counts as if it stayed.
        let beside = forgotten::counted(tx, state.others, now).await?;
        usage.daily_used = usage.daily_used.checked_add(beside).unwrap_or(Drops::MAX);
    }
    if usage
        .daily_used
        .checked_add(amount)
        .is_some_and(|sum| sum <= daily)
    {
        return Ok(Fits::Now);
    }
    let mut after = (state.counted_through, AFTER_EVERY_ID.to_owned());
    for _ in 0..RESETS_PAGES_MAX {
        let page = counted_after(tx, scope, (after.0, &after.1), RESETS_PAGE).await?;
        let counted = page.iter().map(|(at, drops, _)| (*at, *drops));
        if let Some(at) = limits::resets_at(daily, usage, amount, counted.clone()) {
            return Ok(Fits::At(at));
        }
        let Some((at, _, id)) = page.last() else {
            break;
        };
        after = (*at, id.clone());
        usage.daily_used = counted.fold(usage.daily_used, |used, (_, drops)| {
            used.saturating_sub(drops)
        });
    }
    Ok(Fits::Never)
}
