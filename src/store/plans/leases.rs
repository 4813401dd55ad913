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

#[tokio::test]
async fn an_answer_that_its_asker_does_not_take_holds_no_taking_up() {
    let short = Duration::from_secs(3);
    for (store, _folder) in stores().await {
        if store.is_alone() {
            continue;
        }
        let taken = store.take_lease("hot", "one", short, Claim::Vacant).await;
        let Ok(Taken::Yes(tenure)) = taken else {
            panic!("{taken:?}");
        };
        let mut tx = store.begin_held(&tenure).await.unwrap();
        // Far more than the two sockets hold. It is asked for, and then nobody reads on, as in a process
        // that is frozen.
        let answer = tx.fetch(
            "select repeat('x', 1000) as word from generate_series(1, 200000)",
            vec![],
        );
        let mut answer = Box::pin(answer);
        // It is asked for with few words back and forth; then its words are on the way, and nobody reads.
        let stuck = "select count(*) as stuck from pg_stat_activity \
                     where datname = current_database() and wait_event = 'ClientWrite'";
        loop {
            let read = futures_util::poll!(answer.as_mut());
            assert!(read.is_pending(), "all of it is there already");
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut look = store.db().read().await.unwrap();
            let row = look.fetch_optional(stuck, vec![]).await.unwrap();
            look.end().await.unwrap();
            if row.unwrap().int("stuck").unwrap() > 0 {
                break;
            }
        }
        let asked = tokio::time::Instant::now();
        loop {
            match store.take_lease("hot", "two", short, Claim::Vacant).await {
                Ok(Taken::Yes(_)) => break,
                Ok(Taken::HeldBy { left, .. }) => tokio::time::sleep(left).await,
                Err(error) if error.retryable() => {}
                Err(error) => panic!("{error:?}"),
            }
            let waited = asked.elapsed();
            assert!(waited < short * 4, "nobody gets the wallet: {waited:?}");
        }
        println!("taken after {:?}", asked.elapsed());
        assert!(answer.await.is_err(), "the connection is gone");
    }
}
