//! What an account root at the journal's end proves absent, and what the journal does not explain.

use super::batch::Batch;
use super::step::Queue;
use super::{Desk, Owner, Step};
use crate::ids::{LedgerIndex, UnixMs};
use crate::journal::{RootProof, prove_absence};
use crate::payment::{Event, Finding, Slot};

impl Desk {
    /// Whether the journal has passed the last ledger of something that is still open: the account
    /// root at the cursor may prove its absence.
    #[must_use]
    pub fn has_overdue(&self) -> bool {
        let at = self.cursor.at;
        self.flights.values().any(|flight| flight.last_ledger <= at)
    }

    /// Whether something overdue went by ticket: then the proof needs the tickets that stand.
    #[must_use]
    pub fn has_overdue_by_ticket(&self) -> bool {
        let at = self.cursor.at;
        let mut overdue = self
            .flights
            .values()
            .filter(|flight| flight.last_ledger <= at);
        overdue.any(|flight| matches!(flight.slot, Slot::Ticket(_)))
    }

    /// Shows `outcome_unknown` on what the journal has passed without a proof.
    pub fn overdue(&self, now: UnixMs) -> Step {
        let mut batch = Batch::default();
        for (&hash, flight) in &self.flights {
            if let Owner::Payment(id) = flight.owner
                && flight.last_ledger <= self.cursor.at
            {
                batch.on_open(self, id, Event::Overdue { hash }, now);
            }
        }
        Step::of(self, batch, now)
    }

    /// Tries to prove the absence of every attempt whose last ledger the journal has passed.
    pub fn take_root(&self, root: &RootProof, now: UnixMs) -> Step {
        let mut findings = Vec::new();
        for (slot, attempts) in self.slots() {
            for attempt in attempts {
                if let Some(proof) = prove_absence(&self.cursor, root, slot, &attempt) {
                    let hash = attempt.hash;
                    findings.push((attempt.owner, Finding::Absent { hash, proof }));
                }
            }
        }
        let mut batch = Batch::default();
        if let Some(reason) = self.unexplained(root) {
            batch.stop(reason);
        }
        let settled = self.apply_findings(&mut batch, findings, now);
        let mut step = Step::of(self, batch, now);
        if !step.is_empty() {
            step.queue = Queue::Again;
        }
        step.settled = settled;
        step
    }

    /// The servers agree that the account does not exist in ledger `at`: nothing can be signed for it.
    pub fn take_no_root(&self, at: LedgerIndex, now: UnixMs) -> Step {
        let mut batch = Batch::default();
        batch.stop(format!("the account does not exist in ledger {at}"));
        Step::of(self, batch, now)
    }

    /// What the account root, or its tickets, show and the journal does not explain: a sequence or a
    /// ticket that went by with no transaction that took it. Neither an outcome nor an absence can be
    /// concluded from that.
    fn unexplained(&self, root: &RootProof) -> Option<String> {
        let (at, root_sequence) = (root.at, root.sequence);
        if at == self.cursor.at && root_sequence != self.cursor.next_sequence {
            return Some(format!(
                "the account shows sequence {root_sequence} in ledger {at}, the journal {}",
                self.cursor.next_sequence
            ));
        }
        let passed = self.flights.iter().find(|(_, flight)| {
            let went_by = match flight.slot {
                Slot::Sequence(sequence) => sequence < root_sequence,
                Slot::Ticket(ticket) => {
                    let standing = root.tickets.as_ref();
                    standing.is_some_and(|standing| !standing.contains(&ticket))
                }
            };
            went_by && flight.last_ledger <= at && at <= self.cursor.at
        });
        passed.map(|(hash, flight)| {
            format!(
                "{:?} went by, and neither {hash} nor another transaction took it",
                flight.slot
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;
    use crate::payment::{AttemptState, State, Substatus};

    fn root(desk: &Desk, sequence: u32) -> RootProof {
        RootProof {
            at: desk.cursor().at,
            sequence,
            tickets: None,
            servers: vec!["a".into()],
        }
    }

    #[test]
    fn an_attempt_is_dead_only_when_journal_and_root_are_past_its_last_ledger() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let step = desk.take_root(&root(&desk, 100), bed::NOW);
        assert!(step.is_empty());
        for _ in 0..=bed::SETTINGS.ledger_window {
            bed::next_ledger(&mut desk);
        }
        assert!(desk.has_overdue());
        let step = desk.overdue(bed::NOW);
        let shown = &step.commit().changes[0].payment;
        assert_eq!(shown.substatus(), Some(Substatus::OutcomeUnknown));
        let _ = desk.made_durable(step);
        let step = desk.take_root(&root(&desk, 100), bed::NOW);
        let payment = &step.commit().changes[0].payment;
        assert_eq!(payment.state, State::Queued { hold: None });
        assert!(matches!(
            payment.attempts[0].state,
            AttemptState::Dead { .. }
        ));
        let done = desk.made_durable(step);
        assert_eq!(done.closed, sent);
        assert_eq!(desk.lane().open_len(), 0);
    }

    #[test]
    fn a_sequence_that_went_by_unseen_halts_the_wallet_and_settles_nothing() {
        let mut desk = bed::desk();
        let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
        for _ in 0..=bed::SETTINGS.ledger_window {
            bed::next_ledger(&mut desk);
        }
        let step = desk.take_root(&root(&desk, 101), bed::NOW);
        assert!(step.commit().changes.is_empty());
        assert!(step.commit().halt.is_some());
        let _ = desk.made_durable(step);
        assert_eq!(desk.flights().len(), 1);
    }

    #[test]
    fn an_account_that_is_not_there_stops_the_wallet() {
        let desk = bed::desk();
        let step = desk.take_no_root(desk.cursor().at, bed::NOW);
        assert!(
            step.commit()
                .halt
                .as_ref()
                .unwrap()
                .contains("does not exist")
        );
    }
}
