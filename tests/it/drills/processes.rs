//! How daemons end, and how they do not begin.

use super::scene::{GRACE, Scene, sequences, store_in};
use crate::support::daemon::Setup;

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
