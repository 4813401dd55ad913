//! What a process makes of the answers to its questions about leases.

use super::*;
use crate::clock::SeededEntropy;
use crate::store::{Access, StoreConfig};
use std::sync::atomic::{AtomicU32, Ordering};
use xrpayd_core::ids::UnixMs;

/// A clock on which a second passes whenever somebody looks: between a question and its answer too.
#[derive(Default)]
struct Passing(AtomicU32);

impl Clock for Passing {
    fn now(&self) -> UnixMs {
        UnixMs(0)
    }

    fn monotonic(&self) -> Duration {
        seconds(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

/// A process that has to share its database, and a store beside it.
async fn process(folder: &tempfile::TempDir) -> (Arc<Leases>, Store) {
    let url = format!("sqlite://{}", folder.path().join("leases.db").display());
    let store = Store::open(&StoreConfig::new(url), Access::Daemon)
        .await
        .unwrap();
    let config = config::Lease {
        ttl: seconds(20),
        name: Some("first".to_owned()),
    };
    let clock = Arc::new(Passing::default());
    let leases = Leases::new(
        (
            &config,
            [("hot".to_owned(), LastRun::of(None, None, "hot"))].into(),
        ),
        store.clone(),
        clock,
        &SeededEntropy::new(1),
    );
    let mut leases = Arc::into_inner(leases).unwrap();
    leases.is_alone = false;
    (Arc::new(leases), store)
}

#[tokio::test]
async fn the_time_of_a_lease_counts_from_its_question() {
    let folder = tempfile::tempdir().unwrap();
    let (leases, _store) = process(&folder).await;
    let (held, hold) = leases
        .acquire("hot", &CancellationToken::new())
        .await
        .unwrap();
    // It was asked for at zero, and a quarter of its twenty seconds is left unused.
    assert_eq!(*held.until.borrow(), seconds(15));
    assert!(hold.lasts(), "at one second");
    leases.renew_once(false).await.unwrap();
    assert_eq!(*held.until.borrow(), seconds(17), "asked for at two");
    assert!(!held.lost.is_cancelled());
}

#[tokio::test]
async fn who_hears_that_a_lease_is_anothers_ends_at_once_and_gets_no_more_time() {
    let folder = tempfile::tempdir().unwrap();
    let (leases, store) = process(&folder).await;
    let (held, _hold) = leases
        .acquire("hot", &CancellationToken::new())
        .await
        .unwrap();
    let until = *held.until.borrow();
    let other = store.take_lease("hot", "other", seconds(20), Claim::Orphaned);
    let Taken::Yes(next) = other.await.unwrap() else {
        panic!("an orphan is taken");
    };
    assert_eq!(next.epoch, held.tenure.epoch + 1);
    leases.renew_once(false).await.unwrap();
    assert!(held.lost.is_cancelled());
    assert_eq!(*held.until.borrow(), until);
    // And what it gives back is not the other's.
    leases.release(&held.tenure).await;
    let board = store.lease_board().await.unwrap();
    assert_eq!(board.leases[0].holder.as_deref(), Some("other"));
}
