//! Who may write a wallet: one holder at a time, and no write of one who no longer is.

use super::backfill::{advanced, begun, halves, past};
use super::bed::*;
use crate::support::held::tenure;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::Duration;
use xrpayd::store::{
    Before, Claim, CommitError, EndedAs, LaneCommit, Replica, Store, StoreError, Taken, Tenure,
};
use xrpayd_core::ids::LedgerIndex;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);
/// Over as soon as it has begun.
const OVER: Duration = Duration::ZERO;

fn replica(id: &str) -> Replica {
    Replica {
        id: id.to_owned(),
        name: format!("the {id}"),
        version: "1.2.3".to_owned(),
        is_draining: false,
    }
}

async fn take(store: &Store, who: &str, ttl: Duration) -> Taken {
    store
        .take_lease(WALLET, who, ttl, Claim::Vacant)
        .await
        .unwrap()
}

async fn taken(store: &Store, who: &str, ttl: Duration) -> Tenure {
    match take(store, who, ttl).await {
        Taken::Yes(tenure) => tenure,
        held => panic!("{who}: {held:?}"),
    }
}

fn is_lost<T>(answer: Result<T, CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::LeaseLost(wallet))) if wallet == WALLET)
}

async fn epochs(store: &Store) -> Vec<(u64, String, Option<EndedAs>)> {
    let log = store.lease_log(WALLET).await.unwrap().into_iter();
    log.map(|term| (term.epoch, term.holder, term.ended.map(|(_, how)| how)))
        .collect()
}

