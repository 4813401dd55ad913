//! What a pause does to a wallet's work, and what it leaves alone.
//!
//! While the wallet is paused nothing of the queue is signed and no tickets are made; what is queued is
//! marked `paused`, and released when the pause is over. What is in flight goes on: it is sent again, its
//! fee is raised on its own slot, no-ops fill the slots that it waits behind, and it is settled. An
//! attempt that is proven dead puts its payment back into the queue, where it waits like any other.
//!
//! The desk's word is what the engine was told last. What binds is read in the transaction of the
//! commit, by [`super::LaneCommit::signs_anew`].

use super::batch::Batch;
use super::{Desk, Step};
use crate::ids::UnixMs;
use crate::pause::Signing;
use crate::payment::{Event, Hold, Payment};

impl Desk {
    /// Takes the newest word on whether the wallet may begin something new.
    pub fn set_signing(&mut self, signing: Signing) {
        if self.signing != signing {
            self.signing = signing;
            self.look_again();
            self.may_release = signing == Signing::Open;
        }
    }

    /// Whether the wallet may begin something new, as far as the desk was told.
    #[must_use]
    pub const fn signing(&self) -> Signing {
        self.signing
    }

    /// Whether payments may be queued that are marked as paused and are not any more.
    #[must_use]
    pub fn wants_release(&self) -> bool {
        self.signing == Signing::Open && self.may_release
    }

    /// Marks these payments, which are queued, as paused.
    pub fn hold_paused(&self, queued: &[Payment], now: UnixMs) -> Step {
        self.mark(queued, &Event::Hold(Hold::Paused), now)
    }

    /// Takes the mark from these payments, which are queued and marked as paused. Where there are none,
    /// there are none until the next pause.
    pub fn release_paused(&mut self, queued: &[Payment], now: UnixMs) -> Step {
        self.may_release = !queued.is_empty();
        self.mark(queued, &Event::Release, now)
    }

    fn mark(&self, queued: &[Payment], event: &Event, now: UnixMs) -> Step {
        let mut batch = Batch::default();
        for payment in queued {
            batch.apply(payment, event.clone(), now);
        }
        Step::of(self, batch, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, LaneCommit, TicketPlan, TicketWants, bed};
    use super::*;
    use crate::payment::{Attempt, AttemptState, Slot, State, Substatus};
    use crate::tickets::Refill;

    #[test]
    fn nothing_of_the_queue_is_looked_at_while_paused_and_all_of_it_after() {
        let mut desk = bed::desk();
        desk.set_signing(Signing::Paused);
        assert_eq!(desk.next_scan(&bed::AT, &bed::SETTINGS), None);
        desk.set_signing(Signing::Open);
        let scan = desk.next_scan(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(scan.after, None);
    }

    #[test]
    fn what_is_queued_is_marked_and_released_and_marked_once_only() {
        let mut desk = bed::desk();
        desk.set_signing(Signing::Paused);
        let queued = bed::payment(1);
        let step = desk.hold_paused(std::slice::from_ref(&queued), bed::NOW);
        let held = step.commit().changes[0].payment.clone();
        assert_eq!(held.substatus(), Some(Substatus::Paused));
        assert!(!step.commit().signs_anew());
        let again = desk.hold_paused(std::slice::from_ref(&held), bed::NOW);
        assert!(again.is_empty());
        assert!(!desk.wants_release());
        desk.set_signing(Signing::Open);
        assert!(desk.wants_release());
        let step = desk.release_paused(&[held], bed::NOW);
        let free = &step.commit().changes[0].payment;
        assert_eq!(free.state, State::Queued { hold: None });
        assert!(desk.wants_release(), "there may be more");
        assert!(desk.release_paused(&[], bed::NOW).is_empty());
        assert!(!desk.wants_release());
    }

    #[test]
    fn tickets_are_not_made_while_paused() {
        let mut desk = bed::desk();
        let wants = TicketWants {
            request: None,
            refill: Refill {
                low_water: 10,
                refill_to: 20,
            },
            reserve_each: bed::drops(200_000),
        };
        desk.set_signing(Signing::Paused);
        let plan = desk.plan_tickets(&wants, &bed::AT, &bed::SETTINGS, bed::NOW);
        assert!(matches!(plan, TicketPlan::Nothing));
    }

    #[test]
    fn a_commit_that_signs_is_told_from_one_that_raises_a_fee_or_fills_a_slot() {
        let mut desk = bed::desk();
        let plan = bed::plan(&mut desk, vec![bed::payment(1), bed::payment(2)]);
        let step = bed::sealed(&mut desk, plan);
        assert!(step.commit().signs_anew());
        let sent = desk.made_durable(step).send;
        desk.set_signing(Signing::Paused);

        for _ in 0..3 {
            bed::next_ledger(&mut desk);
        }
        let mut dear = bed::AT;
        dear.tip = desk.cursor().at;
        dear.quote.open_ledger = bed::drops(100);
        let raise = desk.plan_replacements(&dear, &bed::SETTINGS, bed::NOW);
        let raise = raise.unwrap();
        assert_eq!(raise.jobs().len(), sent.len());
        assert_eq!(raise.jobs()[0].terms.slot, Slot::Sequence(100));
        let step = bed::sealed(&mut desk, raise);
        assert!(!step.commit().changes[0].new_blobs.is_empty());
        assert!(!step.commit().signs_anew());
    }

    #[test]
    fn an_attempt_that_has_its_end_makes_another_one_on_its_slot_no_replacement() {
        let mut payment = bed::in_flight(1, 100, 7);
        payment.attempts[0].state = AttemptState::Validated {
            result: "tecUNFUNDED_PAYMENT".into(),
            ledger_index: bed::AT.tip,
        };
        let again = Attempt {
            hash: bed::hash(8),
            state: AttemptState::Signed,
            ..payment.attempts[0].clone()
        };
        payment.attempts.push(again);
        let mut commit = LaneCommit::new("hot", bed::NOW);
        commit.changes.push(Change {
            before: payment.version,
            payment,
            new_blobs: vec![(bed::hash(8), vec![8])],
            settled: None,
        });
        assert!(commit.signs_anew());
        // Beside one that is open it is a replacement.
        commit.changes[0].payment.attempts[0].state = AttemptState::Unknown;
        assert!(!commit.signs_anew());
    }

    #[test]
    fn a_slot_that_something_in_flight_waits_behind_is_filled_while_paused() {
        let record = super::super::LaneRecord {
            plugs: vec![bed::plug_record(101, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        desk.set_signing(Signing::Paused);
        let plan = desk.plan_plugs(&bed::AT, &bed::SETTINGS).unwrap();
        let step = bed::sealed(&mut desk, plan);
        assert_eq!(step.commit().new_plugs.len(), 1);
        assert!(!step.commit().signs_anew());
    }
}
