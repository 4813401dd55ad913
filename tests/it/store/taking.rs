//! What the journal says came in, taken by invoices: in the transaction of its page, once, in the order
//! of the ledger, and whatever else happens at the same moment.

use super::bed::*;
use super::deposits::{credit, page, usd};
use super::invoices::{asked, cancelled, issued};
use crate::support::held::Held as _;
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use xrpayd::store::{
    CancelOutcome, DepositFilter, FeedFilter, IssueOutcome, LaneCommit, Place, Store,
};
use xrpayd_core::amount::Amount;
use xrpayd_core::deposit::{Counted, Credit, Unmatched, id_of};
use xrpayd_core::ids::{InvoiceId, LedgerIndex, UnixMs};
use xrpayd_core::invoice::{Invoice, InvoiceStatus};

/// When the invoices of these tests end, by the ledger's clock.
const END: UnixMs = UnixMs(T0.0 + 60_000);

/// A credit of XRP in a ledger that closes at `at`.
fn paid(ledger: u32, place: u32, value: &str, tag: u32, at: UnixMs) -> Credit {
    Credit {
        closed_at: at,
        ..credit(ledger, place, Amount::Xrp(xrp(value)), Some(tag))
    }
}

/// The next ledger of the wallet's journal, which closed at `at`.
fn ledger(index: u32, credits: Vec<Credit>, at: UnixMs) -> LaneCommit {
    let mut commit = page(WALLET, index, index, credits, T0.plus_ms(7));
    if let Some(journal) = &mut commit.journal {
        journal.closed_at = Some(at);
    }
    commit
}

async fn read(store: &Store, id: InvoiceId) -> Invoice {
    store.invoice(id).await.unwrap().unwrap()
}

/// Types of everything that was told, with the invoice's status and flags where it was of one.
async fn told(store: &Store) -> Vec<String> {
    let events = store.feed(0, &FeedFilter::default(), 1_000).await.unwrap();
    let shown = |event: xrpayd::store::FeedEvent| {
        let flags = ["overpaid", "paid_late"];
        let raised = flags.into_iter().filter(|flag| event.data[flag] == true);
        let raised: String = raised.map(|flag| format!(" {flag}")).collect();
        match event.data["status"].as_str() {
            Some(status) => format!("{} {status}{raised}", event.type_),
            None => event.type_,
        }
    };
    events.into_iter().map(shown).collect()
}

/// Holds what every invoice says it received against its deposits.
async fn audit(store: &Store, invoices: &[InvoiceId]) {
    for id in invoices {
        let invoice = read(store, *id).await;
        let filter = DepositFilter {
            invoice: Some(*id),
            ..DepositFilter::default()
        };
        let whole = first_page(200);
        let deposits = store.deposits(&filter, &whole).await.unwrap().items;
        let zero = invoice.amount.asset().zero();
        let sum = deposits.iter().try_fold(zero, |sum, deposit| {
            assert_eq!(
                (deposit.place, &deposit.client),
                (Place::Invoice(*id), &invoice.client)
            );
            sum.checked_add(&deposit.amount.exact().unwrap())
        });
        assert_eq!(sum, Some(invoice.received));
    }
}

