//! What the ledger remembers of payments that this database did not know: it was lost, or restored
//! from an older copy, and the client asks again.

use super::engine::{Engine, StepResult, Stop};
use crate::journal::recall::Recalled;
use std::collections::BTreeMap;
use xrpayd_core::engine::{Remembered, recognise};
use xrpayd_core::ids::{Hash256, PaymentId};
use xrpayd_core::payment::Payment;

impl Engine<'_> {
    /// Which of these payments the ledger already knows, each with the transaction that counts.
    pub(super) async fn known_to_the_ledger(
        &self,
        payments: &[Payment],
    ) -> Result<BTreeMap<PaymentId, Remembered>, Stop> {
        if !self.desk.remembers() || payments.is_empty() {
            return Ok(BTreeMap::new());
        }
        let wallet = &self.deps.wallet;
        let marked: Vec<(Hash256, &Payment)> = payments
            .iter()
            .map(|payment| (wallet.marker_of(&payment.client, &payment.order), payment))
            .collect();
        let markers: Vec<Hash256> = marked.iter().map(|(marker, _)| *marker).collect();
        let rows = self.deps.store.recall(&wallet.name, &markers).await?;
        Ok(recognise(&marked, &rows))
    }

    /// Keeps what older ledgers remember.
    pub(super) async fn take_recalled(&mut self, page: Recalled) -> StepResult {
        let name = &self.deps.wallet.name;
        let rows: Vec<Remembered> = page
            .entries
            .iter()
            .filter_map(|entry| Remembered::of(entry, &page.servers))
            .collect();
        self.deps.store.remember(name, &rows, page.next).await?;
        self.desk.recalled(!rows.is_empty(), page.next);
        if self.desk.recall().is_none() {
            tracing::info!(
                wallet.name = name,
                "what the ledger remembers of this wallet has been read"
            );
        }
        Ok(())
    }
}
