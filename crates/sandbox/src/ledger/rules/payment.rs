//! Payments: XRP straight from one account to another, anything else over the strands of `flow`.
//!
//! Multi-purpose tokens go neither way: `mpt_payment` moves them.

use super::flow::{Element, Purpose, Request, Sandbox, flow, read_paths};
use super::{Context, Setting, deposit, flags};
use crate::ledger::amount::{Amount, Asset, BAD_CURRENCY, Quality};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, lsf};
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f};

const TF_NO_RIPPLE_DIRECT: u32 = 0x0001_0000;
const TF_PARTIAL_PAYMENT: u32 = 0x0002_0000;
const TF_LIMIT_QUALITY: u32 = 0x0004_0000;
/// Paths that a transaction may name, and elements in each.
const PATHS_MAX: usize = 6;
const PATH_LENGTH_MAX: usize = 8;

/// The most that the sender gives: what it says, or the amount in its own issue.
fn source_max(tx: &Tx, amount: &Amount) -> Amount {
    tx.send_max
        .unwrap_or_else(|| amount.with_issuer(tx.account))
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    let amount = tx.amount.as_ref().ok_or(Ter::TEM_BAD_AMOUNT)?;
    let is_mpt = matches!(amount.asset, Asset::Mpt(_));
    let allowed = if is_mpt {
        TF_PARTIAL_PAYMENT
    } else {
        TF_NO_RIPPLE_DIRECT | TF_PARTIAL_PAYMENT | TF_LIMIT_QUALITY
    };
    flags(tx, allowed)?;
    let most = source_max(tx, amount);
    let is_other = most.asset != amount.asset;
    if (is_mpt && (tx.has_paths || is_other)) || (!is_mpt && matches!(most.asset, Asset::Mpt(_))) {
        return Err(Ter::TEM_MALFORMED);
    }
    if !amount.is_legal() || !most.is_legal() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    let destination = tx
        .destination
        .filter(|id| id.0 != [0; 20])
        .ok_or(Ter::TEM_DST_NEEDED)?;
    if !most.is_positive() || !amount.is_positive() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    if is_bad_currency(amount) || is_bad_currency(&most) {
        return Err(Ter::TEM_BAD_CURRENCY);
    }
    if destination == tx.account && same_asset(&most, amount) && !tx.has_paths {
        return Err(Ter::TEM_REDUNDANT);
    }
    if amount.drops().is_some() && most.drops().is_some() {
        xrp_shape(tx)?;
    }
    match &tx.deliver_min {
        Some(least) => deliver_min(tx, amount, least),
        None => Ok(()),
    }
}

/// The least that is to be delivered only makes sense beside a partial payment of the same asset.
fn deliver_min(tx: &Tx, amount: &Amount, least: &Amount) -> Result<(), Ter> {
    let fits = tx.flags & TF_PARTIAL_PAYMENT != 0
        && least.is_legal()
        && least.is_positive()
        && least.asset == amount.asset
        && least.value <= amount.value;
    if fits {
        Ok(())
    } else {
        Err(Ter::TEM_BAD_AMOUNT)
    }
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
    amount.asset.currency() == Some(BAD_CURRENCY)
}

/// Whether two amounts are of one currency, whoever issues it.
fn same_asset(a: &Amount, b: &Amount) -> bool {
    match (a.asset.currency(), b.asset.currency()) {
        (None, None) => a.asset == b.asset,
        (one, other) => one == other,
    }
}

/// The paths that the transaction names.
fn paths(tx: &Tx) -> Result<Vec<Vec<Element>>, Ter> {
    match tx.field(f::PATHS) {
        Some(field) => read_paths(field.value).ok_or(Ter::TEM_BAD_PATH),
        None => Ok(Vec::new()),
    }
}

