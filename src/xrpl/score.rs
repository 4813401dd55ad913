//! How fit a server is, as a number, and the order that follows from it. Pure whole-number
//! arithmetic.
//!
//! The order has inertia: a server passes the one before it only when it is fitter by a margin, so
//! that the noise of a few milliseconds moves nothing. A difference of kind (ready or not, within its
//! budget or not, the operator's priority) needs no margin.

use std::time::Duration;

/// A server overtakes another of its kind only when it scores more by this much.
pub(super) const MARGIN: u32 = 50;
/// The score of a ready server at its worst, and above that of a degraded one at its best.
const READY: u32 = 1_000;
const DEGRADED: u32 = 250;
/// Ledgers that are thought enough; a server that holds fewer is a little less fit.
const HISTORY_LEDGERS: u32 = 1_000;

/// What the score is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    pub is_ready: bool,
    /// Ledgers behind the pool.
    pub lag: u32,
    pub mean: Option<Duration>,
    pub p95: Option<Duration>,
    /// How long the oldest request has waited.
    pub waiting: Duration,
    /// Of a thousand answers, how many were of no use.
    pub errors_per_mille: u32,
    /// 1 is no load.
    pub load_factor: u64,
    /// Ledgers in its newest unbroken run.
    pub history: u32,
}

/// From 1 to 1,000. A ready server always scores more than one that is not.
pub(super) fn score(signs: &Signs) -> u32 {
    let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    let lag = signs.lag.saturating_mul(50).min(150);
    let slow = signs.mean.map_or(0, |mean| ms(mean) / 5).min(150);
    let uneven = signs.p95.map_or(0, |p95| ms(p95) / 20).min(50);
    // A server that has stopped answering shows it here long before a time-out does.
    let waiting = (ms(signs.waiting) / 5).min(250);
    let errors = (signs.errors_per_mille / 10).min(80);
    // Every doubling of the load costs the same.
    let load = signs.load_factor.max(1).ilog2().saturating_mul(5).min(40);
    let held = signs.history.min(HISTORY_LEDGERS);
    let history = (HISTORY_LEDGERS - held) / 50;
    let lost = lag + slow + uneven + waiting + errors + load + history;
    let base = if signs.is_ready { READY } else { DEGRADED };
    base.saturating_sub(lost).max(1)
}

/// One in sixteen of an answer's weight goes to the newest.
pub(super) fn errors_after(per_mille: u32, is_error: bool) -> u32 {
    let newest = if is_error { 1_000 } else { 0 };
    // Rounded up for an error and down for a good answer, so that both ends are reached.
    if is_error {
        (per_mille * 15 + newest).div_ceil(16)
    } else {
        per_mille * 15 / 16
    }
}

