//! Drills of payments that do not come to their end, come to it late, or come to a bad one.

use super::bed::{Bed, Plan};
use super::table::Course;
use super::watch::Shortened;
use crate::drills::scene::{PATIENCE, Scene, submissions_are_lost};
use crate::support::merchant::Merchant;
use serde_json::{Value, json};

/// Attempts that live for five ledgers, of a wallet that pays 100 drops at most.
const SHORT_LIVED: &[(&str, &str)] = &[
    (
        "xrpl",
        "reconnect_max = \"200ms\"\nrequest_timeout = \"500ms\"\n",
    ),
    (
        "wallets.hot",
        "ledger_window = 5\nmax_fee_drops = \"100\"\n",
    ),
    ("limits", "max_pending = 10\n"),
    ("telemetry", "pending_threshold = \"2s\"\n"),
];
/// The rules of what is drilled with them. Of the objective only the windows and what is slow are others.
const WAITING: &[Shortened<'_>] = &[
    ("PaymentStuck", &[("for: 1m", "for: 1s")]),
    ("LimitNearlyUsed", &[("for: 5m", "for: 1s")]),
    ("AttemptUnresolved", &[("for: 2m", "for: 1s")]),
    ("JournalLagging", &[("> 30", "> 8"), ("for: 5m", "for: 1s")]),
    ("JournalGap", &[("for: 5m", "for: 1s")]),
    ("PaymentsWaitForFees", &[("for: 10m", "for: 1s")]),
    ("ServicePaused", &[("for: 15m", "for: 1s")]),
    (
        "SpeedBudgetBurnFast",
        &[("* 6 * 3600", "* 4"), ("[1h]", "[4s]")],
    ),
    ("SpeedBudgetBurnSlow", &[("[6h]", "[4s]")]),
];
/// The windows of the objectives, of which the slow burn's outlast the fast one's: while a page is open,
/// the chat is not told the same.
const WINDOWS: &[(&str, &str)] = &[
    ("25(\\\\.0)?", "2(\\\\.0)?"),
    ("[5m]", "[3s]"),
    ("[30m]", "[4s]"),
    ("[1h]", "[4s]"),
    ("[6h]", "[4s]"),
    ("[2h]", "[10s]"),
    ("[1d]", "[10s]"),
    ("[3d]", "[10s]"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn payments_that_wait_are_told_of_whatever_they_wait_for() {
    let plan = Plan {
        settings: SHORT_LIVED,
        rules: WAITING,
        files: &[("slo.rules.yml", WINDOWS)],
        ..Plan::default()
    };
    let Some(bed) = Bed::new(&plan).await else {
        return;
    };
    let (scene, ledger) = (&bed.scene, &bed.scene.ledger);
    let course = Course::of(&payments_that_wait_are_told_of_whatever_they_wait_for);
    let drill = bed.drill(&course);
    let unheard = async |first: u32| {
        ledger.fault_all(&submissions_are_lost()).await;
        scene.pay(first, 9).await;
    };
    drill
        .by_others(&["PaymentStuck"], unheard(1), ledger.clear())
        .await;
    scene.merchant.all_final(PATIENCE).await;
    let more = async { bed.edit("max_pending = 10\n", "max_pending = 100\n") };
    drill.by_hand(&["LimitNearlyUsed"], unheard(41), more).await;
    ledger.clear().await;
    scene.merchant.all_final(PATIENCE).await;

    let without_history = async {
        let from = ledger.validated().await + 1;
        let hole = json!({ "kind": "history_gap", "from": from, "to": from + 20 });
        bed.fault(&[0, 1], &hole).await;
        scene.pay(11, 2).await;
    };
    let unknown = ["AttemptUnresolved", "JournalLagging", "JournalGap"];
    let with_history = async { bed.replace_servers(&[0, 1]) };
    drill.by_hand(&unknown, without_history, with_history).await;
    ledger.clear().await;
    scene.merchant.all_final(PATIENCE).await;

    let dear = async {
        let spike = json!({ "kind": "fee_spike", "load_factor": 30 });
        ledger.fault_all(&spike).await;
        scene.pay(21, 2).await;
    };
    drill
        .by_others(&["PaymentsWaitForFees"], dear, ledger.clear())
        .await;
    scene.merchant.all_final(PATIENCE).await;

    let slow = async {
        ledger.fault_all(&submissions_are_lost()).await;
        scene.pay(31, 9).await;
        let old = |age: f64| age > 2.5;
        scene
            .until_metric("payment_oldest_pending_seconds", old)
            .await;
        ledger.clear().await;
        scene.merchant.all_final(PATIENCE).await;
    };
    let burns = ["SpeedBudgetBurnFast", "SpeedBudgetBurnSlow"];
    drill.of_the_past(&burns, slow, async {}).await;

    let paused = async {
        let admin = scene.setup.create_key("lead", &["admin"]);
        let admin = Merchant::new(&scene.setup.api, &admin);
        let body = json!({ "scope": "payments", "reason": "a drill" });
        let (status, answer) = admin.say("/v1/pause", &body).await;
        assert_eq!(status, 200, "{answer:#}");
    };
    drill.by_page(&["ServicePaused"], paused).await;
    scene.settle().await;
}

/// So many payments that succeed, and so many that end on the ledger without a delivery.
async fn pay(scene: &Scene, first: u32, good: u32, bad: u32) {
    for tag in first..first + bad {
        let dry = json!({ "command": "sandbox_fault", "kind": "force_result",
            "destination_tag": tag, "result": "tecPATH_DRY" });
        scene.ledger.ask(dry).await;
    }
    let ids = scene.pay(first, good + bad).await;
    for id in ids {
        let is_final = |payment: &Value| crate::drills::scene::is_final(payment);
        scene.merchant.payment(&id, is_final).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn payments_that_fail_are_told_of_in_the_chat_and_many_that_fail_by_the_pager() {
    let plan = Plan {
        rules: &[
            ("PaymentsFailing", &[("[30m]", "[6s]")]),
            ("PaymentsFailingBadly", &[("[30m]", "[6s]")]),
        ],
        ..Plan::default()
    };
    let Some(bed) = Bed::new(&plan).await else {
        return;
    };
    let course =
        Course::of(&payments_that_fail_are_told_of_in_the_chat_and_many_that_fail_by_the_pager);
    let drill = bed.drill(&course);
    let some_fail = pay(&bed.scene, 1, 10, 1);
    drill
        .of_the_past(&["PaymentsFailing"], some_fail, async {})
        .await;
    let most_fail = pay(&bed.scene, 21, 2, 10);
    drill
        .of_the_past(&["PaymentsFailingBadly"], most_fail, async {})
        .await;
    bed.scene.settle().await;
}
