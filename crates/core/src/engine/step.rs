//! A step: what it writes, and what memory does once that is durable.
//!
//! The order of every step is fixed by these types: decide, commit, then memory, then send. Signed
//! bytes sit in the step and come out of [`Desk::made_durable`] only.

use super::batch::Batch;
use super::{Change, Desk, Flight, JournalCommit, LaneCommit, RequestNews, Sent, Tick};
use crate::ids::{LedgerIndex, PaymentId, TxHash, UnixMs};
use crate::money::Drops;
use crate::payment::{AttemptState, Illegal, Payment, Slot};
use crate::preflight::Obstacle;
use std::sync::Arc;

/// A decision that is not durable yet. Its commit is written first; then [`Desk::made_durable`] takes
/// it. A step whose commit is empty is taken without a write.
#[derive(Debug)]
#[must_use = "a step that is dropped leaves the memory as it was, and nothing is sent"]
pub struct Step {
    commit: LaneCommit,
    notes: Vec<Note>,
    decided_on: u64,
    /// The attempts that were signed; their slots are counted already.
    pub(super) flights: Vec<(TxHash, Flight)>,
    /// The attempts that the journal settles.
    pub(super) settled: Vec<TxHash>,
    /// The attempts in whose place dearer ones stand.
    pub(super) superseded: Vec<TxHash>,
    /// The attempts that no server answered for, and when that was found out.
    pub(super) lost: Vec<(TxHash, Tick)>,
    /// The attempts without a payment that no server would ever take.
    pub(super) refused: Vec<TxHash>,
    /// From which ledger on tickets are refilled again, where that is news.
    pub(super) refill_from: Option<LedgerIndex>,
    pub(super) queue: Queue,
}

/// Where the next look through the queue begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Where it would have.
    AsBefore,
    /// At its beginning: balances or lanes have moved.
    Again,
    /// Behind this payment: those before it cannot be signed now.
    After(PaymentId),
}

/// What came of a step, told once it is durable.
#[derive(Debug, Default)]
#[must_use = "what a step signed has to be sent"]
pub struct Done {
    /// What is to be sent, in the order of its slots.
    pub send: Vec<(TxHash, Arc<[u8]>)>,
    /// Attempts that no server needs any more: they are settled, no server would ever take them, or a
    /// dearer one stands in their place.
    pub closed: Vec<TxHash>,
    /// The payments that moved.
    pub changes: Vec<Change>,
    /// What is worth telling a person or counting.
    pub notes: Vec<Note>,
}

/// Something that a step saw or did and that people may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The wallet stops signing until a person resumes it.
    Halted {
        /// Why.
        reason: String,
    },
    /// The account sent a transaction that this database does not know.
    Foreign {
        /// The transaction.
        hash: TxHash,
        /// The ledger that holds it.
        ledger: LedgerIndex,
    },
    /// The ledger holds payments of a life that this database does not know: nothing is signed until
    /// no more of them can be in flight.
    SigningWaits {
        /// The ledger from which on it may be signed.
        from: LedgerIndex,
    },
    /// The ledger holds the payment already.
    Adopted {
        /// The payment.
        payment: PaymentId,
        /// The transaction that served it.
        hash: TxHash,
    },
    /// The ledger holds another order under the payment's idempotency key.
    OtherOrder {
        /// The payment, which is not made.
        payment: PaymentId,
        /// The transaction of the other.
        hash: TxHash,
    },
    /// A validated ledger spoke against the payment before it was signed.
    Refused {
        /// The payment, which failed.
        payment: PaymentId,
        /// Why.
        obstacle: Obstacle,
    },
    /// Smaller payments have passed by this one for long enough: from now on the wallet's money is kept
    /// for it.
    KeepsMoney {
        /// The payment.
        payment: PaymentId,
        /// What it pays.
        amount: Drops,
    },
    /// A dearer attempt takes the place of one that waits.
    Raised {
        /// The new attempt.
        hash: TxHash,
        /// What both consume.
        slot: Slot,
        /// Its fee.
        fee: Drops,
    },
    /// A no-op fills a slot that nothing uses.
    Plugged {
        /// The no-op.
        hash: TxHash,
        /// What it consumes.
        slot: Slot,
    },
    /// Tickets are being made.
    MakesTickets {
        /// The transaction.
        hash: TxHash,
        /// How many.
        count: u32,
    },
    /// The tickets stand.
    TicketsMade {
        /// The transaction.
        hash: TxHash,
        /// How many.
        count: u32,
    },
    /// No tickets came of the transaction.
    TicketsRefused {
        /// The transaction.
        hash: TxHash,
        /// Why.
        why: String,
    },
    /// An event does not fit the payment as it stands.
    Unfitting {
        /// The payment.
        payment: PaymentId,
        /// Why not.
        illegal: Illegal,
    },
    /// A server answered for an attempt for the first time.
    FirstAnswer {
        /// When the attempt was signed.
        signed_at: UnixMs,
    },
    /// An answer says that the fee which is known may be out of date.
    FeeDoubted,
}

