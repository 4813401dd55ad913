//! Programs of two versions on one database while one replaces the other: a schema that only grew is used
//! by both, one that took something away is left alone by the older, and a migrator that dies leaves
//! nothing half done.

use super::bed::*;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::{Duration, Instant};
use xrpayd::store::{Access, Store, StoreConfig, StoreError};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a later version does to the schema, and only adds.
async fn expand(bed: &Bed) {
    let checksum = if bed.is_sqlite() { "x'00'" } else { r"'\x00'" };
    for statement in [
        "alter table payments add column later text".to_owned(),
        "alter table wallets add column colour text not null default 'blue'".to_owned(),
        "create table later_still (id text not null)".to_owned(),
        format!(
            "insert into _sqlx_migrations \
             (version, description, success, checksum, execution_time) \
             values (9000, 'later', true, {checksum}, 0)"
        ),
    ] {
        bed.raw(&statement).await;
    }
}

on_both_stores! {
    async fn a_program_goes_on_and_starts_again_on_a_schema_that_a_later_one_only_added_to(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("before", "1", T0)).await;
        expand(bed).await;
        // The one that was running all the while.
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        accepted(&store, request("during", "1", T0)).await;
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()));
        store.close().await;
        // One that is started, or rolled back to, after that.
        bed.try_open(Access::Tool).await.unwrap().close().await;
        let store = bed.open().await;
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment));
        accepted(&store, request("after", "1", T0)).await;
    }

    async fn a_schema_that_took_something_away_is_left_alone_by_the_older_program(bed) {
        bed.open().await.close().await;
        expand(bed).await;
        bed.raw("update schema_floor set program = 9000").await;
        for access in [Access::Daemon, Access::Tool] {
            let error = bed.try_open(access).await.unwrap_err();
            assert!(matches!(error, StoreError::Newer { found: 9000, .. }), "{error:?}");
        }
        // What does not say who may use it is used by nobody who does not know it.
        bed.raw("delete from schema_floor").await;
        let error = bed.try_open(Access::Daemon).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error:?}");
    }

    async fn a_database_that_skipped_what_is_known_is_nobodys(bed) {
        bed.open().await.close().await;
        expand(bed).await;
        bed.raw("delete from _sqlx_migrations where version = 22").await;
        let error = bed.try_open(Access::Daemon).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 9000, .. }), "{error:?}");
    }
}

/// The tables of this database.
const TABLES: &str = "select cast(count(*) as bigint) from pg_tables where schemaname = 'public'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrator_that_is_cut_off_leaves_whole_migrations_and_the_next_one_goes_on() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let whole = Bed::postgres().await.unwrap();
    whole.open().await.close().await;
    for round in 0..6 {
        let config = bed.config();
        let opener = tokio::spawn(async move { Store::open(&config, Access::Daemon).await });
        let deadline = Instant::now() + PATIENCE;
        // Cut at once in the first round, later and later after that.
        while !opener.is_finished() && bed.number(TABLES).await < 10 * round {
            assert!(Instant::now() < deadline, "nothing was begun");
        }
        bed.raw(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
        if let Err(error) = opener.await.unwrap() {
            assert!(error.retryable(), "{error:?}");
        }
    }
    let store = bed.open().await;
    accepted(&store, request("key", "1", T0)).await;
    assert_eq!(bed.number(TABLES).await, whole.number(TABLES).await);
    let rows = "select cast(count(*) as bigint) from _sqlx_migrations";
    assert_eq!(bed.number(rows).await, whole.number(rows).await);
}

#[tokio::test]
async fn a_role_that_may_only_read_and_write_rows_is_enough_once_the_owner_has_migrated() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let role = bed.word("select current_database()::text || '_app'").await;
    bed.raw(&format!(
        "revoke create on schema public from public; create role {role} login"
    ))
    .await;
    let theirs = bed.url.replace("://xrpayd@", &format!("://{role}@"));
    assert_ne!(theirs, bed.url);
    let config = StoreConfig::new(&theirs);
    let error = Store::open(&config, Access::Daemon).await.unwrap_err();
    assert!(!error.retryable(), "it may not make tables: {error:?}");
    bed.open().await.close().await;
    bed.raw(&format!(
        "grant select, insert, update, delete on all tables in schema public to {role}; \
         grant usage on all sequences in schema public to {role}; \
         revoke insert, update, delete on _sqlx_migrations, schema_floor from {role}"
    ))
    .await;
    let store = Store::open(&config, Access::Daemon).await.unwrap();
    let payment = accepted(&store, request("key", "1", T0)).await;
    store.ping().await.unwrap();
    cancel(&store, payment.id, None, T0.plus_ms(1)).await;
    store.close().await;
    let mut connection = PgConnection::connect(&theirs).await.unwrap();
    let refused = connection
        .execute("alter table payments add column mine text")
        .await;
    assert!(refused.is_err(), "the schema is the owner's");
    connection.close().await.unwrap();
    bed.raw(&format!("drop owned by {role}; drop role {role}"))
        .await;
}
