//! Leases: which of two processes may work on the wallet, and what a frozen one does that thaws.
//!
//! The database keeps one row: who holds the wallet, under which epoch, and for how much longer by its
//! own clock. A process works between its taking and its end; its commits are checked against the row,
//! and what they signed leaves in a step of its own, any time later. A process that does nothing while
//! others act is a frozen one, and every interleaving is explored, so each may freeze and thaw between
//! any two of its steps. Time is a tick that passes for the database and for every process at once; it
//! runs out on a living holder as often as the bounds say, and on a dead one always.

use super::ledger::Tx;
use super::machine::{Act, Payments, World, Writer};
use super::plants::Plant;
use stateright::Property;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use xrpayd_core::engine::LaneCommit;
use xrpayd_core::payment::Status;

/// For how many ticks a lease is given.
const TTL: u8 = 2;
/// How much of that a holder leaves unused.
const MARGIN: u8 = 1;

/// When a process last looked whether its time is up before it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// In the same moment. What leaves then must leave under a lease that is in force.
    AtSending,
    /// Long before: it froze in between, or does not look at all.
    LongBefore,
}

/// How much may happen to leases in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leases {
    /// When a sender looks at its deadline.
    pub look: Look,
    /// Times that the time of a living holder runs out.
    pub lapses: u8,
    /// Questions for more time.
    pub renewals: u8,
    /// Times that a holder gives the wallet away.
    pub releases: u8,
    /// Whether the store's other checks are made too, which keep two processes apart by themselves.
    pub beside: Beside,
}

impl Leases {
    /// All of it.
    pub const fn left(self) -> Left {
        Left {
            lapses: self.lapses,
            renewals: self.renewals,
            releases: self.releases,
        }
    }
}

/// What else stands between two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Versions, and where the journal is.
    TheStoresChecks,
    /// The epoch has to do alone.
    Nothing,
}

/// The row of the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who holds it.
    pub holder: Option<usize>,
    /// How often it was taken.
    pub epoch: u8,
    /// The ticks that are left of it by the database's clock.
    pub left: u8,
}

impl Row {
    /// The wallet is nobody's.
    pub const FREE: Self = Self {
        holder: None,
        epoch: 0,
        left: 0,
    };
}

/// What a process believes of its own lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    /// The epoch under which it commits.
    pub epoch: u8,
    /// The ticks for which it may still sign and send, by its own reckoning.
    pub good_for: u8,
}

/// A question for more time that is on its way, or whose answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The ticks since it was sent.
    pub age: u8,
    /// What the database said: whether the lease was still there to renew.
    pub answer: Option<bool>,
}

/// What of the bounds is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    pub lapses: u8,
    pub renewals: u8,
    pub releases: u8,
}

/// What must never happen, and is noted where it does, because later worlds do not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Broken {
    /// A commit was made by one who did not hold the wallet.
    pub stale_commit: bool,
    /// Two processes signed under one epoch.
    pub shared_epoch: bool,
    /// The epoch of the row did not grow with a taking, or went back.
    pub epoch_fell: bool,
    /// Something left a process after its lease had run out or was another's.
    pub left_late: bool,
}

impl Broken {
    /// All of it in one number.
    pub const fn bits(self) -> u8 {
        self.stale_commit as u8
            | (self.shared_epoch as u8) << 1
            | (self.epoch_fell as u8) << 2
            | (self.left_late as u8) << 3
    }
}

/// What happens to a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseAct {
    /// A tick of time, for all.
    Tick,
    Take(usize),
    /// A holder asks for more time; the question waits on its way.
    Ask(usize),
    /// The database answers it; the answer waits on its way.
    Renew(usize),
    /// The answer comes in.
    Hear(usize),
    Release(usize),
    /// A holder finds that its time is up, and ends.
    GiveUp(usize),
    /// What was committed leaves.
    Send(usize),
    /// The process is killed.
    Die(usize),
}

impl Payments {
    /// What can happen to leases next.
    pub fn of_the_leases(&self, world: &World, acts: &mut Vec<Act>) {
        if self.bounds.leases.is_none() {
            return;
        }
        if world.time_matters() && (!world.tick_ends_a_term() || world.left.leases.lapses > 0) {
            acts.push(Act::Lease(LeaseAct::Tick));
        }
        for (w, writer) in world.writers.iter().enumerate() {
            let mut may = |act: fn(usize) -> LeaseAct, is: bool| {
                if is {
                    acts.push(Act::Lease(act(w)));
                }
            };
            let Some(tenure) = writer.tenure else {
                may(LeaseAct::Take, world.lease.left == 0);
                continue;
            };
            let left = world.left.leases;
            may(
                LeaseAct::Ask,
                left.renewals > 0 && writer.asked.is_none() && writer.alive,
            );
            may(
                LeaseAct::Renew,
                writer.asked.is_some_and(|asked| asked.answer.is_none()),
            );
            may(
                LeaseAct::Hear,
                writer.asked.is_some_and(|asked| asked.answer.is_some()),
            );
            may(LeaseAct::Release, left.releases > 0 && world.holds(w));
            may(LeaseAct::GiveUp, tenure.good_for == 0);
            may(LeaseAct::Send, !writer.outbox.is_empty());
            may(LeaseAct::Die, world.left.deaths > 0);
            if !writer.alive {
                acts.push(Act::Start(w));
            }
        }
    }

