//! What left within the day for payments that this database does not know any more.
//!
//! A database that was promoted or restored without its last payments has forgotten what they counted
//! for, and the ledger shows that their money left. So what the journal shows as delivered under one of
//! our markers, and no attempt accounts for, counts against the day of all payments from the close of its
//! ledger, until it is adopted: from then on the payment that was asked for again counts, and nothing
//! counts twice.
//!
//! It stands beside what the payments add up to, in a row of its own that is always added up anew and
//! never reckoned further: by the commit that finds or adopts such a delivery, and once a minute while
//! there is any. Whoever touches it has locked the row of all payments; that row's count of others says
//! whether there is one to look for. Clients' and destinations' own limits do not count it: whose it was
//! is not known.

use super::lock;
use super::scopes::ROW;
use crate::store::Store;
use crate::store::accept::NewPayment;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::payments::{drops_from, drops_value};
use crate::store::remembered::{self, FORGOTTEN};
use std::collections::BTreeSet;
use xrpayd_core::engine::{LaneCommit, Remembered};
use xrpayd_core::ids::{Hash256, PaymentId, UnixMs};
use xrpayd_core::journal::Delivered;
use xrpayd_core::limits::{WINDOW_MS, window_start};
use xrpayd_core::marker;
use xrpayd_core::money::Drops;

/// The row's name.
const SCOPE: &str = "forgotten";
/// How old the sum may be. What has left the day since still counts, so somebody may be refused for that
/// much longer.
const LAG_MS: i64 = 60 * 1_000;

/// What is forgotten, as a batch of requests is held against it.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Forgotten {
    /// What it adds up to.
    pub drops: Drops,
    /// Requests for what the ledger holds as delivered already: they move nothing, and are counted.
    pub served: BTreeSet<PaymentId>,
}

/// The row as it stands.
#[derive(Debug, Clone, Copy)]
struct Sum {
    drops: Drops,
    counted_through: UnixMs,
}

impl Sum {
    /// Whether it has to be added up again.
    fn is_late(&self, now: UnixMs) -> bool {
        let is_ahead = window_start(now) < self.counted_through;
        let lags = now.since_ms(self.counted_through) > WINDOW_MS + LAG_MS;
        is_ahead || (lags && self.drops > Drops::ZERO)
    }
}

impl Forgotten {
    /// What is forgotten; `others` is how many rows there are besides the one of all payments, which
    /// the caller has locked.
    pub(in crate::store) async fn load(
        tx: &mut Tx,
        others: u32,
        now: UnixMs,
    ) -> Result<Self, StoreError> {
        let Some(sum) = stored(tx, others).await? else {
            return Ok(Self::default());
        };
        let mut drops = sum.drops;
        if sum.is_late(now) {
            drops = add_up(tx, now).await?;
            keep(tx, drops, now).await?;
        }
        Ok(Self {
            drops,
            served: BTreeSet::new(),
        })
    }

    /// Finds those among the requests that the ledger has served already, each in the very form in which
    /// it is asked for again.
    pub(in crate::store) async fn recognise(
        &mut self,
        tx: &mut Tx,
        news: &[NewPayment],
    ) -> Result<(), StoreError> {
        if self.drops == Drops::ZERO {
            return Ok(());
        }
        let rows = tx
            .fetch("select name from wallets order by name", Vec::new())
            .await?;
        let wallets = rows.iter().map(|row| row.text("name"));
        let wallets = wallets.collect::<Result<Vec<String>, _>>()?;
        let mut marked: Vec<(&str, Hash256)> = Vec::new();
        for new in news {
            let key = &new.order.idempotency_key;
            let of = |wallet: &String| marker::of(wallet, &new.client, key);
            marked.extend(wallets.iter().map(|wallet| (wallet.as_str(), of(wallet))));
        }
        let rows = remembered::marked_so(tx, &marked).await?;
        for new in news {
            let of = |row: &Remembered| {
                row.marker == marker::of(&row.wallet, &new.client, &new.order.idempotency_key)
            };
            if rows.iter().any(|row| of(row) && is_served_by(new, row)) {
                self.served.insert(new.id);
            }
        }
        Ok(())
    }
}

