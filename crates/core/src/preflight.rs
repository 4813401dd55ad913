//! What a validated ledger says against a payment before it is signed.
//!
//! A courtesy and not a proof about the future: between the ledger that was read and the one that
//! would hold the payment an account can change. So what is found is told with its ledger, and a
//! payment is ended by it only while nothing of it can be applied (see [`Refusal`]).
//!
//! Pure. What is not known is never taken for a yes.

use crate::ids::{LedgerHash, LedgerIndex};
use crate::money::Drops;
use crate::payment::{Failure, Order};
use serde::{Deserialize, Serialize};

/// The account wants a tag on every payment to it.
const REQUIRE_DESTINATION_TAG: u32 = 0x0002_0000;
/// The account would rather not be sent XRP; the ledger does not enforce it.
const DISALLOW_XRP: u32 = 0x0008_0000;
/// The account takes payments only from those whom it authorised.
const DEPOSIT_AUTH: u32 = 0x0100_0000;

/// What is to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// How much; `None` where that could not be read.
    pub amount: Option<Drops>,
    /// The tag at the destination.
    pub tag: Option<u32>,
}

impl From<&Order> for Delivery {
    fn from(order: &Order) -> Self {
        Self {
            amount: Some(order.amount),
            tag: order.destination_tag,
        }
    }
}

/// Where something was read, and who agreed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The validated ledger.
    pub ledger_index: LedgerIndex,
    /// Its hash.
    pub ledger_hash: LedgerHash,
    /// The servers that agreed.
    pub servers: Vec<String>,
}

/// What one validated ledger says of an account that is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which ledger, and who says so.
    pub reading: Reading,
    /// The least that an account must hold there.
    pub reserve_base: Drops,
    /// The account; `None` where it does not exist there.
    pub account: Option<Recipient>,
}

/// An account that is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    /// What it holds.
    pub balance: Drops,
    /// Its flags.
    pub flags: u32,
    /// Whose it is.
    pub kind: Kind,
    /// Whether it lets the sender pay.
    pub leave: Leave,
}

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody's, with a key.
    Ordinary,
    /// The ledger's own, of a pool or a vault: nobody can pay it by a payment.
    Pseudo,
}

/// Whether an account that takes payments only from those it authorised takes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It authorised the sender.
    Given,
    /// It did not.
    Withheld,
    /// Nobody could be asked, or nobody had to be.
    Unknown,
}

impl Recipient {
    /// Whether only those may pay it whom it authorised.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.flags & DEPOSIT_AUTH != 0
    }
}

/// How one question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing stands in the way.
    Pass,
    /// The ledger that was read would refuse the payment.
    Fail(Obstacle),
    /// The ledger would take it, and its owner would rather not have it.
    Warn,
    /// What is needed for an answer is not known.
    Unknown,
}

/// Why a payment to an account comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The account does not exist, and the amount is less than its reserve.
    NotFunded,
    /// The account wants a tag, and the payment has none.
    TagMissing,
    /// The account takes payments only from those it authorised, and the sender is none of them.
    NotAuthorized,
    /// The account is the ledger's own.
    PseudoAccount,
}

/// What the ledger says to each question about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// Whether the account exists, or would by this payment.
    pub funded: Verdict,
    /// Whether the tag that it wants is there.
    pub tag: Verdict,
    /// Whether it lets itself be paid by the sender.
    pub leave: Verdict,
    /// Whether its owner wants XRP at all.
    pub wanted: Verdict,
}

impl Answers {
    /// What is said where nothing could be read.
    pub const UNKNOWN: Self = Self {
        funded: Verdict::Unknown,
        tag: Verdict::Unknown,
        leave: Verdict::Unknown,
        wanted: Verdict::Unknown,
    };

    /// Whether the ledger is known to take the payment.
    #[must_use]
    pub fn are_good(&self) -> bool {
        let is_good = |verdict| matches!(verdict, Verdict::Pass | Verdict::Warn);
        [self.funded, self.tag, self.leave].into_iter().all(is_good)
    }

    /// The first thing for which the ledger would refuse the payment, in the ledger's own order.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        [self.funded, self.tag, self.leave]
            .into_iter()
            .find_map(|verdict| match verdict {
                Verdict::Fail(obstacle) => Some(obstacle),
                Verdict::Pass | Verdict::Warn | Verdict::Unknown => None,
            })
    }
}