    /// The world after `act`; whether it changed.
    pub fn lease(&self, world: &mut World, act: LeaseAct) -> bool {
        match act {
            LeaseAct::Tick => {
                world.left.leases.lapses -= u8::from(world.tick_ends_a_term());
                world.tick();
            }
            LeaseAct::Take(w) => {
                let raise = u8::from(self.plant != Some(Plant::TakingKeepsEpoch));
                let epoch = world.lease.epoch + raise;
                world.broken.epoch_fell |= epoch <= world.lease.epoch;
                world.lease = Row {
                    holder: Some(w),
                    epoch,
                    left: TTL,
                };
                let good_for = TTL - MARGIN;
                let writer = &mut world.writers[w];
                writer.tenure = Some(Tenure { epoch, good_for });
                writer.alive = self.plant == Some(Plant::MemoryKept);
            }
            LeaseAct::Ask(w) => {
                world.left.leases.renewals -= 1;
                world.writers[w].asked = Some(Asked {
                    age: 0,
                    answer: None,
                });
            }
            LeaseAct::Renew(w) => self.renew(world, w),
            LeaseAct::Hear(w) => self.hear(world, w),
            LeaseAct::Release(w) => {
                world.left.leases.releases -= 1;
                if self.plant != Some(Plant::ReleasedTooEarly) {
                    world.writers[w].end();
                }
                world.lease.holder = None;
                world.lease.left = 0;
            }
            LeaseAct::GiveUp(w) => world.writers[w].end(),
            LeaseAct::Send(w) => self.send(world, w),
            LeaseAct::Die(w) => {
                world.writers[w].end();
                world.left.deaths -= 1;
            }
        }
        true
    }

    /// The database's side of a renewal: more time for who still holds the wallet.
    fn renew(&self, world: &mut World, w: usize) {
        let is_ours = world.holds(w);
        let Writer { tenure, asked, .. } = &mut world.writers[w];
        let (Some(tenure), Some(asked)) = (tenure, asked) else {
            return;
        };
        let renews = is_ours || self.plant == Some(Plant::RenewalTakesBack);
        if renews {
            world.broken.epoch_fell |= tenure.epoch < world.lease.epoch;
            world.lease = Row {
                holder: Some(w),
                epoch: tenure.epoch,
                left: TTL,
            };
        }
        asked.answer = Some(renews);
    }

    /// The holder's side of it: its time counts from its question and not from the answer.
    fn hear(&self, world: &mut World, w: usize) {
        let writer = &mut world.writers[w];
        let Some(asked) = writer.asked.take() else {
            return;
        };
        match (asked.answer, &mut writer.tenure) {
            (Some(true), Some(tenure)) => {
                let age = match self.plant {
                    Some(Plant::DeadlineFromAnswer) => 0,
                    _ => asked.age,
                };
                tenure.good_for = (TTL - MARGIN).saturating_sub(age);
            }
            _ => writer.end(),
        }
    }

    fn send(&self, world: &mut World, w: usize) {
        let looks = self.bounds.leases.map(|leases| leases.look) == Some(Look::AtSending);
        let is_late = world.writers[w]
            .tenure
            .is_none_or(|tenure| tenure.good_for == 0);
        if looks && is_late && self.plant != Some(Plant::ClockSetBack) {
            self.met.kept_back.fetch_add(1, Ordering::Relaxed);
            world.writers[w].end();
            return;
        }
        if !(world.holds(w) && world.lease.left > 0) {
            self.met.sent_late.fetch_add(1, Ordering::Relaxed);
            world.broken.left_late |= looks;
        }
        let sent = std::mem::take(&mut world.writers[w].outbox);
        let truth = &mut world.truth;
        let sent: Vec<Tx> = sent
            .into_iter()
            .filter(|tx| truth.could_apply(tx))
            .collect();
        truth.wire.extend(sent);
    }

    /// Whether the store takes a commit of this writer by its lease.
    pub fn takes_from(&self, world: &World, w: usize) -> bool {
        let is_unchecked = matches!(
            self.plant,
            Some(Plant::EpochUnchecked | Plant::NothingKeepsApart)
        );
        let checks = self.bounds.leases.is_some() && !is_unchecked;
        !checks || world.holds(w)
    }
}

