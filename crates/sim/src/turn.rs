//! One pass of the engine's shell: what is out of time ends, what can be signed is signed, holes are
//! filled, what is due is sent again, and one thing that came in is taken.

use crate::chain::{Chain, OWNED, RESERVE, Taker, drops, marker_of, taker_of};
use crate::life::{Act, After, Doing, Life, Mail, Phase};
use crate::pool::Reason;
use crate::prng::Prng;
use crate::tally::Seen;
use crate::world::{Plant, World, short};
use std::collections::BTreeMap;
use xrpayd_core::engine::{
    Conditions, Desk, PageRefused, Plan, Remembered, Sight, TicketPlan, TicketWants, recognise,
};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId};
use xrpayd_core::journal::Page;
use xrpayd_core::pause::Signing;
use xrpayd_core::payment::Payment;
use xrpayd_core::preflight::{Obstacle, Reading, Refusal};

/// Pages that may wait for the engine.
const PAGES_AHEAD: usize = 2;

impl World {
    /// One thing of the engine's pass; `false` when it has to wait for something.
    pub(crate) fn turn(&mut self, life: &mut Life) -> bool {
        if !self.may_work(life) {
            self.tally.see(Seen::DeadlinePassed);
            self.lose(life);
            return false;
        }
        let Some(mut desk) = life.desk.take() else {
            return false;
        };
        if let Some(tip) = self.tip() {
            desk.began(tip);
        }
        desk.set_signing(life.signing);
        let resumed = desk.halted().is_some()
            && self
                .tables
                .wallet
                .as_ref()
                .is_some_and(|wallet| wallet.halted.is_none());
        if resumed {
            self.reload(life);
            return false;
        }
        let goes_on = match life.phase {
            Phase::Expire => {
                life.phase = Phase::Raise;
                life.scans = 0;
                self.expire(life, &mut desk)
            }
            Phase::Raise => {
                life.phase = Phase::Tickets;
                self.raise(life, &mut desk)
            }
            Phase::Tickets => {
                life.phase = Phase::Sign;
                self.make_tickets(life, &mut desk)
            }
            Phase::Sign => {
                life.phase = Phase::Plug;
                self.sign(life, &mut desk)
            }
            Phase::Plug => {
                life.phase = Phase::Mark;
                self.plug(life, &mut desk)
            }
            Phase::Mark => {
                life.phase = Phase::Mail;
                self.mark_paused(life, &mut desk)
            }
            Phase::Mail => {
                self.resend(life, &mut desk);
                self.read_on(life, &mut desk);
                self.take_mail(life, &mut desk)
            }
        };
        // A reload has thrown the desk away.
        if !matches!(life.doing, Doing::Starting) {
            life.desk = Some(desk);
        }
        goes_on && !life.dead
    }

    fn known(&self, desk: &Desk, payments: &[Payment]) -> BTreeMap<PaymentId, Remembered> {
        if !desk.remembers() || payments.is_empty() {
            return BTreeMap::new();
        }
        let marked: Vec<_> = payments
            .iter()
            .map(|payment| {
                let key = &payment.order.idempotency_key;
                (marker_of(&payment.client, key), payment)
            })
            .collect();
        let markers: Vec<_> = marked.iter().map(|(marker, _)| *marker).collect();
        recognise(&marked, &self.tables.recalled(&markers))
    }

    fn expire(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        if !desk.knows_the_past() {
            return true;
        }
        let now = self.wall();
        let due = self.tables.past_expiry(now);
        let step = desk.expire(&due, &self.known(desk, &due), now);
        if step.is_empty() {
            return true;
        }
        self.commit(life, desk, step, After::Again)
    }

    fn conditions(&self, life: &Life, desk: &Desk) -> Option<Conditions> {
        let owns = desk.cursor().owner_count + desk.tickets_on_order();
        let owned = OWNED * u64::from(owns);
        Some(Conditions {
            tip: self.tip()?,
            quote: life.quote?,
            reserve: drops(RESERVE + owned),
        })
    }

    fn make_tickets(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        let Some(at) = self.conditions(life, desk) else {
            return true;
        };
        let wants = TicketWants {
            request: life.request.as_ref(),
            refill: self.swarm.refill,
            reserve_each: drops(OWNED),
        };
        match desk.plan_tickets(&wants, &at, &self.settings(), self.wall()) {
            TicketPlan::Nothing => true,
            TicketPlan::Sign(plan) => self.sign_plan(life, desk, plan),
            TicketPlan::Tell(step) => self.commit(life, desk, step, After::Next),
        }
    }

