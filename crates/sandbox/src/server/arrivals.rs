//! Every blob that was submitted to a server of the model, in the order of its arrival: what an auditor
//! holds against what the clients say that they have signed.
//!
//! Owns the record. It begins with the first question for it and is bounded: what no longer fits is
//! counted, so that an auditor sees that it does not see everything. What a fault drops before the
//! server reads it has not arrived.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use crate::clock;
use serde_json::{Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// Arrivals that are kept: hours of a drill.
const ARRIVALS_MAX: usize = 500_000;
/// Arrivals in one answer.
const PAGE: usize = 10_000;

/// The record, once it was asked for.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    kept: Option<Vec<Arrival>>,
    unkept: u64,
}

#[derive(Debug)]
struct Arrival {
    at_us: u64,
    server: usize,
    account: AccountId,
    hash: TxHash,
}

impl Arrivals {
    /// Notes that a server was sent a transaction.
    pub(super) fn note(&mut self, server: usize, account: AccountId, hash: TxHash) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        if kept.len() == ARRIVALS_MAX {
            self.unkept = self.unkept.saturating_add(1);
            return;
        }
        kept.push(Arrival {
            at_us: clock::unix_us(),
            server,
            account,
            hash,
        });
    }

    /// A page of the record from its `after`th entry on; the first question begins it.
    fn page(&mut self, after: usize) -> Value {
        let kept = self.kept.get_or_insert_default();
        let rest = kept.get(after..).unwrap_or_default();
        let page: Vec<Value> = rest.iter().take(PAGE).map(Arrival::render).collect();
        json!({ "arrivals": page, "kept": kept.len(), "unkept": self.unkept })
    }
}

impl Arrival {
    fn render(&self) -> Value {
        json!({
            "at_us": self.at_us,
            "server": self.server,
            "account": self.account,
            "hash": self.hash,
        })
    }
}

/// `sandbox_submissions {after}`: what was submitted to whom and when, from the `after`th on.
pub(super) fn submissions(call: &Call<'_>) -> Answer {
    let after = match call.params.get("after") {
        None => 0,
        Some(after) => after
            .as_u64()
            .and_then(|after| usize::try_from(after).ok())
            .ok_or_else(|| RpcError::invalid_field("after"))?,
    };
    Ok(call.shared.arrivals().page(after))
}
