//! Multi-purpose tokens: issuances, and what their holders hold.
//!
//! `mpt_payment` moves them; here they are made, locked, authorised and unmade.

use super::{Context, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Object};
use crate::ledger::fields::lt;
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};
use xrpayd_core::address::AccountId;

/// Flags of an issuance, and of a holding.
pub(super) mod lsf {
    pub(crate) const LOCKED: u32 = 0x0001;
    pub(crate) const AUTHORIZED: u32 = 0x0002;
    pub(crate) const CAN_LOCK: u32 = 0x0002;
    pub(crate) const REQUIRE_AUTH: u32 = 0x0004;
    pub(crate) const CAN_TRANSFER: u32 = 0x0020;
    pub(crate) const CAN_CLAWBACK: u32 = 0x0040;
}

/// Every flag that an issuance can be made with.
const TF_CREATE: u32 = 0x007E;
const TF_LOCK: u32 = 0x0001;
const TF_UNLOCK: u32 = 0x0002;
const TF_UNAUTHORIZE: u32 = 0x0001;
/// Half, in hundred-thousandths.
const TRANSFER_FEE_MAX: u64 = 50_000;
const METADATA_MAX: usize = 1024;
/// The most units that there can be of one token.
pub(super) const UNITS_MAX: u64 = 0x7FFF_FFFF_FFFF_FFFF;

/// The id of the issuance that a transaction speaks of.
fn issuance_id(tx: &Tx) -> Result<[u8; 24], Ter> {
    tx.field(f::MPT_ISSUANCE_ID)
        .and_then(|field| field.array())
        .ok_or(Ter::TEM_MALFORMED)
}

/// The issuance with this id.
pub(super) fn issuance(view: &dyn Read, id: &[u8; 24]) -> Option<Object> {
    owned::object(view, &Key::mpt_issuance(id))
}

/// What an account holds of it, even if that is nothing.
pub(super) fn holding(view: &dyn Read, id: &[u8; 24], holder: AccountId) -> Option<Object> {
    owned::object(view, &Key::mpt_holding(id, holder))
}

fn is_issuer(issuance: &Object, account: AccountId) -> bool {
    issuance.account(f::ISSUER) == Some(account)
}

pub(super) fn preflight_create(tx: &Tx) -> Result<(), Ter> {
    flags(tx, TF_CREATE)?;
    let fee = tx.field(f::TRANSFER_FEE).map_or(0, |field| field.number());
    if fee > TRANSFER_FEE_MAX {
        return Err(Ter::TEM_BAD_TRANSFER_FEE);
    }
    let metadata_is_bad = tx
        .field(f::MPT_METADATA)
        .is_some_and(|field| !(1..=METADATA_MAX).contains(&field.value.len()));
    let maximum_is_bad = tx
        .field(f::MAXIMUM_AMOUNT)
        .is_some_and(|field| !(1..=UNITS_MAX).contains(&field.number()));
    let fee_without_transfer = fee > 0 && tx.flags & lsf::CAN_TRANSFER == 0;
    if fee_without_transfer || metadata_is_bad || maximum_is_bad {
        return Err(Ter::TEM_MALFORMED);
    }
    Ok(())
}

pub(super) fn apply_create(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    owned::reserve_for_one_more(context)?;
    let tx = context.tx;
    let sequence = owned::sequence(tx);
    let mut id = [0; 24];
    id[..4].copy_from_slice(&sequence.to_be_bytes());
    id[4..].copy_from_slice(&tx.account.0);
    let key = Key::mpt_issuance(&id);
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    let mut object = Object::new(lt::MPT_ISSUANCE);
    object.set_flags(tx.flags & TF_CREATE);
    object.set_account(f::ISSUER, tx.account);
    object.set_u64(f::OUTSTANDING_AMOUNT, 0);
    object.set_u64(f::OWNER_NODE, page);
    object.set_u32(f::SEQUENCE, sequence);
    owned::copy(tx, &mut object, &[f::MAXIMUM_AMOUNT, f::MPT_METADATA]);
    // The ledger does not keep these two where they are zero.
    for id in [f::ASSET_SCALE, f::TRANSFER_FEE] {
        if tx.field(id).is_some_and(|field| field.number() != 0) {
            owned::copy(tx, &mut object, &[id]);
        }
    }
    context.changes.put(key, Entry::Object(object));
    owned::adjust_count(context.changes, tx.account, 1)
}

pub(super) fn preflight_destroy(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)
}

