//! What `verify` finds: every kind of tampering, by hands that go past the triggers.

use super::{OPERATOR, key, three};
use crate::store::bed::*;
use xrpayd::store::{AuditFault, AuditHead, Store};

/// Takes away what the database itself refuses changes with, runs `tampering`, and puts it back.
async fn tamper(bed: &Bed, tampering: &str) {
    let (off, on) = if bed.is_sqlite() {
        let mut put_back = String::new();
        for trigger in GUARDS {
            let sql = format!("select sql from sqlite_schema where name = '{trigger}'");
            put_back.push_str(&bed.word(&sql).await);
            put_back.push(';');
        }
        let take_away = GUARDS.map(|trigger| format!("drop trigger {trigger};"));
        (take_away.concat(), put_back)
    } else {
        let mut put_back = String::new();
        for (table, trigger) in GUARDS_OF_POSTGRES {
            put_back.push_str(&format!(
                "alter table {table} enable always trigger {trigger};"
            ));
        }
        let take_away = ["audit_log", "audit_head"]
            .map(|table| format!("alter table {table} disable trigger all;"));
        (take_away.concat(), put_back)
    };
    // A hand that goes past the triggers goes past what a column may hold, too.
    let loose = if bed.is_sqlite() {
        "pragma ignore_check_constraints = on;"
    } else {
        ""
    };
    bed.raw(&format!("{loose}{off}{tampering};{on}")).await;
}

const GUARDS: [&str; 6] = [
    "audit_log_update",
    "audit_log_delete",
    "audit_log_insert",
    "audit_head_update",
    "audit_head_delete",
    "audit_head_insert",
];

const GUARDS_OF_POSTGRES: [(&str, &str); 5] = [
    ("audit_log", "audit_log_change"),
    ("audit_log", "audit_log_truncate"),
    ("audit_head", "audit_head_update"),
    ("audit_head", "audit_head_delete"),
    ("audit_head", "audit_head_truncate"),
];

async fn faults(store: &Store, kept: &[AuditHead]) -> Vec<AuditFault> {
    store.verify_audit(kept).await.unwrap().faults
}

/// An entry that is put in at the end by one who does not care about its hash.
const PUT_IN: &str = "insert into audit_log select max(sequence) + 1, 1, 'daemon', null, null, 'a', 'b', \
    '{}', (select hash from audit_head), (select hash from audit_head) from audit_log";

