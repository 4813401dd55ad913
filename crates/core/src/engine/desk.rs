//! What the engine holds in memory of one wallet: everything that is open, and nothing else.
//!
//! All of it is in the store too. Bounded by the wallet's `max_in_flight`.

use super::tickets::making_flight;
use super::{
    InFlight, LaneRecord, Making, NewPlug, PlugRecord, Tick, TicketCreateRecord, TicketRequestId,
};
use crate::fee::FeeQuote;
use crate::ids::{LedgerIndex, PaymentId, TxHash};
use crate::journal::{Cursor, OpenAttempt, OpenSlots};
use crate::money::Drops;
use crate::pause::Signing;
use crate::payment::{AttemptState, Payment, Slot};
use crate::sequence::Lane;
use crate::tickets::Tickets;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose an open attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A payment's.
    Payment(PaymentId),
    /// A no-op's that fills a sequence.
    Plug,
    /// A transaction's that makes tickets.
    Tickets(Making),
}

/// An attempt that could still be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// Whose it is.
    pub owner: Owner,
    /// What it consumes.
    pub slot: Slot,
    /// The first ledger that could hold it.
    pub first_ledger: LedgerIndex,
    /// The last ledger that could hold it.
    pub last_ledger: LedgerIndex,
    /// The fee in it.
    pub fee: Drops,
    /// What the account pays if it is applied.
    pub cost: Drops,
    /// Its bytes.
    pub blob: Arc<[u8]>,
    /// What is known of its last sending by this process.
    pub sent_at: Sent,
    /// Malformed for every server, or without its bytes: not sent again.
    pub refused: bool,
}

/// The last sending of an attempt by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not yet.
    Never,
    /// Handed to the servers while the journal stood at this ledger.
    At(LedgerIndex),
    /// No server answered; found out at this instant.
    Lost(Tick),
}

/// The open work of one wallet.
#[derive(Debug)]
pub struct Desk {
    pub(super) wallet: String,
    pub(super) cursor: Cursor,
    /// The sequences in use.
    pub(super) lane: Lane,
    /// The tickets that stand, and those in use.
    pub(super) tickets: Tickets,
    /// The ledger in which the lane's first sequence changed last, as far as this process knows.
    pub(super) moved_at: LedgerIndex,
    /// From which ledger on tickets are refilled again, after the ledger refused to make some.
    pub(super) refill_from: Option<LedgerIndex>,
    /// The newest request for tickets that has its end.
    pub(super) request_done: Option<TicketRequestId>,
    /// The payments in flight.
    pub(super) payments: BTreeMap<PaymentId, Payment>,
    /// The attempts that could still be applied.
    pub(super) flights: BTreeMap<TxHash, Flight>,
    pub(super) sign_from: Option<LedgerIndex>,
    pub(super) recall: Option<(LedgerIndex, LedgerIndex)>,
    pub(super) remembers: bool,
    began_at: Option<LedgerIndex>,
    pub(super) halted: Option<String>,
    /// The queue has been looked through up to here, and what stands before cannot be signed while
    /// the journal stands where it does. What is approved meanwhile may stand before it as well, and
    /// is seen with the next ledger at the latest.
    pub(super) passed_over: Option<PaymentId>,
    /// The oldest payment that money is kept for, while the journal stands where it does.
    pub(super) kept_for: Option<PaymentId>,
    /// The payment of which it was told that money is kept for it.
    pub(super) kept_told: Option<PaymentId>,
    /// Whether something new may be begun.
    pub(super) signing: Signing,
    /// Whether payments may be queued that are still marked as paused.
    pub(super) may_release: bool,
    /// The ledger and the price at which the fees of what waits were last looked at.
    pub(super) weighed_at: Option<(LedgerIndex, FeeQuote)>,
    /// How many steps were taken: a step is for the desk that it was decided on and for no other.
    pub(super) steps: u64,
}

impl Desk {
    /// The desk of `wallet` as the store holds it, with its journal at `cursor`. An open attempt of which
    /// the store lacks the bytes halts the wallet: it may have been sent, so it is followed to its end,
    /// but nobody can send it again.
    #[must_use]
    pub fn restore(wallet: &str, record: LaneRecord, cursor: Cursor) -> Self {
        let mut desk = Self {
            wallet: wallet.to_owned(),
            lane: Lane::new(cursor.next_sequence),
            tickets: record.tickets.map_or_else(Tickets::unread, Tickets::known),
            moved_at: cursor.at,
            refill_from: None,
            request_done: None,
            cursor,
            payments: BTreeMap::new(),
            flights: BTreeMap::new(),
            sign_from: record.sign_from,
            recall: record.recall,
            remembers: record.remembers,
            began_at: None,
            halted: record.halted,
            passed_over: None,
            kept_for: None,
            kept_told: None,
            signing: Signing::Open,
            may_release: true,
            weighed_at: None,
            steps: 0,
        };
        for in_flight in record.in_flight {
            desk.restore_payment(in_flight);
        }
        for PlugRecord { plug, .. } in record.plugs {
            let hash = plug.hash;
            desk.occupy(plug.slot);
            desk.flights.insert(hash, plug_flight(&plug, Sent::Never));
        }
        for TicketCreateRecord { signed, state } in record.ticket_creates {
            desk.occupy(signed.attempt.slot);
            if let Slot::Sequence(sequence) = signed.attempt.slot {
                desk.lane.bar(sequence);
            }
            let flight = Flight {
                refused: matches!(state, AttemptState::Refused { .. }),
                ..making_flight(&signed, Sent::Never)
            };
            desk.flights.insert(signed.attempt.hash, flight);
        }
        desk
    }

