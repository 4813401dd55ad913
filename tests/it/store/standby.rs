//! Lists that are read on a standby: nobody is shown less than he was told, whatever the standby does.

use super::bed::*;
use crate::support::clusters::{Clusters, Replication, Server};
use std::time::{Duration, Instant};
use xrpayd::store::{Access, DepositFilter, InvoiceFilter, PaymentFilter, Store, StoreConfig};
use xrpayd_core::ids::PaymentId;

const PATIENCE: Duration = Duration::from_secs(60);

async fn open(primary: &Server, read_url: String) -> Store {
    let config = StoreConfig {
        read_url: Some(read_url),
        acquire_timeout: Duration::from_secs(2),
        read_lag: Duration::from_millis(200),
        ..StoreConfig::new(primary.url("books"))
    };
    Store::open(&config, Access::Daemon).await.unwrap()
}

/// The ids on the first page of the list.
async fn listed(store: &Store) -> Vec<PaymentId> {
    let page = first_page(200);
    let listed = store.payments(&PaymentFilter::default(), &page).await;
    listed.unwrap().items.iter().map(|item| item.id).collect()
}

/// Accepts a payment by each of the stores and finds both in the list of the first.
async fn reads_what_was_written(reader: &Store, writers: [&Store; 2], key: &str) {
    for (n, writer) in writers.into_iter().enumerate() {
        let payment = accepted(writer, request(&format!("{key} {n}"), "1", T0)).await;
        assert!(listed(reader).await.contains(&payment.id), "{key}");
    }
}

