//! The binary's command line, asked from outside: exit codes, what goes where, and that no secret
//! comes out.

mod audit;
mod checklist;
mod configuration;
mod environments;
mod keys;
#[cfg(feature = "sandbox")]
mod model_ledger;
mod tickets;
mod wallets;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const SEED: &str = "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1";

/// A folder with a minimal configuration, a seed and a database of its own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("xrpayd-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let place = Self(path);
        let seed = place.write("seed", &format!("{SEED}\n"));
        std::fs::set_permissions(&seed, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        place.write("xrpayd.toml", &place.minimal());
        place
    }

    fn minimal(&self) -> String {
        format!(
            "[network]\nid = 0\n[xrpl]\n\
             servers = [\"wss://a.example.org\", \"wss://b.example.net/TOKEN\"]\nquorum = 2\n\
             [wallets.hot]\naddress = \"rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc\"\nseed = \"file:{0}/seed\"\n\
             [store]\nurl = \"sqlite://{0}/xrpayd.db\"\n",
            self.0.display()
        )
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs the binary with this place's configuration behind the arguments.
    fn run(&self, arguments: &[&str]) -> Output {
        self.run_on(&self.0.join("xrpayd.toml"), arguments)
    }

    fn run_on(&self, config: &Path, arguments: &[&str]) -> Output {
        let mut all = arguments.to_vec();
        let config = config.display().to_string();
        all.extend(["--config", &config]);
        run(&all)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xrpayd"));
    for (name, _) in std::env::vars() {
        if name.starts_with("XRPAYD__") {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// It did not work, and says why.
fn fails(output: &Output, why: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn bad_usage_exits_with_two_and_help_with_zero() {
    for arguments in [
        vec!["serve", "--no-such-option"],
        vec!["no-such-command"],
        vec![],
        vec!["keys"],
        vec!["keys", "create", "--name", "a"],
        vec![
            "keys",
            "create",
            "--name",
            "a",
            "--scope",
            "payments:everything",
        ],
        vec!["keys", "create", "--name", "*", "--scope", "admin"],
        vec![
            "keys",
            "create",
            "--name",
            "a",
            "--scope",
            "admin",
            "--cidr",
            "10.0.0.0/33",
        ],
        vec![
            "keys",
            "create",
            "--name",
            "a",
            "--scope",
            "admin",
            "--expires-in",
            "soon",
        ],
        vec!["keys", "revoke"],
        vec!["keys", "rotate"],
        vec!["keys", "rotate", "k", "--overlap", "soon"],
        vec![
            "keys",
            "create",
            "--name",
            "a",
            "--scope",
            "admin",
            "--per-hour",
            "0",
        ],
        vec!["wallet", "resume"],
        vec!["sandbox-ledger"],
        vec!["sandbox-ledger", "--listen", "nowhere"],
        vec!["sandbox-ledger", "--listen", "127.0.0.1:0", "--fund", "r=1"],
        vec![
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0",
            "--close-interval",
            "0s",
        ],
        vec![
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0",
            "--retain-ledgers",
            "0",
        ],
        vec!["sandbox-ledger", "--listen-public", "127.0.0.1:0"],
        vec![
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0",
            "--listen-public",
            "nowhere",
        ],
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
    for command in [
        vec![],
        vec!["serve"],
        vec!["sandbox"],
        vec!["sandbox-ledger"],
        vec!["config", "check"],
        vec!["config", "show"],
        vec!["keys", "create"],
        vec!["keys", "list"],
        vec!["keys", "revoke"],
        vec!["keys", "rotate"],
        vec!["wallet", "resume"],
        vec!["audit"],
        vec!["audit", "list"],
        vec!["audit", "verify"],
    ] {
        let mut arguments = command.clone();
        arguments.push("--help");
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(stdout(&output).contains("Usage: xrpayd"), "{command:?}");
    }
}

#[test]
fn the_version_names_version_and_commit() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let rest = text
        .trim()
        .strip_prefix(concat!("xrpayd ", env!("CARGO_PKG_VERSION"), " ("));
    let commit = rest.and_then(|rest| rest.strip_suffix(')'));
    assert!(commit.is_some_and(|commit| !commit.is_empty()), "{text}");
}

#[test]
fn a_key_is_shown_once_listed_without_its_secret_and_revoked_for_good() {
    let place = Place::new();
    let output = place.run(&[
        "keys",
        "create",
        "--name",
        "shop",
        "--scope",
        "payments:read",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let key = stdout(&output).trim().to_owned();
    let (id, secret) = key
        .strip_prefix("xrpayd_")
        .unwrap()
        .split_once('_')
        .unwrap();
    assert_eq!(secret.len(), 64);
    assert!(!stderr(&output).contains(secret));

    let arguments = [
        "keys",
        "create",
        "--name",
        "till",
        "--scope",
        "payments:write",
        "payments:read",
        "--cidr",
        "10.1.2.3/8,::1",
        "--expires-in",
        "90d",
        "--json",
    ];
    let second = json(&place.run(&arguments));
    assert_eq!(
        second["scopes"],
        serde_json::json!(["payments:read", "payments:write"])
    );
    assert_eq!(
        second["cidrs"],
        serde_json::json!(["10.0.0.0/8", "::1/128"])
    );
    assert!(second["expires_at"].as_str().unwrap() > second["created_at"].as_str().unwrap());

    let listed = place.run(&["keys", "list", "--json"]);
    assert!(!stdout(&listed).contains(secret));
    let rows = json(&listed)["data"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["id"], &rows[0]["state"]),
        (&id.into(), &"active".into())
    );

    // No byte of the secret is anywhere in the database's files.
    for entry in std::fs::read_dir(&place.0).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }

    let output = place.run(&["keys", "revoke", id]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let again = place.run(&["keys", "revoke", id]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).starts_with("error: There is no key"),
        "{}",
        stderr(&again)
    );
    let rows = json(&place.run(&["keys", "list", "--json"]))["data"].clone();
    assert_eq!(rows[0]["state"], "revoked");
    assert_eq!(rows[1]["state"], "active");
}

#[test]
fn a_wallet_that_is_not_configured_cannot_be_resumed() {
    let place = Place::new();
    let output = place.run(&["wallet", "resume", "--wallet", "cold"]);
    fails(&output, "no wallet cold");
    let answer = json(&place.run(&["wallet", "resume", "--wallet", "hot", "--json"]));
    assert_eq!(answer["resumed"], false);
}

#[test]
fn a_database_that_cannot_be_named_is_bad_usage_and_is_not_shown() {
    let to = "sqlite:///tmp/never-made.db";
    for from in [
        "mysql://shop:hunter2@db/pay",
        "postgres:/shop:hunter2@db/pay",
    ] {
        let output = run(&["store", "copy", "--from", from, "--to", to]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let said = stderr(&output) + &stdout(&output);
        assert!(
            said.contains("--from") && !said.contains("hunter2"),
            "{said}"
        );
    }
    let nowhere = std::env::temp_dir().join(format!("xrpayd-nowhere-{}", std::process::id()));
    let from = format!("sqlite://{}", nowhere.display());
    let output = run(&["store", "copy", "--from", &from, "--to", to]);
    fails(&output, "nothing to copy");
    assert!(!nowhere.exists(), "a source was made");
}
