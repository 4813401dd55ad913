//! What fee an attempt bears.

use crate::money::Drops;

/// What the servers ask for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeQuote {
    /// The cost of a reference transaction.
    pub base: Drops,
    /// What gets a transaction into the open ledger at once.
    pub open_ledger: Drops,
}

/// What to do about the fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeChoice {
    /// Sign with this fee.
    Pay(Drops),
    /// The ledger asks for more than the cap: wait.
    Wait {
        /// What it asks for.
        needed: Drops,
    },
}

/// Chooses a fee under `cap`.
///
/// The base fee where the open ledger takes it. Where it asks for more, a fifth is added, since the
/// price climbs while the transaction is on its way; the cap cuts the addition but never the price.
#[must_use]
pub fn choose(quote: FeeQuote, cap: Drops) -> FeeChoice {
    let needed = quote.open_ledger.max(quote.base);
    if needed > cap {
        return FeeChoice::Wait { needed };
    }
    if needed == quote.base {
        return FeeChoice::Pay(needed);
    }
    let addition = Drops::new(needed.get().div_ceil(5)).unwrap_or(Drops::ZERO);
    FeeChoice::Pay(needed.checked_add(addition).unwrap_or(cap).min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drops(n: u64) -> Drops {
        Drops::new(n).unwrap()
    }

    #[test]
    fn an_idle_ledger_is_paid_its_base_fee() {
        let idle = FeeQuote {
            base: drops(10),
            open_ledger: drops(10),
        };
        assert_eq!(choose(idle, drops(1_000)), FeeChoice::Pay(drops(10)));
    }

    #[test]
    fn a_busy_ledger_is_paid_a_fifth_more_than_it_asks() {
        let busy = FeeQuote {
            base: drops(10),
            open_ledger: drops(5_000),
        };
        assert_eq!(choose(busy, drops(10_000)), FeeChoice::Pay(drops(6_000)));
        assert_eq!(choose(busy, drops(5_500)), FeeChoice::Pay(drops(5_500)));
        assert_eq!(
            choose(busy, drops(4_999)),
            FeeChoice::Wait {
                needed: drops(5_000)
            }
        );
    }

    proptest! {
        #[test]
        fn the_fee_is_never_above_the_cap_nor_below_the_price(
            base in 0..=Drops::MAX.get(), open in 0..=Drops::MAX.get(), cap in 0..=Drops::MAX.get()
        ) {
            let quote = FeeQuote { base: drops(base), open_ledger: drops(open) };
            match choose(quote, drops(cap)) {
                FeeChoice::Pay(fee) => {
                    prop_assert!(fee <= drops(cap) && fee >= quote.base && fee >= quote.open_ledger);
                }
                FeeChoice::Wait { needed } => prop_assert!(needed > drops(cap)),
            }
        }
    }
}
