//! The steps: what each act makes of a world. Every step of a writer is decided by its desk, goes
//! through the store's checks, and only then reaches the writer's memory and the wire.

use super::ledger::{self, Lie, Outcome, Tx, Who};
use super::machine::{Act, Fate, Payments, Queue, World};
use super::plants::Plant;
use super::store;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xrpayd_core::engine::{Change, Desk, Job, LaneCommit, Plan, Sight, SignedTx, Step, Task, Tick};
use xrpayd_core::ids::PaymentId;
use xrpayd_core::journal::RootProof;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Event, NewAttempt, Payment, Slot, decide};

/// What a replacement costs: more than a quarter above the first attempt.
const RAISED_FEE: u8 = 13;

impl Payments {
    /// The world after `act`; nothing where it changes nothing.
    pub fn after(&self, world: &World, act: &Act) -> Option<World> {
        let mut next = world.clone();
        let changed = match act {
            Act::Accept => {
                let order = self.order(1);
                Arc::make_mut(&mut next.db).payments.push(order);
                true
            }
            Act::Cancel(n) => self.cancel(&mut next, *n),
            Act::Pause => {
                next.left.pauses -= 1;
                Arc::make_mut(&mut next.db).is_paused = true;
                true
            }
            Act::Resume => {
                Arc::make_mut(&mut next.db).is_paused = false;
                true
            }
            Act::Close(taken) => {
                self.close(&mut next, taken);
                true
            }
            Act::Start(w) => {
                next.start(*w);
                true
            }
            Act::Sign(w, queue, fate) => self.sign(&mut next, *w, *queue, *fate),
            Act::Plug(w, fate) => self.plug(&mut next, *w, *fate),
            Act::Replace(w, n, fate) => self.replace(&mut next, *w, *n, *fate),
            Act::Raise(w, fate) => self.raise(&mut next, *w, *fate),
            Act::Page(w, to, lie, fate) => self.page(&mut next, *w, *to, *lie, *fate),
            Act::Root(w, at, lie, fate) => self.root(&mut next, *w, *at, *lie, *fate),
            Act::Answered(w, hash, answer) => {
                next.left.answers -= 1;
                let now = next.now();
                let step = next
                    .desk(*w)
                    .take_answers(&[(*hash, answer.clone())], Tick(0), now);
                self.carry_out(&mut next, *w, step, Fate::Lives)
            }
            Act::Expire(w, fate) => self.expire(&mut next, *w, *fate),
            Act::Lease(act) => self.lease(&mut next, *act),
            Act::Bug(w, n) => self
                .plant
                .is_some_and(|plant| plant.act(self, &mut next, *w, *n)),
        };
        next.note_ends();
        changed.then_some(next)
    }

    fn close(&self, world: &mut World, taken: &[(Tx, Outcome)]) {
        for (tx, outcome) in taken {
            world.left.strangers -= u8::from(tx.who == Who::Stranger);
            world.left.bad_luck -= u8::from(*outcome != Outcome::Done);
        }
        world.truth.close(taken);
    }

    /// The client calls a payment off, straight in the store.
    fn cancel(&self, world: &mut World, n: u8) -> bool {
        let Some(payment) = world.db.payment(PaymentId(u128::from(n))) else {
            return false;
        };
        let Ok(Some(decision)) = decide(payment, Event::Cancel, world.now()) else {
            return false;
        };
        let mut commit = LaneCommit::new("hot", world.now());
        commit
            .changes
            .push(change(payment.version, decision.payment));
        world.left.cancels -= 1;
        let db = Arc::make_mut(&mut world.db);
        db.commit(&commit, self.checks()).is_ok()
    }

    fn sign(&self, world: &mut World, w: usize, queue: Queue, fate: Fate) -> bool {
        let (at, settings, now) = (self.conditions(world), self.settings(), world.now());
        let mut desk = world.desk(w);
        if desk.next_scan(&at, &settings).is_none() {
            return false;
        }
        let queued = match queue {
            Queue::Now => world.db.queued(),
            Queue::Before => world.writers[w].seen.queued(),
        };
        let known = world.known(&desk, &queued);
        let look = &mut |_: &Payment| Sight::Clear;
        let plan = desk.plan_signing(queued, &known, &at, &settings, now, look);
        self.seal(world, w, desk, plan, fate)
    }

