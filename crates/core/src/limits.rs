//! The fences around real money: the least and most of a payment, of a day, of what is pending.
//!
//! A payment counts against the rolling day from its acceptance: with its whole amount while it is
//! on its way, with what was delivered once it has its end.

mod scope;
mod word;

pub use scope::{Scope, ScopeCaps, ScopeKind, ScopeRules, Scoped, ScopedCaps, reserve_everywhere};
pub use word::Word;

use crate::ids::UnixMs;
use crate::money::Drops;

/// The length of the rolling window.
pub const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// The fences in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// The least that one payment may move.
    pub min_payment: Drops,
    /// The most that one payment may move.
    pub max_payment: Drops,
    /// The most that may be moved in any 24 hours.
    pub daily: Drops,
    /// How many payments may be on their way at once.
    pub max_pending: u32,
}

/// What has been used of the fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Counted against the rolling day.
    pub daily_used: Drops,
    /// On their way.
    pub pending: u32,
}

impl Usage {
    /// With one payment more of `amount`; `None` where no number holds it.
    #[must_use]
    pub fn with(self, amount: Drops) -> Option<Self> {
        Some(Self {
            daily_used: self.daily_used.checked_add(amount)?,
            pending: self.pending.checked_add(1)?,
        })
    }
}

/// Which fence stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Less than the least.
    #[error("the amount is below the minimum of {} XRP", min.to_xrp())]
    BelowMinimum {
        /// The least.
        min: Drops,
    },
    /// More than one payment may move, at this stage or in this scope.
    #[error("the amount is above the {}limit of {} XRP a payment", scope.whose(), max.to_xrp())]
    AboveMaximum {
        /// Whose limit it is.
        scope: ScopeKind,
        /// The most.
        max: Drops,
    },
    /// More than is left of the day.
    #[error(
        "the amount is above what is left of the {}daily limit: {} XRP",
        scope.whose(),
        left.to_xrp()
    )]
    Daily {
        /// Whose limit it is.
        scope: ScopeKind,
        /// What is left.
        left: Drops,
    },
    /// Too many on their way.
    #[error("{max} {} already on their way", match scope {
        ScopeKind::All => "payments are",
        ScopeKind::Client => "of the client's payments are",
        ScopeKind::Destination => "payments to the destination are",
    })]
    TooManyPending {
        /// Whose limit it is.
        scope: ScopeKind,
        /// The most.
        max: u32,
    },
}

/// Checks the fences that depend on the payment alone.
///
/// # Errors
/// The fence in the way.
pub fn check_amount(caps: &Caps, amount: Drops) -> Result<(), Breach> {
    if amount < caps.min_payment || amount == Drops::ZERO {
        return Err(Breach::BelowMinimum {
            min: caps.min_payment,
        });
    }
    if amount > caps.max_payment {
        return Err(Breach::AboveMaximum {
            scope: ScopeKind::All,
            max: caps.max_payment,
        });
    }
    Ok(())
}

/// Reserves `amount`: the usage after it.
///
/// # Errors
/// The fence in the way; nothing is reserved.
pub fn reserve(caps: &Caps, usage: Usage, amount: Drops) -> Result<Usage, Breach> {
    check_amount(caps, amount)?;
    if usage.pending >= caps.max_pending {
        return Err(Breach::TooManyPending {
            scope: ScopeKind::All,
            max: caps.max_pending,
        });
    }
    match usage.daily_used.checked_add(amount) {
        Some(daily_used) if daily_used <= caps.daily => Ok(Usage {
            daily_used,
            pending: usage.pending.saturating_add(1),
        }),
        Some(_) | None => Err(Breach::Daily {
            scope: ScopeKind::All,
            left: caps.daily.saturating_sub(usage.daily_used),
        }),
    }
}

/// The instant from which payments count: those accepted after it are in the window.
#[must_use]
pub const fn window_start(now: UnixMs) -> UnixMs {
    now.plus_ms(-WINDOW_MS)
}

