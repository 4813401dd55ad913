//! Whoever stops waiting for PostgreSQL leaves nothing behind on a connection that goes to the next one.

use super::bed::*;
use std::time::Duration;
use tokio::time::Instant;
use xrpayd::store::{Access, PaymentFilter, Store, StoreConfig};

/// Far longer than anything here may take, also on a busy machine.
const LONG: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_waiting_at_any_moment_leaves_no_transaction_open() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let config = StoreConfig {
        max_connections: 4,
        // Nobody but the store itself ends what is left open.
        idle_in_transaction_timeout: LONG,
        statement_timeout: LONG,
        ..bed.config()
    };
    let store = Store::open(&config, Access::Daemon).await.unwrap();
    let filter = PaymentFilter::default();
    for n in 0..400_u64 {
        // From before the beginning is sent until after its answer is there.
        let patience = Duration::from_micros(n * 5);
        let page = first_page(10);
        let (reads, writes) = (store.payments(&filter, &page), store.ping());
        if n % 2 == 0 {
            let _ = tokio::time::timeout(patience, reads).await;
        } else {
            let _ = tokio::time::timeout(patience, writes).await;
        }
    }
    let left_open = "select count(*) from pg_stat_activity \
                     where datname = current_database() and state = 'idle in transaction'";
    let began = Instant::now();
    while bed.number(left_open).await > 0 {
        assert!(began.elapsed() < SOON, "transactions are left open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..8 {
        store.ping().await.unwrap();
    }
}
