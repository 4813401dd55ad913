//! The smoke test of a deploy: on a real daemon behind nginx as it is shipped it passes, and each of its checks
//! fails where that one thing is not so.

use super::front::Front;
use crate::drills::scene::Scene;
use crate::support::outside::outside;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BEHIND_NGINX: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n";
/// Where the places of a fault are put into nginx's file.
const BEFORE: &str = "    # For operators alone, who have ops.conf.";
/// What each check says where it fails, and the places of nginx that make it fail.
const FAULTS: [(&str, &str); 12] = [
    ("it is ready: ", "location = /health/ready { return 204; }"),
    (
        "it is not unhealthy: ",
        "location = /health { return 204; }",
    ),
    (
        "a stranger is shown a balance",
        r#"location = /health { default_type application/json;
           return 200 '{"checks":{"wallet":{"balance_xrp":"5"}}}'; }"#,
    ),
    (
        "a stranger is kept out: ",
        r#"location = /v1/payments { if ($http_authorization = "") { return 204; }
           include xrpayd/proxy.conf; }"#,
    ),
    (
        "a key is known: ",
        r#"location = /v1/payments { if ($arg_limit) { return 204; } include xrpayd/proxy.conf; }"#,
    ),
    (
        "wallets are there: ",
        "location = /v1/wallets { return 204; }",
    ),
    (
        "a wallet is halted or unseen",
        r#"location = /v1/wallets { default_type application/json;
           return 200 '{"data":[{"balance":{"value":"5"},"halted_reason":"why"}]}'; }"#,
    ),
    (
        "a payment is checked, and nothing is made: ",
        "location = /v1/payments/validate { return 204; }",
    ),
    (
        "a payment to nobody is not told to be wrong",
        r#"location = /v1/payments/validate { default_type application/json;
           return 200 '{"valid":true}'; }"#,
    ),
    (
        "a body that is too large is refused: ",
        r#"location = /v1/payments { client_max_body_size 100k;
           if ($request_method = POST) { return 204; } include xrpayd/proxy.conf; }"#,
    ),
    (
        "metrics are not for clients: ",
        "location = /metrics { return 204; }",
    ),
    (
        "administration is not for clients: ",
        "location = /v1/pause { return 204; }",
    ),
];

/// Runs the smoke test as a client of the front.
async fn smoke(front: &Front, folder: &Path, key: &str) -> (Option<i32>, String) {
    // curl's own file: who is trusted, and where the name is.
    std::fs::write(folder.join(".curlrc"), front.curlrc()).unwrap();
    let file = folder.join("smoke.key");
    std::fs::write(&file, key).unwrap();
    let mut command = Command::new("deploy/smoke.sh");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["--api", &front.at("")]).arg("--key-file");
    command
        .arg(&file)
        .env("CURL_HOME", folder)
        .stdin(Stdio::null());
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(key), "the key is told");
    (output.status.code(), said)
}

fn failed(said: &str) -> Vec<&str> {
    let lines = said.lines();
    lines
        .filter_map(|line| line.strip_prefix("FAILED: "))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smoke_test_passes_behind_nginx_and_each_of_its_checks_fails_by_itself() {
    if outside("XRPAYD_TEST_JQ", "the smoke test", "packages.sh").is_none() {
        return;
    }
    let scene = Scene::new("1s", "500", BEHIND_NGINX);
    let api = [scene.setup.api.trim_start_matches("http://").to_owned()];
    let Some(front) = Front::open(&api, &[]).await else {
        return;
    };
    let daemon = scene.start().await;
    let folder = tempfile::tempdir().unwrap();
    // A key has a rate of its own, so each try has its own key.
    let key = |place: usize| {
        let name = format!("smoke-{place}");
        scene
            .setup
            .create_key(&name, &["payments:read", "payments:write"])
    };
    let (code, said) = smoke(&front, folder.path(), &key(0)).await;
    assert_eq!((code, failed(&said)), (Some(0), Vec::new()), "{said}");
    let checks = said.lines().filter(|line| line.starts_with("ok: ")).count();
    assert_eq!(checks, 10, "{said}");

    let (code, said) = smoke(&front, folder.path(), "xrpayd_none_none").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        failed(&said)[0].starts_with("a key is known: 401"),
        "{said}"
    );
    drop(front);

    for (place, (what, fault)) in FAULTS.iter().enumerate() {
        let more = format!("{fault}\n{BEFORE}");
        let front = Front::open(&api, &[(BEFORE, more.as_str())]).await.unwrap();
        let (code, said) = smoke(&front, folder.path(), &key(place + 1)).await;
        assert_eq!(code, Some(1), "{what}: {said}");
        let failed = failed(&said);
        assert!(
            failed.iter().any(|line| line.starts_with(what)),
            "{what}: {said}"
        );
        // An answer that is missing has nothing to look into either.
        assert!(failed.len() <= 2, "{what}: {said}");
    }
    let silent = ("Strict-Transport-Security", "X-Nothing");
    let front = Front::open(&api, &[silent]).await.unwrap();
    let (code, said) = smoke(&front, folder.path(), &key(FAULTS.len() + 1)).await;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(failed(&said), ["no Strict-Transport-Security"]);
    drop(daemon);
    let (code, said) = smoke(&front, folder.path(), &key(FAULTS.len() + 2)).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED: it is ready: 503"), "{said}");
}
