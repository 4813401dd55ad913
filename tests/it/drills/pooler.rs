//! A daemon that reaches PostgreSQL through a pooler which deals out its connections by the transaction.

use super::scene::{GRACE, Scene};
use crate::store::fresh_postgres;
use crate::support::pgbouncer::Pgbouncer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_pays_through_a_pooler_and_goes_on_after_a_kill() {
    let Some(url) = fresh_postgres().await else {
        return;
    };
    let Some(pooler) = Pgbouncer::before(&url).await else {
        return;
    };
    let layer = "[store]\npooler = \"transaction\"\n";
    let scene = Scene::with_store(Some(&pooler.url), "200ms", "10000", layer, &[]);
    let daemon = scene.start().await;
    scene.pay(1, 10).await;
    daemon.kill();
    let daemon = scene.start().await;
    scene.pay(11, 10).await;
    scene.all_succeed(20).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
