//! What fee an attempt bears, and when a dearer one takes its place.
//!
//! The price is the servers' word; the caps are the operator's and the client's. An attempt that waits
//! while the price is above its fee is replaced on the same slot, of which the ledger takes one at
//! most: by the price and a fifth, never by less than the ledger's queue wants of a replacement, never
//! above the cap. A rise that the cap cuts below the price would buy nothing, and is not made.

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

/// Ledgers that an attempt waits, sent and in none of them, before it is replaced by a dearer one.
pub const RAISE_AFTER_LEDGERS: u32 = 3;
/// Replacements of one slot while its first attempt is open, at most: a price that runs away faster is
/// waited for.
pub const RAISES_MAX: usize = 4;

/// How an attempt stands whose fee might be too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The dearest fee that is signed for its slot.
    pub fee: Drops,
    /// Ledgers that have been validated since it was signed, none of which holds it.
    pub ledgers: u32,
    /// What a server said of its fee.
    pub heard: Heard,
    /// Replacements of its slot that are open beside the first attempt.
    pub raises: usize,
}

/// What the servers said of the fee of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing, or that it was taken.
    NoObjection,
    /// The fee or a full queue stood in its way.
    TooLow,
}

/// The fee of an attempt that is to take the place of the waiting one; none where that would buy
/// nothing, or not yet.
///
/// One that the servers turned away over its fee is replaced once a ledger has closed without it; one
/// that they took, and that waits in their queues, after [`RAISE_AFTER_LEDGERS`].
#[must_use]
pub fn raise(waiting: Waiting, quote: FeeQuote, cap: Drops) -> Option<Drops> {
    let patience = match waiting.heard {
        Heard::TooLow => 1,
        Heard::NoObjection => RAISE_AFTER_LEDGERS,
    };
    if waiting.ledgers < patience || waiting.raises >= RAISES_MAX || bears(waiting.fee, quote) {
        return None;
    }
    let FeeChoice::Pay(fee) = choose(quote, cap) else {
        return None;
    };
    let fee = fee.max(replacement_min(waiting.fee)?);
    (fee <= cap).then_some(fee)
}

/// Whether the ledger takes a transaction with this fee at once.
#[must_use]
pub fn bears(fee: Drops, quote: FeeQuote) -> bool {
    quote.open_ledger.max(quote.base) <= fee
}

/// The ledger's queue takes a replacement only above one and a quarter times the old fee.
#[must_use]
pub const fn raises(old: Drops, new: Drops) -> bool {
    (new.get() as u128) * 4 > (old.get() as u128) * 5
}

/// The least fee that [`raises`] this one; none where money does not reach so far.
fn replacement_min(old: Drops) -> Option<Drops> {
    let quarter = Drops::new(old.get() / 4)?;
    let least = old.checked_add(quarter)?;
    least.checked_add(Drops::new(1)?)
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
        assert_eq!(choose(busy, drops(5_000)), FeeChoice::Pay(drops(5_000)));
        assert_eq!(
            choose(busy, drops(4_999)),
            FeeChoice::Wait {
                needed: drops(5_000)
            }
        );
    }

    fn waiting(fee: u64, ledgers: u32, heard: Heard) -> Waiting {
        Waiting {
            fee: drops(fee),
            ledgers,
            heard,
            raises: 0,
        }
    }

    #[test]
    fn a_waiting_attempt_is_replaced_in_its_time_by_the_price_and_a_fifth() {
        let busy = FeeQuote {
            base: drops(10),
            open_ledger: drops(5_000),
        };
        let cap = drops(10_000);
        let raised = |ledgers, heard| raise(waiting(10, ledgers, heard), busy, cap);
        assert_eq!(raised(2, Heard::NoObjection), None);
        assert_eq!(raised(3, Heard::NoObjection), Some(drops(6_000)));
        assert_eq!(raised(0, Heard::TooLow), None);
        assert_eq!(raised(1, Heard::TooLow), Some(drops(6_000)));
        let often = Waiting {
            raises: RAISES_MAX,
            ..waiting(10, 9, Heard::TooLow)
        };
        assert_eq!(raise(often, busy, cap), None);
    }

    #[test]
    fn a_replacement_is_a_quarter_dearer_and_a_drop_at_least() {
        let quote = FeeQuote {
            base: drops(10),
            open_ledger: drops(21),
        };
        let raised = |cap| raise(waiting(20, 9, Heard::NoObjection), quote, drops(cap));
        assert_eq!(raised(1_000), Some(drops(26)));
        assert_eq!(raised(26), Some(drops(26)));
        assert_eq!(raised(25), None, "the queue would refuse it");
    }

    proptest! {
        #[test]
        fn a_replacement_pays_the_price_is_taken_by_the_queue_and_stays_under_the_cap(
            base in 0..1_000_u64, open in 0..=Drops::MAX.get(), cap in 0..=Drops::MAX.get(),
            fee in 0..=Drops::MAX.get(), ledgers in 0..9_u32, raises in 0..6_usize, low in any::<bool>()
        ) {
            let quote = FeeQuote { base: drops(base), open_ledger: drops(open) };
            let heard = if low { Heard::TooLow } else { Heard::NoObjection };
            let waiting = Waiting { fee: drops(fee), ledgers, heard, raises };
            if let Some(new) = raise(waiting, quote, drops(cap)) {
                prop_assert!(super::raises(waiting.fee, new) && bears(new, quote));
                prop_assert!(new <= drops(cap) && !bears(waiting.fee, quote));
                prop_assert!(raises < RAISES_MAX && ledgers > 0);
            }
        }

        #[test]
        fn raising_until_nobody_raises_ends_under_the_cap(
            prices in proptest::collection::vec(0..100_000_u64, 1..40), cap in 10..50_000_u64
        ) {
            let (mut waiting, mut signed) = (waiting(10, 9, Heard::TooLow), 0);
            for open in prices {
                let quote = FeeQuote { base: drops(10), open_ledger: drops(open) };
                if let Some(fee) = raise(waiting, quote, drops(cap)) {
                    waiting = Waiting { fee, raises: waiting.raises + 1, ..waiting };
                    signed += 1;
                }
            }
            prop_assert!(signed <= RAISES_MAX && waiting.fee <= drops(cap));
        }

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
