use super::*;
use proptest::prelude::*;

fn known(numbers: impl IntoIterator<Item = u32>) -> Tickets {
    Tickets::known(numbers.into_iter().collect())
}

const SOUND: LaneState = LaneState {
    has_room: true,
    is_starved: false,
    is_barred: false,
    is_stuck: false,
};

#[test]
fn a_lane_that_moves_is_preferred_and_one_that_is_full_or_barred_is_waited_for() {
    let full = LaneState {
        has_room: false,
        ..SOUND
    };
    let barred = LaneState {
        is_barred: true,
        ..SOUND
    };
    for free in [0, 9] {
        assert_eq!(way(SOUND, free), Way::Sequence);
        assert_eq!(way(full, free), Way::Wait);
        assert_eq!(way(barred, free), Way::Wait);
    }
}

#[test]
fn tickets_pass_by_a_lane_that_is_stuck_even_where_it_is_full_or_barred() {
    for (has_room, is_barred) in [(true, false), (false, false), (true, true)] {
        let stuck = LaneState {
            has_room,
            is_barred,
            is_stuck: true,
            ..SOUND
        };
        assert_eq!(way(stuck, 1), Way::Ticket);
        let goes_on = has_room && !is_barred;
        let without = if goes_on { Way::Sequence } else { Way::Wait };
        assert_eq!(way(stuck, 0), without);
    }
}

#[test]
fn a_hole_is_filled_before_anything_passes_by_it() {
    let starved = LaneState {
        is_starved: true,
        is_barred: true,
        is_stuck: true,
        ..SOUND
    };
    assert_eq!(way(starved, 5), Way::Sequence);
    let full = LaneState {
        has_room: false,
        ..starved
    };
    assert_eq!(way(full, 5), Way::Ticket, "a no-op fills it");
}

#[test]
fn a_lane_is_stuck_only_while_its_first_transaction_could_have_moved() {
    let ledger = LedgerIndex;
    // Signed at ledger 10, nothing moved since ledger 2.
    assert!(!is_stuck(ledger(11), ledger(2), ledger(12)));
    assert!(is_stuck(ledger(11), ledger(2), ledger(13)));
    // The one before it was validated in ledger 12.
    assert!(!is_stuck(ledger(11), ledger(12), ledger(14)));
    assert!(is_stuck(ledger(11), ledger(12), ledger(15)));
}

#[test]
fn what_is_not_read_yet_is_not_given_out_and_what_happens_meanwhile_is_not_lost() {
    let mut tickets = Tickets::unread();
    assert_eq!(tickets.allocate(), None);
    let at = LedgerIndex(20);
    tickets.follow(&[(LedgerIndex(19), TicketChange::Used(3))]);
    tickets.reading(at);
    tickets.follow(&[
        // What is in the answer already does not count twice.
        (LedgerIndex(20), TicketChange::Used(5)),
        (LedgerIndex(21), TicketChange::Made(9)),
        (LedgerIndex(22), TicketChange::Used(4)),
    ]);
    let standing = tickets.after_reading(at, &BTreeSet::from([4, 5])).unwrap();
    tickets.know(standing);
    assert_eq!(tickets.standing(), &BTreeSet::from([5, 9]));
    assert_eq!(tickets.allocate(), Some(5));
    assert_eq!(tickets.after_reading(at, &BTreeSet::new()), None, "once");
}

#[test]
fn a_refill_goes_from_the_low_water_mark_to_the_full_one_within_the_ledgers_bound() {
    let refill = Refill {
        low_water: 5,
        refill_to: 20,
    };
    assert_eq!(refill.wanted(&known(1..=5)), 0);
    assert_eq!(refill.wanted(&known(1..=4)), 16);
    assert_eq!(Refill::default().wanted(&known([])), 0, "off");
    assert_eq!(refill.wanted(&Tickets::unread()), 0);
    let mut busy = known(1..=240);
    for _ in 0..238 {
        busy.allocate();
    }
    assert_eq!(refill.wanted(&busy), 10, "240 stand already");
}

#[derive(Debug, Clone)]
enum Step {
    Allocate,
    Replace(usize),
    Close(usize),
    Use(usize),
    Make(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Allocate),
        1 => (0..8_usize).prop_map(Step::Replace),
        2 => (0..8_usize).prop_map(Step::Close),
        1 => (0..8_usize).prop_map(Step::Use),
        1 => (1..6_u32).prop_map(Step::Make),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn no_ticket_is_given_twice_while_it_is_open_and_none_that_does_not_stand(steps in steps()) {
        let mut tickets = known([]);
        let (mut standing, mut open) = (BTreeSet::new(), Vec::<u32>::new());
        let mut next = 1;
        for step in steps {
            match step {
                Step::Allocate => {
                    let free = standing.iter().find(|n| !open.contains(n)).copied();
                    prop_assert_eq!(tickets.allocate(), free);
                    open.extend(free);
                }
                Step::Replace(n) => {
                    if let Some(&ticket) = open.get(n) {
                        tickets.open_attempt(ticket);
                        open.push(ticket);
                    }
                }
                Step::Close(n) => {
                    if n < open.len() {
                        tickets.close(open.swap_remove(n));
                    }
                }
                Step::Use(n) => {
                    if let Some(&ticket) = standing.iter().nth(n) {
                        standing.remove(&ticket);
                        tickets.follow(&[(LedgerIndex(1), TicketChange::Used(ticket))]);
                        // The page that shows it settles every attempt on it.
                        for _ in open.iter().filter(|n| **n == ticket) {
                            tickets.close(ticket);
                        }
                        open.retain(|n| *n != ticket);
                    }
                }
                Step::Make(count) => {
                    for ticket in next..next + count {
                        standing.insert(ticket);
                        tickets.follow(&[(LedgerIndex(1), TicketChange::Made(ticket))]);
                    }
                    next += count;
                }
            }
            prop_assert_eq!(tickets.standing(), &standing);
            let free = standing.iter().filter(|n| !open.contains(n)).count();
            prop_assert_eq!(tickets.free_len() as usize, free);
        }
    }
}
