//! How often a key may ask: sliding windows of a minute and an hour for writes, of a minute for reads,
//! for an administrator's changes and for what makes the ledger's servers work.
//!
//! A window is cut into sixty slots, and a slot counts until the whole of it has left the window. So
//! no stretch of a window's length ever holds more than the limit, which neither a fixed window (twice
//! the limit around its edge) nor a token bucket (twice the limit in its first window) can say. A
//! refused request is not counted, so a caller who keeps knocking is let in as soon as there is room.
//!
//! Owns the counts, in memory. Those of the hour are told to the store a little later and read from it
//! at a start (`http::usage`), so that a restart forgets no more than what was not told yet; those of a
//! minute begin anew. Bounded: one record of 1.5 kB a key, [`KEYS_MAX`] keys, idle ones dropped first;
//! past that a key is refused rather than let in uncounted. Only keys that hold are counted here.

mod window;

use super::state::RateLimits;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use window::Window;
use xrpayd_core::ids::UnixMs;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
/// The most keys that are counted at once: far more than one daemon has.
pub const KEYS_MAX: usize = 10_000;
/// How often idle keys are looked for where there are too many: it walks all of them.
const SWEEP_EVERY_MS: u64 = 1_000;
/// The store is told at once when this part of an hour's limit was used since it was told last.
const UNTOLD_PART: u32 = 10;
/// How exactly the store knows when a key was last used.
const LAST_USED_EVERY_MS: u64 = 60_000;

/// The metric label of the fence against failed attempts.
pub const FAILURES: &str = "failures";
/// The metric label of a key too many.
const KEYS: &str = "keys";
/// Every value of the label `window`.
pub const WINDOWS: [&str; 7] = [
    "minute",
    "hour",
    "reads_minute",
    "admin_minute",
    "checks_minute",
    FAILURES,
    KEYS,
];

/// What a request does, as far as the limits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may change something.
    Write,
    /// It only looks.
    Read,
    /// It is an administrator's, and changes how the service runs. No flood of payments by the same
    /// key is in the way of a pause.
    Admin,
    /// It changes nothing and makes the ledger's servers work.
    Check,
}

impl Class {
    /// The class of a method on a route.
    #[must_use]
    pub fn of(method: &Method, route: &str) -> Self {
        if method.is_safe() {
            return Self::Read;
        }
        match route {
            "/v1/pause" | "/v1/resume" | "/v1/rollout/promote" | "/v1/rollout/demote" => {
                Self::Admin
            }
            "/v1/payments/validate" | "/v1/quotes" => Self::Check,
            _ => Self::Write,
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
    window: KEYS,
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

    /// The answer, with what the caller has to know of the limit.
    #[must_use]
    pub fn on(&self, mut response: Response) -> Response {
        self.write(response.headers_mut());
        response
    }

    fn write(&self, headers: &mut HeaderMap) {
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
    admin_minute: Window,
    checks_minute: Window,
    /// What the store was not told yet of the hour, by its minute.
    untold: BTreeMap<u64, u32>,
    last_seen_ms: u64,
    last_seen_told_ms: u64,
}

impl Counts {
    const fn new() -> Self {
        Self {
            writes_minute: Window::new(MINUTE_MS),
            writes_hour: Window::new(HOUR_MS),
            reads_minute: Window::new(MINUTE_MS),
            admin_minute: Window::new(MINUTE_MS),
            checks_minute: Window::new(MINUTE_MS),
            untold: BTreeMap::new(),
            last_seen_ms: 0,
            last_seen_told_ms: 0,
        }
    }
}

/// The writes of a key in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteCount {
    /// The key.
    pub key: String,
    /// The minute, since the epoch.
    pub minute: u64,
    /// How many.
    pub count: u32,
}

/// What the store does not know yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// The hour's counts.
    pub counts: Vec<MinuteCount>,
    /// When keys were last used.
    pub used: Vec<(String, UnixMs)>,
}

/// The counts of every key.
#[derive(Debug, Default)]
pub struct RateLimiter {
    keys: Mutex<HashMap<String, Box<Counts>>>,
    /// What is added to a monotonic instant to make it one since the epoch. Taken once, so that the
    /// windows never jump with the wall clock, and so that another life of the daemon finds the
    /// minutes where this one left them.
    epoch_ms: u64,
    /// When idle keys were last looked for.
    swept_ms: AtomicU64,
    /// Rung when the store should be told before its time.
    pub much_is_untold: Notify,
}

impl RateLimiter {
    /// A limiter whose time begins with `now`.
    #[must_use]
    pub fn new(now: UnixMs, monotonic: Duration) -> Self {
        let now_ms = u64::try_from(now.0).unwrap_or(0);
        Self {
            epoch_ms: now_ms.saturating_sub(millis(monotonic)),
            ..Self::default()
        }
    }