on_both_stores! {
    async fn of_two_who_ask_at_once_one_has_it_and_the_other_is_told_whose_it_is(bed) {
        let (one, other) = (bed.open().await, bed.open_with_writer_beside().await);
        for round in 1..=10 {
            let (a, b) = tokio::join!(take(&one, "a", LONG), take(&other, "b", LONG));
            let (tenure, held) = match (a, b) {
                (Taken::Yes(tenure), held @ Taken::HeldBy { .. })
                | (held @ Taken::HeldBy { .. }, Taken::Yes(tenure)) => (tenure, held),
                both => panic!("{both:?}"),
            };
            assert_eq!(tenure.epoch, round);
            let Taken::HeldBy { holder, left } = held else { panic!("{held:?}") };
            assert!(holder == "a" || holder == "b", "{holder}");
            assert!(left > LONG - Duration::from_secs(60) && left <= LONG, "{left:?}");
            assert!(one.release_lease(&tenure).await.unwrap());
        }
    }

    async fn what_was_given_back_is_had_at_once_and_epochs_never_repeat_or_go_back(bed) {
        let store = bed.open().await;
        let first = taken(&store, "a", LONG).await;
        assert_eq!(first.epoch, 1);
        assert!(store.release_lease(&first).await.unwrap());
        assert!(!store.release_lease(&first).await.unwrap(), "it is nobody's any more");
        let second = taken(&store, "b", LONG).await;
        // Who had it before gives nothing back that is another's now.
        assert!(!store.release_lease(&first).await.unwrap());
        assert!(matches!(take(&store, "a", LONG).await, Taken::HeldBy { .. }));
        // A replica whose taking got no answer takes it again.
        let third = taken(&store, "b", OVER).await;
        let fourth = taken(&store, "a", LONG).await;
        assert_eq!([second.epoch, third.epoch, fourth.epoch], [2, 3, 4]);
        let fifth = store.take_lease(WALLET, "c", LONG, Claim::Orphaned).await.unwrap();
        assert!(matches!(fifth, Taken::Yes(Tenure { epoch: 5, .. })), "{fifth:?}");
        // The row is as old as can be: the next epoch is the next one all the same.
        bed.raw("update leases set expires_at = 0, taken_at = 0").await;
        assert_eq!(taken(&store, "d", LONG).await.epoch, 6);
        let who = |n, who: &str, how| (n, who.to_owned(), how);
        assert_eq!(epochs(&store).await, [
            who(1, "a", Some(EndedAs::Released)),
            who(2, "b", Some(EndedAs::Released)),
            who(3, "b", Some(EndedAs::Expired)),
            who(4, "a", Some(EndedAs::TakenOver)),
            who(5, "c", Some(EndedAs::Expired)),
            who(6, "d", None),
        ]);
    }

    async fn a_lease_that_is_renewed_lasts_and_one_that_was_taken_comes_back_as_lost(bed) {
        let store = bed.open().await;
        let held = taken(&store, "a", OVER).await;
        let elsewhere = match store.take_lease("cold", "a", LONG, Claim::Vacant).await.unwrap() {
            Taken::Yes(tenure) => tenure,
            other => panic!("{other:?}"),
        };
        let both = [held.clone(), elsewhere.clone()];
        // It ran out, and nobody took it: it is still the holder's.
        assert_eq!(store.renew_leases(&replica("a"), LONG, &both).await.unwrap().len(), 2);
        assert!(matches!(take(&store, "b", LONG).await, Taken::HeldBy { .. }));
        assert_eq!(store.renew_leases(&replica("a"), OVER, &both).await.unwrap().len(), 2);
        let taken_over = taken(&store, "b", LONG).await;
        let left = store.renew_leases(&replica("a"), LONG, &both).await.unwrap();
        assert_eq!(left, [elsewhere]);
        // The renewal of another's changed nothing of it.
        let board = store.lease_board().await.unwrap();
        let lease = board.leases.iter().find(|lease| lease.wallet == WALLET).unwrap();
        assert_eq!((lease.holder.as_deref(), lease.epoch), (Some("b"), taken_over.epoch));
        assert_eq!(store.renew_leases(&replica("a"), LONG, &[]).await.unwrap(), []);
    }

    async fn an_epoch_that_a_copy_gave_out_again_is_another_holders(bed) {
        let store = anchored(bed).await;
        let stale = tenure(&store, WALLET).await;
        // A copy from before that taking is in the database's place, and another took its next epoch.
        bed.raw("update leases set holder = 'another'").await;
        assert!(is_lost(store.commit(&stale, &LaneCommit::new(WALLET, T0)).await));
        assert!(!store.release_lease(&stale).await.unwrap(), "it is another's");
        let (another, held) = (replica("another"), [stale]);
        assert_eq!(store.renew_leases(&another, LONG, &held).await.unwrap(), []);
        assert!(matches!(take(&store, "b", LONG).await, Taken::HeldBy { .. }));
    }

    async fn a_clock_that_went_back_lengthens_no_lease_and_nobodys_life(bed) {
        let store = bed.open().await;
        let ttl = Duration::from_millis(400);
        store.enter_replica(&replica("dead")).await.unwrap();
        let dead = taken(&store, "dead", ttl).await;
        // An hour back, as a primary whose clock is an hour behind takes over.
        bed.raw("update leases set expires_at = expires_at + 3600000").await;
        bed.raw("update replicas set seen_at = seen_at + 3600000").await;
        let board = store.lease_board().await.unwrap();
        assert!(board.leases[0].left <= ttl, "{board:?}");
        assert!(board.replicas[0].silent > Duration::from_secs(3_000), "{board:?}");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let next = loop {
            match take(&store, "b", LONG).await {
                Taken::Yes(next) => break next,
                Taken::HeldBy { left, .. } => assert!(left <= ttl, "{left:?}"),
            }
            assert!(tokio::time::Instant::now() < deadline, "a dead holder's lease goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(next.epoch, dead.epoch + 1);
    }

    async fn only_the_databases_clock_tells_when_a_lease_is_over(bed) {
        let store = bed.open().await;
        let short = Duration::from_millis(400);
        let asked = tokio::time::Instant::now();
        let tenure = taken(&store, "a", short).await;
        let until = async |who: &str| loop {
            match take(&store, who, short).await {
                Taken::Yes(tenure) => return tenure,
                Taken::HeldBy { left, .. } => {
                    assert!(left <= short, "{left:?}");
                    tokio::time::sleep(left.min(Duration::from_millis(20))).await;
                }
            }
        };
        assert_eq!(until("b").await.epoch, tenure.epoch + 1);
        // It lasted its time, and no argument of any call is a time of day.
        assert!(asked.elapsed() >= short - Duration::from_millis(5), "{:?}", asked.elapsed());
        let log = store.lease_log(WALLET).await.unwrap();
        let (ended, _) = log[0].ended.unwrap();
        assert!(ended.0 - log[0].taken_at.0 >= 399, "{log:?}");
    }

    async fn nothing_of_who_lost_the_lease_is_written(bed) {
        let store = begun(bed).await;
        let stale = tenure(&store, WALLET).await;
        let unread = past(&store).await;
        let [stretch, _] = halves();
        let step = advanced(&unread, &stretch);
        let payment = accepted(&store, request("key", "1", T0)).await;
        // Another has taken it; and given it back, so that nobody has it under the newest epoch.
        let given_back = match store.take_lease(WALLET, "b", LONG, Claim::Orphaned).await.unwrap() {
            Taken::Yes(tenure) => tenure,
            held @ Taken::HeldBy { .. } => panic!("{held:?}"),
        };
        assert!(store.release_lease(&given_back).await.unwrap());
        let never = Tenure { epoch: 99, ..stale.clone() };
        let before = bed.everything().await;
        for stale in [&stale, &given_back, &never] {
            for commit in [
                commit_of(vec![signed(&payment, 10, T0)], T0),
                LaneCommit { halt: Some("why".to_owned()), ..LaneCommit::new(WALLET, T0) },
                LaneCommit::new(WALLET, T0),
            ] {
                assert!(is_lost(store.commit(stale, &commit).await), "{commit:?}");
            }
            let (at, nothing) = (cursor(100), Before::default());
            let anchors = store.anchor_lane(stale, account(1), 0, &at, &nothing, T0);
            assert!(is_lost(anchors.await.map_err(CommitError::from)));
            let waits = store.wait_to_sign(stale, LedgerIndex(500));
            assert!(is_lost(waits.await.map_err(CommitError::from)));
            let remembers = store.remember(stale, &[], Some(LedgerIndex(7)));
            assert!(is_lost(remembers.await.map_err(CommitError::from)));
            let halts = store.halt_held(stale, "why", T0);
            assert!(is_lost(halts.await.map_err(CommitError::from)));
            assert!(is_lost(store.book_past(stale, &unread, &stretch.page, &step, T0).await));
        }
        assert_eq!(bed.everything().await, before);
        let record = store.load_lane(WALLET).await.unwrap();
        assert_eq!((record.halted, record.sign_from, record.recall), (None, None, None));
        // And what the holder writes is written, with the epoch under which it was signed.
        let held = taken(&store, "c", LONG).await;
        store.commit(&held, &commit_of(vec![signed(&payment, 10, T0)], T0)).await.unwrap();
        store.book_past(&held, &unread, &stretch.page, &step, T0).await.unwrap();
        let epoch = bed.number("select epoch from attempts").await;
        assert_eq!(u64::try_from(epoch).unwrap(), held.epoch);
    }

    async fn an_attempt_from_before_there_were_leases_stays_as_it_is(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        bed.raw("update attempts set epoch = null").await;
        committed(&store, submitted(&payment, T0)).await;
        assert_eq!(bed.number("select cast(count(*) as bigint) from attempts where epoch is null").await, 1);
        assert_eq!(store.load_lane(WALLET).await.unwrap().in_flight.len(), 1);
    }

    async fn replicas_are_seen_while_they_say_so_and_struck_out_when_they_end(bed) {
        let store = bed.open().await;
        bed.raw("insert into replicas (id, name, version, started_at, seen_at) values ('old', 'old', '1', 1, 1)").await;
        store.enter_replica(&replica("a")).await.unwrap();
        store.enter_replica(&replica("b")).await.unwrap();
        let draining = Replica { is_draining: true, ..replica("b") };
        store.renew_leases(&draining, LONG, &[]).await.unwrap();
        let seen = store.lease_board().await.unwrap().replicas;
        assert!(seen.iter().all(|seen| seen.silent < Duration::from_secs(60)), "{seen:?}");
        let seen: Vec<Replica> = seen.into_iter().map(|seen| seen.replica).collect();
        assert_eq!(seen, [replica("a"), draining]);
        store.leave_replica("a").await.unwrap();
        let left = store.lease_board().await.unwrap().replicas;
        assert_eq!(left.len(), 1);
        // One that was struck out while it was frozen enters itself again.
        store.renew_leases(&replica("a"), LONG, &[]).await.unwrap();
        assert_eq!(store.lease_board().await.unwrap().replicas.len(), 2);
    }
}

/// A connection that has locked what the statement names, until it is told to end its transaction.
async fn locked(bed: &Bed, sql: &'static str) -> PgConnection {
    let mut another = PgConnection::connect(&bed.url).await.unwrap();
    another.execute("begin").await.unwrap();
    another.execute(sql).await.unwrap();
    another
}

/// Commits that hold the lease, and takings, as they follow each other on PostgreSQL, where both can be
/// under way at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taking_waits_for_the_commit_that_is_under_way_and_renewing_does_not() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (store, other) = (anchored(&bed).await, bed.open().await);
    let held = tenure(&store, WALLET).await;
    let payment = accepted(&store, request("key", "1", T0)).await;
    // The commit finds the payment's row locked and waits in the middle, with the lease's row in hand.
    let mut another = locked(&bed, "select id from payments for update").await;
    let commit = commit_of(vec![signed(&payment, 10, T0)], T0);
    let (writer, tenure_of_writer) = (store.clone(), held.clone());
    let writing = tokio::spawn(async move { writer.commit(&tenure_of_writer, &commit).await });
    waiters(&bed.url, 1).await;
    let (mine, holder) = ([held.clone()], replica("the test"));
    let renewal = store.renew_leases(&holder, OVER, &mine);
    assert_eq!(renewal.await.unwrap(), mine, "renewing waits for nobody");
    let taking = tokio::spawn(async move { take(&other, "b", LONG).await });
    waiters(&bed.url, 2).await;
    assert!(!taking.is_finished() && !writing.is_finished());
    another.execute("commit").await.unwrap();
    writing.await.unwrap().unwrap();
    let Taken::Yes(next) = taking.await.unwrap() else {
        panic!("the lease had run out");
    };
    assert_eq!(next.epoch, held.epoch + 1);
    assert_eq!(store.load_lane(WALLET).await.unwrap().in_flight.len(), 1);
    assert!(is_lost(
        store.commit(&held, &LaneCommit::new(WALLET, T0)).await
    ));
}

/// A holder that freezes just when its commit waits for what somebody else has locked: nobody is there to
/// give up, and the lease's row is in the hand of a statement that the server still works on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_lock_keeps_no_successor_out() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let ttl = Duration::from_secs(2);
    let (store, other) = (anchored(&bed).await, bed.open().await);
    let payment = accepted(&store, request("key", "1", T0)).await;
    let counter = "select sequence from feed where mark = 'drawn' for update";
    let mut another = locked(&bed, counter).await;
    let of_the_bed = tenure(&store, WALLET).await;
    assert!(store.release_lease(&of_the_bed).await.unwrap());
    let held = taken(&store, "a", ttl).await;
    let began = tokio::time::Instant::now();
    let commit = commit_of(vec![signed(&payment, 10, T0)], T0);
    let writing = tokio::spawn(async move { store.commit(&held, &commit).await });
    waiters(&bed.url, 1).await;
    let next = loop {
        match other.take_lease(WALLET, "b", ttl, Claim::Vacant).await {
            Ok(Taken::Yes(next)) => break next,
            Ok(_) => {}
            Err(error) => assert!(matches!(error, StoreError::Contention(_)), "{error:?}"),
        }
        let waited = began.elapsed();
        assert!(waited < ttl + Duration::from_secs(1), "{waited:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(next.holder, "b");
    assert!(
        is_lost(writing.await.unwrap()),
        "it came again, and was not let in"
    );
    another.execute("rollback").await.unwrap();
    assert!(other.load_lane(WALLET).await.unwrap().in_flight.is_empty());
}
