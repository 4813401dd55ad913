//! What is used of the limits of single clients and destinations.
//!
//! A scope has a row from the first request on that a limit of its own is asked for, made then from the
//! payments that the window holds; so a limit that is switched on later counts what was there before it.
//! From then on whoever accepts or ends a payment of the scope keeps the row, whether his configuration
//! has that limit or not. A row that nobody has asked for in a day is deleted, and made again where it is
//! needed again. How many rows there are stands in the row of all payments, which everybody locks first:
//! where there are none, nobody looks for any.

use super::{LimitState, Settled, decode_counts, lock, save};
use crate::store::Store;
use crate::store::db::{Columns, Kind, Tx, Value};
use crate::store::error::StoreError;
use crate::store::payments::{drops_from, drops_value};
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{Scope, Usage, WINDOW_MS, window_start};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Status;

/// How far a scope's window may lag behind while everything fits. What has left it counts meanwhile,
/// which refuses nobody: before a refusal every window is brought up to the moment.
const LAG_MS: i64 = 60 * 60 * 1_000;
/// How many rows are deleted in one step.
const FORGOTTEN_MAX: u32 = 500;

/// Scopes, and for each whether a limit of its own is asked for.
pub(in crate::store) type Wanted = BTreeMap<Scope, bool>;

/// The rows of some scopes, as one transaction changes them.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Scopes {
    rows: BTreeMap<Scope, Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    state: LimitState,
    asked_at: UnixMs,
    /// Whether the database has it.
    stands: Stands,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// It has no such row.
    Nowhere,
    /// It has another one.
    Otherwise,
    /// It has this one.
    AsHere,
}

const SCOPES: Columns = &[("scope", Kind::Text)];
const NAMES: Columns = &[("name", Kind::Text)];
const RANGES: Columns = &[
    ("name", Kind::Text),
    ("since", Kind::Int),
    ("until", Kind::Int),
];
/// One row of the limits.
pub(super) const ROW: Columns = &[
    ("scope", Kind::Text),
    ("used_drops", Kind::Int),
    ("pending", Kind::Int),
    ("counted_through", Kind::Int),
    ("asked_at", Kind::Int),
];

impl Scopes {
    /// The rows that there are of these scopes. The caller has locked the row of all payments.
    pub(in crate::store) async fn standing(
        tx: &mut Tx,
        scopes: &BTreeSet<Scope>,
    ) -> Result<Self, StoreError> {
        let by_text: BTreeMap<String, &Scope> = scopes
            .iter()
            .map(|scope| (scope.to_string(), scope))
            .collect();
        let asked = by_text.keys().map(|text| vec![text.as_str().into()]);
        let found = tx
            .fetch_with(
                SCOPES,
                asked.collect(),
                "select s.scope, s.used_drops, s.pending, s.counted_through, s.asked_at \
                 from v join limit_state s on s.scope = v.scope",
            )
            .await?;
        let mut rows = BTreeMap::new();
        for row in &found {
            let text = row.text("scope")?;
            let Some(scope) = by_text.get(&text) else {
                return Err(StoreError::corrupt("the limits", "a row nobody asked for"));
            };
            let held = Held {
                state: decode_counts(row)?,
                asked_at: UnixMs(row.int("asked_at")?),
                stands: Stands::AsHere,
            };
            rows.insert((*scope).clone(), held);
        }
        Ok(Self { rows })
    }

    /// The rows of these scopes, of which `others` stand altogether; those are made that a limit is asked
    /// for and that do not stand.
    pub(in crate::store) async fn load(
        tx: &mut Tx,
        wanted: &Wanted,
        others: u32,
        now: UnixMs,
    ) -> Result<Self, StoreError> {
        let mut scopes = if others > 0 {
            Self::standing(tx, &wanted.keys().cloned().collect()).await?
        } else {
            Self::default()
        };
        let asked = wanted.iter().filter(|(_, asked)| **asked);
        let mut missing = Vec::new();
        for (scope, _) in asked {
            match scopes.rows.get_mut(scope) {
                Some(held) => held.asked_at = now,
                None => missing.push(scope.clone()),
            }
        }
        let made = made(tx, &missing, now).await?;
        scopes.rows.extend(made);
        let lags = |held: &Held| {
            let state = &held.state;
            state.is_ahead_of(now) || now.since_ms(state.counted_through) > WINDOW_MS + LAG_MS
        };
        scopes.align_those(tx, now, lags).await?;
        Ok(scopes)
    }

