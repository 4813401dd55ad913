//! Every state of a connection, and what brings it about.

use super::world::{NETWORK, Reaction, World, genesis, state, tip_at, until};
use crate::xrpl::transport::{Incoming, LinkError};
use crate::xrpl::{AccountStreams, Cause, PoolConfig, RequestError};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_core::ids::LedgerIndex;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn servers_become_ready_and_agree_on_the_newest_ledger() {
    let world = World::new(3);
    let pool = world.ready().await;
    assert_eq!(tip_at(&pool, 5).await.index, LedgerIndex(5));
    world.server(0).close();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(
        tip_at(&pool, 5).await.index,
        LedgerIndex(5),
        "one server is no quorum"
    );
    world.server(1).close();
    let tip = tip_at(&pool, 6).await;
    assert_eq!(tip.hash.to_string(), world.server(0).hash(6));
    assert_eq!(
        (
            tip.base_fee.get(),
            tip.reserve_base.get(),
            tip.reserve_inc.get()
        ),
        (10, 1_000_000, 200_000)
    );
    let view = &pool.servers()[2];
    assert_eq!(
        (view.lag, view.validated_ledger),
        (Some(1), Some(LedgerIndex(5)))
    );
    assert_eq!(
        (view.network_id, view.complete_ledgers.as_str()),
        (Some(NETWORK), "2-5")
    );
    assert!(view.connected_since.is_some() && view.last_error.is_none() && view.score > 900);
    assert_eq!(world.metrics.xrpl_validated_ledger_index.get(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_network_is_refused_until_the_configuration_changes() {
    let world = World::new(1);
    world.server(0).network_id = Some(1);
    let pool = world.start();
    until(|| state(&pool, 0) == "refused").await;
    let view = pool.servers().remove(0);
    assert_eq!(view.cause, Some(Cause::WrongNetwork));
    let why = view.last_error.unwrap();
    assert!(why.contains("network id 1"), "{why}");
    assert_eq!(
        world.server(0).asked("subscribe"),
        0,
        "nothing it says of its ledgers is heard"
    );
    assert_eq!(pool.fee().await, Err(RequestError::NoServer));
    world.server(0).network_id = Some(NETWORK);
    tokio::time::sleep(seconds(3_600)).await;
    assert_eq!(world.server(0).connects.len(), 1);
    pool.adopt(world.members());
    until(|| state(&pool, 0) == "ready").await;
    pool.adopt(world.members());
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(
        world.server(0).connects.len(),
        2,
        "what stands is left as it is"
    );
}

#[tokio::test(start_paused = true)]
async fn a_standalone_server_that_says_no_network_id_is_of_network_0() {
    let world = World::new(1);
    world.server(0).network_id = None;
    let pool = world.start();
    until(|| state(&pool, 0) == "refused").await;
    drop(pool);
    let world = World::new(1);
    world.server(0).network_id = None;
    let pool = world.start_with(PoolConfig {
        network_id: 0,
        ..world.config()
    });
    until(|| state(&pool, 0) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_in_sync_is_asked_until_it_is() {
    let world = World::new(1);
    world.each(|server| {
        server.state = "connected";
        server.complete = Some("empty".into());
    });
    let pool = world.start();
    until(|| state(&pool, 0) == "syncing").await;
    assert!(pool.tip().borrow().is_none());
    world.each(|server| {
        server.state = "full";
        server.complete = None;
    });
    until(|| state(&pool, 0) == "ready").await;
    assert_eq!(tip_at(&pool, 5).await.index, LedgerIndex(5));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_it_lost_the_network_is_syncing_until_it_is_back() {
    let world = World::new(1);
    let pool = world.ready().await;
    world
        .server(0)
        .on("fee", |_| Some(Reaction::Error("notSynced", json!({}))));
    assert!(pool.fee().await.is_err());
    assert_eq!(state(&pool, 0), "syncing");
    until(|| state(&pool, 0) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn an_amendment_blocked_server_is_refused_and_looked_at_again_at_long_intervals() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("fee", |_| {
        Some(Reaction::Error("amendmentBlocked", json!({})))
    });
    assert!(pool.fee().await.is_err());
    until(|| state(&pool, 0) == "refused").await;
    assert_eq!(pool.servers()[0].cause, Some(Cause::AmendmentBlocked));
    let refused_at = Instant::now();
    world.server(0).scripts.clear();
    until(|| state(&pool, 0) == "ready").await;
    let waited = refused_at.elapsed();
    assert!(waited >= seconds(60) && waited <= seconds(91), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_us_to_slow_down_is_asked_last_for_a_while() {
    for reaction in [
        || Reaction::Error("slowDown", json!({})),
        || Reaction::Error("tooBusy", json!({})),
        || Reaction::With("warning", "load".into()),
    ] {
        let world = World::new(2);
        let pool = world.ready().await;
        world.server(0).on("fee", move |_| Some(reaction()));
        assert!(pool.fee().await.is_ok());
        assert_eq!((state(&pool, 0), state(&pool, 1)), ("degraded", "ready"));
        let began = Instant::now();
        until(|| state(&pool, 0) == "ready").await;
        assert!(began.elapsed() >= seconds(9));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_turned_us_away_is_left_alone_for_seconds() {
    for close in [
        Ok(Incoming::Close(Some((1_008, "threshold exceeded".into())))),
        Err(LinkError::TurnedAway(503)),
    ] {
        let world = World::new(1);
        let pool = world.ready().await;
        let began = Instant::now();
        world.server(0).send(close);
        until(|| state(&pool, 0) == "open_circuit").await;
        assert_eq!(pool.servers()[0].cause, Some(Cause::TurnedAway));
        until(|| state(&pool, 0) == "ready").await;
        assert!(
            began.elapsed() >= Duration::from_millis(2_500),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_again_soon_and_subscribed_again() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).hang_up();
    world.server(0).close_quietly();
    let began = Instant::now();
    until(|| state(&pool, 0) == "connecting").await;
    assert_eq!(
        tip_at(&pool, 6).await.index,
        LedgerIndex(6),
        "what was missed is learned"
    );
    assert!(began.elapsed() < seconds(1), "{:?}", began.elapsed());
    assert_eq!(world.server(0).asked("subscribe"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_tried_less_and_less_often() {
    let world = World::new(1);
    world.server(0).refuses = Some(LinkError::Broken("connection refused".into()));
    let pool = world.start();
    until(|| world.server(0).connects.len() >= 12).await;
    let connects = world.server(0).connects.clone();
    let waits: Vec<Duration> = connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] <= Duration::from_millis(210), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= seconds(31)), "{waits:?}");
    assert!(waits[10] >= seconds(15), "{waits:?}");
    assert_eq!(
        pool.servers()[0].last_error.as_deref(),
        Some("connection refused")
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_pings_is_given_up() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).answers_pings = false;
    world
        .server(0)
        .on("server_info", |_| Some(Reaction::Silence));
    world.server(0).on("subscribe", |_| Some(Reaction::Silence));
    let began = Instant::now();
    until(|| state(&pool, 0) == "connecting").await;
    assert!(began.elapsed() <= seconds(21), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_network_that_stands_still_leaves_its_servers_usable() {
    let world = World::new(2);
    let pool = world.ready().await;
    until(|| state(&pool, 0) == "degraded" && state(&pool, 1) == "degraded").await;
    tokio::time::sleep(seconds(120)).await;
    assert_eq!(
        world.server(0).connects.len(),
        1,
        "silence alone is no reason to reconnect"
    );
    assert!(pool.fee().await.is_ok());
    assert!(pool.account_root(genesis(), LedgerIndex(5)).await.is_ok());
    world.each(super::world::Fake::close);
    until(|| state(&pool, 0) == "ready" && state(&pool, 1) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stands_alone_may_be_silent_as_long_as_it_likes() {
    let world = World::new(1);
    world.server(0).stand_alone = true;
    let pool = world.ready().await;
    for _ in 0..600 {
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(state(&pool, 0), "ready");
    }
    assert_eq!(world.server(0).connects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stopped_telling_is_probed_and_what_it_missed_is_learned() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).close_quietly();
    world.server(0).close_quietly();
    assert_eq!(tip_at(&pool, 7).await.index, LedgerIndex(7));
    assert_eq!(state(&pool, 0), "ready");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fell_behind_the_others_is_degraded_and_then_connected_anew() {
    let world = World::new(3);
    let pool = world.ready().await;
    for _ in 0..5 {
        world.server(0).close();
        world.server(1).close();
    }
    tip_at(&pool, 10).await;
    assert_eq!(state(&pool, 2), "degraded");
    assert_eq!(pool.servers()[2].lag, Some(5));
    until(|| world.server(2).connects.len() > 1).await;
    assert_eq!(world.server(0).connects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_but_no_request_is_given_up() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("subscribe", |_| Some(Reaction::Silence));
    until(|| state(&pool, 0) == "connecting").await;
    let why = pool.servers()[0].last_error.clone().unwrap();
    assert!(why.contains("does not answer"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_the_stream_of_its_own_state_is_subscribed_to_without_it() {
    let world = World::new(1);
    world.server(0).on("subscribe", |request| {
        let streams = request["streams"].as_array().unwrap();
        streams
            .contains(&json!("server"))
            .then(|| Reaction::Error("reportingUnsupported", json!({})))
    });
    let pool = world.start();
    until(|| state(&pool, 0) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn a_status_message_changes_the_state_at_once() {
    let world = World::new(1);
    let pool = world.ready().await;
    world
        .server(0)
        .on("server_info", |_| Some(Reaction::Silence));
    world.server(0).tell(
        r#"{"type":"serverStatus","server_status":"tracking","load_base":256,"load_factor":512}"#,
    );
    until(|| state(&pool, 0) == "syncing").await;
    assert_eq!(pool.servers()[0].load_factor, Some(2));
    world.server(0).tell(
        r#"{"type":"serverStatus","server_status":"full","load_base":256,"load_factor":256}"#,
    );
    until(|| state(&pool, 0) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn a_transaction_of_ours_on_a_stream_is_a_hint() {
    let world = World::new(1);
    let config = PoolConfig {
        account_streams: AccountStreams::On,
        ..world.config()
    };
    let pool = world.start_with(config);
    until(|| state(&pool, 0) == "ready").await;
    let asked = world
        .server(0)
        .requests
        .iter()
        .find(|request| request["command"] == "subscribe")
        .cloned();
    assert_eq!(asked.unwrap()["accounts"], json!([genesis().to_string()]));
    let hint = pool.hint();
    // The one that told of the server's becoming ready.
    hint.notified().await;
    world
        .server(0)
        .tell(r#"{"type":"transaction","validated":true}"#);
    hint.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_goes_dead_is_passed_over_within_seconds() {
    let world = World::new(2);
    let pool = world.ready().await;
    world.server(0).answers_pings = false;
    world.server(0).on("fee", |_| Some(Reaction::Silence));
    let began = Instant::now();
    assert!(pool.fee().await.is_ok());
    until(|| state(&pool, 0) == "degraded").await;
    assert!(began.elapsed() < seconds(5), "{:?}", began.elapsed());
    assert_eq!(state(&pool, 1), "ready");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_again_and_again_is_left_alone_and_then_gets_one_trial() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).refuses = Some(LinkError::Refused("ECONNREFUSED".into()));
    world.server(0).hang_up();
    until(|| state(&pool, 0) == "open_circuit").await;
    let (began, tried) = (Instant::now(), world.server(0).connects.len());
    assert_eq!(tried, 4, "the good connection and three attempts");
    let view = pool.servers().remove(0);
    assert_eq!(view.cause, Some(Cause::ConnectionRefused));
    assert_eq!(view.score, 0);
    until(|| world.server(0).connects.len() > tried).await;
    assert!(began.elapsed() >= Duration::from_millis(800));
    world.server(0).refuses = None;
    until(|| state(&pool, 0) == "ready").await;
    let view = pool.servers().remove(0);
    assert_eq!(view.cause, None);
    assert!(view.since >= view.connected_since);

    // One good connection later it has all its chances again.
    tokio::time::sleep(seconds(6)).await;
    world.server(0).hang_up();
    until(|| state(&pool, 0) == "connecting").await;
    until(|| state(&pool, 0) == "ready").await;
}

#[tokio::test(start_paused = true)]
async fn what_kept_a_connection_from_standing_is_told_apart() {
    let tls = |cause| LinkError::Tls {
        cause,
        why: "TLS".into(),
    };
    for (error, cause) in [
        (LinkError::Dns("no such name".into()), Cause::Dns),
        (LinkError::Refused("x".into()), Cause::ConnectionRefused),
        (LinkError::Unreachable("x".into()), Cause::Unreachable),
        (tls(Cause::Certificate), Cause::Certificate),
        (tls(Cause::CertificateName), Cause::CertificateName),
        (LinkError::Http(404), Cause::Http),
        (LinkError::Broken("x".into()), Cause::Broken),
    ] {
        let world = World::new(1);
        let said = error.to_string();
        world.server(0).refuses = Some(error);
        let pool = world.start();
        until(|| pool.servers()[0].cause.is_some()).await;
        let view = pool.servers().remove(0);
        assert_eq!((view.cause, view.last_error), (Some(cause), Some(said)));
        let gauge = &world.metrics.xrpl_connection_status;
        assert_eq!(gauge.with_label_values(&["s0"]).get(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_ready_server_is_counted_as_connected() {
    let world = World::new(2);
    let pool = world.ready().await;
    let status = |index: usize| {
        let gauge = &world.metrics.xrpl_connection_status;
        gauge.with_label_values(&[&format!("s{index}")]).get()
    };
    until(|| status(0) == 1 && status(1) == 1).await;
    world
        .server(0)
        .tell(r#"{"type":"serverStatus","server_status":"tracking"}"#);
    until(|| state(&pool, 0) == "syncing").await;
    assert_eq!((status(0), status(1)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn each_answer_that_says_the_network_is_lost_makes_the_server_syncing_at_once() {
    for error in ["noNetwork", "notSynced", "noCurrent", "noClosed"] {
        let world = World::new(1);
        let pool = world.ready().await;
        let asked = world.server(0).asked("server_info");
        world
            .server(0)
            .on("fee", move |_| Some(Reaction::Error(error, json!({}))));
        assert!(pool.fee().await.is_err());
        let view = pool.servers().remove(0);
        assert_eq!(view.state.as_str(), "syncing");
        assert_eq!(view.cause, Some(Cause::NotSynced));
        assert_eq!(view.last_error.as_deref(), Some(error));
        let began = Instant::now();
        until(|| world.server(0).asked("server_info") > asked).await;
        assert!(began.elapsed() <= Duration::from_millis(1_300), "{error}");
    }
}
