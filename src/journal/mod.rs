//! The journal room: reads what the ledger says about an account, page by page, each page agreed by
//! the quorum. It concludes nothing and writes nothing: the engine that owns the wallet folds a page
//! over what it signed and makes page and conclusions durable in one transaction.

pub mod anchor;
pub(crate) mod past;
pub mod reader;
pub mod recall;
pub(crate) mod span;
pub mod waits;

use crate::xrpl::{AgreedHistory, HistoryEntry};
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::journal::{Entry, Page, RootAfter};
use xrpayd_core::payment::Slot;

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
        servers: history.servers.clone(),
        entries: entries_of(history),
    }
}

/// The transactions of an answer in the journal's own terms.
pub(crate) fn entries_of(history: AgreedHistory) -> Vec<Entry> {
    history.entries.into_iter().map(entry_of).collect()
}

fn entry_of(entry: HistoryEntry) -> Entry {
    Entry {
        hash: entry.hash,
        ledger_index: entry.ledger_index,
        ledger_hash: entry.ledger_hash,
        tx_index: entry.tx_index,
        result: entry.result,
        transaction_type: entry.transaction_type,
        sender: entry.account,
        slot: entry
            .ticket
            .map_or(Slot::Sequence(entry.sequence), Slot::Ticket),
        fee: entry.fee,
        destination: entry.destination,
        destination_tag: entry.destination_tag,
        source_tag: entry.source_tag,
        delivered: entry.delivered,
        invoice_id: entry.invoice_id,
        marker: entry.memo_marker.or(entry.invoice_id),
        root_after: entry.own_root.map(|root| RootAfter {
            balance: root.balance,
            sequence: root.sequence,
            owner_count: root.owner_count,
        }),
    }
}
