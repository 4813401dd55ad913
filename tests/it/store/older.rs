//! Whether a database is as new as what a machine signed last, and the wait of one that is not.

use super::bed::*;
use crate::support::held::tenure;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::payment::Slot;

on_both_stores! {
    async fn an_attempt_is_known_by_its_slot_and_its_hash_for_as_long_as_the_database_lives(bed) {
        let store = anchored(bed).await;
        let known = async |wallet: &str, slot, n| store.knows_attempt(wallet, slot, hash(n)).await.unwrap();
        assert!(!known(WALLET, Slot::Sequence(70), 70).await);
        let payment = accepted(&store, request("key", "1", T0)).await;
        let payment = committed(&store, signed(&payment, 70, T0)).await;
        assert!(known(WALLET, Slot::Sequence(70), 70).await);
        assert!(!known(WALLET, Slot::Ticket(70), 70).await);
        assert!(!known(WALLET, Slot::Sequence(71), 70).await);
        assert!(!known(WALLET, Slot::Sequence(70), 71).await);
        assert!(!known("cold", Slot::Sequence(70), 70).await);
        committed(&store, absent(&payment, T0)).await;
        assert!(known(WALLET, Slot::Sequence(70), 70).await, "an attempt that is over is known too");
    }

    async fn a_wait_is_only_ever_made_longer(bed) {
        let store = anchored(bed).await;
        let until = async || store.load_lane(WALLET).await.unwrap().sign_from;
        assert_eq!(until().await, None);
        for (asked, then) in [(120, 120), (110, 120), (130, 130)] {
            store.wait_to_sign(&tenure(&store, WALLET).await, LedgerIndex(asked)).await.unwrap();
            assert_eq!(until().await, Some(LedgerIndex(then)));
        }
    }
}
