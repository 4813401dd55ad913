use super::*;
use crate::ledger::codes::{self, OnValidated};
use proptest::prelude::*;

const RESERVE: u64 = 1_000_000;

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn facts(account: Option<Recipient>) -> Facts {
    Facts {
        reading: Reading {
            ledger_index: LedgerIndex(9),
            ledger_hash: LedgerHash([7; 32]),
            servers: vec!["one".into(), "two".into()],
        },
        reserve_base: drops(RESERVE),
        account,
    }
}

fn recipient(flags: u32, balance: u64, leave: Leave) -> Option<Recipient> {
    Some(Recipient {
        balance: drops(balance),
        flags,
        kind: Kind::Ordinary,
        leave,
    })
}

fn delivery(amount: u64, tag: Option<u32>) -> Delivery {
    Delivery {
        amount: Some(drops(amount)),
        tag,
    }
}

fn obstacle(account: Option<Recipient>, delivery: Delivery) -> Option<Obstacle> {
    facts(account).judge(delivery).obstacle()
}

#[test]
fn an_account_that_is_not_there_needs_its_reserve_and_nothing_else() {
    let judge = |amount| facts(None).judge(delivery(amount, None));
    assert_eq!(
        judge(RESERVE - 1).funded,
        Verdict::Fail(Obstacle::NotFunded)
    );
    for amount in [RESERVE, RESERVE + 1] {
        let all = judge(amount);
        let verdicts = [all.funded, all.tag, all.leave, all.wanted];
        assert_eq!(verdicts, [Verdict::Pass; 4], "{amount}");
    }
    let unread = Delivery {
        amount: None,
        tag: None,
    };
    assert_eq!(facts(None).judge(unread).funded, Verdict::Unknown);
}

#[test]
fn a_tag_is_asked_for_where_the_account_wants_one_and_zero_is_a_tag() {
    let wants = recipient(REQUIRE_DESTINATION_TAG, 5 * RESERVE, Leave::Unknown);
    assert_eq!(
        obstacle(wants, delivery(1, None)),
        Some(Obstacle::TagMissing)
    );
    assert_eq!(obstacle(wants, delivery(1, Some(0))), None);
    let indifferent = recipient(0, 5 * RESERVE, Leave::Unknown);
    assert_eq!(obstacle(indifferent, delivery(1, None)), None);
}

#[test]
fn an_owner_who_wants_no_xrp_is_told_of_and_not_obeyed() {
    let shy = facts(recipient(DISALLOW_XRP, RESERVE, Leave::Unknown));
    let answers = shy.judge(delivery(5, None));
    assert_eq!(answers.wanted, Verdict::Warn);
    assert_eq!(answers.obstacle(), None);
}

#[test]
fn a_guarded_account_takes_from_those_it_knows_and_from_nobody_else() {
    for (leave, verdict) in [
        (Leave::Given, Verdict::Pass),
        (Leave::Withheld, Verdict::Fail(Obstacle::NotAuthorized)),
        (Leave::Unknown, Verdict::Unknown),
    ] {
        let guarded = facts(recipient(DEPOSIT_AUTH, RESERVE + 1, leave));
        assert_eq!(guarded.judge(delivery(1, None)).leave, verdict, "{leave:?}");
    }
    let open = facts(recipient(0, RESERVE + 1, Leave::Withheld));
    assert_eq!(open.judge(delivery(1, None)).leave, Verdict::Pass);
}

#[test]
fn what_keeps_a_poor_account_alive_needs_no_leave() {
    let judge = |balance, amount| {
        let guarded = recipient(DEPOSIT_AUTH, balance, Leave::Withheld);
        facts(guarded).judge(Delivery { amount, tag: None }).leave
    };
    let fail = Verdict::Fail(Obstacle::NotAuthorized);
    let some = |n| Some(drops(n));
    assert_eq!(judge(RESERVE, some(RESERVE)), Verdict::Pass);
    assert_eq!(judge(RESERVE, some(RESERVE + 1)), fail);
    assert_eq!(judge(RESERVE + 1, some(1)), fail);
    // Which of the two it is cannot be said of an amount that could not be read.
    assert_eq!(judge(RESERVE, None), Verdict::Unknown);
    assert_eq!(judge(RESERVE + 1, None), fail);
}

#[test]
fn the_ledgers_own_accounts_take_no_payment_however_small_or_authorised() {
    for leave in [Leave::Given, Leave::Withheld, Leave::Unknown] {
        let pool = Some(Recipient {
            balance: drops(0),
            flags: DEPOSIT_AUTH,
            kind: Kind::Pseudo,
            leave,
        });
        assert_eq!(
            obstacle(pool, delivery(1, Some(1))),
            Some(Obstacle::PseudoAccount)
        );
    }
}

#[test]
fn the_first_obstacle_is_the_one_that_the_ledger_would_name() {
    let both = recipient(
        REQUIRE_DESTINATION_TAG | DEPOSIT_AUTH,
        9 * RESERVE,
        Leave::Withheld,
    );
    assert_eq!(
        obstacle(both, delivery(1, None)),
        Some(Obstacle::TagMissing)
    );
    assert_eq!(
        obstacle(both, delivery(1, Some(1))),
        Some(Obstacle::NotAuthorized)
    );
    assert_eq!(Answers::UNKNOWN.obstacle(), None);
    assert!(!Answers::UNKNOWN.are_good());
    assert!(!facts(both).judge(delivery(1, Some(1))).are_good());
    let unasked = facts(recipient(DEPOSIT_AUTH, 9 * RESERVE, Leave::Unknown));
    assert!(!unasked.judge(delivery(1, None)).are_good());
    let shy = facts(recipient(DISALLOW_XRP, 9 * RESERVE, Leave::Unknown));
    assert!(shy.judge(delivery(1, None)).are_good());
}

#[test]
fn every_obstacle_is_a_result_that_would_have_cost_a_fee_and_ended_the_payment() {
    for obstacle in Obstacle::ALL {
        let result = obstacle.ledger_code();
        assert!(result.starts_with("tec"), "{result}");
        assert_eq!(codes::on_validated(result), OnValidated::Failed, "{result}");
    }
}

fn leaves() -> impl Strategy<Value = Leave> {
    prop_oneof![
        Just(Leave::Given),
        Just(Leave::Withheld),
        Just(Leave::Unknown)
    ]
}

proptest! {
    #[test]
    fn what_nobody_could_be_asked_about_is_never_an_obstacle(
        flags: u32, balance in 0..3 * RESERVE, amount in 1..3 * RESERVE, tag: Option<u32>,
    ) {
        let unasked = recipient(flags, balance, Leave::Unknown);
        let found = obstacle(unasked, delivery(amount, tag));
        prop_assert!(matches!(found, None | Some(Obstacle::TagMissing)));
    }

    #[test]
    fn more_money_never_helps_a_guarded_account_and_always_helps_a_missing_one(
        flags: u32, balance in 0..3 * RESERVE, leave in leaves(), less in 1..2 * RESERVE, more in 0..RESERVE,
    ) {
        let at = |account, amount| facts(account).judge(delivery(amount, Some(1)));
        let there = recipient(flags, balance, leave);
        if at(there, less).leave == Verdict::Fail(Obstacle::NotAuthorized) {
            prop_assert_eq!(at(there, less + more).leave, Verdict::Fail(Obstacle::NotAuthorized));
        }
        if at(None, less).funded == Verdict::Pass {
            prop_assert_eq!(at(None, less + more).funded, Verdict::Pass);
        }
    }
}
