//! Frames and answers that no server should send.

use super::world::{Reaction, World, genesis, payment, state, until};
use crate::xrpl::transport::{Incoming, LinkError};
use crate::xrpl::{HistoryError, PoolConfig, RequestError};
use serde_json::json;
use std::time::Duration;
use xrpayd_core::ids::LedgerIndex;

#[tokio::test(start_paused = true)]
async fn frames_that_cannot_be_used_are_counted_and_survived() {
    let world = World::new(1);
    let pool = world.ready().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let frames = [
        ("not_json", "not json".to_owned()),
        ("not_json", "{".to_owned()),
        ("not_json", "[1,2]".to_owned()),
        ("not_json", String::new()),
        ("not_json", format!(r#"{{"type":{deep}}}"#)),
        (
            "wrong_id",
            r#"{"id":4294967296,"status":"success","type":"response","result":{}}"#.to_owned(),
        ),
        (
            "wrong_id",
            r#"{"id":"seven","status":"success","type":"response","result":{}}"#.to_owned(),
        ),
        (
            "wrong_id",
            r#"{"id":0,"type":"response","result":{}}"#.to_owned(),
        ),
        (
            "error_without_id",
            r#"{"type":"error","error":"jsonInvalid","value":"x"}"#.to_owned(),
        ),
        (
            "unknown",
            r#"{"type":"bookChanges","changes":[]}"#.to_owned(),
        ),
        ("unknown", r#"{"hello":"there"}"#.to_owned()),
        (
            "wrong_shape",
            r#"{"type":"ledgerClosed","ledger_index":"six"}"#.to_owned(),
        ),
        (
            "wrong_shape",
            r#"{"type":"ledgerClosed","ledger_index":6,"ledger_hash":"short"}"#.to_owned(),
        ),
        (
            "wrong_shape",
            r#"{"type":"serverStatus","server_status":7}"#.to_owned(),
        ),
    ];
    for (kind, frame) in frames {
        let before = world.odd_frames("s0", kind);
        world.server(0).tell(&frame);
        until(|| world.odd_frames("s0", kind) == before + 1).await;
    }
    world.server(0).send(Ok(Incoming::Binary));
    until(|| world.odd_frames("s0", "binary") == 1).await;
    assert_eq!(state(&pool, 0), "ready");
    assert!(pool.fee().await.is_ok());
    assert_eq!(world.server(0).connects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_ends_the_connection_and_not_the_server() {
    let world = World::new(1);
    let pool = world.ready().await;
    world
        .server(0)
        .send(Err(LinkError::TooLarge("65 MB".into())));
    until(|| state(&pool, 0) == "connecting").await;
    until(|| state(&pool, 0) == "ready").await;
    assert_eq!(world.odd_frames("s0", "too_large"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_no_answer_to_anything() {
    let world = World::new(1);
    world.server(0).stand_alone = true;
    let pool = world.ready().await;
    world.server(0).on("fee", |_| Some(Reaction::Silence));
    assert_eq!(
        pool.fee().await,
        Err(RequestError::TimedOut {
            server: "s0".into()
        })
    );
    let id = world.server(0).requests.last().unwrap()["id"].clone();
    let late = json!({"id": id, "status": "success", "type": "response", "result": {}});
    world.server(0).tell(&late.to_string());
    until(|| world.odd_frames("s0", "late") == 1).await;
    assert_eq!(state(&pool, 0), "ready");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_what_was_asked_at_once() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("fee", |_| Some(Reaction::Silence));
    let began = tokio::time::Instant::now();
    let (answer, ()) = tokio::join!(pool.fee(), async {
        until(|| world.server(0).asked("fee") == 1).await;
        world.server(0).hang_up();
    });
    assert!(
        matches!(answer, Err(RequestError::Closed { .. })),
        "{answer:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_wait_on_one_connection_than_are_allowed() {
    let world = World::new(1);
    let pool = world.start_with(PoolConfig {
        in_flight_max: 2,
        ..world.config()
    });
    until(|| state(&pool, 0) == "ready").await;
    world.server(0).on("fee", |_| Some(Reaction::Silence));
    let (first, second, third) = tokio::join!(pool.fee(), pool.fee(), async {
        until(|| world.server(0).asked("fee") == 2).await;
        pool.fee().await
    });
    for answer in [first, second] {
        assert!(
            matches!(answer, Err(RequestError::TimedOut { .. })),
            "{answer:?}"
        );
    }
    // The third took the place of the first, whose time was up.
    assert!(
        matches!(
            third,
            Err(RequestError::TimedOut { .. } | RequestError::Busy { .. })
        ),
        "{third:?}"
    );
    assert!(world.server(0).asked("fee") <= 3);
}

#[tokio::test(start_paused = true)]
async fn answers_of_the_wrong_shape_are_errors_of_that_server() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("fee", |_| {
        Some(Reaction::Result(json!({"drops": {"base_fee": 10}})))
    });
    assert!(matches!(
        pool.fee().await,
        Err(RequestError::Malformed { .. })
    ));
    world.server(0).on("account_info", |_| {
        Some(Reaction::Result(json!({"account_data": []})))
    });
    let root = pool.account_root(genesis(), LedgerIndex(5)).await;
    assert!(
        matches!(
            root,
            Err(HistoryError::Request(RequestError::Malformed { .. }))
        ),
        "{root:?}"
    );
    assert_eq!(state(&pool, 0), "ready");
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_not_what_they_should_be_are_refused() {
    type Spoil = fn(&mut serde_json::Value);
    let spoils: [(&str, Spoil); 12] = [
        ("not validated", |page| page["validated"] = false.into()),
        ("clipped below", |page| page["ledger_index_min"] = 4.into()),
        ("clipped above", |page| page["ledger_index_max"] = 4.into()),
        ("minus one", |page| page["ledger_index_min"] = (-1).into()),
        ("a transaction not validated", |page| {
            page["transactions"][0]["validated"] = false.into()
        }),
        ("outside the range", |page| {
            page["transactions"][0]["ledger_index"] = 99.into()
        }),
        ("a bad hash", |page| {
            page["transactions"][0]["hash"] = "AB".into()
        }),
        ("a bad address", |page| {
            page["transactions"][0]["tx_json"]["Account"] = "rX".into()
        }),
        ("a bad fee", |page| {
            page["transactions"][0]["tx_json"]["Fee"] = "-1".into()
        }),
        ("a bad amount", |page| {
            page["transactions"][0]["meta"]["delivered_amount"] = "1.5".into()
        }),
        ("a bad root", |page| {
            page["transactions"][0]["meta"]["AffectedNodes"][2]["ModifiedNode"]["FinalFields"]["Sequence"] =
                "x".into()
        }),
        ("no end", |page| {
            page["marker"] = json!({"ledger": 1, "seq": 1})
        }),
    ];
    let world = World::new(1);
    let pool = world.ready().await;
    for (name, spoil) in spoils {
        let mut page = {
            let server = world.server(0);
            json!({"validated": true, "ledger_index_min": 3, "ledger_index_max": 5,
                "transactions": [payment(&server, 4, 0, 7, "tesSUCCESS")]})
        };
        let sound = page.clone();
        world
            .server(0)
            .on("account_tx", move |_| Some(Reaction::Result(sound.clone())));
        assert!(
            pool.history(genesis(), LedgerIndex(3), LedgerIndex(5))
                .await
                .is_ok(),
            "{name}"
        );
        spoil(&mut page);
        world
            .server(0)
            .on("account_tx", move |_| Some(Reaction::Result(page.clone())));
        let history = pool
            .history(genesis(), LedgerIndex(3), LedgerIndex(5))
            .await;
        assert!(
            matches!(
                history,
                Err(HistoryError::Request(RequestError::Malformed { .. }))
            ),
            "{name}: {history:?}"
        );
    }
}
