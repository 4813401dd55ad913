//! Secrets that can be told from everything else are planted wherever the daemon has one, everything is
//! done with them that is, and then they are looked for wherever somebody could read.

use super::scene::{GRACE, PATIENCE, SHOP, Scene};
use crate::support::daemon::WALLET;
use crate::support::executable;
use crate::support::merchant::Merchant;
use crate::support::process::Surroundings;
use crate::support::receiver::{Manner, Receiver};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const DATABASE_PASSWORD: &str = "planted-database-password";
const COLLECTOR_TOKEN: &str = "planted-collector-token";
/// The superuser's and somebody else's number.
const ROOT: u32 = 0;
const NOBODY: u32 = 65_534;

/// What is looked for: what it is, and the text that must appear nowhere.
type Planted = Vec<(&'static str, String)>;

/// The part of an API key that opens anything.
fn secret_of(key: &str) -> String {
    key.rsplit('_').next().unwrap().to_owned()
}

fn look(planted: &Planted, place: &str, bytes: &[u8]) {
    for (what, secret) in planted {
        let is_there = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!is_there, "{what} is in {place}");
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every answer that the API gives to somebody who may read everything, and to somebody who errs.
async fn answers(scene: &Scene, admin: &str, endpoint: &str) -> String {
    let mut all = String::new();
    let http = reqwest::Client::new();
    let paths = [
        "/v1/payments",
        "/v1/invoices",
        "/v1/deposits",
        "/v1/wallets",
        "/v1/limits",
        "/v1/rollout",
        "/v1/pause",
        "/v1/servers",
        "/v1/events",
        "/v1/audit",
        "/v1/webhook-endpoints",
        "/health",
        "/openapi.json",
        "/nowhere",
    ];
    let deliveries = format!("/v1/webhook-endpoints/{endpoint}/deliveries");
    for path in paths.into_iter().chain([deliveries.as_str()]) {
        for key in [Some(admin), None] {
            let request = http.get(format!("{}{path}", scene.setup.api));
            let request = match key {
                Some(key) => request.bearer_auth(key),
                None => request,
            };
            all.push_str(&request.send().await.unwrap().text().await.unwrap());
        }
    }
    all
}

/// A person who errs with the right secrets in the wrong places: nothing of it may be logged.
async fn errs(scene: &Scene, key: &str) {
    let http = reqwest::Client::new();
    let api = &scene.setup.api;
    let almost = format!("{key}x");
    let requests = [
        http.get(format!("{api}/v1/payments")).bearer_auth(&almost),
        http.get(format!("{api}/v1/payments/{key}"))
            .bearer_auth(key),
        http.get(format!("{api}/v1/payments?key={key}"))
            .bearer_auth(key),
        http.get(format!("{api}/v1/payments"))
            .header("x-request-id", key),
        http.get(format!("{api}/v1/payments"))
            .basic_auth("till", Some(key)),
        http.post(format!("{api}/v1/payments"))
            .bearer_auth(key)
            .header("idempotency-key", key)
            .body(format!("{{\"destination\":\"{}\",", WALLET.1)),
    ];
    for request in requests {
        request.send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_secret_appears_in_no_log_no_answer_no_metric_and_nowhere_on_the_disk() {
    let (shop, collector) = (
        Receiver::start(Manner::Well).await,
        Receiver::start(Manner::Well).await,
    );
    let kept = tempfile::tempdir().unwrap();
    let token = kept.path().join("collector");
    std::fs::write(&token, format!("authorization: Bearer {COLLECTOR_TOKEN}\n")).unwrap();
    let layer = format!(
        "[webhooks]\nallow_http = true\nallow_private = true\n\
         [telemetry]\nlog_level = \"trace\"\notlp_endpoint = \"{}\"\notlp_headers = \"file:{}\"\n",
        collector.url(),
        token.display(),
    );
    let scene = Scene::new("500ms", "1000", &layer);
    let till = scene.setup.create_key("till", &["payments:write"]);
    let admin = scene.setup.create_key(
        "ops",
        &["admin", "payments:read", "invoices:read", "webhooks:write"],
    );
    let daemon = scene.start().await;
    let pid = daemon.id();
    let hooks = Merchant::new(&scene.setup.api, &admin);
    let endpoint = json!({ "url": shop.url(), "events": ["payment.*"], "all_clients": true });
    let (status, made) = hooks.say("/v1/webhook-endpoints", &endpoint).await;
    assert_eq!(status, 201, "{made:#}");
    let endpoint = made["id"].as_str().unwrap();
    let rotate = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    let (status, rotated) = hooks.say(&rotate, &json!({})).await;
    assert_eq!(status, 200, "{rotated:#}");
    let text = |value: &Value| value["secret"].as_str().unwrap().to_owned();
    let bare = |secret: String| secret.trim_start_matches("whsec_").to_owned();
    let planted: Planted = vec![
        ("the wallet's seed", WALLET.1.to_owned()),
        ("the key of a client", secret_of(&till)),
        ("the key of the administrator", secret_of(&admin)),
        ("the secret of an endpoint", bare(text(&made))),
        ("the new secret of an endpoint", bare(text(&rotated))),
        ("the collector's token", COLLECTOR_TOKEN.to_owned()),
    ];
    for (what, secret) in &planted {
        assert!(secret.len() >= 16, "{what} could be anything: {secret}");
    }
    errs(&scene, &till).await;
    let payer = Merchant::new(&scene.setup.api, &till);
    payer.pay("planted", SHOP, 1, "1").await;
    scene.pay(2, 2).await;
    scene.merchant.all_final(PATIENCE).await;
    shop.until(|heard| heard.len() >= 3).await;
    collector.until(|heard| !heard.is_empty()).await;

    look(
        &planted,
        "an answer",
        answers(&scene, &admin, endpoint).await.as_bytes(),
    );
    look(&planted, "the metrics", scene.metrics().await.as_bytes());
    for heard in collector.heard() {
        look(&planted, "a trace", &heard.body);
    }
    for heard in shop.heard() {
        look(&planted, "a webhook", &heard.body);
    }
    for file in ["environ", "cmdline"] {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
        look(&planted, file, &bytes);
    }
    let shown = scene.setup.command(&["config", "show"]);
    look(
        &planted,
        "the shown configuration",
        shown.to_string().as_bytes(),
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));

    let mut left = Vec::new();
    files(scene.folder(), &mut left);
    let is_read = |name: &str| left.iter().any(|path| path.ends_with(name));
    assert!(is_read("xrpayd.db") && is_read("daemon.log"), "{left:?}");
    for path in left {
        // What holds the seed is the operator's, and that the key of the webhooks' seal is the daemon's.
        if !path.ends_with("seed") {
            look(
                &planted,
                &path.display().to_string(),
                &std::fs::read(&path).unwrap(),
            );
        }
    }
    let log = std::fs::read_to_string(scene.setup.log_path()).unwrap();
    assert!(log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""));
}

#[test]
fn the_error_of_a_bad_configuration_does_not_repeat_the_secret_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let planted: Planted = vec![
        ("the seed", WALLET.1.to_owned()),
        ("the database's password", DATABASE_PASSWORD.to_owned()),
        ("the collector's token", COLLECTOR_TOKEN.to_owned()),
    ];
    let database = format!("postgres://xrpayd:{DATABASE_PASSWORD}@127.0.0.1:1/xrpayd");
    let head = "[xrpl]\nservers = [\"ws://127.0.0.1:1\", \"ws://127.0.0.1:2\"]\n";
    let wallet = format!("[wallets.hot]\naddress = \"{}\"\nseed = ", WALLET.0);
    let good = format!("{wallet}\"file:/nowhere\"\n");
    let bad = [
        format!("{head}{wallet}\"{}\"\n", WALLET.1),
        format!("{head}{wallet}{}\n", WALLET.1),
        format!("{head}{wallet}\"file:{}\"\n", WALLET.1),
        format!("{head}{good}[store]\nurl = \"{database}\"\npool = \"many\"\n"),
        format!("{head}{good}[store]\nurl = \"{database} \"\n"),
        format!("{head}{good}[store]\nurl = \"mysql{database}\"\n"),
        format!("{head}{good}[store]\nurl = \"{database}\"\n"),
        format!("{head}{good}[telemetry]\notlp_headers = \"Bearer {COLLECTOR_TOKEN}\"\n"),
        format!("{head}{good}[telemetry]\notlp_endpoint = \"http://u:{COLLECTOR_TOKEN}@c:1\"\n"),
        format!("{head}{good}[telemetry]\notlp_endpoint = \"http://c:1?key={COLLECTOR_TOKEN}\"\n"),
    ];
    let config = folder.path().join("bad.toml");
    for text in bad {
        std::fs::write(&config, &text).unwrap();
        for command in [
            &["config", "check"][..],
            &["config", "show"],
            &["reconcile"],
        ] {
            for form in [&[][..], &["--json"]] {
                let output = Surroundings::default()
                    .command()
                    .args(command)
                    .args(["--profile", "sandbox", "--config"])
                    .arg(&config)
                    .args(form)
                    .output()
                    .unwrap();
                look(
                    &planted,
                    &format!("the output of {command:?} on {text}"),
                    &output.stdout,
                );
                look(
                    &planted,
                    &format!("the errors of {command:?} on {text}"),
                    &output.stderr,
                );
            }
        }
    }
}

/// A program that runs until it is dropped, as somebody who is not the superuser.
struct AsSomebody {
    child: Child,
    user: u32,
}

impl AsSomebody {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let me = std::fs::metadata("/proc/self").unwrap().uid();
        let (mut command, user) = if me == ROOT {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={NOBODY}"))
                .arg("--clear-groups");
            command.arg(program);
            (command, NOBODY)
        } else {
            (Command::new(program), me)
        };
        let output = command.args(arguments).stdout(Stdio::piped()).spawn();
        let child = output.unwrap();
        Self { child, user }
    }

    /// Waits until it says something, which is when it has begun.
    fn says_something(&mut self) {
        let mut line = String::new();
        let output = self.child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended");
    }

    /// The owner of one of its files, while it runs as who it is.
    fn owner_of(&self, file: &str) -> u32 {
        let folder = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        assert!(
            status.contains(&format!("Uid:\t{}\t", self.user)),
            "{status}"
        );
        std::fs::metadata(format!("{folder}/{file}")).unwrap().uid()
    }
}

impl Drop for AsSomebody {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who may look into a process is whose files it has in `/proc`: a process that may be dumped is its own
/// user's, one that may not is the superuser's alone.
#[test]
fn nobody_but_the_superuser_looks_into_the_process_and_no_core_is_dumped() {
    // Where anybody may run it.
    let folder = tempfile::tempdir().unwrap();
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    let binary = folder.path().join("xrpayd");
    executable::copy(Path::new(env!("CARGO_BIN_EXE_xrpayd")), &binary);
    let arguments = ["sandbox-ledger", "--listen", "127.0.0.1:0"];
    let mut ours = AsSomebody::start(&binary, &arguments);
    ours.says_something();
    // One that does nothing about it, so that the other says something.
    let mut other = AsSomebody::start(Path::new("sh"), &["-c", "echo began; exec sleep 60"]);
    other.says_something();
    for file in ["environ", "mem", "maps"] {
        assert_eq!(ours.owner_of(file), ROOT, "{file} is the user's");
        assert_eq!(other.owner_of(file), other.user, "{file}");
    }
}
