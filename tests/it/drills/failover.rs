//! Servers die, and payments go on being submitted: how long that takes is measured.

use super::scene::{PATIENCE, SHOP, Scene, id_of, is_final};
use crate::support::metronome::Metronome;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Deaths of one server, or of all but one.
const DEATHS: u32 = 200;
/// The bound on the time from a death to the next submission that a server takes: 99 of 100 deaths.
const P99_MAX: Duration = Duration::from_secs(1);
/// A payment of the traffic beside the measured ones begins this often.
const TRAFFIC_EVERY: Duration = Duration::from_millis(50);

/// A server that dies every second or two is tried again soon: the drill measures how the others
/// take over, and not how long it is left alone.
const SOON_BACK: &str = "[xrpl]\nreconnect_max = \"100ms\"\n";

/// Payments that go on whatever happens, as a merchant's do, until `stop`. Returns how many.
pub(super) async fn traffic(scene: &Scene, stop: &AtomicBool, next_tag: &AtomicU32) -> usize {
    let mut posted = 0;
    while !stop.load(Ordering::Relaxed) {
        let tag = next_tag.fetch_add(1, Ordering::Relaxed);
        scene.pay_one(tag, "1").await;
        posted += 1;
        tokio::time::sleep(TRAFFIC_EVERY).await;
    }
    posted
}

/// Waits until the daemon uses all its servers again.
pub(super) async fn all_ready(scene: &Scene) {
    let ready = |list: &Value| {
        let servers = list["data"].as_array().unwrap();
        servers.iter().all(|server| server["state"] == "ready")
    };
    scene.merchant.until("/v1/servers", ready).await;
}

/// Whether a server has taken the payment.
fn is_taken(payment: &Value) -> bool {
    payment["substatus"] == "submitted" || is_final(payment)
}

fn per_cent(times: &[Duration], share: usize) -> Duration {
    times[(times.len() * share).div_ceil(100).saturating_sub(1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_servers_death_the_next_submission_is_taken_within_a_second() {
    let scene = Arc::new(Scene::new("200ms", "100000", SOON_BACK));
    let _daemon = scene.start().await;
    all_ready(&scene).await;
    let stop = Arc::new(AtomicBool::new(false));
    let next_tag = Arc::new(AtomicU32::new(1_000));
    let flow = tokio::spawn({
        let (scene, stop, next_tag) = (scene.clone(), stop.clone(), next_tag.clone());
        async move { traffic(&scene, &stop, &next_tag).await }
    });
    let began = Instant::now();
    let metronome = Metronome::start();
    let mut times: Vec<(Duration, u32)> = Vec::new();
    for death in 0..DEATHS {
        let kind = ["disconnect", "refuse", "freeze"][death as usize / 3 % 3];
        let first = death as usize % 3;
        // Every fifth time only one server is left.
        let victims = if death % 5 == 4 { 2 } else { 1 };
        for nth in 0..victims {
            let victim = (first + nth) % 3;
            scene.ledger.fault(victim, &json!({ "kind": kind })).await;
        }
        let (died, at) = (Instant::now(), metronome.now());
        let key = format!("probe-{death}");
        let id = id_of(&scene.merchant.pay(&key, SHOP, death, "1").await);
        scene.merchant.payment(&id, is_taken).await;
        let took = died.elapsed();
        // What the machine kept everybody waiting is not the pool's.
        let stalled = metronome.stalled(at, at + took);
        times.push((took.saturating_sub(stalled), death));
        scene.ledger.clear().await;
        all_ready(&scene).await;
    }
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let posted = flow.await.unwrap();
    let worst = times.iter().max().copied().unwrap();
    let mut sorted: Vec<Duration> = times.iter().map(|(time, _)| *time).collect();
    sorted.sort_unstable();
    let (p50, p99) = (per_cent(&sorted, 50), per_cent(&sorted, 99));
    println!(
        "{DEATHS} deaths in {took:.1?} beside {posted} payments: next submission taken after \
         p50 {p50:?}, p99 {p99:?}, worst {worst:?}"
    );
    assert!(p99 < P99_MAX, "{sorted:?}");
    scene.merchant.all_final(PATIENCE).await;
    scene.all_succeed(posted + DEATHS as usize).await;
}
