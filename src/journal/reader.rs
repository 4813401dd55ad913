//! Follows the validated ledger and hands the engine one agreed page after the other.
//!
//! Level-triggered: whatever woke it, it reads from its own position to the newest validated ledger
//! that the quorum agrees on. A page that cannot be had is asked for again, with a growing pause;
//! nothing is ever stepped over.

use super::{Pause, page_of};
use crate::xrpl::{HistoryError, Pool};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::journal::Page;

/// Ledgers in one page at most, so that catching up makes durable progress as it goes.
const LEDGERS_PER_PAGE_MAX: u32 = 256;
/// Looks again after this long where no wake came: what a lost hint costs at most.
const POLL: Duration = Duration::from_secs(1);

/// Reads pages that follow the ledger `at`, whose hash the journal knows, into `pages` until cancelled or the receiver is gone.
pub async fn follow(
    pool: Pool,
    account: AccountId,
    (mut at, at_hash): (LedgerIndex, LedgerHash),
    pages: mpsc::Sender<Page>,
    cancel: CancellationToken,
) {
    let work = async {
        let mut tip = pool.tip();
        let mut pause = Pause::new();
        same_chain(&pool, account, at, at_hash).await;
        loop {
            let newest = tip.borrow_and_update().as_ref().map(|tip| tip.index);
            let Some(newest) = newest.filter(|newest| *newest > at) else {
                // A closed channel or a passed time-out alike: look at the level again.
                let _ = tokio::time::timeout(POLL, tip.changed()).await;
                continue;
            };
            let to = newest.min(at.plus(LEDGERS_PER_PAGE_MAX));
            match pool.history(account, at.plus(1), to).await {
                Ok(history) => {
                    at = history.to;
                    pause = Pause::new();
                    if pages.send(page_of(account, history)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    report(account, at, &error);
                    pause.wait().await;
                }
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

/// Waits until the servers hold the journal's last ledger with the hash that the journal knows: a
/// chain that was reset, or another one under the same id, must not continue it.
async fn same_chain(pool: &Pool, account: AccountId, at: LedgerIndex, at_hash: LedgerHash) {
    let mut pause = Pause::new();
    loop {
        match pool.history(account, at, at).await {
            Ok(history) if history.to_hash == at_hash => return,
            Ok(history) => tracing::error!(
                wallet.account = %account,
                ledger.index = at.0,
                known.hash = %at_hash,
                servers.hash = %history.to_hash,
                "the servers are on another chain than the journal: nothing is read"
            ),
            Err(error) => report(account, at, &error),
        }
        pause.wait().await;
    }
}

fn report(account: AccountId, at: LedgerIndex, error: &HistoryError) {
    match error {
        HistoryError::Disagreement { .. } => {
            tracing::error!(wallet.account = %account, ledger.index = at.0, %error, "servers disagree: the journal waits");
        }
        HistoryError::Gap { .. } => {
            tracing::warn!(wallet.account = %account, ledger.index = at.0, %error, "a gap in the servers' history: the journal waits");
        }
        HistoryError::NotEnoughServers { .. } | HistoryError::Request(_) => {
            tracing::debug!(wallet.account = %account, ledger.index = at.0, %error, "the journal waits for its next page");
        }
    }
}
