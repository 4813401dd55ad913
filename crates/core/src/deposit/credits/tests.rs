//! What each kind of transaction brings, and what it does not.

use super::*;
use crate::ids::{Hash256, LedgerHash, LedgerIndex, TxHash};
use crate::journal::{Drawn, RootAfter};
use crate::mpt::MptIssuanceId;
use crate::payment::Slot;

const OURS: AccountId = AccountId([1; 20]);
const THEIRS: AccountId = AccountId([2; 20]);
const GATEWAY: AccountId = AccountId([3; 20]);
const ISSUANCE: MptIssuanceId = MptIssuanceId([4; 24]);
const CLOSED: UnixMs = UnixMs(1_000);

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn xrp(n: u64) -> Amount {
    Amount::Xrp(drops(n))
}

fn token(issuer: AccountId, value: &str) -> Amount {
    Amount::Token {
        currency: "USD".parse().unwrap(),
        issuer,
        value: value.parse().unwrap(),
    }
}

fn mpt(units: u64) -> Amount {
    let value = MptValue::new(units).unwrap();
    Amount::Mpt {
        issuance: ISSUANCE,
        value,
    }
}

fn line(counterparty: AccountId, before: &str, after: &str) -> LineChange {
    LineChange {
        currency: "USD".parse().unwrap(),
        counterparty,
        before: before.parse().unwrap(),
        after: after.parse().unwrap(),
    }
}

fn holding(before: Option<u64>, after: u64) -> MptChange {
    MptChange {
        issuance: ISSUANCE,
        before: before.map(|units| MptValue::new(units).unwrap()),
        after: MptValue::new(after).unwrap(),
    }
}

/// A transaction of a stranger that moved nothing of ours yet.
fn theirs(kind: &str) -> Entry {
    Entry {
        hash: TxHash([9; 32]),
        ledger_index: LedgerIndex(50),
        ledger_hash: LedgerHash([8; 32]),
        tx_index: 3,
        result: "tesSUCCESS".to_owned(),
        transaction_type: kind.to_owned(),
        sender: THEIRS,
        slot: Slot::Sequence(7),
        fee: drops(10),
        destination: None,
        destination_tag: None,
        source_tag: Some(77),
        delivered: Delivered::Nothing,
        invoice_id: Some(Hash256([5; 32])),
        effects: Some(Effects::default()),
        closed_at: None,
        marker: None,
        root_after: None,
    }
}

/// A payment of a stranger to us.
fn paid(delivered: Delivered) -> Entry {
    Entry {
        destination: Some(OURS),
        destination_tag: Some(42),
        delivered,
        ..theirs("Payment")
    }
}

fn ours(kind: &str) -> Entry {
    Entry {
        sender: OURS,
        ..theirs(kind)
    }
}

/// The same, where it moved our XRP from `before` to `after`.
fn moved(mut entry: Entry, before: u64, after: u64) -> Entry {
    entry.root_after = Some(RootAfter {
        balance: drops(after),
        sequence: 1,
        owner_count: 0,
    });
    let changed = (before != after).then_some(drops(before));
    entry.effects.get_or_insert_default().balance_before = changed;
    entry
}

fn with_lines(mut entry: Entry, lines: Vec<LineChange>) -> Entry {
    entry.effects.get_or_insert_default().lines = lines;
    entry
}

fn with_mpts(mut entry: Entry, mpts: Vec<MptChange>) -> Entry {
    entry.effects.get_or_insert_default().mpts = mpts;
    entry
}

fn drawing(mut entry: Entry, owner: AccountId, destination: AccountId) -> Entry {
    entry.effects.get_or_insert_default().drawn = Some(Drawn {
        owner,
        destination,
        destination_tag: Some(42),
        source_tag: Some(6),
    });
    entry
}

fn credits(before: u64, entry: &Entry) -> Vec<Credit> {
    credits_of(OURS, drops(before), entry, CLOSED)
}

