//! `OfferCreate`: takes what others offer at its price or better, and puts what is left into the book.
//!
//! Order of the checks and of the work is the ledger's: an offer named by `OfferSequence` goes first, then
//! the rate is rounded to the issuers' ticks, then the offer crosses, and only then is what is left killed
//! or placed.

use super::{Book, LSF_PASSIVE, LSF_SELL, Offer, cross, remove};
use crate::ledger::amount::{
    Amount, Asset, BAD_CURRENCY, Flow, Quality, XRP_ACCOUNT, divide, multiply,
};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Object, lsf};
use crate::ledger::fields::lt;
use crate::ledger::rules::directory::{self, Order};
use crate::ledger::rules::flow::Sandbox;
use crate::ledger::rules::line::{Line, is_globally_frozen};
use crate::ledger::rules::{Context, Mode, Setting, flags, owned};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};
use xrpayd_core::address::AccountId;

pub(super) const TF_PASSIVE: u32 = 0x0001_0000;
const TF_IMMEDIATE_OR_CANCEL: u32 = 0x0002_0000;
pub(super) const TF_FILL_OR_KILL: u32 = 0x0004_0000;
pub(super) const TF_SELL: u32 = 0x0008_0000;
/// Digits of a rate where no issuer rounds it.
const TICK_SIZE_MAX: u8 = 16;

/// What the offer's taker pays and gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    pub(super) pays: Amount,
    pub(super) gets: Amount,
}

impl Sides {
    fn of(tx: &Tx) -> Result<Self, Ter> {
        let amount = |id| owned::amount(tx, id);
        let (pays, gets) = (amount(f::TAKER_PAYS), amount(f::TAKER_GETS));
        Ok(Self {
            pays: pays.ok_or(Ter::TEM_BAD_OFFER)?,
            gets: gets.ok_or(Ter::TEM_BAD_OFFER)?,
        })
    }

    fn quality(&self) -> Quality {
        Quality::of_amounts(&self.pays, &self.gets)
    }

    const fn book(&self) -> Book {
        Book {
            pays: self.pays.asset,
            gets: self.gets.asset,
        }
    }
}

pub(crate) fn preflight(tx: &Tx) -> Result<(), Ter> {
    let killing = TF_IMMEDIATE_OR_CANCEL | TF_FILL_OR_KILL;
    flags(tx, TF_PASSIVE | TF_SELL | killing)?;
    if tx.flags & killing == killing {
        return Err(Ter::TEM_INVALID_FLAG);
    }
    if owned::number(tx, f::EXPIRATION) == Some(0) {
        return Err(Ter::TEM_BAD_EXPIRATION);
    }
    if owned::number(tx, f::OFFER_SEQUENCE) == Some(0) {
        return Err(Ter::TEM_BAD_SEQUENCE);
    }
    let Sides { pays, gets } = Sides::of(tx)?;
    if !pays.is_legal() || !gets.is_legal() {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    if (pays.asset.is_xrp() && gets.asset.is_xrp()) || !pays.is_positive() || !gets.is_positive() {
        return Err(Ter::TEM_BAD_OFFER);
    }
    if pays.asset == gets.asset {
        return Err(Ter::TEM_REDUNDANT);
    }
    let is_bad = |amount: &Amount| amount.asset.currency() == Some(BAD_CURRENCY);
    if is_bad(&pays) || is_bad(&gets) {
        return Err(Ter::TEM_BAD_CURRENCY);
    }
    let has_no_issuer =
        |amount: &Amount| !amount.asset.is_xrp() && amount.asset.issuer() == XRP_ACCOUNT;
    if has_no_issuer(&pays) || has_no_issuer(&gets) {
        return Err(Ter::TEM_BAD_ISSUER);
    }
    Ok(())
}

fn has_expired(tx: &Tx, setting: &Setting) -> bool {
    owned::has_come(setting, owned::number(tx, f::EXPIRATION))
}

pub(crate) fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let Sides { pays, gets } = Sides::of(tx)?;
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if is_globally_frozen(view, pays.asset.issuer())
        || is_globally_frozen(view, gets.asset.issuer())
    {
        return Err(Ter::TEC_FROZEN);
    }
    let funds = Sandbox::over(view, setting).spendable(tx.account, &gets.asset)?;
    if funds.is_some_and(|funds| !funds.is_positive()) {
        return Err(Ter::TEC_UNFUNDED_OFFER);
    }
    if owned::number(tx, f::OFFER_SEQUENCE).is_some_and(|cancelled| account.sequence <= cancelled) {
        return Err(Ter::TEM_BAD_SEQUENCE);
    }
    if has_expired(tx, setting) {
        return Err(Ter::TEC_EXPIRED);
    }
    accepts(view, setting, tx.account, &pays.asset)
}

/// Whether an account may take in an asset.
fn accepts(view: &dyn Read, setting: &Setting, id: AccountId, asset: &Asset) -> Result<(), Ter> {
    let Asset::Token { currency, issuer } = asset else {
        return Ok(());
    };
    // What is missing now may be made by a transaction that has not had its turn yet.
    let either = |retry, last| {
        if setting.mode == Mode::CloseRetry {
            retry
        } else {
            last
        }
    };
    let root = view
        .account(*issuer)
        .ok_or_else(|| either(Ter::TER_NO_ACCOUNT, Ter::TEC_NO_ISSUER))?;
    if *issuer == id {
        return Ok(());
    }
    let line = Line::read(view, id, *issuer, currency);
    if root.has(lsf::REQUIRE_AUTH) {
        let line = line
            .as_ref()
            .ok_or_else(|| either(Ter::TER_NO_LINE, Ter::TEC_NO_LINE))?;
        if !line.has(line.side(*issuer).auth) {
            return Err(either(Ter::TER_NO_AUTH, Ter::TEC_NO_AUTH));
        }
    }
    if line.is_some_and(|line| line.is_deep_frozen()) {
        return Err(Ter::TEC_FROZEN);
    }
    Ok(())
}

