//! Callers of a real daemon: their limits over a kill and a reload, their secrets over a rotation, and
//! the sample of the documentation that signs its requests.

use super::scene::{GRACE, PATIENCE, SHOP, Scene};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;
use xrpayd::store::{Access, Store, StoreConfig};

const LOUD: &str = "[telemetry]\nlog_level = \"debug\"\n";
const PAGE: &str = include_str!("../../../docs/API.md");

fn limited(per_hour: u32) -> String {
    format!("{LOUD}[rate_limit]\nper_minute = 1000000\nper_hour = {per_hour}\n")
}

struct Caller {
    http: reqwest::Client,
    api: String,
}

impl Caller {
    fn of(scene: &Scene) -> Self {
        Self {
            http: reqwest::Client::new(),
            api: scene.setup.api.clone(),
        }
    }

    async fn read(&self, key: &str) -> reqwest::StatusCode {
        let get = self.http.get(format!("{}/v1/payments", self.api));
        get.bearer_auth(key).send().await.unwrap().status()
    }

    /// A write that is counted and creates nothing: it has no idempotency key. Says how long to wait
    /// where it is one too many.
    async fn write(&self, key: &str) -> Option<u64> {
        let post = self.http.post(format!("{}/v1/payments", self.api));
        let answer = post
            .bearer_auth(key)
            .json(&Value::Null)
            .send()
            .await
            .unwrap();
        match answer.status().as_u16() {
            400 => None,
            429 => {
                let wait = answer.headers()["retry-after"].to_str().unwrap();
                Some(wait.parse().unwrap())
            }
            other => panic!("{other}"),
        }
    }

    /// How many writes there is room for.
    async fn writes_left(&self, key: &str) -> u32 {
        let mut count = 0;
        while self.write(key).await.is_none() {
            count += 1;
        }
        count
    }
}

fn secret_of(key: &str) -> &str {
    key.rsplit('_').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hours_limit_holds_over_a_kill_within_a_tenth_and_follows_a_reload() {
    let scene = Scene::new("manual", "1000", &limited(500));
    let key = scene
        .setup
        .create_key("till", &["payments:read", "payments:write"]);
    let daemon = scene.start().await;
    let caller = Caller::of(&scene);
    for n in 0..400 {
        assert_eq!(caller.write(&key).await, None, "write {n}");
    }
    let url = format!("sqlite://{}", scene.folder().join("xrpayd.db").display());
    let store = Store::open(&StoreConfig::new(url), Access::Tool)
        .await
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let known = store.key_counts(0).await.unwrap();
        let till = known.iter().filter(|count| key.contains(&count.key));
        if till.map(|count| count.count).sum::<u32>() > 350 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "nobody tells the store: {known:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await;
    daemon.kill();

    let daemon = scene.start().await;
    let left = caller.writes_left(&key).await;
    assert!(
        (100..150).contains(&left),
        "{left} were left of 500 after 400 and a kill"
    );
    let wait = caller.write(&key).await.unwrap();
    assert!((3_000..=3_661).contains(&wait), "{wait}");
    scene.setup.rewrite_last_layer(&limited(600));
    daemon.ask_to_reload();
    let deadline = Instant::now() + PATIENCE;
    while caller.write(&key).await.is_some() {
        assert!(Instant::now() < deadline, "the reload changes nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(caller.writes_left(&key).await, 99);
    // An end in order forgets nothing.
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let daemon = scene.start().await;
    assert!(caller.write(&key).await.is_some());
    let listed = scene.setup.command(&["keys", "list"]);
    let keys = listed["data"].as_array().unwrap();
    let used = keys.iter().find(|row| row["name"] == "till").unwrap();
    assert!(used["last_used_at"].is_string(), "{used:#}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_beside_a_running_daemon_and_no_secret_is_in_its_log() {
    let scene = Scene::new("manual", "1000", LOUD);
    let old = scene.setup.create_key("till", &["payments:read"]);
    let daemon = scene.start().await;
    let caller = Caller::of(&scene);
    assert_eq!(caller.read(&old).await, 200);
    let rotated = scene
        .setup
        .command(&["keys", "rotate", &old, "--overlap", "1h"]);
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!(rotated["id"], old.split('_').nth(1).unwrap());
    assert_ne!(secret_of(&old), secret_of(&new));
    until(&caller, &new, 200).await;
    assert_eq!(caller.read(&old).await, 200);
    let newest = scene
        .setup
        .command(&["keys", "rotate", &new, "--overlap", "0s"]);
    let newest = newest["key"].as_str().unwrap().to_owned();
    until(&caller, &newest, 200).await;
    for ended in [&old, &new] {
        assert_eq!(caller.read(ended).await, 401);
    }
    let id = new.split('_').nth(1).unwrap();
    scene.setup.command(&["keys", "revoke", id]);
    until(&caller, &newest, 401).await;
    let (code, _, told) = scene.setup.try_command(&["keys", "rotate", id]);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(daemon.terminate(GRACE), Some(0));

    let log = std::fs::read_to_string(scene.folder().join("daemon.log")).unwrap();
    assert!(
        log.contains("a request was not let in") && log.contains(id),
        "{log}"
    );
    for key in [&old, &new, &newest] {
        assert!(!log.contains(secret_of(key)), "a secret is in the log");
    }
}

async fn until(caller: &Caller, key: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while caller.read(key).await != status {
        assert!(Instant::now() < deadline, "never {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The one sample in Python on the page.
fn sample() -> &'static str {
    let (_, rest) = PAGE
        .split_once("```python\n")
        .expect("docs/API.md has a sample");
    let (sample, rest) = rest.split_once("```").unwrap();
    assert!(!rest.contains("```python\n"), "which of the samples is it?");
    sample
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_of_the_documentation_signs_what_the_daemon_believes_once() {
    let scene = Scene::new("manual", "1000", LOUD);
    let scopes = ["--scope", "payments:read", "--scope", "payments:write"];
    let create = [
        &["keys", "create", "--name", "shop", "--require-signature"],
        &scopes[..],
    ]
    .concat();
    let made = scene.setup.command(&create);
    let key = made["key"].as_str().unwrap();
    let daemon = scene.start().await;
    let script = scene.folder().join("sign.py");
    std::fs::write(&script, sample()).unwrap();
    let output = Command::new("python3")
        .arg(&script)
        .env("XRPAYD_URL", &scene.setup.api)
        .env("XRPAYD_KEY", key)
        .env("DESTINATION", SHOP)
        .output()
        .expect("the sample of the documentation runs with python3");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("pay_"), "{printed}");
    // The key alone, without a signature, is not enough.
    assert_eq!(Caller::of(&scene).read(key).await, 401);
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let log = std::fs::read_to_string(scene.folder().join("daemon.log")).unwrap();
    assert!(!log.contains(secret_of(key)), "a secret is in the log");
}
