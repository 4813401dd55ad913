//! Clawback of an issued currency: an issuer that kept the right takes back what a holder has.

use super::line::{Line, credit};
use super::{Context, flags};
use crate::ledger::amount::{Amount, Asset, Currency};
use crate::ledger::codes::Ter;
use crate::ledger::entry::lsf;
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f};
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// What is to be taken from whom.
struct Claim {
    holder: AccountId,
    currency: Currency,
    value: TokenValue,
}

/// The amount names the holder where its issuer would stand.
fn claim(tx: &Tx) -> Result<Claim, Ter> {
    match tx.amount {
        Some(Amount {
            asset: Asset::Token { currency, issuer },
            value,
        }) => Ok(Claim {
            holder: issuer,
            currency,
            value: value.token(),
        }),
        _ => Err(Ter::TEM_BAD_AMOUNT),
    }
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    if tx.field(f::HOLDER).is_some() {
        return Err(Ter::TEM_MALFORMED);
    }
    let claim = claim(tx)?;
    if claim.holder == tx.account || !claim.value.is_positive() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    Ok(())
}

pub(super) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let claim = claim(tx)?;
    let issuer = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if view.account(claim.holder).is_none() {
        return Err(Ter::TER_NO_ACCOUNT);
    }
    if !issuer.has(lsf::ALLOW_CLAWBACK) || issuer.has(lsf::NO_FREEZE) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let line = Line::read(view, claim.holder, tx.account, &claim.currency);
    let held = line.ok_or(Ter::TEC_NO_LINE)?.balance(claim.holder);
    if held.is_negative() {
        // It is the other that issues over this line.
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if held.is_zero() {
        return Err(Ter::TEC_INSUFFICIENT_FUNDS);
    }
    Ok(())
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let issuer = context.tx.account;
    let claim = claim(context.tx)?;
    let line = Line::read(context.changes, claim.holder, issuer, &claim.currency);
    let held = line.ok_or(Ter::TEC_NO_LINE)?.balance(claim.holder);
    let taken = held.min(claim.value);
    credit(context.changes, claim.holder, issuer, claim.currency, taken).map(|_| ())
}
