//! Dearer attempts for those that wait while the ledger asks for more fee than they bear.
//!
//! On the same slot, so that the ledger takes one of them at most; all stay open until the journal
//! settles them. The head of the lane comes first, since nothing behind it can go before it: behind a
//! head that neither bears the price nor can be raised now, money would be burned for nothing.

use super::desk::Flight;
use super::sign::{Job, Plan, Task, Terms};
use super::{Conditions, Desk, Owner, Settings, cost_of};
use crate::fee::{self, Heard, Waiting};
use crate::ids::{TxHash, UnixMs};
use crate::ledger::codes::{self, OnSubmit};
use crate::money::Drops;
use crate::pause::Signing;
use crate::payment::{AttemptState, Payment, Slot, State};
use std::collections::BTreeMap;

/// Slots whose attempts are replaced in one commit at most: more than a busy ledger takes of one
/// account, so that what would not go in anyway is not paid more for.
const RAISE_BATCH_MAX: usize = 64;

/// Everything that is open on one slot.
struct Standing<'a> {
    dearest: (TxHash, &'a Flight),
    count: usize,
}

impl Desk {
    /// Plans replacements for what waits with too low a fee, once for each ledger and price. Nothing
    /// where there is nothing to replace, or while the ledger cannot be seen.
    pub fn plan_replacements(
        &mut self,
        at: &Conditions,
        settings: &Settings,
        now: UnixMs,
    ) -> Option<Plan> {
        let level = Some((self.cursor.at, at.quote));
        if !self.may_sign() || !self.sees(at, settings) || self.weighed_at == level {
            return None;
        }
        self.weighed_at = level;
        let mut spendable = self.spendable(at.reserve);
        let (mut jobs, mut superseded) = (Vec::new(), Vec::new());
        let mut is_head_stuck = false;
        for (slot, standing) in self.standings() {
            let by_sequence = matches!(slot, Slot::Sequence(_));
            let (hash, flight) = standing.dearest;
            let goes_in = fee::bears(flight.fee, at.quote) && !flight.refused;
            if goes_in || (by_sequence && is_head_stuck) {
                continue;
            }
            let job = self.raised(&standing, at, settings, now);
            let extra = job.as_ref().map(|job| {
                let new = cost_of(self.amount_of(flight), job.terms.fee);
                new.saturating_sub(flight.cost)
            });
            match (job, extra) {
                (Some(job), Some(extra)) if extra <= spendable => {
                    spendable = spendable.saturating_sub(extra);
                    jobs.push(job);
                    superseded.push(hash);
                }
                _ => is_head_stuck |= by_sequence,
            }
            if jobs.len() == RAISE_BATCH_MAX {
                break;
            }
        }
        if jobs.is_empty() {
            return None;
        }
        for job in &jobs {
            self.occupy(job.terms.slot);
        }
        let mut plan = Plan::of(jobs);
        plan.superseded = superseded;
        Some(plan)
    }

    /// What stands on each slot, the head of the lane first.
    fn standings(&self) -> BTreeMap<Slot, Standing<'_>> {
        let mut standings: BTreeMap<Slot, Standing<'_>> = BTreeMap::new();
        for (&hash, flight) in &self.flights {
            let standing = standings.entry(flight.slot).or_insert(Standing {
                dearest: (hash, flight),
                count: 0,
            });
            standing.count = standing.count.saturating_add(1);
            // A no-op on the slot of a refused payment is what counts there.
            let weight = |flight: &Flight| (!flight.refused, flight.fee);
            if weight(flight) > weight(standing.dearest.1) {
                standing.dearest = (hash, flight);
            }
        }
        standings
    }

    /// The job that takes the place of what stands on a slot; none where it has to wait.
    fn raised(
        &self,
        standing: &Standing<'_>,
        at: &Conditions,
        settings: &Settings,
        now: UnixMs,
    ) -> Option<Job> {
        let (hash, flight) = standing.dearest;
        let is_over = flight.last_ledger <= at.tip.max(self.cursor.at);
        if flight.refused || is_over {
            return None;
        }
        let (task, cap, heard) = match flight.owner {
            Owner::Plug => (Task::Plug, settings.max_fee, Heard::NoObjection),
            // They are no part of a payment that is in flight, and nothing waits behind them.
            Owner::Tickets(_) if self.signing == Signing::Paused => return None,
            Owner::Tickets(making) => {
                let task = Task::MakeTickets(making);
                (task, settings.max_fee, Heard::NoObjection)
            }
            Owner::Payment(id) => {
                let payment = self.payments.get(&id)?;
                if payment.state != State::InFlight || payment.is_past_expiry(now) {
                    return None;
                }
                let own = payment.order.max_fee.unwrap_or(settings.max_fee);
                let heard = heard_of(payment, hash);
                let task = Task::Pay(Box::new(payment.clone()));
                (task, own.min(settings.max_fee), heard)
            }
        };
        let waiting = Waiting {
            fee: flight.fee,
            ledgers: self.cursor.at.plus(1).ahead_of(flight.first_ledger),
            heard,
            raises: standing.count.saturating_sub(1),
        };
        let terms = Terms {
            slot: flight.slot,
            fee: fee::raise(waiting, at.quote, cap)?,
            last_ledger: at.tip.plus(settings.ledger_window),
        };
        Some(Job { task, terms })
    }

    fn amount_of(&self, flight: &Flight) -> Drops {
        flight.cost.saturating_sub(flight.fee)
    }
}

/// What the servers said of an attempt's fee.
fn heard_of(payment: &Payment, hash: TxHash) -> Heard {
    match payment.attempt(hash).map(|attempt| &attempt.state) {
        Some(AttemptState::Submitted { result })
            if codes::on_submit(result) == OnSubmit::Crowded =>
        {
            Heard::TooLow
        }
        _ => Heard::NoObjection,
    }
}

#[cfg(test)]
mod tests;
