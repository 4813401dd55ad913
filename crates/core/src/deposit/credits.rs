//! Which credits a validated transaction holds, read off what it did to the account.
//!
//! Two things are known of a transaction: what its metadata say was delivered, and by how much the
//! account's own balances rose. Where a payment, a check or a deleted account paid us, the first is
//! counted and the second has to agree; for everything else the rise itself is the credit. Balances are
//! read as the account is owed them: to be owed less by nobody, or to owe less, is no credit.

use super::{Counted, Credit};
use crate::address::AccountId;
use crate::amount::{Amount, Asset};
use crate::currency::Currency;
use crate::ids::UnixMs;
use crate::journal::{Delivered, Effects, Entry, LineChange, MptChange, Page};
use crate::money::Drops;
use crate::mpt::MptValue;
use crate::token::TokenValue;

/// The result of a transaction that did what it asked. Any other took its fee and moved nothing.
const SUCCESS: &str = "tesSUCCESS";
const PAYMENT: &str = "Payment";
const CHECK_CASH: &str = "CheckCash";
const ACCOUNT_DELETE: &str = "AccountDelete";
const ESCROW_FINISH: &str = "EscrowFinish";
const ESCROW_CANCEL: &str = "EscrowCancel";

/// The types that draw on an object, and so pay from its owner.
const DRAWING: [&str; 5] = [
    CHECK_CASH,
    ESCROW_FINISH,
    ESCROW_CANCEL,
    "PaymentChannelClaim",
    "PaymentChannelFund",
];

/// Units in the last place of the largest of three sums by which a line's balance may differ from what
/// the sum of the others says: the ledger rounds to sixteen digits.
const ROUNDING: i128 = 3;

/// All credits of a page, in the order of the ledger. `before` is the account's balance before it; where
/// no server told when a ledger closed, it closed at the latest at the end of the page, or at `now`.
#[must_use]
pub fn credits_in(page: &Page, before: Drops, now: UnixMs) -> Vec<Credit> {
    let mut balance = before;
    let mut credits = Vec::new();
    for entry in &page.entries {
        let closed_at = entry.closed_at.or(page.closed_at).unwrap_or(now);
        credits.extend(credits_of(page.account, balance, entry, closed_at));
        if let Some(root) = entry.root_after {
            balance = root.balance;
        } else if ends_the_account(page.account, entry) {
            balance = Drops::ZERO;
        }
    }
    credits
}

/// An account's end leaves no root; what it had went to another, and it may be made again.
fn ends_the_account(account: AccountId, entry: &Entry) -> bool {
    entry.sender == account && entry.transaction_type == ACCOUNT_DELETE && entry.result == SUCCESS
}

/// What a transaction brought to the account, one credit an asset. `before` is its balance of XRP as the
/// journal knows it up to this transaction.
#[must_use]
pub fn credits_of(
    account: AccountId,
    before: Drops,
    entry: &Entry,
    closed_at: UnixMs,
) -> Vec<Credit> {
    let is_ours = entry.sender == account;
    // What a payment of ours brings back, to ourselves or through an offer of ours, is our own money.
    if entry.result != SUCCESS || (is_ours && entry.transaction_type == PAYMENT) {
        return Vec::new();
    }
    let rises = rises(account, before, entry);
    let is_paid_to_us = match entry.transaction_type.as_str() {
        PAYMENT | ACCOUNT_DELETE => entry.destination == Some(account),
        CHECK_CASH => is_ours,
        _ => false,
    };
    let counted = if is_paid_to_us {
        by_delivered(account, entry, rises)
    } else {
        rises
            .into_iter()
            .map(|amount| Found {
                amount,
                is_paid: true,
            })
            .collect()
    };
    let payer = Payer::of(account, entry);
    let is_return = entry.effects.as_ref().is_some_and(|of| of.is_return);
    counted
        .into_iter()
        .map(|found| {
            let payer = if found.is_paid {
                payer
            } else {
                Payer::default()
            };
            Credit {
                hash: entry.hash,
                ledger_index: entry.ledger_index,
                tx_index: entry.tx_index,
                closed_at,
                transaction_type: entry.transaction_type.clone(),
                from: payer.from,
                source_tag: payer.source_tag,
                destination_tag: payer.destination_tag,
                amount: found.amount,
                is_return,
            }
        })
        .collect()
}

/// A credit of which it is still to be said who paid.
struct Found {
    amount: Counted,
    /// Whether it was paid to us, and did not come by the way of an offer of ours.
    is_paid: bool,
}

/// Who paid, and by which tags.
#[derive(Debug, Clone, Copy, Default)]
struct Payer {
    from: Option<AccountId>,
    source_tag: Option<u32>,
    destination_tag: Option<u32>,
}

