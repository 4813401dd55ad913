//! Invoices on both stores: their tags, their keys, and their end by a person's word.

use super::bed::*;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use xrpayd::store::{
    CancelOutcome, FeedFilter, InvoiceFilter, IssueOutcome, NewInvoice, Page, Store, StoreError,
};
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::ids::{InvoiceId, LedgerIndex, UnixMs};
use xrpayd_core::invoice::{Illegal, Invoice, InvoiceStatus};

const DAY_MS: i64 = 86_400_000;

/// An invoice of 10 XRP that ends a minute after `now` and would have the first free one of `tags`.
pub fn asked(now: UnixMs, tags: &[u32]) -> NewInvoice {
    let amount = Amount::Xrp(xrp("10"));
    NewInvoice {
        invoice: Invoice {
            id: InvoiceId(id_at(now).0),
            version: 1,
            client: CLIENT.to_owned(),
            wallet: WALLET.to_owned(),
            account: account(1),
            destination_tag: 0,
            issued_after: Some(LedgerIndex(100)),
            amount,
            tolerance_bps: 0,
            status: InvoiceStatus::Open,
            overpaid: false,
            paid_late: false,
            received: amount.asset().zero(),
            reference: Some("order 7".to_owned()),
            metadata: [("cart".to_owned(), "9".to_owned())].into(),
            expires_at: now.plus_ms(60_000),
            created_at: now,
            updated_at: now,
            ended_at: None,
        },
        idempotency_key: None,
        fingerprint: [1; 32],
        tags: tags.to_vec(),
        rested_since: now.plus_ms(-DAY_MS),
    }
}

/// Issues an invoice that has to be new.
pub async fn issued(store: &Store, new: &NewInvoice) -> Invoice {
    match store.issue(new).await.unwrap() {
        IssueOutcome::Created(invoice) => invoice,
        other => panic!("not created: {other:?}"),
    }
}

pub async fn cancelled(store: &Store, id: InvoiceId, now: UnixMs) -> CancelOutcome {
    let outcome = store.cancel_invoice(id, Some(CLIENT), 0, now).await;
    outcome.unwrap()
}