    fn ms(&self, monotonic: Duration) -> u64 {
        self.epoch_ms.saturating_add(millis(monotonic))
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, Box<Counts>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
        let now_ms = self.ms(now);
        let mut keys = self.keys();
        if keys.len() >= KEYS_MAX && !keys.contains_key(key) {
            if now_ms.saturating_sub(self.swept_ms.load(Ordering::Relaxed)) >= SWEEP_EVERY_MS {
                self.swept_ms.store(now_ms, Ordering::Relaxed);
                keys.retain(|_, counts| now_ms.saturating_sub(counts.last_seen_ms) < HOUR_MS);
            }
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
            Class::Admin => &mut [(
                &mut counts.admin_minute,
                "admin_minute",
                limits.admin_per_minute,
            )],
            Class::Check => &mut [(
                &mut counts.checks_minute,
                "checks_minute",
                limits.checks_per_minute,
            )],
        };
        for (window, _, _) in windows.iter_mut() {
            window.advance(now_ms);
        }
        let full = windows
            .iter()
            .filter(|(window, _, limit)| window.used() >= *limit)
            .map(|(window, name, limit)| window.standing(name, *limit, now_ms))
            .max_by_key(|standing| standing.wait_ms);
        if let Some(standing) = full {
            return Err(standing);
        }
        for (window, _, _) in windows.iter_mut() {
            window.take();
        }
        let standing = windows
            .iter()
            .map(|(window, name, limit)| window.standing(name, *limit, now_ms))
            .min_by_key(|standing| standing.remaining)
            .ok_or(UNCOUNTED);
        if class == Class::Write {
            let minute = counts.untold.entry(now_ms / MINUTE_MS).or_default();
            *minute = minute.saturating_add(1);
            let untold: u32 = counts.untold.values().sum();
            if untold.is_multiple_of((limits.writes_per_hour / UNTOLD_PART).max(1)) {
                self.much_is_untold.notify_one();
            }
        }
        standing
    }

    /// Hands out what the store does not know yet; whoever could not tell it gives it [back].
    ///
    /// [back]: Self::was_not_told
    pub fn untold(&self, now: Duration) -> Untold {
        let now_ms = self.ms(now);
        let mut untold = Untold::default();
        for (key, counts) in self.keys().iter_mut() {
            let minutes = std::mem::take(&mut counts.untold).into_iter();
            untold
                .counts
                .extend(minutes.map(|(minute, count)| MinuteCount {
                    key: key.clone(),
                    minute,
                    count,
                }));
            let news = counts.last_seen_ms.saturating_sub(counts.last_seen_told_ms);
            if news >= LAST_USED_EVERY_MS {
                counts.last_seen_told_ms = counts.last_seen_ms;
                let at = UnixMs(i64::try_from(counts.last_seen_ms).unwrap_or(i64::MAX));
                untold.used.push((key.clone(), at));
            }
        }
        // One order for everybody who writes them, so that two never wait for each other.
        untold
            .counts
            .sort_by(|a, b| (&a.key, a.minute).cmp(&(&b.key, b.minute)));
        untold.used.sort();
        let oldest = self.oldest_minute(now_ms);
        untold.counts.retain(|count| count.minute >= oldest);
        untold
    }

    /// Takes back what the store could not be told.
    pub fn was_not_told(&self, untold: Untold) {
        let mut keys = self.keys();
        for MinuteCount { key, minute, count } in untold.counts {
            if let Some(counts) = keys.get_mut(&key) {
                let kept = counts.untold.entry(minute).or_default();
                *kept = kept.saturating_add(count);
            }
        }
        for (key, _) in untold.used {
            if let Some(counts) = keys.get_mut(&key) {
                counts.last_seen_told_ms = 0;
            }
        }
    }

    /// Takes over what the store knows of the hour of these keys: what this process told it, and what
    /// other lives and replicas did.
    pub fn adopt(&self, known: Vec<MinuteCount>, now: Duration) {
        let now_ms = self.ms(now);
        let mut by_key: BTreeMap<String, Vec<(u64, u32)>> = BTreeMap::new();
        for MinuteCount { key, minute, count } in known {
            by_key.entry(key).or_default().push((minute, count));
        }
        let mut keys = self.keys();
        for (key, mut minutes) in by_key {
            if keys.len() >= KEYS_MAX && !keys.contains_key(&key) {
                continue;
            }
            let counts = keys.entry(key).or_insert_with(|| {
                let mut counts = Counts::new();
                // Known, and not used by this process.
                counts.last_seen_ms = now_ms;
                counts.last_seen_told_ms = now_ms;
                Box::new(counts)
            });
            minutes.extend(
                counts
                    .untold
                    .iter()
                    .map(|(minute, count)| (*minute, *count)),
            );
            counts.writes_hour.advance(now_ms);
            counts.writes_hour.refill(minutes.into_iter());
        }
    }

    /// The oldest minute that the hour's window still counts.
    #[must_use]
    pub fn oldest(&self, now: Duration) -> u64 {
        self.oldest_minute(self.ms(now))
    }

    const fn oldest_minute(&self, now_ms: u64) -> u64 {
        (now_ms / MINUTE_MS).saturating_sub(window::SLOTS as u64)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