/// Whether it goes over strands: all but plain XRP and multi-purpose tokens do.
fn goes_over_strands(tx: &Tx, amount: &Amount) -> bool {
    let is_mpt = matches!(amount.asset, Asset::Mpt(_));
    !is_mpt && (tx.has_paths || tx.send_max.is_some() || amount.drops().is_none())
}

pub(super) fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let (Some(amount), Some(destination)) = (&tx.amount, tx.destination) else {
        return Err(Ter::TEM_MALFORMED);
    };
    match (view.account(destination), drops(amount)) {
        (None, None) => return Err(Ter::TEC_NO_DST),
        (None, Some(_)) if setting.mode.is_open() && tx.flags & TF_PARTIAL_PAYMENT != 0 => {
            return Err(Ter::TEL_NO_DST_PARTIAL);
        }
        (None, Some(drops)) if drops < setting.fees.reserve(0) => {
            return Err(Ter::TEC_NO_DST_INSUF_XRP);
        }
        (Some(to), _) if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() => {
            return Err(Ter::TEC_DST_TAG_NEEDED);
        }
        _ => {}
    }
    if setting.mode.is_open() && goes_over_strands(tx, amount) {
        let paths = paths(tx)?;
        if paths.len() > PATHS_MAX || paths.iter().any(|path| path.len() > PATH_LENGTH_MAX) {
            return Err(Ter::TEL_BAD_PATH_COUNT);
        }
    }
    Ok(())
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
    let to = existing.unwrap_or_else(|| Account::new(destination, context.setting.ledger));
    match drops(amount) {
        _ if goes_over_strands(tx, amount) => over_strands(context, amount, to),
        Some(drops) => plain_xrp(context, drops, to),
        None => super::mpt_payment::apply(context, &to),
    }
}

fn plain_xrp(context: &mut Context<'_, '_>, drops: u64, mut to: Account) -> Result<(), Ter> {
    let tx = context.tx;
    let mut sender = context.sender()?;
    let keep = context
        .setting
        .fees
        .reserve(sender.owner_count)
        .max(tx.fee_drops());
    if context.prior_balance < drops.saturating_add(keep) {
        return Err(Ter::TEC_UNFUNDED_PAYMENT);
    }
    deposit::verify_xrp(
        context.changes,
        tx.account,
        &to,
        drops,
        &context.setting.fees,
    )?;
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

/// Pays over strands. What was delivered is noted where it is not what was asked for.
fn over_strands(context: &mut Context<'_, '_>, amount: &Amount, to: Account) -> Result<(), Ter> {
    let tx = context.tx;
    deposit::verify(context.changes, tx.account, &to)?;
    let destination = to.id;
    context.changes.put_account(to);
    let most = source_max(tx, amount);
    let paths = paths(tx)?;
    let request = Request {
        source: tx.account,
        destination,
        deliver: *amount,
        send_max: Some(most),
        paths: &paths,
        default_path: tx.flags & TF_NO_RIPPLE_DIRECT == 0,
        is_partial: tx.flags & TF_PARTIAL_PAYMENT != 0,
        limit_quality: (tx.flags & TF_LIMIT_QUALITY != 0)
            .then(|| Quality::of_amounts(&most, amount)),
        purpose: Purpose::Payment,
    };
    let found = {
        let sandbox = Sandbox::over(&*context.changes, context.setting);
        flow(&sandbox, &request)
    };
    if let Err(code) = found.result {
        // What could be tried again is charged for all the same: such a search is dear.
        return Err(if code.is_ter() {
            Ter::TEC_PATH_DRY
        } else {
            code
        });
    }
    if let Some(settled) = found.settled {
        settled.apply(context.changes);
    }
    if found.flow.output != amount.value {
        if tx
            .deliver_min
            .is_some_and(|least| found.flow.output < least.value)
        {
            return Err(Ter::TEC_PATH_PARTIAL);
        }
        let delivered = found.flow.output.of(amount.asset).bytes();
        context.delivered = Some(delivered.into_boxed_slice());
    }
    Ok(())
}
