//! The statements behind the limits of single clients and destinations.

use super::*;
use xrpayd_core::limits::{Scope, ScopeCaps, ScopedCaps};

fn fenced(n: u8) -> NewPayment {
    let caps = ScopeCaps {
        max_payment: None,
        daily: Drops::new(10_000_000),
        max_pending: Some(9),
    };
    NewPayment {
        scoped: ScopedCaps {
            client: caps,
            destination: caps,
        },
        ..new_payment(n)
    }
}

#[tokio::test]
async fn limits_of_clients_and_destinations_are_counted_along_indexes() {
    for (store, _folder) in stores().await {
        let mut seen = plans_of(async { store.accept(fenced(1)).await.unwrap() }).await;
        // A day and an hour later every window has to be moved.
        let later = T0.plus_ms(90_000_001);
        let next = NewPayment {
            now: later,
            ..fenced(2)
        };
        seen.extend(plans_of(async { store.accept(next).await.unwrap() }).await);
        let scopes = [
            Scope::Client("shop".to_owned()),
            Scope::Destination(AccountId([7; 20])),
        ];
        for scope in &scopes {
            seen.extend(plans_of(async { store.scope_usage(scope, later).await.unwrap() }).await);
        }
        let one = store.payment(new_payment(1).id).await.unwrap().unwrap();
        let ended = plans_of(async {
            let by = Person {
                key: "k1",
                of: "house",
                client: None,
            };
            let past = Past::Read(&["hot"]);
            store
                .rule(one.id, by, Event::Cancel, past, later)
                .await
                .unwrap()
        });
        seen.extend(ended.await);
        let caps = new_payment(1).caps;
        let days = scopes.map(|scope| (scope, fenced(1).scoped.client));
        let resets = store.resets_at(&caps, &days, Drops::new(10_000_000).unwrap(), later);
        seen.extend(plans_of(async { resets.await.unwrap() }).await);
        let forgotten = store.forget_limit_scopes(later.plus_ms(90_000_000));
        seen.extend(plans_of(async { forgotten.await.unwrap() }).await);
        assert!(seen.len() > 25, "only {} statements were seen", seen.len());
        for (sql, plan) in &seen {
            assert_eq!(scans(plan), Vec::<&str>::new(), "{sql}\n{plan}");
            // What a day holds is more than what is on its way.
            let by_time = plan.contains("payments_by_time");
            assert!(
                !by_time || !sql.contains("destination") && !sql.contains("client"),
                "{sql}\n{plan}"
            );
        }
        for index in [
            "payments_by_client",
            "payments_by_destination",
            "payments_processing",
        ] {
            let used = seen.iter().any(|(_, plan)| plan.contains(index));
            assert!(used, "nothing uses {index}");
        }
    }
}
