//! What the ledger would refuse is refused before anybody signs it, by field.

use super::{ALICE, BOB, GATE, act, id, mpt, pay, to_bob, trust, usd, xrp};
use xrpayd_codec::PathStep;
use xrpayd_codec::transaction::{
    AccountSet, Action, Common, Memo, Payment, PaymentOption, SetRegularKey, SignerListSet, Slot,
    TicketCreate, TrustSet, Unsigned,
};

fn refusal(tx: &Unsigned) -> &'static str {
    tx.to_json().unwrap_err().field
}

#[test]
fn payments_that_no_ledger_would_take_are_refused_by_field() {
    let step = PathStep::IntoXrp;
    let options = vec![PaymentOption::PartialPayment];
    for (field, payment) in [
        ("Amount", to_bob(xrp(0))),
        ("Amount", to_bob(usd("-1"))),
        ("Destination", Payment::new(id(ALICE), xrp(1))),
        (
            "Destination",
            Payment::new(id("rrrrrrrrrrrrrrrrrrrrrhoLvTp"), xrp(1)),
        ),
        (
            "Destination",
            Payment::new(id("rrrrrrrrrrrrrrrrrrrrBZbvji"), xrp(1)),
        ),
        (
            "SendMax",
            Payment {
                send_max: Some(xrp(2)),
                ..to_bob(xrp(1))
            },
        ),
        (
            "SendMax",
            Payment {
                send_max: Some(usd("0")),
                ..to_bob(xrp(1))
            },
        ),
        (
            "SendMax",
            Payment {
                send_max: Some(usd("1")),
                ..to_bob(mpt("1"))
            },
        ),
        (
            "Flags",
            Payment {
                options: options.clone(),
                ..to_bob(xrp(1))
            },
        ),
        (
            "Flags",
            Payment {
                options: vec![PaymentOption::LimitQuality],
                ..to_bob(mpt("1"))
            },
        ),
        (
            "Paths",
            Payment {
                paths: vec![vec![step]],
                ..to_bob(xrp(1))
            },
        ),
        (
            "Paths",
            Payment {
                paths: vec![vec![step]],
                ..to_bob(mpt("1"))
            },
        ),
        (
            "Paths",
            Payment {
                paths: vec![vec![]],
                ..to_bob(usd("1"))
            },
        ),
        (
            "Paths",
            Payment {
                paths: vec![vec![step; 9]],
                ..to_bob(usd("1"))
            },
        ),
        (
            "Paths",
            Payment {
                paths: vec![vec![step]; 7],
                ..to_bob(usd("1"))
            },
        ),
        (
            "DeliverMin",
            Payment {
                deliver_min: Some(usd("1")),
                ..to_bob(usd("1"))
            },
        ),
        (
            "DeliverMin",
            Payment {
                deliver_min: Some(xrp(1)),
                options: options.clone(),
                ..to_bob(usd("1"))
            },
        ),
        (
            "DeliverMin",
            Payment {
                deliver_min: Some(usd("2")),
                options,
                ..to_bob(usd("1"))
            },
        ),
    ] {
        assert_eq!(refusal(&pay(payment.clone())), field, "{payment:?}");
    }
}

#[test]
fn other_actions_that_no_ledger_would_take_are_refused_by_field() {
    let set = |set: AccountSet| Action::AccountSet(Box::new(set));
    let list = |quorum, signers: &[(&str, u16)]| {
        let signers = signers
            .iter()
            .map(|(who, weight)| (id(who), *weight))
            .collect();
        Action::SignerListSet(SignerListSet { quorum, signers })
    };
    for (field, action) in [
        (
            "ClearFlag",
            set(AccountSet {
                set_flag: Some(1),
                clear_flag: Some(1),
                ..AccountSet::default()
            }),
        ),
        (
            "Domain",
            set(AccountSet {
                domain: Some("a".repeat(257)),
                ..AccountSet::default()
            }),
        ),
        (
            "TransferRate",
            set(AccountSet {
                transfer_rate: Some(1),
                ..AccountSet::default()
            }),
        ),
        (
            "TickSize",
            set(AccountSet {
                tick_size: Some(16),
                ..AccountSet::default()
            }),
        ),
        (
            "RegularKey",
            Action::SetRegularKey(SetRegularKey {
                regular_key: Some(id(ALICE)),
            }),
        ),
        ("SignerEntries", list(1, &[])),
        ("SignerEntries", list(0, &[(BOB, 1)])),
        ("SignerEntries", list(1, &[(BOB, 1), (BOB, 1)])),
        ("SignerEntries", list(1, &[(ALICE, 1)])),
        ("SignerWeight", list(1, &[(BOB, 0), (GATE, 1)])),
        ("SignerQuorum", list(3, &[(BOB, 1), (GATE, 1)])),
        (
            "TicketCount",
            Action::TicketCreate(TicketCreate { count: 0 }),
        ),
        (
            "TicketCount",
            Action::TicketCreate(TicketCreate { count: 251 }),
        ),
        (
            "LimitAmount",
            Action::TrustSet(TrustSet {
                issuer: id(ALICE),
                ..trust()
            }),
        ),
        (
            "LimitAmount",
            Action::TrustSet(TrustSet {
                limit: "-1".parse().unwrap(),
                ..trust()
            }),
        ),
    ] {
        assert_eq!(refusal(&act(action.clone())), field, "{action:?}");
    }
}

#[test]
fn what_every_transaction_says_is_checked_too() {
    let memo = |kind: &str, data: usize| Memo {
        kind: Some(kind.to_owned()),
        format: None,
        data: Some(vec![0; data]),
    };
    let with = |change: fn(&mut Common)| {
        let mut tx = pay(to_bob(xrp(1)));
        change(&mut tx.common);
        tx
    };
    assert_eq!(refusal(&with(|c| c.slot = Slot::Sequence(0))), "Sequence");
    assert_eq!(
        refusal(&with(|c| c.slot = Slot::Ticket(0))),
        "TicketSequence"
    );
    let chained = with(|c| {
        c.slot = Slot::Ticket(1);
        c.account_txn_id = Some("0".repeat(64).parse().unwrap());
    });
    assert_eq!(refusal(&chained), "AccountTxnID");
    let mut tx = pay(to_bob(xrp(1)));
    for (memos, refused) in [
        (vec![Memo::default()], Some("Memos")),
        (vec![memo("with space", 1)], Some("MemoType")),
        (vec![memo("a", 1_016)], None),
        (vec![memo("a", 1_017)], Some("Memos")),
        (vec![memo("a", 600), memo("b", 600)], Some("Memos")),
    ] {
        tx.common.memos = memos;
        assert_eq!(tx.to_json().err().map(|bad| bad.field), refused);
    }
    // Networks up to 1024 must not be named: the daemon's own network is always known, though.
    tx.common.memos.clear();
    tx.common.network_id = 1_024;
    assert!(tx.to_json().unwrap().get("NetworkID").is_none());
}