on_both_stores! {
    async fn a_log_that_nobody_touched_is_whole_however_long_it_is(bed) {
        let store = bed.open().await;
        let empty = store.verify_audit(&[]).await.unwrap();
        assert_eq!((empty.head.sequence, empty.faults.len()), (0, 0));
        assert_eq!(store.audit_head().await.unwrap(), Some(empty.head));
        three(&store).await;
        let head = store.audit_head().await.unwrap().unwrap();
        for n in 0..1_010_u32 {
            let data = serde_json::json!({ "version": n });
            store.note_start(data, T0).await.unwrap();
            if n == 996 {
                // The log is as long as a page, to the entry.
                let report = store.verify_audit(&[empty.head, head]).await.unwrap();
                assert_eq!((report.head.sequence, report.faults.len()), (1_000, 0));
            }
        }
        let report = store.verify_audit(&[empty.head, head]).await.unwrap();
        assert_eq!((report.head.sequence, report.faults.len()), (1_013, 0));
        assert_eq!(store.audit_head().await.unwrap(), Some(report.head));
    }

    async fn any_field_of_any_entry_that_is_changed_is_found_at_that_entry(bed) {
        let store = bed.open().await;
        three(&store).await;
        let kept = store.audit_head().await.unwrap().unwrap();
        let (zeroes, x) = if bed.is_sqlite() { ("zeroblob(32)", "x''") } else { ("decode(repeat('00', 32), 'hex')", "''") };
        for sequence in 1..=3_i64 {
            for (column, value) in [
                ("at", "at + 1"),
                ("actor", "'daemon'"),
                ("actor_id", "actor_id || '0'"),
                ("actor_id", "null"),
                ("actor_client", "coalesce(actor_client, '') || 'x'"),
                ("action", "'key.creates'"),
                ("object", "'onf'"),
                ("data", "replace(data, 'shop', 'shup')"),
                ("data", "data || ' '"),
                ("hash", zeroes),
                ("prev_hash", zeroes),
            ] {
                let keep = format!("create table kept_{sequence} as select * from audit_log where sequence = {sequence}");
                bed.raw(&keep).await;
                tamper(bed, &format!("update audit_log set {column} = {value} where sequence = {sequence}")).await;
                let found = faults(&store, &[kept]).await;
                let expected = if column == "prev_hash" {
                    AuditFault::Unlinked { sequence }
                } else {
                    AuditFault::Changed { sequence }
                };
                assert_eq!(found, [expected], "{column} = {value}");
                tamper(bed, &format!(
                    "delete from audit_log where sequence = {sequence}; \
                     insert into audit_log select * from kept_{sequence}; drop table kept_{sequence}"
                )).await;
                assert_eq!(faults(&store, &[kept]).await, []);
            }
        }
        if bed.is_sqlite() {
            // What is no text at all, and a hash of no length.
            for damage in ["action = cast(x'ff' as text)", &format!("hash = {x}")] {
                tamper(bed, &format!("update audit_log set {damage} where sequence = 3")).await;
                let found = faults(&store, &[]).await;
                assert!(matches!(found[..], [AuditFault::Unreadable { sequence: 3, .. }]), "{found:?}");
            }
        }
    }

    async fn entries_that_are_deleted_or_put_in_or_change_places_are_found(bed) {
        let store = bed.open().await;
        three(&store).await;
        bed.raw("create table kept as select * from audit_log").await;
        bed.raw("create table kept_head as select * from audit_head").await;
        let swap = "update audit_log set sequence = 99 where sequence = 1; \
            update audit_log set sequence = 1 where sequence = 2; \
            update audit_log set sequence = 2 where sequence = 99";
        let cut = "delete from audit_log where sequence = 3";
        // What it takes to make the head agree with a log that was cut.
        let cut_and_hidden = "delete from audit_log where sequence = 3; \
            update audit_head set sequence = 2, hash = (select hash from audit_log where sequence = 2)";
        let again = "insert into audit_log select 4, at, actor, actor_id, actor_client, action, object, \
            data, prev_hash, hash from audit_log where sequence = 3";
        let before = "insert into audit_log select 0, at, actor, actor_id, actor_client, action, object, \
            data, prev_hash, hash from audit_log where sequence = 1";
        let other_head = "update audit_head set hash = (select prev_hash from audit_log where sequence = 3)";
        let head = store.audit_head().await.unwrap().unwrap();
        let first = faults_of(&[AuditFault::Missing { after: 0, sequence: 2 }]);
        for (tampering, expected) in [
            ("delete from audit_log where sequence = 1", first.clone()),
            ("delete from audit_log where sequence = 2", faults_of(&[AuditFault::Missing { after: 1, sequence: 3 }])),
            (cut, faults_of(&[
                AuditFault::CutOff { last: 2, head: 3 },
                AuditFault::ShorterThanKept { last: 2, kept: 3 },
            ])),
            (cut_and_hidden, faults_of(&[AuditFault::ShorterThanKept { last: 2, kept: 3 }])),
            ("delete from audit_log", faults_of(&[
                AuditFault::CutOff { last: 0, head: 3 },
                AuditFault::ShorterThanKept { last: 0, kept: 3 },
            ])),
            (swap, faults_of(&[AuditFault::Unlinked { sequence: 1 }])),
            (PUT_IN, faults_of(&[AuditFault::Changed { sequence: 4 }])),
            (again, faults_of(&[AuditFault::Unlinked { sequence: 4 }])),
            ("update audit_log set sequence = 7 where sequence = 3", faults_of(&[
                AuditFault::Missing { after: 2, sequence: 7 },
            ])),
            ("update audit_head set sequence = 2", faults_of(&[AuditFault::BeyondHead { last: 3, head: 2 }])),
            (other_head, faults_of(&[AuditFault::HeadChanged { last: 3 }])),
            ("delete from audit_head", faults_of(&[AuditFault::NoHead { last: 3 }])),
        ] {
            tamper(bed, tampering).await;
            assert_eq!(faults(&store, &[head]).await, expected, "{tampering}");
            assert!(!expected[0].to_string().is_empty() && !expected[0].kind().is_empty());
            tamper(bed, "delete from audit_log; insert into audit_log select * from kept; \
                delete from audit_head; insert into audit_head select * from kept_head").await;
            assert_eq!(faults(&store, &[head]).await, [], "after {tampering}");
        }
        if bed.is_sqlite() {
            tamper(bed, before).await;
            assert_eq!(faults(&store, &[]).await, [AuditFault::Misplaced { sequence: 0 }]);
        }
    }

    async fn a_log_that_was_written_anew_by_one_who_knows_how_is_told_by_what_was_kept_outside(bed) {
        let store = bed.open().await;
        three(&store).await;
        let kept = store.audit_head().await.unwrap().unwrap();
        store.note_start(serde_json::json!({}), T0).await.unwrap();
        assert_eq!(faults(&store, &[kept]).await, []);
        // The same program writes another past, as long as the true one.
        let empty = AuditHead { sequence: 0, ..store.verify_audit(&[]).await.unwrap().head };
        tamper(bed, &format!(
            "delete from audit_log; update audit_head set sequence = 0, hash = {}",
            if bed.is_sqlite() { format!("x'{FIRST}'") } else { format!("'\\x{FIRST}'") }
        )).await;
        for id in ["four", "five", "six", "seven"] {
            store.create_key(&key(id), &OPERATOR).await.unwrap();
        }
        assert_eq!(faults(&store, &[]).await, [], "by itself it looks whole");
        assert_eq!(faults(&store, &[kept]).await, [AuditFault::NotAsKept { sequence: 3 }]);
        assert_eq!(faults(&store, &[empty]).await, [AuditFault::NotAsKept { sequence: 0 }]);
    }

    async fn a_guard_that_was_taken_away_or_changed_is_named(bed) {
        let store = bed.open().await;
        three(&store).await;
        if bed.is_sqlite() {
            bed.raw("drop trigger audit_log_delete").await;
            bed.raw("drop trigger audit_log_update").await;
            bed.raw("create trigger audit_log_update before update on audit_log begin select 1; end").await;
        } else {
            bed.raw("drop trigger audit_log_truncate on audit_log").await;
            bed.raw("alter table audit_log disable trigger audit_log_change").await;
            bed.raw("drop trigger audit_head_update on audit_head").await;
            bed.raw(
                "create trigger audit_head_update before update on audit_head for each row \
                 when (new.sequence = 7) execute function audit_head_grow()",
            ).await;
            bed.raw("alter table audit_head enable always trigger audit_head_update").await;
        }
        let named = faults(&store, &[]).await;
        let named: Vec<&str> = named.iter().map(|fault| match fault {
            AuditFault::Unguarded { name } => *name,
            other => panic!("{other:?}"),
        }).collect();
        let expected: &[&str] = if bed.is_sqlite() {
            &["audit_log_update", "audit_log_delete"]
        } else {
            &["audit_log_change", "audit_log_truncate", "audit_head_update"]
        };
        assert_eq!(named, expected);
        if !bed.is_sqlite() {
            bed.raw("alter table audit_log enable trigger audit_log_change").await;
            assert_eq!(faults(&store, &[]).await.len(), 3, "it does not hold in a replica's session");
            bed.raw("alter table audit_log enable always trigger audit_log_change").await;
            assert_eq!(faults(&store, &[]).await.len(), 2);
            bed.raw(
                "create or replace function audit_log_refuse() returns trigger language plpgsql as \
                 $$ begin return new; end $$",
            ).await;
            assert_eq!(faults(&store, &[]).await.len(), 5, "every trigger that runs it");
        }
    }

    async fn fifty_hands_at_once_write_one_chain(bed) {
        const HANDS: usize = 50;
        let store = bed.open().await;
        let mut hands = tokio::task::JoinSet::new();
        for hand in 0..HANDS {
            let store = store.clone();
            hands.spawn(async move {
                for n in 0..4 {
                    let id = format!("{hand}-{n}");
                    store.create_key(&key(&id), &OPERATOR).await.unwrap();
                    assert!(store.revoke_key(&id, &OPERATOR, T0).await.unwrap());
                }
            });
        }
        // Looked at while it grows, it is whole at every moment.
        let mut seen = 0;
        while let Some(ended) = hands.join_next().await {
            ended.unwrap();
            let report = store.verify_audit(&[]).await.unwrap();
            assert_eq!(report.faults, []);
            assert!(report.head.sequence >= seen);
            seen = report.head.sequence;
        }
        assert_eq!(seen, i64::try_from(HANDS * 8).unwrap());
    }
}

fn faults_of(faults: &[AuditFault]) -> Vec<AuditFault> {
    faults.to_vec()
}

/// What the first entry names as the one before it.
const FIRST: &str = "a031839d92baf89bca9b3deff4bd9637241bf98dc5191834b1e7a8b2dd8f3f25";
