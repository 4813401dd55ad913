//! Two processes that take turns by leases, explored to the end: one freezes and thaws, dies, hears
//! late of its own renewal, gives the wallet away, and the other goes on.

use super::leases::{Beside, Leases, Look};
use super::machine::{Bounds, Met, Payments};
use super::{PLAIN, SHORT, exhaust, wide_is_asked_for};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Leases of which one runs out on a living holder.
pub const LAPSE: Leases = Leases {
    look: Look::AtSending,
    lapses: 1,
    renewals: 0,
    releases: 0,
    beside: Beside::TheStoresChecks,
};

/// Leases of which two do, so that the first holder may come back.
const LAPSES: Leases = Leases { lapses: 2, ..LAPSE };

/// A holder that asks for more time, and hears of it whenever.
pub const RENEWED: Leases = Leases {
    renewals: 1,
    ..LAPSE
};

/// Two processes that take turns in this way.
pub const fn turns(leases: Leases) -> Bounds {
    Bounds {
        writers: 2,
        leases: Some(leases),
        ..SHORT
    }
}

fn met(model: &Payments, count: fn(&Met) -> &AtomicUsize) -> usize {
    count(&model.met).load(Ordering::Relaxed)
}

#[test]
fn a_holder_that_thaws_commits_and_sends_nothing_that_is_not_its_own_any_more() {
    let model = exhaust("leases, two lapses", turns(LAPSES), 89_000);
    assert!(met(&model, |met| &met.refused_by_lease) > 0);
    assert!(met(&model, |met| &met.kept_back) > 0);
    assert_eq!(met(&model, |met| &met.sent_late), 0);
}

#[test]
fn a_holder_that_freezes_between_its_look_and_its_sending_does_no_harm() {
    let unlooked = Leases {
        look: Look::LongBefore,
        ..LAPSES
    };
    let model = exhaust("leases, late sending", turns(unlooked), 89_000);
    assert!(met(&model, |met| &met.sent_late) > 0);
}

#[test]
fn leases_alone_keep_two_holders_apart_whatever_else_is_unchecked() {
    let alone = Leases {
        look: Look::LongBefore,
        beside: Beside::Nothing,
        ..LAPSES
    };
    let model = exhaust("leases alone", turns(alone), 89_000);
    assert!(met(&model, |met| &met.refused_by_lease) > 0);
    let replaces = Bounds {
        replacements: 1,
        ..turns(Leases { lapses: 1, ..alone })
    };
    exhaust("leases alone, a replacement", replaces, 73_000);
}

#[test]
fn a_renewal_that_is_answered_late_gives_no_time_that_has_passed() {
    exhaust("leases, a renewal", turns(RENEWED), 109_000);
}

#[test]
fn a_wallet_that_is_given_away_has_one_hand_at_any_time() {
    let given = Leases {
        releases: 1,
        ..RENEWED
    };
    exhaust("leases, a renewal, a release", turns(given), 465_000);
}

#[test]
fn a_holder_that_dies_is_followed_by_another_or_by_itself() {
    let given = Leases {
        releases: 1,
        ..LAPSE
    };
    let bounds = Bounds {
        deaths: 1,
        ..turns(given)
    };
    exhaust("leases, a release, a death", bounds, 216_000);
}

#[test]
fn turns_go_on_over_attempts_that_run_out() {
    let bounds = Bounds {
        expires: PLAIN.expires,
        last: PLAIN.last,
        ..turns(LAPSE)
    };
    exhaust("leases, longer", bounds, 281_000);
}

#[test]
fn turns_and_pauses_and_bad_luck_do_no_harm_together() {
    let bounds = Bounds {
        pauses: 1,
        bad_luck: 1,
        ..turns(LAPSE)
    };
    exhaust("leases, a pause, bad luck", bounds, 121_000);
}

#[test]
fn turns_and_a_client_that_calls_off_and_a_replacement_do_no_harm_together() {
    let bounds = Bounds {
        cancels: 1,
        replacements: 1,
        ..turns(LAPSE)
    };
    exhaust("leases, a cancel, a replacement", bounds, 169_000);
}

/// Bounds that take a minute or two.
#[test]
fn wider_bounds_of_leases_where_they_are_asked_for() {
    if !wide_is_asked_for() {
        return;
    }
    let lapses = Leases {
        lapses: 2,
        ..RENEWED
    };
    let dies = Bounds {
        deaths: 1,
        ..turns(RENEWED)
    };
    let longer = Bounds {
        expires: PLAIN.expires,
        last: PLAIN.last,
        deaths: 1,
        ..turns(LAPSE)
    };
    let alone = Leases {
        beside: Beside::Nothing,
        look: Look::LongBefore,
        ..lapses
    };
    let wide = [
        ("leases, two lapses, a renewal", turns(lapses), 804_000),
        ("leases, a renewal, a death", dies, 587_000),
        ("leases, longer, a death", longer, 1_702_000),
        ("leases alone, two lapses, a renewal", turns(alone), 804_000),
    ];
    for (name, bounds, states_min) in wide {
        exhaust(name, bounds, states_min);
    }
}
