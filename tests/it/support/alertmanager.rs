//! An Alertmanager of one test's own, from Debian, with the repository's routes, and whoever it tells:
//! a receiver in the place of each that is configured.

use super::outside::outside;
use super::overlay::Overlay;
use super::process::free_port;
use super::program::Program;
use super::prometheus::PATIENCE;
use super::receiver::{Heard, Manner, Receiver};
use std::path::Path;
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

    /// Who hears of an alert of this severity.
    pub fn of_severity(severity: &str) -> Self {
        match severity {
            "critical" => Self::Pager,
            _ => Self::Chat,
        }
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
        let token = folder.join("token");
        std::fs::write(&token, "a word of the test's").unwrap();
        told_here(overlay, &receivers, &token).write_to(&folder);
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

/// The files with the test's receivers in the place of those that are configured, each known by the one
/// `token`, and everything told at once.
fn told_here(overlay: Overlay, receivers: &[(Told, Receiver)], token: &Path) -> Overlay {
    let token = token.to_str().unwrap();
    let url = |wanted: Told| {
        let found = receivers.iter().find(|(told, _)| *told == wanted);
        found.unwrap().1.url()
    };
    overlay.in_file(
        "alertmanager.yml",
        &[
            ("group_wait: 30s", "group_wait: 100ms"),
            ("group_interval: 5m", "group_interval: 500ms"),
            ("https://ops.example.com/alerts/pager", &url(Told::Pager)),
            ("https://ops.example.com/alerts/chat", &url(Told::Chat)),
            (
                "https://ops.example.com/alerts/deadman",
                &url(Told::DeadMan),
            ),
            ("/run/secrets/alerts_pager_token", token),
            ("/run/secrets/alerts_chat_token", token),
            ("/run/secrets/alerts_deadman_token", token),
        ],
    )
}

/// What one message says.
fn told_in(told: Told, heard: &Heard) -> Vec<Notice> {
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
