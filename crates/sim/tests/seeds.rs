//! Thousands of worlds: nothing wrong happens in any of them, and everything comes to its end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use xrpayd_sim::command::{Wanted, live};
use xrpayd_sim::{SEEN, Seen, run};

/// Seeds that are lived through where nobody asks for another number.
const SEEDS: u64 = 5_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `SIM_SEEDS` and `SIM_FROM` ask for other worlds.
#[test]
fn nothing_is_paid_twice_and_nothing_is_lost_in_any_world() {
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let wanted = Wanted {
        seeds,
        from: number("SIM_FROM").unwrap_or_default(),
        is_traced: false,
        plants: BTreeSet::new(),
    };
    let summary = live(&wanted);
    summary.print(&mut std::io::stdout()).unwrap();
    if let Some(violation) = summary.violation() {
        panic!("{violation}");
    }
    assert_eq!(summary.seeds, seeds);
    // The worlds are not all the same quiet one: every end is reached, every fault strikes.
    for end in ["succeeded", "failed", "expired", "cancelled", "rejected"] {
        let count = summary.ends.get(end).copied().unwrap_or_default();
        assert!(count >= seeds / 100, "{end}: {count} of {seeds} seeds");
    }
    assert_eq!(summary.tally.faults.len(), 17, "every fault strikes");
    for (fault, count) in &summary.tally.faults {
        assert!(*count >= seeds / 10, "{fault:?}: {count} in {seeds} seeds");
    }
    // What the faults are for happens, and not by a hair: a generator that breaks is noticed.
    for seen in SEEN {
        let (count, least) = (summary.tally.seen(seen), least(seen, seeds));
        assert!(
            count >= least,
            "{seen:?}: {count} in {seeds} seeds, not {least}"
        );
    }
}

/// How often something has to happen in so many worlds.
const fn least(seen: Seen, seeds: u64) -> u64 {
    match seen {
        // What takes several faults in a row.
        Seen::DeadTicketStands => seeds / 1_000,
        Seen::SuccessThatFailed
        | Seen::TelThatSucceeded
        | Seen::TemThatSucceeded
        | Seen::SubmitThawed
        | Seen::RangeClamped
        | Seen::RefusedBeforeSigned
        | Seen::RefusedByPause
        | Seen::RefusedByLease
        | Seen::ExpiredByProof
        | Seen::Raised => seeds / 200,
        Seen::DiedInRequest | Seen::SigningWaits | Seen::TakenOver | Seen::HandedOver => seeds / 50,
        _ => seeds / 15,
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in [3, 77, 1_234] {
        let (once, again) = (
            run(seed, &BTreeSet::new(), true),
            run(seed, &BTreeSet::new(), true),
        );
        assert!(once.trace.len() > 20, "a story has some length");
        assert_eq!(once, again);
    }
}
