//! Escrows: XRP set aside until a time, or for whoever shows what fulfils a condition.

use super::condition::Condition;
use super::{Context, Fees, deposit, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Object, lsf};
use crate::ledger::fields::lt;
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};

/// What a fulfillment costs beside the transaction's own fee, in base fees: so many, and one more for
/// each sixteen bytes.
const FULFILLMENT_FEES: u64 = 32;
const FULFILLMENT_BYTES_PER_FEE: usize = 16;

/// What a transaction's fulfillment adds to its fee.
pub(super) fn fulfillment_fee(tx: &Tx, fees: &Fees) -> u64 {
    let Some(field) = tx.field(f::FULFILLMENT) else {
        return 0;
    };
    let more = u64::try_from(field.value.len() / FULFILLMENT_BYTES_PER_FEE).unwrap_or(u64::MAX);
    fees.base
        .saturating_mul(FULFILLMENT_FEES.saturating_add(more))
}

pub(super) fn preflight_create(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    let (cancel, finish) = (
        owned::number(tx, f::CANCEL_AFTER),
        owned::number(tx, f::FINISH_AFTER),
    );
    match (cancel, finish) {
        (None, None) => return Err(Ter::TEM_BAD_EXPIRATION),
        (Some(cancel), Some(finish)) if cancel <= finish => return Err(Ter::TEM_BAD_EXPIRATION),
        _ => {}
    }
    let condition = tx.field(f::CONDITION);
    // An escrow with neither could be finished at once, which nobody means.
    if finish.is_none() && condition.is_none() {
        return Err(Ter::TEM_MALFORMED);
    }
    if condition.is_some_and(|field| Condition::read(field.value).is_none()) {
        return Err(Ter::TEM_MALFORMED);
    }
    Ok(())
}

pub(super) fn preclaim_create(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let exists = tx.destination.is_some_and(|id| view.account(id).is_some());
    if exists { Ok(()) } else { Err(Ter::TEC_NO_DST) }
}

pub(super) fn apply_create(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (tx, setting) = (context.tx, context.setting);
    for id in [f::CANCEL_AFTER, f::FINISH_AFTER] {
        if owned::number(tx, id).is_some_and(|moment| owned::has_passed(setting, moment)) {
            return Err(Ter::TEC_NO_PERMISSION);
        }
    }
    let drops = owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    let mut sender = context.sender()?;
    let count = sender.owner_count.saturating_add(1);
    owned::can_lock(sender.balance, count, drops, setting)?;
    let destination = tx.destination.ok_or(Ter::TEC_NO_DST)?;
    let to = context
        .changes
        .account(destination)
        .ok_or(Ter::TEC_NO_DST)?;
    if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() {
        return Err(Ter::TEC_DST_TAG_NEEDED);
    }
    let key = Key::escrow(tx.account, owned::sequence(tx));
    let mut escrow = Object::new(lt::ESCROW);
    let copied = [
        f::AMOUNT,
        f::ACCOUNT,
        f::CONDITION,
        f::SOURCE_TAG,
        f::DESTINATION,
        f::CANCEL_AFTER,
        f::FINISH_AFTER,
        f::DESTINATION_TAG,
    ];
    owned::copy(tx, &mut escrow, &copied);
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    escrow.set_u64(f::OWNER_NODE, page);
    if destination != tx.account {
        let page = directory::insert_owned(context.changes, destination, key)?;
        escrow.set_u64(f::DESTINATION_NODE, page);
    }
    context.changes.put(key, Entry::Object(escrow));
    sender.balance = sender.balance.checked_sub(drops).ok_or(Ter::TEC_UNFUNDED)?;
    sender.owner_count = count;
    context.changes.put_account(sender);
    Ok(())
}

