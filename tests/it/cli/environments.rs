//! What a daemon refuses at its start beyond the text of its configuration: keys and databases that
//! belong to another place.

use super::Place;
use crate::support::process::{Process, free_port};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration that every profile takes, for servers on this machine that do not answer.
struct Daemon {
    place: Place,
    config: PathBuf,
    http: u16,
}

impl Daemon {
    fn new(more: &str) -> Self {
        let place = Place::new();
        let (http, metrics, one, two) = (free_port(), free_port(), free_port(), free_port());
        let text = format!(
            "[network]\nid = 0\n[xrpl]\n\
             servers = [\"ws://127.0.0.1:{one}\", \"ws://127.0.0.1:{two}\"]\nquorum = 2\n\
             [store]\nurl = \"sqlite://{0}/xrpayd.db\"\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n[telemetry]\nlisten = \"127.0.0.1:{metrics}\"\n\
             [wallets.hot]\naddress = \"rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc\"\nseed = \"file:{0}/seed\"\n{more}",
            place.0.display()
        );
        let config = place.write("daemon.toml", &text);
        Self {
            place,
            config,
            http,
        }
    }

    fn start(&self, profile: &[&str]) -> Process {
        let config = self.config.display().to_string();
        let mut arguments = vec!["serve", "--config", &config];
        arguments.extend(profile);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        Process::start(&arguments, &self.place.0.join("log"))
    }

    /// Starts it, waits until it serves, and ends it.
    fn serves(&self, profile: &[&str]) {
        let process = self.start(profile);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.http)).is_err() {
            assert!(
                Instant::now() < deadline,
                "it does not serve: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(process.terminate(PATIENCE), Some(0), "{}", self.log());
    }

    /// Expects that it does not start, for a reason that holds `words`.
    fn refuses(&self, profile: &[&str], words: &str) {
        let code = self.start(profile).exit_code(PATIENCE);
        let log = self.log();
        assert_eq!(code, Some(1), "{log}");
        let last = log.rsplit("error: ").next().unwrap();
        assert!(last.contains(words), "{log}");
        assert!(TcpStream::connect(("127.0.0.1", self.http)).is_err());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.place.0.join("log")).unwrap_or_default()
    }

    /// The exit code of `keys list`, and what it says against it.
    fn lists_keys(&self, profile: &[&str]) -> (Option<i32>, String) {
        let mut arguments = vec!["keys", "list"];
        arguments.extend(profile);
        let output = self.place.run_on(&self.config, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }
}

#[test]
fn a_rehearsals_database_and_its_keys_are_not_productions() {
    let daemon = Daemon::new("");
    daemon.serves(&["--profile", "staging"]);
    daemon.refuses(
        &["--profile", "production"],
        "belongs to the profile staging",
    );
    daemon.refuses(&["--profile", "sandbox"], "belongs to the profile staging");
    daemon.refuses(&[], "belongs to the profile staging");
    let (code, said) = daemon.lists_keys(&["--profile", "production"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("belongs to the profile staging"), "{said}");
    assert_eq!(
        daemon.lists_keys(&[]).0,
        Some(0),
        "a command may look at it"
    );
    daemon.serves(&["--profile", "staging"]);
}

#[test]
fn productions_database_is_nobody_elses_and_one_without_a_profile_becomes_its_own() {
    let daemon = Daemon::new("");
    daemon.serves(&[]);
    daemon.serves(&["--profile", "production"]);
    daemon.refuses(
        &["--profile", "staging"],
        "belongs to the profile production",
    );
    daemon.refuses(&[], "belongs to the profile production");
    assert_eq!(daemon.lists_keys(&[]).0, Some(1), "not without saying so");
    assert_eq!(daemon.lists_keys(&["--profile", "production"]).0, Some(0));
    let text = std::fs::read_to_string(&daemon.config).unwrap();
    std::fs::write(&daemon.config, text.replace("id = 0", "id = 21337")).unwrap();
    daemon.refuses(&["--profile", "production"], "on network 0");
}

#[test]
fn a_master_key_does_not_sign_where_a_regular_key_is_required() {
    let daemon = Daemon::new("require_regular_key = true\n");
    for profile in ["production", "staging"] {
        daemon.refuses(
            &["--profile", profile],
            "the seed is the account's master key",
        );
    }
}