fn amounts(before: u64, entry: &Entry) -> Vec<Counted> {
    let credits = credits(before, entry);
    credits.into_iter().map(|credit| credit.amount).collect()
}

fn exact(amount: Amount) -> Counted {
    Counted::Exact(amount)
}

fn unknown(amount: Amount) -> Counted {
    Counted::Unknown(Some(amount.asset()))
}

#[test]
fn a_payment_credits_what_was_delivered_with_who_paid_and_by_which_tags() {
    let entry = moved(paid(Delivered::Xrp(drops(90))), 100, 190);
    let found = credits(100, &entry);
    let [credit] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(credit.amount, exact(xrp(90)));
    assert_eq!(credit.from, Some(THEIRS));
    assert_eq!(
        (credit.source_tag, credit.destination_tag),
        (Some(77), Some(42))
    );
    assert_eq!(
        (credit.hash, credit.ledger_index, credit.tx_index),
        (entry.hash, LedgerIndex(50), 3)
    );
    assert_eq!(credit.closed_at, CLOSED);
    assert!(!credit.is_return);
}

#[test]
fn what_contradicts_the_balance_or_is_not_told_is_counted_for_nobody() {
    let cases = [
        // Told more, or less, than came; told of XRP that did not come at all.
        moved(paid(Delivered::Xrp(drops(91))), 100, 190),
        moved(paid(Delivered::Xrp(drops(89))), 100, 190),
        moved(paid(Delivered::Xrp(drops(90))), 100, 100),
        moved(paid(Delivered::Unavailable), 100, 190),
        moved(paid(Delivered::Nothing), 100, 190),
        moved(paid(Delivered::Unreadable("{}".to_owned())), 100, 190),
        // The metadata's balance before it is not the one that the journal knows.
        moved(paid(Delivered::Xrp(drops(95))), 95, 190),
    ];
    for entry in cases {
        assert_eq!(amounts(100, &entry), [unknown(xrp(0))], "{entry:?}");
    }
    let other = moved(paid(Delivered::Other(token(GATEWAY, "5"))), 100, 190);
    let counted = amounts(100, &other);
    assert_eq!(counted, [unknown(token(GATEWAY, "0")), exact(xrp(90))]);
}

#[test]
fn an_amount_that_did_not_succeed_credits_nothing() {
    for result in [
        "tecPATH_PARTIAL",
        "tecUNFUNDED_PAYMENT",
        "tecDST_TAG_NEEDED",
    ] {
        let entry = Entry {
            result: result.to_owned(),
            ..moved(paid(Delivered::Xrp(drops(90))), 100, 190)
        };
        assert_eq!(amounts(100, &entry), []);
    }
}

#[test]
fn a_token_of_which_we_are_the_issuer_is_nothing_that_we_are_owed() {
    let redeemed = paid(Delivered::Other(token(OURS, "10")));
    let redeemed = with_lines(redeemed, vec![line(THEIRS, "-25", "-15")]);
    assert_eq!(amounts(100, &redeemed), []);
    let elsewhere = with_lines(theirs("OfferCreate"), vec![line(THEIRS, "-25", "-15")]);
    assert_eq!(amounts(100, &elsewhere), []);
    let said_otherwise = paid(Delivered::Other(token(THEIRS, "10")));
    let said_otherwise = with_lines(said_otherwise, vec![line(THEIRS, "-25", "-15")]);
    assert_eq!(amounts(100, &said_otherwise), []);
}

#[test]
fn a_multi_purpose_token_of_our_own_that_comes_home_is_nothing_that_we_are_owed() {
    let mut of_ours = [0; 24];
    of_ours[4..].copy_from_slice(&OURS.0);
    let told = Amount::Mpt {
        issuance: MptIssuanceId(of_ours),
        value: MptValue::new(5).unwrap(),
    };
    let entry = paid(Delivered::Other(told));
    assert_eq!(amounts(100, &entry), []);
    let before = Entry {
        effects: None,
        ..entry
    };
    assert_eq!(amounts(100, &before), []);
}

