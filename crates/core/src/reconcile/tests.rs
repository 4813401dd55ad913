mod falsify;
mod life;

use super::*;
use crate::ids::LedgerHash;
use crate::payment::State;
use falsify::{FALSIFICATIONS, falsify};
use life::{ACTS, Act, FIRST, Life, OPENING, drops};
use proptest::prelude::*;

fn acts() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(proptest::sample::select(&ACTS[..]), 0..25)
}

proptest! {
    #[test]
    fn books_that_are_right_differ_in_nothing(acts in acts()) {
        let life = Life::of(&acts);
        prop_assert_eq!(life.differences(), Vec::new());
        let moved = compare(&life.books, &life.ledger).moved;
        let net = moved.credited + moved.other - moved.fees - moved.delivered;
        prop_assert_eq!(i128::from(OPENING) + net, i128::from(life.balance));
    }

    #[test]
    fn any_single_falsification_is_found(
        acts in acts(),
        what in 0..FALSIFICATIONS,
        place: proptest::sample::Index,
    ) {
        let mut life = Life::of(&acts);
        prop_assume!(falsify(&mut life, what, place.index(1_000)));
        prop_assert!(!life.differences().is_empty(), "{} found nothing", what);
    }

    #[test]
    fn a_row_that_is_gone_is_told_to_the_drop(acts in acts(), place: proptest::sample::Index) {
        let mut life = Life::of(&acts);
        prop_assume!(!life.books.entries.is_empty());
        let gone = life.books.entries.remove(place.index(life.books.entries.len()));
        let found = life.differences();
        let balance = found.iter().find(|found| found.kind == Kind::Balance);
        prop_assert_eq!(balance.map_or(0, |found| found.drops), -gone.change);
        let named = found.iter().any(|found| {
            found.kind == Kind::MissingEntry && found.subject.contains(&gone.entry.hash.to_string())
        });
        prop_assert!(named, "{:?}", found);
    }
}

#[test]
fn every_falsification_has_a_life_to_be_found_in() {
    for what in 0..FALSIFICATIONS {
        let mut life = Life::of(&ACTS);
        assert!(falsify(&mut life, what, 3), "{what}");
        assert!(!life.differences().is_empty(), "{what}");
    }
}

#[test]
fn a_stranger_is_named_until_a_person_accepts_it() {
    let mut life = Life::of(&[Act::Pay]);
    assert!(falsify(&mut life, 13, 0));
    let found = life.differences();
    let [stranger] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!((stranger.kind, stranger.drops), (Kind::Foreign, 17));
    life.books.accepted_through = Some(life.books.to);
    assert_eq!(life.differences(), Vec::new());
    assert_eq!(compare(&life.books, &life.ledger).foreign_known, 1);
}

#[test]
fn a_payment_called_off_over_another_under_its_key_is_no_difference() {
    let mut life = Life::of(&[Act::Remembered]);
    life.live(Act::Expires);
    let claim = &mut life.books.payments[0];
    claim.payment.attempts.clear();
    claim.payment.state = State::Cancelled { proof: None };
    let marker = claim.marker;
    life.ledger[0].marker = Some(marker);
    assert_eq!(life.differences(), Vec::new());
    // The very payment that was called off is one.
    let order = &mut life.books.payments[0].payment.order;
    (order.amount, order.destination_tag) = (drops(33), life.ledger[0].destination_tag);
    let found = life.differences();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].drops), (Kind::PaidTwice, 33));
}

#[test]
fn counters_are_held_against_what_they_count() {
    let key = |status| ("hot".to_owned(), status);
    let right = Tally {
        daily_used: 5,
        daily_summed: 5,
        pending: 2,
        pending_counted: 2,
        ends: BTreeMap::from([(key(Status::Succeeded), 3)]),
        ends_counted: BTreeMap::from([(key(Status::Succeeded), 3)]),
        miscounted: Vec::new(),
        unsigned: Vec::new(),
    };
    assert_eq!(counters(&right), Vec::new());
    let wrong: [fn(&mut Tally); 6] = [
        |tally| tally.daily_used += 1,
        |tally| tally.pending_counted -= 1,
        |tally| tally.ends.clear(),
        |tally| {
            tally
                .ends_counted
                .insert(("cold".to_owned(), Status::Failed), 1);
        },
        |tally| tally.miscounted.push("pay_1".to_owned()),
        |tally| tally.unsigned.push("pay_1".to_owned()),
    ];
    for plant in wrong {
        let mut tally = right.clone();
        plant(&mut tally);
        assert_eq!(counters(&tally).len(), 1, "{tally:?}");
    }
}

#[test]
fn the_cursor_is_held_against_the_root() {
    let hash = LedgerHash([5; 32]);
    let stands = Cursor {
        start: FIRST,
        at: FIRST.plus(9),
        at_hash: hash,
        next_sequence: 7,
        balance: drops(50),
        owner_count: 1,
    };
    let there = AtCursor {
        balance: drops(50),
        sequence: 7,
        owner_count: 1,
    };
    assert_eq!(cursor(&stands, hash, there, 0), Vec::new());
    assert_eq!(cursor(&stands, LedgerHash([6; 32]), there, 0).len(), 1);
    assert_eq!(cursor(&stands, hash, there, 1).len(), 1);
    let other = AtCursor {
        balance: drops(51),
        sequence: 8,
        owner_count: 2,
    };
    let found = cursor(&stands, hash, other, 0);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(found[2].drops, -1);
}
