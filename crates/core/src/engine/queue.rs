//! From the queue to the signer: which payments are signed now, on which sequence or ticket, at what
//! fee; which are held back, adopted, or out of time.
//!
//! Fairness: the queue is served in the order of acceptance. A payment that the balance or the fee cap
//! holds back is passed over, so that smaller ones behind it go on; it is looked at again, first, with
//! every ledger. Not for ever: one that the balance holds back and that has waited for
//! `low_balance_patience` is waited for, and what the wallet has and what comes in is kept for it until
//! it can be paid. So a stream of small payments starves no large one for longer than that.

use super::adopt::adopt;
use super::batch::Batch;
use super::sign::{Job, Plan, Task, Terms};
use super::step::Queue;
use super::{Conditions, Desk, Note, Remembered, Settings, Step, cost_of};
use crate::fee::{FeeChoice, FeeQuote, choose};
use crate::ids::{PaymentId, UnixMs};
use crate::money::Drops;
use crate::pause::Signing;
use crate::payment::{Event, Hold, Order, Payment};
use crate::preflight::Refusal;
use crate::tickets::Way;
use std::collections::BTreeMap;

/// Queued payments looked at, and so signed, in one commit at most.
const SCAN_MAX: u32 = 512;
/// And of which something is found out before any may be signed.
const AHEAD_MAX: u32 = 64;

/// The part of the queue that is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Behind this payment; from the oldest where there is none.
    pub after: Option<PaymentId>,
    /// So many payments at most.
    pub limit: u32,
}

/// What is known of the account that a payment goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Nothing that speaks against it, or nothing at all.
    Clear,
    /// It is being read: the payment keeps its place and is not signed yet.
    Pending,
    /// A validated ledger speaks against the payment.
    Refused(Refusal),
}

impl Desk {
    /// What is to be read of the queue; nothing while nothing of it could be signed.
    #[must_use]
    pub fn next_scan(&self, at: &Conditions, settings: &Settings) -> Option<Scan> {
        let can_sign = self.signing == Signing::Open
            && self.may_sign()
            && self.sees(at, settings)
            && self.way(self.is_stuck(), 0, settings) != Way::Wait;
        can_sign.then_some(Scan {
            after: self.passed_over,
            limit: SCAN_MAX,
        })
    }

    /// What of the queue comes first once the journal has been read so far that anything may be signed;
    /// nothing where older ledgers are read too, which takes long, or where nothing is signed even then.
    #[must_use]
    pub fn scan_ahead(&self) -> Option<Scan> {
        let signs_soon = self.signing == Signing::Open
            && self.halted.is_none()
            && self.recall.is_none()
            && !self.knows_the_past();
        signs_soon.then_some(Scan {
            after: None,
            limit: AHEAD_MAX,
        })
    }

