//! Signing: what is to be signed on which terms, and what becomes of the signed bytes.
//!
//! A [`Plan`] is made, the signer turns its jobs into bytes, [`Desk::seal`] makes a [`Step`] of both.
//! The slots of a plan are counted as open from the moment it is made; those that come to nothing are
//! given back when it is sealed.

use super::batch::Batch;
use super::desk::plug_flight;
use super::step::Queue;
use super::tickets::making_flight;
use super::{
    Conditions, Desk, Flight, Making, NewPlug, NewTicketCreate, Note, Owner, Sent, Settings, Step,
    cost_of,
};
use crate::ids::{LedgerIndex, TxHash, UnixMs};
use crate::money::Drops;
use crate::payment::{Event, NewAttempt, Payment, Slot};
use std::sync::Arc;

/// What an attempt consumes and costs, and how long it may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What it consumes.
    pub slot: Slot,
    /// Its fee.
    pub fee: Drops,
    /// Its LastLedgerSequence.
    pub last_ledger: LedgerIndex,
}

/// A transaction that may be persisted and then sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTx {
    /// Its hash.
    pub hash: TxHash,
    /// Its bytes.
    pub blob: Vec<u8>,
}

/// One transaction that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it does.
    pub task: Task,
    /// Its terms.
    pub terms: Terms,
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// It pays what this payment orders.
    Pay(Box<Payment>),
    /// Nothing: it only consumes its slot.
    Plug,
    /// It makes tickets.
    MakeTickets(Making),
}

/// What is to be signed now, with the decisions that need no signature.
#[derive(Debug)]
#[must_use = "the slots of a plan stay taken until it is sealed"]
pub struct Plan {
    jobs: Arc<[Job]>,
    pub(super) batch: Batch,
    pub(super) queue: Queue,
    pub(super) may_be_more: bool,
    /// The attempts whose place these jobs take, where they take any.
    pub(super) superseded: Vec<TxHash>,
}

impl Plan {
    /// A plan of these jobs, whose slots the desk counts as open.
    pub(super) fn of(jobs: Vec<Job>) -> Self {
        Self {
            jobs: jobs.into(),
            batch: Batch::default(),
            queue: Queue::AsBefore,
            may_be_more: false,
            superseded: Vec::new(),
        }
    }

    /// What is to be signed, in the order in which [`Desk::seal`] wants the bytes.
    #[must_use]
    pub fn jobs(&self) -> Arc<[Job]> {
        Arc::clone(&self.jobs)
    }

    /// Whether another look at the queue may find more that can be signed now.
    #[must_use]
    pub const fn may_be_more(&self) -> bool {
        self.may_be_more
    }
}

impl Desk {
    /// Whether the ledger can be seen well enough to sign: the journal must not be so far behind it
    /// that the account's sequence and balance are not known.
    pub(super) fn sees(&self, at: &Conditions, settings: &Settings) -> bool {
        let lag_max = (settings.ledger_window / 4).max(LAG_MAX);
        at.tip.ahead_of(self.cursor.at) <= lag_max
    }

    /// Joins the signed bytes to their plan. Where the signer failed, nothing of it is signed and the
    /// wallet stops.
    pub fn seal(&mut self, plan: Plan, signed: Result<Vec<SignedTx>, String>, now: UnixMs) -> Step {
        let Plan {
            jobs,
            mut batch,
            queue,
            superseded,
            may_be_more: _,
        } = plan;
        let complete = signed.and_then(|signed| match signed.len() == jobs.len() {
            true => Ok(signed),
            false => Err(format!("{} of {} were signed", signed.len(), jobs.len())),
        });
        let mut flights = Vec::with_capacity(jobs.len());
        match complete {
            Ok(signed) => {
                for (job, tx) in jobs.iter().zip(signed) {
                    match self.seal_one(&mut batch, job, tx, now) {
                        Some(flight) => flights.push(flight),
                        None => self.give_back(job.terms.slot),
                    }
                }
            }
            Err(error) => {
                for job in jobs.iter() {
                    self.give_back(job.terms.slot);
                }
                batch.stop(format!("signing failed: {error}"));
            }
        }
        for (hash, flight) in &flights {
            let (hash, slot, fee) = (*hash, flight.slot, flight.fee);
            if !superseded.is_empty() {
                batch.notes.push(Note::Raised { hash, slot, fee });
            } else if flight.owner == Owner::Plug {
                batch.notes.push(Note::Plugged { hash, slot });
            }
        }
        let mut step = Step::of(self, batch, now);
        step.flights = flights;
        step.superseded = superseded;
        step.queue = queue;
        step
    }

