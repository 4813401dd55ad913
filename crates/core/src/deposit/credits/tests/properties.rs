//! What holds of credits whatever a page says.

use super::*;
use proptest::prelude::*;

/// What one transaction of a random history does to our XRP.
#[derive(Debug, Clone)]
enum Act {
    Received(u64),
    Took(u64),
    Spent(u64),
    Refused,
    Cashed(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1..1_000_u64).prop_map(Act::Received),
        (1..1_000_u64).prop_map(Act::Took),
        (1..1_000_u64).prop_map(Act::Spent),
        Just(Act::Refused),
        (1..1_000_u64).prop_map(Act::Cashed),
    ];
    prop::collection::vec(act, 0..40)
}

/// Anything at all that a page could say, whether or not a ledger would.
fn anything() -> impl Strategy<Value = Entry> {
    let amount = || {
        prop_oneof![
            (0..=Drops::MAX.get()).prop_map(xrp),
            (0..u64::MAX >> 1).prop_map(mpt),
            (any::<u32>(), -90..70_i64, any::<bool>()).prop_map(|(n, exponent, ours)| {
                Amount::Token {
                    currency: "USD".parse().unwrap(),
                    issuer: if ours { OURS } else { GATEWAY },
                    value: TokenValue::new(false, u64::from(n), exponent).unwrap_or_default(),
                }
            }),
        ]
    };
    let value = || {
        (any::<bool>(), any::<u32>(), -90..70_i64).prop_map(|(negative, n, e)| {
            TokenValue::new(negative, u64::from(n), e).unwrap_or_default()
        })
    };
    let delivered = prop_oneof![
        Just(Delivered::Nothing),
        Just(Delivered::Unavailable),
        Just(Delivered::Unreadable(String::new())),
        (0..=Drops::MAX.get()).prop_map(|n| Delivered::Xrp(drops(n))),
        amount().prop_map(Delivered::Other),
    ];
    let kinds = [
        PAYMENT,
        CHECK_CASH,
        ACCOUNT_DELETE,
        ESCROW_FINISH,
        ESCROW_CANCEL,
        "OfferCreate",
        "PaymentChannelClaim",
        "AMMWithdraw",
    ];
    let accounts = || prop_oneof![Just(OURS), Just(THEIRS), Just(GATEWAY)];
    let lines = prop::collection::vec(
        (accounts(), value(), value()).prop_map(|(counterparty, before, after)| LineChange {
            currency: "USD".parse().unwrap(),
            counterparty,
            before,
            after,
        }),
        0..4,
    );
    let mpts = (prop::option::of(0..u64::MAX >> 1), 0..u64::MAX >> 1)
        .prop_map(|(before, after)| vec![holding(before, after)]);
    let root = || prop::option::of((0..=Drops::MAX.get()).prop_map(drops));
    let names = (
        prop::sample::select(kinds.to_vec()),
        any::<bool>(),
        accounts(),
        prop::option::of(accounts()),
    );
    (names, delivered, lines, mpts, root(), root(), any::<bool>()).prop_map(
        |((kind, success, sender, destination), delivered, lines, mpts, before, after, more)| {
            Entry {
                sender,
                destination,
                delivered,
                result: if success { SUCCESS } else { "tecCLAIM" }.to_owned(),
                fee: Drops::MAX,
                root_after: after.map(|balance| RootAfter {
                    balance,
                    sequence: 1,
                    owner_count: 0,
                }),
                effects: Some(Effects {
                    balance_before: before,
                    lines,
                    mpts,
                    more,
                    ..Effects::default()
                }),
                ..theirs(kind)
            }
        },
    )
}

proptest! {
    #[test]
    fn credits_less_debits_are_the_change_of_the_balance(acts in acts()) {
        let (opening, mut balance, mut debits) = (1_000_000_u64, 1_000_000_u64, 0_u64);
        let mut entries = Vec::new();
        for (n, act) in acts.iter().enumerate() {
            let (entry, change, spent) = match act {
                Act::Received(n) => (paid(Delivered::Xrp(drops(*n))), i64::try_from(*n).unwrap(), 0),
                Act::Took(n) => (theirs("OfferCreate"), i64::try_from(*n).unwrap(), 0),
                Act::Spent(n) => (ours("Payment"), -i64::try_from(n + 10).unwrap(), n + 10),
                Act::Refused => (
                    Entry { result: "tecPATH_DRY".to_owned(), ..ours("Payment") }, -10, 10,
                ),
                Act::Cashed(n) => (
                    Entry { delivered: Delivered::Xrp(drops(*n)), ..ours(CHECK_CASH) },
                    i64::try_from(*n).unwrap() - 10, 10,
                ),
            };
            let after = balance.checked_add_signed(change).unwrap();
            entries.push(Entry { tx_index: u32::try_from(n).unwrap(), ..moved(entry, balance, after) });
            balance = after;
            debits += spent;
        }
        let page = Page {
            account: OURS,
            from: LedgerIndex(50),
            to: LedgerIndex(50),
            to_hash: LedgerHash([8; 32]),
            closed_at: None,
            servers: Vec::new(),
            entries,
        };
        let credits = credits_in(&page, drops(opening), CLOSED);
        let sum: u64 = credits.iter().map(|credit| match credit.amount {
            Counted::Exact(Amount::Xrp(drops)) => drops.get(),
            other => panic!("{other:?}"),
        }).sum();
        prop_assert_eq!(opening + sum - debits, balance);
    }

    #[test]
    fn whatever_a_page_says_it_neither_panics_nor_credits_an_asset_twice(
        entry in anything(), before in 0..=Drops::MAX.get(),
    ) {
        let found = credits(before, &entry);
        let mut assets: Vec<_> = found.iter().map(|credit| credit.amount.asset()).collect();
        let all = assets.len();
        assets.sort();
        assets.dedup();
        let lines = entry.effects.as_ref().map_or(0, |effects| effects.lines.len());
        // Lines that a ledger could not tell apart are the only ones that may share an asset.
        prop_assert!(assets.len() == all || lines > 1);
        for credit in &found {
            prop_assert!(credit.amount.exact().is_none_or(|amount| !amount.is_zero()));
            prop_assert_eq!(entry.result.as_str(), SUCCESS);
        }
    }
}
