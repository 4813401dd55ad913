//! When a stage is given up without a person: too many payments fail, for long and still.
//!
//! Two windows have to agree. The long one says that it is no blip, the short one that it has not
//! passed already. Nothing here ever promotes.

use super::{Ratio, scaled};

/// How payments ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Delivered.
    pub delivered: u64,
    /// Failed by a fault of ours or the network's.
    pub faults: u64,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.delivered.saturating_add(self.faults)
    }
}

/// When a stage is given up by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoDemotion {
    /// The share of payments that may fail in good times.
    pub error_budget: Ratio,
    /// How many times as many have to fail.
    pub burn_rate: u32,
    /// The window that has to show it for long, in milliseconds.
    pub long_ms: i64,
    /// The window that has to show it still, in milliseconds.
    pub short_ms: i64,
    /// How many payments the long window has to hold before it says anything.
    pub min_payments: u64,
}

impl AutoDemotion {
    /// Whether both windows are over.
    #[must_use]
    pub fn is_breached(&self, long: Tally, short: Tally) -> bool {
        long.total() >= self.min_payments && self.is_over(long) && self.is_over(short)
    }

    /// Whether a window burns the budget so fast; one without a fault never does.
    fn is_over(&self, window: Tally) -> bool {
        let allowed_ppm =
            u64::from(self.error_budget.ppm).saturating_mul(u64::from(self.burn_rate));
        window.faults > 0
            && scaled(window.faults, super::WHOLE_PPM) >= scaled(window.total(), allowed_ppm)
    }
}
