//! A PostgreSQL that makes one wait: for a lock, for a statement, for a commit. What is given up on
//! is undone or looked up, never half done and never done twice.

use super::bed::*;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::{Duration, Instant};
use xrpayd::store::{PaymentFilter, Store, StoreConfig, StoreError};

const PATIENCE: Duration = Duration::from_secs(30);
const PAYMENTS: &str = "select cast(count(*) as bigint) from payments";

/// A store that waits for nothing long.
async fn impatient(bed: &Bed) -> Store {
    let config = StoreConfig {
        lock_timeout: Duration::from_millis(100),
        statement_timeout: Duration::from_millis(400),
        ..bed.config()
    };
    Store::open(&config, xrpayd::store::Access::Daemon)
        .await
        .unwrap()
}

/// Waits until `sql` counts nothing.
async fn until_none(bed: &Bed, sql: &str) {
    let deadline = Instant::now() + PATIENCE;
    while bed.number(sql).await != 0 {
        assert!(Instant::now() < deadline, "still some: {sql}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// When the server sleeps.
enum At {
    Insert,
    Commit,
}

/// Makes the server sleep over a payment, for as many seconds as the SQL says; `n` is how many it has
/// slept over.
async fn drowsy(bed: &Bed, at: At, seconds: &str) {
    bed.open().await.close().await;
    bed.raw("create sequence naps").await;
    bed.raw(&format!(
        "create function nap() returns trigger language plpgsql as $$ \
         declare n bigint := nextval('naps'); \
         begin perform pg_sleep({seconds}); return null; end $$"
    ))
    .await;
    let trigger = match at {
        At::Insert => "create trigger naps after insert on payments",
        At::Commit => {
            "create constraint trigger naps after insert on payments deferrable initially deferred"
        }
    };
    bed.raw(&format!("{trigger} for each row execute function nap()"))
        .await;
}

#[tokio::test]
async fn a_lock_that_nobody_gives_back_is_not_waited_for_and_the_same_request_succeeds_later() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = impatient(&bed).await;
    let mut other = PgConnection::connect(&bed.url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    held.execute("select * from limit_state for update")
        .await
        .unwrap();
    let error = store.accept(request("key", "1", T0)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Contention(_)) && error.retryable(),
        "{error:?}"
    );
    assert_eq!(bed.number(PAYMENTS).await, 0);
    held.rollback().await.unwrap();
    accepted(&store, request("key", "1", T0)).await;
    assert_eq!(bed.number(PAYMENTS).await, 1);
}

#[tokio::test]
async fn a_statement_that_hangs_is_given_up_on_and_ends_at_the_server_too() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    // Far longer than anybody waits: the server itself has to notice that nobody does.
    drowsy(&bed, At::Insert, "600").await;
    let store = impatient(&bed).await;
    let error = store.accept(request("key", "1", T0)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(_)) && error.retryable(),
        "{error:?}"
    );
    until_none(
        &bed,
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' \
         and datname = current_database()",
    )
    .await;
    assert_eq!(bed.number(PAYMENTS).await, 0);
    bed.raw("drop trigger naps on payments").await;
    accepted(&store, request("key", "1", T0)).await;
}

#[tokio::test]
async fn a_commit_that_is_not_answered_in_time_is_looked_up_and_found_done_once() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    // The first commit takes longer than its answer is waited for, and is done in the end.
    drowsy(&bed, At::Commit, "case n when 1 then 3 else 0 end").await;
    let store = impatient(&bed).await;
    let deadline = Instant::now() + PATIENCE;
    let id = loop {
        match store.accept(request("key", "1", T0)).await {
            Ok(xrpayd::store::AcceptOutcome::Created(payment)) => break payment.id,
            Ok(xrpayd::store::AcceptOutcome::Replayed(payment)) => break payment.id,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.retryable(), "{error:?}"),
        }
        assert!(Instant::now() < deadline, "never answered");
    };
    assert_eq!(bed.number(PAYMENTS).await, 1);
    assert!(store.payment(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_time_limit_of_the_role_never_cuts_a_commit_short() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let database = bed.word("select current_database()::text").await;
    drowsy(&bed, At::Commit, "1").await;
    bed.raw(&format!(
        "alter database {database} set statement_timeout = '500ms'"
    ))
    .await;
    let store = bed.open().await;
    accepted(&store, request("key", "1", T0)).await;
    assert_eq!(bed.number(PAYMENTS).await, 1);
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_ended_by_the_server() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = impatient(&bed).await;
    let mut other = PgConnection::connect(&bed.url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    held.execute("lock table payments in access exclusive mode")
        .await
        .unwrap();
    let filter = PaymentFilter::default();
    let first = first_page(10);
    let error = store.payments(&filter, &first).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(_)) && error.retryable(),
        "{error:?}"
    );
    until_none(
        &bed,
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' \
         and datname = current_database()",
    )
    .await;
    held.rollback().await.unwrap();
    store.payments(&filter, &first).await.unwrap();
}

#[tokio::test]
async fn connections_that_were_cut_while_nobody_used_them_are_not_noticed_by_who_asks_next() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = bed.open().await;
    for round in 0..5 {
        let askers = (0..8).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .accept(request(&format!("{round} {n}"), "1", T0))
                    .await
            })
        });
        for asker in askers.collect::<Vec<_>>() {
            asker.await.unwrap().unwrap();
        }
        bed.raw(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'",
        )
        .await;
    }
}

#[tokio::test]
async fn no_more_connections_are_held_than_are_allowed_and_idle_ones_are_closed() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let shipped = StoreConfig::new(&bed.url);
    assert_eq!(
        (
            shipped.max_connections,
            shipped.idle_timeout,
            shipped.acquire_timeout
        ),
        (20, Duration::from_secs(30), Duration::from_secs(2))
    );
    let config = StoreConfig {
        max_connections: 3,
        idle_timeout: Duration::from_secs(1),
        acquire_timeout: Duration::from_millis(300),
        ..shipped
    };
    let store = Store::open(&config, xrpayd::store::Access::Daemon)
        .await
        .unwrap();
    let mut other = PgConnection::connect(&bed.url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    held.execute("select * from limit_state for update")
        .await
        .unwrap();
    let ours = "select count(*) from pg_stat_activity where application_name = 'xrpayd' \
                and datname = current_database()";
    let askers: Vec<_> = (0..12)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.accept(request(&format!("key {n}"), "1", T0)).await })
        })
        .collect();
    // Who finds no connection in time is told so, while others wait for the lock.
    let (mut refused, mut askers) = (0, askers);
    for asker in askers.split_off(3) {
        if let Err(error) = tokio::time::timeout(PATIENCE, asker)
            .await
            .unwrap()
            .unwrap()
        {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            refused += 1;
        }
        assert!(bed.number(ours).await <= 3);
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0, "twelve ask for three connections");
    held.rollback().await.unwrap();
    drop(askers);
    until_none(&bed, ours).await;
}