    /// Moves every window to where it is at `now`.
    pub(in crate::store) async fn align(
        &mut self,
        tx: &mut Tx,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        self.align_those(tx, now, |_| true).await
    }

    async fn align_those(
        &mut self,
        tx: &mut Tx,
        now: UnixMs,
        which: impl Fn(&Held) -> bool,
    ) -> Result<(), StoreError> {
        let start = window_start(now);
        let late = |held: &Held| held.state.counted_through != start && which(held);
        let late: Vec<Scope> = self
            .rows
            .iter()
            .filter(|(_, held)| late(held))
            .map(|(scope, _)| scope.clone())
            .collect();
        let ranges: Vec<_> = late
            .into_iter()
            .filter_map(|scope| {
                let range = self.rows.get(&scope)?.state.between(now);
                Some((scope, range))
            })
            .collect();
        let moved = sums(tx, &ranges).await?;
        for (scope, _) in ranges {
            let drops = moved.get(&scope).copied().unwrap_or_default();
            if let Some(held) = self.rows.get_mut(&scope) {
                held.change(held.state.moved_to(now, drops)?);
            }
        }
        Ok(())
    }

    /// What is used of a scope, where it has a row.
    pub(in crate::store) fn usage(&self, scope: &Scope) -> Option<Usage> {
        self.rows.get(scope).map(|held| held.state.usage)
    }

    pub(super) fn state(&self, scope: &Scope) -> Option<LimitState> {
        self.rows.get(scope).map(|held| held.state)
    }

    /// Whether there is no row at all.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether reading it again would cost more than writing it.
    pub(in crate::store) fn is_worth_keeping(&self) -> bool {
        self.rows.values().any(|held| held.stands != Stands::AsHere)
    }

    /// Reserves `amount` in a scope, where it has a row.
    pub(in crate::store) fn take(
        &mut self,
        scope: &Scope,
        amount: Drops,
    ) -> Result<(), StoreError> {
        let Some(held) = self.rows.get_mut(scope) else {
            return Ok(());
        };
        let usage = held.state.usage.with(amount);
        let usage = usage.ok_or_else(|| {
            StoreError::corrupt("the limits", format!("{scope} uses more than there is"))
        })?;
        held.change(LimitState {
            usage,
            ..held.state
        });
        Ok(())
    }

    pub(super) fn settle(&mut self, one: &Settled<'_>) -> Result<(), StoreError> {
        for scope in one.scopes() {
            if let Some(held) = self.rows.get_mut(&scope) {
                let mut state = held.state;
                state.settle(one)?;
                held.change(state);
            }
        }
        Ok(())
    }

    /// How many rows there will be that the database does not have.
    pub(in crate::store) fn new_rows(&self) -> u32 {
        let new = self.rows.values();
        let new = new.filter(|held| held.stands == Stands::Nowhere).count();
        u32::try_from(new).unwrap_or(u32::MAX)
    }

    /// Writes what the database does not have.
    pub(in crate::store) async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let rows: Vec<Vec<Value>> = self
            .rows
            .iter()
            .filter(|(_, held)| held.stands != Stands::AsHere)
            .map(|(scope, held)| {
                vec![
                    scope.to_string().into(),
                    drops_value(held.state.usage.daily_used).into(),
                    held.state.usage.pending.into(),
                    held.state.counted_through.0.into(),
                    held.asked_at.0.into(),
                ]
            })
            .collect();
        let after = "on conflict (scope) do update set used_drops = excluded.used_drops, \
            pending = excluded.pending, counted_through = excluded.counted_through, \
            asked_at = excluded.asked_at";
        tx.insert("limit_state", ROW, rows, after).await?;
        Ok(())
    }
}

