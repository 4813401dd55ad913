//! When a delivery is tried again. Pure: time and chance are arguments.
//!
//! Each delivery has a schedule of its own, so that one that fails delays no other. The waits grow
//! from seconds to a day and a half and add up to about three days; each is lengthened by up to a
//! fifth at random, so that what failed together does not come back together.

use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// The longest wait that a receiver may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A wait is lengthened by up to one part in so many.
const JITTER_PARTS: u64 = 5;

/// The waits between the tries of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    waits: Vec<Duration>,
}

impl Schedule {
    /// A schedule with these waits: one try more than there are waits.
    #[must_use]
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self { waits }
    }

    /// When to try again after the `tried`th try failed at `now`, or `None` where that was the last.
    /// `asked` is what the receiver asked for; it makes the wait longer and never shorter. `draw`
    /// answers with a number from nothing to its argument.
    #[must_use]
    pub fn next(
        &self,
        tried: u32,
        now: UnixMs,
        asked: Option<Duration>,
        draw: impl FnOnce(u64) -> u64,
    ) -> Option<UnixMs> {
        let place = usize::try_from(tried.checked_sub(1)?).ok()?;
        let wait = millis(*self.waits.get(place)?);
        let jittered = wait.saturating_add(draw(wait / JITTER_PARTS).min(wait / JITTER_PARTS));
        let asked = asked.map_or(0, |asked| millis(asked.min(RETRY_AFTER_MAX)));
        let wait = i64::try_from(jittered.max(asked)).unwrap_or(i64::MAX);
        Some(now.plus_ms(wait))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a `Retry-After` header: seconds, or a date.
#[must_use]
pub fn retry_after(header: &str, now: UnixMs) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|c| c.is_ascii_digit()) {
        // More digits than a number holds are a wait beyond every bound.
        let seconds = header.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let at = crate::rfc3339::parse_http_date(header)?;
    let wait = u64::try_from(at.since_ms(now)).unwrap_or(0);
    Some(Duration::from_millis(wait).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn three() -> Schedule {
        Schedule::new([5, 30, 120].map(Duration::from_secs).to_vec())
    }

    #[test]
    fn a_delivery_is_tried_once_more_than_there_are_waits() {
        let at = |tried| three().next(tried, NOW, None, |_| 0);
        assert_eq!(at(1), Some(NOW.plus_ms(5_000)));
        assert_eq!(at(2), Some(NOW.plus_ms(30_000)));
        assert_eq!(at(3), Some(NOW.plus_ms(120_000)));
        assert_eq!(at(4), None);
        assert_eq!(at(u32::MAX), None);
    }

    #[test]
    fn a_receiver_may_ask_for_longer_within_a_bound_and_never_for_less() {
        let at = |asked| three().next(2, NOW, Some(Duration::from_secs(asked)), |_| 0);
        assert_eq!(at(1), Some(NOW.plus_ms(30_000)));
        assert_eq!(at(600), Some(NOW.plus_ms(600_000)));
        assert_eq!(at(u64::MAX / 1_000), Some(NOW.plus_ms(86_400_000)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |text: &str| retry_after(text, NOW);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(RETRY_AFTER_MAX));
        // 2027-01-15T08:00:00Z is now.
        let minute = Duration::from_secs(60);
        assert_eq!(read("Fri, 15 Jan 2027 08:01:00 GMT"), Some(minute));
        assert_eq!(read("Fri, 15 Jan 2027 07:00:00 GMT"), Some(Duration::ZERO));
        for text in ["", "soon", "-1", "1.5", "2027-01-15"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_jitter_lengthens_a_wait_by_at_most_a_fifth(wait_s in 0_u64..200_000, drawn: u64) {
            let schedule = Schedule::new(vec![Duration::from_secs(wait_s)]);
            let next = schedule.next(1, NOW, None, |max| drawn.checked_rem(max + 1).unwrap_or(0));
            let waited = u64::try_from(next.unwrap().since_ms(NOW)).unwrap();
            prop_assert!(waited >= wait_s * 1_000 && waited <= wait_s * 1_200);
        }
    }
}
