//! Follows what a transaction costs, beside the engine.
//!
//! Owns nothing but the newest quote, which stays as it was while nobody tells another.

use super::engine::POLL;
use crate::xrpl::{FeeQuote as FeeQuoted, Pool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use xrpayd_core::fee::FeeQuote;

/// Asks the servers for their fee with every ledger, beside the engine: a server that does not
/// answer holds up no page and no signature.
pub(super) async fn follow(
    pool: Pool,
    fees: watch::Sender<Option<FeeQuote>>,
    cancel: CancellationToken,
) {
    let work = async {
        let mut tip = pool.tip();
        loop {
            let known = tip.borrow_and_update().is_some();
            match pool.fee().await {
                Ok(FeeQuoted {
                    base,
                    open_ledger,
                    minimum,
                }) => {
                    let open_ledger = open_ledger.max(minimum);
                    fees.send_replace(Some(FeeQuote { base, open_ledger }));
                }
                Err(error) if known => tracing::debug!(%error, "the fee stays as it was"),
                Err(_) => {}
            }
            // Whether the tip moved or the time passed: ask again.
            let _ = tokio::time::timeout(POLL, tip.changed()).await;
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}
