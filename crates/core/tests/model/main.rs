//! The payment machine, explored: every run of two payments within stated bounds, with writers that
//! know of each other only by the store, a crash after any commit, a ledger that takes or loses what
//! was sent, one of three servers lying, attempts that run out, are replaced, called off.
//!
//! The transitions are the ones of the daemon: `core::engine`, and through it `decide`, `fold`,
//! `prove_absence` and the lane. The time is the ledger's. A run is finite, because the ledger stops
//! after its last one and nothing goes back; so what holds at the end of every run is what must come
//! about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// How many states there were and how long they took is what whoever runs it wants to read.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod acts;
mod holders;
mod key;
mod leases;
mod ledger;
mod machine;
mod plants;
mod rules;
mod steps;
mod store;

use machine::{Act, Bounds, Payments, World};
use plants::Plant;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Model for Payments {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![self.beginning()]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        self.next(world, acts);
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        self.after(world, &act)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut rules = rules::all();
        let Bounds {
            bad_luck,
            replacements,
            raises,
            answers,
            cancels,
            pauses,
            leases,
            ..
        } = self.bounds;
        rules.extend(leases.into_iter().flat_map(leases::rules));
        if pauses > 0 {
            rules.extend(rules::with_pauses());
        }
        if bad_luck > 0 {
            rules.extend(rules::with_bad_luck());
        }
        if replacements > 0 || raises > 0 {
            rules.extend(rules::with_replacements());
        }
        if answers > 0 && raises == 0 {
            rules.extend(rules::with_answers());
        }
        if cancels > 0 {
            rules.extend(rules::with_cancels());
        }
        rules
    }
}

/// Nothing but signing, losing, expiring and starting again. Both payments run out of time with the
/// third ledger; an attempt lives for one, so that there is time for three; the last ledgers are there
/// to prove what is left.
const PLAIN: Bounds = Bounds {
    writers: 1,
    expires: 3,
    window: 1,
    last: 5,
    deaths: 0,
    answers: 0,
    stale: 0,
    bad_luck: 0,
    strangers: 0,
    replacements: 0,
    raises: 0,
    cancels: 0,
    pauses: 0,
    leases: None,
};

/// A shorter run, for what multiplies.
const SHORT: Bounds = Bounds {
    expires: 2,
    last: 3,
    ..PLAIN
};

/// Two processes over one store, which is one more than there should be.
const TWO: Bounds = Bounds {
    writers: 2,
    stale: 1,
    ..SHORT
};

/// Explores everything within `bounds`: all rules hold, and at least `states_min` states were seen, so
/// that a model which has stopped to explore something is noticed.
fn exhaust(name: &str, bounds: Bounds, states_min: usize) -> Payments {
    let began = Instant::now();
    let model = Payments::new(bounds);
    let checker = model.clone().checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!(
        "{name}: {states} states, {} steps, {} deep, {} commits and {} pages refused, {} lies outvoted; \
         by leases {} commits refused, {} times nothing sent; {} sent late; {:?}",
        checker.state_count(),
        checker.max_depth(),
        model.met.refused_commits.load(Ordering::Relaxed),
        model.met.refused_pages.load(Ordering::Relaxed),
        model.met.outvoted_lies.load(Ordering::Relaxed),
        model.met.refused_by_lease.load(Ordering::Relaxed),
        model.met.kept_back.load(Ordering::Relaxed),
        model.met.sent_late.load(Ordering::Relaxed),
        began.elapsed()
    );
    checker.assert_properties();
    assert!(states >= states_min, "{name}: only {states} states");
    assert_eq!(
        model.met.refused_pages.load(Ordering::Relaxed),
        0,
        "{name}: a page that servers agree on was refused"
    );
    assert!(
        model.met.outvoted_lies.load(Ordering::Relaxed) > 0,
        "{name}: nobody lied"
    );
    model
}

#[test]
fn one_writer_that_dies_after_any_commit_loses_and_repeats_nothing() {
    let bounds = Bounds { deaths: 2, ..PLAIN };
    exhaust("deaths", bounds, 52_000);
}

#[test]
fn a_ledger_that_charges_and_does_not_deliver_is_followed_to_the_end() {
    let bounds = Bounds {
        bad_luck: 1,
        ..PLAIN
    };
    exhaust("bad luck", bounds, 20_000);
}

