//! What can happen next in a world: by the ledger, by the client, by each writer.

use super::ledger::{self, Lie, Outcome, Tx, Who};
use super::machine::{self, Act, Fate, Payments, Queue, World};
use xrpayd_core::payment::Answer;

impl Payments {
    /// Everything that can happen next.
    pub fn next(&self, world: &World, acts: &mut Vec<Act>) {
        self.of_the_ledger(world, acts);
        self.of_the_client(world, acts);
        self.of_the_operator(world, acts);
        self.of_the_leases(world, acts);
        for w in 0..world.writers.len() {
            self.of_a_writer(world, w, acts);
        }
    }

    fn of_the_ledger(&self, world: &World, acts: &mut Vec<Act>) {
        if self.goes_on(world) {
            let left = world.left;
            self.closes(world, &mut Vec::new(), left, acts);
        }
    }

    /// Every ledger that may close next: in the order of the sequences, any of what was sent.
    fn closes(
        &self,
        world: &World,
        taken: &mut Vec<(Tx, Outcome)>,
        left: machine::Left,
        acts: &mut Vec<Act>,
    ) {
        acts.push(Act::Close(taken.clone()));
        let truth = &world.truth;
        let next = truth.sequence_at(truth.ledger) + u8::try_from(taken.len()).unwrap();
        let fits = |tx: &&Tx| tx.sequence == next && tx.last_ledger > truth.ledger;
        for tx in truth.wire.iter().filter(fits) {
            let mut outcomes = vec![Outcome::Done];
            if matches!(tx.who, Who::Payment(_)) && left.bad_luck > 0 {
                outcomes.extend([Outcome::Refused, Outcome::Short]);
            }
            for outcome in outcomes {
                let bad_luck = left.bad_luck - u8::from(outcome != Outcome::Done);
                taken.push((*tx, outcome));
                self.closes(world, taken, machine::Left { bad_luck, ..left }, acts);
                taken.pop();
            }
        }
        if left.strangers > 0 {
            let theirs = Tx {
                who: Who::Stranger,
                sequence: next,
                fee: 10,
                last_ledger: 0,
            };
            let strangers = left.strangers - 1;
            taken.push((theirs, Outcome::Done));
            self.closes(world, taken, machine::Left { strangers, ..left }, acts);
            taken.pop();
        }
    }

    fn of_the_client(&self, world: &World, acts: &mut Vec<Act>) {
        let accepted = world.db.payments.len();
        if accepted < usize::from(machine::PAYMENTS) && world.truth.ledger < self.bounds.expires {
            acts.push(Act::Accept);
        }
        if world.left.cancels > 0 {
            acts.extend((0..machine::PAYMENTS).map(Act::Cancel));
        }
    }

    /// A writer does not know: what is paused is read where it binds, in the commit.
    fn of_the_operator(&self, world: &World, acts: &mut Vec<Act>) {
        if world.db.is_paused {
            acts.push(Act::Resume);
        } else if world.left.pauses > 0 {
            acts.push(Act::Pause);
        }
    }

    fn of_a_writer(&self, world: &World, w: usize, acts: &mut Vec<Act>) {
        let writer = &world.writers[w];
        let takes_turns = self.bounds.leases.is_some();
        let is_behind = !takes_turns && !world.is_up_to_date(w);
        if is_behind {
            acts.push(Act::Start(w));
        }
        if !writer.alive || (world.left.stale == 0 && is_behind) {
            return;
        }
        let mut fates = vec![Fate::Lives];
        if world.left.deaths > 0 && !takes_turns {
            fates.push(Fate::Dies);
        }
        let (cursor, tip) = (
            ledger::since_start(writer.seen.cursor.at),
            world.truth.ledger,
        );
        let is_overdue = world.desk(w).has_overdue();
        for fate in fates {
            acts.push(Act::Sign(w, Queue::Now, fate));
            if self.bounds.cancels > 0 && world.has_an_old_queue(w) {
                acts.push(Act::Sign(w, Queue::Before, fate));
            }
            acts.extend([Act::Plug(w, fate), Act::Expire(w, fate)]);
            let replaceable = (0..machine::PAYMENTS)
                .filter(|n| world.left.replacements > 0 && World::is_in_flight(&writer.seen, *n));
            acts.extend(replaceable.map(|n| Act::Replace(w, n, fate)));
            if world.left.raises > 0 {
                acts.push(Act::Raise(w, fate));
            }
            if cursor < tip {
                let is_told = world.truth.applied.iter().any(|a| a.ledger > cursor);
                let mut stories = vec![None];
                if is_told {
                    stories.extend([Some(Lie::Absent), Some(Lie::Result)]);
                }
                for story in stories {
                    acts.push(Act::Page(w, tip, story, fate));
                    if cursor + 1 < tip {
                        acts.push(Act::Page(w, cursor + 1, story, fate));
                    }
                }
            }
            if is_overdue {
                // The root at the journal's end; and one from far past it, which must prove nothing.
                for story in [None, Some(Lie::Absent)] {
                    acts.push(Act::Root(w, cursor, story, fate));
                    if cursor < tip {
                        acts.push(Act::Root(w, tip, story, fate));
                    }
                }
            }
        }
        if world.left.answers > 0 {
            self.answers_to(world, w, acts);
        }
        if self.plant.is_some() {
            acts.extend((0..machine::PAYMENTS).map(|n| Act::Bug(w, n)));
        }
    }

    /// What any server may answer, whatever becomes of the attempt.
    fn answers_to(&self, world: &World, w: usize, acts: &mut Vec<Act>) {
        for payment in &world.writers[w].seen.payments {
            for attempt in payment.open_attempts() {
                let codes: &[&str] = if self.bounds.raises > 0 {
                    &["telINSUF_FEE_P"]
                } else {
                    &["temMALFORMED", "tefPAST_SEQ", "terQUEUED"]
                };
                for code in codes {
                    let answer = Answer::Engine((*code).to_owned());
                    acts.push(Act::Answered(w, attempt.hash, answer));
                }
                acts.push(Act::Answered(w, attempt.hash, Answer::Lost));
            }
        }
    }
}