/// Puts `found` in order, the fittest first: by kind, and within a kind by score with inertia.
/// `before` is the order that was found last; who was not in it comes after those who were.
pub(super) fn order<T, K: Ord>(
    found: Vec<T>,
    before: &[usize],
    index: impl Fn(&T) -> usize,
    kind: impl Fn(&T) -> K,
    score: impl Fn(&T) -> u32,
) -> Vec<T> {
    let place = |item: &T| {
        let known = before.iter().position(|&known| known == index(item));
        // Newcomers stand among themselves by their scores.
        (
            known.unwrap_or(usize::MAX),
            if known.is_some() {
                0
            } else {
                u32::MAX - score(item)
            },
        )
    };
    let mut rest = found;
    rest.sort_by_key(place);
    let mut sorted: Vec<T> = Vec::with_capacity(rest.len());
    for item in rest {
        let passes = |other: &T| match kind(&item).cmp(&kind(other)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => score(&item) > score(other).saturating_add(MARGIN),
            std::cmp::Ordering::Greater => false,
        };
        let passed = sorted
            .iter()
            .rev()
            .take_while(|other| passes(other))
            .count();
        sorted.insert(sorted.len() - passed, item);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arb_signs() -> impl Strategy<Value = Signs> {
        (
            (
                any::<bool>(),
                0_u32..100,
                0_u64..1_000_000,
                0_u64..1_000_000,
            ),
            (0_u64..1_000_000, 0_u32..=1_000, any::<u64>(), any::<u32>()),
        )
            .prop_map(
                |((is_ready, lag, mean, p95), (waiting, errors, load, history))| Signs {
                    is_ready,
                    lag,
                    mean: Some(Duration::from_millis(mean)),
                    p95: Some(Duration::from_millis(p95)),
                    waiting: Duration::from_millis(waiting),
                    errors_per_mille: errors,
                    load_factor: load,
                    history,
                },
            )
    }

    type Item = (usize, u8, u32);

    fn sorted(found: Vec<Item>, before: &[usize]) -> Vec<Item> {
        order(found, before, |item| item.0, |item| item.1, |item| item.2)
    }

    fn indexes(found: &[Item]) -> Vec<usize> {
        found.iter().map(|item| item.0).collect()
    }

    proptest! {
        #[test]
        fn a_ready_server_always_outscores_one_that_is_not(a in arb_signs(), b in arb_signs()) {
            let ready = score(&Signs { is_ready: true, ..a });
            let other = score(&Signs { is_ready: false, ..b });
            prop_assert!(ready > other, "{ready} {other}");
            prop_assert!((1..=1_000).contains(&ready) && (1..=1_000).contains(&other));
        }

        #[test]
        fn nothing_bad_ever_raises_the_score(signs in arb_signs(), more in 0_u32..1_000) {
            let longer = Duration::from_millis(more.into());
            let base = score(&signs);
            let worse = [
                Signs { is_ready: false, ..signs },
                Signs { lag: signs.lag + more, ..signs },
                Signs { mean: signs.mean.map(|mean| mean + longer), ..signs },
                Signs { p95: signs.p95.map(|p95| p95 + longer), ..signs },
                Signs { waiting: signs.waiting + longer, ..signs },
                Signs { errors_per_mille: signs.errors_per_mille + more, ..signs },
                Signs { load_factor: signs.load_factor.saturating_mul(2), ..signs },
                Signs { history: signs.history.saturating_sub(more), ..signs },
            ];
            for worse in worse {
                prop_assert!(score(&worse) <= base, "{worse:?}");
            }
        }

        #[test]
        fn small_noise_never_changes_the_order(
            scores in proptest::collection::vec((0_u8..3, 100_u32..1_000), 1..8),
            noise in proptest::collection::vec(proptest::collection::vec(0_u32..=MARGIN / 2, 8), 1..20),
        ) {
            let items: Vec<Item> = scores.iter().enumerate().map(|(n, &(kind, score))| (n, kind, score)).collect();
            let first = indexes(&sorted(items.clone(), &[]));
            let mut last = first.clone();
            for noise in noise {
                let noisy = items.iter().zip(noise).map(|(item, noise)| (item.0, item.1, item.2 - noise)).collect();
                last = indexes(&sorted(noisy, &last));
                prop_assert_eq!(&last, &first);
            }
        }

        #[test]
        fn a_server_of_a_worse_kind_always_comes_after(
            items in proptest::collection::vec((0_u8..3, 1_u32..1_000), 1..8),
            before in Just((0_usize..8).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let items = items.iter().enumerate().map(|(n, &(kind, score))| (n, kind, score)).collect();
            let sorted = sorted(items, &before);
            prop_assert!(sorted.is_sorted_by_key(|item| item.1), "{sorted:?}");
        }

        #[test]
        fn a_server_that_is_clearly_fitter_passes(
            scores in proptest::collection::vec(1_u32..900, 1..8),
            before in Just((0_usize..9).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let best = scores.iter().max().unwrap() + MARGIN + 1;
            let mut items: Vec<Item> = scores.iter().enumerate().map(|(n, &score)| (n, 0, score)).collect();
            items.push((8, 0, best));
            prop_assert_eq!(sorted(items, &before)[0].0, 8);
        }
    }

    #[test]
    fn the_share_of_errors_reaches_both_ends() {
        let mut share = 0;
        (0..200).for_each(|_| share = errors_after(share, true));
        assert_eq!(share, 1_000);
        (0..200).for_each(|_| share = errors_after(share, false));
        assert_eq!(share, 0);
    }
}
