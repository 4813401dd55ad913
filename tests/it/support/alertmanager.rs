//! An Alertmanager of one test's own, from Debian, with the repository's routes, and whoever it tells:
//! a receiver in the place of each that is configured.

use super::outside::outside;
use super::overlay::Overlay;
use super::process::free_port;
use super::program::Program;
use super::prometheus::{Labels, PATIENCE};
use super::receiver::{Heard, Manner, Receiver};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How often is looked whether something has come.
const GLANCE: Duration = Duration::from_millis(50);

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Whoever is on call, and is woken.
    Pager,
    /// A room that is read by day.
    Chat,
    /// The dead man's switch, that rings when it is told nothing.
    DeadMan,
}

impl Told {
    /// Everybody.
    pub const ALL: [Self; 3] = [Self::Pager, Self::Chat, Self::DeadMan];

    /// Who hears of an alert with these labels.
    pub fn of(labels: &Labels) -> Self {
        match (labels["alertname"].as_str(), labels["severity"].as_str()) {
            ("Watchdog", _) => Self::DeadMan,
            (_, "critical") => Self::Pager,
            _ => Self::Chat,
        }
    }

    /// Its name in the configuration.
    const fn name(self) -> &'static str {
        match self {
            Self::Pager => "pager",
            Self::Chat => "chat",
            Self::DeadMan => "deadman",
        }
    }

    /// What Alertmanager shows it, so that it believes what it is told.
    fn token(self) -> String {
        format!("token-of-{}", self.name())
    }
}

/// What somebody was told of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whom.
    pub told: Told,
    /// Of which alert.
    pub alert: String,
    /// `firing` or `resolved`.
    pub status: String,
}

/// A running Alertmanager and its receivers; ended when dropped.
pub struct Alertmanager {
    program: Program,
    /// Its base URL.
    pub url: String,
    receivers: Vec<(Told, Receiver)>,
    config: PathBuf,
}

impl Alertmanager {
    /// Starts one in `folder` on the files of `overlay`, in which every receiver is one of the test's, and
    /// waits until it answers; `None`, said aloud, where the program is missing. Under CI that fails.
    pub async fn start(folder: &Path, overlay: Overlay) -> Option<Self> {
        let program = outside(
            "XRPAYD_TEST_ALERTMANAGER",
            "a test beside Alertmanager",
            "packages.sh",
        )?;
        let folder = folder.join("alertmanager");
        std::fs::create_dir(&folder).unwrap();
        let mut receivers = Vec::new();
        for told in Told::ALL {
            receivers.push((told, Receiver::start(Manner::Well).await));
        }
        told_here(overlay, &folder, &receivers).write_to(&folder);
        let port = free_port();
        let mut command = Command::new(program);
        command
            .arg(format!(
                "--config.file={}",
                folder.join("alertmanager.yml").display()
            ))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // It is alone.
            .args(["--cluster.listen-address=", "--log.level=warn"]);
        let log = folder.join("alertmanager.log");
        let mut started = Self {
            program: Program::start(&mut command, &log),
            url: format!("http://127.0.0.1:{port}"),
            receivers,
            config: folder.join("alertmanager.yml"),
        };
        let deadline = Instant::now() + PATIENCE;
        while !started.is_ready().await {
            let in_time = Instant::now() < deadline && !started.program.has_ended();
            assert!(
                in_time,
                "Alertmanager does not start: {}",
                started.program.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
        Some(started)
    }

    async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("{}/-/ready", self.url)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Where it listens, as Prometheus names a target.
    pub fn target(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where it reaches whoever is told, as its configuration says.
    pub fn receiver(&self, wanted: Told) -> String {
        let mut receivers = self.receivers.iter();
        let found = receivers.find(|(told, _)| *told == wanted);
        found.expect("everybody has one").1.url()
    }

    /// It reads its configuration again.
    pub async fn reload(&self) {
        let url = format!("{}/-/reload", self.url);
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// It is killed; its receivers go on listening.
    pub fn dies(&mut self) {
        self.program.kill();
    }

    /// Everything that anybody was told, each one's in its order.
    pub fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (told, receiver) in &self.receivers {
            for heard in receiver.heard() {
                notices.extend(told_in(*told, &heard));
            }
        }
        notices
    }

    /// What anybody was told of one alert.
    pub fn notices_of(&self, alert: &str) -> Vec<Notice> {
        let mut notices = self.notices();
        notices.retain(|notice| notice.alert == alert);
        notices
    }

    /// Waits until somebody has been told of the alert's `status` more than `before` times.
    pub async fn tells(&self, told: Told, alert: &str, status: &str, before: usize) {
        let wanted = Notice {
            told,
            alert: alert.to_owned(),
            status: status.to_owned(),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let notices = self.notices();
            if notices.iter().filter(|notice| **notice == wanted).count() > before {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "nobody was told {wanted:?}, but {notices:?}\n{}",
                self.program.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// The files with the test's receivers in the place of those that are configured, and everything told at
/// once.
fn told_here(overlay: Overlay, folder: &Path, receivers: &[(Told, Receiver)]) -> Overlay {
    let mut overlay = overlay.in_file(
        "alertmanager.yml",
        &[
            ("group_wait: 30s", "group_wait: 200ms"),
            ("group_interval: 5m", "group_interval: 500ms"),
            ("group_interval: 1m", "group_interval: 500ms"),
        ],
    );
    for (told, receiver) in receivers {
        let name = told.name();
        let token = folder.join(format!("{name}.token"));
        std::fs::write(&token, told.token()).unwrap();
        let url = format!("https://{name}.example.net/alerts\n");
        let file = format!("/run/secrets/alerts_{name}_token\n");
        overlay = overlay.in_file(
            "alertmanager.yml",
            &[
                (&url, &format!("{}\n", receiver.url())),
                (&file, &format!("{}\n", token.display())),
            ],
        );
    }
    overlay
}

/// What one message says.
fn told_in(told: Told, heard: &Heard) -> Vec<Notice> {
    let shown = heard.headers["authorization"].to_str().unwrap();
    assert_eq!(shown, format!("Bearer {}", told.token()));
    let message = heard.json();
    let alerts = message["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| Notice {
            told,
            alert: alert["labels"]["alertname"].as_str().unwrap().to_owned(),
            status: alert["status"].as_str().unwrap().to_owned(),
        })
        .collect()
}
