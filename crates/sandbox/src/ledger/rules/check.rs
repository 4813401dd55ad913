//! Checks: leave for another account to draw up to so much, until it is cashed, cancelled or expired.

use super::check_token::{self, Parties, Share};
use super::{Context, Setting, directory, flags, owned};
use crate::ledger::amount::{Amount, BAD_CURRENCY};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key, Object, lsf};
use crate::ledger::fields::lt;
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};

/// Whether an amount is one that a check may be about: more than nothing of what can be.
fn check_amount(amount: Option<Amount>) -> Result<Amount, Ter> {
    let amount = amount
        .filter(|amount| amount.is_legal() && amount.is_positive())
        .ok_or(Ter::TEM_BAD_AMOUNT)?;
    if amount.asset.currency() == Some(BAD_CURRENCY) {
        Err(Ter::TEM_BAD_CURRENCY)
    } else {
        Ok(amount)
    }
}

pub(super) fn preflight_create(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    if tx.destination == Some(tx.account) {
        return Err(Ter::TEM_REDUNDANT);
    }
    check_amount(owned::amount(tx, f::SEND_MAX))?;
    if owned::number(tx, f::EXPIRATION) == Some(0) {
        return Err(Ter::TEM_BAD_EXPIRATION);
    }
    Ok(())
}

pub(super) fn preclaim_create(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let to = tx
        .destination
        .and_then(|id| view.account(id))
        .ok_or(Ter::TEC_NO_DST)?;
    if to.has(lsf::DISALLOW_CHECK) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() {
        return Err(Ter::TEC_DST_TAG_NEEDED);
    }
    let parties = Parties {
        writer: tx.account,
        casher: to.id,
    };
    if let Some(amount) = owned::amount(tx, f::SEND_MAX) {
        check_token::may_write(view, &parties, &amount.asset)?;
    }
    if owned::has_come(setting, owned::number(tx, f::EXPIRATION)) {
        return Err(Ter::TEC_EXPIRED);
    }
    Ok(())
}

pub(super) fn apply_create(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    owned::reserve_for_one_more(context)?;
    let tx = context.tx;
    let destination = tx.destination.ok_or(Ter::TEC_NO_DST)?;
    let sequence = owned::sequence(tx);
    let key = Key::check(tx.account, sequence);
    let mut check = Object::new(lt::CHECK);
    let copied = [
        f::ACCOUNT,
        f::DESTINATION,
        f::SEND_MAX,
        f::SOURCE_TAG,
        f::DESTINATION_TAG,
        f::INVOICE_ID,
        f::EXPIRATION,
    ];
    owned::copy(tx, &mut check, &copied);
    check.set_u32(f::SEQUENCE, sequence);
    let page = directory::insert_owned(context.changes, destination, key)?;
    check.set_u64(f::DESTINATION_NODE, page);
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    check.set_u64(f::OWNER_NODE, page);
    context.changes.put(key, Entry::Object(check));
    owned::adjust_count(context.changes, tx.account, 1)
}

/// The check that a transaction names.
fn named(tx: &Tx, view: &dyn Read) -> Result<(Key, Object), Ter> {
    let index = tx.field(f::CHECK_ID).and_then(|field| field.array());
    let key = Key::Object(lt::CHECK, index.ok_or(Ter::TEC_NO_ENTRY)?);
    let check = owned::object(view, &key).ok_or(Ter::TEC_NO_ENTRY)?;
    Ok((key, check))
}

/// How much is to be drawn: exactly, or at least.
fn wanted(tx: &Tx) -> Result<Amount, Ter> {
    let (amount, minimum) = (tx.field(f::AMOUNT), tx.field(f::DELIVER_MIN));
    match (amount, minimum) {
        (Some(field), None) | (None, Some(field)) => check_amount(Amount::read(field.value)),
        _ => Err(Ter::TEM_MALFORMED),
    }
}

pub(super) fn preflight_cash(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    wanted(tx).map(drop)
}

/// The drops that an account can spend when it must keep the reserve for `owner_count` entries.
fn spendable(account: &Account, owner_count: u32, setting: &Setting) -> u64 {
    account
        .balance
        .saturating_sub(setting.fees.reserve(owner_count))
}

