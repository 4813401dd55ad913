//! AccountDelete: an old account gives what it has to another and is gone.

use super::offer::{self, Offer};
use super::{Context, Setting, deposit, directory, flags, keys, owned, ticket};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, lsf, owner_dir};
use crate::ledger::fields::{f, lt};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::Tx;
use xrpayd_core::address::AccountId;

/// Ledgers that must lie between an account's sequence and its deletion.
const SEQUENCE_AGE_MIN: u32 = 255;
/// The most entries that go with an account.
const ENTRIES_MAX: usize = 1000;

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    // Credentials belong to an amendment that the model does not have.
    if tx.field(f::CREDENTIAL_IDS).is_some() {
        return Err(Ter::TEM_DISABLED);
    }
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
    deposit::verify(view, tx.account, &to)?;
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if account.sequence.saturating_add(SEQUENCE_AGE_MIN) > setting.ledger {
        return Err(Ter::TEC_TOO_SOON);
    }
    let owned = directory::owned(view, tx.account);
    // Whichever comes first in the directory decides.
    for (place, key) in owned.iter().enumerate() {
        if !goes_with_account(key) {
            return Err(Ter::TEC_HAS_OBLIGATIONS);
        }
        if place >= ENTRIES_MAX {
            return Err(Ter::TEF_TOO_BIG);
        }
    }
    Ok(())
}

/// Whether an entry binds nobody but its owner.
const fn goes_with_account(key: &Key) -> bool {
    matches!(
        key,
        Key::Ticket(..) | Key::SignerList(_) | Key::Object(lt::OFFER | lt::DEPOSIT_PREAUTH, _)
    )
}

fn remove(changes: &mut Changes<'_>, owner: AccountId, key: &Key) -> Result<(), Ter> {
    match key {
        Key::Ticket(owner, number) => ticket::consume(changes, *owner, *number),
        Key::SignerList(owner) => {
            let list = keys::list_of(changes, *owner).ok_or(Ter::TEF_BAD_LEDGER)?;
            keys::remove_list(changes, &list);
            owned::adjust_count(changes, *owner, -1)
        }
        Key::Object(lt::DEPOSIT_PREAUTH, _) => deposit::remove(changes, owner, key),
        Key::Object(lt::OFFER, _) => {
            let offer = Offer::read(changes, *key).ok_or(Ter::TEF_BAD_LEDGER)?;
            offer::remove(changes, &offer)
        }
        Key::Object(..) | Key::Account(_) | Key::Dir(..) => Err(Ter::TEC_HAS_OBLIGATIONS),
    }
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let id = context.tx.account;
    let destination = context.tx.destination.ok_or(Ter::TEM_MALFORMED)?;
    for key in directory::owned(context.changes, id) {
        remove(context.changes, id, &key)?;
    }
    let mut account = context.sender()?;
    let mut to = context
        .changes
        .account(destination)
        .ok_or(Ter::TEC_NO_DST)?;
    to.balance = to
        .balance
        .checked_add(account.balance)
        .ok_or(Ter::TEC_HAS_OBLIGATIONS)?;
    if account.balance > 0 {
        to.flags &= !lsf::PASSWORD_SPENT;
    }
    let delivered = account.balance | 0x4000_0000_0000_0000;
    context.delivered = Some(delivered.to_be_bytes().into());
    account.balance = 0;
    context.changes.put_account(to);
    context.changes.put_account(account);
    delete_empty_directory(context.changes, id)?;
    context.changes.delete(Key::Account(id));
    Ok(())
}

/// Tickets, checks and the like leave the root of their owner's directory behind.
fn delete_empty_directory(changes: &mut Changes<'_>, owner: AccountId) -> Result<(), Ter> {
    let Some(Entry::Dir(root)) = changes.entry(&Key::Dir(owner_dir(owner), 0)) else {
        return Ok(());
    };
    if !root.members.is_empty() || root.next.unwrap_or_default() != 0 {
        return Err(Ter::TEC_HAS_OBLIGATIONS);
    }
    changes.delete(Key::Dir(owner_dir(owner), 0));
    Ok(())
}