    fn restore_payment(&mut self, (payment, blobs): InFlight) {
        let mut blobs: BTreeMap<TxHash, Vec<u8>> = blobs.into_iter().collect();
        for attempt in payment.open_attempts() {
            let blob = blobs.remove(&attempt.hash);
            let is_lost = blob.is_none();
            if is_lost {
                let (id, hash) = (payment.id, attempt.hash);
                self.halted.get_or_insert_with(|| {
                    format!(
                        "the database lacks the bytes of {hash}, which is open for payment {id}: it is \
                         followed and not sent again; resume the wallet once the payment has its end"
                    )
                });
            }
            let flight = Flight {
                owner: Owner::Payment(payment.id),
                slot: attempt.slot,
                first_ledger: attempt.first_ledger,
                last_ledger: attempt.last_ledger,
                fee: attempt.fee,
                cost: cost_of(payment.order.amount, attempt.fee),
                blob: blob.unwrap_or_default().into(),
                sent_at: Sent::Never,
                refused: is_lost || matches!(attempt.state, AttemptState::Refused { .. }),
            };
            self.occupy(attempt.slot);
            self.flights.insert(attempt.hash, flight);
        }
        self.payments.insert(payment.id, payment);
    }

    /// Counts one more attempt on `slot`, that is open or about to be signed.
    pub(super) fn occupy(&mut self, slot: Slot) {
        match slot {
            Slot::Sequence(sequence) => self.lane.open_attempt(sequence),
            Slot::Ticket(ticket) => self.tickets.open_attempt(ticket),
        }
    }

    /// An attempt on `slot` is settled, or was not signed after all.
    pub(super) fn give_back(&mut self, slot: Slot) {
        match slot {
            Slot::Sequence(sequence) => self.lane.close(sequence),
            Slot::Ticket(ticket) => self.tickets.close(ticket),
        }
    }

    /// Forgets an attempt that is settled.
    pub(super) fn settle(&mut self, hash: &TxHash) {
        if let Some(flight) = self.flights.remove(hash) {
            self.give_back(flight.slot);
        }
    }

    /// The queue may hold something that can be signed now, wherever it stands.
    pub(super) fn look_again(&mut self) {
        self.passed_over = None;
        self.kept_for = None;
    }

    /// Everything that is open, as the journal's fold wants it.
    pub(super) fn slots(&self) -> OpenSlots<(Owner, TxHash)> {
        let mut slots = OpenSlots::new();
        for (&hash, flight) in &self.flights {
            slots
                .entry(flight.slot)
                .or_insert_with(Vec::new)
                .push(OpenAttempt {
                    owner: (flight.owner, hash),
                    hash,
                    first_ledger: flight.first_ledger,
                    last_ledger: flight.last_ledger,
                });
        }
        slots
    }

    /// How far the journal is.
    #[must_use]
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Why the wallet signs nothing, where it does not.
    #[must_use]
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// No signing before the journal is here.
    #[must_use]
    pub const fn sign_from(&self) -> Option<LedgerIndex> {
        self.sign_from
    }

    /// The ledgers before the journal's beginning that are still to be read for payments which this
    /// database does not know.
    #[must_use]
    pub const fn recall(&self) -> Option<(LedgerIndex, LedgerIndex)> {
        self.recall
    }

    /// Whether the ledger remembers payments that this database did not know.
    #[must_use]
    pub const fn remembers(&self) -> bool {
        self.remembers
    }

    /// The attempts that could still be applied, by hash.
    #[must_use]
    pub const fn flights(&self) -> &BTreeMap<TxHash, Flight> {
        &self.flights
    }