pub(super) fn preclaim_cash(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let (_, check) = named(tx, view)?;
    if check.account(f::DESTINATION) != Some(tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let from = check
        .account(f::ACCOUNT)
        .and_then(|id| view.account(id))
        .ok_or(Ter::TEC_NO_ENTRY)?;
    let to = view.account(tx.account).ok_or(Ter::TEC_NO_ENTRY)?;
    if to.has(lsf::REQUIRE_DEST_TAG) && !check.has(f::DESTINATION_TAG) {
        return Err(Ter::TEC_DST_TAG_NEEDED);
    }
    if owned::has_come(setting, check.u32(f::EXPIRATION)) {
        return Err(Ter::TEC_EXPIRED);
    }
    let wanted = wanted(tx)?;
    let most = send_max(&check)?;
    if wanted.asset != most.asset {
        return Err(Ter::TEM_MALFORMED);
    }
    if wanted.value > most.value {
        return Err(Ter::TEC_PATH_PARTIAL);
    }
    let Some(drops) = wanted.drops() else {
        let parties = Parties {
            writer: from.id,
            casher: to.id,
        };
        return check_token::may_cash(view, setting, &parties, &wanted);
    };
    // The check's own reserve will be free once it is cashed.
    let available =
        spendable(&from, from.owner_count, setting).saturating_add(setting.fees.reserve_increment);
    if drops.unsigned_abs() > available {
        return Err(Ter::TEC_PATH_PARTIAL);
    }
    Ok(())
}

fn send_max(check: &Object) -> Result<Amount, Ter> {
    check
        .raw(f::SEND_MAX)
        .and_then(Amount::read)
        .ok_or(Ter::TEF_INTERNAL)
}

pub(super) fn apply_cash(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let (key, check) = named(tx, context.changes)?;
    let wanted = wanted(tx)?;
    let most = send_max(&check)?;
    if let (Some(wanted), Some(most)) = (wanted.drops(), most.drops()) {
        cash_xrp(context, &check, wanted.unsigned_abs(), most.unsigned_abs())?;
    } else {
        let writer = check
            .account(f::ACCOUNT)
            .ok_or(Ter::TEC_FAILED_PROCESSING)?;
        let share = if tx.field(f::DELIVER_MIN).is_some() {
            Share::AtLeast(wanted)
        } else {
            Share::Exactly(wanted)
        };
        check_token::cash(context, writer, &most, share)?;
    }
    remove(context.changes, &key, &check)
}

fn cash_xrp(
    context: &mut Context<'_, '_>,
    check: &Object,
    wanted: u64,
    most: u64,
) -> Result<(), Ter> {
    let mut from = check
        .account(f::ACCOUNT)
        .and_then(|id| context.changes.account(id))
        .ok_or(Ter::TEC_FAILED_PROCESSING)?;
    let available = spendable(&from, from.owner_count.saturating_sub(1), context.setting);
    let is_minimum = context.tx.field(f::DELIVER_MIN).is_some();
    let drops = if is_minimum {
        wanted.max(most.min(available))
    } else {
        wanted
    };
    if available < drops {
        return Err(Ter::TEC_UNFUNDED_PAYMENT);
    }
    if is_minimum {
        let delivered = drops | 0x4000_0000_0000_0000;
        context.delivered = Some(delivered.to_be_bytes().into());
    }
    from.balance = from
        .balance
        .checked_sub(drops)
        .ok_or(Ter::TEC_UNFUNDED_PAYMENT)?;
    context.changes.put_account(from);
    owned::credit(context.changes, context.tx.account, drops)
}

pub(super) fn preflight_cancel(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)
}

pub(super) fn preclaim_cancel(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let (_, check) = named(tx, view)?;
    let is_party = [f::ACCOUNT, f::DESTINATION]
        .iter()
        .any(|&id| check.account(id) == Some(tx.account));
    // Anyone may clear away a check that has expired.
    if is_party || owned::has_come(setting, check.u32(f::EXPIRATION)) {
        Ok(())
    } else {
        Err(Ter::TEC_NO_PERMISSION)
    }
}

pub(super) fn apply_cancel(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (key, check) = named(context.tx, context.changes)?;
    remove(context.changes, &key, &check)
}

/// Takes the check out of the directories and of its writer's reserve.
fn remove(changes: &mut Changes<'_>, key: &Key, check: &Object) -> Result<(), Ter> {
    let writer = check.account(f::ACCOUNT).ok_or(Ter::TEF_INTERNAL)?;
    if let Some(page) = check.number(f::DESTINATION_NODE) {
        let destination = check.account(f::DESTINATION).ok_or(Ter::TEF_INTERNAL)?;
        owned::unlink(changes, destination, page, key);
    }
    let page = check.number(f::OWNER_NODE).unwrap_or_default();
    owned::unlink(changes, writer, page, key);
    changes.delete(*key);
    owned::adjust_count(changes, writer, -1)
}
