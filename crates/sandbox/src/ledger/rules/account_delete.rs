//! AccountDelete: an old account gives what it has to another and is gone.

use super::{Context, Setting, flags, keys};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Key, lsf};
use crate::ledger::state::Read;
use crate::ledger::tx::Tx;

/// Ledgers that must lie between an account's sequence and its deletion.
const SEQUENCE_AGE_MIN: u32 = 255;

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    if tx.destination == Some(tx.account) {
        Err(Ter::TEM_DST_IS_SRC)
    } else {
        Ok(())
    }
}

pub(super) fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let to = tx
        .destination
        .and_then(|id| view.account(id))
        .ok_or(Ter::TEC_NO_DST)?;
    if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() {
        return Err(Ter::TEC_DST_TAG_NEEDED);
    }
    if to.has(lsf::DEPOSIT_AUTH) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if account.sequence.saturating_add(SEQUENCE_AGE_MIN) > setting.ledger {
        return Err(Ter::TEC_TOO_SOON);
    }
    Ok(())
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let mut account = context.sender()?;
    let destination = context.tx.destination.ok_or(Ter::TEM_MALFORMED)?;
    let mut to = context
        .changes
        .account(destination)
        .ok_or(Ter::TEC_NO_DST)?;
    if let Some(list) = keys::list_of(context.changes, account.id) {
        keys::remove_list(context.changes, &list);
        account.owner_count = account.owner_count.saturating_sub(1);
    }
    // The model has no list of an account's tickets at hand, so an owner must use them up first.
    if account.owner_count > 0 {
        return Err(Ter::TEC_HAS_OBLIGATIONS);
    }
    to.balance = to
        .balance
        .checked_add(account.balance)
        .ok_or(Ter::TEC_HAS_OBLIGATIONS)?;
    to.flags &= !lsf::PASSWORD_SPENT;
    account.balance = 0;
    let id = account.id;
    context.changes.put_account(to);
    context.changes.put_account(account);
    context.changes.delete(Key::Account(id));
    Ok(())
}