pub(super) fn preflight_finish(tx: &Tx) -> Result<(), Ter> {
    // Credentials belong to an amendment that the model does not have.
    if tx.field(f::CREDENTIAL_IDS).is_some() {
        return Err(Ter::TEM_DISABLED);
    }
    flags(tx, 0)?;
    if tx.field(f::CONDITION).is_some() == tx.field(f::FULFILLMENT).is_some() {
        Ok(())
    } else {
        Err(Ter::TEM_MALFORMED)
    }
}

/// The escrow that a transaction names.
fn named(context: &Context<'_, '_>) -> Result<(Key, Object), Ter> {
    let owner = owned::account(context.tx, f::OWNER).ok_or(Ter::TEC_NO_TARGET)?;
    let sequence = owned::number(context.tx, f::OFFER_SEQUENCE).ok_or(Ter::TEC_NO_TARGET)?;
    let key = Key::escrow(owner, sequence);
    let escrow = owned::object(context.changes, &key).ok_or(Ter::TEC_NO_TARGET)?;
    Ok((key, escrow))
}

/// Whether the transaction shows what the escrow's condition asks for.
fn check_condition(tx: &Tx, escrow: &Object) -> Result<(), Ter> {
    let shown = tx.field(f::CONDITION).map(|field| field.value);
    if let Some(condition) = shown {
        let fulfilled = tx
            .field(f::FULFILLMENT)
            .and_then(|field| Condition::of_fulfillment(field.value));
        if fulfilled.is_none() || fulfilled != Condition::read(condition) {
            return Err(Ter::TEC_CRYPTOCONDITION_ERROR);
        }
    }
    if escrow.blob(f::CONDITION) == shown {
        Ok(())
    } else {
        Err(Ter::TEC_CRYPTOCONDITION_ERROR)
    }
}

pub(super) fn apply_finish(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (key, escrow) = named(context)?;
    let setting = context.setting;
    let too_soon = escrow
        .u32(f::FINISH_AFTER)
        .is_some_and(|moment| !owned::has_passed(setting, moment));
    let too_late = escrow
        .u32(f::CANCEL_AFTER)
        .is_some_and(|moment| owned::has_passed(setting, moment));
    if too_soon || too_late {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    check_condition(context.tx, &escrow)?;
    let destination = escrow.account(f::DESTINATION).ok_or(Ter::TEF_INTERNAL)?;
    let to = context
        .changes
        .account(destination)
        .ok_or(Ter::TEC_NO_DST)?;
    deposit::verify(context.changes, context.tx.account, &to)?;
    let drops = escrow.drops(f::AMOUNT).ok_or(Ter::TEF_INTERNAL)?;
    remove(context.changes, &key, &escrow)?;
    owned::credit(context.changes, destination, drops)
}

pub(super) fn preflight_cancel(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)
}

pub(super) fn apply_cancel(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (key, escrow) = named(context)?;
    let setting = context.setting;
    let may = escrow
        .u32(f::CANCEL_AFTER)
        .is_some_and(|moment| owned::has_passed(setting, moment));
    if !may {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let owner = escrow.account(f::ACCOUNT).ok_or(Ter::TEF_INTERNAL)?;
    let drops = escrow.drops(f::AMOUNT).ok_or(Ter::TEF_INTERNAL)?;
    remove(context.changes, &key, &escrow)?;
    owned::credit(context.changes, owner, drops)
}

/// Takes the escrow out of the directories and of its owner's reserve.
fn remove(changes: &mut Changes<'_>, key: &Key, escrow: &Object) -> Result<(), Ter> {
    let owner = escrow.account(f::ACCOUNT).ok_or(Ter::TEF_INTERNAL)?;
    let page = escrow.number(f::OWNER_NODE).unwrap_or_default();
    owned::unlink(changes, owner, page, key);
    if let Some(page) = escrow.number(f::DESTINATION_NODE) {
        let destination = escrow.account(f::DESTINATION).ok_or(Ter::TEF_INTERNAL)?;
        owned::unlink(changes, destination, page, key);
    }
    changes.delete(*key);
    owned::adjust_count(changes, owner, -1)
}
