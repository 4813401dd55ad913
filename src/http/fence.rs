//! The fence against callers who have no valid key: failed attempts, slowed by the address that they
//! come from and by the key that they name.
//!
//! Every failure costs the address one token of a bucket (`rate_limit.failures_per_minute`, refilled
//! evenly). An address without a token is told to wait before anything is hashed or looked up, unless it
//! names a key that was right within [`PROVEN_FOR`]: many callers share one address, behind a proxy or a
//! translator, and the failures of one must not lock the others out. For such a key one hash is compared
//! and no more; when that is wrong the answer is the same. The key's own bucket counts wrong secrets
//! wherever they come from. It keeps nobody out who has the right one, since otherwise whoever knows the
//! public half of a key could lock its owner out; it slows the others, and says so in the log.
//!
//! Owns the buckets, in memory and for this process alone. Bounded by construction ([`slots`]): the
//! memory is fixed, and no flood of addresses gives anybody room that he does not have.

pub mod slots;

use crate::clock::Clock;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};
use slots::{Counting, Looking, Slots};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For how long a key that was right is let past its address's fence.
pub const PROVEN_FOR: Duration = Duration::from_secs(3_600);
/// The most such keys that are remembered; past it those that have been idle go first.
const PROVEN_MAX: usize = 10_000;
/// Addresses with failures that are told apart: two megabytes.
const ADDRESSES: usize = 131_072;
/// Keys with failures that are told apart.
const KEYS: usize = 4_096;
/// How often the log says that somebody guesses.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long to wait for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Failures that are let through at once.
    pub limit: u32,
    /// Milliseconds.
    pub wait_ms: u64,
}

/// The limiter's view of the daemon's clock.
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Limiter<Way> = RateLimiter<u64, Way, Ticks, NoOpMiddleware<Duration>>;

/// One kind of buckets: asked twice, once without a trace.
struct Buckets {
    look: Limiter<Looking>,
    count: Limiter<Counting>,
    clock: Arc<dyn Clock>,
    limit: u32,
}

impl Buckets {
    fn new(quota: Quota, room: usize, clock: &Arc<dyn Clock>) -> Self {
        let slots = Slots::with_room_for(room);
        Self {
            look: RateLimiter::new(quota, Looking(Arc::clone(&slots)), Ticks(Arc::clone(clock))),
            count: RateLimiter::new(quota, Counting(slots), Ticks(Arc::clone(clock))),
            clock: Arc::clone(clock),
            limit: quota.burst_size().get(),
        }
    }

    fn look(&self, key: u64) -> Result<(), Wait> {
        let asked = self.look.check_key(&key);
        asked.map_err(|not_until| self.wait(not_until.wait_time_from(self.clock.monotonic())))
    }

    fn count(&self, key: u64) -> Result<(), Wait> {
        let asked = self.count.check_key(&key);
        asked.map_err(|not_until| self.wait(not_until.wait_time_from(self.clock.monotonic())))
    }

    fn wait(&self, wait: Duration) -> Wait {
        let wait_ms = wait.as_nanos().div_ceil(1_000_000);
        Wait {
            limit: self.limit,
            wait_ms: u64::try_from(wait_ms).unwrap_or(u64::MAX),
        }
    }
}

struct Fences {
    per_minute: NonZeroU32,
    addresses: Buckets,
    keys: Buckets,
}

impl Fences {
    fn new(per_minute: NonZeroU32, clock: &Arc<dyn Clock>) -> Arc<Self> {
        let quota = Quota::per_minute(per_minute);
        Arc::new(Self {
            per_minute,
            addresses: Buckets::new(quota, ADDRESSES, clock),
            keys: Buckets::new(quota, KEYS, clock),
        })
    }
}

/// Slows failed attempts.
pub struct Fence {
    clock: Arc<dyn Clock>,
    fences: Mutex<Arc<Fences>>,
    proven: Mutex<HashMap<String, Duration>>,
    told_at: Mutex<Option<Duration>>,
    hash: RandomState,
}

impl Fence {
    /// A fence that lets `per_minute` failures through.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, per_minute: NonZeroU32) -> Self {
        Self {
            fences: Mutex::new(Fences::new(per_minute, &clock)),
            clock,
            proven: Mutex::default(),
            told_at: Mutex::default(),
            hash: RandomState::new(),
        }
    }

    /// Takes over another number; then every bucket is full.
    fn fences(&self, per_minute: NonZeroU32) -> Arc<Fences> {
        let mut fences = self.fences.lock().unwrap_or_else(PoisonError::into_inner);
        if fences.per_minute != per_minute {
            *fences = Fences::new(per_minute, &self.clock);
        }
        Arc::clone(&fences)
    }

    /// Whether somebody at `address`, who names `key`, may try.
    ///
    /// # Errors
    /// How long he has to wait.
    pub fn admit(
        &self,
        address: IpAddr,
        key: Option<&str>,
        per_minute: NonZeroU32,
    ) -> Result<(), Wait> {
        let looked = self.fences(per_minute).addresses.look(of(address));
        match key {
            Some(key) if looked.is_err() && self.is_proven(key) => Ok(()),
            Some(_) | None => looked,
        }
    }

    /// Counts a failure of somebody at `address`, who named `key`.
    ///
    /// # Errors
    /// It is one too many: how long he has to wait.
    pub fn failed(
        &self,
        address: IpAddr,
        key: Option<&str>,
        per_minute: NonZeroU32,
    ) -> Result<(), Wait> {
        let fences = self.fences(per_minute);
        let by_address = fences.addresses.count(of(address));
        let by_key = key.map_or(Ok(()), |key| {
            let counted = fences.keys.count(self.hash.hash_one(key));
            if counted.is_err() && self.is_proven(key) && self.tells() {
                tracing::warn!(
                    key.id = key,
                    "wrong secrets are tried for this key again and again"
                );
            }
            counted
        });
        by_address.and(by_key)
    }

    /// Notes that `key` was right.
    pub fn proved(&self, key: &str) {
        let now = self.clock.monotonic();
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = proven.get_mut(key) {
            *at = now;
            return;
        }
        if proven.len() >= PROVEN_MAX {
            proven.retain(|_, at| now.saturating_sub(*at) < PROVEN_FOR);
        }
        if proven.len() >= PROVEN_MAX {
            let oldest = proven.iter().min_by_key(|(_, at)| **at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| proven.remove(&key));
        }
        proven.insert(key.to_owned(), now);
    }

    fn is_proven(&self, key: &str) -> bool {
        let now = self.clock.monotonic();
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let at = proven.get(key);
        at.is_some_and(|at| now.saturating_sub(*at) < PROVEN_FOR)
    }

    fn tells(&self) -> bool {
        let now = self.clock.monotonic();
        let mut told = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|at| now.saturating_sub(at) >= TOLD_EVERY);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

/// What tells addresses apart: of IPv6 the first half, because whoever has one such address has all of
/// that network.
fn of(address: IpAddr) -> u64 {
    /// No caller has an address whose first half is this: `ff00::/8` is for groups.
    const IPV4: u64 = 0xffff_0000_0000_0000;
    match address.to_canonical() {
        IpAddr::V4(address) => IPV4 | u64::from(address.to_bits()),
        IpAddr::V6(address) => match u64::try_from(address.to_bits() >> 64) {
            // An empty slot has the key 0.
            Ok(0) | Err(_) => u64::MAX,
            Ok(network) => network,
        },
    }
}

#[cfg(test)]
mod tests;
