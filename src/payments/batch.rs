//! Events on many payments, gathered into one commit. The only caller of `decide` in the daemon
//! besides the store's rulings of persons.

use super::lane::OpenLane;
use crate::store::Change;
use std::collections::BTreeMap;
use xrpayd_core::ids::{PaymentId, TxHash, UnixMs};
use xrpayd_core::payment::{Effect, Event, Illegal, Payment, decide};

/// Decisions that are not durable yet.
#[derive(Debug, Default)]
pub struct Batch {
    changes: BTreeMap<PaymentId, Change>,
    /// What the journal says against what was proven, where it does.
    pub contradiction: Option<String>,
    /// Why the wallet must stop, where something said so.
    pub halt: Option<String>,
}

impl Batch {
    /// Applies `event` to the payment as the batch has it, else as the lane has it.
    pub fn on_open(&mut self, open: &OpenLane, id: PaymentId, event: Event, now: UnixMs) {
        let current = self.changes.get(&id).map(|change| &change.payment);
        if let Some(payment) = current.or_else(|| open.payments.get(&id)).cloned() {
            self.apply(&payment, event, now);
        }
    }

    /// Applies `event` to a payment that is not in the lane, such as one from the queue.
    pub fn apply(&mut self, payment: &Payment, event: Event, now: UnixMs) {
        match decide(payment, event, now) {
            Ok(None) => {}
            Ok(Some(decision)) => {
                let change = self.changes.entry(payment.id).or_insert_with(|| Change {
                    before: payment.version,
                    payment: payment.clone(),
                    new_blobs: Vec::new(),
                    settled: None,
                });
                change.payment = decision.payment;
                let mut halt = None;
                for effect in decision.effects {
                    match effect {
                        // The attempt's bytes are added by whoever signed it, and sent by whoever
                        // commits the batch.
                        // A refused slot shows in the lane, and is filled from there.
                        Effect::Submit(_) | Effect::Plug(_) => {}
                        Effect::HaltWallet { reason } => halt = Some(reason),
                        Effect::Settle { delivered } => change.settled = Some(delivered),
                    }
                }
                if let Some(reason) = halt {
                    self.stop(reason);
                }
            }
            Err(contradiction @ Illegal::Contradiction(_)) => {
                let what = format!("payment {}: {contradiction}", payment.id);
                self.contradiction.get_or_insert(what);
            }
            Err(illegal) => {
                tracing::warn!(payment.id = %payment.id, %illegal, "an event does not fit the payment");
            }
        }
    }

    /// Adds the bytes of an attempt that was signed in this batch.
    pub fn add_blob(&mut self, id: PaymentId, hash: TxHash, blob: Vec<u8>) {
        if let Some(change) = self.changes.get_mut(&id) {
            change.new_blobs.push((hash, blob));
        }
    }

    /// Asks for the wallet to stop; the first reason is the one that is kept.
    pub fn stop(&mut self, reason: String) {
        self.halt.get_or_insert(reason);
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.halt.is_none() && self.contradiction.is_none()
    }

    /// The payment as the batch leaves it.
    #[must_use]
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.changes.get(&id).map(|change| &change.payment)
    }

    /// The changes, to be committed.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        self.changes.into_values().collect()
    }
}
