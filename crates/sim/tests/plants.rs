//! Bugs around the engine, planted one at a time: the auditor finds every one of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use xrpayd_sim::PLANTS;
use xrpayd_sim::command::{Wanted, live};

/// Worlds in which a bug has to show.
const SEEDS: u64 = 3_000;

#[test]
fn every_bug_around_the_engine_is_caught() {
    let mut missed = Vec::new();
    for (name, plant) in PLANTS {
        let wanted = Wanted {
            seeds: SEEDS,
            from: 0,
            is_traced: false,
            plants: BTreeSet::from([plant]),
        };
        let summary = live(&wanted);
        match summary.violation() {
            Some(what) => println!("{name}: after {} seeds: {what}", summary.seeds),
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
