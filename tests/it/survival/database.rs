//! A PostgreSQL that is killed, that throws its clients out, and whose answers to commits are lost:
//! what was answered stays, and what was not answered is found out and not guessed.

use super::dice::{Dice, seed};
use super::link::Link;
use super::shoppers::only_draining;
use super::stage::{GRACE, Stage};
use crate::store::fresh_postgres;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SHOPPERS: u64 = 4;

/// A daemon may say that its store does not answer, or, after some seconds of that, that it cannot read
/// whether anything is paused.
pub fn store_is_away(status: u16, code: &str) -> bool {
    status == 503 && matches!(code, "store_unavailable" | "paused") || only_draining(status, code)
}

/// A PostgreSQL of one test's own, that may be killed.
pub struct Server {
    process: Child,
    /// Where it is.
    pub url: String,
    ctl: String,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        let tell = "echo $XRPAYD_TEST_POSTGRES_URL; echo $XRPAYD_TEST_POSTGRES_CTL; exec cat";
        let mut process = Command::new("tests/postgres.sh")
            .args(["sh", "-c", tell])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("XRPAYD_TEST_POSTGRES_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(process.stdout.take().unwrap());
        let mut lines = told.lines().map(|line| line.unwrap());
        Self {
            url: lines.next().expect("the server's URL"),
            ctl: lines.next().expect("its control"),
            process,
        }
    }

    /// `kill`, `immediate` or `start`.
    pub fn ctl(&self, word: &str) {
        let status = Command::new(&self.ctl).arg(word).status();
        assert!(status.unwrap().success(), "{word}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // With the end of its input the script ends, and takes the server with it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_and_comes_back_loses_nothing_and_needs_no_restart_of_ours() {
    const DEATHS: u32 = 8;
    if fresh_postgres().await.is_none() {
        return;
    }
    let server = Server::start();
    let stage = Stage::new(seed(), Some(&server.url));
    let mut shoppers = stage.shoppers(SHOPPERS, 60, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    let mut daemon = stage.setup.start();
    for _ in 0..DEATHS {
        stage.setup.ready().await;
        tokio::time::sleep(Duration::from_millis(dice.between(50, 700))).await;
        server.ctl(["kill", "immediate"][dice.index(2)]);
        tokio::time::sleep(Duration::from_millis(dice.between(0, 400))).await;
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        if dice.happens(30) {
            // Both at once.
            daemon.kill();
            server.ctl("start");
            daemon = stage.setup.start();
        } else {
            server.ctl("start");
        }
        shoppers.still_content().await;
        stage.glance().await;
    }
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!("{DEATHS} deaths of the database, {payments} payments, {succeeded} of them succeeded");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_database_throws_out_lose_nothing() {
    const STORMS: u32 = 50;
    let Some(url) = fresh_postgres().await else {
        return;
    };
    let stage = Stage::new(seed(), Some(&url));
    let mut shoppers = stage.shoppers(SHOPPERS, 40, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    let mut administrator = PgConnection::connect(&url).await.unwrap();
    let storm = "select pg_terminate_backend(pid) from pg_stat_activity \
                 where datname = current_database() and application_name = 'xrpayd'";
    let mut thrown_out = 0;
    for _ in 0..STORMS {
        tokio::time::sleep(Duration::from_millis(dice.between(5, 200))).await;
        let rows = administrator.fetch_all(AssertSqlSafe(storm)).await.unwrap();
        thrown_out += rows.len();
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        shoppers.still_content().await;
    }
    administrator.close().await.unwrap();
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!("{thrown_out} thrown out, {payments} payments, {succeeded} of them succeeded");
    assert!(thrown_out > 0);
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_found_out_and_never_guessed() {
    let Some(url) = fresh_postgres().await else {
        return;
    };
    let seed = seed();
    let link = Link::to(&url, Dice::new(seed, 3_000)).await;
    let stage = Stage::new(seed, Some(&link.url));
    let mut shoppers = stage.shoppers(SHOPPERS, 40, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    for _ in 0..12 {
        link.lose_commits(*dice.pick(&[30, 150, 500, 1_000]));
        tokio::time::sleep(Duration::from_millis(dice.between(100, 700))).await;
        link.lose_commits(0);
        tokio::time::sleep(Duration::from_millis(dice.between(50, 300))).await;
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        if dice.happens(25) {
            daemon.kill();
            daemon = stage.setup.start();
        }
        shoppers.still_content().await;
        stage.glance().await;
    }
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    let (done, undone) = link.lost();
    println!(
        "{done} commits done and not answered, {undone} that never arrived, {payments} payments, \
         {succeeded} of them succeeded"
    );
    assert!(done > 0 && undone > 0);
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_a_database_that_is_away_or_loses_its_answers() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let server = Server::start();
    let seed = seed();
    let link = Link::to(&server.url, Dice::new(seed, 3_000)).await;
    let stage = Stage::new(seed, Some(&link.url));
    server.ctl("kill");
    let mut daemon = stage.setup.start();
    let deadline = Instant::now() + GRACE;
    while !stage
        .setup
        .log()
        .contains("the start waits for the database")
    {
        assert!(
            !daemon.has_ended() && Instant::now() < deadline,
            "{}",
            stage.setup.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.ctl("start");
    stage.setup.ready().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));

    link.lose_commits(1_000);
    daemon = stage.setup.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!daemon.has_ended(), "{}", stage.setup.log());
    link.lose_commits(0);
    stage.setup.ready().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));

    // Nor does it wait longer than it is let.
    server.ctl("kill");
    daemon = stage.setup.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!daemon.has_ended(), "{}", stage.setup.log());
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
