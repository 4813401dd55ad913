//! The scripts that a release runs on the operator's machines: the smoke test against a running daemon, and
//! the hooks by which the deploy scripts replace the replicas of compose.

use crate::drills::scene::Scene;
use crate::support::outside::outside;
use std::path::Path;
use std::process::{Command, Output};

fn said(output: &Output) -> String {
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    said
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, executable).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smoke_test_passes_on_a_daemon_that_is_well_and_names_what_is_wrong() {
    if outside("XRPAYD_TEST_JQ", "the smoke test", "packages.sh").is_none() {
        return;
    }
    let scene = Scene::new("1s", "500", "");
    let daemon = scene.start().await;
    let file = scene.folder().join("smoke.key");
    let smoke = |key: &str| {
        std::fs::write(&file, key).unwrap();
        let mut command = Command::new("deploy/smoke.sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        // A proxy stands between a client and the daemon; asked by loopback it would show balances.
        command
            .args(["--api", &scene.setup.api])
            .arg("--key-file")
            .arg(&file);
        command
    };
    let key = scene
        .setup
        .create_key("smoke", &["payments:read", "payments:write"]);
    let mut command = smoke(&key);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let told = said(&output);
    // The one thing that is not so here: who asks from the machine itself is no stranger.
    let failed: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("FAILED"))
        .collect();
    assert_eq!(failed, ["FAILED: a stranger is shown a balance"], "{told}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told.matches("ok: ").count(), 9, "{told}");
    assert!(!told.contains(&key));

    let mut command = smoke("xrpayd_none_none");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let told = said(&output.await.unwrap());
    assert!(told.contains("FAILED: a key is known: 401"), "{told}");
    drop(daemon);
    let mut command = smoke(&key);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let told = said(&output.await.unwrap());
    assert!(told.contains("FAILED: it is ready: 000"), "{told}");
}

#[test]
fn the_hooks_of_compose_keep_which_image_a_replica_runs_and_take_digests_alone() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let image = |digit: &str| format!("registry.example.com/xrpayd@sha256:{}", digit.repeat(64));
    std::fs::write(
        file("compose.env"),
        format!("XRPAYD_IMAGE={}\n", image("1")),
    )
    .unwrap();
    let calls = file("calls");
    let stub = format!("#!/bin/sh\necho \"$*\" >>{}\n", calls.display());
    write_program(&file("docker"), &stub);
    let path = format!(
        "{}:{}",
        place.path().display(),
        std::env::var("PATH").unwrap()
    );
    let hook = |words: &[&str]| {
        let output = Command::new("deploy/compose.sh")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(words)
            .env("PATH", &path)
            .env("XRPAYD_COMPOSE_ENV", file("compose.env"))
            .env("XRPAYD_REPLICAS_ENV", file("replicas.env"))
            .output()
            .unwrap();
        (output.status.code(), said(&output).trim().to_owned())
    };
    let called = || std::fs::read_to_string(&calls).unwrap_or_default();
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("1")));
    assert_eq!(hook(&["install", "xrpayd-1", &image("2")]).0, Some(0));
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("2")));
    assert_eq!(hook(&["version", "xrpayd-2"]), (Some(0), image("1")));
    assert_eq!(hook(&["install", "xrpayd-1", &image("3")]).0, Some(0));
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("3")));
    let kept = std::fs::read_to_string(file("replicas.env")).unwrap();
    assert_eq!(kept, format!("XRPAYD_1_IMAGE={}\n", image("3")));
    assert!(called().contains(&format!("pull --quiet {}", image("3"))));
    assert!(called().contains("run --rm --no-deps xrpayd-1 config check --profile=production"));
    for (words, expected) in [
        (
            &["start", "xrpayd-2"][..],
            "up --detach --no-deps --wait xrpayd-2",
        ),
        (&["stop", "xrpayd-2"], "stop xrpayd-2"),
        (&["reload"], "kill --signal HUP nginx"),
    ] {
        assert_eq!(hook(words).0, Some(0), "{words:?}");
        let last = called().lines().last().unwrap().to_owned();
        assert!(last.ends_with(expected), "{last}");
        assert!(last.contains("--file ") && last.contains("docker-compose.production.yml"));
    }
    let before = called();
    for words in [
        &["install", "xrpayd-1", "registry.example.com/xrpayd:latest"][..],
        &["install", "postgres", &image("2")],
        &["version", "../1"],
        &["remove", "xrpayd-1"],
        &[],
    ] {
        assert_eq!(hook(words).0, Some(2), "{words:?}");
    }
    assert_eq!(called(), before, "docker was not asked");
}
