//! SIGHUP: all of a new configuration that a running daemon can take over, or nothing of it.

use crate::support::daemon::Setup;
use crate::support::process::{Process, free_port};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon without a ledger: payments are taken, by its limits, and wait.
struct Scene {
    setup: Setup,
    process: Process,
    layer: PathBuf,
    key: String,
    http: reqwest::Client,
    paid: u32,
    _folder: tempfile::TempDir,
}

fn limits(max_payment_xrp: &str) -> String {
    format!("[limits]\nmin_payment_xrp = \"1\"\nmax_payment_xrp = \"{max_payment_xrp}\"\n")
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let urls: Vec<String> = (0..3)
            .map(|_| format!("ws://127.0.0.1:{}", free_port()))
            .collect();
        let store = format!("sqlite://{}", folder.path().join("x.db").display());
        let setup = Setup::new(folder.path(), &urls, &store, "").with(&limits("10"));
        let key = setup.create_key("shop", &["payments:write", "payments:read"]);
        let process = setup.start();
        setup.ready().await;
        Self {
            layer: folder.path().join("layer-0.toml"),
            setup,
            process,
            key,
            http: reqwest::Client::new(),
            paid: 0,
            _folder: folder,
        }
    }

    /// Whether a payment of so much is taken.
    async fn takes(&mut self, xrp: &str) -> bool {
        self.paid += 1;
        let body = json!({
            "destination": "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
            "amount": { "currency": "XRP", "value": xrp },
        });
        let answer = self
            .http
            .post(format!("{}/v1/payments", self.setup.api))
            .bearer_auth(&self.key)
            .header("idempotency-key", format!("k{}", self.paid))
            .json(&body)
            .send()
            .await
            .unwrap();
        match answer.status().as_u16() {
            201 => true,
            422 => false,
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }

    async fn until_taken(&mut self, xrp: &str, taken: bool) {
        let deadline = Instant::now() + PATIENCE;
        while self.takes(xrp).await != taken {
            assert!(Instant::now() < deadline, "{}", self.setup.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often the log says `words`.
    fn said(&self, words: &str) -> usize {
        self.setup.log().matches(words).count()
    }

    /// Waits until the metrics say so of the last reload.
    async fn until_measured(&self, successful: u8) {
        let deadline = Instant::now() + PATIENCE;
        let wanted = format!("config_last_reload_successful {successful}");
        loop {
            let answer = reqwest::get(&self.setup.metrics).await.unwrap();
            let text = answer.text().await.unwrap();
            if text.lines().any(|line| line == wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{wanted} in\n{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_said(&self, words: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.said(words) < times {
            assert!(Instant::now() < deadline, "{words}: {}", self.setup.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for a reload that must be refused, and waits until it is.
    async fn refused(&self) {
        const WORDS: &str = "the new configuration is refused";
        let before = self.said(WORDS);
        self.process.ask_to_reload();
        self.until_said(WORDS, before + 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_configuration_is_taken_over_and_nothing_of_a_bad_one_is() {
    let mut scene = Scene::new().await;
    assert!(scene.takes("10").await && !scene.takes("11").await);
    scene.setup.rewrite_last_layer(&limits("20"));
    assert!(!scene.takes("20").await, "not before it is asked to");
    scene.process.ask_to_reload();
    scene.until_taken("20", true).await;
    scene.until_measured(1).await;

    // Each is good in its limits and bad in something else.
    let good = limits("30");
    let half = &good[..good.len() - 3];
    for bad in [
        format!("{good}max_pendin = 3\n"),
        format!("{good}[rate_limit]\nper_minute = \"many\"\n"),
        format!("{good}[telemetry]\nalerts = [\"everything\"]\n"),
        format!("{good}[xrpl]\nquorum = 9\n"),
        format!("profile = \"production\"\n{good}"),
        limits("0.5"),
        half.to_owned(),
    ] {
        scene.setup.rewrite_last_layer(&bad);
        scene.refused().await;
        assert!(scene.takes("20").await, "{bad}");
        assert!(!scene.takes("21").await, "{bad}");
        assert!(!scene.takes("0.7").await, "{bad}");
    }
    scene.until_measured(0).await;
    std::fs::remove_file(&scene.layer).unwrap();
    scene.refused().await;
    std::fs::create_dir(&scene.layer).unwrap();
    scene.refused().await;
    std::fs::remove_dir(&scene.layer).unwrap();
    assert!(scene.takes("20").await && !scene.takes("21").await);

    // What was bad may be made good.
    scene.setup.rewrite_last_layer(&good);
    scene.process.ask_to_reload();
    scene.until_taken("30", true).await;
    scene.until_measured(1).await;
    assert_eq!(scene.process.terminate(PATIENCE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_start_is_named_and_stays_as_it_is_while_the_rest_is_taken_over() {
    let mut scene = Scene::new().await;
    let elsewhere = free_port();
    let wider = limits("40");
    scene.setup.rewrite_last_layer(&format!(
        "{wider}[http]\nlisten = \"127.0.0.1:{elsewhere}\"\n[shutdown]\ngrace = \"7s\"\n"
    ));
    scene.process.ask_to_reload();
    scene.until_taken("40", true).await;
    scene.until_said("wait for the next start", 1).await;
    let log = scene.setup.log();
    let line = log
        .lines()
        .find(|line| line.contains("wait for the next start"))
        .unwrap();
    assert!(
        line.contains("http.listen") && line.contains("shutdown.grace"),
        "{line}"
    );
    assert!(!line.contains("limits."), "{line}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", elsewhere)).is_err());

    // Asked many times at once, the last word holds.
    for round in 1..=20 {
        let max = limits(&format!("{}", 100 + round));
        // As careful editors write: whole, or not at all.
        let beside = scene.layer.with_extension("new");
        std::fs::write(&beside, max).unwrap();
        std::fs::rename(&beside, &scene.layer).unwrap();
        scene.process.ask_to_reload();
    }
    scene.until_taken("120", true).await;
    assert!(!scene.takes("121").await);
    assert_eq!(scene.process.terminate(PATIENCE), Some(0));
}
