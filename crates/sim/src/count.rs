//! Sees what happened, for the tally: where an answer and the ledger differ, what a payment went
//! through, what a step noted.

use crate::tally::{Seen, Tally};
use crate::world::World;
use std::collections::BTreeMap;
use xrpayd_core::engine::{Desk, Done, Note};
use xrpayd_core::ids::TxHash;
use xrpayd_core::journal::{Entry, Page, TICKET_CREATE};
use xrpayd_core::payment::{AbsenceReason, AttemptState, Hold, Payment, Slot, State};

/// Counts how a validated transaction differs from what was answered when it was sent.
pub fn count_entry(
    tally: &mut Tally,
    codes: &BTreeMap<TxHash, &'static str>,
    entry: &Entry,
    is_late: bool,
) {
    let Some(code) = codes.get(&entry.hash) else {
        return;
    };
    tally.add(Seen::ValidatedLate, u64::from(is_late));
    let is_success = entry.result == "tesSUCCESS";
    let is_plug = entry.transaction_type == "AccountSet";
    let makes_tickets = is_success && entry.transaction_type == TICKET_CREATE;
    let is_by_ticket = matches!(entry.slot, Slot::Ticket(_));
    tally.add(Seen::PlugValidated, u64::from(is_plug));
    tally.add(Seen::TicketsMade, u64::from(makes_tickets));
    tally.add(Seen::PaidByTicket, u64::from(is_by_ticket));
    let seen = match code.get(..3).unwrap_or_default() {
        "tes" if !is_success => Seen::SuccessThatFailed,
        "tef" if is_success => Seen::TefThatSucceeded,
        "ter" if is_success => Seen::TerThatSucceeded,
        "tel" if is_success => Seen::TelThatSucceeded,
        "tem" if is_success => Seen::TemThatSucceeded,
        _ if !is_success => Seen::ChargedForNothing,
        _ => return,
    };
    tally.see(seen);
}

/// Counts what one payment went through.
pub fn count_payment(tally: &mut Tally, payment: &Payment) {
    let attempts = payment.attempts.len().saturating_sub(1);
    tally.add(
        Seen::SignedAgain,
        u64::try_from(attempts).unwrap_or_default(),
    );
    for attempt in &payment.attempts {
        match &attempt.state {
            AttemptState::Dead { proof } => tally.see(match proof.reason {
                AbsenceReason::ConsumedBy { .. } => Seen::DeadConsumed,
                AbsenceReason::SlotFree { .. } => Seen::DeadSlotFree,
                AbsenceReason::TicketStands { .. } => Seen::DeadTicketStands,
            }),
            AttemptState::Signed
            | AttemptState::Submitted { .. }
            | AttemptState::Unknown
            | AttemptState::Refused { .. }
            | AttemptState::Validated { .. } => {}
        }
    }
    match &payment.state {
        State::Expired { proof: Some(_) } => tally.see(Seen::ExpiredByProof),
        State::Failed { failure, .. } if failure.code == "transaction_malformed" => {
            tally.see(Seen::Malformed);
        }
        _ => {}
    }
}

impl World {
    /// Counts what a step did.
    pub(crate) fn count_done(&mut self, done: &Done) {
        for note in &done.notes {
            let seen = match note {
                Note::Halted { .. } => Seen::Halted,
                Note::Foreign { .. } => Seen::Foreign,
                Note::SigningWaits { .. } => Seen::SigningWaits,
                Note::Adopted { .. } => Seen::Adopted,
                Note::Refused { .. } => Seen::RefusedBeforeSigned,
                Note::Plugged { .. } => Seen::Plugged,
                Note::Raised { .. } => Seen::Raised,
                _ => continue,
            };
            self.tally.see(seen);
        }
        for change in &done.changes {
            match change.payment.state {
                State::Queued {
                    hold: Some(Hold::LowBalance),
                } => self.tally.see(Seen::HeldForMoney),
                State::Queued {
                    hold: Some(Hold::Paused),
                } => self.tally.see(Seen::HeldForPause),
                State::Queued {
                    hold: Some(Hold::FeeHold),
                } => self.tally.see(Seen::HeldForFee),
                _ => {}
            }
        }
    }

    /// Counts what a page shows although the validated index had gone past its last ledger: whoever
    /// trusts that index has said by now that it can never be applied.
    pub(crate) fn count_false_expiries(&mut self, desk: &Desk, page: &Page) {
        let tip = self.tip();
        let late = page.entries.iter().filter(|entry| {
            let flight = desk.flights().get(&entry.hash);
            flight.is_some_and(|flight| tip.is_some_and(|tip| tip > flight.last_ledger))
        });
        let times = u64::try_from(late.count()).unwrap_or_default();
        self.tally.add(Seen::FalseExpiry, times);
    }
}
