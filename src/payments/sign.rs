//! From the queue to the ledger's door: which payments are signed now, on which sequence, at what
//! fee; no-ops for sequences that nothing uses; what is sent again.
//!
//! Fairness: the queue is served in the order of acceptance. A payment that the balance or the fee
//! cap holds back is passed over, so that smaller ones behind it go on; it is looked at again, first,
//! with every ledger.

use super::adopt::adopt;
use super::batch::Batch;
use super::engine::{Engine, Step, Stop};
use super::lane::{Flight, Owner, Sent, cost_of};
use crate::store::{LaneCommit, NewPlug};
use crate::wallet::{SignError, SignedTx, Terms, Wallet};
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::fee::{FeeChoice, FeeQuote, choose};
use xrpayd_core::ids::{LedgerIndex, TxHash, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Event, Hold, NewAttempt, Order, Payment, Slot, State};

/// Queued payments looked at, and so signed, in one commit at most.
const SCAN_MAX: u32 = 512;
/// Commits in one pass at most, so that pages and answers do not wait behind a long queue.
const SCANS_MAX: usize = 8;
/// No-ops signed in one commit at most.
const PLUG_BATCH_MAX: usize = 512;
/// Ledgers that the journal may be behind while signing goes on.
const LAG_MAX: u32 = 3;
/// An attempt that no server answered for is sent again after this long.
const LOST_PAUSE: Duration = Duration::from_secs(1);
/// An attempt that no validated ledger shows is sent again after this many ledgers.
const RESEND_AFTER_LEDGERS: u32 = 2;
/// Attempts sent again in one pass at most.
const RESEND_BATCH_MAX: usize = 2_048;
/// Payments expired in one commit at most.
const EXPIRE_BATCH_MAX: u32 = 256;

/// A payment that is to be signed, with what it will be signed for.
struct Job {
    payment: Payment,
    terms: Terms,
}

