//! Versions are deployed by the scripts of `deploy/` on real daemons behind nginx, under load: one after
//! the other, by halves, and by a canary. Where it goes well no client notices; where it does not, all is
//! as it was before; and a deploy that is killed in its middle can be run again or undone.

use super::traffic::Traffic;
use super::yard::{BROKEN, FIRST, Yard};
use crate::drills::feed::Reader;
use crate::support::merchant::Merchant;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const SECOND: &str = "two";
const FEW_STEPS: &str = "25 50";

pub fn all(version: &str, count: usize) -> Vec<String> {
    vec![version.to_owned(); count]
}

/// Waits until `count` more requests were answered: traffic flows.
pub async fn flows(traffic: &Traffic, count: u64) {
    let until = traffic.answered() + count;
    let deadline = Instant::now() + Duration::from_secs(60);
    while traffic.answered() < until {
        assert!(Instant::now() < deadline, "nothing is answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends the traffic, of which nothing is refused any more, and holds the books against the ledger.
async fn all_is_well(yard: &Yard, traffic: Traffic) {
    let book = traffic.close().await;
    assert_eq!(book.refused, Vec::<String>::new());
    yard.audit(&book.paid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_three_refuses_no_request_and_has_one_writer_throughout() {
    let Some(yard) = Yard::open(3, 3).await else {
        return;
    };
    let key = yard.stage.key();
    let (until, place) = (
        Arc::new(AtomicI64::new(i64::MAX)),
        Arc::new(AtomicI64::new(-1)),
    );
    let reader = Reader::at(&yard.api, key, "?after=0");
    let reader = tokio::spawn(reader.follow(Arc::clone(&until), Arc::clone(&place)));
    let traffic = yard.traffic();
    flows(&traffic, 10).await;
    let (code, said) = yard.run("rolling.sh", &["--version", SECOND]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), all(SECOND, 3));
    assert!(!yard.is_unfinished());
    let book = traffic.close().await;
    assert!(
        book.refused.is_empty(),
        "{} of {} requests: {:#?}",
        book.refused.len(),
        book.answered,
        book.refused
    );
    let payments = yard.audit(&book.paid).await;
    println!(
        "{payments} payments, {} answers, none refused",
        book.answered
    );
    // A client of the stream came back with its place, and missed nothing.
    let merchant = Merchant::new(&yard.api, key);
    let told = merchant.all_events().await;
    let told: Vec<i64> = told
        .iter()
        .map(|event| event["sequence"].as_i64().unwrap())
        .collect();
    until.store(*told.last().unwrap(), Ordering::SeqCst);
    // What is told last comes with the next event or heartbeat.
    merchant.pay("last", super::stage::SHOP, 999_999, "1").await;
    let reader = reader.await.unwrap();
    assert!(reader.connections > 1, "its connection outlived its daemon");
    let seen: Vec<i64> = reader.seen.into_iter().take(told.len()).collect();
    assert_eq!(seen, told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deploy_of_what_loses_commits_is_undone_by_its_gate() {
    let Some(yard) = Yard::open(3, 3).await else {
        return;
    };
    let before = yard.upstream();
    let traffic = yard.traffic();
    flows(&traffic, 10).await;
    let (code, said) = yard.run("rolling.sh", &["--version", BROKEN]).await;
    assert_eq!(code, Some(1), "{said}");
    is_as_before(&yard, &before, 3).await;
    // Who was refused meanwhile asked again, and nothing is refused any more.
    println!("{} refused meanwhile", traffic.forgive());
    flows(&traffic, 20).await;
    all_is_well(&yard, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_without_data_is_refused() {
    let Some(yard) = Yard::open(2, 2).await else {
        return;
    };
    let before = yard.upstream();
    // Nobody asks anything: what the first instance does with requests is not known.
    let (code, said) = yard.run("rolling.sh", &["--version", SECOND]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no data is no yes"), "{said}");
    is_as_before(&yard, &before, 2).await;
    // An instance whose metrics nobody can read: nothing is begun.
    yard.kill(1).await;
    let asked = yard.asked().len();
    for script in ["rolling.sh", "canary.sh"] {
        let (code, said) = yard.run(script, &["--version", SECOND]).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing was begun"), "{said}");
    }
    assert_eq!(yard.asked().len(), asked, "{:?}", yard.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_that_is_killed_in_its_middle_is_run_again_or_undone() {
    let Some(yard) = Yard::open(3, 3).await else {
        return;
    };
    let before = yard.upstream();
    let traffic = yard.traffic();
    for (last_word, wanted) in [
        (&["--undo"][..], FIRST),
        (&["--version", SECOND][..], SECOND),
    ] {
        let begun = yard.asked().len();
        let mut command = yard.script("rolling.sh", &["--version", SECOND]);
        let mut script = command.spawn().unwrap();
        // The first instance is taken out, and perhaps stopped.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !yard.asked()[begun..].contains(&"stop daemon-0".to_owned()) {
            assert!(Instant::now() < deadline, "it never stops an instance");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        script.kill().unwrap();
        script.wait().unwrap();
        assert!(yard.is_unfinished());
        flows(&traffic, 10).await;
        // Another deploy does not begin over it.
        let another = yard.run_when_free("rolling.sh", &["--version", "three"]);
        let (code, said) = another.await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("unfinished deploy"), "{said}");
        let (code, said) = yard.run("rolling.sh", last_word).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!yard.is_unfinished());
        assert_eq!(yard.versions(), all(wanted, 3));
        if wanted == FIRST {
            is_as_before(&yard, &before, 3).await;
        }
    }
    all_is_well(&yard, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_gets_more_step_by_step_and_then_all_follow() {
    let Some(yard) = Yard::open(2, 2).await else {
        return;
    };
    let traffic = yard.traffic();
    let options = ["--version", SECOND, "--steps", FEW_STEPS];
    let (code, said) = yard.run("canary.sh", &options).await;
    assert_eq!(code, Some(0), "{said}");
    for step in ["25 %", "50 %"] {
        assert!(said.contains(step), "{said}");
    }
    assert_eq!(yard.versions(), all(SECOND, 2));
    all_is_well(&yard, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_loses_commits_is_taken_away_again() {
    let Some(yard) = Yard::open(2, 2).await else {
        return;
    };
    let before = yard.upstream();
    let traffic = yard.traffic();
    let options = ["--version", BROKEN, "--steps", FEW_STEPS, "--watch", "10"];
    let (code, said) = yard.run("canary.sh", &options).await;
    assert_eq!(code, Some(1), "{said}");
    is_as_before(&yard, &before, 2).await;
    assert!(said.contains("strike 5"), "{said}");
    println!("{} refused meanwhile", traffic.forgive());
    flows(&traffic, 20).await;
    all_is_well(&yard, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_green_half_takes_over_from_the_blue_one_or_gives_back_what_it_got() {
    let Some(yard) = Yard::open(2, 1).await else {
        return;
    };
    let before = yard.upstream();
    let traffic = yard.traffic();
    flows(&traffic, 10).await;
    let options = |version| {
        [
            "--version",
            version,
            "--steps",
            "50 100",
            "--last-watch",
            "3",
        ]
    };
    let (code, said) = yard.run("blue-green.sh", &options(BROKEN)).await;
    assert_eq!(code, Some(1), "{said}");
    is_as_before(&yard, &before, 1).await;
    println!("{} refused meanwhile", traffic.forgive());
    let (code, said) = yard.run("blue-green.sh", &options(SECOND)).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.versions(), [FIRST, SECOND]);
    assert_eq!(yard.running().await, [false, true]);
    all_is_well(&yard, traffic).await;
}

/// Nothing of a deploy is left: the first version, as many instances as before, the same shares.
async fn is_as_before(yard: &Yard, upstream: &str, running: usize) {
    assert!(!yard.is_unfinished());
    let count = yard.versions().len();
    assert_eq!(yard.versions(), all(FIRST, count));
    let runs: Vec<bool> = (0..count).map(|place| place < running).collect();
    assert_eq!(yard.running().await, runs);
    let served = |text: &str| -> Vec<bool> {
        text.lines()
            .filter(|line| line.trim_start().starts_with("server "))
            .map(|line| !line.contains(" down"))
            .collect()
    };
    assert_eq!(served(&yard.upstream()), served(upstream));
}

#[test]
fn a_gate_counts_what_was_answered_between_two_looks_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let look = |ok: u64, bad: u64, quick: u64, slow: u64| {
        let bucket = |le: &str, count: u64| {
            format!(
                "http_request_duration_seconds_bucket{{method=\"POST\",route=\"/v1/payments\",\
                 status=\"201\",le=\"{le}\"}} {count}\n"
            )
        };
        format!(
            "# TYPE http_requests_total counter\n\
             http_requests_total{{method=\"POST\",route=\"/v1/payments\",status=\"201\"}} {ok}\n\
             http_requests_total{{method=\"POST\",route=\"/v1/payments\",status=\"503\"}} {bad}\n\
             http_requests_total{{method=\"GET\",route=\"/health/ready\",status=\"503\"}} 77\n{}{}{}",
            bucket("0.1", quick),
            bucket("0.5", slow),
            bucket("+Inf", slow),
        )
    };
    let between = |before: &str, after: &str| {
        std::fs::write(path("before"), before).unwrap();
        std::fs::write(path("after"), after).unwrap();
        let script = format!(
            ". deploy/fleet.sh; between {} {}",
            path("before"),
            path("after")
        );
        let output = Command::new("bash")
            .args(["-euc", &script])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (first, second) = (look(100, 3, 100, 103), look(300, 5, 300, 305));
    assert_eq!(between(&first, &second), "202 2 0.1");
    let slower = look(300, 5, 200, 305);
    assert_eq!(between(&first, &slower), "202 2 0.5");
    assert_eq!(between(&first, &first), "0 0 none");
    // A counter that fell began anew.
    assert_eq!(between(&second, &first), "103 3 0.5");
}

#[test]
fn a_look_that_finds_an_instance_not_ready_is_taken_twice_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reason, words) = (r#"{"reason":"the store does not take writes"}"#, "503 Busy");
    let script = format!(". deploy/fleet.sh; declare -A api=([one]={address}); stays_ready one");
    let asked = || {
        let mut command = Command::new("bash");
        command.args(["-euc", &script]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let answer = |status: &str| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1_024];
        assert!(stream.read(&mut head).unwrap() > 0);
        let length = reason.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all((head + reason).as_bytes()).unwrap();
    };
    let run = asked();
    for status in [words, words, "200 OK"] {
        answer(status);
    }
    let ended = run.wait_with_output().unwrap();
    assert!(
        ended.status.success() && ended.stderr.is_empty(),
        "{ended:?}"
    );

    // Three looks, and one more to tell why.
    let run = asked();
    for _ in 0..4 {
        answer(words);
    }
    let ended = run.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && said.contains(reason), "{said}");
    drop(listener);
    let began = Instant::now();
    let ended = asked().wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        !ended.status.success() && said.contains("no answer"),
        "{said}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "what is not there is not waited for"
    );
}
