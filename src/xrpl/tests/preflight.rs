//! What servers say of an account that is to be paid, and of a payment that is only tried.

use super::world::{Reaction, World, genesis, state, until};
use crate::xrpl::{HistoryError, Pool, RequestError};
use serde_json::{Value, json};
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;

const AT: LedgerIndex = LedgerIndex(5);

fn shop() -> AccountId {
    "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe".parse().unwrap()
}

async fn world() -> (World, Pool) {
    let world = World::new(3);
    let pool = world.ready().await;
    (world, pool)
}

fn asked(world: &World, command: &str) -> Vec<usize> {
    (0..3)
        .map(|index| world.server(index).asked(command))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_of_the_ledgers_own_is_told_from_one_that_somebody_has_a_key_to() {
    for (field, is_pseudo) in [
        ("AMMID", true),
        ("VaultID", true),
        ("LoanBrokerID", true),
        ("Domain", false),
    ] {
        let (world, pool) = world().await;
        world.each(|server| {
            let hash = server.hash(AT.0);
            server.on("account_info", move |request| {
                let mut root = json!({"Account": request["account"], "Balance": "7", "Flags": 16_777_216,
                    "OwnerCount": 0, "PreviousTxnLgrSeq": 3, "Sequence": 1});
                root[field] = "AB".repeat(32).into();
                Some(Reaction::Result(json!({"account_data": root, "ledger_index": AT.0,
                    "ledger_hash": hash, "validated": true})))
            });
        });
        let told = pool.account_root(shop(), AT).await.unwrap();
        let hash = told.hash.map(|hash| hash.to_string());
        assert_eq!(hash, Some(world.server(0).hash(AT.0)));
        let root = told.root.unwrap();
        assert_eq!((root.is_pseudo, root.flags), (is_pseudo, 0x0100_0000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_invents_a_flag_makes_that_nothing_is_said_of_the_account() {
    let (world, pool) = world().await;
    let hash = world.server(1).hash(AT.0);
    world.server(1).on("account_info", move |request| {
        let root = json!({"Account": request["account"], "Balance": "1000", "Flags": 131_072,
            "OwnerCount": 1, "PreviousTxnLgrSeq": 3, "Sequence": 9});
        Some(Reaction::Result(
            json!({"account_data": root, "ledger_index": AT.0,
            "ledger_hash": hash, "validated": true}),
        ))
    });
    let told = pool.account_root(shop(), AT).await;
    assert!(
        matches!(told, Err(HistoryError::Disagreement { .. })),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn leave_to_pay_is_what_the_servers_agree_on() {
    let (world, pool) = world().await;
    let told = pool.deposit_authorized(genesis(), shop(), AT).await;
    let told = told.unwrap();
    assert!(told.is_authorized);
    assert_eq!((told.at, told.servers.len()), (AT, 3));
    let request = world.server(0).requests.last().cloned().unwrap();
    assert_eq!(request["source_account"], genesis().to_string());
    assert_eq!(request["destination_account"], shop().to_string());
    assert_eq!(request["ledger_index"], AT.0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_leave_against_another_settles_nothing() {
    let (world, pool) = world().await;
    let hash = world.server(2).hash(AT.0);
    world.server(2).on("deposit_authorized", move |request| {
        Some(Reaction::Result(
            json!({"source_account": request["source_account"],
            "destination_account": request["destination_account"], "deposit_authorized": false,
            "ledger_index": AT.0, "ledger_hash": hash, "validated": true}),
        ))
    });
    let told = pool.deposit_authorized(genesis(), shop(), AT).await;
    assert!(
        matches!(told, Err(HistoryError::Disagreement { .. })),
        "{told:?}"
    );
    assert!(world.metrics.xrpl_server_disagreements_total.get() >= 1);
}

#[tokio::test(start_paused = true)]
async fn leave_for_others_or_at_another_ledger_is_no_answer() {
    let answers: [fn(&mut Value); 3] = [
        |answer| answer["source_account"] = shop().to_string().into(),
        |answer| answer["ledger_index"] = 4.into(),
        |answer| answer["validated"] = false.into(),
    ];
    for change in answers {
        let (world, pool) = world().await;
        world.each(|server| {
            let hash = server.hash(AT.0);
            server.on("deposit_authorized", move |request| {
                let mut answer = json!({"source_account": request["source_account"],
                    "destination_account": request["destination_account"], "deposit_authorized": true,
                    "ledger_index": AT.0, "ledger_hash": hash, "validated": true});
                change(&mut answer);
                Some(Reaction::Result(answer))
            });
        });
        let told = pool.deposit_authorized(genesis(), shop(), AT).await;
        assert!(
            matches!(
                told,
                Err(HistoryError::Request(RequestError::Malformed { .. }))
            ),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_tried_on_one_server_and_the_answer_names_it() {
    let (world, pool) = world().await;
    let tx = json!({"TransactionType": "Payment", "Account": genesis().to_string()});
    let told = pool.simulate(&tx).await.unwrap();
    assert_eq!(
        (told.result.as_str(), told.ledger_index.0),
        ("tesSUCCESS", 6)
    );
    assert_eq!(asked(&world, "simulate").iter().sum::<usize>(), 1);
    let index = (0..3).find(|index| world.server(*index).asked("simulate") == 1);
    assert_eq!(told.server, format!("s{}", index.unwrap()));
    let sent = world.server(index.unwrap()).requests.last().cloned();
    assert_eq!(sent.unwrap()["tx_json"], tx);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_try_is_remembered_until_its_connection_is_another() {
    let (world, pool) = world().await;
    world.each(|server| {
        server.on("simulate", |_| {
            Some(Reaction::Error("unknownCmd", json!({})))
        });
    });
    for _ in 0..3 {
        assert!(pool.simulate(&json!({})).await.is_err());
    }
    assert_eq!(asked(&world, "simulate"), [1, 1, 1]);
    {
        let mut upgraded = world.server(1);
        upgraded.scripts.remove("simulate");
        upgraded.hang_up();
    }
    until(|| state(&pool, 1) != "ready").await;
    until(|| state(&pool, 1) == "ready").await;
    assert_eq!(pool.simulate(&json!({})).await.unwrap().server, "s1");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_applied_or_names_no_result_is_no_simulation() {
    for (applied, result) in [(true, "tesSUCCESS"), (false, "all well")] {
        let (world, pool) = world().await;
        world.each(|server| {
            server.on("simulate", move |_| {
                let answer =
                    json!({"applied": applied, "engine_result": result, "ledger_index": 6});
                Some(Reaction::Result(answer))
            });
        });
        let told = pool.simulate(&json!({})).await;
        assert!(
            matches!(told, Err(RequestError::Malformed { .. })),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_glance_asks_one_server_and_the_next_only_where_that_one_says_nothing() {
    let (world, pool) = world().await;
    let root = pool.glance(shop(), AT).await.unwrap().unwrap();
    assert_eq!((root.sequence, root.is_pseudo), (9, false));
    assert_eq!(asked(&world, "account_info").iter().sum::<usize>(), 1);

    let index = (0..3).find(|index| world.server(*index).asked("account_info") == 1);
    let silence = |_: &serde_json::Value| Some(Reaction::Silence);
    world.server(index.unwrap()).on("account_info", silence);
    assert!(pool.glance(shop(), AT).await.unwrap().is_some());
    assert_eq!(asked(&world, "account_info").iter().sum::<usize>(), 3);
    // Its answer is overdue by now, so the others are asked first.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(pool.glance(shop(), AT).await.unwrap().is_some());
    assert_eq!(world.server(index.unwrap()).asked("account_info"), 2);
    assert_eq!(asked(&world, "account_info").iter().sum::<usize>(), 4);

    world.each(|server| {
        let hash = server.hash(AT.0);
        server.on("account_info", move |_| {
            let about = json!({"ledger_index": AT.0, "ledger_hash": hash, "validated": true});
            Some(Reaction::Error("actNotFound", about))
        });
    });
    assert_eq!(pool.glance(shop(), AT).await, Ok(None));
    world.each(|server| server.on("account_info", |_| Some(Reaction::Silence)));
    let nothing = pool.glance(shop(), AT).await;
    assert!(
        matches!(nothing, Err(RequestError::TimedOut { .. })),
        "{nothing:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_glance_is_not_worth_a_server_that_asked_to_slow_down() {
    let (world, pool) = world().await;
    world.each(|server| {
        server.on("fee", |_| Some(Reaction::With("warning", "load".into())));
    });
    for _ in 0..20 {
        let _ = pool.fee().await;
        let _ = pool.deposit_authorized(genesis(), shop(), AT).await;
    }
    let before: usize = asked(&world, "account_info").iter().sum();
    let glance = pool.glance(shop(), AT).await;
    assert_eq!(glance, Err(RequestError::NoServer));
    assert_eq!(asked(&world, "account_info").iter().sum::<usize>(), before);
}