/// When `amount` will fit, given what leaves the window and when (oldest first).
///
/// `None`: it can never fit, or nothing stands in its way.
#[must_use]
pub fn resets_at(
    daily: Drops,
    usage: Usage,
    amount: Drops,
    counted: impl IntoIterator<Item = (UnixMs, Drops)>,
) -> Option<UnixMs> {
    let mut used = usage.daily_used;
    for (accepted_at, drops) in counted {
        used = used.saturating_sub(drops);
        if used.checked_add(amount).is_some_and(|sum| sum <= daily) {
            return Some(accepted_at.plus_ms(WINDOW_MS));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn xrp(text: &str) -> Drops {
        Drops::from_xrp(text).unwrap()
    }

    fn caps() -> Caps {
        Caps {
            min_payment: xrp("0.001"),
            max_payment: xrp("100"),
            daily: xrp("1000"),
            max_pending: 50,
        }
    }

    #[test]
    fn each_fence_is_exact_to_the_drop() {
        let (caps, none) = (caps(), Usage::default());
        assert!(reserve(&caps, none, xrp("0.001")).is_ok());
        let below = reserve(&caps, none, xrp("0.000999"));
        assert_eq!(
            below,
            Err(Breach::BelowMinimum {
                min: caps.min_payment
            })
        );
        assert!(reserve(&caps, none, xrp("100")).is_ok());
        let above = reserve(&caps, none, xrp("100.000001"));
        assert_eq!(
            above,
            Err(Breach::AboveMaximum {
                scope: ScopeKind::All,
                max: caps.max_payment
            })
        );
        let used = Usage {
            daily_used: xrp("990"),
            pending: 3,
        };
        assert_eq!(
            reserve(&caps, used, xrp("10")),
            Ok(Usage {
                daily_used: xrp("1000"),
                pending: 4
            })
        );
        assert_eq!(
            reserve(&caps, used, xrp("10.000001")),
            Err(Breach::Daily {
                scope: ScopeKind::All,
                left: xrp("10")
            })
        );
        let full = Usage {
            pending: 50,
            ..none
        };
        assert_eq!(
            reserve(&caps, full, xrp("1")),
            Err(Breach::TooManyPending {
                scope: ScopeKind::All,
                max: 50
            })
        );
        let nothing = Caps {
            min_payment: Drops::ZERO,
            ..caps
        };
        assert!(
            reserve(&nothing, none, Drops::ZERO).is_err(),
            "a payment of nothing"
        );
    }

    #[test]
    fn the_window_is_the_last_twenty_four_hours() {
        let day_ms = 86_400_000;
        assert_eq!(window_start(UnixMs(day_ms + 5)), UnixMs(5));
        assert_eq!(WINDOW_MS, day_ms);
    }

    #[test]
    fn the_reset_is_when_enough_has_left_the_window() {
        let (caps, used) = (
            caps(),
            Usage {
                daily_used: xrp("1000"),
                pending: 0,
            },
        );
        let counted = [
            (UnixMs(10), xrp("4")),
            (UnixMs(20), xrp("6")),
            (UnixMs(30), xrp("990")),
        ];
        assert_eq!(
            resets_at(caps.daily, used, xrp("10"), counted),
            Some(UnixMs(20 + WINDOW_MS))
        );
        assert_eq!(
            resets_at(caps.daily, used, xrp("4"), counted),
            Some(UnixMs(10 + WINDOW_MS))
        );
        assert_eq!(resets_at(caps.daily, used, xrp("1001"), counted), None);
    }

    proptest! {
        #[test]
        fn no_run_of_reservations_passes_a_fence(amounts in proptest::collection::vec(0_u64..200_000_000, 0..200)) {
            let caps = caps();
            let mut usage = Usage::default();
            let mut sum = 0_u64;
            for amount in amounts {
                let amount = Drops::new(amount).unwrap();
                if let Ok(next) = reserve(&caps, usage, amount) {
                    sum += amount.get();
                    usage = next;
                }
                prop_assert_eq!(usage.daily_used.get(), sum);
                prop_assert!(usage.daily_used <= caps.daily && usage.pending <= caps.max_pending);
            }
        }
    }
}