impl World {
    /// Whether the row says that the wallet is this writer's under the epoch that it works under.
    pub fn holds(&self, w: usize) -> bool {
        let tenure = self.writers[w].tenure;
        self.lease.holder == Some(w) && tenure.is_some_and(|own| own.epoch == self.lease.epoch)
    }

    /// What a commit that was made tells of leases.
    pub fn note_commit(&mut self, w: usize, commit: &LaneCommit) {
        let Some(tenure) = self.writers[w].tenure else {
            return;
        };
        self.broken.stale_commit |= !self.holds(w);
        let new = commit
            .changes
            .iter()
            .any(|change| !change.new_blobs.is_empty());
        if new || !commit.new_plugs.is_empty() {
            let by_another = |(epoch, hand)| epoch == tenure.epoch && hand != w;
            self.broken.shared_epoch |= self.last_hand.is_some_and(by_another);
            self.last_hand = Some((tenure.epoch, w));
        }
    }

    /// What a writer sends after a commit: at once, or in its own time where there are leases.
    pub fn leave(&mut self, w: usize, sent: impl Iterator<Item = Tx>) {
        if self.writers[w].tenure.is_some() {
            let truth = &self.truth;
            let sent = sent.filter(|tx| truth.could_apply(tx) && !truth.wire.contains(tx));
            self.writers[w].outbox.extend(sent);
        } else {
            self.truth.wire.extend(sent);
        }
    }

    /// Whether a tick changes anything.
    fn time_matters(&self) -> bool {
        let waits = |writer: &Writer| {
            writer.tenure.is_some_and(|tenure| tenure.good_for > 0)
                || writer.asked.is_some_and(|asked| asked.age < TTL)
        };
        self.lease.left > 0 || self.writers.iter().any(waits)
    }

    /// Whether the next tick ends the term of one who holds the wallet.
    fn tick_ends_a_term(&self) -> bool {
        (0..self.writers.len()).any(|w| {
            let tenure = self.writers[w].tenure;
            self.holds(w) && tenure.is_some_and(|tenure| tenure.good_for == 1)
        })
    }

    fn tick(&mut self) {
        self.lease.left = self.lease.left.saturating_sub(1);
        for writer in &mut self.writers {
            if let Some(tenure) = &mut writer.tenure {
                tenure.good_for = tenure.good_for.saturating_sub(1);
            }
            if let Some(asked) = &mut writer.asked {
                asked.age = TTL.min(asked.age + 1);
            }
        }
    }
}

impl Writer {
    /// The end of a life: nothing of it is left but what it committed and sent.
    pub fn end(&mut self) {
        self.alive = false;
        self.tenure = None;
        self.asked = None;
        self.outbox = BTreeSet::new();
    }

    /// What of its lease its next steps depend on, for one who knows whether it `holds` the wallet.
    pub fn lease_key(&self, holds: bool, key: &mut Vec<u8>) {
        let Some(tenure) = self.tenure else {
            return key.push(0);
        };
        key.extend([1 + u8::from(holds), tenure.good_for, u8::from(self.alive)]);
        key.push(self.asked.map_or(0, |asked| {
            1 + asked.age * 3 + asked.answer.map_or(0, |renewed| 1 + u8::from(renewed))
        }));
    }
}

/// What leases promise, and what they must not stop.
pub fn rules(leases: Leases) -> Vec<Property<Payments>> {
    let mut rules = vec![
        Property::always(
            "a commit is made under the lease in force",
            |_, world: &World| !world.broken.stale_commit,
        ),
        Property::always(
            "two hands never sign under one epoch",
            |_, world: &World| !world.broken.shared_epoch,
        ),
        Property::always("every taking raises the epoch", |_, world: &World| {
            !world.broken.epoch_fell
        }),
        Property::sometimes(
            "what one holder signed is settled by the next",
            |_, world: &World| {
                let paid = |payment: &xrpayd_core::payment::Payment| {
                    payment.status() == Status::Succeeded && payment.attempts.len() == 1
                };
                world.lease.epoch == 2
                    && world.last_hand.is_some_and(|(epoch, _)| epoch == 1)
                    && world.db.payments.iter().any(paid)
            },
        ),
        Property::sometimes("two holders pay one payment each", |_, world: &World| {
            let paid = world.db.payments.iter();
            let paid = paid.filter(|payment| payment.status() == Status::Succeeded);
            world.lease.epoch == 2
                && world.last_hand.is_some_and(|(epoch, _)| epoch == 2)
                && paid.count() == 2
        }),
    ];
    if leases.look == Look::AtSending {
        rules.push(Property::always(
            "nothing leaves after the lease",
            |_, world: &World| !world.broken.left_late,
        ));
    }
    rules
}
