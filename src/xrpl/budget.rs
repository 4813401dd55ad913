//! How many requests a second a server lets us make, learned from what it says. Pure: the time is an
//! argument, and all of it is whole numbers.
//!
//! A token bucket of one second. Being told to slow down halves the rate, from what was really asked
//! and not from what would have been allowed; every quiet while raises it again by an eighth. Reads
//! leave a reserve in the bucket, which submissions may use.

use std::time::Duration;
use tokio::time::Instant;

/// No server is asked more often than this; it is also what a server is given that never complained.
const RATE_MAX: u64 = 20_000;
/// Nor is any starved: a server that is this poor is passed over anyway.
const RATE_MIN: u64 = 2;
/// The rate is halved once for all complaints within this long: they are about the same burst.
const HALVE_EVERY: Duration = Duration::from_secs(1);
/// And raised after so long without one.
const RAISE_EVERY: Duration = Duration::from_secs(5);
/// The share of the bucket that reads leave to submissions is one in so many.
const RESERVE_SHARE: i64 = 4;
/// A request in the unit of the bucket.
const ONE: i64 = 1_000;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Anything that another server may answer as well.
    Read,
    /// A submission.
    Submission,
}

/// One server's budget.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// Requests a second.
    rate: u64,
    /// What is left, in thousandths of a request; below nothing where more was asked all the same.
    left: i64,
    filled_at: Option<Instant>,
    changed_at: Option<Instant>,
    /// Requests within the running second, and in the one before it.
    counted: (u64, u64),
    second_began: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            rate: RATE_MAX,
            left: bucket(RATE_MAX),
            filled_at: None,
            changed_at: None,
            counted: (0, 0),
            second_began: None,
        }
    }
}

/// What one second of this rate holds.
fn bucket(rate: u64) -> i64 {
    i64::try_from(rate).unwrap_or(i64::MAX).saturating_mul(ONE)
}

impl Budget {
    /// Requests a second; `None` while the server never complained.
    pub(super) const fn rate(&self) -> Option<u64> {
        if self.rate < RATE_MAX {
            Some(self.rate)
        } else {
            None
        }
    }

    /// Counts a request.
    pub(super) fn spend(&mut self, now: Instant) {
        self.pass(now);
        self.counted.0 += 1;
        let floor = bucket(self.rate).saturating_neg();
        self.left = self.left.saturating_sub(ONE).max(floor);
    }

    /// Whether a request is within the budget.
    pub(super) fn allows(&self, purpose: Purpose, now: Instant) -> bool {
        let mut then = self.clone();
        then.pass(now);
        let reserve = match purpose {
            Purpose::Read => bucket(then.rate) / RESERVE_SHARE,
            Purpose::Submission => 0,
        };
        then.left >= reserve.saturating_add(ONE)
    }

