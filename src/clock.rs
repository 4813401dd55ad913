//! Time and entropy. Nothing else in the daemon reads the machine's clock or its random source.
//!
//! Owns the two seams ([`Clock`], [`Entropy`]), their real implementations, the ones that tests
//! step by hand, and the making of time-ordered identifiers. Waiting (`tokio::time::sleep` and its
//! kin) is not reading the clock and needs nothing from here.
//!
//! On failure: a machine whose random source does not answer cannot make keys or identifiers, so
//! [`OsEntropy::new`] refuses to start, and a later failure stops the process.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use xrpayd_core::ids::UnixMs;

/// A reader of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: for what is stored and shown, and for what the ledger's own times are
    /// compared with. It may be set back by an operator.
    fn now(&self) -> UnixMs;

    /// Time since some fixed instant; never goes back. For measuring and for deadlines.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the machine's clock"
    )]
    fn now(&self) -> UnixMs {
        let ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        UnixMs(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// The machine's clock until another one is agreed with; from then on that one's time, carried on by the
/// machine's monotonic hand. What is done to the machine's wall clock afterwards changes nothing.
#[derive(Debug)]
pub struct SharedClock {
    machine: SystemClock,
    /// What the other clock showed when our monotonic hand was at zero; [`NOT_AGREED`] before.
    origin_ms: AtomicI64,
}

const NOT_AGREED: i64 = i64::MIN;
/// Differences that are not worth a jump.
const TOLERANCE_MS: i64 = 25;

impl SharedClock {
    /// A clock that shows the machine's time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            machine: SystemClock::new(),
            origin_ms: AtomicI64::new(NOT_AGREED),
        }
    }

    /// Agrees with a clock that showed `theirs` at some moment since our monotonic hand was at
    /// `asked_at`; answers with how far this moves what is shown, forward where it is positive. What the
    /// time on the way explains is no difference.
    pub fn agree(&self, theirs: UnixMs, asked_at: Duration) -> i64 {
        let (asked_ms, heard_ms) = (millis(asked_at), millis(self.monotonic()));
        let half = heard_ms.saturating_sub(asked_ms) / 2;
        let origin = theirs.0.saturating_sub(asked_ms.saturating_add(half));
        let before = match self.origin_ms.load(Ordering::SeqCst) {
            NOT_AGREED => self.machine.now().0.saturating_sub(heard_ms),
            known => known,
        };
        let moved = origin.saturating_sub(before);
        let is_close = moved.saturating_abs() <= half.saturating_add(TOLERANCE_MS);
        let kept = if is_close { before } else { origin };
        self.origin_ms.store(kept, Ordering::SeqCst);
        kept.saturating_sub(before)
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SharedClock {
    fn now(&self) -> UnixMs {
        match self.origin_ms.load(Ordering::SeqCst) {
            NOT_AGREED => self.machine.now(),
            origin => UnixMs(origin.saturating_add(millis(self.monotonic()))),
        }
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that stands still until it is stepped; for tests.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now`, with no monotonic time passed.
    #[must_use]
    pub const fn new(now: UnixMs) -> Self {
        Self {
            now_ms: AtomicI64::new(now.0),
            monotonic_ms: AtomicU64::new(0),
        }
    }

    /// Lets `step` pass on both of its hands.
    pub fn advance(&self, step: Duration) {
        let ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
        self.now_ms
            .fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an operator might.
    pub fn set_wall(&self, now: UnixMs) {
        self.now_ms.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy)]
pub struct OsEntropy {
    _checked: (),
}

/// The operating system's random source does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the operating system's random source does not answer: {0}")]
pub struct NoEntropy(getrandom::Error);

impl OsEntropy {
    /// The source, after one draw that shows that it works.
    ///
    /// # Errors
    /// The operating system refuses to give random bytes.
    pub fn new() -> Result<Self, NoEntropy> {
        getrandom::fill(&mut [0_u8; 32]).map_err(NoEntropy)?;
        Ok(Self { _checked: () })
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let drawn = getrandom::fill(bytes);
        // A predictable key or identifier is worse than a stopped daemon.
        assert!(drawn.is_ok(), "the random source stopped answering");
    }
}

/// A repeatable source for tests and simulations: the SplitMix64 sequence of a seed.
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    /// The sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self
            .state
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            for (slot, byte) in chunk.iter_mut().zip(word) {
                *slot = byte;
            }
        }
    }
}

/// A number drawn evenly enough from `0..=max` for jitter and sampling, not for keys.
#[must_use]
pub fn random_up_to(entropy: &dyn Entropy, max: u64) -> u64 {
    let mut bytes = [0_u8; 8];
    entropy.fill(&mut bytes);
    let drawn = u128::from(u64::from_le_bytes(bytes));
    let scaled = (drawn * (u128::from(max) + 1)) >> 64;
    u64::try_from(scaled).unwrap_or(max)
}

/// A part of a pause, drawn anew each time, so that those who meet do not meet again. Nothing is decided
/// by it, so it needs no source that can fail.
#[must_use]
pub fn part_of(pause: Duration) -> Duration {
    let drawn = RandomState::new().hash_one(());
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(drawn.checked_rem(micros).unwrap_or(0))
}

/// A UUID of version 7: 48 bits of `now` in front, so that identifiers sort by the time they were
/// made, and 74 random bits.
#[must_use]
pub fn uuid_v7(now: UnixMs, entropy: &dyn Entropy) -> u128 {
    const TIME_MASK: u128 = (1 << 48) - 1;
    const VERSION: u128 = 0x7 << 76;
    const VARIANT: u128 = 0b10 << 62;
    const RANDOM_HIGH: u128 = 0xFFF << 64;
    const RANDOM_LOW: u128 = (1 << 62) - 1;
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let random = u128::from_le_bytes(bytes);
    let time = u128::from(u64::try_from(now.0).unwrap_or(0)) & TIME_MASK;
    time << 80 | VERSION | random & RANDOM_HIGH | VARIANT | random & RANDOM_LOW
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_system_clock_is_past_the_year_2020_and_its_monotonic_hand_never_goes_back() {
        let clock = SystemClock::new();
        assert!(clock.now().0 > 1_577_836_800_000);
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }

    #[test]
    fn a_shared_clock_shows_the_machines_time_until_it_agrees_with_another() {
        let clock = SharedClock::new();
        let machine = SystemClock::new();
        let behind = |clock: &SharedClock| machine.now().0 - clock.now().0;
        assert!(behind(&clock).abs() < 1_000);
        let day = 86_400_000;
        let moved = clock.agree(UnixMs(machine.now().0 - day), clock.monotonic());
        assert!((moved + day).abs() < 1_000, "{moved}");
        assert!((behind(&clock) - day).abs() < 1_000);
        // What lies within the time on the way, or is hardly anything, moves nothing.
        let asked_at = clock.monotonic();
        assert_eq!(clock.agree(UnixMs(clock.now().0 + 20), asked_at), 0);
        assert_eq!(clock.agree(UnixMs(clock.now().0 - 20), asked_at), 0);
        let moved = clock.agree(UnixMs(clock.now().0 + day), clock.monotonic());
        assert!((moved - day).abs() < 1_000, "{moved}");
        assert!(behind(&clock).abs() < 2_000);
    }

    #[test]
    fn a_manual_clock_moves_only_when_it_is_told() {
        let clock = ManualClock::new(UnixMs(1_000));
        assert_eq!(
            (clock.now(), clock.monotonic()),
            (UnixMs(1_000), Duration::ZERO)
        );
        clock.advance(Duration::from_millis(250));
        clock.set_wall(UnixMs(7));
        assert_eq!(clock.now(), UnixMs(7));
        assert_eq!(clock.monotonic(), Duration::from_millis(250));
    }

    #[test]
    fn two_draws_from_the_operating_system_differ() {
        let entropy = OsEntropy::new().unwrap();
        let (mut a, mut b) = ([0_u8; 32], [0_u8; 32]);
        entropy.fill(&mut a);
        entropy.fill(&mut b);
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn a_uuid_bears_its_version_its_variant_and_its_time(seed: u64, ms in 0_i64..1 << 48) {
            let id = uuid_v7(UnixMs(ms), &SeededEntropy::new(seed));
            prop_assert_eq!(id >> 76 & 0xF, 7);
            prop_assert_eq!(id >> 62 & 0b11, 0b10);
            prop_assert_eq!(id >> 80, u128::try_from(ms).unwrap());
        }

        #[test]
        fn later_uuids_sort_after_earlier_ones(seed: u64, ms in 0_i64..1 << 40, step in 1_i64..1 << 20) {
            let entropy = SeededEntropy::new(seed);
            prop_assert!(uuid_v7(UnixMs(ms), &entropy) < uuid_v7(UnixMs(ms + step), &entropy));
        }

        #[test]
        fn a_draw_stays_within_its_bound(seed: u64, max: u64) {
            prop_assert!(random_up_to(&SeededEntropy::new(seed), max) <= max);
        }

        #[test]
        fn one_seed_gives_one_sequence(seed: u64) {
            let (mut a, mut b) = ([0_u8; 19], [0_u8; 19]);
            SeededEntropy::new(seed).fill(&mut a);
            SeededEntropy::new(seed).fill(&mut b);
            prop_assert_eq!(a, b);
        }
    }
}
