use super::*;

/// A transaction, and the root before it.
#[derive(Debug, Clone)]
struct Link {
    entry: Entry,
    before: Option<Before>,
}
use proptest::prelude::*;

const OURS: AccountId = AccountId([1; 20]);
const THEIRS: AccountId = AccountId([2; 20]);
const GOAL_HASH: LedgerHash = LedgerHash([9; 32]);

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn root(balance: u64, sequence: u32) -> RootAfter {
    RootAfter {
        balance: drops(balance),
        sequence,
        owner_count: 0,
    }
}

/// A payment in ledger `n`, which found `before` and left `after`.
fn link(n: u32, before: Before, after: RootAfter) -> Link {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    Link {
        entry: Entry {
            hash: TxHash(hash),
            ledger_index: LedgerIndex(n),
            ledger_hash: LedgerHash([8; 32]),
            tx_index: 0,
            result: SUCCESS.into(),
            transaction_type: "Payment".into(),
            sender: THEIRS,
            slot: Slot::Sequence(3),
            fee: drops(10),
            destination: Some(OURS),
            destination_tag: None,
            source_tag: None,
            delivered: Delivered::Xrp(drops(25)),
            invoice_id: None,
            marker: None,
            root_after: Some(after),
            effects: None,
            closed_at: None,
        },
        before: Some(before),
    }
}

fn from_root(n: u32, before: RootAfter, after: RootAfter) -> Link {
    link(n, Before::Root(before), after)
}

fn stretch(from: u32, to: u32, links: Vec<Link>) -> Stretch {
    Stretch {
        befores: links.iter().map(|link| link.before).collect(),
        page: Page {
            account: OURS,
            from: LedgerIndex(from),
            to: LedgerIndex(to),
            to_hash: GOAL_HASH,
            closed_at: None,
            servers: vec!["a".into(), "b".into()],
            entries: links.into_iter().map(|link| link.entry).collect(),
        },
    }
}

fn goal(at: u32, root: RootAfter) -> Goal {
    Goal {
        at: LedgerIndex(at),
        hash: GOAL_HASH,
        root,
    }
}

fn all(goal: &Goal, links: Vec<Link>) -> Result<Advanced, Broken> {
    let whole = stretch(10, goal.at.0, links);
    advance(&Reached::before(LedgerIndex(10)), goal, &whole)
}

#[test]
fn an_account_that_was_made_in_the_range_began_with_nothing() {
    let made = link(12, Before::Nothing, root(1_000, 12));
    let more = from_root(15, root(1_000, 12), root(1_025, 12));
    let advanced = all(&goal(20, root(1_025, 12)), vec![made, more]).unwrap();
    assert_eq!(advanced.changes, [1_000, 25]);
    assert_eq!(advanced.reached.opening, Some(Drops::ZERO));
    assert_eq!(advanced.reached.at, LedgerIndex(20));
    assert_eq!(advanced.reached.entries, 2);
}

#[test]
fn what_an_older_account_began_with_is_what_its_first_transaction_found() {
    let first = from_root(15, root(700, 3), root(725, 3));
    let advanced = all(&goal(20, root(725, 3)), vec![first]).unwrap();
    assert_eq!(advanced.reached.opening, Some(drops(700)));
    assert_eq!(advanced.balance_before, Some(drops(700)));
    assert_eq!(advanced.changes, [25]);
}

#[test]
fn an_account_that_nothing_changed_had_its_root_all_along() {
    let mut touched = link(12, Before::Nothing, root(1, 1));
    (touched.before, touched.entry.root_after) = (None, None);
    let advanced = all(&goal(20, root(725, 3)), vec![touched]).unwrap();
    assert_eq!(advanced.reached.opening, Some(drops(725)));
    assert_eq!(advanced.changes, [0]);
}

#[test]
fn before_the_goal_nothing_is_said_of_what_nothing_told() {
    let first = stretch(10, 14, Vec::new());
    let before = Reached::before(LedgerIndex(10));
    let advanced = advance(&before, &goal(20, root(5, 3)), &first).unwrap();
    assert_eq!(advanced.reached.opening, None);
    assert_eq!(advanced.reached.standing, Standing::Untold);
    assert_eq!(advanced.balance_before, None);
}

#[test]
fn a_past_that_ends_elsewhere_than_the_journal_begins_proves_nothing() {
    let first = from_root(15, root(700, 3), root(725, 3));
    for other in [root(724, 3), root(725, 4)] {
        let ended = all(&goal(20, other), vec![first.clone()]);
        assert!(matches!(ended, Err(Broken::OtherEnd { .. })), "{ended:?}");
    }
    let mut elsewhere = goal(20, root(725, 3));
    elsewhere.hash = LedgerHash([1; 32]);
    let ended = all(&elsewhere, vec![first]);
    assert!(matches!(ended, Err(Broken::OtherChain { .. })), "{ended:?}");
}

#[test]
fn a_transaction_that_is_missing_is_found_at_the_next_one() {
    let first = from_root(12, root(700, 3), root(725, 3));
    let third = from_root(16, root(750, 3), root(775, 3));
    let error = all(&goal(20, root(775, 3)), vec![first, third.clone()]).unwrap_err();
    assert_eq!(
        error,
        Broken::Unlinked {
            hash: third.entry.hash,
            ledger: LedgerIndex(16),
            found: Standing::Has(root(750, 3)),
            left: Standing::Has(root(725, 3)),
        }
    );
    assert_eq!(
        error.to_string(),
        format!(
            "transaction {} in ledger 16 found the account with 750 drops, sequence 3 and 0 objects, \
             and what was read before it leaves 725 drops, sequence 3 and 0 objects",
            third.entry.hash
        )
    );
}