    /// Plans what of `queued`, which is what [`Desk::next_scan`] asked for, is signed now. `known` are
    /// those of them that the ledger holds already. `look` is asked about each that could be signed now.
    pub fn plan_signing(
        &mut self,
        queued: Vec<Payment>,
        known: &BTreeMap<PaymentId, Remembered>,
        at: &Conditions,
        settings: &Settings,
        now: UnixMs,
        look: &mut dyn FnMut(&Payment) -> Sight,
    ) -> Plan {
        // The journal does not move while the plan is made.
        let is_stuck = self.is_stuck();
        let may_be_more = u32::try_from(queued.len()).unwrap_or(SCAN_MAX) >= SCAN_MAX;
        let mut left = self.spendable(at.reserve);
        let (mut jobs, mut batch) = (Vec::new(), Batch::default());
        let (mut looked_at, mut held) = (None, false);
        // How many are being looked at, and which payment stands before the first of them.
        let (mut pending, mut before_pending) = (0, None);
        for payment in queued {
            let way = self.way(is_stuck, pending, settings);
            if way == Way::Wait {
                break;
            }
            let before = looked_at.replace(payment.id);
            if let Some(remembered) = known.get(&payment.id) {
                adopt(&mut batch, &payment, remembered, now);
                continue;
            }
            if payment.is_past_expiry(now) {
                continue;
            }
            let is_behind = self.kept_for.is_some_and(|oldest| oldest < payment.id);
            let spendable = if is_behind { Drops::ZERO } else { left };
            match weigh(&payment.order, at.quote, settings.max_fee, spendable) {
                Err(hold) => {
                    held = true;
                    let age_ms = now.since_ms(payment.queued_since());
                    if hold == Hold::LowBalance && age_ms >= settings.low_balance_patience_ms {
                        batch.notes.extend(self.keep_for(&payment));
                    }
                    batch.apply(&payment, Event::Hold(hold), now);
                }
                Ok(fee) => {
                    match look(&payment) {
                        Sight::Clear => {}
                        Sight::Pending => {
                            // It keeps its place in front of the money that those behind it want.
                            let cost = cost_of(payment.order.amount, fee);
                            left = left.saturating_sub(cost);
                            before_pending.get_or_insert(before);
                            pending += 1;
                            continue;
                        }
                        Sight::Refused(refusal) => {
                            batch.notes.push(Note::Refused {
                                payment: payment.id,
                                obstacle: refusal.obstacle,
                            });
                            batch.apply(&payment, Event::Refuse(refusal), now);
                            continue;
                        }
                    }
                    let slot = match self.take_slot(way) {
                        Ok(Some(slot)) => slot,
                        Ok(None) => break,
                        Err(none) => {
                            batch.stop(none.to_string());
                            break;
                        }
                    };
                    left = left.saturating_sub(cost_of(payment.order.amount, fee));
                    let terms = Terms {
                        slot,
                        fee,
                        last_ledger: at.tip.plus(settings.ledger_window),
                    };
                    let task = Task::Pay(Box::new(payment));
                    jobs.push(Job { task, terms });
                }
            }
        }
        // What is being looked at is not passed over, and nothing behind it is.
        let queue = match before_pending.unwrap_or(looked_at) {
            Some(last) if held => Queue::After(last),
            Some(_) | None => Queue::AsBefore,
        };
        // Where nothing can be signed before a look has ended, scanning again finds the same.
        let is_idle = pending > 0 && jobs.is_empty();
        let mut plan = Plan::of(jobs);
        plan.batch = batch;
        plan.queue = queue;
        plan.may_be_more = may_be_more && !is_idle;
        plan
    }

    /// Keeps what the wallet has for this payment, unless an older one waits already. Tells of it
    /// once, and not with every ledger.
    fn keep_for(&mut self, payment: &Payment) -> Option<Note> {
        let id = payment.id;
        let is_news = *self.kept_for.get_or_insert(id) == id && self.kept_told != Some(id);
        is_news.then(|| {
            self.kept_told = Some(id);
            Note::KeepsMoney {
                payment: id,
                amount: payment.order.amount,
            }
        })
    }

    /// Ends those of `due` whose time has run out while they are queued or wait for an approval.
    /// `known` are those of them that the ledger holds already. To be asked only while
    /// [`Desk::knows_the_past`].
    pub fn expire(
        &self,
        due: &[Payment],
        known: &BTreeMap<PaymentId, Remembered>,
        now: UnixMs,
    ) -> Step {
        let mut batch = Batch::default();
        for payment in due {
            match known.get(&payment.id) {
                Some(remembered) => adopt(&mut batch, payment, remembered, now),
                None => batch.apply(payment, Event::Expire, now),
            }
        }
        Step::of(self, batch, now)
    }
}

/// The fee with which the payment can be signed now, or what holds it back.
fn weigh(order: &Order, quote: FeeQuote, max_fee: Drops, spendable: Drops) -> Result<Drops, Hold> {
    let cap = order.max_fee.map_or(max_fee, |max| max.min(max_fee));
    let FeeChoice::Pay(fee) = choose(quote, cap) else {
        return Err(Hold::FeeHold);
    };
    if cost_of(order.amount, fee) > spendable {
        Err(Hold::LowBalance)
    } else {
        Ok(fee)
    }
}

