//! Reads the ledgers before the journal's beginning, for payments that this database does not know: it
//! is new, and the account is not.
//!
//! Owns nothing; what it reads is handed on page by page, oldest first, and made durable by the engine.
//! Ledgers that no quorum holds any more are passed over and named: nobody can wait for them.

use super::span::Span;
use super::{ENTRIES_MAX, Pause};
use crate::xrpl::{HistoryError, Pool};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::Entry;

/// A stretch that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// What the account sent in it.
    pub entries: Vec<Entry>,
    /// The servers that agreed on it.
    pub servers: Vec<String>,
    /// The next ledger to read; `None` when all have been.
    pub next: Option<LedgerIndex>,
}

/// Reads `from ..= to` into `pages` until cancelled or the receiver is gone.
pub async fn read(
    pool: Pool,
    account: AccountId,
    (mut from, to): (LedgerIndex, LedgerIndex),
    pages: mpsc::Sender<Recalled>,
    cancel: CancellationToken,
) {
    let work = async {
        let mut pause = Pause::new();
        let mut span = Span::whole(from, to);
        loop {
            let end = span.to(from, to);
            let page = match pool.history_of(account, (from, end), ENTRIES_MAX).await {
                Ok(history) => {
                    pause = Pause::new();
                    span.answered();
                    from = history.to.plus(1);
                    let sent = history.entries.into_iter().map(Entry::from);
                    Recalled {
                        entries: sent.filter(|entry| entry.sender == account).collect(),
                        servers: history.servers,
                        next: (from <= to).then_some(from),
                    }
                }
                Err(error) => {
                    span.failed();
                    pause.wait().await;
                    let Some(held) = lost(&pool, &error, from) else {
                        continue;
                    };
                    tracing::warn!(
                        wallet.account = %account,
                        from.ledger = from.0,
                        held.ledger = held.0,
                        "the servers do not hold these ledgers any more: what the account paid in them is not known"
                    );
                    from = held;
                    Recalled {
                        entries: Vec::new(),
                        servers: Vec::new(),
                        next: (from <= to).then_some(from),
                    }
                }
            };
            let is_last = page.next.is_none();
            if pages.send(page).await.is_err() || is_last {
                return;
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

/// The first ledger after `from` that a quorum holds, where `from` is lost.
fn lost(pool: &Pool, error: &HistoryError, from: LedgerIndex) -> Option<LedgerIndex> {
    if !matches!(error, HistoryError::Gap { .. }) {
        return None;
    }
    pool.lowest_held().filter(|held| *held > from)
}
