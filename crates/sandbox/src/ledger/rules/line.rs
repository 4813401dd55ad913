//! Trust lines: one entry between two accounts for one currency, seen from either side.
//!
//! Owns how a line is read, made, credited and deleted. The ledger keeps the balance in the terms of the
//! account with the lower id and every other property twice; [`Side`] hides which of the two an account
//! is. What a line costs its owners is kept in step here: an account pays the reserve of a line for as
//! long as its side differs from the default.

use super::{directory, owned};
use crate::ledger::amount::{Amount, Asset, Currency, NO_ACCOUNT, Value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key, Object, lsf};
use crate::ledger::fields::{f, lt};
use crate::ledger::state::{Changes, Read};
use crate::st::FieldId;
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// The fields and flags of one side of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) limit: FieldId,
    pub(crate) quality_in: FieldId,
    pub(crate) quality_out: FieldId,
    pub(crate) node: FieldId,
    /// This side pays a reserve for the line.
    pub(crate) reserve: u32,
    /// This side authorises the other to hold what it issues.
    pub(crate) auth: u32,
    /// Nothing may ripple from one of this account's lines with this flag to another.
    pub(crate) no_ripple: u32,
    /// This side froze what the other holds.
    pub(crate) freeze: u32,
    /// This side forbids the other to receive as well.
    pub(crate) deep_freeze: u32,
}

const LOW: Side = Side {
    limit: f::LOW_LIMIT,
    quality_in: f::LOW_QUALITY_IN,
    quality_out: f::LOW_QUALITY_OUT,
    node: f::LOW_NODE,
    reserve: 0x0001_0000,
    auth: 0x0004_0000,
    no_ripple: 0x0010_0000,
    freeze: 0x0040_0000,
    deep_freeze: 0x0200_0000,
};

const HIGH: Side = Side {
    limit: f::HIGH_LIMIT,
    quality_in: f::HIGH_QUALITY_IN,
    quality_out: f::HIGH_QUALITY_OUT,
    node: f::HIGH_NODE,
    reserve: 0x0002_0000,
    auth: 0x0008_0000,
    no_ripple: 0x0020_0000,
    freeze: 0x0080_0000,
    deep_freeze: 0x0400_0000,
};

/// A trust line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) object: Object,
    pub(crate) low: AccountId,
    pub(crate) high: AccountId,
    pub(crate) currency: Currency,
}

impl Line {
    /// The line between two accounts, if there is one.
    pub(crate) fn read(
        view: &dyn Read,
        one: AccountId,
        other: AccountId,
        currency: &Currency,
    ) -> Option<Self> {
        match view.entry(&Key::line(one, other, currency)) {
            Some(Entry::Object(object)) => Self::of(object),
            _ => None,
        }
    }

    /// An entry as a line, if it is one.
    pub(crate) fn of(object: Object) -> Option<Self> {
        if object.kind != lt::LINE {
            return None;
        }
        let limit = |side: &Side| object.raw(side.limit).and_then(Amount::read);
        let (low, high) = (limit(&LOW)?, limit(&HIGH)?);
        Some(Self {
            low: low.asset.issuer(),
            high: high.asset.issuer(),
            currency: low.asset.currency()?,
            object,
        })
    }

    pub(crate) fn key(&self) -> Key {
        Key::line(self.low, self.high, &self.currency)
    }

