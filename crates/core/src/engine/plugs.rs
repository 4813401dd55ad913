//! No-ops for sequences that something waits behind and that no payment will take.

use super::sign::{Job, Plan, Task, Terms};
use super::{Conditions, Desk, Settings};
use crate::fee::{FeeChoice, choose};
use crate::payment::Slot;
use std::collections::BTreeMap;

/// No-ops signed in one commit at most.
const PLUG_BATCH_MAX: usize = 512;

impl Desk {
    /// Plans no-ops on the slots that something waits behind: those that nothing uses, where the queue
    /// had nothing to fill them with, and those whose every attempt is malformed. Nothing while the
    /// ledger cannot be seen or asks for more fee than the cap.
    pub fn plan_plugs(&mut self, at: &Conditions, settings: &Settings) -> Option<Plan> {
        if !self.may_sign() || !self.sees(at, settings) {
            return None;
        }
        let holes = self.lane.holes().map(Slot::Sequence);
        let slots: Vec<Slot> = holes
            .chain(self.refused_slots())
            .take(PLUG_BATCH_MAX)
            .collect();
        if slots.is_empty() {
            return None;
        }
        let FeeChoice::Pay(fee) = choose(at.quote, settings.max_fee) else {
            return None;
        };
        let last_ledger = at.tip.plus(settings.ledger_window);
        let mut jobs = Vec::with_capacity(slots.len());
        for slot in slots {
            self.occupy(slot);
            let terms = Terms {
                slot,
                fee,
                last_ledger,
            };
            jobs.push(Job {
                task: Task::Plug,
                terms,
            });
        }
        Some(Plan::of(jobs))
    }

    /// The slots whose every attempt is malformed: nothing will take them unless a no-op does.
    fn refused_slots(&self) -> Vec<Slot> {
        let mut verdicts: BTreeMap<Slot, bool> = BTreeMap::new();
        for flight in self.flights.values() {
            // Nothing waits behind a ticket: it is free again when the attempt is proven dead.
            if matches!(flight.slot, Slot::Ticket(_)) {
                continue;
            }
            let all = verdicts.entry(flight.slot).or_insert(true);
            *all = *all && flight.refused;
        }
        verdicts
            .into_iter()
            .filter_map(|(slot, all)| all.then_some(slot))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LaneRecord, Tick, bed};
    use super::*;
    use crate::payment::Answer;

    #[test]
    fn a_hole_that_something_waits_behind_gets_a_no_op_and_only_one() {
        let record = LaneRecord {
            plugs: vec![bed::plug_record(102, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let plan = desk.plan_plugs(&bed::AT, &bed::SETTINGS).unwrap();
        let slots: Vec<Slot> = plan.jobs().iter().map(|job| job.terms.slot).collect();
        assert_eq!(slots, [100, 101].map(Slot::Sequence));
        let step = bed::sealed(&mut desk, plan);
        assert_eq!(step.commit().new_plugs.len(), 2);
        assert_eq!(desk.made_durable(step).send.len(), 2);
        assert!(desk.plan_plugs(&bed::AT, &bed::SETTINGS).is_none());
    }

    #[test]
    fn a_slot_whose_attempt_no_server_would_take_is_filled() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        assert!(desk.plan_plugs(&bed::AT, &bed::SETTINGS).is_none());
        let answer = (sent[0], Answer::Engine("temBAD_FEE".into()));
        let step = desk.take_answers(&[answer], Tick(0), bed::NOW);
        let done = desk.made_durable(step);
        assert_eq!(done.closed, sent);
        let plan = desk.plan_plugs(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(plan.jobs()[0].terms.slot, Slot::Sequence(100));
        let step = bed::sealed(&mut desk, plan);
        let _ = desk.made_durable(step);
        assert_eq!(desk.lane().open_len(), 1);
    }

    #[test]
    fn no_no_op_burns_more_than_the_cap() {
        let record = LaneRecord {
            plugs: vec![bed::plug_record(102, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let mut at = bed::AT;
        at.quote.open_ledger = bed::SETTINGS.max_fee.checked_add(bed::drops(1)).unwrap();
        assert!(desk.plan_plugs(&at, &bed::SETTINGS).is_none());
        assert_eq!(desk.lane().holes().count(), 2);
    }
}
