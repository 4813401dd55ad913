//! Events on many payments, gathered into one commit. The only caller of `decide` besides the rulings
//! of persons.

use super::{
    Change, Desk, JournalCommit, KnownTickets, LaneCommit, NewPlug, NewTicketCreate, Note,
    RequestNews, TicketRequestId,
};
use crate::ids::{LedgerIndex, PaymentId, TxHash, UnixMs};
use crate::payment::{AttemptState, Effect, Event, Illegal, Payment, decide};
use std::collections::BTreeMap;

/// Decisions that are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    changes: BTreeMap<PaymentId, Change>,
    /// Plugs that were signed.
    pub new_plugs: Vec<NewPlug>,
    /// How known plugs stand now.
    pub plug_updates: Vec<(TxHash, AttemptState)>,
    /// Transactions that make tickets, that were signed.
    pub new_ticket_creates: Vec<NewTicketCreate>,
    /// What came of operators' requests for tickets.
    pub request_news: Vec<(TicketRequestId, RequestNews)>,
    /// All tickets that stand, where they were read for the first time.
    pub tickets: Option<KnownTickets>,
    /// From which ledger on tickets are refilled again.
    pub refill_from: Option<LedgerIndex>,
    /// How far the journal was carried on.
    pub journal: Option<JournalCommit>,
    /// What the journal says against what was proven, where it does.
    pub contradiction: Option<String>,
    /// What is worth telling once it is durable.
    pub notes: Vec<Note>,
    halt: Option<String>,
}

impl Batch {
    /// Applies `event` to the payment as the batch has it, else as the desk has it.
    pub fn on_open(&mut self, desk: &Desk, id: PaymentId, event: Event, now: UnixMs) {
        let current = self.changes.get(&id).map(|change| &change.payment);
        if let Some(payment) = current.or_else(|| desk.payments.get(&id)).cloned() {
            self.apply(&payment, event, now);
        }
    }

    /// Applies `event` to a payment that is not on the desk, such as one from the queue.
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
                        // The attempt's bytes are added by whoever signed it, and sent once the
                        // batch is durable.
                        Effect::Submit(_) => {}
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
            Err(illegal) => self.notes.push(Note::Unfitting {
                payment: payment.id,
                illegal,
            }),
        }
    }

    /// Adds the bytes of an attempt that was signed in this batch.
    pub fn add_blob(&mut self, id: PaymentId, hash: TxHash, blob: Vec<u8>) {
        if let Some(change) = self.changes.get_mut(&id) {
            change.new_blobs.push((hash, blob));
        }
    }

    /// Notes what came of an operator's request, where the tickets are for one.
    pub fn tell_request(&mut self, request: Option<TicketRequestId>, news: RequestNews) {
        self.request_news
            .extend(request.map(|request| (request, news)));
    }

    /// Asks for the wallet to stop; the first reason is the one that is kept.
    pub fn stop(&mut self, reason: String) {
        self.halt.get_or_insert(reason);
    }

    /// The payment as the batch leaves it.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.changes.get(&id).map(|change| &change.payment)
    }

    /// What is to be written for the desk's wallet, and what is worth telling.
    pub fn into_commit(self, desk: &Desk, now: UnixMs) -> (LaneCommit, Vec<Note>) {
        // The first reason stands until a person resumes the wallet.
        let halt = self.halt.or(self.contradiction);
        let halt = halt.filter(|_| desk.halted.is_none());
        let commit = LaneCommit {
            wallet: desk.wallet.clone(),
            now,
            changes: self.changes.into_values().collect(),
            new_plugs: self.new_plugs,
            plug_updates: self.plug_updates,
            new_ticket_creates: self.new_ticket_creates,
            request_news: self.request_news,
            tickets: self.tickets,
            journal: self.journal,
            halt,
        };
        (commit, self.notes)
    }
}
