//! What `ledger` adds on request: what waits in the queue, and what senders of offers have of what they
//! give.
//!
//! Owns nothing.

use super::ledger_methods::{Shown, open_transaction};
use super::select::Selected;
use super::{book_changes, books};
use crate::ledger::amount::Amount;
use crate::ledger::queue;
use crate::ledger::rules::Mode;
use crate::network::Net;
use serde_json::{Value, json};
use std::collections::HashMap;
use xrpayd_core::address::AccountId;

/// The queue of a server, best paid first.
pub(super) fn queue_data(net: &Net, server: usize, version: u32, shown: Shown) -> Vec<Value> {
    let queue = &net.servers[server].queue;
    let rows = queue.in_order().map(|queued| {
        let tx = &queued.tx;
        let spend = queue::spend(tx).saturating_add(tx.fee_drops());
        let mut row = json!({
            "account": tx.account,
            "auth_change": queued.is_blocker(),
            "fee": tx.fee_drops().to_string(),
            "fee_level": queued.level.to_string(),
            "max_spend_drops": spend.to_string(),
            "preflight_result": "tesSUCCESS",
            "retries_remaining": queued.tries_left(),
        });
        if let Some(last) = tx.last_ledger {
            row["LastLedgerSequence"] = json!(last);
        }
        match open_transaction(tx, version, shown) {
            Value::Object(fields) if version > 1 => {
                for (name, value) in fields {
                    row[name.as_str()] = value;
                }
            }
            _ if version > 1 => {}
            printed => row["tx"] = printed,
        }
        row
    });
    rows.collect()
}

/// Adds to every printed offer what its sender has of what it gives.
pub(super) fn owner_funds(net: &Net, server: usize, selected: &Selected, body: &mut Value) {
    let view = &net.servers[server];
    let made = |hash: String, blob: &[u8]| book_changes::made_offer(blob).map(|made| (hash, made));
    let offers: HashMap<String, (AccountId, Amount)> = match selected {
        Selected::Open { .. } => {
            let txs = view.open.txs.iter();
            txs.filter_map(|tx| made(tx.hash.to_string(), &tx.blob))
                .collect()
        }
        Selected::Closed(ledger) | Selected::Awaiting(ledger) => {
            let txs = ledger.txs.iter();
            txs.filter_map(|tx| made(tx.hash.to_string(), &tx.blob))
                .collect()
        }
    };
    let mode = match selected {
        Selected::Open { .. } => Mode::Open,
        Selected::Closed(_) | Selected::Awaiting(_) => Mode::CloseFinal,
    };
    let setting = view.open.setting(mode);
    let printed = body.get_mut("transactions").and_then(Value::as_array_mut);
    for tx in printed.into_iter().flatten() {
        let offer = tx["hash"].as_str().and_then(|hash| offers.get(hash));
        let Some((owner, gives)) = offer else {
            continue;
        };
        let funds = selected.with_state(net, server, |state| {
            books::owner_funds(state, &setting, *owner, gives)
        });
        // A ledger whose state is no longer kept has nothing to tell of what its accounts had.
        if let Ok(Some(funds)) = funds {
            tx["owner_funds"] = json!(funds);
        }
    }
}
