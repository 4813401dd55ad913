//! A prober of one test's own, Debian's blackbox exporter, that asks as the repository's file says.

use super::outside::outside;
use super::overlay::Overlay;
use super::process::free_port;
use super::program::Program;
use super::prometheus::PATIENCE;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A prober that can be taken away and brought back; ended when dropped.
#[derive(Debug)]
pub struct Blackbox {
    binary: String,
    folder: PathBuf,
    /// Where it listens, as Prometheus names a target.
    pub address: String,
    running: Mutex<Option<Program>>,
}

impl Blackbox {
    /// Starts one in `folder` on the file of `overlay` and waits until it answers; `None`, said aloud,
    /// where the program is missing. Under CI that fails.
    pub async fn start(folder: &Path, overlay: &Overlay) -> Option<Self> {
        let binary = outside(
            "XRPAYD_TEST_BLACKBOX",
            "a test beside the blackbox exporter",
            "packages.sh",
        )?;
        let folder = folder.join("blackbox");
        std::fs::create_dir(&folder).unwrap();
        overlay.write_to(&folder);
        let prober = Self {
            binary,
            folder,
            address: format!("127.0.0.1:{}", free_port()),
            running: Mutex::default(),
        };
        prober.lives().await;
        Some(prober)
    }

    /// It is killed.
    pub fn dies(&self) {
        drop(self.running.lock().unwrap().take());
    }

    /// It is started, and answers.
    pub async fn lives(&self) {
        let mut command = Command::new(&self.binary);
        let file = self.folder.join("blackbox.yml");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={}", self.address));
        let log = self.folder.join("blackbox.log");
        *self.running.lock().unwrap() = Some(Program::start(&mut command, &log));
        let healthy = format!("http://{}/-/healthy", self.address);
        let deadline = Instant::now() + PATIENCE;
        while !reqwest::get(&healthy)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            let log = super::daemon::tail(&log);
            assert!(Instant::now() < deadline, "it does not start: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
