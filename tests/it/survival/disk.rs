//! Disks that are full, that fail writes and syncs, and power that is cut: what was answered stays,
//! what was not durable was never answered nor sent.

use super::dice::{Dice, seed};
use super::machine::{EIO, ENOSPC, Machine};
use super::shoppers::only_draining;
use super::stage::{GRACE, SHOP, Stage};
use serde_json::{Value, json};
use std::time::Duration;

const SHOPPERS: u64 = 4;

/// The daemon may say that its store does not answer.
fn store_is_away(status: u16, code: &str) -> bool {
    status == 503 && code == "store_unavailable" || only_draining(status, code)
}

fn stage_on(machine: &Machine) -> Stage {
    let stage = Stage::with(seed(), None, |setup| {
        setup.surrounded(machine.surroundings())
    });
    machine.holds(&stage.database());
    stage
}

/// One request to pay, with its answer or none.
async fn ask_once(stage: &Stage, tag: u64) -> Option<(u16, Value)> {
    let body = json!({
        "destination": SHOP,
        "destination_tag": tag,
        "amount": { "currency": "XRP", "value": "1" },
    });
    let request = reqwest::Client::new()
        .post(format!("{}/v1/payments", stage.setup.api))
        .bearer_auth(stage.key())
        .header("idempotency-key", format!("shopper-{tag}"))
        .timeout(Duration::from_secs(10))
        .json(&body);
    let answer = request.send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_start_finds_written_is_made_durable_before_it_is_answered_for() {
    let machine = Machine::new();
    let stage = stage_on(&machine);
    let daemon = stage.setup.start();
    stage.setup.ready().await;
    stage.history.asks(1, "1");
    // The commit is written, and the disk does not take it: nobody was promised anything.
    machine.fail_syncs(EIO, 1_000);
    let (status, answer) = ask_once(&stage, 1).await.expect("an answer");
    assert_eq!(
        (status, &answer["code"]),
        (503, &json!("store_unavailable")),
        "{}",
        stage.setup.log()
    );
    daemon.kill();
    machine.heal_disk();
    // The next life finds the commit in memory that counts as written, and is asked again.
    let daemon = stage.setup.start();
    stage.setup.ready().await;
    let before = stage.history.floor_of_tag(1);
    let (status, answer) = ask_once(&stage, 1).await.expect("an answer");
    assert_eq!(status, 200, "it was found: {answer:#}");
    stage.history.accepted(1, status, &answer, before);
    daemon.kill();
    machine.cut_power(&stage.database());
    let daemon = stage.setup.start();
    stage.setup.ready().await;
    let (payments, succeeded) = stage.audit().await;
    assert_eq!((payments, succeeded), (1, 1));
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_at_any_instant_lose_nothing_that_was_answered() {
    const CUTS: u32 = 40;
    let machine = Machine::new();
    let stage = stage_on(&machine);
    let mut shoppers = stage.shoppers(SHOPPERS, 60, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    let mut deaths = 0;
    for cut in 0..CUTS {
        // Every other life has a disk that now and then does not sync.
        if cut % 2 == 1 {
            machine.fail_syncs(EIO, *dice.pick(&[50, 200, 600]));
        }
        // And some are so slow that many a death comes while something is on its way to them.
        machine.slow_syncs(*dice.pick(&[0, 1_000, 3_000]));
        // Not every death is a power cut: what a process left may be found by the next.
        for _ in 0..dice.between(1, 3) {
            let daemon = stage.setup.start();
            tokio::time::sleep(Duration::from_millis(dice.between(20, 500))).await;
            daemon.kill();
            deaths += 1;
        }
        machine.cut_power(&stage.database());
        machine.heal_disk();
        shoppers.still_content().await;
    }
    stage.glance().await;
    let survivor = stage.setup.start();
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!(
        "{CUTS} power cuts among {deaths} deaths, {} failed calls, {payments} payments, {succeeded} \
         of them succeeded, {} answers checked",
        machine.failures(),
        stage.history.answers()
    );
    assert!(machine.failures() > 0);
    assert_eq!(survivor.terminate(GRACE), Some(0));
}

/// Waits until the daemon says that it can, or cannot, accept payments.
async fn ready_is(stage: &Stage, wanted: u16) {
    let deadline = tokio::time::Instant::now() + super::stage::PATIENCE;
    loop {
        let answer = reqwest::get(format!("{}/health/ready", stage.setup.api)).await;
        if answer.is_ok_and(|answer| answer.status().as_u16() == wanted) {
            return;
        }
        let in_time = tokio::time::Instant::now() < deadline;
        assert!(in_time, "ready is never {wanted}: {}", stage.setup.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Hurts the disk of a daemon at work with each of `ailments`, which it says and outlives; the last
/// of them is met by a start as well.
async fn outlive(machine: &Machine, stage: &Stage, ailments: &[&dyn Fn()]) {
    let mut shoppers = stage.shoppers(SHOPPERS, 60, store_is_away);
    let mut daemon = stage.setup.start();
    for hurt in ailments {
        ready_is(stage, 200).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        hurt();
        ready_is(stage, 503).await;
        stage.glance().await;
        machine.heal_disk();
        ready_is(stage, 200).await;
        shoppers.still_content().await;
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
    }
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!(
        "{} failed calls, {payments} payments, {succeeded} of them succeeded",
        machine.failures()
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_is_said_and_outlived_without_a_restart() {
    let machine = Machine::new();
    let stage = stage_on(&machine);
    outlive(
        &machine,
        &stage,
        &[
            &|| machine.leave_space(0),
            &|| machine.leave_space(20_000),
            &|| machine.fail_syncs(EIO, 1_000),
            &|| machine.fail_writes(ENOSPC, 1_000),
            &|| machine.fail_writes(EIO, 1_000),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_and_writes_that_fail_now_and_then_and_kills_between_lose_nothing() {
    const LIVES: u32 = 12;
    let machine = Machine::new();
    let stage = stage_on(&machine);
    let mut shoppers = stage.shoppers(SHOPPERS, 60, store_is_away);
    let dice = Dice::new(stage.seed, 1_000);
    for _ in 0..LIVES {
        machine.heal_disk();
        let mut daemon = stage.setup.start();
        stage.setup.ready().await;
        for _ in 0..dice.between(1, 4) {
            machine.fail_syncs(EIO, *dice.pick(&[0, 50, 300]));
            machine.fail_writes(*dice.pick(&[EIO, ENOSPC]), *dice.pick(&[0, 5, 30]));
            tokio::time::sleep(Duration::from_millis(dice.between(50, 400))).await;
        }
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        daemon.kill();
        shoppers.still_content().await;
        stage.glance().await;
    }
    machine.heal_disk();
    let survivor = stage.setup.start();
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!(
        "{LIVES} lives, {} failed calls, {payments} payments, {succeeded} of them succeeded",
        machine.failures()
    );
    assert!(machine.failures() > 0);
    assert_eq!(survivor.terminate(GRACE), Some(0));
}
