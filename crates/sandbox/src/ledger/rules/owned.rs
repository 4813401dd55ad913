//! What the rules of owned entries share: reading an entry, copying a transaction's fields into it,
//! its place in directories, its weight in its owner's reserve, and whether its time has come.
//!
//! Owns nothing. An account that should be there and is not is a fault of the model, answered as the
//! real server answers a broken ledger.

use super::directory::{self, EmptyRoot};
use super::{Context, Setting};
use crate::ledger::amount::{Amount, Value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key, Object, owner_dir};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{SeqProxy, Tx};
use crate::st::{FieldId, header_len};
use xrpayd_core::address::AccountId;

/// An entry of the kinds that are kept as lists of fields.
pub(super) fn object(view: &dyn Read, key: &Key) -> Option<Object> {
    match view.entry(key) {
        Some(Entry::Object(object)) => Some(object),
        _ => None,
    }
}

/// An amount in a transaction.
pub(super) fn amount(tx: &Tx, id: FieldId) -> Option<Amount> {
    tx.field(id).and_then(|field| Amount::read(field.value))
}

/// An amount of XRP in a transaction, in drops and more than nothing; anything else that stands there is
/// a bad amount.
pub(super) fn positive_drops(tx: &Tx, id: FieldId) -> Result<Option<u64>, Ter> {
    let Some(field) = tx.field(id) else {
        return Ok(None);
    };
    match Amount::read(field.value) {
        Some(amount) if amount.is_positive() => match amount.value {
            Value::Xrp(drops) => Ok(u64::try_from(drops).ok()),
            Value::Token(_) | Value::Mpt(_) => Err(Ter::TEM_BAD_AMOUNT),
        },
        _ => Err(Ter::TEM_BAD_AMOUNT),
    }
}

/// An account in a transaction.
pub(super) fn account(tx: &Tx, id: FieldId) -> Option<AccountId> {
    tx.field(id).and_then(|field| field.array()).map(AccountId)
}

/// A number of 32 bits in a transaction.
pub(super) fn number(tx: &Tx, id: FieldId) -> Option<u32> {
    tx.field(id).map(|field| field.u32())
}

/// Copies fields of a transaction, those that it has, into an entry.
pub(super) fn copy(tx: &Tx, object: &mut Object, ids: &[FieldId]) {
    for &id in ids {
        if let Some(field) = tx.field(id) {
            let start = field.start + header_len(id);
            object.set_raw(id, tx.blob[start..field.end].to_vec());
        }
    }
}

/// The sequence or the ticket that names what a transaction makes.
pub(super) const fn sequence(tx: &Tx) -> u32 {
    match tx.proxy() {
        SeqProxy::Sequence(number) | SeqProxy::Ticket(number) => number,
    }
}

/// Adds to or takes from the number of entries that an account owns.
pub(super) fn adjust_count(changes: &mut Changes<'_>, id: AccountId, by: i32) -> Result<(), Ter> {
    let mut account = changes.account(id).ok_or(Ter::TEF_INTERNAL)?;
    account.owner_count = account.owner_count.saturating_add_signed(by);
    changes.put_account(account);
    Ok(())
}

/// Whether the sender, whose root stands as `sender`, had less before the fee than what `more` owned
/// entries take.
pub(super) fn lacks_reserve(context: &Context<'_, '_>, sender: &Account, more: u32) -> bool {
    let count = sender.owner_count.saturating_add(more);
    context.prior_balance < context.setting.fees.reserve(count)
}

/// Whether the sender had, before the fee, what one more owned entry takes.
pub(super) fn reserve_for_one_more(context: &Context<'_, '_>) -> Result<(), Ter> {
    if lacks_reserve(context, &context.sender()?, 1) {
        Err(Ter::TEC_INSUFFICIENT_RESERVE)
    } else {
        Ok(())
    }
}

/// Whether an account with `balance` can lock up `drops` beside the reserve for `owner_count` entries.
pub(super) fn can_lock(
    balance: u64,
    owner_count: u32,
    drops: u64,
    setting: &Setting,
) -> Result<(), Ter> {
    let reserve = setting.fees.reserve(owner_count);
    if balance < reserve {
        Err(Ter::TEC_INSUFFICIENT_RESERVE)
    } else if balance < reserve.saturating_add(drops) {
        Err(Ter::TEC_UNFUNDED)
    } else {
        Ok(())
    }
}

/// Takes an entry out of a directory of what an account owns. The directory's root stays, however empty:
/// so do tickets, escrows, channels and checks leave it.
pub(super) fn unlink(changes: &mut Changes<'_>, owner: AccountId, page: u64, key: &Key) {
    directory::remove(changes, owner_dir(owner), page, key, EmptyRoot::Stays);
}

/// Adds drops to an account.
pub(super) fn credit(changes: &mut Changes<'_>, id: AccountId, drops: u64) -> Result<(), Ter> {
    let mut account = changes.account(id).ok_or(Ter::TEF_INTERNAL)?;
    account.balance = account
        .balance
        .checked_add(drops)
        .ok_or(Ter::TEF_INTERNAL)?;
    changes.put_account(account);
    Ok(())
}

/// Whether the moment has come, as expirations count it: at it or after it.
pub(super) const fn has_come(setting: &Setting, moment: Option<u32>) -> bool {
    match moment {
        Some(moment) => setting.parent_close_time >= moment,
        None => false,
    }
}

/// Whether the moment lies in the past, as escrows count it: strictly.
pub(super) const fn has_passed(setting: &Setting, moment: u32) -> bool {
    setting.parent_close_time > moment
}
