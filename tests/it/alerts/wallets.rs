//! Drills of wallets: too little in them, somebody else with their key, books that nobody compares, and
//! the stage that they pay under.

use super::bed::{Bed, Plan};
use super::drill::Drill;
use super::table::Course;
use crate::drills::scene::{PATIENCE, sequences};
use crate::drills::wallet::{pay_past_the_daemon, signed_past_the_daemon};
use crate::support::daemon::WALLET;
use serde_json::json;

/// Money for the wallet, from outside.
async fn refill(bed: &Bed) {
    let fund = json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": "90000000" });
    bed.scene.ledger.ask(fund).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn wallets_that_are_empty_halted_or_unchecked_are_told_of() {
    let plan = Plan {
        xrp: "100",
        settings: &[
            (
                "xrpl",
                "reconnect_max = \"200ms\"\nrequest_timeout = \"500ms\"\n",
            ),
            ("reconcile", "interval = \"1s\"\n"),
        ],
        rules: &[
            ("ReconcileStale", &[("for: 5m", "for: 2s")]),
            ("RolloutDemoted", &[("for: 30s", "for: 1s")]),
        ],
        ..Plan::default()
    };
    let Some(bed) = Bed::new(&plan).await else {
        return;
    };
    let (scene, ledger) = (&bed.scene, &bed.scene.ledger);
    let course = Course::of(&wallets_that_are_empty_halted_or_unchecked_are_told_of);
    let drill = bed.drill(&course);
    let low = scene.pay_one(1, "60");
    drill
        .by_others(&["WalletBalanceLow"], low, refill(&bed))
        .await;
    let told_of_low = bed.watch.alertmanager.notices_of("WalletBalanceLow");
    let critical = scene.pay_one(2, "115");
    drill
        .by_others(&["WalletBalanceCritical"], critical, refill(&bed))
        .await;
    // One page, and not a word beside it of what it says already.
    let told = bed.watch.alertmanager.notices_of("WalletBalanceLow");
    assert_eq!(told, told_of_low);

    let paid = scene.settle().await;
    let next = paid.values().flat_map(sequences).max().unwrap() + 1;
    let stranger = async {
        pay_past_the_daemon(scene, next).await;
    };
    // A colleague has answered for it, in writing.
    let hash = signed_past_the_daemon(next).hash.to_string();
    let hands = bed.hands.clone().given("ACCEPT", &hash);
    let told = Drill {
        watch: &bed.watch,
        hands: &hands,
        course: &course,
    };
    let taken = ["WalletHalted", "BooksDiffer"];
    told.by_page(&taken, stranger).await;

    let no_history = json!({ "kind": "drop_requests", "per_mille": 1000, "only": "account_tx" });
    let all = [0, 1, 2];
    let nobody_tells = bed.fault(&all, &no_history);
    let others_do = async { bed.replace_servers(&all) };
    drill
        .by_hand(&["ReconcileStale"], nobody_tells, others_do)
        .await;
    ledger.clear().await;

    let demoted = async {
        let demote = ["rollout", "demote", "--reason", "a drill"];
        bed.scene.setup.command(&demote);
    };
    drill.by_page(&["RolloutDemoted"], demoted).await;
    scene.merchant.all_final(PATIENCE).await;
}
