//! What a commit must not leave behind the journal's cursor: an open attempt whose slot the ledger has
//! given away already. No later page would ever settle it, so the payment would be in flight for ever.
//!
//! One process alone never writes such a commit. Two that work on one wallet by mistake would; the one
//! that has not read what the other wrote is refused here, reads everything again, and nothing of its
//! commit was written.

use super::db::{Columns, Kind, Tx};
use super::error::CommitError;
use xrpayd_core::engine::{JournalCommit, LaneCommit};
use xrpayd_core::ids::TxHash;
use xrpayd_core::payment::Slot;

const TICKETS: Columns = &[("wallet", Kind::Text), ("number", Kind::Int)];

/// Refuses an attempt on a sequence that the journal has passed, or on a ticket that does not stand any
/// more. Whoever signed it had not read the journal so far, because another process carried it on since.
pub(super) async fn refuse_opening(tx: &mut Tx, commit: &LaneCommit) -> Result<(), CommitError> {
    let payments = commit.changes.iter().flat_map(|change| {
        let is_new = |hash: TxHash| change.new_blobs.iter().any(|(new, _)| *new == hash);
        let open = change.payment.open_attempts();
        open.filter(move |attempt| is_new(attempt.hash))
    });
    let slots = payments.map(|attempt| attempt.slot);
    let slots = slots.chain(commit.new_plugs.iter().map(|plug| plug.slot));
    let makings = commit.new_ticket_creates.iter();
    let slots: Vec<Slot> = slots.chain(makings.map(|new| new.attempt.slot)).collect();
    let lowest = slots.iter().filter_map(|slot| match slot {
        Slot::Sequence(sequence) => Some(*sequence),
        Slot::Ticket(_) => None,
    });
    if let Some(lowest) = lowest.min() {
        let passed = "select 1 as found from wallets where name = $1 and next_sequence > $2";
        let wallet = vec![commit.wallet.as_str().into(), lowest.into()];
        if tx.fetch_optional(passed, wallet).await?.is_some() {
            return Err(CommitError::CursorMoved);
        }
    }
    let on_tickets = slots.iter().filter_map(|slot| match slot {
        Slot::Ticket(number) => Some(vec![commit.wallet.as_str().into(), (*number).into()]),
        Slot::Sequence(_) => None,
    });
    let gone = "select v.number from v where not exists \
                (select 1 from tickets t where t.wallet = v.wallet and t.number = v.number)";
    let gone = tx.fetch_with(TICKETS, on_tickets.collect(), gone).await?;
    match gone.first() {
        Some(_) => Err(CommitError::CursorMoved),
        None => Ok(()),
    }
}

/// Refuses a stretch that holds a transaction of our own on the slot of an attempt which is open after
/// all that the commit writes. Whoever folded it did not know of the attempt, because another process
/// signed it since; once the cursor is past that ledger nothing would ever settle it.
pub(super) async fn refuse_overlooking(
    tx: &mut Tx,
    wallet: &str,
    commit: &JournalCommit,
) -> Result<(), CommitError> {
    if commit.entries.is_empty() {
        return Ok(());
    }
    let overlooked = tx
        .fetch_optional(
            "select 1 as found from journal_entries e \
             join wallets w on w.name = e.wallet and w.account = e.sender \
             join attempts a on a.wallet = e.wallet and a.slot_kind = e.slot_kind \
             and a.slot = e.slot and a.open = 1 \
             where e.wallet = $1 and e.ledger_index between $2 and $3 limit 1",
            vec![
                wallet.into(),
                commit.from.0.into(),
                commit.cursor.at.0.into(),
            ],
        )
        .await?;
    match overlooked {
        Some(_) => Err(CommitError::Overlooked),
        None => Ok(()),
    }
}