impl Payer {
    /// The owner of what was drawn on, or the sender of what names us. Nobody, where an offer of ours
    /// was taken or money went through our lines.
    fn of(account: AccountId, entry: &Entry) -> Self {
        if DRAWING.contains(&entry.transaction_type.as_str()) {
            let drawn = entry.effects.as_ref().and_then(|of| of.drawn);
            let ours = drawn.filter(|of| of.owner == account || of.destination == account);
            return ours.map_or_else(Self::default, |drawn| Self {
                from: Some(drawn.owner),
                source_tag: drawn.source_tag,
                // What comes back to its owner was not paid to the tag of anybody.
                destination_tag: drawn
                    .destination_tag
                    .filter(|_| drawn.destination == account),
            });
        }
        if entry.destination == Some(account) && entry.sender != account {
            return Self {
                from: Some(entry.sender),
                source_tag: entry.source_tag,
                destination_tag: entry.destination_tag,
            };
        }
        Self::default()
    }
}

/// Everything of which the account is owed, or holds, more than before.
fn rises(account: AccountId, before: Drops, entry: &Entry) -> Vec<Counted> {
    let effects = entry.effects.as_ref();
    let lines = effects.map_or(&[][..], |of| &of.lines);
    let mpts = effects.map_or(&[][..], |of| &of.mpts);
    let mut found: Vec<Counted> = xrp_rise(account, before, entry).into_iter().collect();
    found.extend(lines.iter().filter_map(line_rise));
    found.extend(
        mpts.iter()
            .filter_map(|change| mpt_rise(account, entry, change)),
    );
    if effects.is_some_and(|of| of.more) {
        found.push(Counted::Unknown(None));
    }
    found
}

/// By how much the XRP rose, the fee apart that the account paid itself.
fn xrp_rise(account: AccountId, before: Drops, entry: &Entry) -> Option<Counted> {
    let after = entry.root_after?.balance;
    let effects = entry.effects.as_ref();
    let shown = effects.map_or(before, |of| of.balance_before.unwrap_or(after));
    let payer = effects.and_then(|of| of.delegate).unwrap_or(entry.sender);
    let fee = if payer == account {
        entry.fee
    } else {
        Drops::ZERO
    };
    // All three are amounts that exist, so the sum of two fits.
    let rise = after
        .get()
        .saturating_add(fee.get())
        .checked_sub(shown.get())?;
    if rise == 0 {
        return None;
    }
    let amount = Drops::new(rise).filter(|_| shown == before);
    Some(amount.map_or(Counted::Unknown(Some(Asset::Xrp)), |drops| {
        Counted::Exact(Amount::Xrp(drops))
    }))
}

/// By how much a line's balance rose above nothing.
fn line_rise(change: &LineChange) -> Option<Counted> {
    let (before, after) = (owed(change.before), owed(change.after));
    if after <= before {
        return None;
    }
    let (currency, issuer) = (change.currency, change.counterparty);
    let rise = after.checked_add(before.negated());
    Some(
        rise.map_or(Counted::Unknown(Some(asset_of(change))), |value| {
            Counted::Exact(Amount::Token {
                currency,
                issuer,
                value,
            })
        }),
    )
}

fn asset_of(change: &LineChange) -> Asset {
    Asset::Token {
        currency: change.currency,
        issuer: change.counterparty,
    }
}

/// What the account is owed of a balance: nothing where it owes.
const fn owed(balance: TokenValue) -> TokenValue {
    if balance.is_negative() {
        TokenValue::ZERO
    } else {
        balance
    }
}

/// By how much a holding of an issuance rose. Where the metadata leave open what it was before, the
/// transaction itself may tell.
fn mpt_rise(account: AccountId, entry: &Entry, change: &MptChange) -> Option<Counted> {
    let issuance = change.issuance;
    let exact = |units: u64| {
        let value = MptValue::new(units).filter(|value| value.get() > 0)?;
        Some(Counted::Exact(Amount::Mpt { issuance, value }))
    };
    if let Some(before) = change.before {
        return exact(change.after.get().saturating_sub(before.get()));
    }
    if change.after.get() == 0 {
        return None;
    }
    let effects = entry.effects.as_ref();
    let owner = effects.and_then(|of| of.drawn).map(|drawn| drawn.owner);
    match entry.transaction_type.as_str() {
        // What comes back from an escrow cannot leave the holding as it was.
        ESCROW_CANCEL if owner == Some(account) => exact(change.after.get()),
        // What is paid out of ours to another leaves what is not in it as it was.
        ESCROW_FINISH if owner == Some(account) => None,
        _ => {
            let delivered = Delivered::Other(Amount::Mpt {
                issuance,
                value: change.after,
            });
            if entry.delivered == delivered {
                exact(change.after.get())
            } else {
                Some(Counted::Unknown(Some(Asset::Mpt(issuance))))
            }
        }
    }
}

