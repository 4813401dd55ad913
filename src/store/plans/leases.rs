//! The plans of what every replica runs again and again: looking, taking, renewing, giving back.

use super::*;

const TTL: Duration = Duration::from_secs(3_600);

/// What an engine of the wallet writes under.
pub(super) async fn held(store: &Store) -> Tenure {
    match store.take_lease("hot", "one", TTL, Claim::Vacant).await {
        Ok(Taken::Yes(tenure)) => tenure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_statement_of_a_lease_reads_its_tables_from_end_to_end() {
    for (store, _folder) in stores().await {
        let mut seen = plans_of(async { held(&store).await }).await;
        let tenure = held(&store).await;
        let replica = Replica {
            id: "one".to_owned(),
            name: "one".to_owned(),
            version: "1".to_owned(),
            is_draining: false,
        };
        let renewed = store.renew_leases(&replica, TTL, std::slice::from_ref(&tenure));
        seen.extend(plans_of(async { renewed.await.unwrap() }).await);
        let held = store.begin_held(&tenure);
        seen.extend(plans_of(async { held.await.unwrap().end().await.unwrap() }).await);
        seen.extend(plans_of(async { store.release_lease(&tenure).await.unwrap() }).await);
        seen.extend(plans_of(async { store.lease_log("hot").await.unwrap() }).await);
        for table in [
            "update leases",
            "insert into leases",
            "update lease_log",
            "from leases",
        ] {
            assert!(seen.iter().any(|(sql, _)| sql.contains(table)), "{table}");
        }
        for (sql, plan) in &seen {
            assert_eq!(scans(plan), Vec::<&str>::new(), "{sql}\n{plan}");
        }
    }
}
