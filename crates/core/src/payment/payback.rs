//! Payments that give back what came in: the return of a deposit that belongs to nothing, and the refund
//! of an invoice.
//!
//! The key of such a payment, and so its marker on the ledger, follows from what it gives back and from
//! its number alone. Whoever asks again, also of an older copy of the database, asks for the same
//! payment, and the ledger names the one that was made.

use crate::ids::{DepositId, InvoiceId};
use serde::{Deserialize, Serialize};

/// What a payment gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Payback {
    /// A deposit, to whoever paid it. It is done once; the number counts the tries.
    Return {
        /// The deposit.
        deposit: DepositId,
        /// Which try this is, from 1.
        number: u32,
    },
    /// Part or all of what an invoice received.
    Refund {
        /// The invoice.
        invoice: InvoiceId,
        /// Which of its refunds this is, from 1.
        number: u32,
    },
}

impl Payback {
    /// The most tries of a return, and the most refunds of an invoice: past that a person pays by hand.
    pub const NUMBER_MAX: u32 = 64;

    /// The idempotency key. It holds spaces, which no key of a caller may.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Return { deposit, number } => format!("return {deposit} {number}"),
            Self::Refund { invoice, number } => format!("refund {invoice} {number}"),
        }
    }

    /// The other payments of which at most one may ever deliver together with this one: the other tries
    /// of a return. A refund has none, because an invoice may have several.
    pub fn rivals(self) -> impl Iterator<Item = Self> {
        let tries = match self {
            Self::Return { deposit, number } => Some((deposit, number)),
            Self::Refund { .. } => None,
        };
        tries.into_iter().flat_map(|(deposit, own)| {
            let others = (1..=Self::NUMBER_MAX).filter(move |number| *number != own);
            others.map(move |number| Self::Return { deposit, number })
        })
    }

    /// The deposit that is returned.
    #[must_use]
    pub const fn returned(self) -> Option<DepositId> {
        match self {
            Self::Return { deposit, .. } => Some(deposit),
            Self::Refund { .. } => None,
        }
    }

    /// The invoice that is refunded.
    #[must_use]
    pub const fn refunded(self) -> Option<InvoiceId> {
        match self {
            Self::Return { .. } => None,
            Self::Refund { invoice, .. } => Some(invoice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_key_is_the_same_again_and_no_caller_can_send_it() {
        let first = Payback::Return {
            deposit: DepositId(7),
            number: 1,
        };
        assert_eq!(first.key(), first.key());
        assert!(first.key().contains(' '));
        let refund = Payback::Refund {
            invoice: InvoiceId(7),
            number: 1,
        };
        assert!(refund.key().contains(' '));
        assert_ne!(first.key(), refund.key());
    }

    #[test]
    fn the_tries_of_a_return_are_rivals_and_refunds_are_not() {
        let third = Payback::Return {
            deposit: DepositId(7),
            number: 3,
        };
        let rivals: BTreeSet<Payback> = third.rivals().collect();
        assert_eq!(rivals.len(), 63);
        assert!(!rivals.contains(&third));
        assert!(
            rivals
                .iter()
                .all(|rival| rival.returned() == third.returned())
        );
        let refund = Payback::Refund {
            invoice: InvoiceId(7),
            number: 1,
        };
        assert_eq!(refund.rivals().count(), 0);
    }

    #[test]
    fn an_order_keeps_what_it_gives_back() {
        let refund = Payback::Refund {
            invoice: InvoiceId(7),
            number: 2,
        };
        let text = serde_json::to_string(&refund).unwrap();
        assert_eq!(serde_json::from_str::<Payback>(&text).unwrap(), refund);
    }
}
