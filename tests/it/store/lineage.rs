//! A wallet whose database has become another one: nothing is written before its engine has begun anew,
//! and nothing is called off that may have been paid.

use super::bed::*;
use crate::support::held::{Held as _, tenure};
use std::time::Duration;
use xrpayd::store::{Claim, CommitError, RulingOutcome, StoreError, Taken};
use xrpayd_core::ids::LedgerIndex;

/// As if the rows had been written by another server's primary, and not all of them had arrived.
const ANOTHER: &str = "update leases set lineage = 'another/1/00000001'";

fn is_refused<T>(answer: Result<T, CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::HistoryBroken(wallet))) if wallet == WALLET)
}

on_both_stores! {
    async fn in_another_history_nothing_is_written_before_the_wallet_goes_on_in_it(bed) {
        let store = anchored(bed).await;
        let held = tenure(&store, WALLET).await;
        let descent = store.descent(&held).await.unwrap();
        assert!(descent.known.is_none() && !descent.is_broken(), "from before there were any");
        store.settle_lineage(&held, &descent.here, None).await.unwrap();
        let settled = store.descent(&held).await.unwrap();
        assert_eq!(settled.known.as_ref(), Some(&settled.here));
        let payment = accepted(&store, request("key", "1", T0)).await;

        bed.raw(ANOTHER).await;
        let before = bed.everything().await;
        let change = signed(&payment, 70, T0);
        assert!(is_refused(store.commit_held(&commit_of(vec![change.clone()], T0)).await));
        let waits = store.wait_to_sign(&held, LedgerIndex(500)).await;
        assert!(is_refused(waits.map_err(CommitError::from)));
        let ruled = cancel(&store, payment.id, Some(CLIENT), T0).await;
        assert!(matches!(ruled, RulingOutcome::NotKnownYet(_)), "{ruled:?}");
        assert_eq!(bed.everything().await, before);
        let wallets = [WALLET, "cold"].map(str::to_owned);
        assert_eq!(store.left_behind(&wallets).await.unwrap(), [WALLET]);
        assert!(store.left_behind(&wallets[1..]).await.unwrap().is_empty());

        let descent = store.descent(&held).await.unwrap();
        assert!(descent.is_broken());
        let from = Some(LedgerIndex(130));
        let known = descent.known.as_ref().unwrap();
        let elsewhere = store.settle_lineage(&held, known, from).await;
        assert!(is_refused(elsewhere.map_err(CommitError::from)), "it became another one again");
        store.settle_lineage(&held, &descent.here, from).await.unwrap();
        assert_eq!(store.load_lane(WALLET).await.unwrap().sign_from, from);
        assert!(store.left_behind(&wallets).await.unwrap().is_empty());
        let ruled = cancel(&store, payment.id, Some(CLIENT), T0).await;
        assert!(matches!(ruled, RulingOutcome::NotKnownYet(_)), "the wallet waits: {ruled:?}");
        committed(&store, change).await;
    }

    async fn who_no_longer_holds_the_wallet_settles_nothing(bed) {
        let store = anchored(bed).await;
        let held = tenure(&store, WALLET).await;
        bed.raw(ANOTHER).await;
        let here = store.descent(&held).await.unwrap().here;
        let taken = store.take_lease(WALLET, "another", Duration::from_secs(3_600), Claim::Orphaned);
        let Ok(Taken::Yes(next)) = taken.await else { panic!("not taken") };
        let stale = store.settle_lineage(&held, &here, None).await;
        assert!(matches!(stale, Err(StoreError::LeaseLost(_))), "{stale:?}");
        assert!(store.descent(&next).await.unwrap().is_broken());
    }
}