    fn plug(&self, world: &mut World, w: usize, fate: Fate) -> bool {
        let (at, settings) = (self.conditions(world), self.settings());
        let mut desk = world.desk(w);
        match desk.plan_plugs(&at, &settings) {
            Some(plan) => self.seal(world, w, desk, plan, fate),
            None => false,
        }
    }

    fn seal(&self, world: &mut World, w: usize, mut desk: Desk, plan: Plan, fate: Fate) -> bool {
        let signed: Vec<SignedTx> = plan.jobs().iter().map(signed).collect();
        if self.plant == Some(Plant::SendBeforeCommit) && fate == Fate::Dies {
            let sent = signed.iter().map(|signed| Tx::of(signed.hash));
            world.truth.wire.extend(sent);
            world.die(w);
            return true;
        }
        let step = desk.seal(plan, Ok(signed), world.now());
        self.carry_out_on(world, w, desk, step, fate)
    }

    /// What the engine itself replaces when the ledger has become dearer.
    fn raise(&self, world: &mut World, w: usize, fate: Fate) -> bool {
        let (at, settings, now) = (self.busy(world), self.settings(), world.now());
        let mut desk = world.desk(w);
        let Some(plan) = desk.plan_replacements(&at, &settings, now) else {
            return false;
        };
        world.left.raises -= 1;
        self.seal(world, w, desk, plan, fate)
    }

    /// Signs the open attempt of a payment anew, on the same sequence and at a higher fee.
    fn replace(&self, world: &mut World, w: usize, n: u8, fate: Fate) -> bool {
        let (at, settings, now) = (self.conditions(world), self.settings(), world.now());
        let desk = world.desk(w);
        let id = PaymentId(u128::from(n));
        let Some(payment) = desk.payment(id).filter(|_| desk.may_sign()) else {
            return false;
        };
        let mut open = payment.open_attempts();
        let (Some(first), None) = (open.next(), open.next()) else {
            return false;
        };
        let last_ledger = at.tip.plus(settings.ledger_window);
        let raised = Tx {
            fee: RAISED_FEE,
            last_ledger: ledger::since_start(last_ledger),
            ..Tx::of(first.hash)
        };
        let attempt = NewAttempt {
            hash: raised.tx_hash(),
            slot: first.slot,
            fee: ledger::drops(u64::from(RAISED_FEE)),
            first_ledger: desk.cursor().at.plus(1),
            last_ledger,
            signed_at: now,
        };
        let Ok(Some(decision)) = decide(payment, Event::Sign(attempt), now) else {
            return false;
        };
        world.left.replacements -= 1;
        let mut commit = LaneCommit::new("hot", now);
        commit.changes.push(with_bytes(
            change(payment.version, decision.payment),
            raised,
        ));
        if self.write(world, w, &commit, fate) {
            world.leave(w, std::iter::once(raised));
        }
        true
    }

    fn page(&self, world: &mut World, w: usize, to: u8, lie: Option<Lie>, fate: Fate) -> bool {
        let desk = world.desk(w);
        let from = ledger::since_start(desk.cursor().at) + 1;
        let truth = &world.truth;
        let mut answers: Vec<_> = lie
            .map(|lie| truth.forged_page(from, to, lie))
            .into_iter()
            .collect();
        answers.extend([truth.page(from, to), truth.page(from, to)]);
        let Some(page) = ledger::agreed(&answers, self.quorum()) else {
            return false;
        };
        if lie.is_some() && self.quorum() > 1 {
            self.met.outvoted_lies.fetch_add(1, Ordering::Relaxed);
        }
        let newest = Some(ledger::index(truth.ledger));
        let now = world.now();
        let Ok(step) = desk.take_page(&page, newest, &self.settings(), now) else {
            // The page cannot be true: the wallet halts and reads everything again.
            self.met.refused_pages.fetch_add(1, Ordering::Relaxed);
            let db = Arc::make_mut(&mut world.db);
            db.halted
                .get_or_insert_with(|| "a page was refused".to_owned());
            world.start(w);
            return true;
        };
        if self.plant == Some(Plant::CursorAlone) && fate == Fate::Dies {
            let mut commit = LaneCommit::new("hot", now);
            commit.journal.clone_from(&step.commit().journal);
            return self.write(world, w, &commit, fate) || !world.writers[w].alive;
        }
        let _ = self.carry_out_on(world, w, desk, step, fate);
        if world.writers[w].alive {
            let step = world.desk(w).overdue(now);
            let _ = self.carry_out(world, w, step, Fate::Lives);
        }
        true
    }