impl Facts {
    /// Judges a delivery.
    #[must_use]
    pub fn judge(&self, delivery: Delivery) -> Answers {
        let Some(account) = &self.account else {
            // No flag can be enforced for an account that does not exist yet.
            return Answers {
                funded: match delivery.amount {
                    Some(amount) if amount >= self.reserve_base => Verdict::Pass,
                    Some(_) => Verdict::Fail(Obstacle::NotFunded),
                    None => Verdict::Unknown,
                },
                tag: Verdict::Pass,
                leave: Verdict::Pass,
                wanted: Verdict::Pass,
            };
        };
        let wants_tag = account.flags & REQUIRE_DESTINATION_TAG != 0;
        let wants_no_xrp = account.flags & DISALLOW_XRP != 0;
        Answers {
            funded: Verdict::Pass,
            tag: if wants_tag && delivery.tag.is_none() {
                Verdict::Fail(Obstacle::TagMissing)
            } else {
                Verdict::Pass
            },
            leave: self.leave(account, delivery.amount),
            wanted: if wants_no_xrp {
                Verdict::Warn
            } else {
                Verdict::Pass
            },
        }
    }

    /// What ends a payment of this delivery, of which nothing can be applied.
    #[must_use]
    pub fn refusal(&self, delivery: Delivery) -> Option<Refusal> {
        let obstacle = self.judge(delivery).obstacle()?;
        let reading = self.reading.clone();
        Some(Refusal { obstacle, reading })
    }

    fn leave(&self, account: &Recipient, amount: Option<Drops>) -> Verdict {
        if account.kind == Kind::Pseudo {
            return Verdict::Fail(Obstacle::PseudoAccount);
        }
        if !account.is_guarded() {
            return Verdict::Pass;
        }
        // What keeps a poor account alive needs no leave: else it could never be helped again.
        let is_poor = account.balance <= self.reserve_base;
        let is_small = amount.is_some_and(|amount| amount <= self.reserve_base);
        match account.leave {
            Leave::Given => Verdict::Pass,
            Leave::Withheld | Leave::Unknown if is_poor && is_small => Verdict::Pass,
            Leave::Withheld if is_poor && amount.is_none() => Verdict::Unknown,
            Leave::Withheld => Verdict::Fail(Obstacle::NotAuthorized),
            Leave::Unknown => Verdict::Unknown,
        }
    }
}

impl Obstacle {
    /// Every obstacle.
    pub const ALL: [Self; 4] = [
        Self::NotFunded,
        Self::TagMissing,
        Self::NotAuthorized,
        Self::PseudoAccount,
    ];

    /// The code of the API for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFunded => "destination_not_funded",
            Self::TagMissing => "destination_tag_required",
            Self::NotAuthorized | Self::PseudoAccount => "destination_requires_authorization",
        }
    }

    /// The result with which the ledger would refuse the payment, and charge the fee.
    #[must_use]
    pub const fn ledger_code(self) -> &'static str {
        match self {
            Self::NotFunded => "tecNO_DST_INSUF_XRP",
            Self::TagMissing => "tecDST_TAG_NEEDED",
            Self::NotAuthorized | Self::PseudoAccount => "tecNO_PERMISSION",
        }
    }

    /// One sentence for a person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotFunded => {
                "The destination account does not exist and the amount does not fund it."
            }
            Self::TagMissing => "The destination requires a destination tag.",
            Self::NotAuthorized => "The destination accepts payments from authorised senders only.",
            Self::PseudoAccount => {
                "The destination belongs to the ledger itself, which no payment can pay."
            }
        }
    }
}

/// That a ledger would refuse a payment of which nothing can be applied any more, or ever could.
///
/// It ends the payment without a signature: nothing was or can be delivered, and no fee is burned to
/// learn what is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Why.
    pub obstacle: Obstacle,
    /// Where it was read.
    pub reading: Reading,
}

impl Refusal {
    /// The failure that it makes of a payment. An earlier attempt may have cost a fee all the same.
    #[must_use]
    pub fn failure(&self, fee_charged: bool) -> Failure {
        Failure {
            code: self.obstacle.code().to_owned(),
            message: self.obstacle.message().to_owned(),
            ledger_code: self.obstacle.ledger_code().to_owned(),
            fee_charged,
        }
    }
}

#[cfg(test)]
mod tests;