#[cfg(test)]
mod fairness;

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;
    use crate::engine::LaneRecord;
    use crate::ids::LedgerIndex;
    use crate::payment::{Slot, State, Status};

    #[test]
    fn a_payment_that_is_too_large_is_passed_over_and_looked_at_again_with_the_next_ledger() {
        let mut desk = bed::desk();
        let mut large = bed::payment(1);
        large.order.amount = bed::drops(bed::BALANCE);
        let plan = bed::plan(&mut desk, vec![large.clone(), bed::payment(2)]);
        assert_eq!(plan.jobs().len(), 1);
        let step = bed::sealed(&mut desk, plan);
        let held = &step.commit().changes[0].payment;
        assert_eq!(held.id, large.id);
        assert_eq!(
            held.state,
            State::Queued {
                hold: Some(Hold::LowBalance)
            }
        );
        let _ = desk.made_durable(step);
        let scan = desk.next_scan(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(scan.after, Some(bed::payment(2).id));
        bed::next_ledger(&mut desk);
        let scan = desk.next_scan(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(scan.after, None);
    }

    #[test]
    fn a_price_above_either_cap_holds_the_payment() {
        let mut desk = bed::desk();
        let mut frugal = bed::payment(1);
        frugal.order.max_fee = Some(bed::drops(9));
        let plan = bed::plan(&mut desk, vec![frugal]);
        let step = bed::sealed(&mut desk, plan);
        let held = &step.commit().changes[0].payment;
        assert_eq!(
            held.state,
            State::Queued {
                hold: Some(Hold::FeeHold)
            }
        );
    }

    #[test]
    fn no_more_is_in_flight_than_is_allowed() {
        let mut desk = bed::desk();
        let many = (1..=bed::SETTINGS.max_in_flight + 3).map(bed::payment);
        let plan = bed::plan(&mut desk, many.collect());
        assert_eq!(plan.jobs().len(), bed::SETTINGS.max_in_flight);
        let step = bed::sealed(&mut desk, plan);
        let _ = desk.made_durable(step);
        assert_eq!(desk.next_scan(&bed::AT, &bed::SETTINGS), None);
    }

    #[test]
    fn nothing_is_read_of_the_queue_while_the_journal_is_far_behind() {
        let desk = bed::desk();
        let mut at = bed::AT;
        at.tip = desk.cursor().at.plus(5);
        assert!(desk.next_scan(&at, &bed::SETTINGS).is_some());
        at.tip = desk.cursor().at.plus(6);
        assert!(desk.next_scan(&at, &bed::SETTINGS).is_none());
    }

    #[test]
    fn what_comes_first_is_looked_for_while_the_journal_is_read_and_not_in_what_takes_longer() {
        let cursor = bed::desk().cursor().clone();
        let begun = |record: LaneRecord, tip: LedgerIndex| {
            let mut desk = Desk::restore("hot", record, cursor.clone());
            desk.began(tip);
            desk
        };
        let next = cursor.at.plus(1);
        let mut desk = begun(bed::record(), next);
        assert_eq!(desk.next_scan(&bed::AT, &bed::SETTINGS), None);
        let ahead = desk.scan_ahead().unwrap();
        assert_eq!((ahead.after, ahead.limit), (None, AHEAD_MAX));
        desk.set_signing(Signing::Paused);
        assert_eq!(desk.scan_ahead(), None);

        let read = begun(bed::record(), cursor.at);
        assert_eq!(read.scan_ahead(), None, "it is signed now");
        let halted = LaneRecord {
            halted: Some("a person said so".into()),
            ..bed::record()
        };
        assert_eq!(begun(halted, next).scan_ahead(), None);
        let remembering = LaneRecord {
            recall: Some((LedgerIndex(1), cursor.at)),
            ..bed::record()
        };
        assert_eq!(begun(remembering, next).scan_ahead(), None);
    }

    #[test]
    fn a_payment_out_of_time_is_neither_signed_nor_kept() {
        let mut desk = bed::desk();
        let mut late = bed::payment(1);
        late.order.expires_at = Some(bed::NOW);
        let plan = bed::plan(&mut desk, vec![late.clone()]);
        assert!(plan.jobs().is_empty());
        let step = desk.expire(&[late], &BTreeMap::new(), bed::NOW);
        assert_eq!(step.commit().changes[0].payment.status(), Status::Expired);
    }

    fn refusal() -> Refusal {
        Refusal {
            obstacle: crate::preflight::Obstacle::TagMissing,
            reading: crate::preflight::Reading {
                ledger_index: bed::AT.tip,
                ledger_hash: crate::ids::LedgerHash([7; 32]),
                servers: vec!["one".into()],
            },
        }
    }

    /// The plan for `queued` where the destinations of some are seen so.
    fn seen(desk: &mut Desk, queued: Vec<Payment>, sights: &[(usize, Sight)]) -> Plan {
        let (known, at) = (BTreeMap::new(), bed::AT);
        let mut look = |payment: &Payment| {
            let mut sights = sights.iter();
            let own = sights.find(|(n, _)| bed::payment(*n).id == payment.id);
            own.map_or(Sight::Clear, |(_, sight)| sight.clone())
        };
        desk.plan_signing(queued, &known, &at, &bed::SETTINGS, bed::NOW, &mut look)
    }

    fn paid(plan: &Plan) -> Vec<PaymentId> {
        let jobs = plan.jobs();
        let paid = jobs.iter().filter_map(|job| match &job.task {
            Task::Pay(payment) => Some(payment.id),
            _ => None,
        });
        paid.collect()
    }

    #[test]
    fn a_payment_that_the_ledger_speaks_against_fails_without_a_signature_or_a_slot() {
        let mut desk = bed::desk();
        let queued = vec![bed::payment(1), bed::payment(2)];
        let plan = seen(&mut desk, queued, &[(1, Sight::Refused(refusal()))]);
        assert_eq!(paid(&plan), [bed::payment(2).id]);
        assert_eq!(plan.jobs()[0].terms.slot, Slot::Sequence(100));
        let step = bed::sealed(&mut desk, plan);
        let change = step.commit().changes.iter();
        let mut failed = change.filter(|change| change.payment.status() == Status::Failed);
        let failed = failed.next().unwrap();
        assert_eq!(failed.payment.id, bed::payment(1).id);
        assert_eq!(failed.settled, Some(Drops::ZERO));
        assert!(failed.new_blobs.is_empty() && failed.payment.attempts.is_empty());
        let done = desk.made_durable(step);
        assert_eq!(done.send.len(), 1);
        assert!(matches!(done.notes[..], [Note::Refused { .. }]));
    }

    #[test]
    fn a_payment_that_is_being_looked_at_keeps_its_place_its_money_and_its_room() {
        let mut desk = bed::desk();
        let mut dear = bed::payment(1);
        dear.order.amount = bed::drops(bed::BALANCE - 6_000_000);
        let queued = vec![dear.clone(), bed::payment(2)];
        let plan = seen(&mut desk, queued, &[(1, Sight::Pending)]);
        assert!(paid(&plan).is_empty(), "its money was given to another");
        let step = bed::sealed(&mut desk, plan);
        let _ = desk.made_durable(step);
        let scan = desk.next_scan(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(scan.after, None, "it was passed over");

        let mut desk = bed::desk();
        let many: Vec<Payment> = (1..=bed::SETTINGS.max_in_flight + 1)
            .map(bed::payment)
            .collect();
        let plan = seen(&mut desk, many, &[(1, Sight::Pending)]);
        assert_eq!(plan.jobs().len(), bed::SETTINGS.max_in_flight - 1);
        assert!(!paid(&plan).contains(&bed::payment(1).id));
    }

    #[test]
    fn only_what_stands_before_the_first_look_is_passed_over() {
        let mut desk = bed::desk();
        let mut large = bed::payment(1);
        large.order.amount = bed::drops(bed::BALANCE);
        let queued = vec![large.clone(), bed::payment(2), bed::payment(3)];
        let plan = seen(&mut desk, queued, &[(2, Sight::Pending)]);
        assert_eq!(paid(&plan), [bed::payment(3).id]);
        let step = bed::sealed(&mut desk, plan);
        let _ = desk.made_durable(step);
        let scan = desk.next_scan(&bed::AT, &bed::SETTINGS).unwrap();
        assert_eq!(scan.after, Some(large.id));
    }

    #[test]
    fn a_queue_in_which_everything_is_looked_at_is_not_scanned_again_at_once() {
        let mut desk = bed::desk();
        let many: Vec<Payment> = (1..=usize::try_from(SCAN_MAX).unwrap())
            .map(bed::payment)
            .collect();
        let pending: Vec<(usize, Sight)> = (1..=many.len()).map(|n| (n, Sight::Pending)).collect();
        assert!(!seen(&mut desk, many.clone(), &pending).may_be_more());
        let mut desk = bed::desk();
        let clear = seen(&mut desk, many, &[]);
        assert!(clear.may_be_more());
    }

    #[test]
    fn only_what_could_be_signed_now_is_looked_at() {
        let mut desk = bed::desk();
        let mut large = bed::payment(1);
        large.order.amount = bed::drops(bed::BALANCE);
        let mut late = bed::payment(2);
        late.order.expires_at = Some(bed::NOW);
        let mut looked = Vec::new();
        let plan = desk.plan_signing(
            vec![large, late, bed::payment(3)],
            &BTreeMap::new(),
            &bed::AT,
            &bed::SETTINGS,
            bed::NOW,
            &mut |payment| {
                looked.push(payment.id);
                Sight::Clear
            },
        );
        assert_eq!(looked, [bed::payment(3).id]);
        assert_eq!(paid(&plan), looked);
    }
}
