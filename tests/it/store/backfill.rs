//! The past of a wallet, booked beside its journal and joined to it at the end.

use super::bed::*;
use crate::support::held::Held as _;
use xrpayd::store::{Backfill, Before, CommitError, Store};
use xrpayd_core::backfill::{self, Advanced, Reached, Standing, Stretch};
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex};
use xrpayd_core::journal::{Cursor, Delivered, Entry, Page, RootAfter};
use xrpayd_core::payment::Slot;

const START: LedgerIndex = LedgerIndex(10);

/// A store whose wallet began at ledger 100 and is to be booked from ledger 10 on.
pub(super) async fn begun(bed: &Bed) -> Store {
    let store = bed.open().await;
    let before = Before {
        book_from: Some(START),
        ..Before::default()
    };
    let anchor = Cursor {
        start: LedgerIndex(101),
        ..cursor(100)
    };
    store
        .anchor_used_held(WALLET, account(1), 0, &anchor, &before, T0)
        .await
        .unwrap();
    store
}

pub(super) async fn past(store: &Store) -> Backfill {
    store.backfill(WALLET).await.unwrap().unwrap()
}

fn root(xrp_text: &str, sequence: u32) -> RootAfter {
    RootAfter {
        balance: xrp(xrp_text),
        sequence,
        owner_count: 1,
    }
}

/// A payment of 500 XRP in ledger `n`, sent by `sender`.
fn entry(n: u32, sender: u8, after: RootAfter) -> Entry {
    Entry {
        hash: hash(n),
        ledger_index: LedgerIndex(n),
        ledger_hash: LedgerHash([3; 32]),
        tx_index: 0,
        result: "tesSUCCESS".into(),
        transaction_type: "Payment".into(),
        sender: account(sender),
        slot: Slot::Sequence(after.sequence - 1),
        fee: xrp("0.00001"),
        destination: Some(account(1)),
        destination_tag: None,
        source_tag: None,
        delivered: Delivered::Xrp(xrp("500")),
        invoice_id: None,
        marker: Some(Hash256([7; 32])),
        root_after: Some(after),
        effects: None,
        closed_at: None,
    }
}

fn stretch(from: u32, to: u32, links: Vec<(Entry, RootAfter)>) -> Stretch {
    let befores = links
        .iter()
        .map(|(_, before)| Some(backfill::Before::Root(*before)));
    Stretch {
        befores: befores.collect(),
        page: Page {
            account: account(1),
            from: LedgerIndex(from),
            to: LedgerIndex(to),
            to_hash: cursor(to).at_hash,
            closed_at: None,
            servers: vec!["one".into(), "two".into()],
            entries: links.into_iter().map(|(entry, _)| entry).collect(),
        },
    }
}

/// The first half, in which the account is paid, and the second, in which it pays.
pub(super) fn halves() -> [Stretch; 2] {
    let (first, second, third) = (root("4600", 9), root("5100", 9), root("5000", 10));
    let paid = entry(20, 2, second);
    let pays = entry(60, 1, third);
    [
        stretch(10, 49, vec![(paid, first)]),
        stretch(50, 100, vec![(pays, second)]),
    ]
}

pub(super) fn advanced(past: &Backfill, stretch: &Stretch) -> Advanced {
    backfill::advance(&past.reached, &past.goal, stretch).unwrap()
}

on_both_stores! {
    async fn a_past_is_no_part_of_the_journal_before_all_of_it_was_read(bed) {
        let store = begun(bed).await;
        let begun = past(&store).await;
        assert_eq!((begun.start, begun.is_finished), (START, false));
        assert_eq!(begun.reached, Reached::before(START));
        assert_eq!(begun.goal.root, root("5000", 10));
        let [first, second] = halves();
        store.book_past_held(WALLET, &begun, &first.page, &advanced(&begun, &first), T0).await.unwrap();

        let half = past(&store).await;
        assert_eq!(half.reached.at, LedgerIndex(49));
        assert_eq!(half.reached.opening, Some(xrp("4600")));
        assert_eq!(half.reached.standing, Standing::Has(root("5100", 9)));
        let journal = store.standing(WALLET, LedgerIndex(101)).await.unwrap().unwrap();
        assert_eq!(journal.cursor.start, LedgerIndex(101));
        assert_eq!(journal.opening, Some(5_000_000_000));
        assert_eq!((journal.moved_before, journal.rows_outside), (0, 0));
        assert_eq!(journal.foreign_accepted, Some(LedgerIndex(100)));
        let lane = store.load_lane(WALLET).await.unwrap();
        assert!(!lane.remembers, "what others sent is not remembered");
        let whole = first_page(9);
        let deposits = store.deposits(&Default::default(), &whole).await.unwrap().items;
        assert_eq!(deposits.len(), 1, "what others paid is booked");
        let amount = xrpayd_core::amount::Amount::Xrp(xrp("500"));
        assert_eq!(deposits[0].amount.exact(), Some(amount));
        assert_eq!(store.feed_end().await.unwrap(), 0, "and nobody is told of what is long past");

        store.book_past_held(WALLET, &half, &second.page, &advanced(&half, &second), T0).await.unwrap();
        assert!(past(&store).await.is_finished);
        let lane = store.load_lane(WALLET).await.unwrap();
        assert!(lane.remembers, "what it sent is");
        assert_eq!(lane.cursor.unwrap().start, START);
        let journal = store.standing(WALLET, START).await.unwrap().unwrap();
        assert_eq!((journal.opening, journal.moved_before), (Some(4_600_000_000), 0));
        assert_eq!(journal.rows_outside, 0);
        let rows = store.booked(WALLET, START, LedgerIndex(100)).await.unwrap();
        let changes: Vec<Option<i128>> = rows.iter().map(|(_, change)| *change).collect();
        assert_eq!(changes, [Some(500_000_000), Some(-100_000_000)]);
        let later = store.standing(WALLET, LedgerIndex(50)).await.unwrap().unwrap();
        assert_eq!(later.moved_before, 500_000_000);
    }

    async fn a_stretch_is_booked_once_whoever_else_read_it_too(bed) {
        let store = begun(bed).await;
        let begun = past(&store).await;
        let [first, second] = halves();
        let step = advanced(&begun, &first);
        store.book_past_held(WALLET, &begun, &first.page, &step, T0).await.unwrap();
        let again = store.book_past_held(WALLET, &begun, &first.page, &step, T0).await;
        assert!(matches!(again, Err(CommitError::CursorMoved)), "{again:?}");
        let half = past(&store).await;
        let step = advanced(&half, &second);
        store.book_past_held(WALLET, &half, &second.page, &step, T0).await.unwrap();
        let again = store.book_past_held(WALLET, &half, &second.page, &step, T0).await;
        assert!(matches!(again, Err(CommitError::CursorMoved)), "{again:?}");
        assert_eq!(store.journal_entries(WALLET, START, LedgerIndex(100)).await.unwrap().len(), 2);
    }

    async fn a_wallet_that_is_known_already_keeps_its_beginning(bed) {
        let store = anchored(bed).await;
        let before = Before { book_from: Some(START), ..Before::default() };
        store.anchor_used_held(WALLET, account(1), 0, &cursor(100), &before, T0).await.unwrap();
        assert_eq!(store.backfill(WALLET).await.unwrap(), None);
        let journal = store.standing(WALLET, LedgerIndex(100)).await.unwrap().unwrap();
        assert_eq!(journal.foreign_accepted, None);
    }
}