    /// The server asked us to slow down.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.pass(now);
        let is_news = self
            .changed_at
            .is_none_or(|at| now.saturating_duration_since(at) >= HALVE_EVERY)
            || self.rate == RATE_MAX;
        if is_news {
            let asked = self.counted.0.max(self.counted.1).max(RATE_MIN);
            self.rate = (self.rate.min(asked) / 2).max(RATE_MIN);
            self.changed_at = Some(now);
        }
        // A debt from richer days would never be paid at the new rate.
        self.left = self.left.clamp(bucket(self.rate).saturating_neg(), 0);
    }

    /// Lets time pass: fills the bucket, and raises the rate where all was quiet.
    fn pass(&mut self, now: Instant) {
        let passed = |since: Option<Instant>| {
            since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
        };
        while self.rate < RATE_MAX && passed(self.changed_at) >= RAISE_EVERY {
            let raised = self.rate.saturating_add((self.rate / 8).max(1));
            self.rate = raised.min(RATE_MAX);
            self.changed_at = self.changed_at.map(|at| at + RAISE_EVERY);
        }
        // A second fills the bucket whatever it lacked, so a longer time is worth no more.
        let micros = passed(self.filled_at)
            .min(Duration::from_secs(2))
            .as_micros();
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        let full = bucket(self.rate);
        let gained = i64::try_from(self.rate)
            .unwrap_or(i64::MAX)
            .saturating_mul(micros)
            / ONE;
        if gained > 0 || self.filled_at.is_none() {
            self.left = self.left.saturating_add(gained).min(full);
            self.filled_at = Some(now);
        }
        self.left = self.left.min(full);
        let began = *self.second_began.get_or_insert(now);
        let since = now.saturating_duration_since(began);
        if since >= Duration::from_secs(1) {
            let before = if since < Duration::from_secs(2) {
                self.counted.0
            } else {
                0
            };
            self.counted = (0, before);
            self.second_began = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Spends as fast as is allowed for a second and says how much that was.
    fn spent_in_a_second(budget: &mut Budget, purpose: Purpose, from: Instant) -> u64 {
        let mut count = 0;
        for step in 0..1_000 {
            let now = from + ms(step);
            while budget.allows(purpose, now) {
                budget.spend(now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn being_told_to_slow_down_halves_what_was_really_asked_once_a_burst() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        assert_eq!(budget.rate(), None);
        for request in 0..100 {
            budget.spend(now + ms(request * 5));
        }
        for complaint in 0..20 {
            budget.throttled(now + ms(500 + complaint));
        }
        assert_eq!(budget.rate(), Some(50));
        assert!(!budget.allows(Purpose::Submission, now + ms(520)));
        budget.throttled(now + ms(1_600));
        assert_eq!(budget.rate(), Some(25));
        for _ in 0..20 {
            budget.throttled(now + ms(60_000));
        }
        let poorest = (0..30).fold(budget, |mut budget, second| {
            budget.throttled(now + ms(61_000 + second * 1_000));
            budget
        });
        assert_eq!(poorest.rate(), Some(RATE_MIN));
    }

    #[test]
    fn quiet_raises_the_rate_again_slowly_and_at_last_altogether() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        (0..80).for_each(|_| budget.spend(now));
        budget.throttled(now);
        assert_eq!(budget.rate(), Some(40));
        budget.spend(now + ms(4_999));
        assert_eq!(budget.rate(), Some(40));
        budget.spend(now + ms(5_000));
        assert_eq!(budget.rate(), Some(45));
        budget.spend(now + Duration::from_secs(600));
        assert_eq!(budget.rate(), None);
    }

    #[test]
    fn reads_leave_a_reserve_that_submissions_may_use() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        (0..200).for_each(|_| budget.spend(now));
        budget.throttled(now);
        let later = now + Duration::from_secs(2);
        let mut reads = 0;
        while budget.allows(Purpose::Read, later) {
            budget.spend(later);
            reads += 1;
        }
        assert_eq!(reads, 75);
        let mut submissions = 0;
        while budget.allows(Purpose::Submission, later) {
            budget.spend(later);
            submissions += 1;
        }
        assert_eq!(submissions, 25);
    }

    proptest! {
        #[test]
        fn a_server_that_complained_gets_no_more_than_its_rate(asked in 10_u64..2_000) {
            let (mut budget, now) = (Budget::default(), Instant::now());
            (0..asked).for_each(|_| budget.spend(now));
            budget.throttled(now);
            let rate = budget.rate().unwrap();
            prop_assert_eq!(rate, asked / 2);
            let spent = spent_in_a_second(&mut budget, Purpose::Submission, now);
            prop_assert!(spent <= rate, "{spent} of {rate}");
            prop_assert!(spent + 2 >= rate.saturating_sub(rate / 500), "{spent} of {rate}");
        }

        #[test]
        fn no_course_of_events_leads_out_of_the_bounds(
            steps in proptest::collection::vec((0_u64..3_000, 0_u8..3), 1..200),
        ) {
            let (mut budget, mut now) = (Budget::default(), Instant::now());
            for (wait, what) in steps {
                now += ms(wait);
                match what {
                    0 => budget.throttled(now),
                    1 => (0..50).for_each(|_| budget.spend(now)),
                    _ => { budget.allows(Purpose::Read, now); }
                }
                prop_assert!((RATE_MIN..=RATE_MAX).contains(&budget.rate));
                prop_assert!(budget.left.abs() <= bucket(budget.rate));
                // Whatever it was, two quiet seconds later there is room again.
                prop_assert!(budget.allows(Purpose::Read, now + ms(2_000)));
            }
        }
    }
}
