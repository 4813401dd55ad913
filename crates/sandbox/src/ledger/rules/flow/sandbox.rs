//! What strands work on: a layer over the state that is kept or thrown away as a whole, and that does not
//! let value be used twice.
//!
//! Owns its changes and the table of credits. Within one payment, what an account receives on one strand
//! must not pay for another, and an owner count that fell must not free a reserve; so balances are read
//! through [`Sandbox::holds`] and [`Sandbox::xrp_liquid`], which leave out what came in meanwhile.

use crate::ledger::amount::{
    Amount, Asset, Currency, Kind, Value, XRP_ACCOUNT, XRP_CURRENCY, multiply, rate_value,
};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Entry, Key};
use crate::ledger::rules::Setting;
use crate::ledger::rules::line::{self, Line};
use crate::ledger::rules::offer::{self, Offer};
use crate::ledger::state::{BookRoot, Change, Changes, Read};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;

/// Two accounts, the lower first, and a currency.
type Pair = (AccountId, AccountId, Currency);

/// What two accounts sent each other since the sandbox began.
#[derive(Debug, Clone, Copy)]
struct Credit {
    /// What the lower account received.
    to_low: Value,
    /// What the higher account received.
    to_high: Value,
    /// The lower account's balance before the first of it.
    low_before: Value,
}

/// What was credited, and the greatest owner counts.
#[derive(Debug, Default)]
struct Credits {
    pairs: BTreeMap<Pair, Credit>,
    owner_counts: BTreeMap<AccountId, u32>,
}

impl Credits {
    fn note_owner_count(&mut self, id: AccountId, count: u32) {
        let most = self.owner_counts.entry(id).or_default();
        *most = count.max(*most);
    }

    fn note(
        &mut self,
        (sender, receiver, currency): Pair,
        value: Value,
        before: Value,
    ) -> Result<(), Ter> {
        let low_sends = sender < receiver;
        let zero = Value::zero(value.kind());
        let (low, high) = if low_sends {
            (sender, receiver)
        } else {
            (receiver, sender)
        };
        let credit = self.pairs.entry((low, high, currency)).or_insert(Credit {
            to_low: zero,
            to_high: zero,
            low_before: if low_sends { before } else { -before },
        });
        let side = if low_sends {
            &mut credit.to_high
        } else {
            &mut credit.to_low
        };
        *side = side.plus(value)?;
        Ok(())
    }

    /// What `account` gave away to `other`, and its balance before.
    fn debits(
        &self,
        account: AccountId,
        other: AccountId,
        currency: Currency,
    ) -> Option<(Value, Value)> {
        if account < other {
            let credit = self.pairs.get(&(account, other, currency))?;
            Some((credit.to_high, credit.low_before))
        } else {
            let credit = self.pairs.get(&(other, account, currency))?;
            Some((credit.to_low, -credit.low_before))
        }
    }

    fn absorb(&mut self, other: Self) -> Result<(), Ter> {
        for (pair, credit) in other.pairs {
            if let Some(mine) = self.pairs.get_mut(&pair) {
                mine.to_low = mine.to_low.plus(credit.to_low)?;
                mine.to_high = mine.to_high.plus(credit.to_high)?;
            } else {
                self.pairs.insert(pair, credit);
            }
        }
        for (id, count) in other.owner_counts {
            self.note_owner_count(id, count);
        }
        Ok(())
    }
}

/// What a sandbox leaves behind when it is kept.
pub(crate) struct Settled {
    map: BTreeMap<Key, Change>,
    credits: Credits,
}

impl Settled {
    /// Makes the changes in the transaction's own.
    pub(crate) fn apply(self, changes: &mut Changes<'_>) {
        changes.absorb(self.map);
    }
}

/// A layer over the state.
pub(crate) struct Sandbox<'a> {
    parent: Option<&'a Sandbox<'a>>,
    pub(crate) changes: Changes<'a>,
    credits: Credits,
    pub(crate) setting: &'a Setting,
}

