//! PostgreSQL itself fails over: its primary dies or hangs, its standby is promoted, and whoever is
//! paid is paid once.

use crate::store::fresh_postgres;
use crate::support::clusters::{Clusters, Replication};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_and_the_old_primary_follows_it() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let mut clusters = Clusters::start(Replication::Synchronous).await;
    clusters.primary().create_database("pay").await;
    clusters.primary_mut().kill();
    clusters.promote().await;
    let there = "select exists (select 1 from pg_database where datname = 'pay')";
    clusters.primary().comes_true(there).await;
    clusters.primary().create_database("later").await;
    clusters.rejoin().await;
    clusters.replicate(Replication::Synchronous).await;
    clusters.primary_mut().kill();
    clusters.promote().await;
    clusters.primary().create_database("last").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_standby_did_not_receive_is_lost_with_the_primary() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let mut clusters = Clusters::start(Replication::Asynchronous).await;
    clusters.cut().await;
    clusters.primary().create_database("pay").await;
    clusters.primary().freeze();
    clusters.promote().await;
    let gone = "select not exists (select 1 from pg_database where datname = 'pay')";
    clusters.primary().comes_true(gone).await;
    clusters.standby().thaw();
    clusters
        .standby()
        .comes_true("select not pg_is_in_recovery()")
        .await;
}
