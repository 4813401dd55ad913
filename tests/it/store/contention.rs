//! Transactions that PostgreSQL ends because of others: they are run again, where nothing of them was
//! done. And servers whose defaults are not ours.

use super::bed::*;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use xrpayd::store::{AcceptOutcome, Access, Store, StoreConfig, StoreError};
use xrpayd_core::limits::Caps;

const PATIENCE: Duration = Duration::from_secs(30);
const PAYMENTS: &str = "select cast(count(*) as bigint) from payments";

async fn until(bed: &Bed, sql: &str, wanted: i64) {
    let deadline = Instant::now() + PATIENCE;
    while bed.number(sql).await < wanted {
        assert!(Instant::now() < deadline, "never {wanted}: {sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_is_ended_by_a_deadlock_is_run_again_and_succeeds() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = bed.open().await;
    let payment = accepted(&store, request("key", "1", T0)).await;
    let mut other = PgConnection::connect(&bed.url).await.unwrap();
    // The server looks for a deadlock on behalf of who waits longest: not of this one.
    other.execute("set deadlock_timeout = '60s'").await.unwrap();
    let mut held = other.begin().await.unwrap();
    held.execute("select * from limit_state for update")
        .await
        .unwrap();
    let canceller = {
        let store = store.clone();
        tokio::spawn(async move { cancel(&store, payment.id, None, T0.plus_ms(1)).await })
    };
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' \
                   and datname = current_database()";
    until(&bed, waiting, 1).await;
    // It has locked the payment and waits for the limits.
    held.execute("select * from payments for update")
        .await
        .unwrap();
    held.commit().await.unwrap();
    let outcome = tokio::time::timeout(PATIENCE, canceller)
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(outcome, xrpayd::store::RulingOutcome::Done(_)),
        "{outcome:?}"
    );
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    until(&bed, deadlocks, 1).await;
    let ends = "select cast(count(*) as bigint) from events where type = 'payment.cancelled'";
    assert_eq!(bed.number(ends).await, 1);
}

/// Makes the first `times` inserts of a payment fail with `code`, when inserted or when committed.
async fn fails(bed: &Bed, code: &str, times: i64, at_commit: bool) {
    bed.raw("create sequence tries").await;
    bed.raw(&format!(
        "create function fail() returns trigger language plpgsql as $$ begin \
         if nextval('tries') <= {times} then raise sqlstate '{code}'; end if; return null; end $$"
    ))
    .await;
    let trigger = if at_commit {
        "create constraint trigger failing after insert on payments deferrable initially deferred"
    } else {
        "create trigger failing after insert on payments"
    };
    bed.raw(&format!("{trigger} for each row execute function fail()"))
        .await;
}

#[tokio::test]
async fn a_serialization_failure_is_run_again_at_a_statement_and_at_the_commit() {
    for at_commit in [false, true] {
        let Some(bed) = Bed::postgres().await else {
            return;
        };
        let store = bed.open().await;
        fails(&bed, "40001", 3, at_commit).await;
        accepted(&store, request("key", "1", T0)).await;
        assert_eq!(bed.number("select last_value from tries").await, 4);
        assert_eq!(bed.number(PAYMENTS).await, 1);
    }
}

#[tokio::test]
async fn what_never_stops_failing_is_refused_after_a_bounded_number_of_runs() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = bed.open().await;
    fails(&bed, "40001", 1_000, false).await;
    let error = store.accept(request("key", "1", T0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Contention(_)), "{error:?}");
    assert_eq!(bed.number("select last_value from tries").await, 6);
    assert_eq!(bed.number(PAYMENTS).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_defaults_of_the_server_change_nothing() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let database = bed.word("select current_database()::text").await;
    bed.open().await.close().await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "synchronous_commit = off",
    ] {
        bed.raw(&format!(
            "begin read write; alter database {database} set {setting}; commit"
        ))
        .await;
    }
    let store = bed.open().await;
    let caps = Caps {
        daily: xrp("10"),
        ..roomy()
    };
    let start = Arc::new(Barrier::new(40));
    let racers: Vec<_> = (0..40)
        .map(|n| {
            let (store, start) = (store.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let mut new = request(&format!("key {n}"), "1", T0);
                new.caps = caps;
                store.accept(new).await.unwrap()
            })
        })
        .collect();
    let mut created = Vec::new();
    for racer in racers {
        if let AcceptOutcome::Created(payment) = racer.await.unwrap() {
            created.push(payment);
        }
    }
    assert_eq!(created.len(), 10, "ten times 1 XRP is the day's limit");
    let outcome = cancel(&store, created[0].id, None, T0.plus_ms(1)).await;
    assert!(matches!(outcome, xrpayd::store::RulingOutcome::Done(_)));
    let durable = "select cast(count(*) as bigint) from pg_settings \
                   where name = 'synchronous_commit' and setting = 'off'";
    assert_eq!(
        bed.number(durable).await,
        1,
        "the default still is what it was"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_while_a_transaction_begins_leaves_nothing_to_whoever_comes_next() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let config = StoreConfig {
        max_connections: 1,
        ..bed.config()
    };
    let store = Store::open(&config, Access::Daemon).await.unwrap();
    let created = store.accept(request("first", "1", T0)).await.unwrap();
    let AcceptOutcome::Created(payment) = created else {
        panic!("{created:?}");
    };
    for n in 0..200_u64 {
        // Each gives up a little later than the one before: some of them while their `begin` is on the way.
        let patience = Duration::from_micros(n * 15);
        let _ = tokio::time::timeout(patience, store.payment(payment.id)).await;
        let next = store
            .accept(request(&format!("next {n}"), "0.01", T0))
            .await;
        assert!(matches!(next, Ok(AcceptOutcome::Created(_))), "{next:?}");
        let _ = tokio::time::timeout(patience, store.accept(request("x", "7000", T0))).await;
        store.payment(payment.id).await.unwrap();
    }
}