#[test]
fn of_an_attempt_and_its_replacement_one_is_paid() {
    let bounds = Bounds {
        replacements: 1,
        ..PLAIN
    };
    exhaust("replacements", bounds, 40_000);
}

#[test]
fn of_what_the_engine_found_too_cheap_and_signed_dearer_one_is_paid() {
    let bounds = Bounds {
        window: 2,
        answers: 1,
        raises: 1,
        deaths: 1,
        ..PLAIN
    };
    exhaust("raises", bounds, 51_000);
}

#[test]
fn no_answer_to_a_submission_is_believed() {
    let bounds = Bounds {
        answers: 1,
        ..PLAIN
    };
    exhaust("answers", bounds, 87_000);
}

#[test]
fn a_payment_that_its_client_calls_off_is_not_signed_from_an_old_queue() {
    let bounds = Bounds {
        cancels: 2,
        deaths: 1,
        ..PLAIN
    };
    let model = exhaust("cancels", bounds, 77_000);
    assert!(model.met.refused_commits.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_pause_binds_whoever_has_not_heard_of_it_and_everything_ends_after_it() {
    let bounds = Bounds {
        pauses: 1,
        replacements: 1,
        ..SHORT
    };
    let model = exhaust("pauses", bounds, 7_200);
    assert!(model.met.refused_commits.load(Ordering::Relaxed) > 0);
}

#[test]
fn somebody_else_with_the_key_halts_the_wallet_and_falsifies_nothing() {
    let bounds = Bounds {
        strangers: 1,
        ..PLAIN
    };
    exhaust("stranger", bounds, 20_000);
}

#[test]
fn two_writers_that_do_not_know_of_each_other_do_no_harm() {
    let bounds = Bounds { stale: 2, ..TWO };
    let model = exhaust("two writers", bounds, 69_000);
    assert!(model.met.refused_commits.load(Ordering::Relaxed) > 0);
}

#[test]
fn two_writers_one_of_which_dies_do_no_harm() {
    let bounds = Bounds { deaths: 1, ..TWO };
    exhaust("two writers, deaths", bounds, 100_000);
}

#[test]
fn two_writers_that_replace_do_no_harm() {
    let bounds = Bounds {
        replacements: 1,
        ..TWO
    };
    exhaust("two writers, replacements", bounds, 160_000);
}

#[test]
fn answers_bad_luck_and_replacements_do_no_harm_together() {
    let bounds = Bounds {
        answers: 1,
        bad_luck: 1,
        replacements: 1,
        ..SHORT
    };
    exhaust("answers, bad luck, replacements", bounds, 93_000);
}

/// Whether there is time for wider bounds; if not, what is left out is said.
fn wide_is_asked_for() -> bool {
    let is_asked_for = std::env::var_os("MODEL_WIDE").is_some();
    if !is_asked_for {
        println!("left out: MODEL_WIDE is not set");
    }
    is_asked_for
}

/// Bounds that take minutes and some gigabytes: `make model-wide`.
#[test]
fn wider_bounds_where_they_are_asked_for() {
    if !wide_is_asked_for() {
        return;
    }
    let longer = Bounds {
        expires: PLAIN.expires,
        last: PLAIN.last,
        ..TWO
    };
    let never_read_again = Bounds { stale: 100, ..TWO };
    let answered = Bounds { answers: 1, ..TWO };
    let raised = Bounds {
        window: 2,
        answers: 1,
        raises: 1,
        last: TWO.last + 1,
        ..TWO
    };
    let wide = [
        ("two writers, raises", raised, 211_000),
        ("two writers, answers", answered, 558_000),
        ("two writers, longer", longer, 970_000),
        ("two writers, as stale as can be", never_read_again, 500_000),
    ];
    for (name, bounds, states_min) in wide {
        exhaust(name, bounds, states_min);
    }
}

#[test]
fn every_planted_bug_is_found() {
    for plant in Plant::ALL {
        let began = Instant::now();
        let mut model = Payments::new(plant.bounds());
        model.plant = Some(plant);
        let rule = plant.breaks();
        let checker = model
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AllOf(BTreeSet::from([rule])))
            .spawn_bfs()
            .join();
        let Some(path) = checker.discovery(rule) else {
            panic!("{plant:?} breaks \"{rule}\" and nobody noticed");
        };
        println!(
            "{plant:?}: {rule:?} is broken; {} states, {:?}",
            checker.unique_state_count(),
            began.elapsed()
        );
        for act in path.into_actions() {
            println!("    {act:?}");
        }
    }
}
