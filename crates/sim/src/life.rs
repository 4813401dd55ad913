//! A process: the shell around the engine, with every await a moment of its own.
//!
//! The order is the daemon's: look at the level, decide, commit in one write, then memory, then send.
//! Between any two of these the process may be killed or stopped. What is decided is decided by
//! [`Desk`], the same code as the daemon's; nothing of it is written again here.

use crate::client::Request;
use crate::disk::Refused;
use crate::lease::{LeaseAct, Tenure};
use crate::pool::{Blobs, Query, Reason, Said, Sending};
use crate::tally::Seen;
use crate::world::{Event, Plant, World, short};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xrpayd_core::engine::{Desk, Plan, Step, TicketRequest};
use xrpayd_core::fee::FeeQuote;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::{Page, RootAfter, RootProof};
use xrpayd_core::pause::Signing;
use xrpayd_core::payment::Answer;

/// Looks again after this long where nothing happened.
const POLL: u64 = 1_500;
/// The pause before everything is read again.
const RELOAD: u64 = 400;
/// Commits of signed payments in one pass at most.
const SCANS_MAX: u8 = 8;

/// What happens in a process.
#[derive(Debug)]
pub enum Act {
    /// The engine reads what it starts from.
    Begin,
    /// The engine looks at the level.
    Wake,
    /// The same, every now and then.
    Poll,
    /// The signer is done.
    Signed,
    /// A write reaches the disk.
    Write,
    /// The disk's answer reaches the engine.
    Wrote(Wrote),
    /// A server's answer.
    Said(u64, usize, Said),
    /// No more answers are waited for.
    GiveUp(u64),
    /// A client's request.
    Http(usize, Request),
    /// Something of its lease.
    Lease(LeaseAct),
}

/// What the engine is told of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// It is durable.
    Done,
    /// Something has moved; nothing was written.
    Moved,
    /// The wallet is another's by now; nothing was written.
    Lost,
    /// It failed, or its answer was lost.
    Unknown,
}

/// What waits for the engine.
#[derive(Debug)]
pub enum Mail {
    /// The journal's next page.
    Page(Page),
    /// A page from before the journal.
    Recalled(Page),
    /// An account root, or none to be had.
    Root(Option<RootProof>),
    /// The tickets that stand, or none to be had.
    Tickets(Option<(LedgerIndex, BTreeSet<u32>)>),
    /// The account root with which a journal can begin.
    Anchor(u32, RootAfter, LedgerHash),
    /// The answers of submissions.
    Answers(Vec<(TxHash, Answer)>),
}

/// What the engine waits for.
#[derive(Debug)]
pub(crate) enum Doing {
    /// Nothing: it may look at the level.
    Idle,
    /// To be read from the disk.
    Starting,
    /// The signer.
    Signing(Box<Plan>),
    /// The disk.
    Writing(Box<Step>, After),
}

/// What comes after a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After {
    /// The next thing in the pass.
    Next,
    /// Another look at the queue where there may be more.
    Scan(bool),
    /// What the page left open past its last ledger.
    Overdue,
    /// A new pass.
    Again,
}

/// Where in its pass the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Expire,
    Raise,
    Tickets,
    Sign,
    Plug,
    Mark,
    Mail,
}

/// One process.
#[derive(Debug)]
pub struct Life {
    /// Its number.
    pub id: u64,
    /// Which life of its engine this is.
    pub generation: u64,
    /// Stopped: what happens to it waits.
    pub frozen: bool,
    /// What waits for it to go on.
    pub parked: Vec<(u64, Act)>,
    /// Killed while it was at work.
    pub dead: bool,
    /// What waits for the engine.
    pub mail: VecDeque<Mail>,
    /// Questions that are open.
    pub queries: BTreeMap<u64, Query>,
    /// The lease under which it works, in worlds with leases.
    pub tenure: Option<Tenure>,
    /// Submissions whose answers are awaited.
    pub sendings: BTreeMap<u64, Sending>,
    pub(crate) desk: Option<Desk>,
    pub(crate) doing: Doing,
    pub(crate) phase: Phase,
    pub(crate) scans: u8,
    pub(crate) outbox: Blobs,
    numbers: u64,
    pub(crate) read_to: u32,
    pub(crate) is_reading: bool,
    pub(crate) is_recalling: bool,
    pub(crate) root_asked_at: Option<LedgerIndex>,
    pub(crate) is_reading_tickets: bool,
    /// The operator's request for tickets, as it was looked for last.
    pub(crate) request: Option<TicketRequest>,
    pub(crate) quote: Option<FeeQuote>,
    /// Whether something new may be signed, as it was looked for last.
    pub(crate) signing: Signing,
}