/// How often lists looked into the table of payments of a server.
async fn scans(server: &Server) -> i64 {
    let sql = "select coalesce(sum(seq_scan + idx_scan), 0)::bigint from pg_stat_user_tables \
               where relname = 'payments'";
    server.number("books", sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shows_all_that_was_told_however_far_behind_or_gone_the_standby_is() {
    // Where there is no PostgreSQL to test on, that is said, and under CI it fails.
    if fresh_postgres().await.is_none() {
        return;
    }
    let clusters = Clusters::start(Replication::Asynchronous).await;
    clusters.primary().create_database("books").await;
    let store = open(clusters.primary(), clusters.standby().url("books")).await;
    let other = open(clusters.primary(), clusters.standby().url("books")).await;

    // It serves: what was written a moment ago, by another daemon too, is there.
    let deadline = Instant::now() + PATIENCE;
    let mut round = 0;
    while scans(clusters.standby()).await == 0 {
        reads_what_was_written(&store, [&store, &other], &format!("round {round}")).await;
        round += 1;
        assert!(Instant::now() < deadline, "the standby is never asked");
    }
    for round in 0..20 {
        reads_what_was_written(&store, [&store, &other], &format!("calm {round}")).await;
    }
    let page = first_page(10);
    let filter = InvoiceFilter::default();
    assert!(
        store
            .invoices(&filter, &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let page = first_page(10);
    let filter = DepositFilter::default();
    assert!(
        store
            .deposits(&filter, &page)
            .await
            .unwrap()
            .items
            .is_empty()
    );

    // It falls behind and stays there.
    clusters
        .standby()
        .execute("select pg_wal_replay_pause()")
        .await;
    reads_what_was_written(&store, [&store, &other], "behind").await;
    clusters
        .standby()
        .execute("select pg_wal_replay_resume()")
        .await;

    // It says nothing any more, with its connections open.
    listed(&other).await;
    clusters.standby().freeze();
    let began = Instant::now();
    reads_what_was_written(&other, [&store, &other], "silent").await;
    assert!(
        began.elapsed() < PATIENCE,
        "a list waits a moment and no longer"
    );
    clusters.standby().thaw();

    // And it is used again once it is back.
    let (before, deadline) = (scans(clusters.standby()).await, Instant::now() + PATIENCE);
    while scans(clusters.standby()).await == before {
        reads_what_was_written(&store, [&store, &other], &format!("back {round}")).await;
        round += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(Instant::now() < deadline, "the standby is not asked again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_history_is_never_read_from() {
    let Some(strange) = Bed::postgres().await else {
        return;
    };
    // It has the same tables, and rows of its own.
    let stranger = strange.open().await;
    let not_ours = accepted(&stranger, request("strange", "1", T0)).await;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::alone(folder.path()).await;
    server.create_database("books").await;
    let store = open(&server, strange.url.clone()).await;
    reads_what_was_written(&store, [&store, &store], "ours").await;
    assert!(!listed(&store).await.contains(&not_ours.id));
    // And one that was never there holds nothing up.
    let store = open(&server, "postgres://x@127.0.0.1:1/x".to_owned()).await;
    reads_what_was_written(&store, [&store, &store], "alone").await;
}

/// Writes by a store and finds it in its list. A list shows 200, so that little is written here that all
/// of it is on the first page.
async fn reads_its_own(store: &Store, lost: Option<PaymentId>, key: &str) {
    let payment = accepted(store, request(key, "1", T0)).await;
    let listed = listed(store).await;
    assert!(listed.len() < 200, "more than a page shows");
    assert!(listed.contains(&payment.id), "{key}");
    assert!(lost.is_none_or(|lost| !listed.contains(&lost)), "{key}");
}

/// The same for longer than a standby is left alone.
async fn reads_its_own_for_a_while(store: &Store, lost: Option<PaymentId>, key: &str) {
    for round in 0..14 {
        reads_its_own(store, lost, &format!("{key} {round}")).await;
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
}

/// The store of both servers, with its lists on a third.
async fn open_both(clusters: &Clusters, lists: &Server) -> Store {
    let config = StoreConfig {
        read_url: Some(lists.url("books")),
        acquire_timeout: Duration::from_secs(2),
        read_lag: Duration::from_millis(200),
        ..StoreConfig::new(clusters.url("books"))
    };
    Store::open(&config, Access::Daemon).await.unwrap()
}

/// Lists by the store until the server was asked.
async fn is_asked(store: &Store, server: &Server, key: &str) {
    let (before, deadline) = (scans(server).await, Instant::now() + PATIENCE);
    let mut round = 0;
    while scans(server).await == before {
        reads_its_own(store, None, &format!("{key} {round}")).await;
        round += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(Instant::now() < deadline, "{key}: the standby is not asked");
    }
}

/// A primary, the standby that will be promoted, and a third from which a store of the primary's lists.
async fn three() -> (Clusters, Server, Store) {
    let clusters = Clusters::start(Replication::Asynchronous).await;
    clusters.primary().create_database("books").await;
    let third = clusters.another_standby("three").await;
    let old = open(clusters.primary(), third.url("books")).await;
    (clusters, third, old)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_stays_on_the_log_of_the_last_primary_is_not_read_after_a_promotion() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let (mut clusters, third, old) = three().await;
    is_asked(&old, &third, "before").await;

    // The one that will be promoted receives nothing any more, the third goes on.
    clusters.cut().await;
    let lost = accepted(&old, request("lost", "1", T0)).await.id;
    for n in 0..2 {
        // So that it is further on the old log than the new primary will be on its own.
        clusters.primary().execute("select pg_switch_wal()").await;
        accepted(&old, request(&format!("more {n}"), "1", T0)).await;
    }
    is_asked(&old, &third, "ahead").await;
    clusters.promote_as_it_is().await;

    // Nobody has taken the old one away: it writes, and the third follows it.
    let new = open_both(&clusters, &third).await;
    for key in ["unfenced", "unfenced still"] {
        accepted(&old, request(&format!("old {key}"), "1", T0)).await;
        reads_its_own_for_a_while(&new, Some(lost), key).await;
    }
    // Nor is it read once the old one is gone.
    clusters.standby_mut().kill();
    reads_its_own_for_a_while(&new, Some(lost), "killed").await;
    // With the new primary's checkpoint neither, and one that follows the new primary is.
    clusters.primary().execute("checkpoint").await;
    reads_its_own_for_a_while(&new, Some(lost), "checkpoint").await;
    let fourth = clusters.another_standby("four").await;
    let new = open_both(&clusters, &fourth).await;
    is_asked(&new, &fourth, "after").await;
    reads_its_own_for_a_while(&new, Some(lost), "at last").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_went_over_to_a_new_primary_is_not_read_by_who_still_writes_to_the_old_one()
{
    if fresh_postgres().await.is_none() {
        return;
    }
    let (mut clusters, third, old) = three().await;
    // It hears of everything by way of the one that will be promoted, and so goes over with it.
    third.turns_to(clusters.standby()).await;
    let port = clusters.standby().port();
    let from_there = "select exists (select 1 from pg_stat_wal_receiver where status = 'streaming'";
    third
        .comes_true(&format!("{from_there} and sender_port = {port})"))
        .await;
    is_asked(&old, &third, "before").await;
    clusters.promote_as_it_is().await;
    for _ in 0..2 {
        // So that it is further than the old primary will be.
        clusters.primary().execute("create table filler ()").await;
        clusters.primary().execute("drop table filler").await;
        clusters.primary().execute("select pg_switch_wal()").await;
    }
    third
        .comes_true(&format!("{from_there} and received_tli = 2)"))
        .await;
    let end = "select (pg_current_wal_flush_lsn() - '0/0')::bigint";
    let end = clusters.standby().number("books", end).await;
    let ahead = format!("select pg_last_wal_replay_lsn() - '0/0' > {end} + 16000000");
    third.comes_true(&ahead).await;
    reads_its_own_for_a_while(&old, None, "old").await;
}