    /// The side of one of its two accounts.
    pub(crate) fn side(&self, account: AccountId) -> &'static Side {
        if account == self.low { &LOW } else { &HIGH }
    }

    /// The account at the other end.
    pub(crate) fn other(&self, account: AccountId) -> AccountId {
        if account == self.low {
            self.high
        } else {
            self.low
        }
    }

    fn amount(&self, id: FieldId) -> TokenValue {
        let amount = self.object.raw(id).and_then(Amount::read);
        amount
            .map(|amount| amount.value.token())
            .unwrap_or_default()
    }

    /// What `account` holds of the other's issue; negative where it is the one that owes.
    pub(crate) fn balance(&self, account: AccountId) -> TokenValue {
        let balance = self.amount(f::BALANCE);
        if account == self.low {
            balance
        } else {
            balance.negated()
        }
    }

    pub(crate) fn set_balance(&mut self, account: AccountId, value: TokenValue) {
        let value = if account == self.low {
            value
        } else {
            value.negated()
        };
        let amount = Amount::token(value, self.currency, NO_ACCOUNT);
        self.object.set_raw(f::BALANCE, amount.bytes());
    }

    /// How much of the other's issue `account` is ready to hold.
    pub(crate) fn limit(&self, account: AccountId) -> TokenValue {
        self.amount(self.side(account).limit)
    }

    pub(crate) fn set_limit(&mut self, account: AccountId, value: TokenValue) {
        let amount = Amount::token(value, self.currency, account);
        self.object
            .set_raw(self.side(account).limit, amount.bytes());
    }

    /// The rate at which `account` takes in what comes over the line; zero stands for one to one.
    pub(crate) fn quality_in(&self, account: AccountId) -> u32 {
        self.object
            .u32(self.side(account).quality_in)
            .unwrap_or_default()
    }

    /// The rate at which `account` gives out what goes over the line; zero stands for one to one.
    pub(crate) fn quality_out(&self, account: AccountId) -> u32 {
        self.object
            .u32(self.side(account).quality_out)
            .unwrap_or_default()
    }

    /// Whether a flag of the line is set.
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.object.flags() & flag != 0
    }

    /// Whether either side froze the line deeply.
    pub(crate) fn is_deep_frozen(&self) -> bool {
        self.has(LOW.deep_freeze | HIGH.deep_freeze)
    }

    /// Whether the line, held by `account`, has nothing that a line without being asked for would not.
    pub(crate) fn is_default_for(&self, account: &Account) -> bool {
        let side = self.side(account.id);
        self.is_bare_for(account)
            && !self.balance(account.id).is_positive()
            && !self.has(side.freeze)
    }

    /// Whether `account` set neither limit nor quality and its rippling is as its account's default.
    fn is_bare_for(&self, account: &Account) -> bool {
        let side = self.side(account.id);
        let one = |quality: u32| quality == 0 || quality == crate::ledger::amount::QUALITY_ONE;
        let ripples = !self.has(side.no_ripple);
        one(self.quality_in(account.id))
            && one(self.quality_out(account.id))
            && ripples == account.has(lsf::DEFAULT_RIPPLE)
            && self.limit(account.id).is_zero()
    }

    pub(crate) fn put(self, changes: &mut Changes<'_>) {
        changes.put(self.key(), Entry::Object(self.object));
    }

    /// Deletes the line, which is shown in metadata as it stands here.
    pub(crate) fn delete(self, changes: &mut Changes<'_>) {
        let (key, low, high) = (self.key(), self.low, self.high);
        for (owner, side) in [(low, &LOW), (high, &HIGH)] {
            let page = self.object.number(side.node).unwrap_or_default();
            directory::remove_owned(changes, owner, page, &key);
        }
        changes.put(key, Entry::Object(self.object));
        changes.delete(key);
    }
}

/// A line that is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewLine {
    /// Who asks for it, or is given it, and pays its reserve.
    pub(crate) account: AccountId,
    pub(crate) peer: AccountId,
    pub(crate) currency: Currency,
    pub(crate) balance: TokenValue,
    pub(crate) limit: TokenValue,
    /// The flags of the account's side, taken from [`Side`].
    pub(crate) flags: u32,
    pub(crate) quality_in: u32,
    pub(crate) quality_out: u32,
}

/// The side that `account` has on a line with `peer`.
pub(crate) fn side_of(account: AccountId, peer: AccountId) -> &'static Side {
    if account < peer { &LOW } else { &HIGH }
}

/// Makes a line.
pub(crate) fn create(changes: &mut Changes<'_>, new: &NewLine) -> Result<(), Ter> {
    let (account, peer) = (new.account, new.peer);
    let key = Key::line(account, peer, &new.currency);
    let (low, high) = if account < peer {
        (account, peer)
    } else {
        (peer, account)
    };
    let mut object = Object::new(lt::LINE);
    object.set_u64(f::LOW_NODE, directory::insert_owned(changes, low, key)?);
    object.set_u64(f::HIGH_NODE, directory::insert_owned(changes, high, key)?);
    let other = changes.account(peer).ok_or(Ter::TEC_NO_TARGET)?;
    let (mine, theirs) = (side_of(account, peer), side_of(peer, account));
    let mut flags = mine.reserve | new.flags;
    if !other.has(lsf::DEFAULT_RIPPLE) {
        flags |= theirs.no_ripple;
    }
    object.set_flags(flags);
    for (id, quality) in [
        (mine.quality_in, new.quality_in),
        (mine.quality_out, new.quality_out),
    ] {
        if quality != 0 {
            object.set_u32(id, quality);
        }
    }
    let mut line = Line {
        object,
        low,
        high,
        currency: new.currency,
    };
    line.set_limit(account, new.limit);
    line.set_limit(peer, TokenValue::ZERO);
    line.set_balance(account, new.balance);
    owned::adjust_count(changes, account, 1)?;
    line.put(changes);
    Ok(())
}

