//! Asserts that no statement of a turn, and none of the log, reads a table that grows from end to end.

use super::*;
use crate::store::plans::{T0, new_payment, plans_of, scans, stores};
use crate::store::{Actor, FeedFilter, Store};
use xrpayd_core::ids::{DeliveryId, EndpointId};

async fn use_everything(store: &Store) {
    let new = NewEndpoint {
        id: EndpointId(1),
        client: "shop".to_owned(),
        reach: Reach::Own,
        url: "https://example.com/".to_owned(),
        events: vec!["*".to_owned()],
        description: None,
        secret: vec![1],
        now: T0,
    };
    let endpoint = store
        .create_endpoint(&new, 9, &Actor::Daemon)
        .await
        .unwrap()
        .unwrap();
    store.accept(new_payment(1)).await.unwrap();
    let page = store.feed_page(0, &FeedFilter::default(), 9).await.unwrap();
    let fanned = |recovery| Fanned {
        endpoint: endpoint.id,
        recovery,
        after: 0,
        through: page.through,
        messages: (0..)
            .zip(&page.events)
            .map(|(n, event)| {
                let message = Message {
                    id: format!("evt_{}", event.sequence),
                    type_: event.type_.clone(),
                    object_id: event.object_id.clone(),
                    at: event.at,
                    body: event.data.to_string(),
                };
                (DeliveryId(n), message)
            })
            .collect(),
    };
    let turn = Turn {
        holder: "me".to_owned(),
        now: T0,
        fanned: vec![fanned(None)],
        wanted: vec![(endpoint.id, 9)],
        claim_until: T0.plus_ms(9),
        disable_after_ms: 9_000,
        ..Turn::default()
    };
    let claimed = store.webhook_turn(&turn).await.unwrap().claimed;
    let settled = Settled {
        delivery: claimed[0].delivery,
        endpoint: endpoint.id,
        tried: Tried {
            at: T0,
            duration_ms: 1,
            outcome: "refused",
            status: None,
            error: None,
            excerpt: String::new(),
        },
        verdict: Verdict::GivenUp,
        patience: Patience::Gone,
    };
    let settling = Turn {
        settled: vec![settled],
        ..turn
    };
    store.webhook_turn(&settling).await.unwrap();
    let recovering = store
        .recover_endpoint(endpoint.id, T0, true, &Actor::Daemon, T0)
        .await;
    let again = Turn {
        fanned: vec![fanned(recovering.unwrap().unwrap().recovery)],
        settled: Vec::new(),
        ..settling
    };
    store.webhook_turn(&again).await.unwrap();
    store.webhook_view().await.unwrap();
    store.oldest_undelivered().await.unwrap();
    store.deliveries(endpoint.id, None, None, 9).await.unwrap();
    store
        .redeliver(endpoint.id, claimed[0].delivery, T0)
        .await
        .unwrap();
    store.release_webhook_claims(Some("me"), T0).await.unwrap();
    store.release_webhook_claims(None, T0).await.unwrap();
    store.prune_deliveries(T0, 9).await.unwrap();
}

#[tokio::test]
async fn no_statement_of_webhooks_reads_a_growing_table_from_end_to_end() {
    for (store, _folder) in stores().await {
        let seen = plans_of(use_everything(&store)).await;
        assert!(seen.len() > 30, "only {} statements were seen", seen.len());
        for (sql, plan) in &seen {
            assert_eq!(scans(plan), Vec::<&str>::new(), "{sql}\n{plan}");
        }
    }
}
