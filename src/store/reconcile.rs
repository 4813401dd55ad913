//! The books as a reconciliation reads them, beside a daemon that goes on writing.
//!
//! Nothing here changes anything. What a ledger up to the cursor
//! settled was committed with that cursor, so payments that are read after it tell at least as much.

use super::attempts;
use super::db::{Row, Tx};
use super::error::StoreError;
use super::payments;
use super::{Store, backfill, journal, lane, reconcile_deposits};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerIndex, PaymentId, TxHash};
use xrpayd_core::journal::{Cursor, Entry};
use xrpayd_core::payment::{Attempt, Payment, Status};
use xrpayd_core::reconcile::{BookedDeposit, Tally};

/// Payments that are read at a time.
const PAYMENTS_MAX: usize = 500;
/// Rows that are named where a whole table is looked through for what cannot be.
pub(super) const NAMED_MAX: u32 = 20;

/// Where a wallet's books stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose account it is.
    pub account: AccountId,
    /// Where its journal begins and ends.
    pub cursor: Cursor,
    /// The balance before the journal's first ledger, in drops, where that was kept.
    pub opening: Option<i128>,
    /// What the entries before the asked ledger moved, in drops.
    pub moved_before: i128,
    /// Rows of the journal that lie outside of its range.
    pub rows_outside: u64,
    /// Transactions that were not signed here are accepted up to this ledger.
    pub foreign_accepted: Option<LedgerIndex>,
    /// Ledgers whose credits are still to be booked: of a database from before deposits were.
    pub unbooked: Option<RangeInclusive<LedgerIndex>>,
    /// Some deposits of ledgers outside of the journal, where there are any.
    pub deposits_outside: Vec<BookedDeposit>,
}

/// A row of the journal, and what it moved the balance by, where that is known.
pub type BookedRow = (Entry, Option<i128>);

/// What was signed for the slots that a stretch of ledgers could have used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Every payment with such an attempt.
    pub payments: Vec<Payment>,
    /// Such attempts without a payment.
    pub chores: Vec<Attempt>,
}

impl Store {
    /// Where the books of a wallet stand, with what moved before the ledger `from`; `None` for a wallet
    /// whose journal has not begun.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn standing(
        &self,
        wallet: &str,
        from: LedgerIndex,
    ) -> Result<Option<Standing>, StoreError> {
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                format!(
                    "select {}, opening_drops, foreign_accepted, deposits_from, deposits_to \
                     from wallets where name = $1",
                    lane::CURSOR
                ),
                vec![wallet.into()],
            )
            .await?;
        let Some(row) = row else {
            tx.end().await?;
            return Ok(None);
        };
        let (account, cursor) = lane::anchored(wallet, &row)?;
        let sums = tx
            .fetch_optional(
                "select cast(coalesce(sum(change_drops), 0) as bigint) as moved from journal_entries \
                 where wallet = $1 and ledger_index >= $3 and ledger_index < $2",
                vec![wallet.into(), from.0.into(), cursor.start.0.into()],
            )
            .await?;
        // What is booked of a past that has not been read to its end is no part of the journal yet.
        let first = backfill::first_entry(&mut tx, wallet, cursor.start).await?;
        let outside = tx
            .fetch_optional(
                "select count(*) as n from journal_entries where wallet = $1 \
                 and (ledger_index < $2 or ledger_index > $3)",
                vec![wallet.into(), first.0.into(), cursor.at.0.into()],
            )
            .await?;
        let deposits_outside =
            reconcile_deposits::outside(&mut tx, wallet, first, cursor.at).await?;
        tx.end().await?;
        let unbooked = (
            row.uint_or_null("deposits_from")?,
            row.uint_or_null("deposits_to")?,
        );
        let opening = row.int_or_null("opening_drops")?;
        Ok(Some(Standing {
            account,
            cursor,
            opening: opening.map(i128::from),
            moved_before: sums.map_or(Ok(0), |row| row.int("moved"))?.into(),
            rows_outside: outside.map_or(Ok(0), |row| count(&row, "n"))?,
            foreign_accepted: row.uint_or_null("foreign_accepted")?.map(LedgerIndex),
            unbooked: match unbooked {
                (Some(from), Some(to)) => Some(LedgerIndex(from)..=LedgerIndex(to)),
                _ => None,
            },
            deposits_outside,
        }))
    }

    /// The journal of a wallet between two ledgers, both included, with what each entry moved.
    ///
    /// # Errors
    /// The database does not answer, or holds an entry that cannot be read.
    pub async fn booked(
        &self,
        wallet: &str,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<Vec<BookedRow>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = journal::rows_between(&mut tx, wallet, from, to).await?;
        tx.end().await?;
        rows.iter()
            .map(|row| {
                let change = row.int_or_null("change_drops")?;
                Ok((journal::decode(row)?, change.map(i128::from)))
            })
            .collect()
    }

    /// What was signed for sequences from `sequences.0` up to but not with `sequences.1`, and for tickets
    /// that the ledgers `from ..= to` could have seen used.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn signed_for(
        &self,
        wallet: &str,
        sequences: (u32, u32),
        (from, to): (LedgerIndex, LedgerIndex),
    ) -> Result<Signed, StoreError> {
        let mut tx = self.db().read().await?;
        let of_sequences = tx
            .fetch(
                attempts::select(
                    "a.wallet = $1 and a.slot_kind = 'sequence' and a.slot >= $2 and a.slot < $3",
                ),
                vec![wallet.into(), sequences.0.into(), sequences.1.into()],
            )
            .await?;
        let of_tickets = tx
            .fetch(
                attempts::select(
                    "a.wallet = $1 and a.slot_kind = 'ticket' and a.last_ledger >= $2 and a.first_ledger <= $3",
                ),
                vec![wallet.into(), from.0.into(), to.0.into()],
            )
            .await?;
        tx.end().await?;
        let (mut ids, mut chores) = (BTreeSet::new(), Vec::new());
        for row in of_sequences.iter().chain(&of_tickets) {
            match row.text_or_null("payment_id")? {
                Some(id) => {
                    ids.insert(payment_id(&id)?);
                }
                None => chores.push(attempts::decode(row)?),
            }
        }
        let ids: Vec<PaymentId> = ids.into_iter().collect();
        let mut found = Vec::with_capacity(ids.len());
        for page in ids.chunks(PAYMENTS_MAX) {
            found.extend(self.payments_by_id(page).await?.into_values());
        }
        Ok(Signed {
            payments: found,
            chores,
        })
    }

    /// Payments of an earlier life that the ledgers `from ..= to` remember.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remembered_between(
        &self,
        wallet: &str,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<BTreeSet<TxHash>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                "select hash from remembered where wallet = $1 and ledger_index between $2 and $3",
                vec![wallet.into(), from.0.into(), to.0.into()],
            )
            .await?;
        tx.end().await?;
        rows.iter()
            .map(|row| Ok(TxHash(row.hash("hash")?)))
            .collect()
    }

    /// The payments, of whichever wallet, that ended without anything being delivered and without an
    /// attempt, by pages: those after one of them.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn ended_unsigned(
        &self,
        after: Option<PaymentId>,
    ) -> Result<Vec<Payment>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                format!(
                    "select {} from payments p \
                     where p.status in ('expired', 'cancelled', 'rejected') and p.id > $1 \
                     and not exists (select 1 from attempts a where a.payment_id = p.id) \
                     order by p.id limit $2",
                    payments::COLUMNS
                ),
                vec![
                    after.map_or_else(String::new, |id| id.to_string()).into(),
                    i64::try_from(PAYMENTS_MAX).unwrap_or(i64::MAX).into(),
                ],
            )
            .await?;
        let found = payments::assemble(&mut tx, &rows).await?;
        tx.end().await?;
        Ok(found)
    }

    /// The counters and what the payments add up to, in one unmoving picture. It looks through the
    /// whole table, so it is not for a path that anybody waits for.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn tally(&self) -> Result<Tally, StoreError> {
        let mut tx = self.db().read().await?;
        let tally = tally(&mut tx).await;
        tx.end().await?;
        tally
    }
}

