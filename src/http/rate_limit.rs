//! How often a key may ask: sliding windows of a minute and an hour for writes, a minute for reads.
//!
//! A window is cut into sixty slots, and a slot counts until the whole of it has left the window. So
//! no stretch of a window's length ever holds more than the limit, which neither a fixed window (twice
//! the limit around its edge) nor a token bucket (twice the limit in its first window) can say. A
//! refused request is not counted, so a caller who keeps knocking is let in as soon as there is room.
//!
//! Owns the counts, in memory and for this process alone: they are a fence against floods, not the
//! fence around money, which stands in the store. Bounded: one small record a key, [`KEYS_MAX`] keys,
//! idle ones dropped first; past that a key is refused rather than let in uncounted.

use super::state::RateLimits;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Slots in a window.
const SLOTS: usize = 60;
/// The ring holds the slots of one window and the one that is partly in it.
const RING: usize = SLOTS + 1;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
/// The most keys that are counted at once: far more than one daemon has.
pub const KEYS_MAX: usize = 10_000;

/// What a request does, as far as the limits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may change something.
    Write,
    /// It only looks.
    Read,
}

impl Class {
    /// The class of a method.
    #[must_use]
    pub fn of(method: &Method) -> Self {
        if method.is_safe() {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// The counts of one window.
#[derive(Debug)]
struct Window {
    slot_ms: u64,
    newest: u64,
    counts: [u32; RING],
    used: u32,
}

impl Window {
    const fn new(length_ms: u64) -> Self {
        Self {
            slot_ms: length_ms / SLOTS as u64,
            newest: 0,
            counts: [0; RING],
            used: 0,
        }
    }

    fn place(slot: u64) -> usize {
        usize::try_from(slot % RING as u64).unwrap_or(0)
    }

    /// Lets what has left the window go.
    fn advance(&mut self, now_ms: u64) {
        let slot = now_ms / self.slot_ms;
        let steps = slot.saturating_sub(self.newest).min(RING as u64);
        for step in 1..=steps {
            let place = Self::place(slot - steps + step);
            self.used = self.used.saturating_sub(self.counts[place]);
            self.counts[place] = 0;
        }
        self.newest = self.newest.max(slot);
    }

    fn take(&mut self) {
        let place = Self::place(self.newest);
        self.counts[place] = self.counts[place].saturating_add(1);
        self.used = self.used.saturating_add(1);
    }

    /// Milliseconds until at least `room` of what is counted has left.
    fn until_freed_ms(&self, room: u32, now_ms: u64) -> u64 {
        let mut freed = 0_u32;
        let oldest = self.newest.saturating_sub(SLOTS as u64);
        for slot in oldest..=self.newest {
            freed = freed.saturating_add(self.counts[Self::place(slot)]);
            if freed >= room.max(1) {
                let leaves_at = (slot + RING as u64) * self.slot_ms;
                return leaves_at.saturating_sub(now_ms);
            }
        }
        0
    }

    /// How it stands against `limit`.
    fn standing(&self, name: &'static str, limit: u32, now_ms: u64) -> Standing {
        let over = self.used.saturating_sub(limit.saturating_sub(1));
        Standing {
            window: name,
            limit,
            remaining: limit.saturating_sub(self.used),
            wait_ms: self.until_freed_ms(over, now_ms),
        }
    }
}

/// How a key stands against its tightest limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The window's name, which is its metric label.
    pub window: &'static str,
    /// Requests allowed in the window.
    pub limit: u32,
    /// Requests that are left of it.
    pub remaining: u32,
    /// Milliseconds until there is more room.
    pub wait_ms: u64,
}

/// What a key is told that cannot be counted.
const UNCOUNTED: Standing = Standing {
    window: "keys",
    limit: 0,
    remaining: 0,
    wait_ms: MINUTE_MS,
};

impl Standing {
    /// Whole seconds until there is more room.
    #[must_use]
    pub const fn wait_s(&self) -> u64 {
        self.wait_ms.div_ceil(1000)
    }

    /// Tells the caller.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: u64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        set("ratelimit-limit", u64::from(self.limit));
        set("ratelimit-remaining", u64::from(self.remaining));
        set("ratelimit-reset", self.wait_s());
    }
}

#[derive(Debug)]
struct Counts {
    writes_minute: Window,
    writes_hour: Window,
    reads_minute: Window,
    last_seen_ms: u64,
}

impl Counts {
    const fn new() -> Self {
        Self {
            writes_minute: Window::new(MINUTE_MS),
            writes_hour: Window::new(HOUR_MS),
            reads_minute: Window::new(MINUTE_MS),
            last_seen_ms: 0,
        }
    }
}

/// The counts of every key.
#[derive(Debug, Default)]
pub struct RateLimiter {
    keys: Mutex<HashMap<String, Box<Counts>>>,
}

impl RateLimiter {
    /// Counts one request of `key`.
    ///
    /// # Errors
    /// The limit in the way; the request is not counted.
    pub fn take(
        &self,
        key: &str,
        class: Class,
        limits: &RateLimits,
        now: Duration,
    ) -> Result<Standing, Standing> {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains_key(key) {
            keys.retain(|_, counts| now_ms.saturating_sub(counts.last_seen_ms) < HOUR_MS);
            if keys.len() >= KEYS_MAX {
                return Err(UNCOUNTED);
            }
        }
        let counts = match keys.get_mut(key) {
            Some(counts) => counts,
            None => keys
                .entry(key.to_owned())
                .or_insert_with(|| Box::new(Counts::new())),
        };
        counts.last_seen_ms = now_ms;
        let windows: &mut [(&mut Window, &'static str, u32)] = match class {
            Class::Write => &mut [
                (
                    &mut counts.writes_minute,
                    "minute",
                    limits.writes_per_minute,
                ),
                (&mut counts.writes_hour, "hour", limits.writes_per_hour),
            ],
            Class::Read => &mut [(
                &mut counts.reads_minute,
                "reads_minute",
                limits.reads_per_minute,
            )],
        };
        for (window, _, _) in windows.iter_mut() {
            window.advance(now_ms);
        }
        let full = windows
            .iter()
            .filter(|(window, _, limit)| window.used >= *limit)
            .map(|(window, name, limit)| window.standing(name, *limit, now_ms))
            .max_by_key(|standing| standing.wait_ms);
        if let Some(standing) = full {
            return Err(standing);
        }
        for (window, _, _) in windows.iter_mut() {
            window.take();
        }
        windows
            .iter()
            .map(|(window, name, limit)| window.standing(name, *limit, now_ms))
            .min_by_key(|standing| standing.remaining)
            .ok_or(UNCOUNTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: RateLimits = RateLimits {
        writes_per_minute: 30,
        writes_per_hour: 500,
        reads_per_minute: 600,
    };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_thirty_first_write_of_a_minute_waits_until_the_first_has_left() {
        let limiter = RateLimiter::default();
        for n in 0..30 {
            let standing = limiter.take("k", Class::Write, &LIMITS, at(500)).unwrap();
            assert_eq!(standing.remaining, 29 - n);
        }
        let refused = limiter
            .take("k", Class::Write, &LIMITS, at(900))
            .unwrap_err();
        assert_eq!((refused.window, refused.limit), ("minute", 30));
        let again = at(900 + refused.wait_ms);
        assert!(limiter.take("k", Class::Write, &LIMITS, again).is_ok());
        assert!(limiter.take("k", Class::Read, &LIMITS, at(900)).is_ok());
        assert!(
            limiter
                .take("other", Class::Write, &LIMITS, at(900))
                .is_ok()
        );
    }

    #[test]
    fn the_hour_holds_even_where_every_minute_does() {
        let limiter = RateLimiter::default();
        let taken = (0..3_599_u64)
            .filter(|s| {
                limiter
                    .take("k", Class::Write, &LIMITS, at(s * 1000))
                    .is_ok()
            })
            .count();
        assert_eq!(taken, 500);
        let refused = limiter
            .take("k", Class::Write, &LIMITS, at(3_599_000))
            .unwrap_err();
        assert_eq!(refused.window, "hour");
    }

    #[test]
    fn more_keys_than_the_bound_are_refused_until_others_are_idle() {
        let limiter = RateLimiter::default();
        for n in 0..KEYS_MAX {
            limiter
                .take(&n.to_string(), Class::Read, &LIMITS, at(0))
                .unwrap();
        }
        assert!(
            limiter
                .take("one more", Class::Read, &LIMITS, at(1))
                .is_err()
        );
        assert!(limiter.take("7", Class::Read, &LIMITS, at(1)).is_ok());
        assert!(
            limiter
                .take("one more", Class::Read, &LIMITS, at(HOUR_MS + 2))
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn no_stretch_of_a_minute_holds_more_than_the_limit(
            limit in 1_u32..20,
            gaps in proptest::collection::vec(0_u64..9_000, 0..300),
        ) {
            let limits = RateLimits { writes_per_minute: limit, writes_per_hour: u32::MAX, ..LIMITS };
            let limiter = RateLimiter::default();
            let (mut now, mut taken) = (0_u64, Vec::new());
            for gap in gaps {
                now += gap;
                match limiter.take("k", Class::Write, &limits, at(now)) {
                    Ok(_) => taken.push(now),
                    Err(refused) => {
                        let next = now + refused.wait_ms;
                        prop_assert!(refused.wait_ms > 0 && refused.wait_ms <= MINUTE_MS + 1000);
                        prop_assert!(limiter.take("k", Class::Write, &limits, at(next)).is_ok());
                        now = next;
                        taken.push(now);
                    }
                }
            }
            for (n, first) in taken.iter().enumerate() {
                let held = taken[n..].iter().take_while(|t| **t < first + MINUTE_MS).count();
                prop_assert!(held <= usize::try_from(limit).unwrap());
            }
        }
    }
}
