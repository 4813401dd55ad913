//! What is asked for every signed request, and every two seconds.

use super::super::KeyCount;
use super::*;

#[tokio::test]
async fn what_callers_cost_stands_on_indexes() {
    for (store, _folder) in stores().await {
        let counts = [KeyCount {
            key: "k".to_owned(),
            minute: 1,
            count: 2,
        }];
        let used = [("k".to_owned(), T0)];
        let mut seen = plans_of(async { store.use_signature([1; 32], T0).await.unwrap() }).await;
        seen.extend(plans_of(async { store.forget_signatures(T0).await.unwrap() }).await);
        seen.extend(plans_of(async { store.count_keys(&counts, &used, 0).await.unwrap() }).await);
        seen.extend(plans_of(async { store.key_counts(1).await.unwrap() }).await);
        assert!(seen.len() >= 7, "{seen:#?}");
        for (sql, plan) in seen {
            assert!(scans(&plan).is_empty(), "{sql}\n{plan}");
        }
    }
}