impl Life {
    /// A process that is about to read its disk.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self {
            id,
            generation: 0,
            frozen: false,
            parked: Vec::new(),
            dead: false,
            mail: VecDeque::new(),
            queries: BTreeMap::new(),
            tenure: None,
            sendings: BTreeMap::new(),
            desk: None,
            doing: Doing::Starting,
            phase: Phase::Expire,
            scans: 0,
            outbox: Vec::new(),
            numbers: 0,
            read_to: 0,
            is_reading: false,
            is_recalling: false,
            root_asked_at: None,
            is_reading_tickets: false,
            request: None,
            quote: None,
            signing: Signing::Open,
        }
    }

    /// A number under which an answer is waited for.
    pub fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A question got no answer that can be used: it may be asked again.
    pub fn unanswered(&mut self, reason: Reason) {
        match reason {
            Reason::Journal(..) => self.is_reading = false,
            Reason::Recall(..) => self.is_recalling = false,
            Reason::Proof(..) => self.mail.push_back(Mail::Root(None)),
            Reason::Tickets(_) => self.mail.push_back(Mail::Tickets(None)),
            Reason::Anchor(_) => self.doing = Doing::Starting,
        }
    }

    /// Whether nothing is open any more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let is_done = |desk: &Desk| desk.flights().is_empty() && desk.lane().open_len() == 0;
        self.desk.as_ref().is_some_and(is_done)
    }

    /// What is open, for a person.
    #[must_use]
    pub fn open_line(&self) -> String {
        let Some(desk) = &self.desk else {
            return "the engine never began".to_owned();
        };
        let at = desk.cursor().at;
        let flights = desk.flights().iter().map(|(hash, flight)| {
            format!(
                "{} {:?} until {}",
                short(&hash.0),
                flight.slot,
                flight.last_ledger
            )
        });
        let flights: Vec<String> = flights.collect();
        format!(
            "at ledger {at}, {flights:?}, halted {:?}, sign from {:?}",
            desk.halted(),
            desk.sign_from()
        )
    }

    /// Everything in memory is dropped.
    pub(crate) fn forget(&mut self) {
        let fresh = Self::new(self.id);
        *self = Self {
            generation: self.generation + 1,
            parked: std::mem::take(&mut self.parked),
            frozen: self.frozen,
            numbers: self.numbers,
            tenure: self.tenure,
            ..fresh
        };
    }
}

impl World {
    /// Something happens in a process, where that is still there.
    pub(crate) fn live(&mut self, id: u64, generation: u64, act: Act) {
        let Some(at) = self.lives.iter().position(|life| life.id == id) else {
            return;
        };
        let mut life = self.lives.swap_remove(at);
        if life.frozen {
            life.parked.push((generation, act));
        } else if generation == life.generation || matches!(act, Act::Http(..) | Act::Lease(_)) {
            self.act(&mut life, act);
        }
        if life.dead {
            self.buried(&life);
        } else {
            self.lives.push(life);
        }
    }

    fn act(&mut self, life: &mut Life, act: Act) {
        match act {
            Act::Http(client, request) => return self.http(life, client, request),
            Act::Lease(act) => return self.keep(life, act),
            Act::Begin => self.begin(life),
            Act::Poll => {
                life.request = self.tables.open_request();
                life.signing = self.tables.signing();
                self.soon(life, POLL, Act::Poll);
            }
            Act::Wake => {}
            Act::Signed => self.signed(life),
            Act::Write => self.write(life),
            Act::Wrote(wrote) => self.wrote(life, wrote),
            Act::Said(number, server, said) => self.said(life, number, server, said),
            Act::GiveUp(number) => self.give_up(life, number),
        }
        while !life.dead && matches!(life.doing, Doing::Idle) && self.turn(life) {}
        if !life.dead && matches!(life.doing, Doing::Starting) && self.holds(life) {
            self.anchor(life);
        }
    }

    pub(crate) fn soon(&mut self, life: &Life, after: u64, act: Act) {
        self.agenda
            .put(after, Event::Life(life.id, life.generation, act));
    }

    /// Drops the memory and reads everything again.
    pub(crate) fn reload(&mut self, life: &mut Life) {
        life.forget();
        self.tell(|| format!("p{}: reads everything again", life.id));
        self.soon(life, RELOAD, Act::Begin);
    }

    fn begin(&mut self, life: &mut Life) {
        let record = self.tables.lane();
        let Some(cursor) = record.cursor.clone() else {
            return;
        };
        life.read_to = cursor.at.0;
        let open = record.in_flight.len();
        self.tell(|| {
            format!(
                "p{}: begins at ledger {}, {open} in flight",
                life.id, cursor.at
            )
        });
        life.desk = Some(Desk::restore("hot", record, cursor));
        life.doing = Doing::Idle;
        life.phase = Phase::Expire;
        life.signing = self.tables.signing();
        self.soon(life, POLL, Act::Poll);
    }

    /// The first start on an empty database: finds where the journal begins.
    fn anchor(&mut self, life: &mut Life) {
        if let Some(Mail::Anchor(at, root, hash)) = life.mail.pop_front() {
            // As in the daemon's store: where the wallet has its beginning, it keeps it.
            if self.tables.wallet.is_none() {
                self.begin_journal(at, root, hash);
            }
            return self.soon(life, 1, Act::Begin);
        }
        if self.tables.wallet.is_some() || !life.queries.is_empty() {
            return;
        }
        match self.tip() {
            Some(tip) => self.ask(life, Reason::Anchor(tip.0)),
            None => self.soon(life, POLL, Act::Wake),
        }
    }