impl Held {
    fn change(&mut self, state: LimitState) {
        if self.state != state && self.stands == Stands::AsHere {
            self.stands = Stands::Otherwise;
        }
        self.state = state;
    }
}

/// Rows as the payments make them.
async fn made(
    tx: &mut Tx,
    scopes: &[Scope],
    now: UnixMs,
) -> Result<BTreeMap<Scope, Held>, StoreError> {
    if scopes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let start = window_start(now);
    // What was accepted while the clock was ahead counts as well.
    let ranges: Vec<_> = scopes
        .iter()
        .map(|scope| (scope.clone(), (start, UnixMs(i64::MAX))))
        .collect();
    let used = sums(tx, &ranges).await?;
    let open = open(tx, scopes).await?;
    let row = |scope: &Scope| {
        let state = LimitState {
            usage: Usage {
                daily_used: used.get(scope).copied().unwrap_or_default(),
                pending: open.get(scope).copied().unwrap_or_default(),
            },
            counted_through: start,
            others: 0,
            words: 0,
        };
        let held = Held {
            state,
            asked_at: now,
            stands: Stands::Nowhere,
        };
        (scope.clone(), held)
    };
    Ok(scopes.iter().map(row).collect())
}

/// The clients and the accounts among scopes, each with the text that the payments bear.
fn texts<'a>(scopes: impl Iterator<Item = &'a Scope>) -> [BTreeMap<String, Scope>; 2] {
    let (mut clients, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    for scope in scopes {
        match scope {
            Scope::Client(name) => clients.insert(name.clone(), scope.clone()),
            Scope::Destination(account) => accounts.insert(account.to_string(), scope.clone()),
        };
    }
    [clients, accounts]
}

/// Every status, as a list of SQL.
fn every_status() -> String {
    let quoted: Vec<String> = Status::ALL
        .iter()
        .map(|status| format!("'{}'", status.as_str()))
        .collect();
    quoted.join(", ")
}

/// What the payments of each scope count for that were accepted after one instant and not after another.
async fn sums(
    tx: &mut Tx,
    ranges: &[(Scope, (UnixMs, UnixMs))],
) -> Result<BTreeMap<Scope, Drops>, StoreError> {
    let mut sums: BTreeMap<Scope, Drops> = BTreeMap::new();
    if ranges.is_empty() {
        return Ok(sums);
    }
    let by_scope: BTreeMap<&Scope, (UnixMs, UnixMs)> = ranges
        .iter()
        .map(|(scope, range)| (scope, *range))
        .collect();
    let [clients, accounts] = texts(by_scope.keys().copied());
    let rows = |names: &BTreeMap<String, Scope>| {
        let row = |(name, scope): (&String, &Scope)| {
            let (since, until) = by_scope.get(scope)?;
            Some(vec![name.as_str().into(), since.0.into(), until.0.into()])
        };
        names.iter().filter_map(row).collect::<Vec<Vec<Value>>>()
    };
    let of_clients = format!(
        "select v.name, cast(coalesce(sum(p.counted_drops), 0) as bigint) as drops \
         from v join payments p on p.client = v.name and p.status in ({}) \
         and p.created_at > v.since and p.created_at <= v.until group by v.name",
        every_status()
    );
    let to_accounts = "select v.name, cast(coalesce(sum(p.counted_drops), 0) as bigint) as drops \
         from v join payments p on p.destination = v.name and p.status <> 'processing' \
         and p.created_at > v.since and p.created_at <= v.until group by v.name";
    for (names, sql) in [(&clients, of_clients.as_str()), (&accounts, to_accounts)] {
        for row in &tx.fetch_with(RANGES, rows(names), sql).await? {
            let drops = drops_from("the limits", row.int("drops")?)?;
            if let Some(scope) = names.get(&row.text("name")?) {
                add(&mut sums, scope, drops)?;
            }
        }
    }
    // Those on their way are few, and in no index by what they are paid to.
    for (scope, at, drops) in processing(tx, &accounts).await? {
        let range = by_scope.get(&scope);
        if range.is_some_and(|(since, until)| at > *since && at <= *until) {
            add(&mut sums, &scope, drops)?;
        }
    }
    Ok(sums)
}

fn add(sums: &mut BTreeMap<Scope, Drops>, scope: &Scope, drops: Drops) -> Result<(), StoreError> {
    let sum = sums.entry(scope.clone()).or_default();
    *sum = sum
        .checked_add(drops)
        .ok_or_else(|| StoreError::corrupt("the limits", "the payments count for too much"))?;
    Ok(())
}

/// How many payments of each scope have no end.
async fn open(tx: &mut Tx, scopes: &[Scope]) -> Result<BTreeMap<Scope, u32>, StoreError> {
    let [clients, accounts] = texts(scopes.iter());
    let mut open: BTreeMap<Scope, u32> = BTreeMap::new();
    let names = |names: &BTreeMap<String, Scope>| -> Vec<Vec<Value>> {
        names
            .keys()
            .map(|name| vec![name.as_str().into()])
            .collect()
    };
    let of_clients = "select v.name, count(*) as n from v join payments p on p.client = v.name \
         and p.status in ('processing', 'awaiting_approval') group by v.name";
    let awaiting = "select p.destination as name, count(*) as n from payments p \
         where p.phase = 'awaiting' and p.destination in (select v.name from v) \
         group by p.destination";
    for (known, sql) in [(&clients, of_clients), (&accounts, awaiting)] {
        for row in &tx.fetch_with(NAMES, names(known), sql).await? {
            if let Some(scope) = known.get(&row.text("name")?) {
                open.insert(scope.clone(), row.uint("n")?);
            }
        }
    }
    for (scope, ..) in processing(tx, &accounts).await? {
        let count = open.entry(scope).or_default();
        *count = count.saturating_add(1);
    }
    Ok(open)
}

/// The payments on their way to these accounts.
async fn processing(
    tx: &mut Tx,
    accounts: &BTreeMap<String, Scope>,
) -> Result<Vec<(Scope, UnixMs, Drops)>, StoreError> {
    let names = accounts.keys().map(|name| vec![name.as_str().into()]);
    let rows = tx
        .fetch_with(
            NAMES,
            names.collect(),
            "select p.destination, p.created_at, p.counted_drops from payments p \
             where p.status = 'processing' and p.destination in (select v.name from v)",
        )
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(scope) = accounts.get(&row.text("destination")?) {
            let drops = drops_from("the limits", row.int("counted_drops")?)?;
            found.push((scope.clone(), UnixMs(row.int("created_at")?), drops));
        }
    }
    Ok(found)
}

