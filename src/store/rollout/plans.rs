//! Asserts that evidence is counted along an index of ends, however many payments there are.

use crate::store::plans::{T0, new_payment, plans_of, scans, stores};

#[tokio::test]
async fn evidence_reads_no_growing_table_from_end_to_end() {
    for (store, _folder) in stores().await {
        let stage = store.begin_rollout("internal", T0).await.unwrap();
        store.accept(new_payment(1)).await.unwrap();
        let seen = plans_of(async {
            let day = T0.plus_ms(86_400_000);
            store.measure(&stage, 120_000, day).await.unwrap();
            store.ends_since(&stage.stage, T0, day).await.unwrap();
            store.stage_in_force().await.unwrap();
        })
        .await;
        let ends: Vec<&str> = seen
            .iter()
            .filter(|(sql, _)| sql.contains("outcome is not null"))
            .map(|(_, plan)| plan.as_str())
            .collect();
        assert_eq!(ends.len(), 2);
        for plan in ends {
            assert!(plan.contains("payments_ended"), "{plan}");
        }
        for (sql, plan) in &seen {
            assert!(scans(plan).is_empty(), "{sql}\n{plan}");
        }
    }
}
