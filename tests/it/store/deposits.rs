//! Deposits: booked once with the page that holds them, told with it, listed, and made up for what a
//! journal of before holds.

use super::bed::*;
use crate::support::held::Held as _;
use serde_json::json;
use xrpayd::store::{
    Booked, Deposit, DepositFilter, FeedFilter, JournalCommit, LaneCommit, Page, Place, Store,
};
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::deposit::{Counted, Credit, Unmatched, id_of};
use xrpayd_core::ids::{DepositId, LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::journal::{Cursor, Delivered, Effects, Entry, RootAfter};
use xrpayd_core::payment::Slot;

/// A credit of `amount` in ledger `ledger`, from account 2.
pub fn credit(ledger: u32, place: u32, amount: Amount, tag: Option<u32>) -> Credit {
    Credit {
        hash: hash(ledger * 1_000 + place),
        ledger_index: LedgerIndex(ledger),
        tx_index: place,
        closed_at: UnixMs(i64::from(ledger) * 1_000),
        transaction_type: "Payment".to_owned(),
        from: Some(account(2)),
        source_tag: Some(77),
        destination_tag: tag,
        amount: Counted::Exact(amount),
        is_return: false,
    }
}

pub fn usd(value: &str) -> Amount {
    let asset: Asset = format!("USD.{}", account(7)).parse().unwrap();
    asset.amount(value).unwrap()
}

/// The journal of a wallet goes on from `from` to `to` with these credits.
pub fn page(wallet: &str, from: u32, to: u32, credits: Vec<Credit>, now: UnixMs) -> LaneCommit {
    LaneCommit {
        journal: Some(JournalCommit {
            from: LedgerIndex(from),
            cursor: cursor(to),
            entries: Vec::new(),
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits,
            closed_at: None,
        }),
        ..LaneCommit::new(wallet, now)
    }
}

async fn all(store: &Store, filter: &DepositFilter) -> Vec<Deposit> {
    let whole = first_page(200);
    let page = store.deposits(filter, &whole).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

/// Types and ids of everything that was told of deposits.
async fn told(store: &Store) -> Vec<(String, String)> {
    let filter = FeedFilter {
        objects: vec!["deposit".to_owned()],
        ..FeedFilter::default()
    };
    let events = store.feed(0, &filter, 100).await.unwrap();
    events
        .into_iter()
        .map(|event| (event.type_, event.object_id))
        .collect()
}

on_both_stores! {
    async fn what_came_in_is_booked_with_its_page_once_and_told(bed) {
        let store = anchored(bed).await;
        let credits = vec![
            credit(101, 0, Amount::Xrp(xrp("12.5")), Some(42)),
            credit(101, 1, usd("0.000001"), None),
        ];
        let id = |credit: &Credit| id_of(0, account(1), credit);
        let commit = page(WALLET, 101, 110, credits.clone(), T0);
        let booked = store.commit_held(&commit).await.unwrap();
        assert_eq!(booked, Booked { matched: 0, unmatched: 2, internal: 0 });

        let one = store.deposit(id(&credits[0])).await.unwrap().unwrap();
        assert_eq!(one.amount, Counted::Exact(Amount::Xrp(xrp("12.5"))));
        assert_eq!(one.place, Place::Unmatched(Unmatched::UnknownTag));
        assert_eq!((one.account, one.wallet.as_str(), one.from), (account(1), WALLET, Some(account(2))));
        assert_eq!((one.closed_at, one.created_at), (Some(UnixMs(101_000)), T0));
        let other = store.deposit(id(&credits[1])).await.unwrap().unwrap();
        assert_eq!(other.amount, Counted::Exact(usd("0.000001")));
        assert_eq!(other.place, Place::Unmatched(Unmatched::NoTag));
        let once = [
            ("deposit.unmatched".to_owned(), one.id.to_string()),
            ("deposit.unmatched".to_owned(), other.id.to_string()),
        ];
        assert_eq!(told(&store).await, once);

        // The same page again, by a database that forgot how far it was.
        bed.raw("update wallets set cursor_at = 100").await;
        let booked = store.commit_held(&commit).await.unwrap();
        assert_eq!(booked, Booked::default());
        assert_eq!(all(&store, &DepositFilter::default()).await.len(), 2);
        assert_eq!(told(&store).await, once);
    }

    async fn a_page_that_does_not_go_in_leaves_no_deposit(bed) {
        let store = anchored(bed).await;
        let credits = vec![credit(101, 0, Amount::Xrp(xrp("1")), None)];
        let gap = page(WALLET, 102, 110, credits, T0);
        assert!(store.commit_held(&gap).await.is_err());
        assert_eq!(all(&store, &DepositFilter::default()).await, []);
        assert_eq!(told(&store).await, []);
    }

    async fn what_comes_from_a_wallet_of_ours_is_internal_and_one_transaction_credits_every_account(bed) {
        let store = anchored(bed).await;
        store.anchor_held("cold", account(2), 0, &cursor(100), None, T0).await.unwrap();
        let credits = vec![credit(101, 0, Amount::Xrp(xrp("1")), Some(42))];
        let booked = store.commit_held(&page(WALLET, 101, 110, credits.clone(), T0)).await.unwrap();
        assert_eq!(booked, Booked { internal: 1, ..Booked::default() });
        store.commit_held(&page("cold", 101, 110, credits, T0)).await.unwrap();
        let found = all(&store, &DepositFilter::default()).await;
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|deposit| deposit.place == Place::Internal));
        assert!(told(&store).await.iter().all(|(type_, _)| type_ == "deposit.received"));
        let waiting = DepositFilter { matched: Some(false), ..DepositFilter::default() };
        assert_eq!(all(&store, &waiting).await, []);
    }

    async fn an_amount_that_nobody_tells_is_null_and_waits_for_a_person(bed) {
        let store = anchored(bed).await;
        let mut credits = vec![
            credit(101, 0, Amount::Xrp(xrp("1")), Some(42)),
            credit(101, 1, Amount::Xrp(xrp("1")), Some(42)),
        ];
        credits[0].amount = Counted::Unknown(Some(Asset::Xrp));
        credits[1].amount = Counted::Unknown(None);
        store.commit_held(&page(WALLET, 101, 110, credits.clone(), T0)).await.unwrap();
        for credit in &credits {
            let deposit = store.deposit(id_of(0, account(1), credit)).await.unwrap().unwrap();
            assert_eq!(deposit.amount, credit.amount);
            assert_eq!(deposit.place, Place::Unmatched(Unmatched::AmountUnknown));
            assert_eq!(serde_json::to_value(&deposit).unwrap()["delivered_amount"], json!(null));
        }
    }

    async fn the_public_form_is_the_one_of_the_contract(bed) {
        let store = anchored(bed).await;
        let credits = vec![credit(101, 3, Amount::Xrp(xrp("12.5")), Some(42))];
        store.commit_held(&page(WALLET, 101, 110, credits.clone(), T0)).await.unwrap();
        let deposit = store.deposit(id_of(0, account(1), &credits[0])).await.unwrap().unwrap();
        let form = json!({
            "id": deposit.id.to_string(), "object": "deposit", "wallet": WALLET, "address": account(1).to_string(),
            "tx_hash": hash(101_003).to_string(), "ledger_index": 101, "closed_at": "1970-01-01T00:01:41.000Z",
            "transaction_type": "Payment", "from": account(2).to_string(), "source_tag": 77, "destination_tag": 42,
            "delivered_amount": {"currency": "XRP", "value": "12.5"}, "internal": false, "is_return": false,
            "invoice_id": null, "unmatched_reason": "unknown_tag", "returned_by": null, "version": 1,
            "assigned_by": null, "return": null,
            "created_at": "2027-01-15T08:00:00.000Z",
        });
        assert_eq!(serde_json::to_value(&deposit).unwrap(), form);
        let events = store.feed(0, &FeedFilter::default(), 10).await.unwrap();
        assert_eq!(events[0].data, form, "the event tells the same");
    }

    async fn lists_are_newest_first_and_hold_every_deposit_once(bed) {
        let store = anchored(bed).await;
        for n in 0..7_u32 {
            let credits = (0..3).map(|place| credit(101 + n, place, Amount::Xrp(xrp("1")), None)).collect();
            let commit = page(WALLET, 101 + n, 101 + n, credits, T0.plus_ms(i64::from(n / 2)));
            store.commit_held(&commit).await.unwrap();
        }
        let whole = all(&store, &DepositFilter::default()).await;
        let places: Vec<_> = whole.iter().map(|deposit| (deposit.ledger_index.0, deposit.tx_index)).collect();
        let mut sorted = places.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        assert_eq!(places, sorted);
        assert_eq!(whole.len(), 21);
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.deposits(&DepositFilter::default(), &Page { cursor, limit: 4 }).await.unwrap();
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() { break; }
        }
        assert_eq!(seen, whole);
        let unknown = Page { cursor: Some(DepositId(1)), limit: 4 };
        assert_eq!(store.deposits(&DepositFilter::default(), &unknown).await.unwrap().items, []);
    }

    async fn filters_narrow_the_list(bed) {
        let store = anchored(bed).await;
        store.anchor_held("cold", account(3), 0, &cursor(100), None, T0).await.unwrap();
        let mut strange = credit(102, 0, usd("5"), None);
        strange.from = Some(account(9));
        let hot = vec![credit(101, 0, Amount::Xrp(xrp("1")), Some(42)), strange];
        store.commit_held(&page(WALLET, 101, 110, hot, T0)).await.unwrap();
        let mut back = credit(103, 0, Amount::Xrp(xrp("2")), Some(42));
        back.from = Some(account(1));
        let cold = vec![credit(101, 1, Amount::Xrp(xrp("2")), Some(42)), back];
        store.commit_held(&page("cold", 101, 110, cold, T0.plus_ms(5))).await.unwrap();
        let base = DepositFilter::default;
        let cases = [
            (base(), 4),
            (DepositFilter { matched: Some(false), ..base() }, 3),
            (DepositFilter { matched: Some(true), ..base() }, 0),
            (DepositFilter { wallet: Some("cold".to_owned()), ..base() }, 2),
            (DepositFilter { from: Some(account(9)), ..base() }, 1),
            (DepositFilter { from: Some(account(9)), wallet: Some("cold".to_owned()), ..base() }, 0),
            (DepositFilter { tx_hash: Some(hash(101_001)), ..base() }, 1),
            (DepositFilter { tx_hash: Some(hash(101_001)), from: Some(account(9)), ..base() }, 0),
            (DepositFilter { destination_tag: Some(42), ..base() }, 3),
            (DepositFilter { created_after: Some(T0.plus_ms(5)), ..base() }, 2),
            (DepositFilter { created_before: Some(T0.plus_ms(5)), ..base() }, 2),
            (DepositFilter { client: Some("shop".to_owned()), ..base() }, 4),
            (DepositFilter { client: Some("shop".to_owned()), matched: Some(false), ..base() }, 3),
            (DepositFilter { invoice: Some(xrpayd_core::ids::InvoiceId(1)), ..base() }, 0),
            (DepositFilter { wallet: Some("\0".to_owned()), ..base() }, 0),
        ];
        for (filter, count) in cases {
            assert_eq!(all(&store, &filter).await.len(), count, "{filter:?}");
        }
        bed.raw("update deposits set client = 'other', invoice_id = 'inv_00000000000000000000000001', unmatched_reason = null where unmatched_reason = 'no_tag'").await;
        let shop = DepositFilter { client: Some("shop".to_owned()), ..base() };
        assert_eq!(all(&store, &shop).await.len(), 3, "another client's is not shown");
        let matched = DepositFilter { matched: Some(true), ..base() };
        assert_eq!(all(&store, &matched).await.len(), 1);
        let of_invoice = DepositFilter { invoice: Some(xrpayd_core::ids::InvoiceId(1)), ..base() };
        assert_eq!(all(&store, &of_invoice).await.len(), 1);
    }

    async fn a_journal_of_before_gets_its_deposits_with_the_identifiers_that_they_would_have_had(bed) {
        let store = anchored(bed).await;
        let mut balance = xrp("5000");
        let mut entries = Vec::new();
        for n in 0..2_500_u32 {
            balance = balance.checked_add(xrp("0.5")).unwrap();
            entries.push(incoming(101 + n / 100, n % 100, Delivered::Xrp(xrp("0.5")), Some(balance)));
        }
        entries.push(incoming(127, 0, Delivered::Unavailable, None));
        entries.push(incoming(127, 1, Delivered::Other(usd("5")), None));
        let mut commit = page(WALLET, 101, 130, Vec::new(), T0);
        let journal = commit.journal.as_mut().unwrap();
        journal.entries = entries.clone();
        journal.cursor = Cursor { balance, ..cursor(130) };
        store.commit_held(&commit).await.unwrap();
        assert_eq!(all(&store, &DepositFilter::default()).await, []);
        assert_eq!(store.book_older_deposits(T0).await.unwrap(), 0, "nothing is of before");

        // As the migration leaves the books of before.
        bed.raw("update wallets set deposits_from = cursor_start, deposits_to = cursor_at").await;
        assert_eq!(store.book_older_deposits(T0).await.unwrap(), 2_502);
        assert_eq!(store.book_older_deposits(T0).await.unwrap(), 0);
        let count = bed.number("select count(*) from deposits where drops = 500000").await;
        assert_eq!(count, 2_500);
        let mut last = entries[2_499].clone();
        last.effects = Some(Effects { balance_before: balance.checked_sub(xrp("0.5")), ..Effects::default() });
        let before = balance.checked_sub(xrp("0.5")).unwrap();
        let credits = xrpayd_core::deposit::credits_of(account(1), before, &last, UnixMs(7));
        let found = store.deposit(id_of(0, account(1), &credits[0])).await.unwrap().unwrap();
        assert_eq!(found.amount, credits[0].amount);
        assert_eq!(found.closed_at, None, "that was not kept then");
        let unknown = bed.number("select count(*) from deposits where amount_kind = 'unknown' and ledger_index = 127").await;
        assert_eq!(unknown, 2);
        assert_eq!(told(&store).await, [], "they came before there was a feed of them");
    }

    async fn the_journal_keeps_what_crediting_needs(bed) {
        let store = anchored(bed).await;
        let mut entry = incoming(101, 0, Delivered::Other(usd("5")), None);
        entry.closed_at = Some(UnixMs(5));
        entry.effects = Some(Effects {
            lines: vec![xrpayd_core::journal::LineChange {
                currency: "USD".parse().unwrap(),
                counterparty: account(7),
                before: "-1".parse().unwrap(),
                after: "4".parse().unwrap(),
            }],
            is_return: true,
            ..Effects::default()
        });
        let mut commit = page(WALLET, 101, 101, Vec::new(), T0);
        commit.journal.as_mut().unwrap().entries = vec![entry.clone()];
        store.commit_held(&commit).await.unwrap();
        let found = store.journal_entries(WALLET, LedgerIndex(101), LedgerIndex(101)).await.unwrap();
        assert_eq!(found, [entry]);
    }
}

/// A payment of account 2 to the wallet, as a row of before keeps it.
fn incoming(
    ledger: u32,
    place: u32,
    delivered: Delivered,
    balance: Option<xrpayd_core::money::Drops>,
) -> Entry {
    Entry {
        hash: hash(ledger * 1_000 + place),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: LedgerHash([3; 32]),
        tx_index: place,
        result: "tesSUCCESS".to_owned(),
        transaction_type: "Payment".to_owned(),
        sender: account(2),
        slot: Slot::Sequence(5),
        fee: xrp("0.00001"),
        destination: Some(account(1)),
        destination_tag: Some(42),
        source_tag: None,
        delivered,
        invoice_id: None,
        marker: None,
        effects: None,
        closed_at: None,
        root_after: balance.map(|balance| RootAfter {
            balance,
            sequence: 10,
            owner_count: 1,
        }),
    }
}