    /// The payment with this identifier, while something of it is open.
    #[must_use]
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(&id)
    }

    /// The sequences in use.
    #[must_use]
    pub const fn lane(&self) -> &Lane {
        &self.lane
    }

    /// The tickets that stand, and which of them are free.
    #[must_use]
    pub const fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// What the account may spend on new attempts while `reserve` must stay.
    #[must_use]
    pub fn spendable(&self, reserve: Drops) -> Drops {
        let balance = self.cursor.balance.saturating_sub(reserve);
        balance.saturating_sub(self.in_flight())
    }

    /// What open attempts may still cost: of each slot the dearest, since one of them is applied.
    #[must_use]
    pub fn in_flight(&self) -> Drops {
        let mut dearest: BTreeMap<Slot, Drops> = BTreeMap::new();
        for flight in self.flights.values() {
            let cost = dearest.entry(flight.slot).or_default();
            *cost = flight.cost.max(*cost);
        }
        dearest.into_values().fold(Drops::ZERO, |sum, cost| {
            sum.checked_add(cost).unwrap_or(Drops::MAX)
        })
    }

    /// The newest ledger when this life of the engine began: what happened up to it is read before
    /// anything is signed. The first ledger that is told counts.
    pub fn began(&mut self, tip: LedgerIndex) {
        self.began_at.get_or_insert(tip);
    }

    /// Whether the journal is where signing may begin.
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.halted.is_none() && self.knows_the_past()
    }

    /// Whether everything has been read that this database may have forgotten, or never known: only
    /// then can a payment be signed, or be said to have run out of time.
    #[must_use]
    pub fn knows_the_past(&self) -> bool {
        let reached = |ledger: LedgerIndex| self.cursor.at >= ledger;
        self.recall.is_none()
            && self.sign_from.is_none_or(reached)
            && self.began_at.is_some_and(reached)
    }
}

/// What the account pays if a payment of `amount` with this fee is applied.
#[must_use]
pub fn cost_of(amount: Drops, fee: Drops) -> Drops {
    amount.checked_add(fee).unwrap_or(Drops::MAX)
}

/// A plug as an attempt that could be applied.
pub(super) fn plug_flight(plug: &NewPlug, sent_at: Sent) -> Flight {
    Flight {
        owner: Owner::Plug,
        slot: plug.slot,
        first_ledger: plug.first_ledger,
        last_ledger: plug.last_ledger,
        fee: plug.fee,
        cost: plug.fee,
        blob: plug.blob.as_slice().into(),
        sent_at,
        refused: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;

    #[test]
    fn a_desk_that_is_read_again_holds_what_was_open() {
        let payment = bed::in_flight(1, 100, 7);
        let record = LaneRecord {
            in_flight: vec![(payment.clone(), vec![(bed::hash(7), vec![1, 2])])],
            plugs: vec![bed::plug_record(102, 9)],
            ..bed::record()
        };
        let desk = bed::desk_of(record);
        assert_eq!(desk.lane().holes().collect::<Vec<_>>(), [101]);
        assert_eq!(desk.flights().len(), 2);
        assert_eq!(desk.payment(payment.id), Some(&payment));
        let reserve = bed::drops(1_000_000);
        let left = bed::BALANCE - 1_000_000 - payment.order.amount.get() - 10 - 10;
        assert_eq!(desk.spendable(reserve), bed::drops(left));
    }

    #[test]
    fn an_attempt_without_its_bytes_halts_the_wallet_and_is_followed_like_any_other() {
        let payment = bed::in_flight(1, 100, 7);
        let record = LaneRecord {
            in_flight: vec![(payment.clone(), Vec::new())],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let why = desk.halted().unwrap();
        assert!(why.contains(&payment.id.to_string()), "{why}");
        assert!(why.contains(&bed::hash(7).to_string()), "{why}");
        assert!(!desk.may_sign());
        assert_eq!(desk.lane().open_len(), 1, "its sequence is taken");
        assert_eq!(desk.may_leave(&bed::hash(7)), None);
        assert!(desk.due_for_sending(Tick(0)).is_empty());
        // It may have been sent before its bytes were lost.
        let page = bed::page(&desk, vec![bed::entry(bed::hash(7), 100, "tesSUCCESS")]);
        let step = desk
            .take_page(&page, None, &bed::SETTINGS, bed::NOW)
            .unwrap();
        assert_eq!(step.commit().changes.len(), 1);
        let _ = desk.made_durable(step);
        assert!(desk.flights().is_empty());
    }

    #[test]
    fn a_reason_to_halt_that_is_known_stays() {
        let record = LaneRecord {
            halted: Some("a person said so".into()),
            in_flight: vec![(bed::in_flight(1, 100, 7), Vec::new())],
            ..bed::record()
        };
        assert_eq!(bed::desk_of(record).halted(), Some("a person said so"));
    }

    #[test]
    fn nothing_is_signed_before_the_journal_is_where_this_life_began() {
        let record = bed::record();
        let cursor = record.cursor.clone().unwrap();
        let mut desk = Desk::restore("hot", record, cursor.clone());
        assert!(!desk.may_sign(), "the tip is not known yet");
        desk.began(cursor.at.plus(1));
        desk.began(cursor.at);
        assert!(!desk.may_sign(), "the first tip counts");
    }
}
