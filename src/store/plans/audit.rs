//! That the statements of the audit log stand on its indexes.

use super::*;

fn key(id: &str) -> NewKey {
    NewKey {
        id: id.to_owned(),
        client: "shop".to_owned(),
        secret_hash: [1; 32],
        scopes: vec!["payments:read".to_owned()],
        cidrs: Vec::new(),
        expires_at: None,
        created_at: T0,
        require_signature: false,
        limits: KeyLimits::default(),
    }
}

#[tokio::test]
async fn an_entry_is_written_and_found_without_reading_the_log() {
    for (store, _folder) in stores().await {
        let filter = AuditFilter {
            action: Some("key.created".to_owned()),
            ..AuditFilter::default()
        };
        let plans = plans_of(async {
            store.create_key(&key("one"), &Actor::Daemon).await.unwrap();
            store.audit_head().await.unwrap();
            for filter in [&AuditFilter::default(), &filter] {
                for from in [AuditFrom::Newest, AuditFrom::Before(9), AuditFrom::After(0)] {
                    store.audit_entries(filter, from, 9).await.unwrap();
                }
            }
        })
        .await;
        assert!(plans.len() >= 10, "{plans:?}");
        for (sql, plan) in &plans {
            assert!(scans(plan).is_empty(), "{sql}: {plan}");
        }
    }
}