/// What was paid to us by the metadata's word, held against the rises; what rose besides is counted for
/// itself.
fn by_delivered(account: AccountId, entry: &Entry, mut rises: Vec<Counted>) -> Vec<Found> {
    let paid = |amount| Found {
        amount,
        is_paid: true,
    };
    let told = match &entry.delivered {
        Delivered::Xrp(drops) => Amount::Xrp(*drops),
        Delivered::Other(amount) => *amount,
        // Nobody says how much: whatever rose is for a person to look at.
        Delivered::Nothing | Delivered::Unavailable | Delivered::Unreadable(_) => {
            let is_told_nothing = entry.delivered == Delivered::Nothing;
            if rises.is_empty() && !is_told_nothing && entry.effects.is_none() {
                return vec![paid(Counted::Unknown(None))];
            }
            let unknown = rises.iter().map(|rise| Counted::Unknown(rise.asset()));
            return unknown.map(paid).collect();
        }
    };
    let mut found = Vec::with_capacity(rises.len().max(1));
    match told.asset() {
        // Whatever of this currency the account takes: the lines tell whose it is. Of its own it is
        // owed nothing.
        Asset::Token { currency, issuer } if issuer == account => {
            let of_currency: Vec<_>;
            (of_currency, rises) = rises
                .into_iter()
                .partition(|rise| is_of_currency(rise, currency));
            found.extend(of_currency.into_iter().map(paid));
        }
        Asset::Mpt(issuance) if issuance.issuer() == account => {}
        asset => {
            let of_asset = rises.iter().position(|rise| rise.asset() == Some(asset));
            let rise = of_asset.map(|at| rises.remove(at));
            found.extend(agreed(told, rise, entry.effects.as_ref()).map(paid));
        }
    }
    found.extend(rises.into_iter().map(|amount| Found {
        amount,
        is_paid: false,
    }));
    found
}

fn is_of_currency(rise: &Counted, wanted: Currency) -> bool {
    matches!(rise.asset(), Some(Asset::Token { currency, .. }) if currency == wanted)
}

/// What was delivered, where the rise of its asset bears it out; none where it is nothing to us.
fn agreed(told: Amount, rise: Option<Counted>, effects: Option<&Effects>) -> Option<Counted> {
    let unknown = Counted::Unknown(Some(told.asset()));
    if told.is_zero() && rise.is_none() {
        return None;
    }
    Some(match told {
        Amount::Xrp(_) if rise == Some(Counted::Exact(told)) => Counted::Exact(told),
        Amount::Xrp(_) => unknown,
        Amount::Token {
            currency,
            issuer,
            value,
        } => {
            let mut lines = effects.map_or(&[][..], |of| &of.lines).iter();
            let line = lines.find(|line| line.currency == currency && line.counterparty == issuer);
            match line {
                // It only made a debt of ours smaller.
                Some(line) if line.before.is_negative() && rise.is_none() => return None,
                Some(line) if !line.before.is_negative() && explains(line, value) => {
                    Counted::Exact(told)
                }
                Some(_) | None => unknown,
            }
        }
        // Some ledgers told what was asked for and not what came: the holding itself is exact.
        Amount::Mpt { .. } => match rise {
            Some(Counted::Exact(held)) if held <= told => Counted::Exact(held),
            Some(_) | None => unknown,
        },
    })
}

/// Whether a line went from its balance before to the one after by `value`, as exactly as the ledger
/// keeps it.
fn explains(line: &LineChange, value: TokenValue) -> bool {
    if line.after <= line.before || !value.is_positive() {
        return false;
    }
    let of = [line.before, line.after, value];
    let shown = of.iter().filter(|value| !value.is_zero());
    let Some(unit) = shown.map(|value| value.exponent()).max() else {
        return false;
    };
    // In units of the last digit of the largest of the three.
    let scaled = |value: TokenValue| {
        let mantissa = i128::from(value.mantissa());
        let places = u32::from(unit.abs_diff(value.exponent()));
        let divisor = 10_i128.checked_pow(places);
        let size = divisor.map_or(0, |divisor| mantissa / divisor.max(1));
        if value.is_negative() { -size } else { size }
    };
    let [before, after, value] = of.map(scaled);
    after.saturating_sub(before).saturating_sub(value).abs() <= ROUNDING
}

#[cfg(test)]
mod tests;
