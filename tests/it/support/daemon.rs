//! The daemon as a process of its own, that can be killed and started again on the same files.

use super::process::{Process, Surroundings, free_port};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The throw-away wallet of the tests: address and seed of the public vectors.
pub const WALLET: (&str, &str) = (
    "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc",
    "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1",
);

/// How a daemon is set up; it can be started any number of times.
#[derive(Debug, Clone)]
pub struct Setup {
    folder: PathBuf,
    config: PathBuf,
    layers: Vec<PathBuf>,
    surroundings: Surroundings,
    /// The base URL of its API.
    pub api: String,
    /// Where its metrics are.
    pub metrics: String,
}

impl Setup {
    /// A daemon in `folder` for the servers at `urls`, on the database at `store_url`.
    pub fn new(folder: &Path, urls: &[String], store_url: &str, more: &str) -> Self {
        let (http, metrics) = (free_port(), free_port());
        let seed = folder.join("seed");
        std::fs::write(&seed, WALLET.1).unwrap();
        let mut permissions = std::fs::metadata(&seed).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&seed, permissions).unwrap();
        let config = folder.join("xrpayd.toml");
        let text = format!(
            "[xrpl]\nservers = {urls:?}\n\
             [wallets.hot]\naddress = \"{}\"\nseed = \"file:{}\"\n\
             [store]\nurl = \"{store_url}\"\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n\
             [telemetry]\nlisten = \"127.0.0.1:{metrics}\"\n{more}",
            WALLET.0,
            seed.display(),
        );
        std::fs::write(&config, text).unwrap();
        Self {
            folder: folder.to_owned(),
            config,
            layers: Vec::new(),
            surroundings: Surroundings::default(),
            api: format!("http://127.0.0.1:{http}"),
            metrics: format!("http://127.0.0.1:{metrics}/metrics"),
        }
    }

    /// A daemon all of whose configuration is one file that needs no other word, as an operator's is:
    /// `settings` are tables and the lines that they have besides.
    pub fn in_one_file(
        folder: &Path,
        urls: &[String],
        store_url: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let setup = Self::new(folder, urls, store_url, "");
        let text = std::fs::read_to_string(&setup.config).unwrap();
        let mut text = format!("profile = \"sandbox\"\n{text}");
        for (table, lines) in settings {
            let head = format!("[{table}]\n");
            match text.find(&head) {
                Some(at) => text.insert_str(at + head.len(), lines),
                None => text.push_str(&format!("{head}{lines}")),
            }
        }
        std::fs::write(&setup.config, text).unwrap();
        setup
    }

    /// The first file of its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The same daemon with one more layer of configuration over its own, which may set what the
    /// first layer has in its tables already.
    pub fn with(mut self, layer: &str) -> Self {
        let path = self
            .folder
            .join(format!("layer-{}.toml", self.layers.len()));
        std::fs::write(&path, layer).unwrap();
        self.layers.push(path);
        self
    }

    /// The same daemon, started in other surroundings.
    pub fn surrounded(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Gives the wallet another seed, for the next start.
    pub fn reseed(&self, seed: &Path) {
        std::fs::copy(seed, self.folder.join("seed")).unwrap();
    }

    /// Writes another layer in the place of the last one; a running daemon reads it when asked to.
    pub fn rewrite_last_layer(&self, layer: &str) {
        std::fs::write(self.layers.last().expect("a layer"), layer).unwrap();
    }

    /// One command of the command line with the configuration that this daemon has.
    pub fn arguments(&self, command: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let config = self.config.display().to_string();
        arguments.extend(["--profile", "sandbox", "--config", &config].map(str::to_owned));
        for layer in &self.layers {
            arguments.extend(["--config".to_owned(), layer.display().to_string()]);
        }
        arguments
    }

    /// Starts it.
    pub fn start(&self) -> Process {
        let log = self.log_path();
        Process::start_in(&self.surroundings, &self.arguments(&["serve"]), &log)
    }

    /// Waits until it can durably accept payments.
    pub async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let client = reqwest::Client::new();
        loop {
            let answer = client
                .get(format!("{}/health/ready", self.api))
                .send()
                .await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(Instant::now() < deadline, "not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes an API key with the command line, as an operator would.
    pub fn create_key(&self, name: &str, scopes: &[&str]) -> String {
        let mut command = vec!["keys", "create", "--name", name];
        for scope in scopes {
            command.extend(["--scope", scope]);
        }
        let answer = self.command(&command);
        answer["key"]
            .as_str()
            .expect("the key is shown once")
            .to_owned()
    }

    /// Runs one command of the command line with `--json` to a success and returns what it printed.
    pub fn command(&self, command: &[&str]) -> serde_json::Value {
        let (code, answer, errors) = self.try_command(command);
        assert_eq!(code, Some(0), "{errors}");
        answer
    }

    /// Runs one command of the command line with `--json`; its exit code, what it printed (null where
    /// that was nothing) and what it told on standard error.
    pub fn try_command(&self, command: &[&str]) -> (Option<i32>, serde_json::Value, String) {
        self.typed(&self.arguments(command), "")
    }

    /// The same for a command that asks for words, which are typed.
    pub fn try_typing(
        &self,
        command: &[&str],
        words: &str,
    ) -> (Option<i32>, serde_json::Value, String) {
        self.typed(&self.arguments(command), words)
    }

    /// The same for a command that takes no configuration.
    pub fn try_bare(
        &self,
        command: &[&str],
        words: &str,
    ) -> (Option<i32>, serde_json::Value, String) {
        self.typed(
            &command.iter().map(ToString::to_string).collect::<Vec<_>>(),
            words,
        )
    }

    /// Runs one command as a person reads it; what it printed.
    pub fn said(&self, command: &[&str]) -> String {
        let mut process = self.surroundings.command();
        let output = process.args(self.arguments(command)).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn typed(&self, arguments: &[String], words: &str) -> (Option<i32>, serde_json::Value, String) {
        // A command of the operator's runs where the daemon does, and suffers none of its faults.
        let mut process = self
            .surroundings
            .command()
            .args(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that ends without asking has closed its end.
        let _ = process
            .stdin
            .take()
            .unwrap()
            .write_all(format!("{words}\n").as_bytes());
        let output = process.wait_with_output().unwrap();
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), answer, errors)
    }

    /// Where it logs.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("daemon.log")
    }

    /// The end of its log, for a failure's message.
    pub fn log(&self) -> String {
        tail(&self.log_path())
    }
}

/// The end of a log, for a failure's message.
pub fn tail(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
