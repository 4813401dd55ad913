//! Servers that lie, stand still or are gone: payments wait, and nothing is declared wrongly.

use super::scene::{GRACE, SHORT_LIVED, Scene, is_final, sequences};
use crate::support::daemon::WALLET;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_liar_of_three_is_found_out_and_believed_in_nothing() {
    let scene = Scene::new("100ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    let lies = [
        json!({ "kind": "lie_absent", "account": WALLET.0 }),
        json!({ "kind": "lie_result", "account": WALLET.0, "result": "tecPATH_DRY" }),
    ];
    let mut tag = 0;
    for lie in &lies {
        // Which servers are asked is the daemon's choice: two of three, so that a liar is missed
        // at most once in a round.
        for liar in 0..3 {
            scene.ledger.fault(liar, lie).await;
            for id in scene.pay(tag, 5).await {
                let payment = scene.merchant.payment(&id, is_final).await;
                assert_eq!(payment["status"], "succeeded", "{payment:#}");
                let liar = scene.ledger.urls[liar].trim_start_matches("ws://");
                let servers = payment["proof"]["servers"].as_array().unwrap();
                assert!(servers.iter().all(|server| server != liar), "{payment:#}");
            }
            scene.ledger.clear().await;
            tag += 5;
        }
    }
    scene.all_succeed(30).await;
    let found_out = scene.metric("xrpl_server_disagreements_total").await;
    assert!(found_out >= 1.0, "nobody was asked who lied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_of_three_servers_stalled_nothing_becomes_final_until_they_are_back() {
    let layer = SHORT_LIVED.replace("[xrpl]\n", "[xrpl]\nsilence_timeout = \"1s\"\n");
    let scene = Scene::new("200ms", "10000", &layer);
    let daemon = scene.start().await;
    scene.pay(1, 10).await;
    for server in 0..2 {
        scene
            .ledger
            .fault(server, &json!({ "kind": "stall_ledger" }))
            .await;
    }
    // What two servers tell alike ends here.
    let agreed = scene.ledger.validated().await;
    scene.pay(11, 10).await;
    let degraded = |health: &serde_json::Value| {
        health["status"] == "degraded" && health["checks"]["xrpl"]["status"] == "degraded"
    };
    scene.merchant.until("/health", degraded).await;
    // One server's word is not enough for an end, however far the ledger goes on.
    scene.ledger.reach(agreed + 20).await;
    for (tag, payment) in &scene.audit(&[]).await {
        if *tag > 10 {
            assert!(!is_final(payment), "{payment:#}");
        } else if is_final(payment) {
            assert!(
                payment["ledger_index"].as_u64().unwrap() <= agreed,
                "{payment:#}"
            );
        }
    }
    scene.ledger.clear().await;
    scene.all_succeed(20).await;
    let healthy = |health: &serde_json::Value| health["checks"]["xrpl"]["status"] == "healthy";
    scene.merchant.until("/health", healthy).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_history_of_two_servers_is_never_taken_for_an_absence() {
    let scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    let from = scene.ledger.validated().await + 1;
    let hole = json!({ "kind": "history_gap", "from": from, "to": from + 15 });
    for server in 0..2 {
        scene.ledger.fault(server, &hole).await;
    }
    scene.pay(1, 10).await;
    // The newest ledger that two servers tell of runs ahead of what two servers hold, and past the
    // last ledger of everything that was signed.
    scene.ledger.reach(from + 30).await;
    let past = |index: f64| index >= f64::from(u32::try_from(from + 25).unwrap());
    scene
        .until_metric("xrpl_validated_ledger_index", past)
        .await;
    let waiting = scene.audit(&[]).await;
    assert_eq!(waiting.len(), 10);
    for payment in waiting.values() {
        assert_eq!(payment["status"], "processing", "{payment:#}");
        assert!(sequences(payment).len() <= 1, "signed twice: {payment:#}");
    }
    scene.ledger.clear().await;
    scene.all_succeed(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_come_in_while_every_server_is_gone_are_paid_when_they_are_back() {
    let scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let _daemon = scene.start().await;
    scene.pay(1, 10).await;
    scene.ledger.fault_all(&json!({ "kind": "refuse" })).await;
    let gone_at = tokio::time::Instant::now();
    scene.pay(11, 20).await;
    let none_ready = |health: &serde_json::Value| health["checks"]["xrpl"]["servers_ready"] == 0;
    let health = scene.merchant.until("/health", none_ready).await;
    assert_eq!(health["status"], "degraded", "{health:#}");
    scene.merchant.get("/health/ready").await;
    tokio::time::sleep_until(gone_at + Duration::from_secs(3)).await;
    let meanwhile = scene.audit(&[]).await;
    assert!(meanwhile.values().any(|payment| !is_final(payment)));
    scene.ledger.clear().await;
    scene.all_succeed(30).await;
}
