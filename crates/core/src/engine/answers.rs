//! What the servers answer to submissions: hints, of which only those that say something new are kept.

use super::batch::Batch;
use super::{Desk, Note, Owner, Step, Tick};
use crate::ids::{PaymentId, TxHash, UnixMs};
use crate::ledger::codes::{self, OnSubmit};
use crate::payment::{Answer, AttemptState, Event};

impl Desk {
    /// Takes the answers of submissions, one an attempt.
    pub fn take_answers(&self, answers: &[(TxHash, Answer)], tick: Tick, now: UnixMs) -> Step {
        let mut batch = Batch::default();
        let (mut lost, mut refused) = (Vec::new(), Vec::new());
        for (hash, answer) in answers {
            let Some(flight) = self.flights.get(hash) else {
                continue;
            };
            // What waits in a queue or found no room may wait long: the fee has moved.
            if let Answer::Engine(code) = answer
                && (codes::on_submit(code) == OnSubmit::Crowded || code == "terQUEUED")
                && !batch.notes.contains(&Note::FeeDoubted)
            {
                batch.notes.push(Note::FeeDoubted);
            }
            if *answer == Answer::Lost {
                lost.push((*hash, tick));
            }
            match (flight.owner, answer) {
                (Owner::Payment(id), _) if self.is_news(id, *hash, answer) => {
                    if *answer != Answer::Lost {
                        batch.notes.extend(self.first_answer(id, *hash));
                    }
                    let (hash, answer) = (*hash, answer.clone());
                    batch.on_open(self, id, Event::Answered { hash, answer }, now);
                }
                (Owner::Plug, Answer::Engine(code))
                    if codes::on_submit(code) == OnSubmit::OwnFault =>
                {
                    batch.stop(format!("a no-op was answered {code}"));
                }
                (Owner::Tickets(making), Answer::Engine(code))
                    if codes::on_submit(code) == OnSubmit::OwnFault =>
                {
                    let count = making.count;
                    batch.stop(format!(
                        "the creation of {count} tickets was answered {code}"
                    ));
                }
                (Owner::Tickets(making), Answer::Engine(code))
                    if codes::on_submit(code) == OnSubmit::Never && !flight.refused =>
                {
                    self.refuse_making(&mut batch, making, *hash, code);
                    refused.push(*hash);
                }
                (Owner::Tickets(making), Answer::Unparsable(code)) if !flight.refused => {
                    self.refuse_making(&mut batch, making, *hash, code);
                    refused.push(*hash);
                }
                (Owner::Payment(_) | Owner::Plug | Owner::Tickets(_), _) => {}
            }
        }
        let refill_from = batch.refill_from;
        let mut step = Step::of(self, batch, now);
        step.refill_from = refill_from;
        step.lost = lost;
        step.refused = refused;
        step
    }

    /// Whether an answer says more than what is already known: the resends of an attempt that a
    /// server has are not worth a write each.
    fn is_news(&self, id: PaymentId, hash: TxHash, answer: &Answer) -> bool {
        match self.attempt_state(id, hash) {
            Some(AttemptState::Submitted { .. }) => match answer {
                Answer::Engine(code) => {
                    matches!(codes::on_submit(code), OnSubmit::Never | OnSubmit::OwnFault)
                }
                Answer::Unparsable(_) => true,
                Answer::Lost => false,
            },
            Some(_) => true,
            None => false,
        }
    }

    fn attempt_state(&self, id: PaymentId, hash: TxHash) -> Option<&AttemptState> {
        let attempt = self.payments.get(&id)?.attempt(hash)?;
        Some(&attempt.state)
    }

    fn first_answer(&self, id: PaymentId, hash: TxHash) -> Option<Note> {
        let attempt = self.payments.get(&id)?.attempt(hash)?;
        (attempt.state == AttemptState::Signed).then_some(Note::FirstAnswer {
            signed_at: attempt.signed_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sent, bed};
    use super::*;

    fn engine(code: &str) -> Answer {
        Answer::Engine(code.into())
    }

    #[test]
    fn the_first_answer_is_kept_and_its_repetitions_cost_no_write() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let step = desk.take_answers(&[(sent[0], engine("tesSUCCESS"))], Tick(1), bed::NOW);
        assert_eq!(step.commit().changes.len(), 1);
        let done = desk.made_durable(step);
        assert_eq!(
            done.notes,
            [Note::FirstAnswer {
                signed_at: bed::NOW
            }]
        );
        for again in [engine("tefALREADY"), engine("terQUEUED"), Answer::Lost] {
            let step = desk.take_answers(&[(sent[0], again)], Tick(2), bed::NOW);
            assert!(step.is_empty());
            let _ = desk.made_durable(step);
        }
    }

    #[test]
    fn an_answer_that_was_lost_is_remembered_without_settling_anything() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let step = desk.take_answers(&[(sent[0], Answer::Lost)], Tick(5), bed::NOW);
        let _ = desk.made_durable(step);
        assert_eq!(desk.flights()[&sent[0]].sent_at, Sent::Lost(Tick(5)));
        assert_eq!(desk.flights().len(), 1);
    }

    #[test]
    fn an_answer_for_something_that_is_settled_or_unknown_says_nothing() {
        let desk = bed::desk();
        let answers = [(bed::hash(1), engine("temMALFORMED"))];
        assert!(desk.take_answers(&answers, Tick(0), bed::NOW).is_empty());
    }

    #[test]
    fn a_fault_of_our_own_stops_the_wallet_whoever_sent_it() {
        let record = super::super::LaneRecord {
            plugs: vec![bed::plug_record(101, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        for hash in [bed::hash(9), sent[0]] {
            let step =
                desk.take_answers(&[(hash, engine("tefMASTER_DISABLED"))], Tick(0), bed::NOW);
            assert!(step.commit().halt.is_some());
        }
    }

    #[test]
    fn a_crowded_ledger_makes_the_known_fee_doubtful() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let step = desk.take_answers(&[(sent[0], engine("telINSUF_FEE_P"))], Tick(0), bed::NOW);
        assert!(desk.made_durable(step).notes.contains(&Note::FeeDoubted));
    }
}