    fn seal_one(
        &self,
        batch: &mut Batch,
        job: &Job,
        tx: SignedTx,
        now: UnixMs,
    ) -> Option<(TxHash, Flight)> {
        let first_ledger = self.cursor.at.plus(1);
        let Terms {
            slot,
            fee,
            last_ledger,
        } = job.terms;
        let (hash, sent_at) = (tx.hash, Sent::At(self.cursor.at));
        let attempt = NewAttempt {
            hash,
            slot,
            fee,
            first_ledger,
            last_ledger,
            signed_at: now,
        };
        let payment = match &job.task {
            Task::Pay(payment) => payment,
            Task::MakeTickets(making) => {
                let new = NewTicketCreate {
                    making: *making,
                    attempt,
                    blob: tx.blob,
                };
                let flight = making_flight(&new, sent_at);
                batch.new_ticket_creates.push(new);
                let count = making.count;
                batch.notes.push(Note::MakesTickets { hash, count });
                return Some((hash, flight));
            }
            Task::Plug => {
                let plug = NewPlug {
                    hash,
                    slot,
                    fee,
                    first_ledger,
                    last_ledger,
                    signed_at: now,
                    blob: tx.blob,
                };
                let flight = plug_flight(&plug, sent_at);
                batch.new_plugs.push(plug);
                return Some((hash, flight));
            }
        };
        batch.apply(payment, Event::Sign(attempt), now);
        // The machine may have refused: then there is no such attempt, and no byte of it may leave.
        batch.payment(payment.id)?.attempt(hash)?;
        let flight = Flight {
            owner: Owner::Payment(payment.id),
            slot,
            first_ledger,
            last_ledger,
            fee,
            cost: cost_of(payment.order.amount, fee),
            blob: tx.blob.as_slice().into(),
            sent_at,
            refused: false,
        };
        batch.add_blob(payment.id, hash, tx.blob);
        Some((hash, flight))
    }
}

