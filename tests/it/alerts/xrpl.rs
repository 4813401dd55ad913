//! Drills of the servers of the ledger: gone, behind, slow, failing, at odds.

use super::bed::{Bed, Plan};
use super::table::Course;
use crate::drills::scene::is_final;
use crate::support::daemon::WALLET;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn servers_that_are_gone_behind_slow_failing_or_at_odds_are_told_of() {
    let plan = Plan {
        settings: &[
            (
                "xrpl",
                "reconnect_max = \"200ms\"\nrequest_timeout = \"900ms\"\nsilence_timeout = \"3s\"\n",
            ),
            ("telemetry", "latency_threshold = \"300ms\"\n"),
        ],
        rules: &[
            ("XrplServerDown", &[("for: 10m", "for: 1s")]),
            ("XrplNoReserve", &[("for: 5m", "for: 1s")]),
            ("XrplUnreachable", &[("for: 1m", "for: 1s")]),
            ("XrplServerLagging", &[("for: 5m", "for: 1s")]),
            ("XrplSlow", &[("[5m]", "[5s]"), ("for: 10m", "for: 1s")]),
            (
                "XrplRequestsFailing",
                &[("[5m]", "[5s]"), ("for: 10m", "for: 1s")],
            ),
            (
                "XrplServersDisagree",
                &[("[15m]", "[5s]"), ("offset 15m", "offset 5s")],
            ),
        ],
        ..Plan::default()
    };
    let Some(bed) = Bed::new(&plan).await else {
        return;
    };
    let ledger = &bed.scene.ledger;
    let course = Course::of(&servers_that_are_gone_behind_slow_failing_or_at_odds_are_told_of);
    let drill = bed.drill(&course);
    let (one, all) = (&[0][..], &[0, 1, 2][..]);
    let refuse = json!({ "kind": "refuse" });
    let behind = json!({ "kind": "lag", "ledgers": 15 });
    let late = json!({ "kind": "latency", "ms": 600 });
    let lossy = json!({ "kind": "drop_requests", "per_mille": 400 });
    for (alerts, ill, fault) in [
        (&["XrplServerDown", "XrplNoReserve"][..], one, &refuse),
        (&["XrplUnreachable"], all, &refuse),
        (&["XrplServerLagging"], one, &behind),
        (&["XrplSlow"], all, &late),
        (&["XrplRequestsFailing"], all, &lossy),
    ] {
        let replaced = async { bed.replace_servers(ill) };
        drill.by_hand(alerts, bed.fault(ill, fault), replaced).await;
        ledger.clear().await;
    }
    let one_lies = async {
        let lie = json!({ "kind": "lie_result", "account": WALLET.0, "result": "tecPATH_DRY" });
        bed.fault(one, &lie).await;
        // Two of three are asked of each page: sooner or later the liar is one of them.
        for tag in 1.. {
            let id = bed.scene.pay_one(tag, "1").await;
            bed.scene.merchant.payment(&id, is_final).await;
            if bed.scene.metric("xrpl_server_disagreements_total").await > 0.0 {
                break;
            }
        }
    };
    let contradict = ["XrplServersDisagree"];
    drill
        .of_the_past(&contradict, one_lies, ledger.clear())
        .await;
    bed.scene.settle().await;
}