    /// Hands a step to the disk; a step with nothing to write is taken at once.
    pub(crate) fn commit(
        &mut self,
        life: &mut Life,
        desk: &mut Desk,
        step: Step,
        after: After,
    ) -> bool {
        if step.is_empty() {
            self.take(life, desk, step, after);
            return true;
        }
        if self.is_planted(Plant::SendFirst) {
            let changes = step
                .commit()
                .changes
                .iter()
                .flat_map(|change| &change.new_blobs);
            let early: Blobs = changes
                .map(|(hash, blob)| (*hash, blob.as_slice().into()))
                .collect();
            self.send(life, early);
        }
        let takes = self.chance.below(self.swarm.write) / 2;
        self.soon(life, takes, Act::Write);
        life.doing = Doing::Writing(Box::new(step), after);
        false
    }

    /// The write reaches the disk, or does not.
    fn write(&mut self, life: &mut Life) {
        let Doing::Writing(step, _) = &life.doing else {
            return;
        };
        if self.chance.chance(self.swarm.crash_at_await) {
            return self.crash(life, Seen::DiedBeforeWrite);
        }
        let troubled = self.troubles.bad_disk;
        let wrote = if !self.is_taken_from(life) {
            self.tally.see(Seen::RefusedByLease);
            Wrote::Lost
        } else if troubled && self.chance.chance(300) {
            self.tally.see(Seen::WriteFailed);
            Wrote::Unknown
        } else {
            let mut commit = step.commit().clone();
            if let Some(journal) = &mut commit.journal
                && self.plants.contains(&Plant::BookApart)
            {
                journal.credits.clear();
            }
            let is_begun = self.tables.is_paused && self.tables.begins_something(&commit);
            let written = self.tables.commit(&commit);
            if is_begun && written.is_ok() {
                self.audit.signed_while_paused();
            }
            if written.is_ok() && !self.holds(life) {
                self.audit.committed_without_lease(life.id);
            }
            match written {
                Ok(()) if troubled && self.chance.chance(300) => {
                    self.tally.see(Seen::WriteAnswerLost);
                    Wrote::Unknown
                }
                Ok(()) => Wrote::Done,
                Err(Refused::Moved) => Wrote::Moved,
                Err(Refused::Paused) => {
                    self.tally.see(Seen::RefusedByPause);
                    Wrote::Moved
                }
                Err(Refused::Bad(why)) => {
                    self.tell(|| format!("p{}: the store refuses a change: {why}", life.id));
                    Wrote::Unknown
                }
            }
        };
        self.tally
            .add(Seen::WriteRefused, u64::from(wrote == Wrote::Moved));
        if self.chance.chance(self.swarm.crash_at_await) {
            return self.crash(life, Seen::DiedAfterWrite);
        }
        let takes = self.chance.below(self.swarm.write) / 2;
        self.soon(life, takes, Act::Wrote(wrote));
    }

    /// The disk's answer: memory and sending come only now.
    fn wrote(&mut self, life: &mut Life, wrote: Wrote) {
        let Doing::Writing(step, after) = std::mem::replace(&mut life.doing, Doing::Idle) else {
            return;
        };
        if wrote == Wrote::Lost {
            return self.lose(life);
        }
        let is_taken = wrote == Wrote::Done
            || (wrote == Wrote::Moved && self.is_planted(Plant::IgnoreRefusal));
        let desk = life.desk.take();
        let (Some(mut desk), true) = (desk, is_taken) else {
            return self.reload(life);
        };
        if self.is_planted(Plant::BookApart) {
            let _ = self.tables.book(step.commit());
        }
        self.take(life, &mut desk, *step, after);
        life.desk = Some(desk);
    }

    /// A step is durable: into memory, then into the outbox.
    fn take(&mut self, life: &mut Life, desk: &mut Desk, step: Step, after: After) {
        let done = desk.made_durable(step);
        for change in &done.changes {
            let payment = &change.payment;
            self.tell(|| {
                format!(
                    "p{}: {} {:?}",
                    life.id, payment.order.idempotency_key, payment.state
                )
            });
        }
        self.count_done(&done);
        for note in &done.notes {
            self.tell(|| format!("p{}: {note:?}", life.id));
        }
        life.outbox.extend(done.send);
        match after {
            After::Next => {}
            After::Scan(true) if life.scans < SCANS_MAX => {
                life.scans += 1;
                life.phase = Phase::Sign;
            }
            After::Scan(_) => {}
            After::Again => life.phase = Phase::Expire,
            After::Overdue => {
                let now = self.wall();
                let step = desk.overdue(now);
                let _ = self.commit(life, desk, step, After::Again);
                life.phase = Phase::Expire;
            }
        }
    }

    pub(crate) fn crash(&mut self, life: &mut Life, when: Seen) {
        life.dead = true;
        self.tally.see(when);
        self.tell(|| format!("p{}: {when:?}", life.id));
    }
}