/// Ledgers that the journal may be behind while signing goes on.
const LAG_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::super::{Sight, bed};
    use super::*;
    use crate::payment::State;
    use std::collections::BTreeMap;

    #[test]
    fn bytes_come_out_only_when_their_commit_is_durable() {
        let mut desk = bed::desk();
        let plan = bed::plan(&mut desk, vec![bed::payment(1), bed::payment(2)]);
        let step = bed::sealed(&mut desk, plan);
        assert_eq!(step.commit().changes.len(), 2);
        assert!(
            step.commit()
                .changes
                .iter()
                .all(|change| change.new_blobs.len() == 1)
        );
        assert!(
            desk.flights().is_empty(),
            "nothing is in flight before the commit"
        );
        let done = desk.made_durable(step);
        assert_eq!(done.send.len(), 2);
        assert_eq!(desk.flights().len(), 2);
    }

    #[test]
    fn a_signer_that_fails_stops_the_wallet_and_gives_its_sequences_back() {
        let mut desk = bed::desk();
        let plan = bed::plan(&mut desk, vec![bed::payment(1), bed::payment(2)]);
        let step = desk.seal(plan, Err("no key".into()), bed::NOW);
        assert_eq!(
            step.commit().halt.as_deref(),
            Some("signing failed: no key")
        );
        assert!(step.commit().changes.is_empty());
        let done = desk.made_durable(step);
        assert!(done.send.is_empty());
        assert_eq!(desk.lane().open_len(), 0);
        assert!(!desk.may_sign());
    }

    #[test]
    fn a_signer_that_returns_too_few_signed_nothing() {
        let mut desk = bed::desk();
        let plan = bed::plan(&mut desk, vec![bed::payment(1), bed::payment(2)]);
        let one = bed::sign(&plan.jobs()[..1]);
        let step = desk.seal(plan, Ok(one), bed::NOW);
        assert!(step.commit().halt.is_some() && step.commit().changes.is_empty());
    }

    #[test]
    fn what_the_machine_refuses_to_sign_never_leaves() {
        let mut desk = bed::desk();
        let mut done_already = bed::payment(1);
        let plan = bed::plan(&mut desk, vec![done_already.clone()]);
        done_already.state = State::Cancelled { proof: None };
        let job = Job {
            task: Task::Pay(Box::new(done_already)),
            terms: plan.jobs()[0].terms,
        };
        let refused = Plan::of(vec![job]);
        let step = bed::sealed(&mut desk, refused);
        assert!(step.is_empty());
        let done = desk.made_durable(step);
        assert!(done.send.is_empty());
        assert!(matches!(done.notes[..], [Note::Unfitting { .. }]));
        assert_eq!(desk.lane().open_len(), 0);
    }

    #[test]
    fn a_step_that_was_refused_leaves_nothing_taken_and_the_rest_is_signed_on_the_same_sequences() {
        let mut desk = bed::desk();
        let queued: Vec<Payment> = (1..=3).map(bed::payment).collect();
        let plan = bed::plan(&mut desk, queued.clone());
        let step = bed::sealed(&mut desk, plan);
        desk.abandon(step);
        assert_eq!(desk.lane().open_len(), 0);
        assert!(desk.flights().is_empty());
        assert_eq!(desk.lane().holes().next(), None);
        // The second was called off meanwhile.
        let plan = bed::plan(&mut desk, vec![queued[0].clone(), queued[2].clone()]);
        let slots: Vec<Slot> = plan.jobs().iter().map(|job| job.terms.slot).collect();
        assert_eq!(slots, [Slot::Sequence(100), Slot::Sequence(101)]);
        let step = bed::sealed(&mut desk, plan);
        assert_eq!(desk.made_durable(step).send.len(), 2);
    }

    #[test]
    fn that_money_is_kept_is_told_although_the_first_step_that_said_so_was_refused() {
        let mut desk = bed::desk();
        let mut large = bed::payment(1);
        large.order.amount = bed::drops(bed::BALANCE);
        let patient = Settings {
            low_balance_patience_ms: 0,
            ..bed::SETTINGS
        };
        let plan = |desk: &mut Desk| {
            let (queued, known) = (vec![large.clone(), bed::payment(2)], BTreeMap::new());
            let look = &mut |_: &Payment| Sight::Clear;
            let plan = desk.plan_signing(queued, &known, &bed::AT, &patient, bed::NOW, look);
            bed::sealed(desk, plan)
        };
        let step = plan(&mut desk);
        desk.abandon(step);
        let step = plan(&mut desk);
        let told = desk.made_durable(step).notes;
        let keeps = told
            .iter()
            .filter(|note| matches!(note, Note::KeepsMoney { .. }));
        assert_eq!(keeps.count(), 1, "{told:?}");
    }

    #[test]
    #[should_panic(expected = "an older desk")]
    fn a_step_that_was_decided_before_another_was_taken_is_refused() {
        let mut desk = bed::desk();
        let plan = bed::plan(&mut desk, vec![bed::payment(1)]);
        let first = bed::sealed(&mut desk, plan);
        let plan = bed::plan(&mut desk, vec![bed::payment(2)]);
        let second = bed::sealed(&mut desk, plan);
        let _ = desk.made_durable(first);
        let _ = desk.made_durable(second);
    }
}
