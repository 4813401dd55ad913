//! How long to wait before the next attempt to connect.

use crate::clock::{Entropy, random_up_to};
use std::time::Duration;

/// The first wait: a server that is merely restarting is met again soon.
const FIRST: Duration = Duration::from_millis(200);
/// The first wait after a server turned us away; coming back sooner makes it worse.
const FIRST_TURNED_AWAY: Duration = Duration::from_secs(5);

/// Waits that double, with half of each left to chance so that clients do not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The connection was good: the next wait is a first one again.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }

    /// The next wait, at most `max`.
    pub(super) fn next(&mut self, max: Duration, entropy: &dyn Entropy) -> Duration {
        let full = self
            .last
            .map_or(FIRST, |last| last.saturating_mul(2))
            .min(max);
        self.last = Some(full);
        let half = full / 2;
        let half_ms = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
        half + Duration::from_millis(random_up_to(entropy, half_ms))
    }

    /// The server turned us away: no wait is shorter than this from now on.
    pub(super) fn turned_away(&mut self, max: Duration) {
        let half = (FIRST_TURNED_AWAY / 2).min(max);
        self.last = Some(self.last.map_or(half, |last| last.max(half)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_up_to_the_bound_and_keep_their_jitter(seed: u64) {
            let (entropy, max) = (SeededEntropy::new(seed), Duration::from_secs(30));
            let mut backoff = Backoff::default();
            let mut full = FIRST;
            for _ in 0..12 {
                let wait = backoff.next(max, &entropy);
                prop_assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
                full = (full * 2).min(max);
            }
            backoff.reset();
            prop_assert!(backoff.next(max, &entropy) <= FIRST);
        }

        #[test]
        fn a_server_that_turned_us_away_is_left_alone_for_seconds(seed: u64) {
            let (entropy, max) = (SeededEntropy::new(seed), Duration::from_secs(30));
            let mut backoff = Backoff::default();
            backoff.turned_away(max);
            prop_assert!(backoff.next(max, &entropy) >= FIRST_TURNED_AWAY / 2);
        }
    }
}
