//! How long a server takes to answer: a weighted mean, and the time within which nineteen of twenty
//! of its last answers came. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Answers that are remembered: enough for a twentieth of them to be several, few enough to follow
/// a server that changes.
const RING_LEN: usize = 128;
/// With fewer answers than this nothing is known of the slow ones.
const SAMPLES_MIN: usize = 8;
/// A new answer's weight in the mean is one in so many.
const MEAN_WEIGHT: u32 = 8;

/// The times of a server's last answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    ring: VecDeque<Duration>,
    mean: Option<Duration>,
}

impl Latencies {
    /// Counts one answer's time.
    pub(super) fn note(&mut self, took: Duration) {
        if self.ring.len() == RING_LEN {
            self.ring.pop_front();
        }
        self.ring.push_back(took);
        let weighed = |mean: Duration| {
            mean.saturating_mul(MEAN_WEIGHT - 1).saturating_add(took) / MEAN_WEIGHT
        };
        self.mean = Some(self.mean.map_or(took, weighed));
    }

    /// An exponentially weighted mean.
    pub(super) const fn mean(&self) -> Option<Duration> {
        self.mean
    }

    /// Nineteen of twenty answers came within this; `None` while there are too few to tell.
    pub(super) fn p95(&self) -> Option<Duration> {
        if self.ring.len() < SAMPLES_MIN {
            return None;
        }
        let mut times: Vec<Duration> = self.ring.iter().copied().collect();
        let nth = (times.len() * 19).div_ceil(20).saturating_sub(1);
        Some(*times.select_nth_unstable(nth).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nineteen_of_twenty_are_within_it() {
        let mut latencies = Latencies::default();
        for time in 1..=7 {
            latencies.note(ms(time));
            assert_eq!(latencies.p95(), None);
        }
        for time in 8..=100 {
            latencies.note(ms(time));
        }
        assert_eq!(latencies.p95(), Some(ms(95)));
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut latencies = Latencies::default();
        (0..50).for_each(|_| latencies.note(ms(9_000)));
        (0..RING_LEN).for_each(|_| latencies.note(ms(2)));
        assert_eq!(latencies.p95(), Some(ms(2)));
        assert!(latencies.mean().unwrap() < ms(3));
        assert_eq!(latencies.ring.len(), RING_LEN);
    }

    proptest! {
        #[test]
        fn both_lie_among_the_times_they_were_made_of(
            times in proptest::collection::vec(0_u64..100_000, 8..300),
        ) {
            let mut latencies = Latencies::default();
            times.iter().for_each(|&time| latencies.note(ms(time)));
            let (low, high) = (ms(*times.iter().min().unwrap()), ms(*times.iter().max().unwrap()));
            let (mean, p95) = (latencies.mean().unwrap(), latencies.p95().unwrap());
            prop_assert!(low <= mean && mean <= high);
            prop_assert!(low <= p95 && p95 <= high);
            let recent = &times[times.len().saturating_sub(RING_LEN)..];
            let within = recent.iter().filter(|&&time| ms(time) <= p95).count();
            prop_assert!(within * 20 >= recent.len() * 19);
        }
    }
}
