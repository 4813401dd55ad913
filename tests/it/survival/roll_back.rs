//! The way back from a release at night: without traffic, beside a replica that is down or a machine that is
//! gone, by the very commands of the runbook; and a release that is taken back by its own smoke test.

use super::deploys::{all, flows};
use super::yard::{DEAD, FIRST, Yard, finished};
use crate::alerts::runbook::Runbook;
use crate::deployment::git;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SECOND: &str = "two";
const THIRD: &str = "three";

/// The blocks of the page that deploy, in their order: undo, roll back, restart.
fn blocks() -> [String; 3] {
    let page = Runbook::of("roll-back");
    let deploys = page.blocks.into_iter().filter(|block| block.deploys());
    let texts: Vec<String> = deploys.map(|block| block.text).collect();
    texts.try_into().expect("the three ways of the page")
}

/// Which instances the balancer sends requests to.
fn serving(yard: &Yard) -> Vec<bool> {
    let text = yard.upstream();
    let lines = text.lines().map(str::trim);
    let servers = lines.filter(|line| line.starts_with("server "));
    servers.map(|line| !line.contains(" down")).collect()
}

/// Waits until the hooks were asked for this, after what they had been asked before.
async fn is_asked(yard: &Yard, before: usize, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !yard.asked()[before..].iter().any(|asked| asked == what) {
        assert!(Instant::now() < deadline, "{what}: {:?}", yard.asked());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A deploy of the version that is killed in its middle.
async fn kill_a_deploy(yard: &Yard, version: &str) {
    let before = yard.asked().len();
    let mut command = yard.script("rolling.sh", &["--version", version]);
    let mut script = command.spawn().unwrap();
    is_asked(yard, before, "stop daemon-0").await;
    script.kill().unwrap();
    script.wait().unwrap();
    assert!(yard.is_unfinished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_rolled_back_at_night_beside_a_dead_replica_by_the_commands_of_the_page() {
    let Some(yard) = Yard::open(3, 3).await else {
        return;
    };
    let [undo, back, restart] = blocks();
    let traffic = yard.traffic();
    flows(&traffic, 10).await;
    let (code, said) = yard.run("rolling.sh", &["--version", SECOND]).await;
    assert_eq!(code, Some(0), "{said}");
    // Done once more it does nothing, and is not what there is a way back from.
    let (code, said) = yard.run("rolling.sh", &["--version", SECOND]).await;
    assert_eq!(code, Some(0), "{said}");
    let book = traffic.close().await;

    // Nobody asks anything any more, and one replica is down: a deploy is not to be had.
    yard.kill(1).await;
    let (code, said) = yard.run("rolling.sh", &["--version", FIRST]).await;
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = yard.block(&back).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("back to {FIRST}")), "{said}");
    assert_eq!(yard.versions(), all(FIRST, 3));
    assert_eq!(yard.running().await, [true; 3]);
    assert_eq!(serving(&yard), [true; 3]);
    assert!(!yard.is_unfinished());

    // The settings that wait for a start.
    let before = yard.asked().len();
    let (code, said) = yard.block(&restart).await;
    assert_eq!(code, Some(0), "{said}");
    for place in 0..3 {
        for word in ["stop", "start"] {
            let wanted = format!("{word} daemon-{place}");
            assert!(yard.asked()[before..].contains(&wanted), "{wanted}");
        }
    }
    assert_eq!(yard.versions(), all(FIRST, 3));

    // A deploy that was killed is undone, or is ended by a roll-back to what it began with.
    kill_a_deploy(&yard, THIRD).await;
    let (code, said) = yard.block(&undo).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), all(FIRST, 3));
    kill_a_deploy(&yard, THIRD).await;
    let (code, said) = yard.block(&back).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), all(FIRST, 3));
    assert_eq!(serving(&yard), [true; 3]);
    yard.audit(&book.paid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_back_leaves_out_a_machine_that_is_gone_and_never_stops_the_last_one_for_nothing() {
    let Some(yard) = Yard::open(2, 2).await else {
        return;
    };
    yard.lose(1).await;
    let haste = ["--roll-back", "--version", SECOND, "--ready-within", "20"];
    let (code, said) = yard.run("rolling.sh", &haste).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("nobody else serves"), "{said}");
    assert_eq!(yard.versions(), [SECOND, FIRST]);
    assert_eq!(yard.running().await, [true, false]);
    assert_eq!(
        serving(&yard),
        [true, false],
        "what is gone is asked nothing"
    );
    // The machine is back: the same command goes on, and gives it its share again.
    yard.regain(1);
    let (code, said) = yard.run("rolling.sh", &haste).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), all(SECOND, 2));
    assert_eq!(serving(&yard), [true; 2]);
    // What does not start takes nobody's place.
    let (code, said) = yard
        .run("rolling.sh", &["--roll-back", "--version", DEAD])
        .await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is given back what it had"), "{said}");
    assert_eq!(yard.versions(), all(SECOND, 2));
    assert_eq!(yard.running().await, [true; 2]);
    assert_eq!(serving(&yard), [true; 2]);
    let (code, said) = yard.run("canary.sh", &["--roll-back"]).await;
    assert_eq!(code, Some(1), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_half_that_served_before_takes_the_traffic_back_without_being_asked_anything() {
    let Some(yard) = Yard::open(2, 1).await else {
        return;
    };
    let traffic = yard.traffic();
    flows(&traffic, 10).await;
    let quick = ["--steps", "100", "--last-watch", "3"];
    let options = [&["--version", SECOND][..], &quick].concat();
    let (code, said) = yard.run("blue-green.sh", &options).await;
    assert_eq!(code, Some(0), "{said}");
    traffic.close().await;
    assert_eq!(yard.running().await, [false, true]);
    let (code, said) = yard.run("blue-green.sh", &["--roll-back"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), [FIRST, SECOND]);
    assert_eq!(yard.running().await, [true, false]);
    assert_eq!(serving(&yard), [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_brings_the_checkout_along_and_a_smoke_test_that_fails_takes_both_back() {
    let Some(yard) = Yard::open(2, 2).await else {
        return;
    };
    let (source, checkout) = (yard.folder().join("source"), yard.folder().join("checkout"));
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "--quiet"]);
    let commit = |text: &str| {
        std::fs::write(source.join("file"), text).unwrap();
        git(&source, &["add", "file"]);
        git(&source, &["commit", "--quiet", "-m", text]);
        git(&source, &["rev-parse", "HEAD"])
    };
    commit("one");
    let from = source.display().to_string();
    git(
        yard.folder(),
        &["clone", "--quiet", &from, &checkout.display().to_string()],
    );
    let at = || git(&checkout, &["rev-parse", "HEAD"]);
    let key = yard.folder().join("smoke.key");
    let good = yard
        .stage
        .setup
        .create_key("smoke", &["payments:read", "payments:write"]);
    let release = |version: &str, commit: &str| {
        std::fs::write(&key, &good).unwrap();
        let mut command = Command::new("deploy/release.sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["--version", version, "--commit", commit, "--from", &from]);
        command.args(["--api", &yard.api, "--own-traffic"]);
        for (option, file) in [
            ("--fleet", "fleet"),
            ("--hooks", "hooks"),
            ("--upstream", "xrpayd/upstream.conf"),
            ("--state", "state"),
            ("--checkout", "checkout"),
            ("--key-file", "smoke.key"),
        ] {
            command.arg(option).arg(yard.folder().join(file));
        }
        command.args(["--", "--p99-max", "5", "--watch", "10"]);
        command.args(["--requests-min", "1"]).stdin(Stdio::null());
        command
    };
    let second = commit("two");
    let (code, said) = finished(release(SECOND, &second)).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), all(SECOND, 2));
    assert_eq!(at(), second);
    assert!(yard.asked().contains(&"follow".to_owned()));

    let third = commit("three");
    let before = yard.asked().len();
    let running = tokio::spawn(finished(release(THIRD, &third)));
    is_asked(&yard, before, &format!("install daemon-1 {THIRD}")).await;
    std::fs::write(&key, "xrpayd_none_none").unwrap();
    let (code, said) = running.await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("back to the version before"), "{said}");
    assert_eq!(yard.versions(), all(SECOND, 2));
    assert_eq!(serving(&yard), [true; 2]);
    assert_eq!(at(), second);
    assert!(!said.contains(&good) && !yard.is_unfinished());
}
