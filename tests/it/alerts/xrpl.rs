//! Drills of the servers of the ledger: gone, behind, slow, failing, at odds.

use super::bed::{Bed, Plan};
use crate::drills::scene::is_final;
use crate::support::daemon::WALLET;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_gone_behind_slow_failing_or_at_odds_are_told_of() {
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
    let drill = bed.drill();
    let refuse = json!({ "kind": "refuse" });
    let gone = ["XrplServerDown", "XrplNoReserve"];
    let one_is_gone = ledger.fault(0, &refuse);
    drill.of_all(&gone, one_is_gone, ledger.clear()).await;
    let all_are_gone = ledger.fault_all(&refuse);
    drill
        .of("XrplUnreachable", all_are_gone, ledger.clear())
        .await;
    let behind = json!({ "kind": "lag", "ledgers": 15 });
    let one_is_behind = ledger.fault(0, &behind);
    drill
        .of("XrplServerLagging", one_is_behind, ledger.clear())
        .await;
    let late = json!({ "kind": "latency", "ms": 600 });
    let all_are_late = ledger.fault_all(&late);
    drill.of("XrplSlow", all_are_late, ledger.clear()).await;
    let lossy = json!({ "kind": "drop_requests", "per_mille": 400 });
    let all_lose_requests = ledger.fault_all(&lossy);
    drill
        .of("XrplRequestsFailing", all_lose_requests, ledger.clear())
        .await;
    let one_lies = async {
        let lie = json!({ "kind": "lie_result", "account": WALLET.0, "result": "tecPATH_DRY" });
        ledger.fault(0, &lie).await;
        // Two of three are asked of each page: sooner or later the liar is one of them.
        for tag in 1.. {
            let id = bed.scene.pay_one(tag, "1").await;
            bed.scene.merchant.payment(&id, is_final).await;
            if bed.scene.metric("xrpl_server_disagreements_total").await > 0.0 {
                break;
            }
        }
    };
    drill
        .of("XrplServersDisagree", one_lies, ledger.clear())
        .await;
    bed.scene.settle().await;
}
