//! The journal room: reads what the ledger says about an account, page by page, each page agreed by
//! the quorum. It concludes nothing and writes nothing: the engine that owns the wallet folds a page
//! over what it signed and makes page and conclusions durable in one transaction.

pub mod anchor;
pub(crate) mod past;
pub mod reader;
pub mod recall;
pub(crate) mod span;
pub mod waits;

use crate::xrpl::AgreedHistory;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::journal::{Entry, Page};

/// Transactions that are read at once at most, or those of one ledger where it holds more: what is held
/// in memory, and written in one transaction of the database, stays small.
const ENTRIES_MAX: usize = 2_000;

/// The pause before servers that could not answer are asked again: it doubles up to a bound.
struct Pause(Duration);

impl Pause {
    const MIN: Duration = Duration::from_millis(50);
    const MAX: Duration = Duration::from_secs(2);

    const fn new() -> Self {
        Self(Self::MIN)
    }

    /// Waits; the next wait is longer.
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = self.0.saturating_mul(2).min(Self::MAX);
    }
}

/// The pool's answer in the journal's own terms.
fn page_of(account: AccountId, history: AgreedHistory) -> Page {
    Page {
        account,
        from: history.from,
        to: history.to,
        to_hash: history.to_hash,
        closed_at: history.to_closed_at,
        servers: history.servers.clone(),
        entries: entries_of(history),
    }
}

/// The transactions of an answer in the journal's own terms.
pub(crate) fn entries_of(history: AgreedHistory) -> Vec<Entry> {
    history.entries.into_iter().map(Entry::from).collect()
}