#[test]
fn a_stretch_out_of_turn_or_out_of_order_is_refused() {
    let goal = goal(20, root(725, 3));
    let before = Reached::before(LedgerIndex(10));
    for (from, to) in [(11, 20), (9, 20), (10, 21), (10, 9)] {
        let refused = advance(&before, &goal, &stretch(from, to, Vec::new()));
        assert!(matches!(refused, Err(Broken::OutOfTurn { .. })));
    }
    let link = from_root(15, root(700, 3), root(725, 3));
    for links in [
        vec![link.clone(), link.clone()],
        vec![from_root(9, root(700, 3), root(725, 3))],
    ] {
        let refused = advance(&before, &goal, &stretch(10, 20, links));
        assert!(matches!(refused, Err(Broken::OutOfPlace(_))));
    }
}

/// The transaction with which the account goes: it bears no root of it, and delivers what is left.
fn end(n: u32, sequence: u32, rest: u64) -> Link {
    let mut end = link(n, Before::Nothing, root(1, 1));
    end.entry.transaction_type = ACCOUNT_DELETE.into();
    (end.entry.sender, end.entry.destination) = (OURS, Some(THEIRS));
    end.entry.slot = Slot::Sequence(sequence);
    end.entry.delivered = Delivered::Xrp(drops(rest));
    (end.before, end.entry.root_after) = (None, None);
    end
}

#[test]
fn an_account_that_ended_and_was_made_again_had_nothing_in_between() {
    let first = from_root(11, root(700, 3), root(725, 3));
    let again = link(16, Before::Nothing, root(300, 16));
    let links = vec![first, end(13, 3, 715), again.clone()];
    let goal = goal(20, root(300, 16));
    let advanced = all(&goal, links).unwrap();
    assert_eq!(advanced.changes, [25, -725, 300]);
    assert_eq!(advanced.reached.opening, Some(drops(700)));
    // Its end may be the first thing that tells of it.
    let advanced = all(&goal, vec![end(13, 3, 715), again.clone()]).unwrap();
    assert_eq!(advanced.changes, [-725, 300]);
    assert_eq!(advanced.reached.opening, Some(drops(725)));
    let false_end = all(&goal, vec![end(13, 3, 715), end(14, 3, 715), again]);
    assert!(matches!(false_end, Err(Broken::Unlinked { .. })));
}

#[test]
fn an_end_that_does_not_tell_what_was_there_is_refused() {
    let mut end = end(13, 3, 715);
    end.entry.delivered = Delivered::Unavailable;
    let refused = all(&goal(20, root(300, 16)), vec![end]);
    assert!(matches!(refused, Err(Broken::Untellable(_))));
}

proptest! {
    #[test]
    fn however_it_is_cut_the_past_adds_up_and_nothing_can_be_left_out(
        moves in proptest::collection::vec(1_u64..1_000, 1..30),
        cuts in proptest::collection::btree_set(11_u32..200, 0..8),
        opening in 0_u64..5_000,
        lost in any::<prop::sample::Index>(),
    ) {
        let (mut links, mut at) = (Vec::new(), root(opening, 3));
        for (n, step) in (11..).step_by(3).zip(&moves) {
            let after = root(at.balance.get() + step, at.sequence + 1);
            links.push(from_root(n, at, after));
            at = after;
        }
        let goal = goal(200, at);
        let read = |links: &[Link]| -> Result<(Reached, i64), Broken> {
            let (mut reached, mut moved) = (Reached::before(LedgerIndex(10)), 0);
            for to in cuts.iter().copied().chain([200]).collect::<std::collections::BTreeSet<u32>>() {
                let from = reached.at.0 + 1;
                let within = |link: &&Link| (from..=to).contains(&link.entry.ledger_index.0);
                let part: Vec<Link> = links.iter().filter(within).cloned().collect();
                let advanced = advance(&reached, &goal, &stretch(from, to, part))?;
                let told = reached.opening.map(|opening| i64::try_from(opening.get()).unwrap() + moved);
                let told_now = advanced.balance_before.map(|drops| i64::try_from(drops.get()).unwrap());
                assert!(told.is_none() || told == told_now, "{told:?} and {told_now:?}");
                reached = advanced.reached;
                moved += advanced.changes.iter().sum::<i64>();
            }
            Ok((reached, moved))
        };
        let (reached, moved) = read(&links).unwrap();
        prop_assert_eq!(reached.opening, Some(drops(opening)));
        prop_assert_eq!(reached.standing, Standing::Has(at));
        prop_assert_eq!(reached.entries, moves.len() as u64);
        prop_assert_eq!(i64::try_from(opening).unwrap() + moved, i64::try_from(at.balance.get()).unwrap());
        // What was before the first one that is read is an opening like any other; a loss after it shows.
        if links.len() > 1 {
            let mut fewer = links.clone();
            let place = 1 + lost.index(links.len() - 1);
            fewer.remove(place);
            prop_assert!(read(&fewer).is_err(), "without transaction {place}");
        }
    }
}
