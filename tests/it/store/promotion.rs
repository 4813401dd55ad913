//! The store over a fail-over of PostgreSQL: it finds the new primary by itself, whether the old one is
//! dead or says nothing, and does not go back to an old one that returns.

use super::bed::{T0, fresh_postgres, request};
use crate::support::address::Address;
use crate::support::clusters::{Clusters, Replication};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd::store::{Access, Claim, FeedFilter, Store, StoreConfig, StoreError, Taken, Tenure};
use xrpayd_core::ids::LedgerIndex;

const DATABASE: &str = "pay";
/// How long anything may take on a busy machine. A statement is waited for far longer than that, so
/// nobody gets through by having waited for its end.
const PATIENCE: Duration = Duration::from_secs(60);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);

async fn clusters() -> Option<Clusters> {
    fresh_postgres().await?;
    let clusters = Clusters::start(Replication::Synchronous).await;
    clusters.primary().create_database(DATABASE).await;
    Some(clusters)
}

fn config(url: String) -> StoreConfig {
    StoreConfig {
        max_connections: 4,
        statement_timeout: STATEMENT_TIMEOUT,
        ..StoreConfig::new(url)
    }
}

async fn taken(store: &Store, who: &str) -> Tenure {
    let ttl = Duration::from_secs(60);
    match store.take_lease("hot", who, ttl, Claim::Orphaned).await {
        Ok(Taken::Yes(tenure)) => tenure,
        other => panic!("{other:?}"),
    }
}

/// What comes of many writes at once, each of which is answered before long.
async fn answers(store: &Store) -> Vec<Result<(), StoreError>> {
    let pings = (0..12).map(|_| store.ping());
    let answers = tokio::time::timeout(PATIENCE, futures_util::future::join_all(pings));
    answers.await.expect("nobody hangs")
}

