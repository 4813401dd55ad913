//! Moving multi-purpose tokens: payments, redemption, and clawback.
//!
//! Whole units move between an issuance and its holders' entries. The issuer holds nothing of its own:
//! what it sends comes into being, what it gets ceases to be.

use super::mpt::{self, lsf};
use super::{Context, flags, owned};
use crate::ledger::amount::{Amount, Asset, Kind, Value, divide, multiply, rate_value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key, Object};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};
use xrpayd_core::address::AccountId;

const TF_PARTIAL_PAYMENT: u32 = 0x0002_0000;
/// One to one, in billionths, and what a hundred-thousandth of a fee adds to it.
const PARITY: u32 = 1_000_000_000;
const FEE_UNIT: u32 = 10_000;

fn units(amount: &Amount) -> Result<(i64, [u8; 24]), Ter> {
    match (amount.value, amount.asset) {
        (Value::Mpt(units), Asset::Mpt(id)) => Ok((units, id)),
        _ => Err(Ter::TEM_MALFORMED),
    }
}

/// Whether an account may have units of an issuance at all.
fn require_auth(view: &dyn Read, id: &[u8; 24], account: AccountId) -> Result<(), Ter> {
    let issuance = mpt::issuance(view, id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if issuance.account(f::ISSUER) == Some(account) {
        return Ok(());
    }
    let held = mpt::holding(view, id, account).ok_or(Ter::TEC_NO_AUTH)?;
    let is_listed = held.flags() & lsf::AUTHORIZED != 0;
    if issuance.flags() & lsf::REQUIRE_AUTH != 0 && !is_listed {
        return Err(Ter::TEC_NO_AUTH);
    }
    Ok(())
}

fn is_locked(view: &dyn Read, id: &[u8; 24], account: AccountId) -> bool {
    mpt::holding(view, id, account).is_some_and(|held| held.flags() & lsf::LOCKED != 0)
}

/// What a transfer between holders takes from the sender for each unit, in billionths.
fn transfer_rate(issuance: &Object) -> u32 {
    let fee = issuance.number(f::TRANSFER_FEE).unwrap_or_default();
    PARITY.saturating_add(
        u32::try_from(fee)
            .unwrap_or_default()
            .saturating_mul(FEE_UNIT),
    )
}

fn scaled(
    units: i64,
    rate: u32,
    by: fn(Value, Value, Kind) -> Result<Value, crate::ledger::amount::Overflow>,
) -> Result<i64, Ter> {
    if rate == PARITY {
        return Ok(units);
    }
    let value = by(Value::Mpt(units), rate_value(rate), Kind::Mpt)?;
    value.integral().ok_or(Ter::TEF_EXCEPTION)
}

/// Pays, once the destination is known to exist.
pub(super) fn apply(context: &mut Context<'_, '_>, to: &Account) -> Result<(), Ter> {
    let tx = context.tx;
    let amount = owned::amount(tx, f::AMOUNT).ok_or(Ter::TEM_BAD_AMOUNT)?;
    let (wanted, id) = units(&amount)?;
    let destination = to.id;
    let view: &dyn Read = context.changes;
    require_auth(view, &id, tx.account)?;
    require_auth(view, &id, destination)?;
    let issuance = mpt::issuance(view, &id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    let issuer = amount.asset.issuer();
    let between_holders = tx.account != issuer && destination != issuer;
    if between_holders && issuance.flags() & lsf::CAN_TRANSFER == 0 {
        return Err(Ter::TEC_NO_AUTH);
    }
    super::deposit::verify(view, tx.account, to)?;
    let mut rate = PARITY;
    if between_holders {
        let any_locked = issuance.flags() & lsf::LOCKED != 0
            || is_locked(view, &id, tx.account)
            || is_locked(view, &id, destination);
        if any_locked {
            return Err(Ter::TEC_LOCKED);
        }
        rate = transfer_rate(&issuance);
    }
    let source_max = match owned::amount(tx, f::SEND_MAX) {
        Some(max) => units(&max)?.0,
        None => wanted,
    };
    let mut deliver = wanted;
    let mut required = scaled(wanted, rate, multiply)?;
    if tx.flags & TF_PARTIAL_PAYMENT != 0 && required > source_max {
        required = source_max;
        deliver = scaled(source_max, rate, divide)?;
    }
    let minimum = match owned::amount(tx, f::DELIVER_MIN) {
        Some(minimum) => units(&minimum)?.0,
        None => 0,
    };
    if required > source_max || deliver < minimum {
        return Err(Ter::TEC_PATH_PARTIAL);
    }
    // The recorded release says nothing in metadata of what a partial payment delivered.
    send(
        context.changes,
        &id,
        issuer,
        (tx.account, destination),
        deliver,
    )
    .map_err(|code| {
        let lacking = code == Ter::TEC_INSUFFICIENT_FUNDS || code == Ter::TEC_PATH_DRY;
        if lacking { Ter::TEC_PATH_PARTIAL } else { code }
    })
}

fn send(
    changes: &mut Changes<'_>,
    id: &[u8; 24],
    issuer: AccountId,
    (from, to): (AccountId, AccountId),
    units: i64,
) -> Result<(), Ter> {
    if units == 0 || from == to {
        return Ok(());
    }
    let issuance = mpt::issuance(changes, id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if from == issuer {
        let maximum = issuance.number(f::MAXIMUM_AMOUNT).unwrap_or(mpt::UNITS_MAX);
        let outstanding = issuance.number(f::OUTSTANDING_AMOUNT).unwrap_or_default();
        let after = outstanding.saturating_add(units.unsigned_abs());
        if after > maximum {
            return Err(Ter::TEC_PATH_DRY);
        }
    }
    if from == issuer || to == issuer {
        return credit(changes, id, issuer, (from, to), units);
    }
    let with_fee = scaled(units, transfer_rate(&issuance), multiply)?;
    credit(changes, id, issuer, (issuer, to), units)?;
    credit(changes, id, issuer, (from, issuer), with_fee)
}

/// Moves units between the issuer and a holder.
fn credit(
    changes: &mut Changes<'_>,
    id: &[u8; 24],
    issuer: AccountId,
    (from, to): (AccountId, AccountId),
    units: i64,
) -> Result<(), Ter> {
    let units = u64::try_from(units).map_err(|_| Ter::TEC_INTERNAL)?;
    for (account, gives) in [(from, true), (to, false)] {
        // What the issuer gives comes into being, so its side counts the other way round.
        let (key, field, takes) = if account == issuer {
            (Key::mpt_issuance(id), f::OUTSTANDING_AMOUNT, !gives)
        } else {
            (Key::mpt_holding(id, account), f::MPT_AMOUNT, gives)
        };
        let missing = if account == issuer {
            Ter::TEC_OBJECT_NOT_FOUND
        } else {
            Ter::TEC_NO_AUTH
        };
        let mut object = owned::object(changes, &key).ok_or(missing)?;
        let before = object.number(field).unwrap_or_default();
        let after = if takes {
            let short = if account == issuer {
                Ter::TEC_INTERNAL
            } else {
                Ter::TEC_INSUFFICIENT_FUNDS
            };
            before.checked_sub(units).ok_or(short)?
        } else {
            before.checked_add(units).ok_or(Ter::TEC_INTERNAL)?
        };
        if after == 0 && field == f::MPT_AMOUNT {
            object.remove(field);
        } else {
            object.set_u64(field, after);
        }
        changes.put(key, Entry::Object(object));
    }
    Ok(())
}

/// A clawback of multi-purpose tokens, which names the holder in a field of its own.
pub(super) fn preflight_clawback(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    let amount = owned::amount(tx, f::AMOUNT).ok_or(Ter::TEM_BAD_AMOUNT)?;
    let holder = owned::account(tx, f::HOLDER).ok_or(Ter::TEM_MALFORMED)?;
    if holder == tx.account {
        return Err(Ter::TEM_MALFORMED);
    }
    if amount.is_positive() {
        Ok(())
    } else {
        Err(Ter::TEM_BAD_AMOUNT)
    }
}

/// The units, the issuance and the holder of a clawback.
fn clawed(tx: &Tx) -> Result<(i64, [u8; 24], AccountId), Ter> {
    let amount = owned::amount(tx, f::AMOUNT).ok_or(Ter::TEM_BAD_AMOUNT)?;
    let (wanted, id) = units(&amount)?;
    let holder = owned::account(tx, f::HOLDER).ok_or(Ter::TEM_MALFORMED)?;
    Ok((wanted, id, holder))
}

pub(super) fn preclaim_clawback(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let (_, id, holder) = clawed(tx)?;
    view.account(holder).ok_or(Ter::TER_NO_ACCOUNT)?;
    let issuance = mpt::issuance(view, &id).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    let may = issuance.flags() & lsf::CAN_CLAWBACK != 0
        && issuance.account(f::ISSUER) == Some(tx.account);
    if !may {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let held = mpt::holding(view, &id, holder).ok_or(Ter::TEC_OBJECT_NOT_FOUND)?;
    if held.number(f::MPT_AMOUNT).unwrap_or_default() == 0 {
        return Err(Ter::TEC_INSUFFICIENT_FUNDS);
    }
    Ok(())
}

pub(super) fn apply_clawback(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (wanted, id, holder) = clawed(context.tx)?;
    let held = mpt::holding(context.changes, &id, holder).ok_or(Ter::TEC_INTERNAL)?;
    let held = held.number(f::MPT_AMOUNT).unwrap_or_default();
    let taken = wanted.min(i64::try_from(held).unwrap_or(i64::MAX));
    let issuer = context.tx.account;
    credit(context.changes, &id, issuer, (holder, issuer), taken)
}
