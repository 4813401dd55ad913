//! What the replicas' configurations say of limits: told under the lock of every accept, kept while nobody
//! said otherwise.

use super::bed::*;
use xrpayd::store::{AcceptOutcome, Holding, NewPayment, Occasion, Replica, Store};
use xrpayd_core::address::AccountId;
use xrpayd_core::limits::{Caps, ScopeCaps, ScopeRules, Word};
use xrpayd_core::payment::ApprovalRule;

const STAGE: &str = "internal";

fn replica(id: &str, name: &str) -> Replica {
    Replica {
        id: id.to_owned(),
        name: name.to_owned(),
        version: "1".to_owned(),
        is_draining: false,
    }
}

fn word(most: &str) -> Word {
    let caps = Caps {
        max_payment: xrp(most),
        ..roomy()
    };
    let one = ScopeCaps {
        max_payment: Some(xrp("7")),
        daily: None,
        max_pending: Some(3),
    };
    Word {
        stages: vec![(STAGE.to_owned(), caps), ("beta".to_owned(), roomy())],
        scopes: ScopeRules {
            every_client: ScopeCaps::NONE,
            clients: [("shop".to_owned(), one)].into(),
            every_destination: one,
            destinations: [(AccountId([7; 20]), ScopeCaps::NONE)].into(),
        },
        approval: Some(ApprovalRule {
            threshold: xrp("9"),
            expires_in_ms: 5,
        }),
    }
}

fn by(words: u32, key: &str) -> NewPayment {
    NewPayment {
        words,
        ..request(key, "5", T0)
    }
}

/// Who has said something.
async fn told(store: &Store) -> (u32, Vec<String>) {
    let words = store.limit_words().await.unwrap();
    let told = words.told.into_iter().map(|told| told.replica);
    (words.version, told.collect())
}

on_both_stores! {
    async fn what_is_told_is_read_as_it_was_said_and_accepts_by_older_words_are_refused(bed) {
        let store = bed.open_with_writer().await;
        store.begin_rollout(STAGE, T0).await.unwrap();
        accepted(&store, by(0, "before")).await;
        let said = word("20");
        store.tell_limits(&replica("a", "one"), &said, Occasion::Begins).await.unwrap();
        let words = store.limit_words().await.unwrap();
        assert_eq!((words.version, words.told.len()), (1, 1));
        assert_eq!((words.told[0].name.as_str(), &words.told[0].word), ("one", &said));
        assert!(!words.differ());

        let late = store.accept(by(0, "late")).await.unwrap();
        assert_eq!(late, AcceptOutcome::StageChanged { stage: STAGE.to_owned() });
        let again = store.accept(by(0, "before")).await.unwrap();
        assert!(matches!(again, AcceptOutcome::Replayed(_)), "{again:?}");
        accepted(&store, by(1, "late")).await;

        store.tell_limits(&replica("b", "two"), &word("10"), Occasion::Begins).await.unwrap();
        let words = store.limit_words().await.unwrap();
        assert!(words.differ() && words.version == 2);
        // What ends in order takes its word with it; what said nothing changes nothing.
        store.leave_replica("b").await.unwrap();
        store.leave_replica("c").await.unwrap();
        assert_eq!(told(&store).await, (3, vec!["a".to_owned()]));
        // Accepting moves the counts and no words.
        accepted(&store, by(3, "after")).await;
        assert_eq!(told(&store).await.0, 3);
    }

    async fn the_word_of_one_that_fell_silent_stands_until_somebody_says_otherwise(bed) {
        let store = bed.open().await;
        let [a, b, c] = [("a", "one"), ("b", "two"), ("c", "three")].map(|(id, name)| replica(id, name));
        for one in [&a, &b, &c] {
            store.tell_limits(one, &word("20"), Occasion::Begins).await.unwrap();
        }
        bed.raw("update replicas set seen_at = seen_at - 60000 where id in ('a', 'b')").await;
        let all: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(told(&store).await.1, all);
        // One of the same name takes its place, and only its.
        let successor = replica("d", "one");
        store.tell_limits(&successor, &word("20"), Occasion::Begins).await.unwrap();
        assert_eq!(told(&store).await.1, ["b", "c", "d"]);
        // An operator's hand, wherever: what the silent ones said is over.
        store.tell_limits(&c, &word("30"), Occasion::Rereads).await.unwrap();
        assert_eq!(told(&store).await.1, ["c", "d"]);
        // One that is forgotten counts no more.
        bed.raw("delete from replicas where id = 'd'").await;
        assert_eq!(told(&store).await.1, ["c"]);
    }

    async fn a_word_that_does_not_stand_is_said_again_and_one_that_does_is_not(bed) {
        let store = bed.open().await;
        let [a, b] = [("a", "one"), ("b", "two")].map(|(id, name)| replica(id, name));
        store.tell_limits(&a, &word("20"), Occasion::Begins).await.unwrap();
        store.tell_limits(&b, &word("20"), Occasion::Begins).await.unwrap();
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::Stood);
        let (version, _) = told(&store).await;
        // Lost with a database's last moments.
        bed.raw("delete from limit_words where replica = 'a'").await;
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::SaidAgain);
        assert_eq!(told(&store).await, (version + 1, vec!["a".to_owned(), "b".to_owned()]));
        // Told for a configuration that did not come into force.
        store.tell_limits(&a, &word("5"), Occasion::Rereads).await.unwrap();
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::SaidAgain);
        assert!(!store.limit_words().await.unwrap().differ());
        // Two of the same name: one that was killed moments before this one began, and one beside it.
        for id in ["before", "beside"] {
            store.tell_limits(&replica(id, "one"), &word("5"), Occasion::Begins).await.unwrap();
        }
        bed.raw("update replicas set seen_at = seen_at - 5000 where id = 'before'").await;
        bed.raw("update replicas set started_at = started_at - 2000 where id = 'a'").await;
        let (version, _) = told(&store).await;
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::Stood);
        assert_eq!(told(&store).await.0, version);
        // Time passes, and neither is heard of; nor is the one of another name.
        bed.raw("update replicas set seen_at = seen_at - 60000, started_at = started_at - 60000").await;
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::PredecessorsEnded);
        assert_eq!(told(&store).await, (version + 1, ["a", "b", "beside"].map(str::to_owned).into()));
        assert_eq!(store.hold_limits(&a, &word("20")).await.unwrap(), Holding::Stood);
    }

    async fn a_word_that_makes_no_sense_is_an_error(bed) {
        let store = bed.open().await;
        store.tell_limits(&replica("a", "one"), &word("20"), Occasion::Begins).await.unwrap();
        bed.raw("update limit_words set word = '{\"stages\":[]}'").await;
        assert!(store.limit_words().await.is_err());
    }
}