    fn root(&self, world: &mut World, w: usize, at: u8, lie: Option<Lie>, fate: Fate) -> bool {
        let truth = &world.truth;
        let honest = truth.root(at);
        let mut answers = Vec::new();
        if lie.is_some() {
            let sequence = u32::from(ledger::FIRST_SEQUENCE);
            answers.push(RootProof {
                sequence,
                ..honest.clone()
            });
        }
        answers.extend([honest.clone(), honest]);
        let Some(root) = ledger::agreed(&answers, self.quorum()) else {
            return false;
        };
        let step = world.desk(w).take_root(&root, world.now());
        self.carry_out(world, w, step, fate)
    }

    fn expire(&self, world: &mut World, w: usize, fate: Fate) -> bool {
        let (desk, now) = (world.desk(w), world.now());
        if !desk.knows_the_past() {
            return false;
        }
        let mut due = world.db.queued();
        due.retain(|payment| payment.is_past_expiry(now));
        let known = world.known(&desk, &due);
        let step = desk.expire(&due, &known, now);
        self.carry_out_on(world, w, desk, step, fate)
    }

    fn carry_out(&self, world: &mut World, w: usize, step: Step, fate: Fate) -> bool {
        let desk = world.desk(w);
        self.carry_out_on(world, w, desk, step, fate)
    }

    /// Commit first; then the memory, then what leaves.
    fn carry_out_on(
        &self,
        world: &mut World,
        w: usize,
        mut desk: Desk,
        step: Step,
        fate: Fate,
    ) -> bool {
        if step.is_empty() {
            return false;
        }
        if self.write(world, w, step.commit(), fate) {
            let done = desk.made_durable(step);
            let sent = done.send.iter().map(|(hash, _)| Tx::of(*hash));
            world.leave(w, sent);
        }
        true
    }

    /// Writes a commit; whether the writer is still there to act on it.
    pub fn write(&self, world: &mut World, w: usize, commit: &LaneCommit, fate: Fate) -> bool {
        if !self.takes_from(world, w) {
            self.met.refused_by_lease.fetch_add(1, Ordering::Relaxed);
            world.writers[w].end();
            return false;
        }
        let mut db = (*world.db).clone();
        let begins = db.is_paused && db.begins(commit);
        if db.commit(commit, self.checks()).is_err() {
            // Another hand wrote: everything is read again.
            self.met.refused_commits.fetch_add(1, Ordering::Relaxed);
            world.start(w);
            return false;
        }
        let is_stale = u8::from(!world.is_up_to_date(w));
        world.left.stale = world.left.stale.saturating_sub(is_stale);
        world.db = Arc::new(db);
        world.begun_while_paused |= begins;
        world.note_commit(w, commit);
        if fate == Fate::Dies {
            world.die(w);
            return false;
        }
        Arc::make_mut(&mut world.writers[w].seen).take(commit);
        true
    }
}

fn signed(job: &Job) -> SignedTx {
    let sequence = match job.terms.slot {
        Slot::Sequence(n) | Slot::Ticket(n) => u8::try_from(n).unwrap(),
    };
    let who = match &job.task {
        Task::Pay(payment) => store::owner(payment),
        Task::Plug => Who::Plug,
        Task::MakeTickets(_) => panic!("nobody asked for tickets"),
    };
    let tx = Tx {
        who,
        sequence,
        fee: u8::try_from(job.terms.fee.get()).unwrap(),
        last_ledger: ledger::since_start(job.terms.last_ledger),
    };
    SignedTx {
        hash: tx.tx_hash(),
        blob: tx.tx_hash().0.to_vec(),
    }
}

/// The change with the bytes of an attempt that is new in it.
pub fn with_bytes(change: Change, new: Tx) -> Change {
    let hash = new.tx_hash();
    Change {
        new_blobs: vec![(hash, hash.0.to_vec())],
        ..change
    }
}

/// The payment as one change, with no new bytes.
pub fn change(before: u32, payment: Payment) -> Change {
    Change {
        before,
        settled: payment.status().is_final().then_some(Drops::ZERO),
        payment,
        new_blobs: Vec::new(),
    }
}
