//! The database is held up by somebody else, and callers feel it: errors, slowness, a budget that burns.

use super::service::Place;
use super::table::Course;
use super::watch::shortened;
use crate::drills::scene::SHOP;
use crate::support::overlay::Overlay;
use crate::support::process::Surroundings;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The newest tag of a payment that callers have asked for.
static LAST_TAG: AtomicU32 = AtomicU32::new(100_000);
/// Requests that are under way at a time.
const CALLERS: usize = 12;
/// How long a foreign job holds the database where it only slows the daemon down.
const SHORTLY: Duration = Duration::from_millis(600);

/// Callers who ask for payments all the time; gone when dropped.
struct Callers(Vec<JoinHandle<()>>);

impl Callers {
    /// `count` of them; every one asks again as soon as it is answered.
    fn of(place: &Place, key: &str, count: usize) -> Self {
        let url = format!("{}/v1/payments", place.scene.setup.api);
        let one = || {
            let (url, key) = (url.clone(), key.to_owned());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    // A tag tells a payment from every other one, of whichever drill.
                    let tag = LAST_TAG.fetch_add(1, Ordering::Relaxed);
                    let xrp = json!({ "currency": "XRP", "value": "0.001" });
                    let body =
                        json!({ "destination": SHOP, "destination_tag": tag, "amount": xrp });
                    let request = client.post(&url).bearer_auth(&key).json(&body);
                    let request = request.header("idempotency-key", format!("caller-{tag}"));
                    // What becomes of it is what the metrics tell.
                    let _answer = request.send().await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        };
        Self((0..count).map(|_| one()).collect())
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        for caller in &self.0 {
            caller.abort();
        }
    }
}

/// Somebody else's job that locks the daemon's database.
async fn lock(place: &Place) -> SqliteConnection {
    let url = crate::drills::scene::store_in(place.scene.folder());
    let mut job = SqliteConnection::connect(&url).await.unwrap();
    job.execute("pragma busy_timeout = 20000").await.unwrap();
    job.execute("begin immediate").await.unwrap();
    job
}

/// The same, again and again for a moment each; it ends when the handle is aborted.
fn lock_in_turns(place: &Place) -> JoinHandle<()> {
    let url = crate::drills::scene::store_in(place.scene.folder());
    tokio::spawn(async move {
        let mut job = SqliteConnection::connect(&url).await.unwrap();
        job.execute("pragma busy_timeout = 20000").await.unwrap();
        loop {
            job.execute("begin immediate").await.unwrap();
            tokio::time::sleep(SHORTLY).await;
            job.execute("rollback").await.unwrap();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    })
}

/// Windows of hours and days as ones of seconds.
const WINDOWS: [(&str, &str); 7] = [
    ("[5m]", "[10s]"),
    ("[30m]", "[10s]"),
    ("[1h]", "[15s]"),
    ("[2h]", "[10s]"),
    ("[6h]", "[15s]"),
    ("[1d]", "[15s]"),
    ("[3d]", "[15s]"),
];

fn rules() -> Overlay {
    shortened(&[
        (
            "HttpErrorRateHigh",
            &[("[5m]", "[10s]"), ("for: 1m", "for: 1s")],
        ),
        ("HttpSlow", &[("[5m]", "[10s]"), ("for: 10m", "for: 1s")]),
        ("HttpVerySlow", &[("[5m]", "[10s]"), ("for: 5m", "for: 1s")]),
        ("StoreDown", &[("for: 1m", "for: 2s")]),
    ])
    .in_file("slo.rules.yml", &WINDOWS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_database_that_somebody_holds_up_is_noticed() {
    let none = Surroundings::default();
    let Some(place) = Place::new(&[], none, rules(), &[]).await else {
        return;
    };
    let course = Course::of(&a_database_that_somebody_holds_up_is_noticed);
    let drill = place.drill(&course);
    let key = place.scene.setup.create_key("shop", &["payments:write"]);
    // Nothing is told of errors where it is told that the store is down, so that comes last.
    let patient = |overlay: Overlay| overlay.in_rule("StoreDown", &[("for: 2s", "for: 10m")]);
    place.put(patient);
    place.reload_prometheus().await;

    let held = tokio::sync::Mutex::new(None);
    let callers = Mutex::new(None);
    let turns = async {
        *callers.lock().unwrap() = Some(Callers::of(&place, &key, 2));
        *held.lock().await = Some(lock_in_turns(&place));
    };
    let turns_end = async {
        held.lock().await.take().expect("it is held").abort();
        callers.lock().unwrap().take();
    };
    drill.by_others(&["HttpSlow"], turns, turns_end).await;

    let job = tokio::sync::Mutex::new(None);
    for alert in [
        "HttpVerySlow",
        "HttpErrorRateHigh",
        "AvailabilityBudgetBurnFast",
    ] {
        let locked = async {
            *job.lock().await = Some(lock(&place).await);
            *callers.lock().unwrap() = Some(Callers::of(&place, &key, CALLERS));
        };
        let free = async {
            job.lock().await.take();
            callers.lock().unwrap().take();
        };
        drill.by_others(&[alert], locked, free).await;
    }

    // The fast one silences the slow one, so it is given a budget that does not burn.
    let slow = |overlay: Overlay| {
        patient(overlay).in_rule("AvailabilityBudgetBurnFast", &[("* 0.001", "* 10")])
    };
    place.put(slow);
    place.reload_prometheus().await;
    let locked = async {
        *job.lock().await = Some(lock(&place).await);
        *callers.lock().unwrap() = Some(Callers::of(&place, &key, CALLERS));
    };
    let free = async {
        job.lock().await.take();
        callers.lock().unwrap().take();
    };
    drill
        .by_others(&["AvailabilityBudgetBurnSlow"], locked, free)
        .await;

    place.put(|overlay| overlay);
    place.reload_prometheus().await;
    let locked = async { *job.lock().await = Some(lock(&place).await) };
    let free = async { drop(job.lock().await.take()) };
    drill.by_others(&["StoreDown"], locked, free).await;
    place.scene.settle().await;
}
