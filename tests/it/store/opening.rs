//! Opening: who may, what is refused, what is found again.

use super::bed::*;
use xrpayd::store::{AcceptOutcome, Access, Store, StoreConfig, StoreError};
use xrpayd::supervise::Supervisor;

on_both_stores! {
    async fn reopening_finds_everything(bed) {
        let store = anchored(bed).await;
        let mut payments = Vec::new();
        for n in 0..10 {
            payments.push(accepted(&store, request(&format!("key {n}"), "1", T0)).await);
        }
        payments[0] = delivered(&store, &payments[0], 10, T0).await;
        payments[1] = committed(&store, signed(&payments[1], 11, T0)).await;
        let (everything, usage) = (bed.everything().await, store.limit_usage(T0).await.unwrap());
        store.close().await;
        let store = bed.open().await;
        assert_eq!(bed.everything().await, everything);
        assert_eq!(store.limit_usage(T0).await.unwrap(), usage);
        for payment in &payments {
            assert_eq!(store.payment(payment.id).await.unwrap().as_ref(), Some(payment));
        }
        let again = store.accept(request("key 0", "1", T0)).await.unwrap();
        assert_eq!(again, AcceptOutcome::Replayed(payments[0].clone()));
    }

    async fn a_database_of_a_newer_program_is_refused_and_left_alone(bed) {
        bed.open().await.close().await;
        bed.raw("update _sqlx_migrations set version = 9000 where version = 1").await;
        for access in [Access::Daemon, Access::Tool] {
            let error = bed.try_open(access).await.unwrap_err();
            assert!(matches!(error, StoreError::Newer { found: 9000, .. }), "{error:?}");
            assert!(error.to_string().contains("newer version"), "{error}");
            assert!(!error.retryable());
        }
    }

    async fn a_migration_that_was_edited_after_it_landed_is_refused(bed) {
        bed.open().await.close().await;
        let other = if bed.is_sqlite() { "x'00'" } else { r"'\x00'" };
        bed.raw(&format!("update _sqlx_migrations set checksum = {other}")).await;
        let error = bed.try_open(Access::Daemon).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration(_)), "{error:?}");
    }

    async fn many_programs_that_start_at_once_migrate_once(bed) {
        let openers: Vec<_> = (0..6)
            .map(|_| {
                let config = bed.config();
                tokio::spawn(async move { Store::open(&config, Access::Tool).await })
            })
            .collect();
        let mut opened = 0;
        for opener in openers {
            match opener.await.unwrap() {
                Ok(_) => opened += 1,
                Err(error) => assert!(
                    bed.is_sqlite() && matches!(error, StoreError::MigrationBlocked { .. }),
                    "{error:?}"
                ),
            }
        }
        assert!(opened >= 1);
        assert_eq!(bed.number("select cast(count(*) as bigint) from limit_state").await, 1);
    }

    async fn the_readiness_check_writes(bed) {
        let store = bed.open().await;
        let before = bed.number("select beats from heartbeat").await;
        store.ping().await.unwrap();
        assert_eq!(bed.number("select beats from heartbeat").await, before + 1);
        let clone = store.clone();
        store.close().await;
        let closed = clone.ping().await.unwrap_err();
        assert!(matches!(closed, StoreError::Closed), "{closed:?}");
    }

    async fn the_writer_answers_what_is_waiting_before_it_ends(bed) {
        let (store, supervisor) = (bed.open().await, Supervisor::new());
        store.start_accept_writer(&supervisor);
        let callers: Vec<_> = (0..200)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.accept(request(&format!("key {n}"), "1", T0)).await })
            })
            .collect();
        supervisor.shutdown(std::time::Duration::from_secs(20)).await;
        let (mut written, mut refused) = (0, 0);
        for caller in callers {
            match caller.await.unwrap() {
                Ok(AcceptOutcome::Created(_)) => written += 1,
                Err(StoreError::Closed) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(written + refused, 200);
        assert_eq!(bed.number("select cast(count(*) as bigint) from payments").await, written);
    }
}

#[tokio::test]
async fn a_second_daemon_on_the_same_file_is_refused_until_the_first_has_closed() {
    let bed = Bed::sqlite().await;
    let first = bed.open().await;
    let error = bed.try_open(Access::Daemon).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains("another daemon"), "{error}");
    let tool = bed.try_open(Access::Tool).await.unwrap();
    accepted(&tool, request("key", "1", T0)).await;
    tool.close().await;
    first.close().await;
    bed.open().await;
}

#[tokio::test]
async fn a_lock_file_that_a_dead_daemon_left_behind_locks_nobody_out() {
    let bed = Bed::sqlite().await;
    let path = bed.url.strip_prefix("sqlite://").unwrap();
    std::fs::write(format!("{path}.lock"), "").unwrap();
    bed.open().await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_readable_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::sqlite().await;
    let store = bed.open().await;
    accepted(&store, request("key", "1", T0)).await;
    let path = bed.url.strip_prefix("sqlite://").unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mode = std::fs::metadata(format!("{path}{suffix}"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{suffix}: {mode:o}");
    }
}

#[tokio::test]
async fn a_url_that_makes_no_sense_is_refused_with_a_reason() {
    for url in [
        "",
        "xrpayd.db",
        "mysql://localhost/x",
        "sqlite::memory:",
        "sqlite://:memory:",
    ] {
        let error = Store::open(&StoreConfig::new(url), Access::Daemon)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Config(_)), "{url}: {error:?}");
    }
    let nowhere = StoreConfig::new("sqlite:///no/such/folder/xrpayd.db");
    let error = Store::open(&nowhere, Access::Daemon).await.unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_worth_another_try() {
    let nobody = StoreConfig::new("postgres://x@127.0.0.1:1/x");
    let error = Store::open(&nobody, Access::Daemon).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(_)) && error.retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_said_to_be_none() {
    let bed = Bed::sqlite().await;
    let path = bed.url.strip_prefix("sqlite://").unwrap();
    std::fs::write(
        path,
        "this is a letter and no database at all, however long it may be".repeat(99),
    )
    .unwrap();
    let error = bed.try_open(Access::Daemon).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}
