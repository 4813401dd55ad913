//! Lists: every filter against the slow way of filtering, and pages that meet without a gap.

use super::bed::*;
use std::collections::HashSet;
use xrpayd::store::{Page, PaymentFilter, Store};
use xrpayd_core::ids::PaymentId;
use xrpayd_core::payment::{Payment, Status};

/// Payments of two clients in every status, some under one reference, to three destinations.
async fn populate(store: &Store) -> Vec<Payment> {
    let mut all = Vec::new();
    for n in 0..60_u32 {
        let at = T0.plus_ms(i64::from(n / 3) * 10);
        let mut new = request(&format!("key {n}"), "1", at);
        new.client = ["shop", "kiosk"][usize::from(n % 4 == 1)].to_owned();
        new.order.destination = account(u8::try_from(n % 3).unwrap());
        new.order.reference = (n % 5 < 2).then(|| format!("ref {}", n % 5));
        let payment = accepted(store, new).await;
        all.push(match n % 7 {
            0 | 1 => payment,
            2 | 3 => delivered(store, &payment, 10 + n, at).await,
            4 => {
                let flying = committed(store, signed(&payment, 10 + n, at)).await;
                committed(store, found(&flying, "tecNO_DST", at)).await
            }
            5 => {
                cancel(store, payment.id, None, at).await;
                store.payment(payment.id).await.unwrap().unwrap()
            }
            _ => committed(store, signed(&payment, 10 + n, at)).await,
        });
    }
    all
}

fn lets_through(filter: &PaymentFilter, payment: &Payment) -> bool {
    filter
        .client
        .as_ref()
        .is_none_or(|client| payment.client == *client)
        && filter
            .status
            .is_none_or(|status| payment.status() == status)
        && filter.reference.is_none() | (payment.order.reference == filter.reference)
        && filter
            .destination
            .is_none_or(|to| payment.order.destination == to)
        && filter
            .created_after
            .is_none_or(|from| payment.created_at >= from)
        && filter
            .created_before
            .is_none_or(|before| payment.created_at < before)
}

fn filters() -> Vec<PaymentFilter> {
    let mut filters = Vec::new();
    for client in [None, Some("shop"), Some("kiosk"), Some("nobody")] {
        for status in std::iter::once(None).chain(Status::ALL.map(Some)) {
            for names in 0..4_u8 {
                for window in [false, true] {
                    filters.push(PaymentFilter {
                        house: false,
                        client: client.map(str::to_owned),
                        status,
                        reference: (names & 1 > 0).then(|| "ref 1".to_owned()),
                        destination: (names & 2 > 0).then(|| account(2)),
                        created_after: window.then(|| T0.plus_ms(40)),
                        created_before: window.then(|| T0.plus_ms(150)),
                    });
                }
            }
        }
    }
    filters
}

async fn ids(store: &Store, filter: &PaymentFilter, limit: u32) -> Vec<PaymentId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store
            .payments(filter, &Page { cursor, limit })
            .await
            .unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        assert!(page.next.is_none() || page.next == page.items.last().map(|payment| payment.id));
        found.extend(page.items.iter().map(|payment| payment.id));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

on_both_stores! {
    async fn every_filter_lets_through_what_it_says_newest_first(bed) {
        let store = anchored(bed).await;
        let mut all = populate(&store).await;
        all.sort_by_key(|payment| std::cmp::Reverse((payment.created_at, payment.id)));
        let mut seen = HashSet::new();
        for filter in filters() {
            let expected: Vec<_> =
                all.iter().filter(|payment| lets_through(&filter, payment)).map(|payment| payment.id).collect();
            assert_eq!(ids(&store, &filter, 200).await, expected, "{filter:?}");
            seen.insert(expected.len());
        }
        assert!(seen.len() > 10, "the filters are worth something: {seen:?}");
    }

    async fn pages_of_any_size_meet_without_a_gap_or_an_overlap(bed) {
        let store = anchored(bed).await;
        populate(&store).await;
        for filter in filters().into_iter().filter(|filter| filter.created_after.is_none()) {
            let whole = ids(&store, &filter, 200).await;
            assert_eq!(ids(&store, &filter, 7).await, whole, "{filter:?}");
        }
        let unknown = Page { cursor: Some(id_at(T0)), limit: 5 };
        assert_eq!(store.payments(&PaymentFilter::default(), &unknown).await.unwrap().items, []);
    }

    async fn a_page_bears_the_payments_whole(bed) {
        let store = anchored(bed).await;
        let all = populate(&store).await;
        let page = store.payments(&PaymentFilter::default(), &first_page(0)).await.unwrap();
        assert_eq!(page.items.len(), 1, "at least one");
        assert!(all.contains(&page.items[0]));
        let page = store.payments(&PaymentFilter::default(), &first_page(999)).await.unwrap();
        assert_eq!((page.items.len(), page.next), (60, None));
        for payment in page.items {
            assert!(all.contains(&payment), "{payment:?}");
        }
    }
}