#[test]
fn any_issuer_that_we_take_is_told_by_the_lines() {
    let entry = paid(Delivered::Other(token(OURS, "10")));
    let entry = with_lines(
        entry,
        vec![line(THEIRS, "-3", "-1"), line(GATEWAY, "1", "9")],
    );
    let found = credits(100, &entry);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].amount, exact(token(GATEWAY, "8")));
    assert_eq!(found[0].from, Some(THEIRS));
}

#[test]
fn a_token_is_counted_by_delivery_as_exactly_as_the_ledger_keeps_the_line() {
    let told = || paid(Delivered::Other(token(GATEWAY, "0.1234567890123456")));
    let rounded = with_lines(told(), vec![line(GATEWAY, "1000000", "1000000.123456789")]);
    assert_eq!(
        amounts(100, &rounded),
        [exact(token(GATEWAY, "0.1234567890123456"))]
    );
    for (before, after) in [
        ("1000000", "1000000.2"),
        ("1", "1"),
        ("2", "1"),
        ("-1", "0.1"),
    ] {
        let entry = with_lines(told(), vec![line(GATEWAY, before, after)]);
        assert_eq!(
            amounts(100, &entry),
            [unknown(token(GATEWAY, "0"))],
            "{before} {after}"
        );
    }
    assert_eq!(amounts(100, &told()), [unknown(token(GATEWAY, "0"))]);
}

#[test]
fn a_multi_purpose_token_is_counted_by_the_holding_where_more_was_told() {
    let told = |units| paid(Delivered::Other(mpt(units)));
    let cases = [
        (5, Some(10), 15, exact(mpt(5))),
        (500, Some(10), 15, exact(mpt(5))),
        (4, Some(10), 15, unknown(mpt(0))),
        (15, None, 15, exact(mpt(15))),
        (5, None, 15, unknown(mpt(0))),
    ];
    for (delivered, before, after, counted) in cases {
        let entry = with_mpts(told(delivered), vec![holding(before, after)]);
        assert_eq!(
            amounts(100, &entry),
            [counted],
            "{delivered} {before:?} {after}"
        );
    }
}

#[test]
fn what_is_drawn_from_an_object_was_paid_by_its_owner() {
    for kind in ["EscrowFinish", "PaymentChannelClaim"] {
        let entry = drawing(moved(theirs(kind), 100, 150), GATEWAY, OURS);
        let found = credits(100, &entry);
        assert_eq!(found[0].amount, exact(xrp(50)));
        assert_eq!(found[0].from, Some(GATEWAY), "{kind}");
        assert_eq!(
            (found[0].source_tag, found[0].destination_tag),
            (Some(6), Some(42))
        );
    }
    for kind in ["EscrowCancel", "PaymentChannelFund", "PaymentChannelClaim"] {
        let entry = drawing(moved(theirs(kind), 100, 150), OURS, GATEWAY);
        let found = credits(100, &entry);
        assert_eq!(found[0].from, Some(OURS), "{kind}");
        assert_eq!(found[0].destination_tag, None, "nobody was paid by it");
    }
    let cashed = Entry {
        delivered: Delivered::Xrp(drops(60)),
        ..drawing(moved(ours("CheckCash"), 100, 150), THEIRS, OURS)
    };
    let found = credits(100, &cashed);
    assert_eq!(
        found[0].amount,
        exact(xrp(60)),
        "our fee is no part of what came"
    );
    assert_eq!(found[0].from, Some(THEIRS));
}

#[test]
fn an_escrow_of_ours_comes_back_and_does_not_when_it_is_paid_out() {
    let refund = drawing(theirs("EscrowCancel"), OURS, THEIRS);
    let refund = with_mpts(refund, vec![holding(None, 8)]);
    assert_eq!(amounts(100, &refund), [exact(mpt(8))]);
    let paid_out = drawing(theirs("EscrowFinish"), OURS, THEIRS);
    let paid_out = with_mpts(paid_out, vec![holding(None, 8)]);
    assert_eq!(amounts(100, &paid_out), []);
}

