//! The daemon as a process: it ends again and again, it is gone, it is given too little, it is not asked
//! for, and a second one works the same wallet on a copy of the books.

use super::bed::target;
use super::drill::Drill;
use super::runbook::{Hands, Runbook};
use super::table::Course;
use super::watch::{Watch, shortened};
use crate::drills::scene::Scene;
use crate::support::alertmanager::Told;
use crate::support::daemon::Setup;
use crate::support::overlay::Overlay;
use crate::support::process::{Process, Surroundings, free_port};
use crate::support::prometheus::PATIENCE;
use crate::support::receiver::{Manner, Receiver};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A daemon that can be taken away and brought back while it is watched.
pub struct Place {
    /// The ledger, the daemon's setup and a merchant.
    pub scene: Scene,
    /// Who watches.
    pub watch: Watch,
    /// Who is on call.
    pub hands: Hands,
    daemon: Mutex<Option<Process>>,
    /// What Prometheus was started with.
    overlay: Overlay,
}

impl Place {
    /// One where Prometheus asks `more` targets besides; `None`, said aloud, where a program from outside
    /// is missing.
    pub async fn new(
        settings: &[(&str, &str)],
        surroundings: Surroundings,
        overlay: Overlay,
        more: &[&str],
    ) -> Option<Self> {
        let mut scene = Scene::in_one_file("250ms", "10000", settings);
        scene.setup = scene.setup.clone().surrounded(surroundings);
        Self::over(scene, overlay, more).await
    }

    /// The same on a scene that is there.
    pub async fn over(scene: Scene, overlay: Overlay, more: &[&str]) -> Option<Self> {
        let mut targets = vec![target(&scene.setup.metrics)];
        targets.extend(more);
        let watch = Watch::with(scene.folder(), &targets, overlay.clone()).await?;
        let itself = watch.prometheus.url.trim_start_matches("http://");
        let overlay = overlay
            .watching(&targets, watch.alertmanager.target())
            .in_file("prometheus.yml", &[("localhost:9090", itself)]);
        let daemon = Mutex::new(Some(scene.start().await));
        let backups = scene.folder().join("backups");
        std::fs::create_dir(&backups).unwrap();
        let hands = Hands::new(scene.folder(), &scene.setup)
            .watched_by(&watch.prometheus, &watch.alertmanager)
            .given("BACKUPS", backups.to_str().unwrap());
        let place = Self {
            scene,
            watch,
            hands,
            daemon,
            overlay,
        };
        place.is_up().await;
        Some(place)
    }

    /// Whoever drills here.
    pub const fn drill<'a>(&'a self, course: &'a Course) -> Drill<'a> {
        Drill {
            watch: &self.watch,
            hands: &self.hands,
            course,
        }
    }

    /// The daemon is killed.
    pub fn kill(&self) {
        let daemon = self.daemon.lock().unwrap().take();
        daemon.expect("it runs").kill();
    }

    /// It is told to read its configuration again.
    pub fn ask_to_reload(&self) {
        let daemon = self.daemon.lock().unwrap();
        daemon.as_ref().expect("it runs").ask_to_reload();
    }

    /// It is started again, and Prometheus has seen it.
    pub async fn start(&self) {
        let daemon = self.scene.start().await;
        *self.daemon.lock().unwrap() = Some(daemon);
        self.is_up().await;
    }

    async fn is_up(&self) {
        let address = target(&self.scene.setup.metrics);
        let up = format!("up{{instance=\"{address}\"}} == 1");
        self.watch.prometheus.until(&up, |up| !up.is_empty()).await;
    }

    /// When the daemon has started, as Prometheus has seen it.
    async fn started_at(&self) -> Option<f64> {
        let started = "process_start_time_seconds{job=\"xrpayd\"}";
        let found = self.watch.prometheus.query(started).await;
        found.first().map(|(_, at)| *at)
    }

    /// Puts other files in the place of Prometheus' own. It reads them when it is asked to.
    pub fn put(&self, change: impl FnOnce(Overlay) -> Overlay) {
        let folder = self.scene.folder().join("prometheus");
        change(self.overlay.clone()).write_to(&folder);
    }

    /// Prometheus reads its files.
    pub async fn reload_prometheus(&self) {
        self.watch.prometheus.reload().await;
    }
}

