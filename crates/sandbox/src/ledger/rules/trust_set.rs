//! TrustSet: making, changing and, when nothing of it is left, deleting a trust line.

use super::line::{Line, NewLine, Side, create, side_of};
use super::{Context, flags, owned};
use crate::ledger::amount::{Amount, BAD_CURRENCY, Currency, NO_ACCOUNT, QUALITY_ONE, XRP_ACCOUNT};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, lsf};
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f};
use crate::st::FieldId;
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

const TF_SET_AUTH: u32 = 0x0001_0000;
pub(crate) const TF_SET_NO_RIPPLE: u32 = 0x0002_0000;
pub(crate) const TF_CLEAR_NO_RIPPLE: u32 = 0x0004_0000;
const TF_SET_FREEZE: u32 = 0x0010_0000;
const TF_CLEAR_FREEZE: u32 = 0x0020_0000;
const TF_SET_DEEP_FREEZE: u32 = 0x0040_0000;
const TF_CLEAR_DEEP_FREEZE: u32 = 0x0080_0000;
const TF_ALL: u32 = 0x00F7_0000;

/// Lines that an account may have before it must keep their reserve: newcomers are let in.
const FREE_LINES: u32 = 2;

/// What the transaction asks for.
struct Wish {
    currency: Currency,
    peer: AccountId,
    limit: TokenValue,
    /// `None` where the transaction does not speak of it; zero takes a quality away.
    quality_in: Option<u32>,
    quality_out: Option<u32>,
}

fn limit(tx: &Tx) -> Option<Amount> {
    tx.field(f::LIMIT_AMOUNT)
        .and_then(|field| Amount::read(field.value))
}

fn wish(tx: &Tx) -> Result<Wish, Ter> {
    let amount = limit(tx).ok_or(Ter::TEM_BAD_LIMIT)?;
    let number = |id| owned::number(tx, id);
    Ok(Wish {
        currency: amount.asset.currency().ok_or(Ter::TEM_BAD_LIMIT)?,
        peer: amount.asset.issuer(),
        limit: amount.value.token(),
        quality_in: number(f::QUALITY_IN),
        quality_out: number(f::QUALITY_OUT).map(|q| if q == QUALITY_ONE { 0 } else { q }),
    })
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, TF_ALL)?;
    let amount = limit(tx).ok_or(Ter::TEM_BAD_LIMIT)?;
    if !amount.is_legal() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    if amount.asset.is_xrp() {
        return Err(Ter::TEM_BAD_LIMIT);
    }
    if amount.asset.currency() == Some(BAD_CURRENCY) {
        return Err(Ter::TEM_BAD_CURRENCY);
    }
    if amount.is_negative() {
        return Err(Ter::TEM_BAD_LIMIT);
    }
    let issuer = amount.asset.issuer();
    if issuer == XRP_ACCOUNT || issuer == NO_ACCOUNT {
        return Err(Ter::TEM_DST_NEEDED);
    }
    Ok(())
}

pub(super) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if tx.flags & TF_SET_AUTH != 0 && !account.has(lsf::REQUIRE_AUTH) {
        return Err(Ter::TEF_NO_AUTH_REQUIRED);
    }
    let wish = wish(tx)?;
    if wish.peer == tx.account {
        return Err(Ter::TEM_DST_IS_SRC);
    }
    let peer = view.account(wish.peer).ok_or(Ter::TEC_NO_DST)?;
    let line = Line::read(view, tx.account, wish.peer, &wish.currency);
    if peer.has(lsf::DISALLOW_TRUSTLINE) && line.is_none() {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    freezes(tx, &account, line.as_ref(), wish.peer)
}

