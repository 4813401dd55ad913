//! What keeps a lease on PostgreSQL: it does not wait behind what the API asks, and a connection that is
//! silent costs it a fraction of a lease.

use super::bed::*;
use crate::support::address::Address;
use crate::support::held::tenure;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd::store::{Access, PaymentFilter, Replica, Store, StoreConfig, Tenure};

/// Far longer than anything here may take, also on a busy machine.
const LONG: Duration = Duration::from_secs(600);
/// Far longer than a renewal is waited for, and far shorter than anything else is.
const SOON: Duration = Duration::from_secs(60);

async fn renew(store: &Store, held: &Tenure) -> Vec<Tenure> {
    let replica = Replica {
        id: held.holder.clone(),
        name: "one".to_owned(),
        version: "1".to_owned(),
        is_draining: false,
    };
    let began = Instant::now();
    loop {
        match store
            .renew_leases(&replica, LONG, std::slice::from_ref(held))
            .await
        {
            Ok(renewed) => return renewed,
            Err(error) => assert!(error.retryable(), "{error:?}"),
        }
        assert!(began.elapsed() < SOON, "the lease is not renewed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_waits_behind_no_list() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let config = StoreConfig {
        max_connections: 2,
        acquire_timeout: LONG,
        lease_patience: Duration::from_secs(5),
        ..bed.config()
    };
    let store = Store::open(&config, Access::Daemon).await.unwrap();
    let held = tenure(&store, WALLET).await;
    let mut another = PgConnection::connect(&bed.url).await.unwrap();
    another.execute("begin").await.unwrap();
    let lock = "lock table payments in access exclusive mode";
    another.execute(lock).await.unwrap();
    let lists: Vec<_> = (0..6)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let filter = PaymentFilter::default();
                store.payments(&filter, &first_page(10)).await.map(|_| ())
            })
        })
        .collect();
    waiters(&bed.url, 2).await;
    let keeping = async {
        assert_eq!(renew(&store, &held).await, std::slice::from_ref(&held));
        assert_eq!(store.lease_board().await.unwrap().leases.len(), 1);
        assert!(store.shared_time().await.unwrap().is_some());
        assert!(store.release_lease(&held).await.unwrap());
    };
    let kept = tokio::time::timeout(SOON, keeping).await;
    kept.expect("nothing of it waits for the lists");
    assert!(lists.iter().all(|list| !list.is_finished()));
    another.execute("commit").await.unwrap();
    for list in lists {
        list.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_on_a_silent_connection_is_asked_again_over_another() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (address, store) = behind_an_address(&bed).await;
    let held = tenure(&store, WALLET).await;
    for _ in 0..2 {
        assert_eq!(renew(&store, &held).await, std::slice::from_ref(&held));
        address.silences();
    }
    assert_eq!(renew(&store, &held).await, [held]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_goes_silent_as_it_is_given_back_leaves_its_place_to_another() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (address, store) = behind_an_address(&bed).await;
    let held = tenure(&store, WALLET).await;
    // Ours, which has an end; and the driver's after it, which has none.
    for nth in [1, 2] {
        let before = address.swallowed();
        address.swallows_ping(nth);
        for _ in 0..5 {
            assert_eq!(renew(&store, &held).await, std::slice::from_ref(&held));
        }
        let swallowed = address.swallowed() - before;
        assert!(
            swallowed > 2,
            "{swallowed}: more often than there are places"
        );
    }
}

/// The bed's database by way of an address of one's own, and a store that knows only that.
async fn behind_an_address(bed: &Bed) -> (Address, Store) {
    let port = bed.number("select inet_server_port()::bigint").await;
    let address = Address::of(u16::try_from(port).unwrap()).await;
    let config = StoreConfig {
        acquire_timeout: LONG,
        statement_timeout: LONG,
        lease_patience: Duration::from_secs(1),
        ..StoreConfig::new(address.instead_of(&bed.url))
    };
    let store = Store::open(&config, Access::Daemon).await.unwrap();
    (address, store)
}
