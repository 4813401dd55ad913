//! Payments that the ledger already holds though this database did not know: it was lost, or restored
//! from an older copy, and the client asks again.
//!
//! The transaction that served the intent becomes the payment's attempt, and what a validated ledger
//! says of it settles the payment, as it would have in the life that was lost. Nothing is signed.

use super::batch::Batch;
use super::engine::{Engine, Step, Stop};
use crate::journal::recall::Recalled;
use crate::store::Remembered;
use std::collections::BTreeMap;
use xrpayd_core::ids::{Hash256, LedgerIndex, PaymentId, UnixMs};
use xrpayd_core::journal::Delivered;
use xrpayd_core::payment::{Event, Finding, NewAttempt, Payment};

/// A validated success; whatever else stands beside it, this is the end of the intent.
const SUCCESS: &str = "tesSUCCESS";

impl Engine<'_> {
    /// Which of these payments the ledger already knows, each with the transaction that counts.
    pub(super) async fn known_to_the_ledger(
        &self,
        payments: &[Payment],
    ) -> Result<BTreeMap<PaymentId, Remembered>, Stop> {
        let mut known = BTreeMap::new();
        if !self.open.remembers || payments.is_empty() {
            return Ok(known);
        }
        let wallet = &self.deps.wallet;
        let marked: Vec<(Hash256, &Payment)> = payments
            .iter()
            .map(|payment| (wallet.marker_of(&payment.client, &payment.order), payment))
            .collect();
        let markers: Vec<Hash256> = marked.iter().map(|(marker, _)| *marker).collect();
        let rows = self.deps.store.recall(&wallet.name, &markers).await?;
        for (marker, payment) in marked {
            let of_intent = rows
                .iter()
                .filter(|row| row.marker == marker && payment.attempt(row.hash).is_none());
            // A success ends it; of several failures the newest says how it stood.
            let counts =
                of_intent.max_by_key(|row| (row.result == SUCCESS, row.ledger_index, row.tx_index));
            if let Some(row) = counts {
                known.insert(payment.id, row.clone());
            }
        }
        Ok(known)
    }

    /// Keeps what older ledgers remember.
    pub(super) async fn take_recalled(&mut self, page: Recalled) -> Step {
        let name = &self.deps.wallet.name;
        let rows: Vec<Remembered> = page
            .entries
            .iter()
            .filter_map(|entry| Remembered::of(entry, &page.servers))
            .collect();
        self.deps.store.remember(name, &rows, page.next).await?;
        self.open.remembers |= !rows.is_empty();
        self.open.recall = match (page.next, self.open.recall) {
            (Some(next), Some((_, to))) => Some((next, to)),
            _ => None,
        };
        if self.open.recall.is_none() {
            tracing::info!(
                wallet.name = name,
                "what the ledger remembers of this wallet has been read"
            );
        }
        self.look_again();
        Ok(())
    }

    /// The ledger from which on it may be signed, where a page shows payments of a life that this
    /// database does not know: more of them may still be in flight.
    pub(super) fn wait_for_others(&self, is_news: bool, at: LedgerIndex) -> Option<LedgerIndex> {
        if !is_news {
            return None;
        }
        let newest = self.deps.pool.tip().borrow().as_ref().map(|tip| tip.index);
        let from = newest.map_or(at, |newest| newest.max(at));
        let from = from.plus(self.settings.ledger_window);
        tracing::warn!(
            wallet.name = self.deps.wallet.name,
            sign_from.ledger = from.0,
            "the ledger holds payments that this database does not know: signing waits until no more of them can be in flight"
        );
        Some(self.open.sign_from.map_or(from, |known| known.max(from)))
    }
}

/// Ends a payment by the transaction that served it in a life that this database does not know.
pub(super) fn adopt(batch: &mut Batch, payment: &Payment, row: &Remembered, now: UnixMs) {
    let order = &payment.order;
    let delivered = match row.delivered {
        Delivered::Xrp(drops) => Some(drops),
        Delivered::Nothing | Delivered::Other(_) | Delivered::Unavailable => None,
    };
    let is_same_order = row.destination == Some(order.destination.to_string())
        && row.destination_tag == order.destination_tag
        && (row.result != SUCCESS || delivered == Some(order.amount));
    if !is_same_order {
        tracing::error!(
            payment.id = %payment.id,
            tx.hash = %row.hash,
            "the ledger holds another payment under this idempotency key: this one is not made"
        );
        batch.apply(payment, Event::Cancel, now);
        return;
    }
    tracing::warn!(
        payment.id = %payment.id,
        tx.hash = %row.hash,
        "the ledger already holds this payment: it is adopted"
    );
    let attempt = NewAttempt {
        hash: row.hash,
        slot: row.slot,
        fee: row.fee,
        first_ledger: row.ledger_index,
        last_ledger: row.ledger_index,
        signed_at: now,
    };
    batch.apply(payment, Event::Sign(attempt), now);
    let Some(signed) = batch.payment(payment.id).cloned() else {
        return;
    };
    let found = Finding::Found {
        hash: row.hash,
        result: row.result.clone(),
        ledger_index: row.ledger_index,
        ledger_hash: row.ledger_hash,
        delivered,
        servers: row.servers.clone(),
    };
    batch.apply(&signed, Event::Journal(found), now);
    // Its bytes are on the ledger; nobody will send them again.
    batch.add_blob(payment.id, row.hash, Vec::new());
}