impl Store {
    /// Deletes rows of clients and destinations whose limits nobody has asked for in a day, some at a
    /// time; answers with how many.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn forget_limit_scopes(&self, now: UnixMs) -> Result<u32, StoreError> {
        let mut tx = self.db().write().await?;
        let mut state = lock(&mut tx).await?;
        if state.others == 0 {
            tx.end().await?;
            return Ok(0);
        }
        // One that was asked for a day from now was asked for by a clock that has been set right since.
        let rows = tx
            .fetch(
                "select scope from limit_state where scope <> 'all' \
                 and (asked_at <= $1 or asked_at > $2) order by asked_at limit $3",
                vec![
                    window_start(now).0.into(),
                    now.plus_ms(WINDOW_MS).0.into(),
                    FORGOTTEN_MAX.into(),
                ],
            )
            .await?;
        let mut old = Vec::with_capacity(rows.len());
        for row in &rows {
            old.push(vec![row.text("scope")?.into()]);
        }
        let sql = "delete from limit_state where scope in (select v.scope from v)";
        let deleted = tx.execute_with(SCOPES, old, sql).await?;
        let deleted = u32::try_from(deleted).unwrap_or(u32::MAX);
        state.others = state.others.checked_sub(deleted).ok_or_else(|| {
            StoreError::corrupt("the limits", "more rows were deleted than there are")
        })?;
        save(&mut tx, &state).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
