//! What an open ledger asks beyond the base fee, as rippled's fee escalation does.
//!
//! Owns one server's expectation of how much a ledger holds. It learns from every closed ledger: it grows
//! with ledgers that were fuller than expected, falls when rounds take long, and takes the median fee of
//! the last ledger for the multiplier of the price. Nothing of it survives a restart.
//!
//! **Where the model differs.** Without a capacity the expectation starts at the thousand of a standalone
//! server and is told in `fee` as a real one tells it, but the price never rises and nothing is queued: a
//! bench of thousands of payments a ledger must not measure a queue. With a capacity the ledger holds
//! exactly so many, and the queue three such ledgers, as on the network that was measured.

use std::collections::VecDeque;

/// The level of a transaction that pays exactly the base fee.
pub(crate) const LEVEL_REFERENCE: u64 = 256;
/// The lowest multiplier of the escalated price.
const MULTIPLIER_MIN: u64 = 500 * LEVEL_REFERENCE;
/// What a ledger that was fuller than expected adds to the expectation, in per cent.
const INCREASE_PERCENT: u64 = 20;
/// What a slow round takes off it, in per cent.
const DECREASE_PERCENT: u64 = 50;

/// How large ledgers and the queue may be.
#[derive(Debug, Clone, Copy)]
struct Setup {
    /// Whether the price rises at all.
    escalates: bool,
    expected_min: u64,
    /// A ledger with more than this lets the expectation grow, whatever was expected.
    target: u64,
    expected_max: Option<u64>,
    queue_ledgers: usize,
    queue_min: u64,
}

impl Setup {
    /// A standalone server, with the sizes of its default configuration.
    const STANDALONE: Self = Self {
        escalates: false,
        expected_min: 1_000,
        target: 1_000,
        expected_max: None,
        queue_ledgers: 20,
        queue_min: 2_000,
    };

    fn of_capacity(capacity: Option<u32>) -> Self {
        let Some(capacity) = capacity.map(|capacity| u64::from(capacity.max(1))) else {
            return Self::STANDALONE;
        };
        Self {
            escalates: true,
            expected_min: capacity,
            target: capacity,
            expected_max: Some(capacity),
            queue_ledgers: 3,
            queue_min: 1,
        }
    }
}

/// How long a round of consensus took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    Timely,
    /// Longer than five seconds: the network does not keep up, or nobody answers.
    Slow,
}

/// What one server has learned of its ledgers.
#[derive(Debug, Clone)]
pub(crate) struct FeeMetrics {
    setup: Setup,
    expected: u64,
    /// What recent fuller ledgers suggested, newest last.
    recent: VecDeque<u64>,
    multiplier: u64,
    queue_max: Option<u64>,
}

/// `a * b / c`, at most what fits.
fn mul_div(a: u64, b: u128, c: u128) -> u64 {
    let product = u128::from(a).saturating_mul(b) / c.max(1);
    u64::try_from(product).unwrap_or(u64::MAX)
}

fn percent(value: u64, percent: u64) -> u64 {
    mul_div(value, u128::from(percent), 100)
}

fn squared(n: u64) -> u128 {
    u128::from(n) * u128::from(n)
}

impl FeeMetrics {
    /// What a server expects that has seen no ledger close.
    pub(crate) fn new(capacity: Option<u32>) -> Self {
        let setup = Setup::of_capacity(capacity);
        Self {
            setup,
            expected: setup.expected_min,
            recent: VecDeque::new(),
            multiplier: MULTIPLIER_MIN,
            queue_max: None,
        }
    }

    /// How many transactions a ledger is expected to hold.
    pub(crate) const fn expected(&self) -> u64 {
        self.expected
    }

    /// The multiplier of the escalated price: the last ledger's median level, or its least.
    pub(crate) const fn multiplier(&self) -> u64 {
        self.multiplier
    }

    /// How many the queue may hold; unknown before the first close.
    pub(crate) const fn queue_max(&self) -> Option<u64> {
        self.queue_max
    }

    /// Learns from a closed ledger of `size` transactions with this median level.
    pub(crate) fn closed(&mut self, size: u64, median: u64, round: Round) {
        let Setup {
            expected_min,
            expected_max,
            target,
            queue_ledgers,
            queue_min,
            ..
        } = self.setup;
        if round == Round::Slow {
            let left = 100 - DECREASE_PERCENT;
            let most = percent(self.expected, left).max(expected_min);
            self.expected = percent(size, left).clamp(expected_min, most);
            self.recent.clear();
        } else if size > self.expected || size > target {
            if self.recent.len() >= queue_ledgers {
                self.recent.pop_front();
            }
            self.recent.push_back(percent(size, 100 + INCREASE_PERCENT));
            let largest = self.recent.iter().copied().max().unwrap_or(size);
            let next = if largest >= self.expected {
                largest
            } else {
                (self.expected * 9 + largest) / 10
            };
            self.expected = expected_max.map_or(next, |most| next.min(most));
        }
        self.multiplier = median.max(MULTIPLIER_MIN);
        if round == Round::Timely {
            let ledgers = u64::try_from(queue_ledgers).unwrap_or(u64::MAX);
            self.queue_max = Some(self.expected.saturating_mul(ledgers).max(queue_min));
        }
    }