impl Step {
    /// What `batch` writes, and nothing beside it yet.
    pub(super) fn of(desk: &Desk, batch: Batch, now: UnixMs) -> Self {
        let (commit, notes) = batch.into_commit(desk, now);
        Self {
            commit,
            notes,
            decided_on: desk.steps,
            flights: Vec::new(),
            settled: Vec::new(),
            superseded: Vec::new(),
            lost: Vec::new(),
            refused: Vec::new(),
            refill_from: None,
            queue: Queue::AsBefore,
        }
    }

    /// What is to be made durable.
    #[must_use]
    pub const fn commit(&self) -> &LaneCommit {
        &self.commit
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commit.is_empty()
    }
}

impl Desk {
    /// Takes a step whose commit is durable into memory, and hands out what is to be sent.
    ///
    /// # Panics
    /// The step was decided on a desk that has moved since: two hands work on one wallet.
    pub fn made_durable(&mut self, step: Step) -> Done {
        let Step {
            commit,
            mut notes,
            decided_on,
            flights,
            settled,
            superseded,
            lost,
            refused,
            refill_from,
            queue,
        } = step;
        assert_eq!(
            decided_on, self.steps,
            "a step that was decided on an older desk"
        );
        self.steps = self.steps.saturating_add(1);
        let mut done = Done::default();
        if let Some(reason) = commit.halt {
            notes.insert(
                0,
                Note::Halted {
                    reason: reason.clone(),
                },
            );
            self.halted = Some(reason);
        }
        if let Some(journal) = commit.journal {
            self.take_journal(journal);
        }
        for change in &commit.changes {
            done.closed.extend(self.take_payment(&change.payment));
        }
        for hash in refused {
            if let Some(flight) = self.flights.get_mut(&hash) {
                flight.refused = true;
                done.closed.push(hash);
            }
        }
        self.refill_from = refill_from.or(self.refill_from);
        for (request, news) in commit.request_news {
            if !matches!(news, RequestNews::Waits(_)) {
                self.request_done = self.request_done.max(Some(request));
            }
        }
        if let Some(known) = commit.tickets {
            self.tickets.know(known.standing);
        }
        for hash in settled {
            self.settle(&hash);
            done.closed.push(hash);
        }
        done.closed.extend(superseded);
        self.lane.advance(self.cursor.next_sequence);
        for (hash, tick) in lost {
            if let Some(flight) = self.flights.get_mut(&hash) {
                flight.sent_at = Sent::Lost(tick);
            }
        }
        for (hash, flight) in flights {
            done.send.push((hash, Arc::clone(&flight.blob)));
            self.flights.insert(hash, flight);
        }
        match queue {
            Queue::AsBefore => {}
            Queue::Again => self.look_again(),
            Queue::After(payment) => self.passed_over = Some(payment),
        }
        done.changes = commit.changes;
        done.notes = notes;
        done
    }

    /// Drops a step that was refused whole, because payments of the queue that it signs have changed since
    /// they were read: nothing of it was written or sent, and what it had taken is free again.
    ///
    /// # Panics
    /// The step was decided on a desk that has moved since.
    pub fn abandon(&mut self, step: Step) {
        assert_eq!(
            step.decided_on, self.steps,
            "a step that was decided on an older desk"
        );
        for (_, flight) in step.flights {
            self.give_back(flight.slot);
        }
        // What it would have told is told once it is so.
        let tells = |note: &Note| matches!(note, Note::KeepsMoney { .. });
        if step.notes.iter().any(tells) {
            self.kept_told = None;
        }
        self.look_again();
    }

    fn take_journal(&mut self, journal: JournalCommit) {
        self.remembers |= !journal.remembered.is_empty();
        self.sign_from = journal.sign_from.or(self.sign_from);
        self.tickets.follow(&journal.tickets);
        if journal.cursor.next_sequence != self.cursor.next_sequence {
            self.moved_at = journal.cursor.at;
        }
        self.cursor = journal.cursor;
    }

    /// Takes a payment as it stands now; answers with its attempts that no server would ever take.
    fn take_payment(&mut self, payment: &Payment) -> Vec<TxHash> {
        let refused = |state: &AttemptState| matches!(state, AttemptState::Refused { .. });
        let mut closed = Vec::new();
        for attempt in &payment.attempts {
            if refused(&attempt.state)
                && let Some(flight) = self.flights.get_mut(&attempt.hash)
            {
                flight.refused = true;
                closed.push(attempt.hash);
            }
        }
        // A payment that has its end stays while a rival attempt of it is not settled.
        if payment.open_attempts().next().is_some() {
            self.payments.insert(payment.id, payment.clone());
        } else {
            self.payments.remove(&payment.id);
        }
        closed
    }
}
