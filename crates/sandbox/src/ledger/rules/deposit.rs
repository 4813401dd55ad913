//! Leave to pay: accounts that take money only from those they know, and whom they know.

use super::{Context, Fees, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key, Object, lsf};
use crate::ledger::fields::lt;
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};
use xrpayd_core::address::AccountId;

/// Whether `owner` has given `source` leave to pay it.
pub(super) fn is_preauthorized(view: &dyn Read, owner: AccountId, source: AccountId) -> bool {
    view.entry(&Key::deposit_preauth(owner, source)).is_some()
}

/// Whether `source` may pay `to`, which may have closed its door to strangers.
pub(super) fn verify(view: &dyn Read, source: AccountId, to: &Account) -> Result<(), Ter> {
    let is_open = !to.has(lsf::DEPOSIT_AUTH) || source == to.id;
    if is_open || is_preauthorized(view, to.id, source) {
        Ok(())
    } else {
        Err(Ter::TEC_NO_PERMISSION)
    }
}

/// Whether `source` may pay `to` so many drops. What keeps a poor account alive needs no leave.
pub(super) fn verify_xrp(
    view: &dyn Read,
    source: AccountId,
    to: &Account,
    drops: u64,
    fees: &Fees,
) -> Result<(), Ter> {
    let reserve = fees.reserve(0);
    if drops <= reserve && to.balance <= reserve {
        Ok(())
    } else {
        verify(view, source, to)
    }
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    // Credentials belong to an amendment that the model does not have.
    if tx.field(f::AUTHORIZE_CREDENTIALS).is_some()
        || tx.field(f::UNAUTHORIZE_CREDENTIALS).is_some()
    {
        return Err(Ter::TEM_DISABLED);
    }
    flags(tx, 0)?;
    let authorize = owned::account(tx, f::AUTHORIZE);
    let target = match (authorize, owned::account(tx, f::UNAUTHORIZE)) {
        (Some(target), None) | (None, Some(target)) => target,
        _ => return Err(Ter::TEM_MALFORMED),
    };
    if target.0 == [0; 20] {
        return Err(Ter::TEM_INVALID_ACCOUNT_ID);
    }
    if authorize == Some(tx.account) {
        return Err(Ter::TEM_CANNOT_PREAUTH_SELF);
    }
    Ok(())
}

pub(super) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    if let Some(target) = owned::account(tx, f::AUTHORIZE) {
        view.account(target).ok_or(Ter::TEC_NO_TARGET)?;
        if is_preauthorized(view, tx.account, target) {
            return Err(Ter::TEC_DUPLICATE);
        }
    }
    if let Some(target) = owned::account(tx, f::UNAUTHORIZE)
        && !is_preauthorized(view, tx.account, target)
    {
        return Err(Ter::TEC_NO_ENTRY);
    }
    Ok(())
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    if let Some(target) = owned::account(tx, f::UNAUTHORIZE) {
        let key = Key::deposit_preauth(tx.account, target);
        return remove(context.changes, tx.account, &key);
    }
    let target = owned::account(tx, f::AUTHORIZE).ok_or(Ter::TEM_MALFORMED)?;
    owned::reserve_for_one_more(context)?;
    let key = Key::deposit_preauth(tx.account, target);
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    let mut object = Object::new(lt::DEPOSIT_PREAUTH);
    object.set_account(f::ACCOUNT, tx.account);
    object.set_account(f::AUTHORIZE, target);
    object.set_u64(f::OWNER_NODE, page);
    context.changes.put(key, Entry::Object(object));
    owned::adjust_count(context.changes, tx.account, 1)
}

/// Takes leave away again.
pub(super) fn remove(changes: &mut Changes<'_>, owner: AccountId, key: &Key) -> Result<(), Ter> {
    let object = owned::object(changes, key).ok_or(Ter::TEC_NO_ENTRY)?;
    let page = object.number(f::OWNER_NODE).unwrap_or_default();
    directory::remove_owned(changes, owner, page, key);
    changes.delete(*key);
    owned::adjust_count(changes, owner, -1)
}
