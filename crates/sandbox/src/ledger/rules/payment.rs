//! Payments. XRP moves by the ledger's own rules; no trust line and no issuance can exist in the model
//! yet, so a payment of anything else ends as it would on a ledger without them.

use super::{Context, Setting, deposit_allowed, flags};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, lsf};
use crate::ledger::state::Read;
use crate::ledger::tx::{Amount, Tx};

const TF_NO_RIPPLE_DIRECT: u32 = 0x0001_0000;
const TF_PARTIAL_PAYMENT: u32 = 0x0002_0000;
const TF_LIMIT_QUALITY: u32 = 0x0004_0000;
/// All the XRP there is.
const DROPS_MAX: i64 = 100_000_000_000_000_000;

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    let amount = tx.amount.as_ref().ok_or(Ter::TEM_BAD_AMOUNT)?;
    let is_mpt = matches!(amount, Amount::Mpt { .. });
    let allowed = if is_mpt {
        TF_PARTIAL_PAYMENT
    } else {
        TF_NO_RIPPLE_DIRECT | TF_PARTIAL_PAYMENT | TF_LIMIT_QUALITY
    };
    flags(tx, allowed)?;
    let send_max_is_mpt = matches!(tx.send_max, Some(Amount::Mpt { .. }));
    if (is_mpt && tx.has_paths) || (tx.send_max.is_some() && is_mpt != send_max_is_mpt) {
        return Err(Ter::TEM_MALFORMED);
    }
    let too_much = |amount: &Amount| amount.drops().is_some_and(|drops| drops > DROPS_MAX);
    if too_much(amount) || tx.send_max.as_ref().is_some_and(too_much) {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    let destination = tx
        .destination
        .filter(|id| id.0 != [0; 20])
        .ok_or(Ter::TEM_DST_NEEDED)?;
    if tx.send_max.as_ref().is_some_and(|max| !max.is_positive()) || !amount.is_positive() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    if is_bad_currency(amount) || tx.send_max.as_ref().is_some_and(is_bad_currency) {
        return Err(Ter::TEM_BAD_CURRENCY);
    }
    let source = tx.send_max.as_ref().unwrap_or(amount);
    if destination == tx.account && same_asset(source, amount) && !tx.has_paths {
        return Err(Ter::TEM_REDUNDANT);
    }
    let xrp_direct = amount.drops().is_some() && source.drops().is_some();
    if xrp_direct {
        xrp_shape(tx)?;
    } else if is_mpt && tx.flags & TF_LIMIT_QUALITY != 0 {
        return Err(Ter::TEM_BAD_SEND_XRP_LIMIT);
    }
    if tx.has_deliver_min && tx.flags & TF_PARTIAL_PAYMENT == 0 {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    Ok(())
}

/// What a payment of XRP in XRP must not carry.
fn xrp_shape(tx: &Tx) -> Result<(), Ter> {
    let forbidden = [
        (tx.send_max.is_some(), Ter::TEM_BAD_SEND_XRP_MAX),
        (tx.has_paths, Ter::TEM_BAD_SEND_XRP_PATHS),
        (
            tx.flags & TF_PARTIAL_PAYMENT != 0,
            Ter::TEM_BAD_SEND_XRP_PARTIAL,
        ),
        (
            tx.flags & TF_LIMIT_QUALITY != 0,
            Ter::TEM_BAD_SEND_XRP_LIMIT,
        ),
        (
            tx.flags & TF_NO_RIPPLE_DIRECT != 0,
            Ter::TEM_BAD_SEND_XRP_NO_DIRECT,
        ),
    ];
    forbidden
        .iter()
        .find(|(found, _)| *found)
        .map_or(Ok(()), |(_, code)| Err(*code))
}

/// A token whose currency claims to be XRP.
fn is_bad_currency(amount: &Amount) -> bool {
    let Amount::Token { currency, .. } = amount else {
        return false;
    };
    currency[..12] == [0; 12] && &currency[12..15] == b"XRP" && currency[15..] == [0; 5]
}

fn same_asset(a: &Amount, b: &Amount) -> bool {
    match (a, b) {
        (Amount::Drops(_), Amount::Drops(_)) | (Amount::Mpt { .. }, Amount::Mpt { .. }) => true,
        (Amount::Token { currency: x, .. }, Amount::Token { currency: y, .. }) => x == y,
        _ => false,
    }
}

pub(super) fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let (Some(amount), Some(destination)) = (&tx.amount, tx.destination) else {
        return Err(Ter::TEM_MALFORMED);
    };
    match (view.account(destination), drops(amount)) {
        (None, None) => Err(Ter::TEC_NO_DST),
        (None, Some(_)) if setting.mode.is_open() && tx.flags & TF_PARTIAL_PAYMENT != 0 => {
            Err(Ter::TEL_NO_DST_PARTIAL)
        }
        (None, Some(drops)) if drops < setting.fees.reserve(0) => Err(Ter::TEC_NO_DST_INSUF_XRP),
        (Some(to), _) if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() => {
            Err(Ter::TEC_DST_TAG_NEEDED)
        }
        _ => Ok(()),
    }
}

fn drops(amount: &Amount) -> Option<u64> {
    amount.drops().and_then(|drops| u64::try_from(drops).ok())
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let (Some(amount), Some(destination)) = (&tx.amount, tx.destination) else {
        return Err(Ter::TEM_MALFORMED);
    };
    let existing = context.changes.account(destination);
    let mut to = existing.unwrap_or_else(|| Account::new(destination, context.setting.ledger));
    let xrp = drops(amount).filter(|_| tx.send_max.is_none() && !tx.has_paths);
    let Some(drops) = xrp else {
        if to.has(lsf::DEPOSIT_AUTH) && to.id != tx.account {
            return Err(Ter::TEC_NO_PERMISSION);
        }
        let is_mpt = matches!(amount, Amount::Mpt { .. });
        return Err(if is_mpt {
            Ter::TEC_OBJECT_NOT_FOUND
        } else {
            Ter::TEC_PATH_DRY
        });
    };
    let sender = context.sender()?;
    let keep = context
        .setting
        .fees
        .reserve(sender.owner_count)
        .max(tx.fee_drops());
    if context.prior_balance < drops.saturating_add(keep) {
        return Err(Ter::TEC_UNFUNDED_PAYMENT);
    }
    if !deposit_allowed(tx.account, &to, drops, &context.setting.fees) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let mut sender = sender;
    sender.balance = sender
        .balance
        .checked_sub(drops)
        .ok_or(Ter::TEC_UNFUNDED_PAYMENT)?;
    to.balance = to
        .balance
        .checked_add(drops)
        .ok_or(Ter::TEC_UNFUNDED_PAYMENT)?;
    to.flags &= !lsf::PASSWORD_SPENT;
    context.changes.put_account(sender);
    context.changes.put_account(to);
    Ok(())
}
