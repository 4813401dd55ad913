//! The plan of what every replica asks of the backups, every second.

use super::*;

#[tokio::test]
async fn the_last_good_backup_is_found_without_reading_all_of_them() {
    for (store, _folder) in stores().await {
        let seen = plans_of(async { store.last_good_backup(UnixMs(1)).await.unwrap() }).await;
        let of_backups: Vec<_> = seen
            .iter()
            .filter(|(sql, _)| sql.contains("from backups"))
            .collect();
        assert_eq!(of_backups.len(), 1, "{seen:?}");
        for (sql, plan) in of_backups {
            assert!(plan.contains("backups_good"), "{sql}\n{plan}");
            assert!(!plan.to_lowercase().contains("sort"), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
