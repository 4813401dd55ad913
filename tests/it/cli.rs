//! The binary's command line, asked from outside: exit codes, what goes where, and that no secret
//! comes out.

mod audit;
mod checklist;
mod environments;
mod keys;
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
fn a_sound_configuration_passes_the_check() {
    let place = Place::new();
    let output = place.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "The configuration is sound (profile development).\n"
    );
    assert_eq!(stderr(&output), "");
    let answer = json(&place.run(&["config", "check", "--json"]));
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["profile"], "development");
}

#[test]
fn the_check_tells_every_error_at_once_and_exits_with_one() {
    let place = Place::new();
    let bad = place.minimal()
        + "[limits]\nmax_payment_xrp = 5\nmax_pendin = 1\n[http]\nlisten = \"here\"\n";
    let bad = place.write("bad.toml", &bad);
    let output = place.run_on(&bad, &["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    assert!(
        text.starts_with("error: The configuration has 3 errors.\n"),
        "{text}"
    );
    for line in [
        "limits.max_payment_xrp must be a decimal number of XRP such as \"12.5\", in quotation marks",
        "limits.max_pendin is not a setting; did you mean max_pending?",
        "http.listen must be an address and port such as \"127.0.0.1:3000\"",
        "bad.toml:12",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let output = place.run_on(&bad, &["config", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 3);
}

#[test]
fn a_seed_in_the_file_stops_every_command_and_is_never_repeated() {
    let place = Place::new();
    let text = place
        .minimal()
        .replace(&format!("file:{}/seed", place.0.display()), SEED);
    let bad = place.write("bad.toml", &text);
    for command in [
        vec!["config", "check"],
        vec!["config", "check", "--json"],
        vec!["config", "show"],
        vec!["keys", "list"],
        vec!["serve"],
    ] {
        let output = place.run_on(&bad, &command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let told = stdout(&output) + &stderr(&output);
        assert!(told.contains("wallets.hot.seed"), "{told}");
        assert!(!told.contains(SEED), "{told}");
    }
}

#[test]
fn an_unknown_profile_or_a_missing_file_is_an_error() {
    let place = Place::new();
    let output = place.run(&["config", "check", "--profile", "prod"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("profile is unknown"),
        "{}",
        stderr(&output)
    );
    let output = run(&["serve", "--config", "/nonexistent/xrpayd.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nonexistent/xrpayd.toml"));
}

#[test]
fn what_is_shown_has_origins_and_no_secret() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xrpayd"));
    let config = place.0.join("xrpayd.toml");
    let output = command
        .args(["config", "show", "--profile", "sandbox", "--config"])
        .arg(&config)
        .env("XRPAYD__LIMITS__MAX_PENDING", "7")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for line in [
        "max_pending = 7  # variable XRPAYD__LIMITS__MAX_PENDING".to_owned(),
        "max_payment_xrp = \"10000\"  # profile sandbox".to_owned(),
        "min_payment_xrp = \"0.001\"  # default".to_owned(),
        format!("quorum = 2  # {}:5", config.display()),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(!text.contains(SEED) && !text.contains("TOKEN"), "{text}");
    let answer = json(&place.run(&["config", "show", "--json"]));
    assert_eq!(answer["values"]["limits.max_pending"]["value"], 50);
    assert_eq!(answer["values"]["limits.max_pending"]["origin"], "default");
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
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no wallet cold"),
        "{}",
        stderr(&output)
    );
    let answer = json(&place.run(&["wallet", "resume", "--wallet", "hot", "--json"]));
    assert_eq!(answer["resumed"], false);
}

#[cfg(feature = "sandbox")]
#[test]
fn the_model_ledger_names_its_servers_and_ends_cleanly_on_either_signal() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    for signal in ["-TERM", "-INT"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
            .args([
                "sandbox-ledger",
                "--listen",
                "127.0.0.1:0,127.0.0.1:0",
                "--close-interval",
                "manual",
                "--retain-ledgers",
                "32",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .take(2)
            .map(|line| line.unwrap())
            .collect();
        assert!(
            lines.iter().all(|line| line.starts_with("ws://127.0.0.1:")),
            "{lines:?}"
        );
        for line in &lines {
            let address = line.strip_prefix("ws://").unwrap();
            std::net::TcpStream::connect(address).unwrap();
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn the_model_ledger_takes_strangers_at_ports_of_their_own() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args([
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0",
            "--listen-public",
            "127.0.0.1:0,127.0.0.1:0",
            "--close-interval",
            "manual",
            "--json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let places: serde_json::Value = serde_json::from_str(&line).unwrap();
    let ledger_accept = |url: &serde_json::Value| {
        let address = url.as_str().unwrap().strip_prefix("ws://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let body = r#"{"method":"ledger_accept"}"#;
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (servers, public) = (&places["ledger"], &places["public"]);
    assert_eq!(servers.as_array().unwrap().len(), 1, "{places}");
    assert_eq!(public.as_array().unwrap().len(), 2, "{places}");
    let answer = ledger_accept(&servers[0]);
    assert!(answer.contains("\"ledger_current_index\":4"), "{answer}");
    for stranger in public.as_array().unwrap() {
        let answer = ledger_accept(stranger);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
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
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("nothing to copy"),
        "{}",
        stderr(&output)
    );
    assert!(!nowhere.exists(), "a source was made");
}
