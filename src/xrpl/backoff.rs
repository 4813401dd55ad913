//! How long to wait before the next attempt to connect, and when a server is left alone.
//!
//! A circuit a server: closed while connections stand or fail now and then; open, for a wait, after
//! several failures without a good connection between them or when the server turned us away; then
//! half open, for one trial. A good connection closes it.

use super::cause::{Cause, Retry};
use crate::clock::{Entropy, random_up_to};
use std::time::Duration;

/// Connections that fail one after the other before a server is left alone.
const FAILURES_MAX: u32 = 4;

/// What to do about a server after its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Try it again after this.
    Soon(Duration),
    /// Leave it alone for this long, then make one trial.
    Open(Duration),
    /// It must not be used; look at it again after this.
    Refused(Duration),
    /// It must not be used until our configuration changes.
    RefusedForGood,
}

/// Waits that double, with half of each left to chance so that clients do not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
    failures: u32,
}

impl Backoff {
    /// The connection was good: the next wait is a first one again.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The connection ended for `cause`: what now. No wait is longer than `max`, but those of a
    /// server that must not be used.
    pub(super) fn ended(&mut self, cause: Cause, max: Duration, entropy: &dyn Entropy) -> Next {
        self.failures = self.failures.saturating_add(1);
        match cause.retry() {
            Retry::WhenToldTo => Next::RefusedForGood,
            Retry::Seldom(wait) => Next::Refused(wait + chance(wait / 2, entropy)),
            Retry::LeaveAlone(first) => {
                self.failures = self.failures.max(FAILURES_MAX);
                Next::Open(self.wait(first, max, entropy))
            }
            Retry::Doubling(first) => {
                let wait = self.wait(first, max, entropy);
                if self.failures >= FAILURES_MAX {
                    Next::Open(wait)
                } else {
                    Next::Soon(wait)
                }
            }
        }
    }

    fn wait(&mut self, first: Duration, max: Duration, entropy: &dyn Entropy) -> Duration {
        let doubled = self.last.map_or(first, |last| last.saturating_mul(2));
        let full = doubled.max(first).min(max);
        self.last = Some(full);
        let half = full / 2;
        half + chance(half, entropy)
    }
}

fn chance(up_to: Duration, entropy: &dyn Entropy) -> Duration {
    let ms = u64::try_from(up_to.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random_up_to(entropy, ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use proptest::prelude::*;

    const MAX: Duration = Duration::from_secs(30);
    const FIRST: Duration = Duration::from_millis(200);

    proptest! {
        #[test]
        fn waits_double_up_to_the_bound_and_keep_their_jitter(seed: u64) {
            let entropy = SeededEntropy::new(seed);
            let mut backoff = Backoff::default();
            let mut full = FIRST;
            for failure in 1..12 {
                let next = backoff.ended(Cause::Closed, MAX, &entropy);
                let (Next::Soon(wait) | Next::Open(wait)) = next else { panic!("{next:?}") };
                prop_assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
                prop_assert_eq!(matches!(next, Next::Open(_)), failure >= FAILURES_MAX);
                full = (full * 2).min(MAX);
            }
            backoff.reset();
            let Next::Soon(wait) = backoff.ended(Cause::Closed, MAX, &entropy) else { panic!() };
            prop_assert!(wait <= FIRST);
        }

        #[test]
        fn a_server_that_turned_us_away_is_left_alone_for_seconds_at_once(seed: u64) {
            let entropy = SeededEntropy::new(seed);
            let mut backoff = Backoff::default();
            let Next::Open(wait) = backoff.ended(Cause::TurnedAway, MAX, &entropy) else { panic!() };
            prop_assert!(wait >= Duration::from_millis(2_500));
            // What comes after it does not bring the wait back down.
            let Next::Open(next) = backoff.ended(Cause::Closed, MAX, &entropy) else { panic!() };
            prop_assert!(next >= Duration::from_secs(5));
        }
    }

    #[test]
    fn what_a_person_must_mend_is_not_knocked_at_every_second() {
        let entropy = SeededEntropy::new(1);
        for cause in [
            Cause::Certificate,
            Cause::CertificateName,
            Cause::CertificatePin,
        ] {
            let next = Backoff::default().ended(cause, MAX, &entropy);
            assert!(matches!(next, Next::Soon(wait) if wait >= Duration::from_millis(2_500)));
        }
        let blocked = Backoff::default().ended(Cause::AmendmentBlocked, MAX, &entropy);
        assert!(matches!(blocked, Next::Refused(wait) if wait >= Duration::from_secs(60)));
        let foreign = Backoff::default().ended(Cause::WrongNetwork, MAX, &entropy);
        assert_eq!(foreign, Next::RefusedForGood);
    }
}
