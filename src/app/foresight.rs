//! What is to be expected of a payment, out of the pool and the preflight, for whoever only asks.

use super::live::LaneHandle;
use crate::http::state::{FeeOutlook, Outlook, SimulationRow};
use crate::payments::preflight::{Preflight, Unread};
use crate::xrpl::{HistoryError, Pool};
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::fee::{FeeChoice, FeeQuote, choose};
use xrpayd_core::payment::Order;
use xrpayd_core::preflight::Facts;

/// So long a fee or a simulation is waited for: they are hints.
const HINT_TIME_MAX: Duration = Duration::from_secs(2);

/// What the newest ledger says of an account that `lane` is to pay, or why it says nothing.
pub(super) async fn destination(
    preflight: &Preflight,
    lane: &LaneHandle,
    destination: AccountId,
) -> Result<Facts, &'static str> {
    let read = preflight.read(lane.account, destination).await;
    read.map_err(|unread| {
        tracing::debug!(%unread, "nothing is known of an account that is to be paid");
        in_words(&unread)
    })
}

/// What an order would cost, and what a server thinks of it.
pub(super) async fn outlook(pool: &Pool, lane: &LaneHandle, order: &Order) -> Outlook {
    let draft = lane.wallet.draft(order);
    let fee = tokio::time::timeout(HINT_TIME_MAX, pool.fee());
    let tried = tokio::time::timeout(HINT_TIME_MAX, pool.simulate(&draft));
    let (fee, tried) = tokio::join!(fee, tried);
    let cap = order
        .max_fee
        .map_or(lane.max_fee, |own| own.min(lane.max_fee));
    let fee = match fee {
        Ok(Ok(quote)) => {
            let quote = FeeQuote {
                base: quote.base,
                open_ledger: quote.open_ledger,
            };
            match choose(quote, cap) {
                FeeChoice::Pay(fee) => FeeOutlook::Pays(fee),
                FeeChoice::Wait { needed } => FeeOutlook::Waits { needed },
            }
        }
        Ok(Err(_)) | Err(_) => FeeOutlook::Unknown,
    };
    let simulation = match tried {
        Ok(Ok(simulation)) => Some(SimulationRow {
            server: simulation.server,
            result: simulation.result,
            ledger_index: simulation.ledger_index,
        }),
        Ok(Err(_)) | Err(_) => None,
    };
    Outlook { fee, simulation }
}

/// Why nothing is known, without a word that a server chose.
const fn in_words(unread: &Unread) -> &'static str {
    match unread {
        Unread::NoLedger => "the servers have not agreed on a ledger yet",
        Unread::Stale { .. } => "the servers have closed no ledger for some time",
        Unread::OtherChain => "the servers follow different chains",
        Unread::TimedOut => "the servers did not answer in time",
        Unread::Servers(HistoryError::NotEnoughServers { .. }) => {
            "too few servers can be asked to agree"
        }
        Unread::Servers(HistoryError::Gap { .. }) => "too few servers hold the newest ledger",
        Unread::Servers(HistoryError::Disagreement { .. }) => "the servers contradict each other",
        Unread::Servers(HistoryError::Request(_)) => "the servers did not answer",
    }
}