impl<'a> Sandbox<'a> {
    /// A layer over a transaction's changes, or any other view.
    pub(crate) fn over(view: &'a dyn Read, setting: &'a Setting) -> Self {
        Self {
            parent: None,
            changes: Changes::over(view),
            credits: Credits::default(),
            setting,
        }
    }

    /// A layer over another.
    pub(crate) fn within(parent: &'a Sandbox<'a>) -> Self {
        Self {
            parent: Some(parent),
            changes: Changes::over(parent),
            credits: Credits::default(),
            setting: parent.setting,
        }
    }

    /// What is left of it when it is kept.
    pub(crate) fn settle(self) -> Settled {
        Settled {
            map: self.changes.map,
            credits: self.credits,
        }
    }

    /// Keeps what a layer over this one did.
    pub(crate) fn absorb(&mut self, settled: Settled) -> Result<(), Ter> {
        self.changes.absorb(settled.map);
        self.credits.absorb(settled.credits)
    }

    /// `amount` without what came in since the payment began.
    fn usable(
        &self,
        account: AccountId,
        other: AccountId,
        currency: Currency,
        amount: Value,
    ) -> Result<Value, Ter> {
        let mut given = Value::zero(amount.kind());
        let (mut last, mut least) = (amount, amount);
        let mut layer = Some(self);
        while let Some(sandbox) = layer {
            if let Some((debits, before)) = sandbox.credits.debits(account, other, currency) {
                given = given.plus(debits)?;
                last = before;
                least = least.least(last);
            }
            layer = sandbox.parent;
        }
        Ok(amount.least(last.minus(given)?).least(least))
    }

    /// What `account` may spend of what it holds over its line with `issuer`; negative where it owes.
    /// A freeze is for the caller to ask about.
    pub(crate) fn holds(
        &self,
        account: AccountId,
        issuer: AccountId,
        currency: Currency,
    ) -> Result<Value, Ter> {
        let balance = Line::read(self, account, issuer, &currency)
            .map(|line| line.balance(account))
            .unwrap_or_default();
        self.usable(account, issuer, currency, Value::Token(balance))
    }

    /// The owner count that an account's reserve is reckoned with.
    pub(crate) fn owner_count(&self, root: &Account) -> u32 {
        let mut most = root.owner_count;
        let mut layer = Some(self);
        while let Some(sandbox) = layer {
            most = most.max(
                sandbox
                    .credits
                    .owner_counts
                    .get(&root.id)
                    .copied()
                    .unwrap_or_default(),
            );
            layer = sandbox.parent;
        }
        most
    }

    /// The XRP that an account may spend, its reserve reckoned with `more` objects than it owns.
    pub(crate) fn xrp_liquid(&self, id: AccountId, more: i32) -> Result<Value, Ter> {
        let Some(root) = self.account(id) else {
            return Ok(Value::Xrp(0));
        };
        let count = self.owner_count(&root).saturating_add_signed(more);
        let reserve = i64::try_from(self.setting.fees.reserve(count)).unwrap_or(i64::MAX);
        let balance = Value::Xrp(i64::try_from(root.balance).unwrap_or(i64::MAX));
        let usable = self.usable(id, XRP_ACCOUNT, XRP_CURRENCY, balance)?;
        let drops = usable.integral().unwrap_or_default();
        Ok(Value::Xrp(drops.saturating_sub(reserve).max(0)))
    }

    /// What `account` may spend of an asset: nothing of what is frozen, without end of what it issues.
    pub(crate) fn spendable(
        &self,
        account: AccountId,
        asset: &Asset,
    ) -> Result<Option<Value>, Ter> {
        match asset {
            Asset::Xrp => self.xrp_liquid(account, 0).map(Some),
            Asset::Token { issuer, .. } if *issuer == account => Ok(None),
            Asset::Token { currency, issuer } => {
                let line = Line::read(self, account, *issuer, currency);
                let frozen = line::is_frozen(self, account, asset)
                    || line.is_some_and(|line| line.is_deep_frozen());
                let zero = Value::zero(asset.kind());
                let held = if frozen {
                    zero
                } else {
                    self.holds(account, *issuer, *currency)?
                };
                Ok(Some(if held.is_negative() { zero } else { held }))
            }
            Asset::Mpt(_) => Ok(Some(Value::zero(asset.kind()))),
        }
    }

