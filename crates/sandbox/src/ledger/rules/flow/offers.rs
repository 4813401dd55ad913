//! The offers of a book as a strand meets them: the best first, those that are dead taken away.
//!
//! Owns how far it has come. An offer that is passed by is deleted in the sandbox, because a strand only
//! goes on from one that is used up or dead. One that was dead before the payment began is noted as well:
//! it is to go even if nothing else of the strand is kept.

use super::{Pass, Sandbox, Stop};
use crate::ledger::amount::{Asset, Overflow, Quality, Value};
use crate::ledger::entry::Key;
use crate::ledger::rules::directory;
use crate::ledger::rules::line::Line;
use crate::ledger::rules::offer::{Book, Offer};
use crate::ledger::state::{BookRoot, Read};
use xrpayd_core::token::TokenValue;

/// Offers that one step may look at.
pub(super) const OFFERS_MAX: u32 = 1000;

/// The offer that comes next, and what its owner can give; `None` where he issues what he gives.
pub(super) struct Tip {
    pub(super) offer: Offer,
    pub(super) funds: Option<Value>,
}

/// A walk over the offers of a book.
pub(super) struct Offers {
    book: Book,
    after: BookRoot,
    /// The offer that was met last, which goes before the next is looked for.
    last: Option<Key>,
    pub(super) met: u32,
}

/// The first offer of the first directory beyond `after`, and where it stands.
fn first(view: &dyn Read, book: &Book, after: &BookRoot) -> Option<Key> {
    let mut root = book.next(view, after)?;
    loop {
        if let Some(key) = directory::first_member(view, root) {
            return Some(key);
        }
        root = book.next(view, &root)?;
    }
}

/// The best price of a book.
pub(super) fn best(view: &dyn Read, book: &Book) -> Option<Quality> {
    let offer = Offer::read(view, first(view, book, &book.base())?)?;
    Some(offer.quality())
}

impl Offers {
    /// A walk from the best offer on.
    pub(super) fn of(book: Book) -> Self {
        Self {
            after: book.base(),
            book,
            last: None,
            met: 0,
        }
    }

    /// The next offer that has something to give.
    pub(super) fn next(&mut self, pass: &mut Pass<'_, '_>) -> Result<Option<Tip>, Stop> {
        loop {
            if let Some(passed) = self.last.take()
                && let Some(offer) = Offer::read(pass.sandbox, passed)
            {
                pass.sandbox.remove_offer(&offer)?;
            }
            let Some(key) = first(pass.sandbox, &self.book, &self.after) else {
                return Ok(None);
            };
            if self.met >= OFFERS_MAX {
                return Ok(None);
            }
            self.met += 1;
            let Some(offer) = Offer::read(pass.sandbox, key) else {
                return Ok(None);
            };
            self.last = Some(key);
            if is_over(pass.sandbox, &offer) {
                pass.dead_offers.insert(key);
                continue;
            }
            let funds = pass.sandbox.spendable(offer.owner, &offer.gets.asset)?;
            let is_unfunded = funds.is_some_and(|funds| !funds.is_positive());
            if is_unfunded || is_dust(&offer, funds)? {
                let before = pass.funds.spendable(offer.owner, &offer.gets.asset)?;
                // One that this payment itself left without funds goes only if the payment is kept.
                if before == funds {
                    pass.dead_offers.insert(key);
                }
                continue;
            }
            return Ok(Some(Tip { offer, funds }));
        }
    }
}

/// Whether the offer has ended, is empty, or its owner may not take in what it asks.
fn is_over(view: &Sandbox<'_>, offer: &Offer) -> bool {
    let ended = offer
        .expiration()
        .is_some_and(|at| at <= view.setting.parent_close_time);
    ended || offer.is_consumed() || is_deep_frozen(view, offer)
}

fn is_deep_frozen(view: &dyn Read, offer: &Offer) -> bool {
    match offer.pays.asset {
        Asset::Token { currency, issuer } if issuer != offer.owner => {
            Line::read(view, offer.owner, issuer, &currency)
                .is_some_and(|line| line.is_deep_frozen())
        }
        _ => false,
    }
}

/// Whether so little of the offer is left, or funded, that rounding made its price worse than that of the
/// directory it stands in. It would keep better offers behind it from being taken.
fn is_dust(offer: &Offer, funds: Option<Value>) -> Result<bool, Overflow> {
    let (pays, gets) = (&offer.pays.asset, &offer.gets.asset);
    if gets.is_xrp() || (!pays.is_xrp() && offer.pays.value >= offer.gets.value) {
        return Ok(false);
    }
    let effective = match funds {
        Some(funds) if funds < offer.gets.value => {
            offer
                .quality()
                .ceil_out_strict(offer.amounts(), funds, false)?
        }
        _ => offer.amounts(),
    };
    if !effective.input.is_positive() || !effective.output.is_positive() {
        return Ok(true);
    }
    if effective.input > least_of(pays)? {
        return Ok(false);
    }
    Ok(Quality::of(effective) < offer.quality())
}

/// The least amount above nothing.
fn least_of(asset: &Asset) -> Result<Value, Overflow> {
    if asset.is_xrp() {
        return Ok(Value::Xrp(1));
    }
    let least = TokenValue::new(false, 1_000_000_000_000_000, -96).map_err(|_| Overflow)?;
    Ok(Value::Token(least))
}
