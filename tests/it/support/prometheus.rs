//! A Prometheus of one test's own, from Debian, that runs the repository's rules.

use super::outside::outside;
use super::overlay::Overlay;
use super::process::free_port;
use super::program::Program;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long it may take to start, or to come to see what a test has done, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often is looked whether it has.
const GLANCE: Duration = Duration::from_millis(100);

/// The labels of a series.
pub type Labels = BTreeMap<String, String>;

/// An alert as Prometheus has it.
#[derive(Debug, Clone)]
pub struct Active {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// What it says.
    pub annotations: Labels,
    /// `pending` or `firing`.
    pub state: String,
}

impl Active {
    /// Whether it is the alert `name`, and fires.
    pub fn fires(&self, name: &str) -> bool {
        self.state == "firing" && self.labels["alertname"] == name
    }
}

/// A running Prometheus; ended when dropped.
#[derive(Debug)]
pub struct Prometheus {
    program: Program,
    /// Its base URL.
    pub url: String,
    /// How the system's list of processes shows it, and no other.
    pub process: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts one in `folder` on the files of `overlay` and waits until it answers; `None`, said aloud,
    /// where the program is missing. Under CI that fails.
    pub async fn start(folder: &Path, overlay: &Overlay) -> Option<Self> {
        let program = outside(
            "XRPAYD_TEST_PROMETHEUS",
            "a test beside Prometheus",
            "packages.sh",
        )?;
        let folder = folder.join("prometheus");
        std::fs::create_dir(&folder).unwrap();
        let port = free_port();
        let itself = [("localhost:9090", &*format!("127.0.0.1:{port}"))];
        overlay
            .clone()
            .in_file("prometheus.yml", &itself)
            .write_to(&folder);
        let mut command = Command::new(program);
        let config = format!("--config.file={}", folder.join("prometheus.yml").display());
        command
            .arg(&config)
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // What is told while it reads its files again is lost, and told again after this.
            .arg("--rules.alert.resend-delay=5s")
            .arg("--log.level=warn");
        let log = folder.join("prometheus.log");
        let mut started = Self {
            program: Program::start(&mut command, &log),
            url: format!("http://127.0.0.1:{port}"),
            process: format!("prometheus {config}"),
            http: reqwest::Client::new(),
        };
        let deadline = Instant::now() + PATIENCE;
        while !started.is_ready().await {
            let has_ended = started.program.has_ended();
            let in_time = Instant::now() < deadline && !has_ended;
            assert!(in_time, "Prometheus does not start: {}", started.log());
            tokio::time::sleep(GLANCE).await;
        }
        Some(started)
    }

    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/-/ready", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// It reads its files again, as an operator has it do that.
    pub async fn reload(&self) {
        let before = self.read_at().await;
        self.program.signal("-HUP");
        let deadline = Instant::now() + PATIENCE;
        while self.read_at().await == before {
            assert!(Instant::now() < deadline, "not read: {}", self.log());
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// When it last read its files to a good end, in its own words.
    async fn read_at(&self) -> Option<String> {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let name = "prometheus_config_last_reload_success_timestamp_seconds ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::to_owned)
    }

    /// The end of what it said, for a failure's message.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Every series of an instant vector (or the one of a scalar), with its value.
    pub async fn query(&self, expression: &str) -> Vec<(Labels, f64)> {
        let data = self.ask("query", &[("query", expression)]).await;
        if data["resultType"] == "scalar" {
            return vec![(Labels::new(), value(&data["result"]))];
        }
        let series = data["result"].as_array().unwrap().iter();
        series
            .map(|one| (labels(&one["metric"]), value(&one["value"])))
            .collect()
    }

    /// Asks until the answer is as `wanted`, and returns it.
    pub async fn until(
        &self,
        expression: &str,
        wanted: impl Fn(&[(Labels, f64)]) -> bool,
    ) -> Vec<(Labels, f64)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.query(expression).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{expression} stays {answer:?}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Every alert that is pending or firing.
    pub async fn alerts(&self) -> Vec<Active> {
        let data = self.ask("alerts", &[]).await;
        let alerts = data["alerts"].as_array().unwrap().iter();
        alerts
            .map(|alert| Active {
                labels: labels(&alert["labels"]),
                annotations: labels(&alert["annotations"]),
                state: alert["state"].as_str().unwrap().to_owned(),
            })
            .collect()
    }

    /// Waits until the alert fires, and returns it.
    pub async fn fires(&self, name: &str) -> Active {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let alerts = self.alerts().await;
            if let Some(alert) = alerts.iter().find(|alert| alert.fires(name)) {
                return alert.clone();
            }
            assert!(
                Instant::now() < deadline,
                "{name} does not fire; what does: {alerts:#?}\n{}",
                self.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until nothing of the alert fires.
    pub async fn is_quiet(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut alerts = self.alerts().await;
            alerts.retain(|alert| alert.fires(name));
            if alerts.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still firing: {alerts:#?}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn ask(&self, what: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{what}", self.url);
        let answer = self.http.get(url).query(query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }
}

fn labels(of: &Value) -> Labels {
    let pairs = of.as_object().unwrap().iter();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// The value of a sample, which Prometheus tells as the time and a text.
fn value(of: &Value) -> f64 {
    of[1].as_str().unwrap().parse().unwrap()
}