/// The digits that the issuers of both sides leave to a rate.
fn tick_size(view: &dyn Read, sides: &Sides) -> u8 {
    let of = |amount: &Amount| {
        let issuer = view.account(amount.asset.issuer())?;
        issuer.extra?.tick_size
    };
    let ticks = [of(&sides.pays), of(&sides.gets)];
    ticks.into_iter().flatten().fold(TICK_SIZE_MAX, u8::min)
}

/// Rounds the side that the offer is not firm about, to its owner's favour.
fn round_to_tick(sides: &mut Sides, tick: u8, sells: bool) -> Result<(), Ter> {
    let rate = sides.quality().rounded(u32::from(tick)).rate();
    if sells {
        sides.pays.value = multiply(sides.gets.value, rate, sides.pays.asset.kind())?;
    } else {
        sides.gets.value = divide(sides.pays.value, rate, sides.gets.asset.kind())?;
    }
    Ok(())
}

pub(crate) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let mut sides = Sides::of(tx)?;
    if let Some(cancelled) = owned::number(tx, f::OFFER_SEQUENCE)
        && let Some(offer) = Offer::read(context.changes, Key::offer(tx.account, cancelled))
    {
        remove(context.changes, &offer)?;
    }
    if has_expired(tx, context.setting) {
        return Err(Ter::TEC_EXPIRED);
    }
    let tick = tick_size(context.changes, &sides);
    if tick < TICK_SIZE_MAX {
        round_to_tick(&mut sides, tick, tx.flags & TF_SELL != 0)?;
        if sides.pays.is_zero() || sides.gets.is_zero() {
            return Ok(());
        }
    }
    // What is placed is placed at the price that was asked, not at that of what crossing left over.
    let quality = sides.quality();
    let left = cross::cross(context, &sides)?;
    let whole = Flow {
        input: sides.gets.value,
        output: sides.pays.value,
    };
    let crossed = left != whole;
    if left.input.is_negative() || left.output.is_negative() {
        return Err(Ter::TEF_INTERNAL);
    }
    if left.input.is_zero() || left.output.is_zero() {
        return Ok(());
    }
    sides.gets.value = left.input;
    sides.pays.value = left.output;
    if tx.flags & TF_FILL_OR_KILL != 0 {
        return Err(Ter::TEC_KILLED);
    }
    if tx.flags & TF_IMMEDIATE_OR_CANCEL != 0 {
        return if crossed {
            Ok(())
        } else {
            Err(Ter::TEC_KILLED)
        };
    }
    let owner = context.sender()?;
    if owned::lacks_reserve(context, &owner, 1) {
        return if crossed {
            Ok(())
        } else {
            Err(Ter::TEC_INSUF_RESERVE_OFFER)
        };
    }
    place(context.changes, tx, &sides, quality)
}

/// Puts what is left of an offer into its book.
fn place(changes: &mut Changes<'_>, tx: &Tx, sides: &Sides, quality: Quality) -> Result<(), Ter> {
    let sequence = owned::sequence(tx);
    let key = Key::offer(tx.account, sequence);
    let owner_node = directory::insert_owned(changes, tx.account, key)?;
    owned::adjust_count(changes, tx.account, 1)?;
    let book = sides.book();
    let root = book.directory(quality);
    let book_node = directory::insert(changes, root, key, Order::Arrival, || {
        let currency = |asset: &Asset| asset.currency().unwrap_or_default().to_vec();
        vec![
            (f::EXCHANGE_RATE, quality.0.to_be_bytes().to_vec()),
            (f::TAKER_PAYS_CURRENCY, currency(&book.pays)),
            (f::TAKER_PAYS_ISSUER, book.pays.issuer().0.to_vec()),
            (f::TAKER_GETS_CURRENCY, currency(&book.gets)),
            (f::TAKER_GETS_ISSUER, book.gets.issuer().0.to_vec()),
        ]
    })?;
    let mut offer = Object::new(lt::OFFER);
    offer.set_account(f::ACCOUNT, tx.account);
    offer.set_u32(f::SEQUENCE, sequence);
    offer.set_raw(f::BOOK_DIRECTORY, root.to_vec());
    offer.set_raw(f::TAKER_PAYS, sides.pays.bytes());
    offer.set_raw(f::TAKER_GETS, sides.gets.bytes());
    offer.set_u64(f::OWNER_NODE, owner_node);
    offer.set_u64(f::BOOK_NODE, book_node);
    if let Some(expiration) = owned::number(tx, f::EXPIRATION) {
        offer.set_u32(f::EXPIRATION, expiration);
    }
    let flag = |of: u32, set: u32| if tx.flags & of != 0 { set } else { 0 };
    offer.set_flags(flag(TF_PASSIVE, LSF_PASSIVE) | flag(TF_SELL, LSF_SELL));
    changes.put(key, Entry::Object(offer));
    Ok(())
}