/// Whether a transaction delivered just what is asked for.
fn is_served_by(new: &NewPayment, row: &Remembered) -> bool {
    let order = &new.order;
    row.result == "tesSUCCESS"
        && row.delivered == Delivered::Xrp(order.amount)
        && row.destination == Some(order.destination.to_string())
        && row.destination_tag == order.destination_tag
}

/// What is forgotten, for who only looks.
pub(super) async fn counted(tx: &mut Tx, others: u32, now: UnixMs) -> Result<Drops, StoreError> {
    match stored(tx, others).await? {
        Some(sum) if sum.is_late(now) => add_up(tx, now).await,
        Some(sum) => Ok(sum.drops),
        None => Ok(Drops::ZERO),
    }
}

/// Adds up again what a commit of an engine may have changed, as the last that it does with payments and
/// limits: deliveries that it found, and such as it adopted.
pub(in crate::store) async fn follow(tx: &mut Tx, commit: &LaneCommit) -> Result<(), StoreError> {
    let finds = commit
        .journal
        .as_ref()
        .is_some_and(|journal| !journal.remembered.is_empty());
    // What is adopted was signed in another life, and is sent by nobody in this one.
    let mut blobs = commit.changes.iter().flat_map(|change| &change.new_blobs);
    let adopts = blobs.any(|(_, blob)| blob.is_empty());
    if !finds && !adopts {
        return Ok(());
    }
    recount(tx, commit.now).await
}

impl Store {
    /// Adds up anew what is forgotten, for a process that begins: an older version may have found some
    /// of it, and counted none.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn recount_forgotten(&self, now: UnixMs) -> Result<(), StoreError> {
        // Where it is counted, or there is nothing, no accept waits for this.
        let mut tx = self.db().read().await?;
        let others = super::read_with(&mut tx, "").await?.others;
        let is_counted =
            stored(&mut tx, others).await?.is_some() || add_up(&mut tx, now).await? == Drops::ZERO;
        tx.end().await?;
        if is_counted {
            return Ok(());
        }
        let mut tx = self.db().write().await?;
        recount(&mut tx, now).await?;
        tx.commit().await
    }
}

async fn recount(tx: &mut Tx, now: UnixMs) -> Result<(), StoreError> {
    let mut state = lock(tx).await?;
    let stands = stored(tx, state.others).await?.is_some();
    let drops = add_up(tx, now).await?;
    if !stands && drops == Drops::ZERO {
        return Ok(());
    }
    keep(tx, drops, now).await?;
    if !stands {
        state.others = state.others.saturating_add(1);
        super::save(tx, &state).await?;
    }
    Ok(())
}

async fn stored(tx: &mut Tx, others: u32) -> Result<Option<Sum>, StoreError> {
    if others == 0 {
        return Ok(None);
    }
    let sql = "select used_drops, counted_through from limit_state where scope = $1";
    let row = tx.fetch_optional(sql, vec![SCOPE.into()]).await?;
    row.map(|row| {
        Ok(Sum {
            drops: drops_from("the limits", row.int("used_drops")?)?,
            counted_through: UnixMs(row.int("counted_through")?),
        })
    })
    .transpose()
}

/// What the ledgers that closed within the day delivered for payments that are not known.
async fn add_up(tx: &mut Tx, now: UnixMs) -> Result<Drops, StoreError> {
    let sql = format!(
        "select cast(coalesce(sum(cast(r.delivered_value as bigint)), 0) as bigint) as drops \
         from remembered r join journal_entries j on j.wallet = r.wallet \
         and j.ledger_index = r.ledger_index and j.tx_index = r.tx_index \
         where {FORGOTTEN} and j.closed_at > $1"
    );
    let row = tx
        .fetch_optional(sql, vec![window_start(now).0.into()])
        .await?;
    drops_from("the limits", row.map_or(Ok(0), |row| row.int("drops"))?)
}

async fn keep(tx: &mut Tx, drops: Drops, now: UnixMs) -> Result<(), StoreError> {
    let row = vec![
        SCOPE.into(),
        drops_value(drops).into(),
        0_u32.into(),
        window_start(now).0.into(),
        now.0.into(),
    ];
    let after = "on conflict (scope) do update set used_drops = excluded.used_drops, \
        counted_through = excluded.counted_through, asked_at = excluded.asked_at";
    tx.insert("limit_state", ROW, vec![row], after).await?;
    Ok(())
}