async fn tally(tx: &mut Tx) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let limits = tx
        .fetch_optional(
            "select used_drops, pending, \
             (select cast(coalesce(sum(p.counted_drops), 0) as bigint) from payments p \
              where p.created_at > counted_through) as summed \
             from limit_state where scope = 'all'",
            Vec::new(),
        )
        .await?
        .ok_or_else(|| StoreError::corrupt("the limits", "their row is missing"))?;
    tally.daily_used = limits.int("used_drops")?.into();
    tally.daily_summed = limits.int("summed")?.into();
    tally.pending = limits.uint("pending")?.into();
    let counted = tx
        .fetch(
            "select wallet, status, count(*) as n from payments group by wallet, status",
            Vec::new(),
        )
        .await?;
    for row in &counted {
        let (key, n) = (status_of(row)?, count(row, "n")?);
        if key.1.is_final() {
            tally.ends_counted.insert(key, n);
        } else {
            tally.pending_counted = tally.pending_counted.saturating_add(n);
        }
    }
    let ends = tx
        .fetch(
            "select wallet, status, reached as n from payment_ends",
            Vec::new(),
        )
        .await?;
    tally.ends = ends
        .iter()
        .map(|row| Ok((status_of(row)?, count(row, "n")?)))
        .collect::<Result<BTreeMap<_, _>, StoreError>>()?;
    tally.miscounted = ids(
        tx,
        "select id from payments where counted_drops <> \
         case when status in ('failed', 'expired', 'cancelled', 'rejected') then 0 else amount_drops end \
         order by id limit $1",
    )
    .await?;
    tally.unsigned = ids(
        tx,
        "select p.id from payments p where p.status = 'succeeded' \
         and not exists (select 1 from attempts a where a.payment_id = p.id) order by p.id limit $1",
    )
    .await?;
    Ok(tally)
}

async fn ids(tx: &mut Tx, sql: &'static str) -> Result<Vec<String>, StoreError> {
    let rows = tx.fetch(sql, vec![NAMED_MAX.into()]).await?;
    rows.iter().map(|row| row.text("id")).collect()
}

fn status_of(row: &Row) -> Result<(String, Status), StoreError> {
    let text = row.text("status")?;
    let status = Status::ALL
        .into_iter()
        .find(|status| status.as_str() == text);
    let status = status
        .ok_or_else(|| StoreError::corrupt("a count of payments", format!("{text} is unknown")))?;
    Ok((row.text("wallet")?, status))
}

fn count(row: &Row, column: &str) -> Result<u64, StoreError> {
    let n = row.int(column)?;
    u64::try_from(n).map_err(|_| StoreError::corrupt("a count", format!("{column} is {n}")))
}

fn payment_id(text: &str) -> Result<PaymentId, StoreError> {
    text.parse()
        .map_err(|error| StoreError::corrupt(format!("payment {text}"), format!("{error}")))
}