/// What a credit did besides moving the balance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credited {
    /// What the sender had on the line before, in its own terms.
    pub(crate) before: TokenValue,
    /// An account whose count of owned objects changed, and what it was.
    pub(crate) owner_count: Option<(AccountId, u32)>,
}

/// Moves `value` over the line from `sender` to `receiver`, whatever its limits. A line that returns to
/// its default is deleted; a line that is missing is made.
pub(crate) fn credit(
    changes: &mut Changes<'_>,
    sender: AccountId,
    receiver: AccountId,
    currency: Currency,
    value: TokenValue,
) -> Result<Credited, Ter> {
    let Some(mut line) = Line::read(changes, sender, receiver, &currency) else {
        return give_line(changes, sender, receiver, currency, value);
    };
    let before = line.balance(sender);
    let after = Value::Token(before).minus(Value::Token(value))?.token();
    line.set_balance(sender, after);
    let side = line.side(sender);
    let root = changes.account(sender).ok_or(Ter::TEF_INTERNAL)?;
    let returns = before.is_positive()
        && !after.is_positive()
        && line.has(side.reserve)
        && line.is_bare_for(&root)
        && line.quality_in(sender) == 0
        && line.quality_out(sender) == 0
        && !line.has(side.freeze);
    let mut owner_count = None;
    if returns {
        owned::adjust_count(changes, sender, -1)?;
        owner_count = Some((sender, root.owner_count));
        line.object.set_flags(line.object.flags() & !side.reserve);
        if after.is_zero() && !line.has(line.side(receiver).reserve) {
            line.delete(changes);
            return Ok(Credited {
                before,
                owner_count,
            });
        }
    }
    line.put(changes);
    Ok(Credited {
        before,
        owner_count,
    })
}

fn give_line(
    changes: &mut Changes<'_>,
    sender: AccountId,
    receiver: AccountId,
    currency: Currency,
    value: TokenValue,
) -> Result<Credited, Ter> {
    let root = changes.account(receiver).ok_or(Ter::TEF_INTERNAL)?;
    let side = side_of(receiver, sender);
    let ripples = root.has(lsf::DEFAULT_RIPPLE);
    let new = NewLine {
        account: receiver,
        peer: sender,
        currency,
        balance: value,
        limit: TokenValue::ZERO,
        flags: if ripples { 0 } else { side.no_ripple },
        quality_in: 0,
        quality_out: 0,
    };
    create(changes, &new)?;
    Ok(Credited {
        before: TokenValue::ZERO,
        owner_count: Some((receiver, root.owner_count)),
    })
}

/// Whether an issuer froze everything that it issues.
pub(crate) fn is_globally_frozen(view: &dyn Read, issuer: AccountId) -> bool {
    view.account(issuer)
        .is_some_and(|root| root.has(lsf::GLOBAL_FREEZE))
}

/// Whether what `account` holds of an asset is frozen, by its line or with everything of its issuer.
pub(crate) fn is_frozen(view: &dyn Read, account: AccountId, asset: &Asset) -> bool {
    let Asset::Token { currency, issuer } = asset else {
        return false;
    };
    is_globally_frozen(view, *issuer)
        || (*issuer != account
            && Line::read(view, account, *issuer, currency)
                .is_some_and(|line| line.has(line.side(*issuer).freeze)))
}

/// What an issuer charges for moving its issue between others, in billionths.
pub(crate) fn transfer_rate(view: &dyn Read, issuer: AccountId) -> u32 {
    view.account(issuer)
        .and_then(|root| root.extra)
        .and_then(|extra| extra.transfer_rate)
        .unwrap_or(crate::ledger::amount::QUALITY_ONE)
}

/// Every line of an account, in the order of its directory.
pub(crate) fn all(view: &dyn Read, account: AccountId) -> impl Iterator<Item = Line> {
    directory::owned(view, account)
        .into_iter()
        .filter_map(move |key| match view.entry(&key) {
            Some(Entry::Object(object)) => Line::of(object),
            _ => None,
        })
}