pub(super) fn preclaim_destroy(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let issuance = issuance(view, &issuance_id(tx)?).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if !is_issuer(&issuance, tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if issuance.number(f::OUTSTANDING_AMOUNT) != Some(0) {
        return Err(Ter::TEC_HAS_OBLIGATIONS);
    }
    Ok(())
}

pub(super) fn apply_destroy(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let key = Key::mpt_issuance(&issuance_id(context.tx)?);
    remove(context.changes, context.tx.account, &key)
}

/// Removes an issuance or a holding, and its place and weight with its owner.
fn remove(changes: &mut Changes<'_>, owner: AccountId, key: &Key) -> Result<(), Ter> {
    let object = owned::object(changes, key).ok_or(Ter::TEC_INTERNAL)?;
    let page = object.number(f::OWNER_NODE).unwrap_or_default();
    directory::remove_owned(changes, owner, page, key);
    changes.delete(*key);
    owned::adjust_count(changes, owner, -1)
}

pub(super) fn preflight_set(tx: &Tx) -> Result<(), Ter> {
    flags(tx, TF_LOCK | TF_UNLOCK)?;
    if tx.flags & TF_LOCK != 0 && tx.flags & TF_UNLOCK != 0 {
        return Err(Ter::TEM_INVALID_FLAG);
    }
    not_own_holder(tx)
}

fn not_own_holder(tx: &Tx) -> Result<(), Ter> {
    if owned::account(tx, f::HOLDER) == Some(tx.account) {
        Err(Ter::TEM_MALFORMED)
    } else {
        Ok(())
    }
}

pub(super) fn preclaim_set(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let id = issuance_id(tx)?;
    let issuance = issuance(view, &id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if issuance.flags() & lsf::CAN_LOCK == 0 || !is_issuer(&issuance, tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if let Some(holder) = owned::account(tx, f::HOLDER) {
        view.account(holder).ok_or(Ter::TEC_NO_DST)?;
        holding(view, &id, holder).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    }
    Ok(())
}

pub(super) fn apply_set(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let id = issuance_id(tx)?;
    let key = owned::account(tx, f::HOLDER).map_or_else(
        || Key::mpt_issuance(&id),
        |holder| Key::mpt_holding(&id, holder),
    );
    let mut object = owned::object(context.changes, &key).ok_or(Ter::TEC_INTERNAL)?;
    let mut flags = object.flags();
    if tx.flags & TF_LOCK != 0 {
        flags |= lsf::LOCKED;
    } else if tx.flags & TF_UNLOCK != 0 {
        flags &= !lsf::LOCKED;
    }
    object.set_flags(flags);
    context.changes.put(key, Entry::Object(object));
    Ok(())
}

pub(super) fn preflight_authorize(tx: &Tx) -> Result<(), Ter> {
    flags(tx, TF_UNAUTHORIZE)?;
    not_own_holder(tx)
}

pub(super) fn preclaim_authorize(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let id = issuance_id(tx)?;
    let Some(holder) = owned::account(tx, f::HOLDER) else {
        return preclaim_own_holding(tx, &id, view);
    };
    view.account(holder).ok_or(Ter::TEC_NO_DST)?;
    let issuance = issuance(view, &id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if !is_issuer(&issuance, tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if issuance.flags() & lsf::REQUIRE_AUTH == 0 {
        return Err(Ter::TEC_NO_AUTH);
    }
    holding(view, &id, holder).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    Ok(())
}

fn preclaim_own_holding(tx: &Tx, id: &[u8; 24], view: &dyn Read) -> Result<(), Ter> {
    let held = holding(view, id, tx.account);
    if tx.flags & TF_UNAUTHORIZE != 0 {
        let held = held.ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
        if held.number(f::MPT_AMOUNT).unwrap_or_default() == 0 {
            return Ok(());
        }
        // Units without an issuance cannot be; a ledger that has them is broken.
        issuance(view, id).ok_or(Ter::TEF_INTERNAL)?;
        return Err(Ter::TEC_HAS_OBLIGATIONS);
    }
    let issuance = issuance(view, id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if is_issuer(&issuance, tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if held.is_some() {
        return Err(Ter::TEC_DUPLICATE);
    }
    Ok(())
}

pub(super) fn apply_authorize(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let id = issuance_id(tx)?;
    if let Some(holder) = owned::account(tx, f::HOLDER) {
        let key = Key::mpt_holding(&id, holder);
        let mut held = owned::object(context.changes, &key).ok_or(Ter::TEC_INTERNAL)?;
        let flags = held.flags();
        held.set_flags(if tx.flags & TF_UNAUTHORIZE != 0 {
            flags & !lsf::AUTHORIZED
        } else {
            flags | lsf::AUTHORIZED
        });
        context.changes.put(key, Entry::Object(held));
        return Ok(());
    }
    let key = Key::mpt_holding(&id, tx.account);
    if tx.flags & TF_UNAUTHORIZE != 0 {
        return remove(context.changes, tx.account, &key);
    }
    // An account's first two entries are let in without the reserve for them.
    if context.sender()?.owner_count >= 2 {
        owned::reserve_for_one_more(context)?;
    }
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    let mut held = Object::new(lt::MPT_HOLDING);
    held.set_account(f::ACCOUNT, tx.account);
    held.set_raw(f::MPT_ISSUANCE_ID, id.to_vec());
    held.set_u64(f::OWNER_NODE, page);
    context.changes.put(key, Entry::Object(held));
    owned::adjust_count(context.changes, tx.account, 1)
}
