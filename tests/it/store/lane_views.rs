//! What the holder of a wallet shows of it: only the holder, and told from what is over.

use super::bed::*;
use std::time::Duration;
use xrpayd::store::{Claim, LaneView, Store, Taken, Tenure};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

async fn taken(store: &Store, who: &str) -> Tenure {
    let taken = store.take_lease(WALLET, who, LONG, Claim::Vacant).await;
    match taken.unwrap() {
        Taken::Yes(tenure) => tenure,
        held => panic!("{who}: {held:?}"),
    }
}

async fn show(store: &Store, tenure: &Tenure, view: &str) {
    let views = [(tenure.clone(), view.to_owned())];
    store.show_lanes(&views).await.unwrap();
}

async fn shown(store: &Store) -> Option<LaneView> {
    store.shown_lanes().await.unwrap().pop()
}

fn says(view: Option<LaneView>) -> (String, bool) {
    let view = view.expect("something is shown");
    assert_eq!(view.wallet, WALLET);
    assert!(view.age < LONG, "{view:?}");
    (view.view, view.is_current)
}

on_both_stores! {
    async fn the_holder_shows_its_wallet_and_nobody_who_was_it_once(bed) {
        let store = bed.open().await;
        assert_eq!(shown(&store).await, None);
        let first = taken(&store, "a").await;
        show(&store, &first, "one").await;
        assert_eq!(says(shown(&store).await), ("one".to_owned(), true));
        show(&store, &first, "two").await;
        assert_eq!(says(shown(&store).await), ("two".to_owned(), true));

        assert!(store.release_lease(&first).await.unwrap());
        assert_eq!(says(shown(&store).await), ("two".to_owned(), false), "nobody holds it");
        show(&store, &first, "late").await;
        assert_eq!(says(shown(&store).await).0, "two", "it is not the holder's any more");

        let next = taken(&store, "b").await;
        assert_eq!(says(shown(&store).await), ("two".to_owned(), false), "another holds it");
        show(&store, &first, "late").await;
        assert_eq!(says(shown(&store).await).0, "two");
        show(&store, &next, "three").await;
        assert_eq!(says(shown(&store).await), ("three".to_owned(), true));
    }

    async fn a_lease_that_ran_out_makes_nothing_current(bed) {
        let store = bed.open().await;
        let brief = store.take_lease(WALLET, "a", Duration::ZERO, Claim::Vacant).await.unwrap();
        let Taken::Yes(tenure) = brief else { panic!("{brief:?}") };
        show(&store, &tenure, "one").await;
        assert_eq!(says(shown(&store).await), ("one".to_owned(), false));
    }
}