    fn sign(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        if self.chance.chance(700) || life.quote.is_none() {
            life.quote = self.quote();
        }
        let (settings, now) = (self.settings(), self.wall());
        let Some(at) = self.conditions(life, desk) else {
            return true;
        };
        let Some(scan) = desk.next_scan(&at, &settings) else {
            return true;
        };
        let queued = self.tables.queued(scan.after, scan.limit);
        let known = self.known(desk, &queued);
        let (chance, chain) = (&mut self.chance, &self.chain);
        let mut look = |payment: &Payment| sight(chance, chain, payment);
        let plan = desk.plan_signing(queued, &known, &at, &settings, now, &mut look);
        self.sign_plan(life, desk, plan)
    }

    fn raise(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        let (settings, now) = (self.settings(), self.wall());
        let plan = self
            .conditions(life, desk)
            .and_then(|at| desk.plan_replacements(&at, &settings, now));
        match plan {
            Some(plan) => self.sign_plan(life, desk, plan),
            None => true,
        }
    }

    fn plug(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        let settings = self.settings();
        let plan = self
            .conditions(life, desk)
            .and_then(|at| desk.plan_plugs(&at, &settings));
        match plan {
            Some(plan) => self.sign_plan(life, desk, plan),
            None => true,
        }
    }

    fn mark_paused(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        let now = self.wall();
        let step = match desk.signing() {
            Signing::Paused => {
                let queued = self.tables.queued_to_mark(Signing::Paused);
                desk.hold_paused(&queued, now)
            }
            Signing::Open if desk.wants_release() => {
                let queued = self.tables.queued_to_mark(Signing::Open);
                desk.release_paused(&queued, now)
            }
            Signing::Open => return true,
        };
        self.commit(life, desk, step, After::Next)
    }

    fn sign_plan(&mut self, life: &mut Life, desk: &mut Desk, plan: Plan) -> bool {
        if plan.jobs().is_empty() {
            let now = self.wall();
            let more = plan.may_be_more();
            let step = desk.seal(plan, Ok(Vec::new()), now);
            return self.commit(life, desk, step, After::Scan(more));
        }
        let takes = self.chance.below(60);
        self.soon(life, takes, Act::Signed);
        life.doing = Doing::Signing(Box::new(plan));
        false
    }

    pub(crate) fn signed(&mut self, life: &mut Life) {
        let Doing::Signing(plan) = std::mem::replace(&mut life.doing, Doing::Idle) else {
            return;
        };
        let Some(mut desk) = life.desk.take() else {
            return;
        };
        let jobs = plan.jobs();
        let signed: Vec<_> = jobs.iter().map(crate::client::sign).collect();
        let is_payments = life.phase == Phase::Plug;
        let more = is_payments && plan.may_be_more();
        let now = self.wall();
        let step = desk.seal(*plan, Ok(signed), now);
        let _ = self.commit(life, &mut desk, step, After::Scan(more));
        life.desk = Some(desk);
    }

    pub(crate) fn resend(&mut self, life: &mut Life, desk: &mut Desk) {
        let again = desk.due_for_sending(self.tick());
        let times = u64::try_from(again.len()).unwrap_or_default();
        self.tally.add(Seen::Resent, times);
        life.outbox.extend(again);
        if life.outbox.is_empty() {
            return;
        }
        if self.chance.chance(self.swarm.crash_at_await) {
            return self.crash(life, Seen::DiedBeforeSend);
        }
        let mut blobs = std::mem::take(&mut life.outbox);
        blobs.retain(|(hash, _)| desk.may_leave(hash).is_some());
        if blobs.is_empty() {
            return;
        }
        self.tell(|| {
            let sent: Vec<String> = blobs.iter().map(|(hash, _)| short(&hash.0)).collect();
            format!("p{}: sends {}", life.id, sent.join(" "))
        });
        self.note_sending(life);
        self.send(life, blobs);
        if self.chance.chance(self.swarm.crash_at_await) {
            self.crash(life, Seen::DiedAfterSend);
        }
    }

    /// Asks for what the journal lacks: its next page, older ones, a root for a proof.
    fn read_on(&mut self, life: &mut Life, desk: &mut Desk) {
        if life.dead {
            return;
        }
        let tip = self.tip().map_or(0, |tip| tip.0);
        let from = life.read_to + 1;
        let pages = life
            .mail
            .iter()
            .filter(|mail| matches!(mail, Mail::Page(_)))
            .count();
        if !life.is_reading
            && pages < PAGES_AHEAD
            && from <= tip
            && let Some(to) = self.reach_of(from, tip)
        {
            life.is_reading = true;
            self.ask(life, Reason::Journal(from, to));
        }
        if let Some((from, to)) = desk.recall()
            && !life.is_recalling
            && let Some(end) = self.reach_of(from.0, to.0)
        {
            life.is_recalling = true;
            self.ask(life, Reason::Recall(from.0, end));
        }
        let at = desk.cursor().at;
        if life.root_asked_at != Some(at) && desk.has_overdue() {
            life.root_asked_at = Some(at);
            self.ask(life, Reason::Proof(at.0, desk.has_overdue_by_ticket()));
        }
        if !life.is_reading_tickets && desk.wants_tickets_read() {
            life.is_reading_tickets = true;
            let at = desk.reading_tickets();
            self.ask(life, Reason::Tickets(at.0));
        }
    }

