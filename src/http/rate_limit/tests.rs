//! The limits hold for every stretch of time, and over a restart.

use super::*;
use proptest::prelude::*;

const LIMITS: RateLimits = RateLimits {
    writes_per_minute: 30,
    writes_per_hour: 500,
    reads_per_minute: 600,
    admin_per_minute: 30,
    checks_per_minute: 30,
    failures_per_minute: std::num::NonZeroU32::new(30).unwrap(),
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

#[test]
fn a_million_keys_take_the_memory_of_ten_thousand() {
    let limiter = RateLimiter::default();
    let counted = (0..1_000_000_u32)
        .filter(|n| {
            limiter
                .take(&n.to_string(), Class::Read, &LIMITS, at(0))
                .is_ok()
        })
        .count();
    assert_eq!(counted, KEYS_MAX);
    let record = std::mem::size_of::<Counts>();
    assert!(record <= 1_536, "{record} bytes a key");
}

#[test]
fn an_administrator_and_a_check_have_windows_of_their_own() {
    let class = |method: Method, route| Class::of(&method, route);
    assert_eq!(class(Method::POST, "/v1/pause"), Class::Admin);
    assert_eq!(class(Method::POST, "/v1/rollout/demote"), Class::Admin);
    assert_eq!(class(Method::GET, "/v1/rollout"), Class::Read);
    assert_eq!(class(Method::POST, "/v1/payments/validate"), Class::Check);
    assert_eq!(
        class(Method::POST, "/v1/payments/{id}/approve"),
        Class::Write
    );
    assert_eq!(class(Method::DELETE, ""), Class::Write);
    let limiter = RateLimiter::default();
    while limiter.take("k", Class::Write, &LIMITS, at(0)).is_ok() {}
    while limiter.take("k", Class::Check, &LIMITS, at(0)).is_ok() {}
    assert_eq!(
        limiter
            .take("k", Class::Check, &LIMITS, at(0))
            .unwrap_err()
            .window,
        "checks_minute"
    );
    assert_eq!(
        limiter
            .take("k", Class::Admin, &LIMITS, at(0))
            .unwrap()
            .limit,
        30
    );
    for class in [Class::Write, Class::Read, Class::Admin, Class::Check] {
        let window = limiter.take("w", class, &LIMITS, at(0)).unwrap().window;
        assert!(WINDOWS.contains(&window), "{window}");
    }
}

#[test]
fn a_key_of_its_own_limits_has_those() {
    let own = crate::store::KeyLimits {
        per_minute: Some(2),
        per_hour: None,
        reads_per_minute: Some(1),
    };
    let limits = LIMITS.of(&own);
    let all = (
        limits.writes_per_minute,
        limits.writes_per_hour,
        limits.reads_per_minute,
    );
    assert_eq!(all, (2, 500, 1));
    assert_eq!(LIMITS.of(&crate::store::KeyLimits::default()), LIMITS);
}

/// A store that keeps what it is told, by key and minute.
#[derive(Default)]
struct Told(BTreeMap<(String, u64), u32>);

impl Told {
    fn tell(&mut self, limiter: &RateLimiter, now: Duration) {
        for MinuteCount { key, minute, count } in limiter.untold(now).counts {
            *self.0.entry((key, minute)).or_default() += count;
        }
        limiter.adopt(self.all(), now);
    }

    fn all(&self) -> Vec<MinuteCount> {
        let count = |((key, minute), count): (&(String, u64), &u32)| MinuteCount {
            key: key.clone(),
            minute: *minute,
            count: *count,
        };
        self.0.iter().map(count).collect()
    }
}

const ROOMY: RateLimits = RateLimits {
    writes_per_minute: 1_000_000,
    ..LIMITS
};

fn takes(limiter: &RateLimiter, limits: &RateLimits, now: Duration) -> u32 {
    let mut taken = 0;
    while limiter.take("k", Class::Write, limits, now).is_ok() {
        taken += 1;
    }
    taken
}

#[test]
fn another_life_and_another_replica_go_on_with_the_hour_where_it_was() {
    let start = UnixMs(1_800_000_030_000);
    let (one, two) = (
        RateLimiter::new(start, at(0)),
        RateLimiter::new(start, at(0)),
    );
    let mut store = Told::default();
    for _ in 0..400 {
        one.take("k", Class::Write, &ROOMY, at(1_000)).unwrap();
    }
    store.tell(&one, at(1_000));
    for _ in 0..40 {
        two.take("k", Class::Write, &ROOMY, at(1_000)).unwrap();
    }
    store.tell(&two, at(1_000));
    assert_eq!(takes(&two, &ROOMY, at(2_000)), 60);
    // The next life begins ten minutes later, with a clock of its own.
    let next = RateLimiter::new(start.plus_ms(600_000), at(77));
    next.adopt(store.all(), at(77));
    let left = takes(&next, &ROOMY, at(77));
    assert_eq!(left, 60, "what was not told is forgotten, and no more");
    let refused = next.take("k", Class::Write, &ROOMY, at(77)).unwrap_err();
    assert_eq!(refused.window, "hour");
    // What was taken in a minute has left an hour after that minute.
    let wait = refused.wait_ms;
    assert!((49 * MINUTE_MS..=51 * MINUTE_MS).contains(&wait), "{wait}");
    assert_eq!(takes(&next, &ROOMY, at(77 + wait - 1)), 0);
    assert!(takes(&next, &ROOMY, at(77 + wait)) > 0);
}

#[test]
fn what_could_not_be_told_is_told_later_and_counted_all_the_while() {
    let limiter = RateLimiter::new(UnixMs(1_800_000_000_000), at(0));
    for _ in 0..10 {
        limiter.take("k", Class::Write, &ROOMY, at(0)).unwrap();
    }
    let untold = limiter.untold(at(0));
    assert_eq!(
        untold.counts.iter().map(|count| count.count).sum::<u32>(),
        10
    );
    assert_eq!(untold.used, [("k".to_owned(), UnixMs(1_800_000_000_000))]);
    assert_eq!(limiter.untold(at(0)), Untold::default());
    limiter.take("k", Class::Write, &ROOMY, at(500)).unwrap();
    limiter.was_not_told(untold);
    let again = limiter.untold(at(500));
    assert_eq!(
        again.counts.iter().map(|count| count.count).sum::<u32>(),
        11
    );
    assert_eq!(again.used, [("k".to_owned(), UnixMs(1_800_000_000_500))]);
    assert_eq!(takes(&limiter, &ROOMY, at(500)), 489);
    // When a key was last used is told once a minute.
    assert_eq!(limiter.untold(at(59_000)).used, []);
}

#[test]
fn the_store_is_told_at_once_when_a_tenth_of_the_limit_is_new() {
    let limiter = RateLimiter::default();
    let rung =
        || futures_util::FutureExt::now_or_never(limiter.much_is_untold.notified()).is_some();
    for n in 1..50 {
        limiter.take("k", Class::Write, &ROOMY, at(0)).unwrap();
        assert!(!rung(), "{n}");
    }
    limiter.take("k", Class::Write, &ROOMY, at(0)).unwrap();
    assert!(rung());
}

proptest! {
    #[test]
    fn telling_the_store_at_any_time_changes_nothing(
        gaps in proptest::collection::vec((0_u64..120_000, 0_u32..8, proptest::bool::ANY), 0..80),
    ) {
        let limits = RateLimits { writes_per_hour: 40, ..ROOMY };
        let start = UnixMs(1_800_000_012_345);
        let (told, alone) = (RateLimiter::new(start, at(0)), RateLimiter::new(start, at(0)));
        let (mut store, mut now) = (Told::default(), 0);
        for (gap, takes, tells) in gaps {
            now += gap;
            for _ in 0..takes {
                let take = |limiter: &RateLimiter| limiter.take("k", Class::Write, &limits, at(now));
                prop_assert_eq!(take(&told), take(&alone));
            }
            if tells {
                store.tell(&told, at(now));
            }
        }
    }


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