#[test]
fn a_deleted_account_leaves_what_it_had() {
    let entry = Entry {
        transaction_type: "AccountDelete".to_owned(),
        ..moved(paid(Delivered::Xrp(drops(90))), 100, 190)
    };
    assert_eq!(credits(100, &entry)[0].amount, exact(xrp(90)));
    assert_eq!(credits(100, &entry)[0].from, Some(THEIRS));
}

#[test]
fn offers_that_are_taken_credit_what_came_and_name_nobody() {
    let taken = with_lines(
        moved(theirs("OfferCreate"), 100, 50),
        vec![line(GATEWAY, "0", "12.5")],
    );
    let found = credits(100, &taken);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].amount, exact(token(GATEWAY, "12.5")));
    assert_eq!((found[0].from, found[0].source_tag), (None, None));
    let through_us = Entry {
        destination: Some(GATEWAY),
        ..moved(paid(Delivered::Xrp(drops(5))), 100, 107)
    };
    let found = credits(100, &through_us);
    assert_eq!((found[0].amount, found[0].from), (exact(xrp(7)), None));
}

#[test]
fn our_own_fee_is_added_back_unless_somebody_else_paid_it() {
    for kind in ["AccountSet", "TrustSet", "OfferCreate"] {
        assert_eq!(amounts(100, &moved(ours(kind), 100, 90)), [], "{kind}");
    }
    assert_eq!(
        amounts(100, &moved(ours("OfferCreate"), 100, 100)),
        [exact(xrp(10))]
    );
    let mut delegated = ours("TrustSet");
    delegated.effects.get_or_insert_default().delegate = Some(THEIRS);
    assert_eq!(amounts(100, &moved(delegated, 100, 100)), []);
    let mut for_another = theirs("TrustSet");
    for_another.effects.get_or_insert_default().delegate = Some(OURS);
    assert_eq!(amounts(100, &moved(for_another, 100, 90)), []);
}

#[test]
fn a_payment_of_ours_is_no_credit_wherever_it_goes() {
    for destination in [OURS, THEIRS] {
        let entry = Entry {
            destination: Some(destination),
            delivered: Delivered::Xrp(drops(90)),
            ..moved(ours("Payment"), 100, 180)
        };
        assert_eq!(amounts(100, &entry), []);
    }
}

#[test]
fn a_sender_may_mark_a_return_and_what_is_too_much_to_keep_goes_to_a_person() {
    let mut entry = moved(paid(Delivered::Xrp(drops(90))), 100, 190);
    let effects = entry.effects.get_or_insert_default();
    (effects.is_return, effects.more) = (true, true);
    let found = credits(100, &entry);
    assert!(found.iter().all(|credit| credit.is_return));
    assert_eq!(found[0].amount, exact(xrp(90)));
    assert_eq!(found[1].amount, Counted::Unknown(None));
}

#[test]
fn a_row_of_before_credits_its_xrp_by_the_journals_own_balance() {
    let before = |entry: Entry| Entry {
        effects: None,
        ..entry
    };
    let entry = before(moved(paid(Delivered::Xrp(drops(90))), 100, 190));
    assert_eq!(amounts(100, &entry), [exact(xrp(90))]);
    assert_eq!(amounts(101, &entry), [unknown(xrp(0))]);
    let entry = before(paid(Delivered::Other(token(GATEWAY, "5"))));
    assert_eq!(amounts(100, &entry), [unknown(token(GATEWAY, "0"))]);
    assert_eq!(
        amounts(100, &before(paid(Delivered::Other(token(OURS, "5"))))),
        []
    );
    assert_eq!(
        amounts(100, &before(paid(Delivered::Unavailable))),
        [Counted::Unknown(None)]
    );
}

mod properties;