impl Engine<'_> {
    /// Ends payments whose time has run out while they are queued or wait for an approval.
    pub(super) async fn expire_queued(&mut self) -> Step {
        if !self.open.knows_the_past() {
            return Ok(());
        }
        let (name, now) = (&self.deps.wallet.name, self.deps.clock.now());
        loop {
            let due = self
                .deps
                .store
                .past_expiry(name, now, EXPIRE_BATCH_MAX)
                .await?;
            let mut batch = Batch::default();
            let known = self.known_to_the_ledger(&due).await?;
            for payment in &due {
                match known.get(&payment.id) {
                    Some(remembered) => adopt(&mut batch, payment, remembered, now),
                    None => batch.apply(payment, Event::Expire, now),
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.commit(batch, Vec::new(), None, now).await?;
        }
    }

    /// Signs as many queued payments as the lane has room for.
    pub(super) async fn sign_queued(&mut self) -> Step {
        for _ in 0..SCANS_MAX {
            if !self.open.may_sign() || !self.sign_some().await? {
                break;
            }
        }
        Ok(())
    }

    /// One commit's worth; `true` when there may be more.
    async fn sign_some(&mut self) -> Result<bool, Stop> {
        let room = self
            .settings
            .max_in_flight
            .saturating_sub(self.open.lane.open_len());
        if room == 0 {
            return Ok(false);
        }
        let Some((tip, quote, mut spendable)) = self.conditions() else {
            return Ok(false);
        };
        let name = self.deps.wallet.name.as_str();
        let queued = self
            .deps
            .store
            .queued(name, self.passed_over, SCAN_MAX)
            .await?;
        let full_scan = u32::try_from(queued.len()).unwrap_or(SCAN_MAX) == SCAN_MAX;
        let now = self.deps.clock.now();
        let known = self.known_to_the_ledger(&queued).await?;
        let (mut jobs, mut batch) = (Vec::new(), Batch::default());
        let (mut looked_at, mut held) = (None, false);
        for payment in queued {
            if jobs.len() == room {
                break;
            }
            looked_at = Some(payment.id);
            if let Some(remembered) = known.get(&payment.id) {
                adopt(&mut batch, &payment, remembered, now);
                continue;
            }
            if payment.is_past_expiry(now) {
                continue;
            }
            match self.weigh(&payment.order, quote, spendable) {
                Err(hold) => {
                    held = true;
                    batch.apply(&payment, Event::Hold(hold), now);
                }
                Ok(fee) => {
                    let Ok(sequence) = self.open.lane.allocate() else {
                        batch.stop("the account has no sequence left".to_owned());
                        break;
                    };
                    spendable = spendable.saturating_sub(cost_of(payment.order.amount, fee));
                    let last_ledger = tip.plus(self.settings.ledger_window);
                    let terms = Terms {
                        slot: Slot::Sequence(sequence),
                        fee,
                        last_ledger,
                    };
                    jobs.push(Job { payment, terms });
                }
            }
        }
        self.sign_and_commit(jobs, batch, now).await?;
        if held {
            self.passed_over = looked_at;
        }
        Ok(full_scan)
    }

    /// What the ledger looks like now; `None` while it cannot be seen, or while the journal is too
    /// far behind it to know the account's sequence and balance.
    fn conditions(&self) -> Option<(LedgerIndex, FeeQuote, Drops)> {
        let tip = self
            .deps
            .pool
            .tip()
            .borrow()
            .as_ref()
            .map(|tip| tip.index)?;
        let lag_max = (self.settings.ledger_window / 4).max(LAG_MAX);
        if tip.ahead_of(self.open.cursor.at) > lag_max {
            return None;
        }
        let quote = (*self.fees.borrow())?;
        let spendable = self.open.spendable(self.reserve()?);
        Some((tip, quote, spendable))
    }

    /// The fee with which the payment can be signed now, or what holds it back.
    fn weigh(&self, order: &Order, quote: FeeQuote, spendable: Drops) -> Result<Drops, Hold> {
        let cap = order
            .max_fee
            .map_or(self.settings.max_fee, |max| max.min(self.settings.max_fee));
        let FeeChoice::Pay(fee) = choose(quote, cap) else {
            return Err(Hold::FeeHold);
        };
        if cost_of(order.amount, fee) > spendable {
            Err(Hold::LowBalance)
        } else {
            Ok(fee)
        }
    }

    /// Signs the jobs, commits them with the batch, and only then puts them into the outbox.
    async fn sign_and_commit(&mut self, jobs: Vec<Job>, mut batch: Batch, now: UnixMs) -> Step {
        let first_ledger = self.open.cursor.at.plus(1);
        let slots: Vec<Slot> = jobs.iter().map(|job| job.terms.slot).collect();
        let signed = match sign_all(Arc::clone(&self.deps.wallet), jobs).await {
            Ok(signed) => signed,
            Err(error) => {
                self.give_back(&slots);
                batch.stop(format!("signing failed: {error}"));
                Vec::new()
            }
        };
        let mut flights = Vec::with_capacity(signed.len());
        for (Job { payment, terms }, tx) in signed {
            let attempt = NewAttempt {
                hash: tx.hash,
                slot: terms.slot,
                fee: terms.fee,
                first_ledger,
                last_ledger: terms.last_ledger,
                signed_at: now,
            };
            batch.apply(&payment, Event::Sign(attempt), now);
            let is_signed = batch
                .payment(payment.id)
                .is_some_and(|next| next.state == State::InFlight);
            if !is_signed {
                self.give_back(&[terms.slot]);
                continue;
            }
            flights.push(self.flight(Owner::Payment(payment.id), terms, payment.order.amount, &tx));
            batch.add_blob(payment.id, tx.hash, tx.blob);
        }
        if batch.is_empty() {
            return Ok(());
        }
        // On an error the whole lane is read again, sequences and all: nothing was sent.
        self.commit(batch, Vec::new(), None, now).await?;
        for (hash, flight) in flights {
            self.outbox.push_back((hash, Arc::clone(&flight.blob)));
            self.open.track_allocated(hash, flight);
        }
        Ok(())
    }

    fn flight(&self, owner: Owner, terms: Terms, amount: Drops, tx: &SignedTx) -> (TxHash, Flight) {
        let flight = Flight {
            owner,
            slot: terms.slot,
            first_ledger: self.open.cursor.at.plus(1),
            last_ledger: terms.last_ledger,
            cost: cost_of(amount, terms.fee),
            blob: tx.blob.as_slice().into(),
            sent_at: Sent::At(self.open.cursor.at),
            refused: false,
        };
        (tx.hash, flight)
    }

    fn give_back(&mut self, slots: &[Slot]) {
        for slot in slots {
            if let Slot::Sequence(sequence) = slot {
                self.open.lane.close(*sequence);
            }
        }
    }

    /// Fills with no-ops the sequences that something waits behind: those that nothing uses, where
    /// the queue had nothing to fill them with, and those whose every attempt is malformed.
    pub(super) async fn plug_holes(&mut self) -> Step {
        if !self.open.may_sign() {
            return Ok(());
        }
        let holes = self.open.lane.holes().map(Slot::Sequence);
        let slots: Vec<Slot> = holes
            .chain(self.open.refused_slots())
            .take(PLUG_BATCH_MAX)
            .collect();
        self.sign_plugs(slots).await
    }

    /// Signs a no-op on each slot, makes them durable, sends them.
    async fn sign_plugs(&mut self, slots: Vec<Slot>) -> Step {
        if slots.is_empty() {
            return Ok(());
        }
        let Some((tip, quote, _)) = self.conditions() else {
            return Ok(());
        };
        let FeeChoice::Pay(fee) = choose(quote, self.settings.max_fee) else {
            return Ok(());
        };
        let now = self.deps.clock.now();
        let last_ledger = tip.plus(self.settings.ledger_window);
        let (mut new_plugs, mut flights, mut halt) = (Vec::new(), Vec::new(), None);
        for slot in slots {
            let terms = Terms {
                slot,
                fee,
                last_ledger,
            };
            match self.deps.wallet.sign_plug(terms) {
                Ok(tx) => {
                    flights.push(self.flight(Owner::Plug, terms, Drops::ZERO, &tx));
                    new_plugs.push(NewPlug {
                        hash: tx.hash,
                        slot,
                        fee,
                        first_ledger: self.open.cursor.at.plus(1),
                        last_ledger,
                        signed_at: now,
                        blob: tx.blob,
                    });
                }
                Err(error) => halt = Some(format!("signing failed: {error}")),
            }
        }
        let commit = LaneCommit {
            wallet: self.deps.wallet.name.clone(),
            now,
            changes: Vec::new(),
            new_plugs,
            plug_updates: Vec::new(),
            journal: None,
            halt: halt.clone(),
        };
        self.deps.store.commit(&commit).await?;
        if halt.is_some() {
            self.open.halted = halt;
        }
        for (hash, flight) in flights {
            tracing::info!(
                wallet.name = self.deps.wallet.name,
                tx.hash = %hash,
                slot = ?flight.slot,
                "a no-op fills a sequence that nothing uses"
            );
            self.outbox.push_back((hash, Arc::clone(&flight.blob)));
            self.open.track(hash, flight);
        }
        Ok(())
    }

    /// Sends again, in the order of their sequences, what no validated ledger has shown yet. The
    /// same bytes can be applied only once, so this is always safe.
    pub(super) fn resend(&mut self) {
        let at = self.open.cursor.at;
        let mut due: Vec<_> = self
            .open
            .flights
            .iter_mut()
            .filter(|(_, flight)| {
                let waited = match flight.sent_at {
                    Sent::Never => true,
                    Sent::At(sent) => at.ahead_of(sent) >= RESEND_AFTER_LEDGERS,
                    Sent::Lost(since) => since.elapsed() >= LOST_PAUSE,
                };
                waited && !flight.refused && at < flight.last_ledger
            })
            .collect();
        due.sort_by_key(|(_, flight)| flight.slot);
        for (hash, flight) in due.into_iter().take(RESEND_BATCH_MAX) {
            flight.sent_at = Sent::At(at);
            self.outbox.push_back((*hash, Arc::clone(&flight.blob)));
        }
    }
}

/// Signs off the async threads: a batch is thousands of curve operations.
async fn sign_all(wallet: Arc<Wallet>, jobs: Vec<Job>) -> Result<Vec<(Job, SignedTx)>, SignError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let work = move || {
        jobs.into_iter()
            .map(|job| {
                let tx = wallet.sign_payment(&job.payment.client, &job.payment.order, job.terms)?;
                Ok((job, tx))
            })
            .collect()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(signed) => signed,
        Err(broken) => Err(SignError::Signer(broken.to_string())),
    }
}
