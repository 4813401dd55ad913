//! The credits of a journal that was written before deposits were booked.
//!
//! Such rows keep what was delivered and how the balance moved, which tells of XRP exactly; of tokens
//! they tell only that something came, and a person looks. They get the identifiers that they would have
//! got, so none is ever booked twice. Nothing is told of them: they came before there was a feed of
//! deposits. Each stretch is one transaction, so a start that is killed here goes on where it was.

use super::deposits::{self, Booking};
use super::error::StoreError;
use super::payments::drops_from;
use super::{Store, journal, lane};
use xrpayd_core::deposit::{Credit, credits_of};
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;

/// Rows of the journal that one transaction looks at, and what else is of their last ledger.
const ROWS_MAX: u32 = 1_000;

impl Store {
    /// Books the credits of every journal from before deposits were booked; answers with how many.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn book_older_deposits(&self, now: UnixMs) -> Result<u64, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                "select name from wallets where deposits_from is not null order by name",
                Vec::new(),
            )
            .await?;
        tx.end().await?;
        let mut booked = 0_u64;
        for row in rows {
            let wallet = row.text("name")?;
            while let Some(count) = self.book_stretch(&wallet, now).await? {
                booked = booked.saturating_add(count);
            }
        }
        Ok(booked)
    }

    /// Books one stretch of a wallet's; none where nothing is left.
    async fn book_stretch(&self, wallet: &str, now: UnixMs) -> Result<Option<u64>, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = format!(
            "select {}, network_id, deposits_from, deposits_to from wallets \
             where name = $1 and deposits_from is not null{}",
            lane::CURSOR,
            tx.for_update()
        );
        let Some(row) = tx.fetch_optional(sql, vec![wallet.into()]).await? else {
            tx.end().await?;
            return Ok(None);
        };
        let (account, _) = lane::anchored(wallet, &row)?;
        let booking = Booking {
            wallet,
            account,
            network_id: row.uint("network_id")?,
            now,
        };
        let (from, to) = (row.uint("deposits_from")?, row.uint("deposits_to")?);
        let (from, to) = (LedgerIndex(from), LedgerIndex(to));
        // The stretch ends with the ledger that holds the last of so many rows.
        let last = tx
            .fetch_optional(
                "select ledger_index from journal_entries \
                 where wallet = $1 and ledger_index >= $2 and ledger_index <= $3 \
                 order by ledger_index, tx_index limit 1 offset $4",
                vec![
                    wallet.into(),
                    from.0.into(),
                    to.0.into(),
                    (ROWS_MAX - 1).into(),
                ],
            )
            .await?;
        let end = match last {
            Some(row) => LedgerIndex(row.uint("ledger_index")?),
            None => to,
        };
        let mut credits: Vec<Credit> = Vec::new();
        for row in journal::rows_between(&mut tx, wallet, from, end).await? {
            let entry = journal::decode(&row)?;
            let before = before(&entry, row.int_or_null("change_drops")?)?;
            // The time is not known, and is not booked.
            let closed_at = entry.closed_at.unwrap_or_default();
            credits.extend(credits_of(account, before, &entry, closed_at));
        }
        let booked = deposits::book_untold(&mut tx, booking, &credits, |_| None).await?;
        let is_done = end >= to;
        tx.execute(
            "update wallets set deposits_from = $2, deposits_to = $3 where name = $1",
            vec![
                wallet.into(),
                (!is_done).then(|| end.plus(1).0).into(),
                (!is_done).then_some(to.0).into(),
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(Some(booked))
    }
}

/// The balance before a row. Where the books do not say how far it moved, it is taken as unmoved: what
/// the row says was delivered then contradicts it, and goes to a person.
fn before(entry: &xrpayd_core::journal::Entry, change: Option<i64>) -> Result<Drops, StoreError> {
    let Some(root) = entry.root_after else {
        return Ok(Drops::ZERO);
    };
    let after = i64::try_from(root.balance.get()).unwrap_or(i64::MAX);
    drops_from(
        "the balance before a row",
        after.saturating_sub(change.unwrap_or(0)),
    )
}