    /// The level that the next transaction must pay to enter an open ledger that holds `count`.
    pub(crate) fn level(&self, count: usize) -> u64 {
        if self.setup.escalates {
            self.escalated(u64::try_from(count).unwrap_or(u64::MAX))
        } else {
            LEVEL_REFERENCE
        }
    }

    fn escalated(&self, count: u64) -> u64 {
        if count <= self.expected {
            return LEVEL_REFERENCE;
        }
        mul_div(self.multiplier, squared(count), squared(self.expected))
    }

    /// The level of a ledger that holds one more than expected.
    pub(crate) fn level_when_full(&self) -> u64 {
        self.escalated(self.expected.saturating_add(1))
    }

    /// What `series` transactions must pay together to enter an open ledger that holds `count`.
    pub(crate) fn series_level(&self, count: usize, series: usize) -> Option<u64> {
        let (count, series) = (u64::try_from(count).ok()?, u64::try_from(series).ok()?);
        let squares = (count..count.checked_add(series)?)
            .map(squared)
            .fold(0, u128::saturating_add);
        let level = u128::from(self.multiplier).checked_mul(squares)? / squared(self.expected);
        u64::try_from(level).ok()
    }
}

/// The median of some levels, as rippled takes it; zero for none.
pub(crate) fn median(levels: &mut [u64]) -> u64 {
    levels.sort_unstable();
    let size = levels.len();
    let (Some(upper), Some(lower)) = (
        levels.get(size / 2),
        size.checked_sub(1).and_then(|last| levels.get(last / 2)),
    ) else {
        return 0;
    };
    let sum = u128::from(*upper) + u128::from(*lower) + 1;
    u64::try_from(sum / 2).unwrap_or(u64::MAX)
}

/// A level in drops for a transaction that has this base fee.
pub(crate) fn level_in_drops(level: u64, base_fee: u64) -> u64 {
    mul_div(level, u128::from(base_fee), u128::from(LEVEL_REFERENCE))
}

/// The least drops that pay a level, for a transaction that has this base fee.
pub(crate) fn drops_for_level(level: u64, base_fee: u64) -> u64 {
    let drops = level_in_drops(level, base_fee);
    let paid = mul_div(drops, u128::from(LEVEL_REFERENCE), u128::from(base_fee));
    drops.saturating_add(u64::from(paid < level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_jumps_when_a_ledger_is_full_as_it_did_on_a_real_server() {
        let metrics = FeeMetrics::new(Some(15));
        assert_eq!(metrics.level(15), LEVEL_REFERENCE);
        assert_eq!(metrics.level(16), 145_635);
        assert_eq!(level_in_drops(145_635, 10), 5_688);
        assert_eq!(drops_for_level(145_635, 10), 5_689);
        assert_eq!(metrics.level(17), 164_408);
        assert_eq!(metrics.level(20), 227_555);
        assert_eq!(metrics.queue_max(), None);
    }

    #[test]
    fn without_a_capacity_the_price_never_rises_though_the_expectation_grows() {
        let mut metrics = FeeMetrics::new(None);
        assert_eq!((metrics.expected(), metrics.queue_max()), (1_000, None));
        metrics.closed(0, 0, Round::Timely);
        assert_eq!(
            (metrics.expected(), metrics.queue_max()),
            (1_000, Some(20_000))
        );
        metrics.closed(2_000, 256, Round::Timely);
        assert_eq!(metrics.expected(), 2_400);
        assert_eq!(metrics.level(1_000_000), LEVEL_REFERENCE);
        metrics.closed(1_500, 256, Round::Timely);
        assert_eq!(
            metrics.expected(),
            2_400,
            "the fullest recent ledger counts"
        );
        metrics.closed(1_500, 256, Round::Slow);
        assert_eq!(metrics.expected(), 1_000);
        metrics.closed(3_000, 300_000, Round::Timely);
        assert_eq!((metrics.expected(), metrics.multiplier()), (3_600, 300_000));
        for _ in 0..20 {
            metrics.closed(2_000, 256, Round::Timely);
        }
        assert_eq!(
            metrics.expected(),
            3_480,
            "it shrinks by a tenth of the way once the fullest is forgotten"
        );
    }

    #[test]
    fn the_median_is_that_of_the_two_in_the_middle() {
        assert_eq!(median(&mut []), 0);
        assert_eq!(median(&mut [7]), 7);
        assert_eq!(median(&mut [9, 1, 4]), 4);
        assert_eq!(median(&mut [256, 512]), 384);
    }

    #[test]
    fn a_series_pays_the_sum_of_its_prices() {
        let metrics = FeeMetrics::new(Some(15));
        let sum = u128::from(128_000_u32) * (16 * 16 + 17 * 17) / 225;
        assert_eq!(metrics.series_level(16, 2), u64::try_from(sum).ok());
    }
}
