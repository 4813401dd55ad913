//! What a quorum of servers says of an account's tickets.

use super::world::{Fake, Reaction, World, genesis};
use crate::xrpl::{HistoryError, Pool};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use xrpayd_core::ids::LedgerIndex;

const AT: LedgerIndex = LedgerIndex(5);

/// Tells of `tickets`, two a page.
fn tell(server: &mut Fake, tickets: &'static [u32]) {
    let hash = server.hash(AT.0);
    server.on("account_objects", move |request| {
        assert_eq!(request["type"], "ticket");
        let begin = request["marker"]
            .as_str()
            .map_or(0, |marker| marker.parse().unwrap());
        let object = |number: &u32| {
            json!({"Account": request["account"], "LedgerEntryType": "Ticket", "Flags": 0,
                "OwnerNode": "0", "TicketSequence": number})
        };
        let page: Vec<Value> = tickets.iter().skip(begin).take(2).map(object).collect();
        let mut result = json!({"account": request["account"], "account_objects": page,
            "ledger_index": request["ledger_index"], "ledger_hash": hash, "validated": true});
        if begin + 2 < tickets.len() {
            result["marker"] = json!((begin + 2).to_string());
        }
        Some(Reaction::Result(result))
    });
}

async fn world(servers: usize) -> (World, Pool) {
    let world = World::new(servers);
    world.each(|server| tell(server, &[7, 9, 8]));
    let pool = world.ready().await;
    (world, pool)
}

#[tokio::test(start_paused = true)]
async fn tickets_are_read_to_the_last_page_and_agreed_at_one_validated_ledger() {
    let (_world, pool) = world(2).await;
    let agreed = pool.tickets(genesis(), AT).await.unwrap();
    assert_eq!((agreed.at, agreed.servers.len()), (AT, 2));
    assert_eq!(agreed.standing, BTreeSet::from([7, 8, 9]));
}

#[tokio::test(start_paused = true)]
async fn servers_that_contradict_each_other_about_tickets_prove_nothing() {
    let (world, pool) = world(2).await;
    tell(&mut world.server(1), &[7, 8]);
    let verdict = pool.tickets(genesis(), AT).await;
    assert!(
        matches!(verdict, Err(HistoryError::Disagreement { .. })),
        "{verdict:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_something_else_counts_for_nothing() {
    let (world, pool) = world(2).await;
    let odd: [fn(&mut Value); 4] = [
        |result| result["validated"] = json!(false),
        |result| result["ledger_index"] = json!(4),
        |result| result["account"] = json!("rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"),
        |result| result["account_objects"][0]["LedgerEntryType"] = json!("Offer"),
    ];
    for change in odd {
        let hash = world.server(0).hash(AT.0);
        world.each(|server| {
            let hash = hash.clone();
            server.on("account_objects", move |request| {
                let ticket = json!({"Account": request["account"], "LedgerEntryType": "Ticket",
                    "TicketSequence": 7});
                let mut result = json!({"account": request["account"], "account_objects": [ticket],
                    "ledger_index": request["ledger_index"], "ledger_hash": hash, "validated": true});
                change(&mut result);
                Some(Reaction::Result(result))
            });
        });
        let verdict = pool.tickets(genesis(), AT).await;
        assert!(
            matches!(verdict, Err(HistoryError::Request(_))),
            "{verdict:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_never_end_are_given_up() {
    let (world, pool) = world(2).await;
    let hash = world.server(0).hash(AT.0);
    world.each(|server| {
        let hash = hash.clone();
        server.on("account_objects", move |request| {
            Some(Reaction::Result(
                json!({"account": request["account"], "account_objects": [],
                "marker": "again", "ledger_index": request["ledger_index"], "ledger_hash": hash,
                "validated": true}),
            ))
        });
    });
    let asking = pool.tickets(genesis(), AT);
    assert!(matches!(asking.await, Err(HistoryError::Request(_))));
    assert!(world.server(0).asked("account_objects") < 100);
}