on_both_stores! {
    async fn a_page_pays_invoices_in_the_order_of_the_ledger_and_tells_every_step(bed) {
        let store = anchored(bed).await;
        let one = issued(&store, &asked(T0, &[1])).await;
        let two = issued(&store, &asked(T0, &[2])).await;
        let other = issued(&store, &asked(T0, &[3])).await;
        let credits = vec![
            paid(101, 0, "4", 1, T0),
            paid(101, 1, "12", 2, T0),
            paid(101, 2, "6", 1, T0),
            paid(101, 3, "1", 9, T0),
            Credit { closed_at: T0, ..credit(101, 4, usd("10"), Some(3)) },
            Credit { amount: Counted::Unknown(None), ..paid(101, 5, "1", 3, T0) },
            paid(101, 6, "10", 1, T0),
        ];
        let booked = store.commit_held(&ledger(101, credits.clone(), T0)).await.unwrap();
        assert_eq!((booked.matched, booked.unmatched, booked.internal), (4, 3, 0));
        assert_eq!(told(&store).await, [
            "deposit.received", "invoice.partially_paid partially_paid",
            "deposit.received", "invoice.paid paid overpaid", "invoice.overpaid paid overpaid",
            "deposit.received", "invoice.paid paid",
            "deposit.unmatched",
            "deposit.unmatched",
            "deposit.unmatched",
            "deposit.received", "invoice.overpaid paid overpaid",
        ]);
        let one = read(&store, one.id).await;
        assert_eq!((one.version, one.received), (4, Amount::Xrp(xrp("20"))));
        assert_eq!((one.status, one.overpaid, one.ended_at), (InvoiceStatus::Paid, true, Some(T0.plus_ms(7))));
        assert_eq!(read(&store, other.id).await, other, "nothing came for it");
        let mut reasons = Vec::new();
        for at in [3, 4, 5] {
            let deposit = store.deposit(id_of(0, account(1), &credits[at])).await.unwrap().unwrap();
            reasons.push(deposit.place);
            assert_eq!(deposit.client, "");
        }
        assert_eq!(reasons, [Unmatched::UnknownTag, Unmatched::OtherAsset, Unmatched::AmountUnknown].map(Place::Unmatched));
        let shown = store.shown_invoice(one.id).await.unwrap().unwrap();
        let places: Vec<u32> = shown.deposits.iter().map(|deposit| deposit.tx_index).collect();
        assert_eq!(places, [0, 2, 6], "in the order of the ledger");
        audit(&store, &[one.id, two.id, other.id]).await;

        // The same page once more, by a database that forgot how far it was: everything stays.
        bed.raw("update wallets set cursor_at = 100").await;
        let before = bed.everything().await;
        let again = store.commit_held(&ledger(101, credits, T0)).await.unwrap();
        assert_eq!(again.matched, 0);
        let after = bed.everything().await;
        let changed = |name| before.iter().find(|row| row.0 == name) != after.iter().find(|row| row.0 == name);
        assert!(!changed("invoices") && !changed("events"));
        audit(&store, &[one.id, two.id, other.id]).await;
    }

    async fn a_page_that_does_not_go_in_pays_nothing(bed) {
        let store = anchored(bed).await;
        let invoice = issued(&store, &asked(T0, &[1])).await;
        let gap = ledger(103, vec![paid(103, 0, "10", 1, T0)], END.plus_ms(1));
        assert!(store.commit_held(&gap).await.is_err());
        assert_eq!(read(&store, invoice.id).await, invoice);
        assert_eq!(told(&store).await, Vec::<String>::new());
    }

    async fn an_invoice_ends_by_the_ledgers_clock_once_the_journal_has_read_so_far(bed) {
        let store = anchored(bed).await;
        let open = issued(&store, &asked(T0, &[1])).await;
        let partial = issued(&store, &asked(T0, &[2])).await;
        let mut longer = asked(T0, &[3]);
        longer.invoice.expires_at = END.plus_ms(1);
        let longer = issued(&store, &longer).await;
        let mut elsewhere = asked(T0, &[1]);
        elsewhere.invoice.wallet = "till".to_owned();
        let elsewhere = issued(&store, &elsewhere).await;
        // Our clock is days ahead of the ledgers that are read after an outage.
        let mut late = ledger(101, vec![paid(101, 0, "4", 2, END)], END);
        late.now = T0.plus_ms(9 * 86_400_000);
        store.commit_held(&late).await.unwrap();
        let status = async |invoice: &Invoice| read(&store, invoice.id).await.status;
        assert_eq!(status(&open).await, InvoiceStatus::Open);
        assert_eq!(status(&partial).await, InvoiceStatus::PartiallyPaid);
        store.commit_held(&ledger(102, Vec::new(), END.plus_ms(1))).await.unwrap();
        assert_eq!(status(&open).await, InvoiceStatus::Expired);
        assert_eq!(status(&partial).await, InvoiceStatus::Expired);
        assert_eq!(status(&longer).await, InvoiceStatus::Open, "it ends with that very ledger");
        assert_eq!(status(&elsewhere).await, InvoiceStatus::Open, "another wallet's journal");
        // Ledgers whose close time nobody told end nothing.
        let mut untold = ledger(103, Vec::new(), END);
        untold.journal.as_mut().unwrap().closed_at = None;
        store.commit_held(&untold).await.unwrap();
        assert_eq!(status(&longer).await, InvoiceStatus::Open);
        assert_eq!(told(&store).await, [
            "deposit.received", "invoice.partially_paid partially_paid",
            "invoice.expired expired", "invoice.expired expired",
        ]);
    }

    async fn what_comes_late_is_taken_and_flagged_and_what_was_called_off_takes_nothing(bed) {
        let store = anchored(bed).await;
        let late = issued(&store, &asked(T0, &[1])).await;
        let gone = issued(&store, &asked(T0, &[2])).await;
        store.commit_held(&ledger(101, vec![paid(101, 0, "3", 2, T0)], T0)).await.unwrap();
        assert!(matches!(cancelled(&store, gone.id, T0.plus_ms(1)).await, CancelOutcome::Done(_)));
        let after = END.plus_ms(1);
        let credits = vec![paid(102, 0, "4", 1, after), paid(102, 1, "7", 2, after)];
        store.commit_held(&ledger(102, credits.clone(), after)).await.unwrap();
        store.commit_held(&ledger(103, vec![paid(103, 0, "6", 1, after)], after)).await.unwrap();
        assert_eq!(told(&store).await, [
            "deposit.received", "invoice.partially_paid partially_paid", "invoice.cancelled cancelled",
            "deposit.received", "invoice.expired expired", "invoice.partially_paid expired paid_late",
            "deposit.unmatched",
            "deposit.received", "invoice.paid paid paid_late",
        ]);
        let unmatched = store.deposit(id_of(0, account(1), &credits[1])).await.unwrap().unwrap();
        assert_eq!(unmatched.place, Place::Unmatched(Unmatched::InvoiceCancelled));
        assert_eq!(read(&store, gone.id).await.received, Amount::Xrp(xrp("3")), "it keeps what it had");
        audit(&store, &[late.id, gone.id]).await;
    }

    async fn what_a_ledger_held_before_the_invoice_was_issued_is_not_for_it(bed) {
        let store = anchored(bed).await;
        let mut new = asked(T0, &[1]);
        new.invoice.issued_after = Some(LedgerIndex(101));
        let invoice = issued(&store, &new).await;
        let early = paid(101, 0, "10", 1, T0);
        store.commit_held(&ledger(101, vec![early.clone()], T0)).await.unwrap();
        let deposit = store.deposit(id_of(0, account(1), &early)).await.unwrap().unwrap();
        assert_eq!(deposit.place, Place::Unmatched(Unmatched::BeforeInvoice));
        assert_eq!(read(&store, invoice.id).await, invoice);
        store.commit_held(&ledger(102, vec![paid(102, 0, "10", 1, T0)], T0)).await.unwrap();
        assert_eq!(read(&store, invoice.id).await.status, InvoiceStatus::Paid);
    }

    async fn a_transfer_between_our_wallets_pays_no_invoice(bed) {
        let store = anchored(bed).await;
        store.anchor_held("till", account(2), 0, &cursor(100), None, T0).await.unwrap();
        let invoice = issued(&store, &asked(T0, &[1])).await;
        let booked = store.commit_held(&ledger(101, vec![paid(101, 0, "10", 1, T0)], T0)).await.unwrap();
        assert_eq!((booked.matched, booked.internal), (0, 1));
        assert_eq!(read(&store, invoice.id).await, invoice);
    }

    async fn a_tag_that_is_still_used_rests_from_its_last_deposit_on(bed) {
        let store = anchored(bed).await;
        let invoice = issued(&store, &asked(T0, &[1])).await;
        store.commit_held(&ledger(101, vec![paid(101, 0, "10", 1, T0)], T0)).await.unwrap();
        let mut again = ledger(102, vec![paid(102, 0, "1", 1, T0)], T0);
        let last = T0.plus_ms(5 * 86_400_000);
        again.now = last;
        store.commit_held(&again).await.unwrap();
        let mut next = asked(last, &[1]);
        next.rested_since = last;
        assert_eq!(store.issue(&next).await.unwrap(), IssueOutcome::NoTagFree);
        next.rested_since = last.plus_ms(1);
        let next = issued(&store, &next).await;
        // The tag is the new invoice's from here on.
        store.commit_held(&ledger(103, vec![paid(103, 0, "10", 1, T0)], T0)).await.unwrap();
        assert_eq!(read(&store, next.id).await.status, InvoiceStatus::Paid);
        assert_eq!(read(&store, invoice.id).await.received, Amount::Xrp(xrp("11")));
        audit(&store, &[invoice.id, next.id]).await;
    }

    async fn a_cancellation_at_the_moment_of_a_deposit_has_one_outcome_and_loses_nothing(bed) {
        let store = anchored(bed).await;
        let (mut paid_first, mut ids) = (0, Vec::new());
        for round in 0..30_u32 {
            let invoice = issued(&store, &asked(T0, &[round + 1])).await;
            ids.push(invoice.id);
            let credit = paid(101 + round, 0, "10", round + 1, T0);
            let commit = ledger(101 + round, vec![credit.clone()], T0);
            let start = Arc::new(Barrier::new(2));
            let (other, gate) = (store.clone(), Arc::clone(&start));
            let committing = tokio::spawn(async move {
                gate.wait().await;
                other.commit_held(&commit).await.unwrap()
            });
            start.wait().await;
            let outcome = cancelled(&store, invoice.id, T0).await;
            let booked = committing.await.unwrap();
            let after = read(&store, invoice.id).await;
            let deposit = store.deposit(id_of(0, account(1), &credit)).await.unwrap().unwrap();
            match outcome {
                CancelOutcome::Done(_) => {
                    assert_eq!((after.status, booked.unmatched), (InvoiceStatus::Cancelled, 1));
                    assert_eq!(deposit.place, Place::Unmatched(Unmatched::InvoiceCancelled));
                }
                CancelOutcome::Illegal { .. } => {
                    paid_first += 1;
                    assert_eq!((after.status, booked.matched), (InvoiceStatus::Paid, 1));
                    assert_eq!(deposit.place, Place::Invoice(invoice.id));
                }
                CancelOutcome::NotFound => panic!("it was issued"),
            }
        }
        eprintln!("{paid_first} of 30 were paid first");
        audit(&store, &ids).await;
    }

    async fn pages_of_two_wallets_and_many_cancellations_never_wait_for_each_other_in_a_circle(bed) {
        let store = anchored(bed).await;
        store.anchor_held("till", account(9), 0, &cursor(100), None, T0).await.unwrap();
        let mut ids = Vec::new();
        for tag in 1..=40 {
            let mut new = asked(T0, &[tag]);
            if tag > 20 {
                new.invoice.wallet = "till".to_owned();
            }
            ids.push(issued(&store, &new).await.id);
        }
        let mut hands = JoinSet::new();
        for (wallet, first) in [(WALLET, 1), ("till", 21)] {
            let store = store.clone();
            hands.spawn(async move {
                for index in 101..109_u32 {
                    // Every page touches every invoice of its wallet, in an order of its own.
                    let mut tags: Vec<u32> = (first..first + 20).collect();
                    tags.rotate_left(usize::try_from(index % 7).unwrap());
                    let credits = tags.iter().zip(0..).map(|(tag, place)| {
                        let mut credit = paid(index, place, "1", *tag, T0);
                        if wallet == "till" {
                            credit.hash = hash(index * 1_000 + 500 + place);
                        }
                        credit
                    });
                    let mut commit = ledger(index, credits.collect(), T0);
                    commit.wallet = wallet.to_owned();
                    store.commit_held(&commit).await.unwrap();
                }
            });
        }
        for third in ids.iter().step_by(3).copied() {
            let store = store.clone();
            hands.spawn(async move {
                let outcome = cancelled(&store, third, T0).await;
                assert!(matches!(outcome, CancelOutcome::Done(_)), "{outcome:?}");
            });
        }
        hands.join_all().await;
        audit(&store, &ids).await;
        for (n, id) in ids.iter().enumerate() {
            let invoice = read(&store, *id).await;
            match n % 3 {
                0 => assert_eq!(invoice.status, InvoiceStatus::Cancelled),
                _ => assert_eq!(invoice.received, Amount::Xrp(xrp("8"))),
            }
        }
    }

    async fn an_invoice_shows_a_hundred_deposits_however_many_came(bed) {
        let store = anchored(bed).await;
        let invoice = issued(&store, &asked(T0, &[1])).await;
        let credits = (0..130).map(|place| paid(101, place, "0.000001", 1, T0));
        store.commit_held(&ledger(101, credits.collect(), T0)).await.unwrap();
        let shown = store.shown_invoice(invoice.id).await.unwrap().unwrap();
        assert_eq!(shown.invoice.received, Amount::Xrp(xrp("0.00013")));
        let places: Vec<u32> = shown.deposits.iter().map(|deposit| deposit.tx_index).collect();
        assert_eq!(places, (0..100).collect::<Vec<_>>());
        audit(&store, &[invoice.id]).await;
    }
}
