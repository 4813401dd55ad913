//! A daemon that is held still for longer than its attempts live, and goes on; one that is asked to
//! end in the middle of everything.

use super::dice::{Dice, seed};
use super::shoppers::only_draining;
use super::stage::{GRACE, Stage};
use crate::support::daemon::Setup;
use std::time::Duration;

/// More ledgers than an attempt may live.
const LEDGERS_FROZEN: u64 = 15;

/// Who waited for the database when the daemon stood still has waited for longer than a request may
/// by the time it moves again, and is told so: nothing was done, and asking again is right.
fn draining_or_thawed(status: u16, code: &str) -> bool {
    only_draining(status, code) || (status, code) == (503, "store_unavailable")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_thaws_after_its_attempts_have_expired_pays_each_payment_once() {
    let stage = Stage::new(seed(), None);
    let shoppers = stage.shoppers(4, 40, draining_or_thawed);
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    let dice = Dice::new(stage.seed, 1_000);
    for round in 0..5 {
        tokio::time::sleep(Duration::from_millis(dice.between(100, 600))).await;
        daemon.freeze();
        let frozen_at = stage.ledger.validated().await;
        if round == 0 {
            // It does not move and still has its file: another daemon does not begin beside it.
            let elsewhere = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", stage.database().display());
            let second = Setup::new(elsewhere.path(), &stage.ledger.urls, &url, "");
            assert_eq!(second.start().exit_code(GRACE), Some(1));
            let said = second.log();
            let why = "another daemon is using this database";
            assert!(said.contains(why), "{said}");
        }
        stage.ledger.reach(frozen_at + LEDGERS_FROZEN).await;
        stage.glance().await;
        daemon.thaw();
        stage.setup.ready().await;
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
    }
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!("{payments} payments, {succeeded} of them succeeded");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_while_it_is_frozen_leaves_its_database_to_the_next() {
    let stage = Stage::new(seed(), None);
    let shoppers = stage.shoppers(4, 40, only_draining);
    let dice = Dice::new(stage.seed, 1_000);
    for _ in 0..6 {
        let daemon = stage.setup.start();
        tokio::time::sleep(Duration::from_millis(dice.between(50, 500))).await;
        daemon.freeze();
        tokio::time::sleep(Duration::from_millis(dice.between(0, 300))).await;
        daemon.kill();
    }
    let daemon = stage.setup.start();
    stage.setup.ready().await;
    shoppers.close().await;
    stage.audit().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_answers_whom_it_has_accepted_and_exits_clean_every_time() {
    let stage = Stage::new(seed(), None);
    let mut shoppers = stage.shoppers(8, 10, only_draining);
    let dice = Dice::new(stage.seed, 1_000);
    for _ in 0..15 {
        let daemon = stage.setup.start();
        stage.setup.ready().await;
        tokio::time::sleep(Duration::from_millis(dice.between(0, 300))).await;
        assert_eq!(daemon.terminate(GRACE), Some(0), "{}", stage.setup.log());
        shoppers.still_content().await;
    }
    let daemon = stage.setup.start();
    stage.setup.ready().await;
    shoppers.close().await;
    stage.audit().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
