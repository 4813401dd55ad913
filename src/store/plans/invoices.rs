//! That the statements of invoices stand on their indexes.

use super::*;
use xrpayd_core::amount::Amount;
use xrpayd_core::deposit::{Counted, Credit};
use xrpayd_core::ids::InvoiceId;
use xrpayd_core::invoice::{Invoice, InvoiceStatus};

fn asked(n: u32) -> NewInvoice {
    let amount = Amount::Xrp(Drops::new(5).unwrap());
    NewInvoice {
        invoice: Invoice {
            id: InvoiceId(u128::from(n)),
            version: 1,
            client: "shop".to_owned(),
            wallet: "hot".to_owned(),
            account: AccountId([1; 20]),
            destination_tag: 0,
            issued_after: None,
            amount,
            tolerance_bps: 0,
            status: InvoiceStatus::Open,
            overpaid: false,
            paid_late: false,
            received: amount.asset().zero(),
            reference: Some("ref".to_owned()),
            metadata: Default::default(),
            expires_at: T0,
            created_at: T0,
            updated_at: T0,
            ended_at: None,
        },
        idempotency_key: Some(format!("key {n}")),
        fingerprint: [0; 32],
        tags: vec![7, n],
        rested_since: T0,
    }
}

/// A page with a credit to the tag of the first invoice and one to nobody's, read through a ledger from
/// after the end of both.
fn page() -> LaneCommit {
    let credit = |place: u32, tag: u32| Credit {
        hash: TxHash([u8::try_from(tag).unwrap(); 32]),
        ledger_index: LedgerIndex(101),
        tx_index: place,
        closed_at: T0,
        transaction_type: "Payment".to_owned(),
        from: None,
        source_tag: None,
        destination_tag: Some(tag),
        amount: Counted::Exact(Amount::Xrp(Drops::new(5).unwrap())),
        is_return: false,
    };
    LaneCommit {
        journal: Some(JournalCommit {
            from: LedgerIndex(101),
            cursor: Cursor {
                at: LedgerIndex(102),
                ..anchor()
            },
            entries: Vec::new(),
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits: vec![credit(0, 7), credit(1, 99)],
            closed_at: Some(T0.plus_ms(1)),
        }),
        ..LaneCommit::new("hot", T0)
    }
}

fn anchor() -> Cursor {
    Cursor {
        start: LedgerIndex(100),
        at: LedgerIndex(100),
        at_hash: LedgerHash([1; 32]),
        next_sequence: 5,
        balance: Drops::ZERO,
        owner_count: 0,
    }
}

#[tokio::test]
async fn no_statement_of_invoices_reads_their_table_from_end_to_end() {
    for (store, _folder) in stores().await {
        let is_sqlite = matches!(store.db().dialect(), Dialect::Sqlite(_));
        let mut seen = plans_of(async { store.issue(&asked(8)).await.unwrap() }).await;
        // The second one finds its first tag taken, and the key of nobody.
        seen.extend(plans_of(async { store.issue(&asked(9)).await.unwrap() }).await);
        let key = store.issued_under("shop", "key 8", [0; 32]);
        seen.extend(plans_of(async { key.await.unwrap() }).await);
        let id = InvoiceId(8);
        let account = AccountId([1; 20]);
        let tenure = leases::held(&store).await;
        store
            .anchor_lane(&tenure, account, 0, &anchor(), &Before::default(), T0)
            .await
            .unwrap();
        let read = plans_of(async { store.commit(&tenure, &page()).await.unwrap() }).await;
        for index in ["invoices_held_tag", "invoices_waiting"] {
            let walks = read.iter().any(|(_, plan)| plan.contains(index));
            assert!(walks || !is_sqlite, "nothing uses {index}: {read:#?}");
        }
        seen.extend(read);
        let shown = store.shown_invoice(id);
        seen.extend(plans_of(async { shown.await.unwrap() }).await);
        seen.extend(plans_of(async { store.invoice(id).await.unwrap() }).await);
        let cancel = store.cancel_invoice(id, None, 0, T0);
        seen.extend(plans_of(async { cancel.await.unwrap() }).await);
        for client in [None, Some("shop".to_owned())] {
            for status in std::iter::once(None).chain(InvoiceStatus::ALL.map(Some)) {
                for reference in [None, Some("ref".to_owned())] {
                    let filter = InvoiceFilter {
                        client: client.clone(),
                        status,
                        reference: reference.clone(),
                        created_after: Some(T0),
                        created_before: None,
                    };
                    let page = Page {
                        cursor: Some(id),
                        limit: 50,
                    };
                    let list = plans_of(async { store.invoices(&filter, &page).await.unwrap() });
                    let list = list.await;
                    let index = match (&reference, &client) {
                        (Some(_), _) => "invoices_by_reference",
                        (None, Some(_)) => "invoices_by_client",
                        (None, None) => "invoices_by_status",
                    };
                    // PostgreSQL weighs indexes by statistics that a test's tables do not have.
                    let walks = list.iter().any(|(_, plan)| plan.contains(index));
                    assert!(walks || !is_sqlite, "{filter:?}: {list:#?}");
                    seen.extend(list);
                }
            }
        }
        for (sql, plan) in &seen {
            assert_eq!(scans(plan), Vec::<&str>::new(), "{sql}\n{plan}");
        }
    }
}
