//! How daemons end, and how they do not begin.

use super::scene::{GRACE, PATIENCE, Scene, sequences, store_in};
use crate::support::daemon::Setup;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_while_payments_are_in_flight_and_the_next_start_settles_them() {
    // Nothing closes before the daemon is gone: what it has sent stays in flight.
    let scene = Scene::new("manual", "10000", "");
    let daemon = scene.start().await;
    for id in scene.pay(1, 30).await {
        let sent = |payment: &serde_json::Value| payment["substatus"] == "submitted";
        scene.merchant.payment(&id, sent).await;
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
    scene.ledger.close().await;
    let daemon = scene.start().await;
    for payment in scene.all_succeed(30).await.values() {
        assert_eq!(sequences(payment).len(), 1, "{payment:#}");
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_ends_the_daemon_at_once_and_loses_nothing() {
    let scene = Scene::new("manual", "10000", "");
    let slow = scene.setup.create_key("slow", &["payments:write"]);
    let daemon = scene.start().await;
    scene.pay(1, 10).await;
    // A request whose body never comes holds up the drain.
    let host = scene.setup.api.trim_start_matches("http://");
    let mut half = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {slow}\r\n\
         idempotency-key: half\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{"
    );
    half.write_all(head.as_bytes()).await.unwrap();
    // The daemon has taken the connection by the time it answers a later one.
    scene.merchant.get("/health/live").await;
    daemon.ask_to_end();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !scene.setup.log().contains("draining") {
        assert!(tokio::time::Instant::now() < deadline, "no drain began");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(daemon.terminate(Duration::from_secs(5)), Some(130));
    let _daemon = scene.start().await;
    scene.settle_by_hand().await;
    scene.all_succeed(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_database_says_so_and_ends() {
    let scene = Scene::new("200ms", "10000", "");
    let _daemon = scene.start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let store = store_in(scene.folder());
    let second = Setup::new(elsewhere.path(), &scene.ledger.urls, &store, "");
    assert_eq!(second.start().exit_code(GRACE), Some(1));
    let said = second.log();
    assert!(
        said.contains("another daemon is using this database"),
        "{said}"
    );
    scene.pay(1, 5).await;
    scene.all_succeed(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_gives_notice_takes_what_comes_and_says_that_it_is_leaving() {
    let notice = "[shutdown]\nnotice = \"6s\"\n";
    let scene = Scene::new("200ms", "10000", notice);
    let daemon = scene.start().await;
    daemon.ask_to_end();
    let ready = format!("{}/health/ready", scene.setup.api);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let answer = loop {
        let answer = reqwest::get(&ready).await.unwrap();
        if answer.status() == 503 {
            break answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "it stays ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    // A connection that is kept would hold a client to a daemon that is about to go.
    assert_eq!(answer.headers()["connection"], "close");
    let paid = scene.pay(1, 5).await;
    assert_eq!(paid.len(), 5);
    assert_eq!(daemon.exit_code(GRACE), Some(0), "{}", scene.setup.log());
    let _daemon = scene.start().await;
    scene.all_succeed(5).await;
}