    fn take_mail(&mut self, life: &mut Life, desk: &mut Desk) -> bool {
        if life.dead {
            return false;
        }
        let Some(mail) = life.mail.pop_front() else {
            // The pass is over; the next begins with whatever happens next.
            life.phase = Phase::Expire;
            return false;
        };
        life.phase = Phase::Expire;
        let (settings, now) = (self.settings(), self.wall());
        match mail {
            Mail::Anchor(..) => true,
            Mail::Page(page) => {
                life.is_reading = false;
                life.read_to = page.to.0;
                self.count_false_expiries(desk, &page);
                match desk.take_page(&page, self.tip(), &settings, now) {
                    Ok(step) => self.commit(life, desk, step, After::Overdue),
                    Err(PageRefused::OutOfTurn(_)) => {
                        self.reload(life);
                        false
                    }
                    Err(PageRefused::Untrue(why)) => {
                        self.tell(|| format!("p{}: refuses a page: {why}", life.id));
                        if self.is_taken_from(life) {
                            self.halt(&why);
                        }
                        self.reload(life);
                        false
                    }
                }
            }
            Mail::Recalled(page) => {
                self.tally.see(Seen::Recalled);
                self.recalled(life, desk, &page);
                true
            }
            Mail::Root(None) => {
                life.root_asked_at = None;
                true
            }
            Mail::Root(Some(proof)) => {
                let step = desk.take_root(&proof, now);
                self.commit(life, desk, step, After::Next)
            }
            Mail::Tickets(None) => {
                life.is_reading_tickets = false;
                true
            }
            Mail::Tickets(Some((at, standing))) => {
                life.is_reading_tickets = false;
                let at = match self.is_planted(Plant::StaleTickets) {
                    true => desk.cursor().at,
                    false => at,
                };
                let step = desk.take_tickets(at, &standing, now);
                self.commit(life, desk, step, After::Next)
            }
            Mail::Answers(answers) => {
                let step = desk.take_answers(&answers, self.tick(), now);
                self.commit(life, desk, step, After::Next)
            }
        }
    }

    fn halt(&mut self, why: &str) {
        if let Some(wallet) = &mut self.tables.wallet {
            wallet.halted = Some(why.to_owned());
        }
    }

    /// What older ledgers remember is written down, and the reading goes on.
    fn recalled(&mut self, life: &mut Life, desk: &mut Desk, page: &Page) {
        life.is_recalling = false;
        if !self.is_taken_from(life) {
            return self.lose(life);
        }
        let sent = page
            .entries
            .iter()
            .filter(|entry| entry.sender == page.account);
        let rows: Vec<Remembered> = sent
            .filter_map(|entry| Remembered::of("hot", entry, &page.servers))
            .collect();
        let next = page.to.plus(1);
        let next = desk
            .recall()
            .and_then(|(_, to)| (next <= to).then_some(next));
        if let Some(wallet) = &mut self.tables.wallet {
            wallet.recall = match (next, wallet.recall) {
                (Some(next), Some((_, to))) => Some((next, to)),
                _ => None,
            };
        }
        desk.recalled(!rows.is_empty(), next);
        self.tables.remembered.extend(rows);
    }
}

/// What is seen of the account that is to be paid: often nothing, now and then that it is being looked
/// at, and where a validated ledger would refuse the payment, perhaps that.
fn sight(chance: &mut Prng, chain: &Chain, payment: &Payment) -> Sight {
    let order = &payment.order;
    let obstacle = match taker_of(order.destination) {
        Taker::NeedsTag if order.destination_tag.is_none() => Some(Obstacle::TagMissing),
        Taker::Unfunded if order.amount < drops(RESERVE) => Some(Obstacle::NotFunded),
        _ => None,
    };
    match (chance.below(4), obstacle) {
        (0, _) => Sight::Pending,
        (1, Some(obstacle)) => {
            let last = chain.last();
            let hash = chain
                .ledger(last)
                .map_or(LedgerHash([0; 32]), |ledger| ledger.hash);
            Sight::Refused(Refusal {
                obstacle,
                reading: Reading {
                    ledger_index: LedgerIndex(last),
                    ledger_hash: hash,
                    servers: vec!["s0".to_owned(), "s1".to_owned()],
                },
            })
        }
        _ => Sight::Clear,
    }
}
