//! Tickets: creating them, and using one up.

use super::{Context, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Thread, Ticket};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{SeqProxy, Tx, f};
use xrpayd_core::address::AccountId;

/// The most tickets that one transaction makes and that one account holds.
const TICKETS_MAX: u32 = 250;

fn count(tx: &Tx) -> u32 {
    owned::number(tx, f::TICKET_COUNT).unwrap_or_default()
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    if (1..=TICKETS_MAX).contains(&count(tx)) {
        Ok(())
    } else {
        Err(Ter::TEM_INVALID_COUNT)
    }
}

pub(super) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    let used = u32::from(matches!(tx.proxy(), SeqProxy::Ticket(_)));
    let after = account
        .ticket_count
        .saturating_add(count(tx))
        .saturating_sub(used);
    if after > TICKETS_MAX {
        Err(Ter::TEC_DIR_FULL)
    } else {
        Ok(())
    }
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let mut account = context.sender()?;
    let count = count(context.tx);
    if owned::lacks_reserve(context, &account, count) {
        return Err(Ter::TEC_INSUFFICIENT_RESERVE);
    }
    let first = account.sequence;
    for number in first..first.saturating_add(count) {
        let page =
            directory::insert_owned(context.changes, account.id, Key::Ticket(account.id, number))?;
        let ticket = Ticket {
            owner: account.id,
            number,
            page,
            thread: Thread::default(),
        };
        context
            .changes
            .put(Key::Ticket(account.id, number), Entry::Ticket(ticket));
    }
    account.ticket_count = account.ticket_count.saturating_add(count);
    account.owner_count = account.owner_count.saturating_add(count);
    account.sequence = first.saturating_add(count);
    context.changes.put_account(account);
    Ok(())
}

/// Uses up a ticket; the sender's root is already among the changes.
pub(super) fn consume(changes: &mut Changes<'_>, owner: AccountId, number: u32) -> Result<(), Ter> {
    let ticket = changes.ticket(owner, number).ok_or(Ter::TEF_NO_TICKET)?;
    changes.delete(Key::Ticket(owner, number));
    owned::unlink(changes, owner, ticket.page, &Key::Ticket(owner, number));
    let mut account = changes.account(owner).ok_or(Ter::TER_NO_ACCOUNT)?;
    account.ticket_count = account.ticket_count.saturating_sub(1);
    account.owner_count = account.owner_count.saturating_sub(1);
    changes.put_account(account);
    Ok(())
}