/// Connections to the API that have begun a request and go on with it never.
pub async fn half_requests(setup: &Setup, count: usize) -> Vec<TcpStream> {
    let address = setup.api.trim_start_matches("http://");
    let head = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\nX: {}",
        "x".repeat(15_000)
    );
    let mut open = Vec::new();
    for _ in 0..count {
        let mut one = TcpStream::connect(address).await.unwrap();
        one.write_all(head.as_bytes()).await.unwrap();
        open.push(one);
    }
    open
}

/// How many file descriptors the daemon may have: what many a system gives.
const DESCRIPTORS: &str = "--nofile=1024:1024";
/// Connections that are more than four fifths of them.
const CONNECTIONS: usize = 800;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_daemon_that_ends_or_runs_short_is_noticed() {
    let overlay = shortened(&[
        ("XrpaydCrashLooping", &[("[15m]", "[40s]")]),
        ("XrpaydDown", &[("for: 1m", "for: 1s")]),
        ("MemoryHigh", &[("for: 10m", "for: 1s")]),
        ("FileDescriptorsLow", &[("for: 10m", "for: 1s")]),
    ]);
    let surroundings = Surroundings {
        launcher: vec!["prlimit".to_owned(), DESCRIPTORS.to_owned()],
        ..Surroundings::default()
    };
    let patient = [("http", "head_timeout = \"5m\"\n")];
    let Some(place) = Place::new(&patient, surroundings, overlay, &[]).await else {
        return;
    };
    let course = Course::of(&a_daemon_that_ends_or_runs_short_is_noticed);
    let drill = place.drill(&course);
    let restarted = async {
        place.kill();
        place.start().await;
    };

    let open = Mutex::new(Vec::new());
    let used = place.scene.metric("process_resident_memory_bytes").await;
    let most = format!("> {}", used + 6_000_000.0);
    let tight = |overlay: Overlay| overlay.in_rule("MemoryHigh", &[("> 0.8 * 1024 ^ 3", &most)]);
    place.put(tight);
    place.reload_prometheus().await;
    let crowd = async {
        let crowd = half_requests(&place.scene.setup, CONNECTIONS).await;
        *open.lock().unwrap() = crowd;
    };
    let leaves = async {
        open.lock().unwrap().clear();
        restarted.await;
    };
    drill.by_others(&["MemoryHigh"], crowd, leaves).await;
    place.put(|overlay| overlay);
    place.reload_prometheus().await;

    let crowd = async {
        let crowd = half_requests(&place.scene.setup, CONNECTIONS).await;
        *open.lock().unwrap() = crowd;
    };
    let leaves = async { open.lock().unwrap().clear() };
    drill
        .by_others(&["FileDescriptorsLow"], crowd, leaves)
        .await;

    let again_and_again = async {
        for _ in 0..4 {
            let before = place.started_at().await;
            // A start is told in whole seconds: each has one of its own.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            place.kill();
            place.start().await;
            let deadline = Instant::now() + PATIENCE;
            while place.started_at().await == before {
                assert!(Instant::now() < deadline, "the start is not told");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let it_stays_up = async {};
    drill
        .of_the_past(&["XrpaydCrashLooping"], again_and_again, it_stays_up)
        .await;

    let gone = async { place.kill() };
    drill.by_others(&["XrpaydDown"], gone, place.start()).await;
    place.scene.pay(1, 2).await;
    place.scene.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_second_daemon_on_a_copy_of_the_books_is_noticed() {
    let overlay = shortened(&[("LeaseHeldTwice", &[("for: 30s", "for: 1s")])]);
    let copy = tempfile::tempdir().unwrap();
    let port = free_port();
    let second = format!("127.0.0.1:{port}");
    let none = Surroundings::default();
    let Some(place) = Place::new(&[], none, overlay, &[&second]).await else {
        return;
    };
    place.scene.pay(1, 2).await;
    let setup = {
        let store = format!("sqlite://{}", copy.path().join("copy.db").display());
        let urls = &place.scene.ledger.urls;
        let setup = Setup::in_one_file(copy.path(), urls, &store, &[]);
        // Prometheus asks it where it was told before there was one.
        let text = std::fs::read_to_string(setup.config()).unwrap();
        let own = target(&setup.metrics).to_owned();
        std::fs::write(setup.config(), text.replace(&own, &second)).unwrap();
        setup
    };
    let other = Mutex::new(None);
    let begins = async {
        let process = setup.start();
        setup.ready().await;
        *other.lock().unwrap() = Some(process);
    };
    let ends = async {
        let process = other.lock().unwrap().take();
        process.expect("it runs").kill();
    };
    let course = Course::of(&a_second_daemon_on_a_copy_of_the_books_is_noticed);
    let drill = place.drill(&course);
    drill.by_others(&["LeaseHeldTwice"], begins, ends).await;
    place.scene.settle().await;
}

/// Where a file of Prometheus' is.
fn file_of(place: &Place, name: &str) -> PathBuf {
    place.scene.folder().join("prometheus").join(name)
}

/// A rule that matches several series where it wants one.
const BROKEN: &str = "  - name: broken\n    rules:\n      - alert: Broken\n        expr: \
                      xrpl_connection_status * on (job) xrpl_connection_status\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn those_who_watch_are_watched() {
    let overlay = shortened(&[
        ("XrpaydTargetAbsent", &[("for: 1m", "for: 1s")]),
        ("RuleEvaluationFailing", &[("[5m]", "[10s]")]),
        (
            "AlertsUndelivered",
            &[("[10m]", "[10s]"), ("for: 1m", "for: 1s")],
        ),
    ])
    .in_file(
        "alertmanager.yml",
        &[("repeat_interval: 3m", "repeat_interval: 1s")],
    );
    let none = Surroundings::default();
    let Some(place) = Place::new(&[], none, overlay, &[]).await else {
        return;
    };
    let course = Course::of(&those_who_watch_are_watched);
    let drill = place.drill(&course);
    let prometheus = &place.watch.prometheus;

    let forgotten = async {
        let path = file_of(&place, "prometheus.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        let own = format!("[{:?}]", target(&place.scene.setup.metrics));
        assert!(text.contains(&own), "{text}");
        std::fs::write(&path, text.replace(&own, "[]")).unwrap();
        place.reload_prometheus().await;
    };
    let found = async { place.put(|overlay| overlay) };
    drill
        .by_hand(&["XrpaydTargetAbsent"], forgotten, found)
        .await;

    let broken = async {
        let path = file_of(&place, "xrpayd.rules.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n{BROKEN}")).unwrap();
        place.reload_prometheus().await;
    };
    let mended = async { place.put(|overlay| overlay) };
    drill
        .by_hand(&["RuleEvaluationFailing"], broken, mended)
        .await;

    // The pager is looked for where it is no more, and somebody is to be paged: the chat is told, and the
    // dead man's switch hears nothing any more, so that it wakes somebody by its own way.
    let alertmanager = &place.watch.alertmanager;
    let moved_away = Receiver::start(Manner::With(403, Vec::new())).await;
    let path = alertmanager.config().to_owned();
    let right = std::fs::read_to_string(&path).unwrap();
    let wrong = async {
        let known = alertmanager.receiver(Told::Pager);
        assert!(right.contains(&known), "{right}");
        std::fs::write(&path, right.replace(&known, &moved_away.url())).unwrap();
        alertmanager.reload().await;
        let page =
            json!([{ "labels": { "alertname": "SomebodyIsPaged", "severity": "critical" } }]);
        let url = format!("{}/api/v2/alerts", alertmanager.url);
        let asked = reqwest::Client::new().post(url).json(&page);
        assert!(asked.send().await.unwrap().status().is_success());
    };
    let righted = async {
        prometheus.is_quiet("Watchdog").await;
        std::fs::write(&path, &right).unwrap();
    };
    drill.by_hand(&["AlertsUndelivered"], wrong, righted).await;
    assert!(!moved_away.heard().is_empty(), "nobody was told wrongly");
    alertmanager
        .tells(Told::Pager, "SomebodyIsPaged", "firing", 0)
        .await;

    // The watchdog is drilled by what it is for: that it ends is noticed by whoever no longer hears it.
    course.turn_of("Watchdog");
    let runbook = Runbook::of("Watchdog");
    prometheus.fires("Watchdog").await;
    let count = || alertmanager.notices_of("Watchdog").len();
    alertmanager
        .tells(Told::DeadMan, "Watchdog", "firing", count())
        .await;
    for block in &runbook.blocks {
        place.hands.run(block).await;
    }
    let mut place = place;
    place.watch.alertmanager.dies();
    let notices = || place.watch.alertmanager.notices_of("Watchdog").len();
    let deadline = Instant::now() + PATIENCE;
    // What was under way may still arrive; then nothing does, for several times the interval.
    loop {
        let before = notices();
        tokio::time::sleep(Duration::from_secs(4)).await;
        if notices() == before {
            break;
        }
        assert!(Instant::now() < deadline, "the dead man is told on and on");
    }
}