on_both_stores! {
    async fn an_invoice_of_any_asset_is_read_back_as_it_was_issued(bed) {
        let store = anchored(bed).await;
        let usd: Asset = format!("USD.{}", account(9)).parse().unwrap();
        let mpt: Asset = "07".repeat(24).parse().unwrap();
        for (n, amount) in [
            usd.amount("0.000000000000000123").unwrap(),
            usd.amount("9999999999999999e80").unwrap(),
            mpt.amount("9223372036854775807").unwrap(),
            Amount::Xrp(xrp("0.000001")),
        ].into_iter().enumerate() {
            let mut new = asked(T0, &[u32::MAX - u32::try_from(n).unwrap()]);
            new.invoice.amount = amount;
            new.invoice.received = amount.asset().zero();
            let made = issued(&store, &new).await;
            assert_eq!(made.destination_tag, new.tags[0]);
            assert_eq!(store.invoice(made.id).await.unwrap(), Some(made.clone()));
        }
        assert_eq!(store.invoice(InvoiceId(5)).await.unwrap(), None);
    }

    async fn a_tag_belongs_to_one_invoice_of_a_wallet_until_it_has_rested(bed) {
        let store = anchored(bed).await;
        let first = issued(&store, &asked(T0, &[7, 8])).await;
        assert_eq!(first.destination_tag, 7);
        let second = issued(&store, &asked(T0, &[7, 8])).await;
        assert_eq!(second.destination_tag, 8, "the first tag is taken");
        let mut elsewhere = asked(T0, &[7]);
        elsewhere.invoice.wallet = "till".to_owned();
        assert_eq!(issued(&store, &elsewhere).await.destination_tag, 7);
        let none = store.issue(&asked(T0, &[7, 8])).await.unwrap();
        assert_eq!(none, IssueOutcome::NoTagFree);
        // One that waits keeps its tag for as long as it waits.
        let later = T0.plus_ms(400 * DAY_MS);
        assert_eq!(store.issue(&asked(later, &[7])).await.unwrap(), IssueOutcome::NoTagFree);
        let ended = T0.plus_ms(5);
        assert!(matches!(cancelled(&store, first.id, ended).await, CancelOutcome::Done(_)));
        let resting = ended.plus_ms(DAY_MS);
        assert_eq!(store.issue(&asked(resting, &[7])).await.unwrap(), IssueOutcome::NoTagFree);
        let rested = issued(&store, &asked(resting.plus_ms(1), &[7])).await;
        assert_eq!(rested.destination_tag, 7);
        assert!(store.invoice(first.id).await.unwrap().is_some(), "the old one is still there");
        let refused = bed.try_raw("update invoices set tag_held = 1").await;
        assert!(refused.is_err(), "the database itself refuses two holders of a tag");
    }

    async fn a_key_is_looked_up_and_never_makes_a_second_invoice(bed) {
        let store = anchored(bed).await;
        let under = |tag, print| NewInvoice {
            idempotency_key: Some("k".to_owned()),
            fingerprint: [print; 32],
            ..asked(T0, &[tag])
        };
        assert_eq!(store.issued_under(CLIENT, "k", [1; 32]).await.unwrap(), None);
        let made = issued(&store, &under(7, 1)).await;
        let again = store.issue(&under(8, 1)).await.unwrap();
        assert_eq!(again, IssueOutcome::Replayed(made.clone()));
        assert_eq!(store.issue(&under(8, 2)).await.unwrap(), IssueOutcome::KeyReused);
        let known = store.issued_under(CLIENT, "k", [1; 32]).await.unwrap();
        assert_eq!(known, Some(IssueOutcome::Replayed(made)));
        assert_eq!(store.issued_under("other", "k", [1; 32]).await.unwrap(), None);
        let mut others = under(9, 1);
        others.invoice.client = "other".to_owned();
        issued(&store, &others).await;
        let mut bad = asked(T0, &[10]);
        bad.invoice.reference = Some("a\0b".to_owned());
        let refused = store.issue(&bad).await.unwrap_err();
        assert!(matches!(refused, StoreError::NulInText { field: "reference" }));
    }

    async fn who_asks_at_the_same_moment_gets_a_tag_of_their_own(bed) {
        let store = anchored(bed).await;
        let mut asking = JoinSet::new();
        for _ in 0..24 {
            let (store, new) = (store.clone(), asked(T0, &(1..=24).collect::<Vec<_>>()));
            asking.spawn(async move { issued(&store, &new).await.destination_tag });
        }
        let tags: BTreeSet<u32> = asking.join_all().await.into_iter().collect();
        assert_eq!(tags.len(), 24);
        let mut asking = JoinSet::new();
        for n in 0..12_u32 {
            let new = NewInvoice {
                idempotency_key: Some("k".to_owned()),
                ..asked(T0, &[100 + n])
            };
            let store = store.clone();
            asking.spawn(async move { store.issue(&new).await.unwrap() });
        }
        let outcomes = asking.join_all().await;
        let created = |outcome: &&IssueOutcome| matches!(outcome, IssueOutcome::Created(_));
        assert_eq!(outcomes.iter().filter(created).count(), 1);
    }

    async fn only_who_issued_an_invoice_calls_it_off_and_only_once(bed) {
        let store = anchored(bed).await;
        let made = issued(&store, &asked(T0, &[7])).await;
        let now = T0.plus_ms(5);
        let stranger = store.cancel_invoice(made.id, Some("other"), 0, now).await.unwrap();
        assert_eq!(stranger, CancelOutcome::NotFound);
        let mut cancelling = JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            cancelling.spawn(async move { cancelled(&store, made.id, now).await });
        }
        let outcomes = cancelling.join_all().await;
        let done = |outcome: &&CancelOutcome| matches!(outcome, CancelOutcome::Done(_));
        assert_eq!(outcomes.iter().filter(done).count(), 1);
        let after = store.invoice(made.id).await.unwrap().unwrap();
        assert_eq!((after.status, after.version), (InvoiceStatus::Cancelled, 2));
        let anybody = store.cancel_invoice(made.id, None, 0, now).await.unwrap();
        let why = Illegal::Final("cancelled");
        assert_eq!(anybody, CancelOutcome::Illegal { invoice: after, why });
        let told = store.feed(0, &FeedFilter::default(), 10).await.unwrap();
        let [told] = &told[..] else { panic!("{told:?}") };
        assert_eq!((told.object.as_str(), told.type_.as_str()), ("invoice", "invoice.cancelled"));
        assert_eq!((told.version, told.client.as_str()), (2, CLIENT));
        assert_eq!(told.data["status"], "cancelled");
        assert_eq!(told.data["destination_tag"], 7);
    }

    async fn a_row_that_contradicts_itself_is_never_an_invoice(bed) {
        let store = anchored(bed).await;
        let made = issued(&store, &asked(T0, &[7])).await;
        for wrong in [
            "received = '5'",
            "received = '10'",
            "overpaid = 1",
            "paid_late = 1",
            "asset = 'nothing'",
            "amount = '0'",
            "amount = 'ten'",
            "metadata = '[]'",
            "account = 'me'",
        ] {
            let before = bed.word("select received || '|' || asset || '|' || amount || '|' || metadata || '|' || account from invoices").await;
            bed.raw(&format!("update invoices set {wrong}")).await;
            let read = store.invoice(made.id).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{wrong}: {read:?}");
            let [received, asset, amount, metadata, account] =
                before.split('|').collect::<Vec<_>>().try_into().unwrap();
            bed.raw(&format!(
                "update invoices set overpaid = 0, paid_late = 0, received = '{received}', \
                 asset = '{asset}', amount = '{amount}', metadata = '{metadata}', account = '{account}'"
            )).await;
        }
        assert_eq!(store.invoice(made.id).await.unwrap(), Some(made));
    }

    async fn pages_hold_every_invoice_once_newest_first(bed) {
        let store = anchored(bed).await;
        let mut made = Vec::new();
        for n in 0..9_u32 {
            // Several of one moment are told apart by their ids.
            let invoice = issued(&store, &asked(T0.plus_ms(i64::from(n / 3)), &[n + 1])).await;
            if n % 2 == 0 {
                cancelled(&store, invoice.id, T0).await;
            }
            made.insert(0, invoice.id);
        }
        for filter in [
            InvoiceFilter::default(),
            InvoiceFilter { client: Some(CLIENT.to_owned()), ..InvoiceFilter::default() },
            InvoiceFilter { reference: Some("order 7".to_owned()), ..InvoiceFilter::default() },
        ] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = store.invoices(&filter, &Page { cursor, limit: 2 }).await.unwrap();
                seen.extend(page.items.iter().map(|shown| shown.invoice.id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, made, "{filter:?}");
        }
        let gone = Page { cursor: Some(InvoiceId(1)), limit: 2 };
        let page = store.invoices(&InvoiceFilter::default(), &gone).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}
