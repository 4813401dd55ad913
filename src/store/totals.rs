//! How many payments stand where: ends are counted as they happen, those on their way are counted
//! in an index that holds nothing else.

use super::Store;
use super::db::{Columns, Kind, Tx};
use super::error::StoreError;
use super::payments::drops_from;
use std::collections::BTreeMap;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Payment, Status, Substatus};
use xrpayd_core::route::Load;

/// How many payments stand where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// All payments by status; every status has an entry.
    pub by_status: BTreeMap<Status, u64>,
    /// Those on their way by substatus; every substatus has an entry.
    pub by_substatus: BTreeMap<Substatus, u64>,
    /// When the oldest of those on their way was accepted.
    pub oldest_processing: Option<UnixMs>,
    /// The same of each substatus; one without payments has no entry.
    pub oldest_by_substatus: BTreeMap<Substatus, UnixMs>,
    /// The same for each wallet that has payments.
    pub wallets: BTreeMap<String, WalletTotals>,
}

/// How many payments of one wallet stand where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WalletTotals {
    /// All payments by status; a status without payments has no entry.
    pub by_status: BTreeMap<Status, u64>,
    /// Those on their way by substatus; a substatus without payments has no entry.
    pub by_substatus: BTreeMap<Substatus, u64>,
    /// When the oldest of those on their way was accepted.
    pub oldest_processing: Option<UnixMs>,
}

impl Totals {
    /// How many payments have no end yet: those on their way, and those that wait for an approval.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let open = self.by_status.iter().filter(|(s, _)| !s.is_final());
        open.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

const REACHED: Columns = &[
    ("wallet", Kind::Text),
    ("status", Kind::Text),
    ("reached", Kind::Int),
];

/// Counts payments that have just reached their end.
pub(super) async fn count_ends(tx: &mut Tx, ended: &[&Payment]) -> Result<(), StoreError> {
    let mut reached: BTreeMap<(&str, Status), i64> = BTreeMap::new();
    for payment in ended {
        *reached
            .entry((&payment.wallet, payment.status()))
            .or_default() += 1;
    }
    // Always in the same order, so that two lanes never wait for each other in a circle.
    let rows = reached
        .into_iter()
        .map(|((wallet, status), n)| vec![wallet.into(), status.as_str().into(), n.into()])
        .collect();
    let add = "on conflict (wallet, status) do update \
        set reached = payment_ends.reached + excluded.reached";
    tx.insert("payment_ends", REACHED, rows, add).await?;
    Ok(())
}

impl Store {
    /// How many payments stand where.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let mut tx = self.db().read().await?;
        let processing = tx
            .fetch(
                "select wallet, substatus, count(*) as n, min(created_at) as oldest \
                 from payments where status = 'processing' group by wallet, substatus",
                Vec::new(),
            )
            .await?;
        let awaiting = tx
            .fetch(
                "select wallet, count(*) as n from payments where phase = 'awaiting' group by wallet",
                Vec::new(),
            )
            .await?;
        let ends = tx
            .fetch(
                "select wallet, status, reached as n from payment_ends",
                Vec::new(),
            )
            .await?;
        tx.end().await?;

        let mut totals = Totals {
            by_status: Status::ALL.into_iter().map(|status| (status, 0)).collect(),
            by_substatus: Substatus::ALL
                .into_iter()
                .map(|substatus| (substatus, 0))
                .collect(),
            ..Totals::default()
        };
        for row in &processing {
            let substatus = word(&Substatus::ALL, Substatus::as_str, &row.text("substatus")?)?;
            let (n, oldest) = (count(row.int("n")?)?, UnixMs(row.int("oldest")?));
            totals.add(row.text("wallet")?, Status::Processing, Some(substatus), n);
            let known = totals.oldest_by_substatus.entry(substatus);
            known
                .and_modify(|known| *known = oldest.min(*known))
                .or_insert(oldest);
            let wallet = totals.wallets.entry(row.text("wallet")?).or_default();
            for slot in [&mut wallet.oldest_processing, &mut totals.oldest_processing] {
                *slot = Some(slot.map_or(oldest, |known| known.min(oldest)));
            }
        }
        for row in &awaiting {
            let n = count(row.int("n")?)?;
            totals.add(row.text("wallet")?, Status::AwaitingApproval, None, n);
        }
        for row in &ends {
            let status = word(&Status::ALL, Status::as_str, &row.text("status")?)?;
            totals.add(row.text("wallet")?, status, None, count(row.int("n")?)?);
        }
        Ok(totals)
    }
}

impl Store {
    /// How many attempts have no end although the ledger has passed the last one that could hold them.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn attempts_overdue(&self, tip: LedgerIndex) -> Result<u64, StoreError> {
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                "select count(*) as n from attempts a where a.open = 1 and a.last_ledger < $1",
                vec![tip.0.into()],
            )
            .await?;
        tx.end().await?;
        row.map_or(Ok(0), |row| count(row.int("n")?))
    }

    /// What is accepted of a wallet and not signed.
    ///
    /// # Errors
    /// The database does not answer, or holds an amount that cannot be read.
    pub async fn queued_amount(&self, wallet: &str) -> Result<Drops, StoreError> {
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                "select cast(coalesce(sum(p.amount_drops), 0) as bigint) as queued \
                 from payments p where p.wallet = $1 and p.phase = 'queued'",
                vec![wallet.into()],
            )
            .await?;
        tx.end().await?;
        row.map_or(Ok(Drops::ZERO), |row| {
            drops_from("the sum of what is queued", row.int("queued")?)
        })
    }

    /// What each wallet was given and has not brought to an end, those that wait for an approval among
    /// it. A wallet without any has no entry.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn loads(&self) -> Result<BTreeMap<String, Load>, StoreError> {
        let mut tx = self.db().read().await?;
        let mut loads: BTreeMap<String, Load> = BTreeMap::new();
        for which in ["status = 'processing'", "phase = 'awaiting'"] {
            let sql = format!(
                "select wallet, count(*) as n, cast(sum(amount_drops) as bigint) as drops \
                 from payments where {which} group by wallet"
            );
            for row in &tx.fetch(sql, Vec::new()).await? {
                let part = Load {
                    count: count(row.int("n")?)?,
                    drops: u128::from(count(row.int("drops")?)?),
                };
                let load = loads.entry(row.text("wallet")?).or_default();
                *load = load.and(part);
            }
        }
        tx.end().await?;
        Ok(loads)
    }
}

impl Totals {
    fn add(&mut self, wallet: String, status: Status, substatus: Option<Substatus>, n: u64) {
        let wallet = self.wallets.entry(wallet).or_default();
        for counts in [&mut wallet.by_status, &mut self.by_status] {
            let count = counts.entry(status).or_default();
            *count = count.saturating_add(n);
        }
        let Some(substatus) = substatus else { return };
        for counts in [&mut wallet.by_substatus, &mut self.by_substatus] {
            let count = counts.entry(substatus).or_default();
            *count = count.saturating_add(n);
        }
    }
}

fn word<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, StoreError> {
    all.iter()
        .copied()
        .find(|&value| name(value) == text)
        .ok_or_else(|| StoreError::corrupt("a count of payments", format!("{text} is unknown")))
}

fn count(n: i64) -> Result<u64, StoreError> {
    u64::try_from(n).map_err(|_| StoreError::corrupt("a count of payments", format!("{n}")))
}
