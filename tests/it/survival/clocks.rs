//! A wall clock that jumps while a daemon works and while it is down: no proof waits for a clock, and
//! no limit is opened by one that goes back and forth.

use super::dice::{Dice, seed};
use super::machine::Machine;
use super::shoppers::only_draining;
use super::stage::{GRACE, SHOP, Stage};
use crate::store::fresh_postgres;
use crate::support::daemon::Setup;
use serde_json::json;
use std::time::Duration;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const TEN_A_DAY: &str = "[limits]\ndaily_limit_xrp = \"10\"\nmax_payment_xrp = \"10\"\n";

/// What a daemon answers to a payment.
async fn ask(daemon: &Setup, key: &str, number: u32, xrp: &str) -> u16 {
    let body = json!({
        "destination": SHOP,
        "destination_tag": number,
        "amount": { "currency": "XRP", "value": xrp },
    });
    let request = reqwest::Client::new()
        .post(format!("{}/v1/payments", daemon.api))
        .bearer_auth(key)
        .header("idempotency-key", number.to_string())
        .json(&body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_hours_and_days_ends_no_payment_wrongly() {
    const JUMPS: u32 = 30;
    let machine = Machine::new();
    let stage = Stage::with(seed(), None, |setup| {
        setup.surrounded(machine.surroundings())
    });
    let mut shoppers = stage.shoppers(4, 60, only_draining);
    let dice = Dice::new(stage.seed, 1_000);
    let mut daemon = stage.setup.start();
    for _ in 0..JUMPS {
        let jump = [0, HOUR_MS, -HOUR_MS, 2 * DAY_MS, -2 * DAY_MS];
        machine.set_clock(*dice.pick(&jump));
        tokio::time::sleep(Duration::from_millis(dice.between(50, 400))).await;
        assert!(!daemon.has_ended(), "{}", stage.setup.log());
        if dice.happens(30) {
            daemon.kill();
            machine.set_clock(*dice.pick(&jump));
            daemon = stage.setup.start();
            stage.setup.ready().await;
        }
        shoppers.still_content().await;
        stage.glance().await;
    }
    // The earliest of these clocks has every payment in its day.
    machine.set_clock(-2 * DAY_MS);
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!("{JUMPS} jumps, {payments} payments, {succeeded} of them succeeded");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_full_stays_full_when_the_clock_goes_back_and_forth() {
    let machine = Machine::new();
    let stage = Stage::with(seed(), None, |setup| {
        setup.with(TEN_A_DAY).surrounded(machine.surroundings())
    });
    let ask = async |key: u32, xrp: &str| ask(&stage.setup, stage.key(), key, xrp).await;
    let mut daemon = stage.setup.start();
    stage.setup.ready().await;
    assert_eq!(ask(1, "10").await, 201);
    assert_eq!(ask(2, "1").await, 422);
    for (number, restart) in [(10, false), (20, true)] {
        for (nth, jump) in [23 * HOUR_MS, 0, -HOUR_MS, 0, HOUR_MS, 0]
            .iter()
            .enumerate()
        {
            machine.set_clock(*jump);
            if restart {
                daemon.kill();
                daemon = stage.setup.start();
                stage.setup.ready().await;
            }
            let key = number + u32::try_from(nth).unwrap();
            assert_eq!(ask(key, "1").await, 422, "{jump} ms off");
        }
    }
    // Two days ahead are another day to this clock; set right, it refuses by the limit and by
    // nothing else, and counts what was accepted meanwhile.
    machine.set_clock(2 * DAY_MS);
    assert_eq!(ask(30, "10").await, 201);
    machine.set_clock(0);
    assert_eq!(ask(31, "1").await, 422);
    let limits = stage.merchant().get("/v1/limits").await;
    assert_eq!(limits["used"]["daily"]["value"], "20", "{limits:#}");
    machine.set_clock(2 * DAY_MS);
    assert_eq!(ask(32, "1").await, 422);
    // The day after both, everything is open again.
    machine.set_clock(3 * DAY_MS + HOUR_MS);
    assert_eq!(ask(33, "10").await, 201);
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_whose_clock_is_wrong_opens_no_limit_of_a_database_that_others_use_too() {
    let Some(url) = fresh_postgres().await else {
        return;
    };
    let machine = Machine::new();
    machine.set_clock(-25 * HOUR_MS);
    let stage = Stage::with(seed(), Some(&url), |setup| setup.with(TEN_A_DAY));
    let folder = tempfile::tempdir().unwrap();
    let wrong = Setup::new(folder.path(), &stage.ledger.urls, &url, "");
    let wrong = wrong.with(TEN_A_DAY).surrounded(machine.surroundings());
    let daemons = [stage.setup.start(), wrong.start()];
    stage.setup.ready().await;
    wrong.ready().await;
    assert_eq!(ask(&wrong, stage.key(), 1, "10").await, 201);
    // By its own clock that was yesterday.
    assert_eq!(ask(&stage.setup, stage.key(), 2, "1").await, 422);
    assert_eq!(ask(&wrong, stage.key(), 3, "1").await, 422);
    assert!(
        wrong.log().contains("the database's clock"),
        "{}",
        wrong.log()
    );
    // Nor does it matter when it is set while the daemon works.
    for (number, jump) in [(4, 25 * HOUR_MS), (5, -48 * HOUR_MS)] {
        machine.set_clock(jump);
        assert_eq!(
            ask(&wrong, stage.key(), number, "1").await,
            422,
            "{jump} ms off"
        );
    }
    for daemon in daemons {
        assert_eq!(daemon.terminate(GRACE), Some(0));
    }
}
