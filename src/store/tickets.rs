//! The tickets of each wallet that stand on the ledger, as rows: changed in the transaction that
//! appends the page of the journal which tells of them.

use super::db::{Columns, Kind, Tx};
use super::error::{CommitError, StoreError};
use std::collections::BTreeSet;
use xrpayd_core::engine::KnownTickets;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::TicketChange;

const NEW: Columns = &[("wallet", Kind::Text), ("number", Kind::Int)];
const GONE: &str = "delete from tickets where (wallet, number) in (select wallet, number from v)";

/// Those that stand; `None` while they are still to be read.
pub(super) async fn standing(
    tx: &mut Tx,
    wallet: &str,
) -> Result<Option<BTreeSet<u32>>, StoreError> {
    let known = "select tickets_known from wallets where name = $1";
    let row = tx.fetch_optional(known, vec![wallet.into()]).await?;
    let is_known = match row {
        Some(row) => row.int("tickets_known")? == 1,
        None => false,
    };
    if !is_known {
        return Ok(None);
    }
    let sql = "select number from tickets where wallet = $1 order by number";
    let rows = tx.fetch(sql, vec![wallet.into()]).await?;
    let numbers: Result<BTreeSet<u32>, StoreError> =
        rows.iter().map(|row| row.uint("number")).collect();
    numbers.map(Some)
}

/// Writes what a page told of them.
pub(super) async fn follow(
    tx: &mut Tx,
    wallet: &str,
    changes: &[(LedgerIndex, TicketChange)],
) -> Result<(), StoreError> {
    let (mut made, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (_, change) in changes {
        match change {
            TicketChange::Made(number) => made.insert(*number),
            // One that was made and used in the same page never gets a row.
            TicketChange::Used(number) if made.remove(number) => continue,
            TicketChange::Used(number) => used.insert(*number),
        };
    }
    let rows = |numbers: BTreeSet<u32>| {
        let row = |number: u32| vec![wallet.into(), number.into()];
        numbers.into_iter().map(row).collect::<Vec<_>>()
    };
    tx.execute_with(NEW, rows(used), GONE).await?;
    // While they are still to be read a row may be there that the reading will bring again.
    tx.insert("tickets", NEW, rows(made), "on conflict do nothing")
        .await?;
    Ok(())
}

/// Writes all that stand, as they were read for the first time. Whoever was not looking while another
/// process read them, or carried the journal on, is refused.
pub(super) async fn know(
    tx: &mut Tx,
    wallet: &str,
    known: &KnownTickets,
) -> Result<(), CommitError> {
    let begin = "update wallets set tickets_known = 1 \
        where name = $1 and cursor_at = $2 and tickets_known = 0";
    let begun = tx.execute(begin, vec![wallet.into(), known.at.0.into()]);
    if begun.await? != 1 {
        return Err(CommitError::CursorMoved);
    }
    let forget = "delete from tickets where wallet = $1";
    tx.execute(forget, vec![wallet.into()]).await?;
    let row = |number: &u32| vec![wallet.into(), (*number).into()];
    let rows = known.standing.iter().map(row).collect();
    tx.insert("tickets", NEW, rows, "").await?;
    Ok(())
}
