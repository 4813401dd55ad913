//! Follows the validated ledger and hands the engine one agreed page after the other.
//!
//! Level-triggered: whatever woke it, it reads from its own position to the newest validated ledger
//! that the quorum agrees on. A page that cannot be had is asked for again, with a growing pause;
//! nothing is ever stepped over.

use super::span::Span;
use super::waits::{Wait, Waits};
use super::{ENTRIES_MAX, Pause, page_of};
use crate::xrpl::Pool;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::journal::Page;

/// Ledgers in the first page that catches up; those after it are longer where little is found in them,
/// so that a long absence over quiet ledgers costs few requests.
const LEDGERS_FIRST: u32 = 256;
/// Ledgers in one page at most, so that catching up makes durable progress as it goes.
const LEDGERS_MAX: u32 = 65_536;
/// Looks again after this long where no wake came: what a lost hint costs at most.
const POLL: Duration = Duration::from_secs(1);

/// Reads pages that follow the ledger `at`, whose hash the journal knows, into `pages` until cancelled or
/// the receiver is gone.
pub async fn follow(
    pool: Pool,
    account: AccountId,
    (mut at, at_hash): (LedgerIndex, LedgerHash),
    pages: mpsc::Sender<Page>,
    mut waits: Waits,
    cancel: CancellationToken,
) {
    let work = async {
        let mut tip = pool.tip();
        let mut pause = Pause::new();
        let mut span = Span::new(LEDGERS_FIRST, LEDGERS_MAX);
        same_chain(&pool, account, (at, at_hash), &mut waits).await;
        loop {
            let newest = tip.borrow_and_update().as_ref().map(|tip| tip.index);
            let Some(newest) = newest.filter(|newest| *newest > at) else {
                // A closed channel or a passed time-out alike: look at the level again.
                let _ = tokio::time::timeout(POLL, tip.changed()).await;
                continue;
            };
            let to = span.to(at.plus(1), newest);
            match pool
                .history_of(account, (at.plus(1), to), ENTRIES_MAX)
                .await
            {
                Ok(history) => {
                    waits.over();
                    span.answered();
                    at = history.to;
                    pause = Pause::new();
                    if pages.send(page_of(account, history)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    waits.failed(&pool, at.plus(1), &error);
                    span.failed();
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
async fn same_chain(
    pool: &Pool,
    account: AccountId,
    (at, at_hash): (LedgerIndex, LedgerHash),
    waits: &mut Waits,
) {
    let mut pause = Pause::new();
    loop {
        match pool.history(account, at, at).await {
            Ok(history) if history.to_hash == at_hash => {
                waits.over();
                return;
            }
            Ok(history) => waits.wait(Wait {
                from: at,
                missing: None,
                why: format!(
                    "the servers are on another chain than the journal: they tell the hash {} of ledger \
                     {at}, and the journal knows {at_hash}",
                    history.to_hash
                ),
            }),
            Err(error) => waits.failed(pool, at, &error),
        }
        pause.wait().await;
    }
}
