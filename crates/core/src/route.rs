//! Which wallet pays for a payment that names none.
//!
//! The rule, in the order in which it decides:
//! 1. A wallet that works and can pay it after everything it has been given already. Of several, the
//!    one with the fewest payments on their way, then the one with the most money left.
//! 2. A wallet that works and could pay it if nothing else were asked of it: the one that is short by
//!    the least. The payment waits there until what is before it has gone or money has come.
//! 3. A wallet of which nothing is known yet: the one with the fewest payments on their way.
//! 4. A wallet that works and does not hold as much: the one that is short by the least.
//! 5. A halted wallet: the one with the fewest payments on their way.
//!
//! What is alike by all of that is told apart by the name, so that the same picture always gives the
//! same choice. It is made once: the payment keeps its wallet.

use crate::money::Drops;
use std::cmp::Reverse;

/// How a wallet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It signs.
    Works {
        /// Its balance above its reserve, at its journal's end.
        payable: Drops,
    },
    /// Its journal has not been read yet.
    Unknown,
    /// It signs nothing until a person says so.
    Halted,
}

/// The payments that a wallet was given and that have no end yet, whether they are signed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub count: u64,
    /// What they move together.
    pub drops: u128,
}

impl Load {
    /// Adds one payment.
    pub fn add(&mut self, amount: Drops) {
        self.count = self.count.saturating_add(1);
        self.drops = self.drops.saturating_add(u128::from(amount.get()));
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            drops: self.drops.saturating_add(other.drops),
        }
    }
}

/// A wallet that may pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it stands.
    pub standing: Standing,
    /// What it was given already.
    pub load: Load,
    /// The most that one attempt of it may burn: money is kept for it.
    pub max_fee: Drops,
}

/// Lower is better; the fields count in their order.
type Rank<'a> = (u8, u128, u64, Reverse<u128>, &'a str);

impl<'a> Candidate<'a> {
    fn rank(&self, amount: Drops) -> Rank<'a> {
        let count = self.load.count;
        let Standing::Works { payable } = self.standing else {
            let class = if self.standing == Standing::Unknown {
                3
            } else {
                5
            };
            return (class, 0, count, Reverse(0), self.name);
        };
        let payable = u128::from(payable.get());
        let fee = u128::from(self.max_fee.get());
        let alone = u128::from(amount.get()).saturating_add(fee);
        let fees = fee.saturating_mul(u128::from(count));
        let given = self.load.drops.saturating_add(fees);
        let whole = given.saturating_add(alone);
        if let Some(left) = payable.checked_sub(whole) {
            return (1, 0, count, Reverse(left), self.name);
        }
        let class = if payable >= alone { 2 } else { 4 };
        let short = match class {
            2 => whole.saturating_sub(payable),
            _ => alone.saturating_sub(payable),
        };
        (class, short, count, Reverse(0), self.name)
    }
}

/// The wallet that is to pay `amount`; none only where there is no candidate.
#[must_use]
pub fn choose<'a>(candidates: &[Candidate<'a>], amount: Drops) -> Option<&'a str> {
    let best = candidates
        .iter()
        .min_by_key(|candidate| candidate.rank(amount));
    best.map(|candidate| candidate.name)
}

#[cfg(test)]
mod tests;