/// Writes until it is done, and fails where that is for long.
async fn recovers(store: &Store) {
    let began = Instant::now();
    while let Err(error) = store.ping().await {
        assert!(error.retryable(), "{error:?}");
        assert!(began.elapsed() < PATIENCE, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("back after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_the_primary_is_found_now_and_after_every_promotion() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let url = clusters.url(DATABASE);
    let store = Store::open(&config(url.clone()), Access::Daemon)
        .await
        .unwrap();
    let held = taken(&store, "one").await;
    let here = store.descent(&held).await.unwrap().here;
    store.settle_lineage(&held, &here, None).await.unwrap();
    // The primary dies.
    clusters.primary_mut().kill();
    for answer in answers(&store).await {
        assert!(answer.unwrap_err().retryable());
    }
    clusters.promote().await;
    recovers(&store).await;
    // It is another history, in which no epoch of the last one is given out again.
    assert!(store.descent(&held).await.unwrap().is_broken());
    assert_eq!(held.epoch, 1);
    let next = taken(&store, "two").await;
    assert!(next.epoch > 1_000_000, "{next:?}");
    let stale = store.descent(&held).await;
    assert!(matches!(stale, Err(StoreError::LeaseLost(_))), "{stale:?}");
    // The one that was dead comes back as the standby, named first: nobody takes it for the primary.
    clusters.rejoin().await;
    clusters.replicate(Replication::Synchronous).await;
    let another = Store::open(&config(url), Access::Daemon).await.unwrap();
    another.ping().await.unwrap();
    // The primary says nothing any more, and hangs whoever has asked it.
    clusters.primary().freeze();
    for answer in answers(&store).await {
        assert!(answer.unwrap_err().retryable());
    }
    clusters.promote().await;
    recovers(&store).await;
    recovers(&another).await;
    // It goes on where it was held, and takes itself for the primary still.
    let beats = "select beats from heartbeat";
    clusters.standby().thaw();
    clusters
        .standby()
        .comes_true("select not pg_is_in_recovery()")
        .await;
    let before = clusters.primary().number(DATABASE, beats).await;
    let left_behind = clusters.standby().number(DATABASE, beats).await;
    for answer in answers(&store)
        .await
        .into_iter()
        .chain(answers(&another).await)
    {
        answer.unwrap();
    }
    assert_eq!(
        clusters.primary().number(DATABASE, beats).await,
        before + 24
    );
    assert_eq!(
        clusters.standby().number(DATABASE, beats).await,
        left_behind
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_moves_from_a_silent_primary_to_the_new_one_is_followed() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let address = Address::of(clusters.primary().port()).await;
    let url = clusters.primary().url(DATABASE);
    let url = url.replace(
        &format!(":{}/", clusters.primary().port()),
        &format!(":{}/", address.port),
    );
    let store = Store::open(&config(url), Access::Daemon).await.unwrap();
    for answer in answers(&store).await {
        answer.unwrap();
    }
    clusters.primary().freeze();
    let (answers, ()) = tokio::join!(answers(&store), async {
        clusters.promote().await;
        address.moves_to(clusters.primary().port());
    });
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(error.retryable(), "{error:?}");
    }
    recovers(&store).await;
}

/// A payment is asked for under each of these numbers, each of which is an event.
async fn told(store: &Store, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let began = Instant::now();
        while let Err(error) = store.accept(request(&format!("key {n}"), "1", T0)).await {
            assert!(error.retryable(), "{error:?}");
            assert!(began.elapsed() < PATIENCE, "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_was_further_than_an_asynchronous_promotion_misses_nothing_after_it() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let url = clusters.url(DATABASE);
    let store = Store::open(&config(url), Access::Daemon).await.unwrap();
    told(&store, 0..3).await;
    clusters.replicate(Replication::Asynchronous).await;
    clusters.cut().await;
    told(&store, 3..8).await;
    let read = store.feed_end().await.unwrap();
    assert_eq!(read, 8);
    clusters.primary_mut().kill();
    clusters.promote().await;
    recovers(&store).await;
    let filter = FeedFilter::default();
    // Nobody has told anything since: who was further waits, and is not turned away.
    let page = store.feed_page(read, &filter, 100).await.unwrap();
    assert!(page.events.is_empty() && page.at_end, "{page:?}");
    assert!(page.through > 1_000_000, "{page:?}");
    let whole = store.feed(0, &filter, 100).await.unwrap();
    assert_eq!(whole.len(), 3, "the promotion lost the others");
    // More than were lost, so that numbers which were given again would be behind the reader.
    told(&store, 8..10).await;
    let after = store.feed(read, &filter, 100).await.unwrap();
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(
        after.iter().all(|event| event.sequence > 1_000_000),
        "{after:?}"
    );
    assert_eq!(after[1].sequence, after[0].sequence + 1, "once is enough");
    let whole = store.feed(0, &filter, 100).await.unwrap();
    assert_eq!(
        whole.len(),
        5,
        "and who reads from the beginning reads over the gap"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_nobody_took_away_is_left_and_told_of() {
    let Some(mut clusters) = clusters().await else {
        return;
    };
    let url = clusters.url(DATABASE);
    let store = Store::open(&config(url), Access::Daemon).await.unwrap();
    let held = taken(&store, "one").await;
    let here = store.descent(&held).await.unwrap().here;
    store.settle_lineage(&held, &here, None).await.unwrap();
    store.survey_primaries().await.unwrap();
    assert!(store.rival_primaries().is_empty());
    clusters.replicate(Replication::Asynchronous).await;
    clusters.promote().await;
    // Nothing fails: the old one takes what it is told, as far as it knows it is the only one.
    store.ping().await.unwrap();
    assert!(!store.descent(&held).await.unwrap().is_broken());
    store.survey_primaries().await.unwrap();
    let old = format!("127.0.0.1:{}", clusters.standby().port());
    assert_eq!(store.rival_primaries(), [old]);
    recovers(&store).await;
    let stale = store.wait_to_sign(&held, LedgerIndex(1)).await;
    assert!(
        matches!(stale, Err(StoreError::HistoryBroken(_))),
        "{stale:?}"
    );
    clusters.rejoin().await;
    store.survey_primaries().await.unwrap();
    assert!(store.rival_primaries().is_empty());
}
