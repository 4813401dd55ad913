//! The audit log: written with the change, chained, and never changed again.

mod verify;
mod wired;

use super::bed::*;
use xrpayd::store::{Actor, AuditFilter, AuditFrom, KeyLimits, NewKey, Store};

const OPERATOR: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};

fn key(id: &str) -> NewKey {
    NewKey {
        id: id.to_owned(),
        client: CLIENT.to_owned(),
        secret_hash: [0xEE; 32],
        scopes: vec!["payments:read".to_owned()],
        cidrs: Vec::new(),
        expires_at: None,
        created_at: T0,
        require_signature: false,
        limits: KeyLimits::default(),
    }
}

/// A log of three entries.
async fn three(store: &Store) {
    store.create_key(&key("one"), &OPERATOR).await.unwrap();
    store.create_key(&key("two"), &OPERATOR).await.unwrap();
    let by = Actor::Key {
        id: "boss".to_owned(),
        client: "house".to_owned(),
    };
    assert!(store.revoke_key("one", &by, T0.plus_ms(5)).await.unwrap());
}

async fn length(bed: &Bed) -> i64 {
    bed.number("select cast(count(*) as bigint) from audit_log")
        .await
}

on_both_stores! {
    async fn a_change_leaves_an_entry_that_names_the_one_before_it(bed) {
        let store = bed.open().await;
        three(&store).await;
        assert_eq!(length(bed).await, 3);
        let linked = "select cast(count(*) as bigint) from audit_log a join audit_log b \
            on b.sequence = a.sequence + 1 and b.prev_hash = a.hash";
        assert_eq!(bed.number(linked).await, 2);
        let at_its_end = "select cast(count(*) as bigint) from audit_log a join audit_head h \
            on h.sequence = a.sequence and h.hash = a.hash where a.sequence = 3";
        assert_eq!(bed.number(at_its_end).await, 1);
        let told = "select action || ' ' || object || ' ' || actor || ' ' || actor_id \
            || coalesce(' of ' || actor_client, '') || ' ' || at from audit_log where sequence = ";
        assert_eq!(
            bed.word(&format!("{told} 1")).await,
            format!("key.created one cli 1000 {}", T0.0)
        );
        assert_eq!(
            bed.word(&format!("{told} 3")).await,
            format!("key.revoked one key boss of house {}", T0.plus_ms(5).0)
        );
        let secrets = "select cast(count(*) as bigint) from audit_log where data like '%eeee%'";
        assert_eq!(bed.number(secrets).await, 0, "not even the hash of a secret");
    }

    async fn a_change_that_does_not_happen_leaves_no_entry(bed) {
        let store = bed.open().await;
        three(&store).await;
        store.create_key(&key("two"), &OPERATOR).await.unwrap_err();
        assert!(!store.revoke_key("one", &OPERATOR, T0).await.unwrap());
        assert_eq!(length(bed).await, 3);
    }

    async fn the_database_itself_refuses_to_change_or_delete_an_entry(bed) {
        let store = bed.open().await;
        three(&store).await;
        let mut attempts = vec![
            "update audit_log set object = 'another' where sequence = 1",
            "delete from audit_log where sequence = 3",
            "update audit_head set sequence = 2",
            "update audit_head set hash = prev_hash from audit_log where audit_log.sequence = 1",
            "delete from audit_head",
        ];
        if bed.is_sqlite() {
            attempts.push(
                "insert or replace into audit_log select sequence, at, actor, actor_id, actor_client, \
                 action, 'another', data, prev_hash, hash from audit_log where sequence = 2",
            );
            attempts.push("replace into audit_head select mark, 9, hash from audit_head");
        } else {
            attempts.push("truncate audit_log");
            attempts.push("truncate audit_head");
            attempts.push(
                "set session_replication_role = replica; delete from audit_log where sequence = 3",
            );
        }
        for attempt in attempts {
            assert!(bed.try_raw(attempt).await.is_err(), "{attempt}");
        }
        assert_eq!(length(bed).await, 3);
        assert_eq!(bed.number("select sequence from audit_head").await, 3);
        store.create_key(&key("three"), &OPERATOR).await.unwrap();
        assert_eq!(length(bed).await, 4, "it goes on");
    }

    async fn nothing_is_changed_where_the_change_cannot_be_noted(bed) {
        let store = bed.open().await;
        for trigger in ["audit_head_update", "audit_head_delete"] {
            let of = if bed.is_sqlite() { "" } else { " on audit_head" };
            bed.raw(&format!("drop trigger {trigger}{of}")).await;
        }
        bed.raw("delete from audit_head").await;
        let error = store.create_key(&key("one"), &OPERATOR).await.unwrap_err();
        assert!(error.to_string().contains("audit"), "{error}");
        assert_eq!(store.find_key("one").await.unwrap(), None);
    }

    async fn what_the_service_does_by_itself_is_noted_as_its_own(bed) {
        let store = bed.open().await;
        let data = |version: &str| serde_json::json!({ "version": version });
        store.note_start(data("1"), T0).await.unwrap();
        store.note_reload(&Actor::Daemon, data("1"), data("2"), T0).await.unwrap();
        store.note_end(data("2"), T0).await.unwrap();
        for (sequence, action) in [(1, "service.started"), (2, "config.reloaded"), (3, "service.ended")] {
            let told = "select action || ' ' || object || ' ' || actor || coalesce(actor_id, '') \
                from audit_log where sequence = ";
            assert_eq!(
                bed.word(&format!("{told}{sequence}")).await,
                format!("{action} service daemon")
            );
        }
        let reload = "select data from audit_log where sequence = 2";
        assert_eq!(bed.word(reload).await, r#"{"after":{"version":"2"},"before":{"version":"1"}}"#);
    }

    async fn the_log_is_looked_at_from_either_end_a_page_at_a_time(bed) {
        let store = bed.open().await;
        three(&store).await;
        store.note_start(serde_json::json!({ "version": "1" }), T0.plus_ms(9)).await.unwrap();
        let whole = AuditFilter::default();
        let page = async |filter: &AuditFilter, from, limit| {
            let page = store.audit_entries(filter, from, limit).await.unwrap();
            let sequences: Vec<i64> = page.items.iter().map(|entry| entry.sequence).collect();
            (sequences, page.next)
        };
        assert_eq!(page(&whole, AuditFrom::Newest, 3).await, (vec![4, 3, 2], Some(2)));
        assert_eq!(page(&whole, AuditFrom::Before(2), 3).await, (vec![1], None));
        assert_eq!(page(&whole, AuditFrom::After(0), 3).await, (vec![1, 2, 3], Some(3)));
        assert_eq!(page(&whole, AuditFrom::After(3), 3).await, (vec![4], None));
        assert_eq!(page(&whole, AuditFrom::Newest, 4).await, (vec![4, 3, 2, 1], None));
        let only = |action: Option<&str>, subject: Option<&str>, since| AuditFilter {
            action: action.map(str::to_owned),
            subject: subject.map(str::to_owned),
            since,
        };
        let made = only(Some("key.created"), None, None);
        assert_eq!(page(&made, AuditFrom::Newest, 1).await, (vec![2], Some(2)));
        assert_eq!(page(&made, AuditFrom::Before(2), 1).await, (vec![1], None));
        assert_eq!(page(&only(None, Some("one"), None), AuditFrom::After(0), 9).await.0, [1, 3]);
        assert_eq!(page(&only(None, None, Some(T0.plus_ms(5))), AuditFrom::Newest, 9).await.0, [4, 3]);
        assert_eq!(page(&only(Some("nothing"), None, None), AuditFrom::Newest, 9).await, (vec![], None));
        let last = store.audit_entries(&whole, AuditFrom::After(2), 1).await.unwrap().items.remove(0);
        let by = Actor::Key { id: "boss".to_owned(), client: "house".to_owned() };
        assert_eq!((last.at, &last.actor), (T0.plus_ms(5), &by));
        assert_eq!((last.action.as_str(), last.subject.as_str()), ("key.revoked", "one"));
        assert_eq!(last.data, serde_json::json!({ "client": CLIENT, "scopes": ["payments:read"] }));
    }
}
