//! Leases: which of two processes works on the wallet.
//!
//! The row is the database's and its time is true. A process knows of it only by what it asked and was
//! told, either of which takes its time or is lost; it may work until its own deadline, which counts from
//! its question on a clock that nobody sets. One that was stopped goes on with whatever it was about to
//! do, and finds its deadline behind it, or its commit refused.

use crate::life::{Act, Life};
use crate::prng::{Prng, mix};
use crate::tally::Seen;
use crate::world::{Event, Plant, World};

/// Worlds in a thousand in which two processes take turns.
const WORLDS: u32 = 350;
/// How long a process waits before it asks again.
const RETRY: u64 = 150;

/// The row of the wallet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row {
    /// The process that holds it; zero where none does.
    pub holder: u64,
    /// How often it was taken.
    pub epoch: u64,
    /// When it runs out.
    pub expires_at: u64,
}

/// What a process believes of its own lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    /// The epoch under which it commits.
    pub epoch: u64,
    /// Until when it may sign and send.
    pub until: u64,
}

/// What happens between a process and the row.
#[derive(Debug, Clone, Copy)]
pub enum LeaseAct {
    /// The process looks whether it has to ask.
    Keep,
    /// What it asked at this moment is answered.
    Told(u64, Answer),
}

/// What the database says.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// The wallet was taken, under this epoch.
    Taken(u64),
    /// There is more time under this epoch.
    Renewed(u64),
    /// It is another's by now.
    Lost(u64),
}

/// What a process asks.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Who asks.
    pub life: u64,
    /// The epoch that it wants to keep; none where it wants to take the wallet.
    pub epoch: Option<u64>,
    /// When it asked.
    pub asked_at: u64,
}

/// How long a lease lasts in the world of a seed; none where there are no leases. It has a chance of its
/// own, so that worlds without leases are what they are without this.
#[must_use]
pub fn draw(seed: u64) -> Option<u64> {
    let mut chance = Prng::new(mix(seed ^ 0x1ea5e));
    chance.chance(WORLDS).then(|| chance.within(2_000, 12_000))
}

impl World {
    /// How many processes there are to be.
    #[must_use]
    pub const fn processes(&self) -> usize {
        1 + self.swarm.lease.is_some() as usize
    }

    /// Whether this process may work by what it knows itself.
    pub(crate) fn may_work(&self, life: &Life) -> bool {
        let now = self.agenda.now();
        self.swarm.lease.is_none() || life.tenure.is_some_and(|tenure| now < tenure.until)
    }

    /// Whether the wallet is this process's by the row.
    pub(crate) fn holds(&self, life: &Life) -> bool {
        let row = self.tables.lease;
        let is_own = |tenure: Tenure| row.holder == life.id && row.epoch == tenure.epoch;
        self.swarm.lease.is_none() || life.tenure.is_some_and(is_own)
    }

    /// Whether the store takes what this process writes.
    pub(crate) fn is_taken_from(&self, life: &Life) -> bool {
        self.is_planted(Plant::StaleEpoch) || self.holds(life)
    }

    /// Whether some process has the wallet and works.
    pub(crate) fn has_holder(&self) -> bool {
        let works = |life: &Life| life.desk.is_some() && self.holds(life);
        self.swarm.lease.is_none() || self.lives.iter().any(works)
    }

    /// Ends what the process does with the wallet.
    pub(crate) fn lose(&mut self, life: &mut Life) {
        if life.tenure.take().is_some() {
            self.tell(|| format!("p{}: has lost the wallet", life.id));
        }
        life.forget();
    }

    /// Whoever sends has the wallet by the row. Which of its own takings it knows of does not matter:
    /// one that was asked for twice may be ahead of what it was told.
    pub(crate) fn note_sending(&mut self, life: &Life) {
        let row = self.tables.lease;
        let is_in_force = row.holder == life.id && self.agenda.now() < row.expires_at;
        if self.swarm.lease.is_some() && !is_in_force {
            self.audit.sent_without_lease(life.id);
        }
    }

