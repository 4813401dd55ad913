//! Behind a pooler that deals out the server's connections by the transaction, with fewer of them than
//! one daemon asks for: nothing relies on a session.

use super::bed::*;
use crate::support::held::Held as _;
use crate::support::pgbouncer::{Pgbouncer, SERVER_CONNECTIONS};
use std::time::Duration;
use xrpayd::store::{
    AcceptOutcome, Access, FeedFilter, PaymentFilter, Pooler, Store, StoreConfig, StoreError,
};
use xrpayd::supervise::Supervisor;
use xrpayd_core::payment::Status;

/// Rounds of work at once; each touches the statements of all.
const WORKERS: usize = 24;

fn behind(pooler: &Pgbouncer) -> StoreConfig {
    StoreConfig {
        pooler: Pooler::Transaction,
        acquire_timeout: Duration::from_secs(20),
        ..StoreConfig::new(&pooler.url)
    }
}

async fn bed_and_pooler() -> Option<(Bed, Pgbouncer)> {
    let bed = Bed::postgres().await?;
    let pooler = Pgbouncer::before(&bed.url).await?;
    Some((bed, pooler))
}

#[tokio::test]
async fn a_pooler_that_is_not_named_is_noticed_before_any_statement_is_prepared() {
    let Some((bed, pooler)) = bed_and_pooler().await else {
        return;
    };
    for access in [Access::Daemon, Access::Tool] {
        let error = Store::open(&StoreConfig::new(&pooler.url), access)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Config(_)), "{error:?}");
        assert!(
            error.to_string().contains("store.pooler = \"transaction\""),
            "{error}"
        );
    }
    let tables = "select cast(count(*) as bigint) from pg_tables where schemaname = 'public'";
    assert_eq!(bed.number(tables).await, 0, "nothing was migrated");
    // And one that is named does no harm where there is none.
    let direct = StoreConfig {
        pooler: Pooler::Transaction,
        ..bed.config()
    };
    let store = Store::open(&direct, Access::Daemon).await.unwrap();
    accepted(&store, request("key", "1", T0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemons_that_start_at_once_behind_a_pooler_migrate_once() {
    let Some((bed, pooler)) = bed_and_pooler().await else {
        return;
    };
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let config = behind(&pooler);
            tokio::spawn(async move { Store::open(&config, Access::Daemon).await })
        })
        .collect();
    for opener in openers {
        opener.await.unwrap().unwrap();
    }
    let rows = "select cast(count(*) as bigint) from limit_state";
    assert_eq!(bed.number(rows).await, 1);
    let locks = "select cast(count(*) as bigint) from pg_locks where locktype = 'advisory' \
                 and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(
        bed.number(locks).await,
        0,
        "no lock outlived its transaction"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_behind_a_pooler_each_get_their_own_answers() {
    let Some((bed, pooler)) = bed_and_pooler().await else {
        return;
    };
    let supervisor = Supervisor::new();
    // Two daemons: what one prepared would be the other's under the same name.
    let mut stores = Vec::new();
    for _ in 0..2 {
        let store = Store::open(&behind(&pooler), Access::Daemon).await.unwrap();
        store.start_accept_writer(&supervisor);
        stores.push(store);
    }
    stores[0]
        .anchor_held(WALLET, account(1), 0, &cursor(100), None, T0)
        .await
        .unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let (key, amount) = (format!("key {n}"), format!("{}", n + 1));
                let payment = accepted(&store, request(&key, &amount, T0)).await;
                let again = store.accept(request(&key, &amount, T0)).await.unwrap();
                assert_eq!(again, AcceptOutcome::Replayed(payment.clone()));
                assert_eq!(
                    store.payment(payment.id).await.unwrap(),
                    Some(payment.clone())
                );
                let first = first_page(200);
                let listed = store
                    .payments(&PaymentFilter::default(), &first)
                    .await
                    .unwrap();
                assert!(listed.items.contains(&payment));
                cancel(&store, payment.id, None, T0.plus_ms(1)).await;
                store.limit_usage(T0).await.unwrap();
                store.ping().await.unwrap();
                payment.id
            })
        })
        .collect();
    for worker in workers {
        let id = worker.await.unwrap();
        let payment = stores[1].payment(id).await.unwrap().unwrap();
        assert_eq!(payment.status(), Status::Cancelled);
    }
    let told = stores[0]
        .feed(0, &FeedFilter::default(), 1_000)
        .await
        .unwrap();
    assert!(told.len() >= 2 * WORKERS, "{} events", told.len());
    let ours = "select cast(count(*) as bigint) from pg_stat_activity \
                where application_name = 'xrpayd' and datname = current_database()";
    assert!(bed.number(ours).await <= i64::from(SERVER_CONNECTIONS));
    supervisor.shutdown(Duration::from_secs(20)).await;
}
