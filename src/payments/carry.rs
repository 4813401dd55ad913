//! Carries a step of the desk out: its commit, then its memory, then what leaves and what is told.
//!
//! The only caller of `Store::commit`. Where that fails the step is dropped with the desk, and nothing
//! of it was sent. Nor is it where the machine's own record of it cannot be written: the engine then
//! reads what is durable, and sends it once that record stands.

use super::engine::{Engine, StepResult, Stop};
use crate::store::CommitError;
use xrpayd_core::engine::{Done, Note, Step};
use xrpayd_core::ids::UnixMs;

/// What came of a step that the store answered for.
#[must_use]
pub(super) enum Carried {
    /// It is durable, and in memory.
    Out,
    /// It was refused whole, since somebody has changed payments of it that nothing is open of: such as a
    /// client that called one off. The memory is as it was before.
    Outrun,
}

impl Carried {
    /// For a step that nothing takes the place of: the work is read again.
    pub(super) fn or_reload(self) -> StepResult {
        match self {
            Self::Out => Ok(()),
            Self::Outrun => Err(Stop::reload()),
        }
    }
}

impl Engine<'_> {
    /// Makes a step durable, then takes it into memory, then hands on what is to be sent.
    pub(super) async fn carry_out(&mut self, step: Step) -> StepResult {
        self.try_to_carry_out(step).await?.or_reload()
    }

    /// The same for whoever can decide anew without reading everything.
    pub(super) async fn try_to_carry_out(&mut self, step: Step) -> Result<Carried, Stop> {
        // A commit that is late does no harm: another's taking would refuse it. What it makes durable is
        // sent, though, and must not be begun when there is no time left to send it.
        if !self.deps.hold.lasts() {
            return Err(Stop::lease_lost());
        }
        let now = step.commit().now;
        if !step.is_empty() {
            let tenure = self.deps.hold.tenure();
            match self.deps.store.commit(tenure, step.commit()).await {
                Ok(booked) => self.observe_deposits(booked),
                Err(CommitError::Stale(changed))
                    if changed.iter().all(|id| self.desk.payment(*id).is_none()) =>
                {
                    self.desk.abandon(step);
                    return Ok(Carried::Outrun);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Done {
            send,
            closed,
            changes,
            notes,
        } = self.desk.made_durable(step);
        if !send.is_empty() {
            // Before its bytes leave: a backup that is put in this database's place lacks it.
            self.deps.last_run.cover(&self.desk).await?;
        }
        for hash in &closed {
            self.backlog.close(hash);
        }
        self.outbox.extend(send);
        for change in &changes {
            self.observe(change, now);
        }
        if self.desk.halted().is_some() {
            let is_foreign = |note: &&Note| matches!(note, Note::Foreign { .. });
            let foreign = notes.iter().filter(is_foreign).count();
            self.foreign = self.foreign.saturating_add(foreign);
        }
        for note in notes {
            self.tell(note, now);
        }
        Ok(Carried::Out)
    }

    fn tell(&self, note: Note, now: UnixMs) {
        let wallet = self.deps.wallet.name.as_str();
        match note {
            Note::Halted { reason } => {
                tracing::error!(wallet.name = wallet, reason, "the wallet stops signing");
            }
            Note::Foreign { hash, ledger } => tracing::warn!(
                wallet.name = wallet,
                tx.hash = %hash,
                ledger.index = ledger.0,
                "the account sent a transaction that this database does not know"
            ),
            Note::SigningWaits { from } => tracing::warn!(
                wallet.name = wallet,
                sign_from.ledger = from.0,
                "the ledger holds payments that this database does not know: signing waits until no more of them can be in flight"
            ),
            Note::Adopted { payment, hash } => tracing::warn!(
                payment.id = %payment,
                tx.hash = %hash,
                "the ledger already holds this payment: it is adopted"
            ),
            Note::OtherOrder { payment, hash } => tracing::error!(
                payment.id = %payment,
                tx.hash = %hash,
                "the ledger holds another payment under this idempotency key: this one is not made"
            ),
            Note::Refused { payment, obstacle } => tracing::info!(
                payment.id = %payment,
                code = obstacle.code(),
                "a validated ledger speaks against the payment: it fails before it is signed"
            ),
            Note::KeepsMoney { payment, amount } => tracing::warn!(
                wallet.name = wallet,
                payment.id = %payment,
                amount_drops = amount.get(),
                "the balance does not bear this payment: nothing behind it is signed until it is paid, cancelled or out of time"
            ),
            Note::Raised { hash, slot, fee } => tracing::info!(
                wallet.name = wallet,
                tx.hash = %hash,
                slot = ?slot,
                fee_drops = fee.get(),
                "a dearer attempt takes the place of one that waits"
            ),
            Note::Plugged { hash, slot } => tracing::info!(
                wallet.name = wallet,
                tx.hash = %hash,
                slot = ?slot,
                "a no-op fills a sequence that nothing uses"
            ),
            Note::MakesTickets { hash, count } => tracing::info!(
                wallet.name = wallet,
                tx.hash = %hash,
                tickets = count,
                "tickets are being made"
            ),
            Note::TicketsMade { hash, count } => tracing::info!(
                wallet.name = wallet,
                tx.hash = %hash,
                tickets = count,
                "tickets were made"
            ),
            Note::TicketsRefused { hash, why } => tracing::warn!(
                wallet.name = wallet,
                tx.hash = %hash,
                reason = why,
                "tickets were not made"
            ),
            Note::Unfitting { payment, illegal } => tracing::warn!(
                payment.id = %payment,
                %illegal,
                "an event does not fit the payment"
            ),
            Note::FirstAnswer { signed_at } => self.observe_answered(signed_at, now),
            Note::FeeDoubted => self.deps.pool.doubt_fee(),
        }
    }
}