/// Whether the freezes asked for agree with each other, with the account and with the line.
fn freezes(tx: &Tx, account: &Account, line: Option<&Line>, peer: AccountId) -> Result<(), Ter> {
    let sets = tx.flags & (TF_SET_FREEZE | TF_SET_DEEP_FREEZE) != 0;
    let clears = tx.flags & (TF_CLEAR_FREEZE | TF_CLEAR_DEEP_FREEZE) != 0;
    if sets && (clears || account.has(lsf::NO_FREEZE)) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let side = side_of(tx.account, peer);
    let now = line.map_or(0, |line| line.object.flags());
    let after = with_freezes(now, tx.flags, side, account);
    if after & side.deep_freeze != 0 && after & side.freeze == 0 {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    Ok(())
}

/// A line's flags once the freezes asked for are set and cleared.
const fn with_freezes(now: u32, asked: u32, side: &Side, account: &Account) -> u32 {
    let now = set_or_clear(
        now,
        asked,
        (TF_SET_FREEZE, TF_CLEAR_FREEZE),
        side.freeze,
        account,
    );
    set_or_clear(
        now,
        asked,
        (TF_SET_DEEP_FREEZE, TF_CLEAR_DEEP_FREEZE),
        side.deep_freeze,
        account,
    )
}

const fn set_or_clear(
    now: u32,
    asked: u32,
    (set, clear): (u32, u32),
    flag: u32,
    account: &Account,
) -> u32 {
    match (asked & set != 0, asked & clear != 0) {
        (true, false) if !account.has(lsf::NO_FREEZE) => now | flag,
        (false, true) => now & !flag,
        _ => now,
    }
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let wish = wish(context.tx)?;
    let account = context.sender()?;
    let lacks_reserve =
        account.owner_count >= FREE_LINES && owned::lacks_reserve(context, &account, 1);
    match Line::read(context.changes, account.id, wish.peer, &wish.currency) {
        Some(line) => change(context, &wish, &account, line, lacks_reserve),
        None => make(context, &wish, lacks_reserve),
    }
}

fn make(context: &mut Context<'_, '_>, wish: &Wish, lacks_reserve: bool) -> Result<(), Ter> {
    let asked = context.tx.flags;
    let asks_nothing = wish.limit.is_zero()
        && wish.quality_in.unwrap_or_default() == 0
        && wish.quality_out.unwrap_or_default() == 0
        && asked & TF_SET_AUTH == 0;
    if asks_nothing {
        return Err(Ter::TEC_NO_LINE_REDUNDANT);
    }
    if lacks_reserve {
        return Err(Ter::TEC_NO_LINE_INSUF_RESERVE);
    }
    let side = side_of(context.tx.account, wish.peer);
    let given = [
        (asked & TF_SET_AUTH != 0, side.auth),
        (
            asked & TF_SET_NO_RIPPLE != 0 && asked & TF_CLEAR_NO_RIPPLE == 0,
            side.no_ripple,
        ),
        (
            asked & TF_SET_FREEZE != 0 && asked & TF_CLEAR_FREEZE == 0,
            side.freeze,
        ),
        (asked & TF_SET_DEEP_FREEZE != 0, side.deep_freeze),
    ];
    let flags = given
        .iter()
        .filter(|(asked, _)| *asked)
        .fold(0, |flags, (_, flag)| flags | flag);
    create(
        context.changes,
        &NewLine {
            account: context.tx.account,
            peer: wish.peer,
            currency: wish.currency,
            balance: TokenValue::ZERO,
            limit: wish.limit,
            flags,
            quality_in: wish.quality_in.unwrap_or_default(),
            quality_out: wish.quality_out.unwrap_or_default(),
        },
    )
}

fn set_quality(line: &mut Line, id: FieldId, quality: Option<u32>) {
    match quality {
        None => {}
        Some(0) => line.object.remove(id),
        Some(quality) => line.object.set_u32(id, quality),
    }
}

fn change(
    context: &mut Context<'_, '_>,
    wish: &Wish,
    account: &Account,
    mut line: Line,
    lacks_reserve: bool,
) -> Result<(), Ter> {
    let asked = context.tx.flags;
    let side = line.side(account.id);
    line.set_limit(account.id, wish.limit);
    set_quality(&mut line, side.quality_in, wish.quality_in);
    set_quality(&mut line, side.quality_out, wish.quality_out);
    let mut flags = line.object.flags();
    match (
        asked & TF_SET_NO_RIPPLE != 0,
        asked & TF_CLEAR_NO_RIPPLE != 0,
    ) {
        (true, false) if line.balance(account.id).is_negative() => {
            return Err(Ter::TEC_NO_PERMISSION);
        }
        (true, false) => flags |= side.no_ripple,
        (false, true) => flags &= !side.no_ripple,
        _ => {}
    }
    flags = with_freezes(flags, asked, side, account);
    if asked & TF_SET_AUTH != 0 {
        flags |= side.auth;
    }
    line.object.set_flags(flags);
    let grew = settle_reserves(context, &mut line)?;
    let peer = context.changes.account(wish.peer).ok_or(Ter::TEC_NO_DST)?;
    let account = context.sender()?;
    if line.is_default_for(&account) && line.is_default_for(&peer) {
        line.delete(context.changes);
        return Ok(());
    }
    if grew && lacks_reserve {
        return Err(Ter::TEC_INSUF_RESERVE_LINE);
    }
    line.put(context.changes);
    Ok(())
}

/// Lets both accounts pay for the line as long as their side is not the default. Says whether the
/// sender pays for it from now on.
fn settle_reserves(context: &mut Context<'_, '_>, line: &mut Line) -> Result<bool, Ter> {
    let mut grew = false;
    for id in [line.low, line.high] {
        let root = context.changes.account(id).ok_or(Ter::TEC_NO_DST)?;
        let side = line.side(id);
        let needs = !line.is_default_for(&root);
        match (needs, line.has(side.reserve)) {
            (true, false) => {
                owned::adjust_count(context.changes, id, 1)?;
                line.object.set_flags(line.object.flags() | side.reserve);
                grew |= id == context.tx.account;
            }
            (false, true) => {
                owned::adjust_count(context.changes, id, -1)?;
                line.object.set_flags(line.object.flags() & !side.reserve);
            }
            _ => {}
        }
    }
    Ok(grew)
}