    /// Something of its lease happens in a process.
    pub(crate) fn keep(&mut self, life: &mut Life, act: LeaseAct) {
        let Some(ttl) = self.swarm.lease else {
            return;
        };
        let now = self.agenda.now();
        match act {
            LeaseAct::Keep => {
                if life.tenure.is_some() && !self.may_work(life) {
                    self.tally.see(Seen::DeadlinePassed);
                    self.lose(life);
                }
                let wait = life.tenure.map_or(RETRY, |_| ttl / 5);
                self.soon(life, wait, Act::Lease(LeaseAct::Keep));
                let question = Question {
                    life: life.id,
                    epoch: life.tenure.map(|tenure| tenure.epoch),
                    asked_at: now,
                };
                let way = self.chance.below(self.swarm.write) / 2;
                if !(self.troubles.bad_disk && self.chance.chance(300)) {
                    self.agenda.put(way, Event::Lease(question));
                }
            }
            LeaseAct::Told(asked_at, answer) => {
                let from = match self.is_planted(Plant::LateDeadline) {
                    true => now,
                    false => asked_at,
                };
                let until = from + ttl - ttl / 4;
                match (answer, &mut life.tenure) {
                    (Answer::Renewed(epoch), Some(own)) if own.epoch == epoch => own.until = until,
                    (Answer::Lost(epoch), Some(own)) if own.epoch == epoch => self.lose(life),
                    // A taking that was asked for twice: the later one counts.
                    (Answer::Taken(epoch), own)
                        if now < until && own.is_none_or(|own| own.epoch < epoch) =>
                    {
                        self.lose(life);
                        life.tenure = Some(Tenure { epoch, until });
                        self.tell(|| format!("p{}: has the wallet, epoch {epoch}", life.id));
                        self.soon(life, 1, Act::Begin);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The database answers a question.
    pub(crate) fn answer_lease(&mut self, asked: Question) {
        let Some(ttl) = self.swarm.lease else {
            return;
        };
        let now = self.agenda.now();
        let row = &mut self.tables.lease;
        let told = if let Some(epoch) = asked.epoch {
            let is_own = row.holder == asked.life && row.epoch == epoch;
            if is_own {
                row.expires_at = now + ttl;
            }
            match is_own {
                true => Answer::Renewed(epoch),
                false => Answer::Lost(epoch),
            }
        } else if row.holder == 0 || row.holder == asked.life || row.expires_at <= now {
            let from = row.holder;
            *row = Row {
                holder: asked.life,
                epoch: row.epoch + 1,
                expires_at: now + ttl,
            };
            let epoch = row.epoch;
            let is_anothers = self.lives.iter().any(|life| life.id == from) && from != asked.life;
            self.tally.add(Seen::TakenOver, u64::from(is_anothers));
            Answer::Taken(epoch)
        } else {
            // It is another's: there is nothing to be told.
            return;
        };
        if self.troubles.bad_disk && self.chance.chance(300) {
            return;
        }
        let way = self.chance.below(self.swarm.write) / 2;
        let act = Act::Lease(LeaseAct::Told(asked.asked_at, told));
        self.agenda.put(way, Event::Life(asked.life, 0, act));
    }

    /// Whoever has the wallet gives it to the other one.
    pub(crate) fn hand_over(&mut self) {
        let now = self.agenda.now();
        let holder = self
            .lives
            .iter()
            .position(|life| !life.frozen && self.holds(life));
        let Some(mut life) = holder.map(|at| self.lives.swap_remove(at)) else {
            return;
        };
        self.tally.see(Seen::HandedOver);
        self.lose(&mut life);
        self.tables.lease.holder = 0;
        self.tables.lease.expires_at = now;
        self.lives.push(life);
    }

    /// A start of a process that takes turns: it asks for the wallet.
    pub(crate) fn stand_by(&mut self, life: &Life) {
        self.soon(life, 20, Act::Lease(LeaseAct::Keep));
    }
}
