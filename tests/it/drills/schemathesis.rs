//! Strangers' requests, as schemathesis makes them up from the document: with all its checks, over every
//! route, against a running daemon. No server error, no status, header or body that is not described,
//! nothing accepted that the document forbids, nothing of what it allows refused for its shape, and
//! nothing of one client shown to another.
//!
//! It is found in XRPAYD_TEST_SCHEMATHESIS, which `tests/schemathesis.sh` sets; without it the test says
//! that it is left out, and under CI that is a failure. XRPAYD_TEST_SCHEMATHESIS_SECONDS makes the
//! admin's part go on for so long, with requests that are new each time.

use super::scene::{GRACE, Scene};
use crate::support::merchant::Merchant;
use crate::support::outside::outside;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Payments from 5 XRP on wait for a second person, so that there is something to rule on.
const LAYER: &str = "[limits]\napproval_threshold = \"5\"\n";
/// What belongs to it: its configuration and what it cannot know.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis");
/// A run that takes seconds, and is the same each time.
const BRIEF: [&str; 3] = ["--max-examples", "1", "--generation-deterministic"];
/// Requests that follow from answers.
const STATEFUL: &str = "examples,stateful";
/// Every scope that there is.
const EVERYTHING: [&str; 7] = [
    "admin",
    "payments:approve",
    "payments:read",
    "payments:write",
    "invoices:read",
    "invoices:write",
    "webhooks:write",
];
/// Every scope of a merchant.
const MERCHANT: [&str; 5] = [
    "payments:read",
    "payments:write",
    "invoices:read",
    "invoices:write",
    "webhooks:write",
];

fn installed() -> Option<PathBuf> {
    outside(
        "XRPAYD_TEST_SCHEMATHESIS",
        "schemathesis",
        "schemathesis.sh",
    )
    .map(PathBuf::from)
}

/// A daemon that strangers ask, and what they ask it with.
struct Strangers {
    scene: Scene,
    place: PathBuf,
    routes: usize,
}

impl Strangers {
    /// Asks everything as the holders of `keys`; fails where anything is found or anything is left out.
    /// Of several, none may be shown what another one owns.
    fn ask(&self, keys: &[&str], effort: &[&str]) {
        let names: Vec<String> = (1..=keys.len()).map(|n| format!("holder{n}")).collect();
        let holders = names.iter().zip(keys).map(|(name, key)| {
            let header = json!({ "name": "Authorization", "value": format!("Bearer {key}") });
            json!({ "name": name, "fixedHeaders": [header] })
        });
        let holders = json!({ "auth": holders.collect::<Vec<_>>() });
        let folder = tempfile::tempdir_in(self.scene.folder()).unwrap();
        std::fs::write(folder.path().join("keys.json"), holders.to_string()).unwrap();
        let common = std::fs::read_to_string(Path::new(FOLDER).join("schemathesis.toml")).unwrap();
        let peers = if keys.len() > 1 {
            format!("peers = {names:?}\n")
        } else {
            String::new()
        };
        let config = format!("{common}\n[auth.wfc]\npath = \"keys.json\"\n{peers}");
        std::fs::write(folder.path().join("schemathesis.toml"), config).unwrap();
        let output = Command::new(self.place.join("bin/st"))
            .args(["--no-color", "run"])
            // From a file: of a document that it fetches it leaves out the route that told it.
            .arg(self.scene.folder().join("openapi.json"))
            .args(["--url", &self.scene.setup.api])
            // One worker: two of them meet a fault of Python 3.11 (gh-106905: ast.parse and threads).
            .args(["--checks", "all", "--workers", "1"])
            .args(effort)
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env("PYTHONPATH", FOLDER)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let who = format!("{} with {effort:?}", names.join(" and "));
        assert!(output.status.success(), "{who}:\n{told}\n{errors}");
        // The stateful part goes where answers lead to; the others ask every route.
        let tested = match effort.contains(&STATEFUL) {
            true => String::new(),
            false => format!("Tested: {}", self.routes),
        };
        for line in [format!("Selected: {0}/{0}", self.routes), tested] {
            assert!(
                told.contains(&line),
                "{who}: not «{line}»:\n{told}\n{errors}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_meet_nothing_that_is_not_described() {
    let Some(place) = installed() else { return };
    let scene = Scene::new("500ms", "100000", LAYER);
    let daemon = scene.start().await;
    let document: Value = {
        let answer = reqwest::get(format!("{}/openapi.json", scene.setup.api)).await;
        answer.unwrap().json().await.unwrap()
    };
    is_openapi(&place, &scene, &document);
    let paths = document["paths"].as_object().unwrap().values();
    let strangers = Strangers {
        routes: paths
            .map(|methods| methods.as_object().unwrap().len())
            .sum(),
        scene,
        place,
    };
    let scene = &strangers.scene;
    let keys = [
        ("admin", &EVERYTHING[..]),
        ("reader", &["payments:read"][..]),
        ("shop", &MERCHANT[..]),
        ("stall", &MERCHANT[..]),
    ];
    let [admin, reader, shop, stall] =
        keys.map(|(name, scopes)| scene.setup.create_key(name, scopes));
    for key in [&admin, &shop, &stall] {
        furnish(scene, key).await;
    }

    let seconds = std::env::var("XRPAYD_TEST_SCHEMATHESIS_SECONDS").ok();
    let whole: Vec<&str> = match &seconds {
        Some(seconds) => vec!["--max-time", seconds],
        None => [&BRIEF[..], &["--phases", "examples,coverage,fuzzing"]].concat(),
    };
    let reading = [&BRIEF[..], &["--phases", "examples,fuzzing"]].concat();
    let in_turn = [&BRIEF[..], &["--phases", STATEFUL]].concat();
    strangers.ask(&[&admin], &whole);
    strangers.ask(&[&reader], &reading);
    strangers.ask(&[&shop, &stall], &in_turn);

    let health = reqwest::get(format!("{}/health", scene.setup.api))
        .await
        .unwrap();
    assert!(
        health.status().is_success(),
        "{}",
        health.text().await.unwrap()
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

/// The document, by the word of a validator that knows the specification and not us.
fn is_openapi(place: &Path, scene: &Scene, document: &Value) {
    let file = scene.folder().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let told = Command::new(place.join("bin/openapi-spec-validator"))
        .arg(&file)
        .output()
        .unwrap();
    let said: String = String::from_utf8_lossy(&told.stdout)
        .chars()
        .take(2_000)
        .collect();
    assert!(told.status.success() && said.contains("OK"), "{said}");
}

/// Something of each kind is there when the strangers come.
async fn furnish(scene: &Scene, key: &str) {
    let owner = Merchant::new(&scene.setup.api, key);
    let payment = json!({
        "destination": super::scene::SHOP,
        "amount": { "currency": "XRP", "value": "7" },
    });
    let invoice = json!({ "amount": { "currency": "XRP", "value": "3" } });
    let hook = json!({ "url": "https://127.0.0.1:9/", "events": ["payment.*"] });
    for (path, idempotency_key, body) in [
        ("/v1/payments", Some("furnished"), payment),
        ("/v1/invoices", None, invoice),
        ("/v1/webhook-endpoints", None, hook),
    ] {
        let (status, made) = owner.post(path, idempotency_key, &body).await;
        assert_eq!(status, 201, "{made}");
    }
}
