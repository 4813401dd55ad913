//! What the ledger remembers of payments that this database did not know: it was lost, or restored
//! from an older copy, and the client asks again.

use super::engine::{Engine, StepResult, Stop};
use super::pasts::Past;
use crate::journal::recall::Recalled;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::engine::{Remembered, recognise};
use xrpayd_core::ids::PaymentId;
use xrpayd_core::ledger::codes::{self, OnValidated};
use xrpayd_core::marker;
use xrpayd_core::payment::{Payback, Payment};

/// Payments looked at in one commit at most.
const ADOPT_BATCH_MAX: u32 = 512;

impl Engine<'_> {
    /// Tells the other wallets how this one's past stands.
    pub(super) fn tell_past(&self) {
        let desk = &self.desk;
        let at = desk.cursor().at;
        let waits = desk.recall().is_some() || desk.sign_from().is_some_and(|from| at < from);
        let past = match (desk.knows_the_past(), waits) {
            (true, _) => Some(Past::Read),
            (false, true) => Some(Past::Unread),
            // A life that has just begun: what was known of the wallet before stands.
            (false, false) => None,
        };
        let (pasts, name) = (&self.deps.pasts, &self.deps.wallet.name);
        pasts.tell(name, at, past, desk.remembers());
    }

    /// Which of these payments the ledger already knows, from whichever wallet they were paid, each
    /// with the transaction that counts.
    pub(super) async fn known_to_the_ledger(
        &self,
        payments: &[Payment],
    ) -> Result<BTreeMap<PaymentId, Remembered>, Stop> {
        let wallets = self.deps.pasts.that_remember();
        if wallets.is_empty() || payments.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (mut marked, mut wanted) = (Vec::new(), Vec::new());
        let mut of_rivals = BTreeSet::new();
        for payment in payments {
            for wallet in &wallets {
                let marker = marker::of(wallet, &payment.client, &payment.order.idempotency_key);
                marked.push((marker, payment));
                wanted.push((wallet.as_str(), marker));
                let rivals = payment.order.payback.into_iter().flat_map(Payback::rivals);
                for rival in rivals {
                    let marker = marker::of(wallet, &payment.client, &rival.key());
                    of_rivals.insert(marker);
                    marked.push((marker, payment));
                    wanted.push((wallet.as_str(), marker));
                }
            }
        }
        let mut rows = self.deps.store.recall(&wanted).await?;
        // Another try of the same return ends this one by having delivered, and by nothing else.
        rows.retain(|row| {
            !of_rivals.contains(&row.marker)
                || codes::on_validated(&row.result) == OnValidated::Delivered
        });
        Ok(recognise(&marked, &rows))
    }

    /// Adopts, once a ledger, what waits for an approval and is on the ledger already, and what stands
    /// in the queue of a wallet that signs nothing. A queue that is served is looked at anyway before
    /// anything of it is signed.
    pub(super) async fn adopt_waiting(&mut self) -> StepResult {
        let at = self.desk.cursor().at;
        let looked = self.adopted_at == Some(at) || self.deps.pasts.that_remember().is_empty();
        if looked || !self.past_is_read() {
            return Ok(());
        }
        let (deps, name) = (self.deps, self.deps.wallet.name.as_str());
        let mut after = None;
        loop {
            let found = deps.store.awaiting(name, after, ADOPT_BATCH_MAX).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            self.adopt(&found).await?;
        }
        after = None;
        while self.desk.halted().is_some() {
            let found = deps.store.queued(name, after, ADOPT_BATCH_MAX).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            self.adopt(&found).await?;
        }
        self.adopted_at = Some(at);
        Ok(())
    }

    async fn adopt(&mut self, payments: &[Payment]) -> StepResult {
        let known = self.known_to_the_ledger(payments).await?;
        if known.is_empty() {
            return Ok(());
        }
        let step = self.desk.adopt(payments, &known, self.deps.clock.now());
        self.carry_out(step).await
    }

    /// Whether the past of every wallet has been read, this one's in this life of its engine.
    pub(super) fn past_is_read(&self) -> bool {
        self.desk.knows_the_past() && self.deps.pasts.are_read()
    }

    /// Keeps what older ledgers remember.
    pub(super) async fn take_recalled(&mut self, page: Recalled) -> StepResult {
        let name = &self.deps.wallet.name;
        let rows: Vec<Remembered> = page
            .entries
            .iter()
            .filter_map(|entry| Remembered::of(name, entry, &page.servers))
            .collect();
        let tenure = self.deps.hold.tenure();
        self.deps.store.remember(tenure, &rows, page.next).await?;
        self.desk.recalled(!rows.is_empty(), page.next);
        self.adopted_at = None;
        if self.desk.recall().is_none() {
            tracing::info!(
                wallet.name = name,
                "what the ledger remembers of this wallet has been read"
            );
        }
        Ok(())
    }
}
