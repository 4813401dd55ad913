//! Faults of the ledger's servers that come and go by a seed, within the bound that a quorum of two
//! stands: at most one of the three lies at a time.

use super::dice::Dice;
use crate::support::daemon::WALLET;
use crate::support::ledger::Ledger;
use serde_json::{Value, json};
use std::time::Duration;

/// What a server may tell wrongly.
fn a_lie(dice: &Dice) -> Value {
    let wallet = WALLET.0;
    dice.pick(&[
        json!({ "kind": "lie_absent", "account": wallet }),
        json!({ "kind": "lie_result", "account": wallet, "result": "tecPATH_DRY" }),
        json!({ "kind": "lie_result", "account": wallet, "result": "tesSUCCESS" }),
        json!({ "kind": "lie_delivered", "account": wallet, "amount": "1000000000" }),
        json!({ "kind": "lie_balance", "account": wallet, "sequence": 1 }),
        json!({ "kind": "lie_balance", "account": wallet, "balance": "1" }),
        json!({ "kind": "fork" }),
        json!({ "kind": "partition" }),
    ])
    .clone()
}

/// What an honest server may suffer.
fn an_affliction(dice: &Dice, validated: u64) -> Value {
    let per_mille = dice.between(100, 900);
    let ms = dice.between(20, 400);
    dice.pick(&[
        json!({ "kind": "drop_requests", "per_mille": per_mille }),
        json!({ "kind": "drop_responses", "per_mille": per_mille }),
        json!({ "kind": "drop_requests", "per_mille": 1000, "only": "submit" }),
        json!({ "kind": "drop_responses", "per_mille": 1000, "only": "submit" }),
        json!({ "kind": "latency", "ms": ms, "jitter_ms": ms }),
        json!({ "kind": "disconnect" }),
        json!({ "kind": "refuse" }),
        json!({ "kind": "stall_ledger" }),
        json!({ "kind": "lag", "ledgers": dice.between(1, 8) }),
        json!({ "kind": "jump" }),
        json!({ "kind": "freeze" }),
        json!({ "kind": "history_gap", "from": 2, "to": validated + dice.between(0, 4) }),
        json!({ "kind": "restart", "graceful": false }),
        json!({ "kind": "slow_down", "requests": 20 }),
        json!({ "kind": "fee_spike" }),
        json!({ "kind": "queue_full" }),
    ])
    .clone()
}

/// Hurts and heals until it is dropped.
pub async fn reign(ledger: &Ledger, dice: Dice) {
    loop {
        ledger.clear().await;
        let first = dice.index(3);
        if dice.happens(35) {
            ledger.fault(first, &a_lie(&dice)).await;
        }
        let afflicted = dice.between(0, 2);
        for nth in 0..afflicted {
            let server = (first + 1 + usize::try_from(nth).unwrap()) % 3;
            let affliction = an_affliction(&dice, ledger.validated().await);
            ledger.fault(server, &affliction).await;
        }
        if dice.happens(5) {
            ledger.fault(first, &json!({ "kind": "quorum_lost" })).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.between(200, 1_500))).await;
    }
}
