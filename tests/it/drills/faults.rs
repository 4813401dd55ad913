//! Every fault that a server can have, on one server of three and on all but one, while payments
//! flow at twenty a second: none is lost, none is paid twice, none ends wrongly.

use super::failover::{all_ready, traffic};
use super::scene::{PATIENCE, Scene};
use crate::support::daemon::WALLET;
use crate::support::process::Process;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Short waits, so that a drill takes seconds; the rules are the same.
const QUICK: &str =
    "[xrpl]\nrequest_timeout = \"500ms\"\nreconnect_max = \"200ms\"\nsilence_timeout = \"2s\"\n";
/// How long a fault that stops finality is left alone.
const MISERY: Duration = Duration::from_millis(1_500);
/// Payments that must come to their end while one server suffers.
const PROGRESS: f64 = 10.0;

/// Every kind that a single server can have.
fn faults(validated: u64, wallet: &str) -> Vec<Value> {
    vec![
        json!({ "kind": "disconnect" }),
        json!({ "kind": "refuse" }),
        json!({ "kind": "latency", "ms": 400, "jitter_ms": 100 }),
        json!({ "kind": "drop_requests", "per_mille": 500 }),
        json!({ "kind": "drop_responses", "per_mille": 500 }),
        json!({ "kind": "stall_ledger" }),
        json!({ "kind": "lag", "ledgers": 5 }),
        json!({ "kind": "history_gap", "from": 2, "to": validated + 3 }),
        json!({ "kind": "slow_down", "requests": 100 }),
        json!({ "kind": "lie_result", "account": wallet, "result": "tecPATH_DRY" }),
        json!({ "kind": "lie_absent", "account": wallet }),
        json!({ "kind": "lie_balance", "account": wallet, "sequence": 1 }),
        json!({ "kind": "fork" }),
        json!({ "kind": "amendment_blocked" }),
        json!({ "kind": "fee_spike" }),
        json!({ "kind": "queue_full" }),
        json!({ "kind": "freeze" }),
        json!({ "kind": "partition" }),
        json!({ "kind": "restart", "graceful": false }),
    ]
}

/// Payments that flow beside a drill.
struct Flow {
    stop: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

/// A scene whose daemon uses all its servers, with payments that flow.
async fn flowing(settings: &str) -> (Arc<Scene>, Process, Flow) {
    let scene = Arc::new(Scene::new("200ms", "100000", settings));
    let daemon = scene.start().await;
    all_ready(&scene).await;
    let flow = Flow::start(&scene);
    (scene, daemon, flow)
}

impl Flow {
    fn start(scene: &Arc<Scene>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let (scene, stop) = (Arc::clone(scene), Arc::clone(&stop));
            async move { traffic(&scene, &stop, &AtomicU32::new(1)).await }
        });
        Self { stop, task }
    }

    /// Stops, and demands that every payment succeeded, once.
    async fn end(self, scene: &Scene) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let posted = self.task.await.unwrap();
        scene.merchant.all_final(PATIENCE).await;
        scene.all_succeed(posted).await;
        posted
    }
}

async fn succeeded(scene: &Scene) -> f64 {
    scene.metric("payments_total{status=\"succeeded\"}").await
}

/// Waits until that many more payments have succeeded.
async fn progress(scene: &Scene, more: f64) {
    let before = succeeded(scene).await;
    let name = "payments_total{status=\"succeeded\"}";
    scene.until_metric(name, |now| now >= before + more).await;
}