    /// Moves an issued currency over the line of two accounts, whatever its limits.
    pub(crate) fn credit(
        &mut self,
        sender: AccountId,
        receiver: AccountId,
        currency: Currency,
        value: Value,
    ) -> Result<(), Ter> {
        let credited = line::credit(&mut self.changes, sender, receiver, currency, value.token())?;
        if let Some((id, count)) = credited.owner_count {
            self.credits.note_owner_count(id, count);
        }
        self.credits.note(
            (sender, receiver, currency),
            value,
            Value::Token(credited.before),
        )
    }

    /// Deletes an offer. The reserve that it kept is not free before the payment is over.
    pub(crate) fn remove_offer(&mut self, offer: &Offer) -> Result<(), Ter> {
        let owner = self.account(offer.owner).ok_or(Ter::TEF_INTERNAL)?;
        self.credits.note_owner_count(owner.id, owner.owner_count);
        offer::remove(&mut self.changes, offer)
    }

    /// Takes XRP out of an account; its reserve is for the caller to ask about.
    pub(crate) fn take_xrp(&mut self, id: AccountId, drops: u64) -> Result<(), Ter> {
        let mut root = self.account(id).ok_or(Ter::TEF_INTERNAL)?;
        let before = root.balance;
        root.balance = before
            .checked_sub(drops)
            .ok_or(Ter::TEL_FAILED_PROCESSING)?;
        self.changes.put_account(root);
        self.credits
            .note((id, XRP_ACCOUNT, XRP_CURRENCY), xrp(drops), xrp(before))
    }

    /// Puts XRP into an account.
    pub(crate) fn give_xrp(&mut self, id: AccountId, drops: u64) -> Result<(), Ter> {
        let mut root = self.account(id).ok_or(Ter::TEF_INTERNAL)?;
        let before = root.balance;
        root.balance = before.checked_add(drops).ok_or(Ter::TEF_INTERNAL)?;
        self.changes.put_account(root);
        self.credits
            .note((XRP_ACCOUNT, id, XRP_CURRENCY), xrp(drops), -xrp(before))
    }

    /// Sends an amount from one account to another. XRP of or to the zero account comes from or goes to
    /// nowhere, as the two ends of a strand put it right. Where neither account is the issuer, it goes
    /// through the issuer and costs the sender its transfer fee on top.
    pub(crate) fn send(
        &mut self,
        sender: AccountId,
        receiver: AccountId,
        amount: &Amount,
    ) -> Result<(), Ter> {
        if amount.is_negative() {
            return Err(Ter::TEC_INTERNAL);
        }
        if amount.is_zero() || sender == receiver {
            return Ok(());
        }
        match amount.asset {
            Asset::Xrp => {
                let drops = amount.drops().and_then(|drops| u64::try_from(drops).ok());
                let drops = drops.ok_or(Ter::TEC_INTERNAL)?;
                if sender != XRP_ACCOUNT {
                    self.take_xrp(sender, drops)?;
                }
                if receiver != XRP_ACCOUNT {
                    self.give_xrp(receiver, drops)?;
                }
                Ok(())
            }
            Asset::Token { currency, issuer } if sender == issuer || receiver == issuer => {
                self.credit(sender, receiver, currency, amount.value)
            }
            Asset::Token { currency, issuer } => {
                let rate = line::transfer_rate(self, issuer);
                let cost = multiply(amount.value, rate_value(rate), Kind::Token)?;
                self.credit(issuer, receiver, currency, amount.value)?;
                self.credit(sender, issuer, currency, cost)
            }
            Asset::Mpt(_) => Err(Ter::TEC_INTERNAL),
        }
    }
}

fn xrp(drops: u64) -> Value {
    Value::Xrp(i64::try_from(drops).unwrap_or(i64::MAX))
}

impl Read for Sandbox<'_> {
    fn entry(&self, key: &Key) -> Option<Entry> {
        self.changes.entry(key)
    }

    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot> {
        self.changes.book_named_after(after)
    }
}