async fn inflict(scene: &Scene, server: usize, fault: &Value) {
    scene.ledger.fault(server, fault).await;
    // A server says who it is when somebody connects.
    if ["wrong_network", "amendment_blocked"].contains(&fault["kind"].as_str().unwrap()) {
        let reconnect = json!({ "kind": "disconnect" });
        scene.ledger.fault(server, &reconnect).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_on_one_server_of_three_holds_up_no_payment() {
    let (scene, _daemon, flow) = flowing(QUICK).await;
    let validated = scene.ledger.validated().await;
    for (turn, fault) in faults(validated, WALLET.0).iter().enumerate() {
        inflict(&scene, turn % 3, fault).await;
        progress(&scene, PROGRESS).await;
        scene.audit_in_flow().await;
        scene.ledger.clear().await;
        all_ready(&scene).await;
    }
    let posted = flow.end(&scene).await;
    println!("{posted} payments beside every fault of one server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_on_all_servers_but_one_ends_no_payment_wrongly() {
    let (scene, _daemon, flow) = flowing(QUICK).await;
    let validated = scene.ledger.validated().await;
    for (turn, fault) in faults(validated, WALLET.0).iter().enumerate() {
        for nth in 0..2 {
            inflict(&scene, (turn + nth) % 3, fault).await;
        }
        tokio::time::sleep(MISERY).await;
        // What is final by now is held against the truth while the fault is still on.
        scene.audit_in_flow().await;
        scene.ledger.clear().await;
        all_ready(&scene).await;
        progress(&scene, PROGRESS).await;
    }
    let posted = flow.end(&scene).await;
    println!("{posted} payments beside every fault of all servers but one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_of_all_servers_lose_nothing() {
    let (scene, _daemon, flow) = flowing(QUICK).await;
    for graceful in [true, false] {
        for server in 0..3 {
            let restart = json!({ "kind": "restart", "graceful": graceful, "history": "lost" });
            scene.ledger.fault(server, &restart).await;
            progress(&scene, PROGRESS).await;
            all_ready(&scene).await;
        }
    }
    flow.end(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_servers_gone_for_two_minutes_and_back_lose_nothing() {
    // As much as the servers take on a slow machine while an attempt lives, which is four seconds here.
    let settings = "[wallets.hot]\nmax_in_flight = 128\n";
    let (scene, _daemon, flow) = flowing(settings).await;
    progress(&scene, PROGRESS).await;
    scene.ledger.fault_all(&json!({ "kind": "refuse" })).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    scene.audit_in_flow().await;
    scene.ledger.clear().await;
    progress(&scene, 100.0).await;
    let posted = flow.end(&scene).await;
    println!("{posted} payments around an outage of two minutes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_pool_costs_three_requests_a_ledger_and_one_for_each_account_that_is_paid() {
    let (scene, _daemon, flow) = flowing("").await;
    progress(&scene, PROGRESS).await;
    let (before, from) = (requests(&scene).await, scene.ledger.validated().await);
    scene.ledger.reach(from + 50).await;
    let (after, to) = (requests(&scene).await, scene.ledger.validated().await);
    let (asked, ledgers) = (after - before, to - from);
    println!("{asked} requests in {ledgers} ledgers");
    // One ledger is at its beginning or its end, and all payments go to one account.
    assert!(asked <= (3 + 1) * (ledgers + 1), "{asked} in {ledgers}");
    flow.end(&scene).await;
}

/// Requests that the daemon's servers have counted, but for the submissions themselves.
async fn requests(scene: &Scene) -> u64 {
    let counts = scene
        .ledger
        .ask(json!({ "command": "sandbox_counts" }))
        .await;
    let servers = counts["servers"].as_array().unwrap();
    let daemons = servers.iter().take(3);
    let asked = daemons.flat_map(|server| server.as_object().unwrap());
    asked
        .filter(|(command, _)| *command != "submit")
        .map(|(_, count)| count.as_u64().unwrap())
        .sum()
}

/// The servers by name and state, as the API shows them.
async fn states(scene: &Scene) -> Vec<(String, String)> {
    let list = scene.merchant.get("/v1/servers").await;
    let servers = list["data"].as_array().unwrap().iter();
    servers
        .map(|server| {
            let text = |field: &str| server[field].as_str().unwrap().to_owned();
            (text("name"), text("state"))
        })
        .collect()
}

/// Waits until the servers are these, all of them ready.
async fn ready_are(scene: &Scene, urls: &[&String]) {
    let wanted: Vec<(String, String)> = urls
        .iter()
        .map(|url| {
            (
                url.trim_start_matches("ws://").to_owned(),
                "ready".to_owned(),
            )
        })
        .collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = states(scene).await;
        if now == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{now:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_added_and_removed_by_a_reload_without_losing_a_request() {
    let scene = Arc::new(Scene::new("200ms", "100000", ""));
    let layer = |urls: &[&String]| format!("{QUICK}servers = {urls:?}\n");
    let [a, b, c] = &scene.ledger.urls[..] else {
        panic!("three servers");
    };
    scene.setup.rewrite_last_layer(&layer(&[a, b]));
    let daemon = scene.start().await;
    ready_are(&scene, &[a, b]).await;
    let flow = Flow::start(&scene);
    for urls in [[a, b, c].as_slice(), &[b, c], &[c, a], &[a, b, c]] {
        progress(&scene, PROGRESS).await;
        scene.setup.rewrite_last_layer(&layer(urls));
        daemon.ask_to_reload();
        ready_are(&scene, urls).await;
    }
    // A file that makes no sense changes nothing.
    scene.setup.rewrite_last_layer("[xrpl]\nservers = []\n");
    daemon.ask_to_reload();
    progress(&scene, PROGRESS).await;
    ready_are(&scene, &[a, b, c]).await;
    flow.end(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_network_is_left_alone_until_the_configuration_is_read_again() {
    let (scene, daemon, flow) = flowing(QUICK).await;
    let fault = json!({ "kind": "wrong_network", "network_id": 77 });
    inflict(&scene, 1, &fault).await;
    let refused = |list: &Value| list["data"][1]["state"] == "refused";
    scene.merchant.until("/v1/servers", refused).await;
    progress(&scene, PROGRESS).await;
    // With two of three on another network nothing becomes final, and nothing is lost.
    inflict(&scene, 2, &fault).await;
    tokio::time::sleep(MISERY).await;
    scene.audit_in_flow().await;
    scene.ledger.clear().await;
    tokio::time::sleep(MISERY).await;
    assert_eq!(states(&scene).await[1].1, "refused");
    daemon.ask_to_reload();
    all_ready(&scene).await;
    progress(&scene, PROGRESS).await;
    flow.end(&scene).await;
}
