//! The faults: what begins, what it does, and how it ends. They strike the servers, the network, the
//! disk and the processes; never the chain.

use crate::chain::{BASE_FEE, FIRST_SEQUENCE};
use crate::disk::Tables;
use crate::life::{Act, Life};
use crate::swarm::Fault;
use crate::tally::Seen;
use crate::world::{Event, Plant, World};

/// The faults as they stand.
#[derive(Debug, Default)]
pub struct Troubles {
    /// Nothing is validated.
    pub no_quorum: bool,
    /// Ledgers that were closed meanwhile.
    pub unvalidated: u32,
    /// Writes fail, or their answers are lost.
    pub bad_disk: bool,
    /// By how much the wall clock is wrong.
    pub clock: i64,
    /// How many databases were lost or replaced.
    pub era: u32,
    /// The ledger before which no process is started: whoever puts back an older copy waits.
    start_from: u32,
    /// Two processes wrote at once.
    pub two_writers: bool,
    copy: Option<Tables>,
    synced: Option<Tables>,
}

impl World {
    /// The next fault strikes.
    pub(crate) fn trouble(&mut self) {
        if self.healed_at.is_some() {
            return;
        }
        let next = self.swarm.fault_every / 2 + self.chance.below(self.swarm.fault_every);
        self.agenda.put(next, Event::Trouble);
        let faults = self.swarm.faults.clone();
        let Some(fault) = faults.get(self.chance.index(faults.len())).copied() else {
            return;
        };
        let which = self.chance.index(self.servers.len());
        let lasts = self.chance.within(500, 40_000);
        self.tell(|| format!("fault {fault:?} ({which}) for {lasts} ms"));
        self.tally.strike(fault);
        self.strike(fault, which, lasts);
        self.agenda.put(lasts, Event::Over(fault, which));
    }

    fn strike(&mut self, fault: Fault, which: usize, lasts: u64) {
        match fault {
            Fault::Kill => self.kill_all(),
            Fault::Stop => self.stop(),
            Fault::Second if self.swarm.lease.is_some() => self.hand_over(),
            Fault::Second => {
                if self.chance.chance(500) {
                    self.stop();
                }
                // Not even by accident, while whoever put back an older copy waits.
                if self.chain.last() >= self.troubles.start_from {
                    self.bear();
                }
            }
            Fault::FreezeServer => self.each(which, |server| server.frozen = true),
            Fault::RestartServer => self.each(which, |server| server.up = false),
            Fault::CutServer => self.each(which, |server| server.cut = true),
            Fault::Lag => {
                let lag = u32::try_from(lasts / 4_000).unwrap_or_default() + 1;
                self.each(which, |server| server.lag = lag);
            }
            Fault::NoQuorum => self.troubles.no_quorum = true,
            Fault::Dear => self.chain.price = self.chance.within(20, 12_000),
            Fault::Narrow => self.chain.capacity = self.chance.index(4) + 1,
            Fault::LoseTransactions => self.chain.lose(600, &mut self.chance),
            Fault::BadDisk => self.troubles.bad_disk = true,
            Fault::Pause => self.tables.is_paused = true,
            Fault::Clock => {
                let by = i64::try_from(self.chance.below(600_000)).unwrap_or_default();
                self.troubles.clock = by - 300_000;
            }
            Fault::Stranger => self.chain.intrude(&mut self.chance),
            Fault::EmptyDatabase => {
                // The daemon takes an account that never sent anything, by the word of its servers, for
                // one with nothing in flight: whoever loses the database before the very first validated
                // transaction is known everywhere is not protected, and docs/RELIABILITY.md says so.
                let shows_use = |told: u32| {
                    let ledger = self.chain.ledger(told);
                    ledger.is_some_and(|ledger| ledger.root.sequence > FIRST_SEQUENCE)
                };
                if self.servers.iter().all(|server| shows_use(server.told)) {
                    self.replace_database(None);
                }
            }
            Fault::OlderDatabase => {
                if let Some(copy) = self.troubles.copy.take() {
                    self.replace_database(Some(copy));
                }
            }
        }
    }

    fn each(&mut self, which: usize, change: impl FnOnce(&mut crate::server::Server)) {
        if let Some(server) = self.servers.get_mut(which) {
            change(server);
        }
    }

    /// A fault is over.
    pub(crate) fn over(&mut self, fault: Fault, which: usize) {
        let last = self.chain.last();
        match fault {
            Fault::Stop | Fault::Second => self.go_on(),
            Fault::FreezeServer => self.each(which, |server| server.frozen = false),
            Fault::RestartServer => {
                // What an empty database adopts is read from the servers' history: a world that loses
                // its database keeps servers that remember.
                let forgets = !self.swarm.faults.contains(&Fault::EmptyDatabase);
                self.each(which, |server| {
                    if !server.up {
                        server.restart(last, forgets);
                    }
                });
            }
            Fault::CutServer => self.each(which, |server| server.cut = false),
            Fault::Lag => self.each(which, |server| server.lag = 0),
            Fault::NoQuorum => self.troubles.no_quorum = false,
            Fault::Dear => self.chain.price = BASE_FEE,
            Fault::Narrow => self.chain.capacity = 30,
            Fault::BadDisk => self.troubles.bad_disk = false,
            Fault::Pause => self.tables.is_paused = false,
            Fault::Kill
            | Fault::LoseTransactions
            | Fault::Clock
            | Fault::Stranger
            | Fault::EmptyDatabase
            | Fault::OlderDatabase => {}
        }
        self.tell(|| format!("fault {fault:?} ({which}) is over"));
    }

    /// Everything is healed: from now on whatever was promised has to come to its end.
    pub(crate) fn heal(&mut self) {
        self.healed_at = Some(self.chain.last());
        self.tell(|| "everything is healed".to_owned());
        self.troubles.no_quorum = false;
        self.troubles.bad_disk = false;
        self.tables.is_paused = false;
        // Whatever deadline was set by a wrong clock is past.
        self.troubles.clock = 1_000_000;
        self.chain.price = BASE_FEE;
        self.chain.capacity = 30;
        self.chain.held = 0;
        let swarm = &mut self.swarm;
        swarm.latency = swarm.latency.min(200);
        swarm.lost_requests = 0;
        swarm.lost_answers = 0;
        swarm.lost_relays = 0;
        swarm.crash_at_await = 0;
        swarm.deposits = 0;
        let last = self.chain.last();
        for server in &mut self.servers {
            server.catch_up(last);
        }
        // Of several processes the newest stays.
        if self.swarm.lease.is_none() {
            let newest = self.lives.iter().map(|life| life.id).max();
            self.lives.retain(|life| Some(life.id) == newest);
        }
        self.go_on();
        if self.lives.is_empty() {
            self.agenda.put(1, Event::Start);
        }
        // Money comes, so that nothing waits for it for ever.
        self.chain.close(&mut self.chance, Some(1_000_000_000));
        let entries = self
            .chain
            .ledger(self.chain.last())
            .map(|l| l.entries.clone());
        self.audit.validated(&entries.unwrap_or_default());
        let last = self.chain.last();
        for server in &mut self.servers {
            server.hear(last);
        }
    }

    /// A process is started, unless one is there or must not be yet.
    pub(crate) fn start(&mut self) {
        if self.lives.len() >= self.processes() {
            return;
        }
        if self.chain.last() < self.troubles.start_from {
            let wait = self.swarm.close;
            self.agenda.put(wait, Event::Start);
            return;
        }
        self.bear();
    }

    fn bear(&mut self) {
        self.births += 1;
        let is_second = !self.lives.is_empty() && self.swarm.lease.is_none();
        self.tally.add(Seen::TwoProcesses, u64::from(is_second));
        self.troubles.two_writers |= is_second;
        let life = Life::new(self.births);
        self.tell(|| format!("p{}: starts", life.id));
        if self.swarm.lease.is_some() {
            self.stand_by(&life);
        } else {
            self.soon(&life, 20, Act::Begin);
            self.soon(&life, 40, Act::Wake);
        }
        self.lives.push(life);
    }

    /// All processes are stopped; of two that take turns only one is, so that the other goes on.
    fn stop(&mut self) {
        if self.swarm.lease.is_some() {
            let holder = self.lives.iter().position(|life| self.holds(life));
            let which = match self.chance.chance(700) {
                true => holder,
                false => Some(self.chance.index(self.lives.len())),
            };
            if let Some(life) = which.and_then(|at| self.lives.get_mut(at)) {
                life.frozen = true;
            }
            return;
        }
        for life in &mut self.lives {
            life.frozen = true;
        }
    }

    /// Stopped processes go on, and what waited for them happens.
    fn go_on(&mut self) {
        for life in &mut self.lives {
            life.frozen = false;
            for (generation, act) in std::mem::take(&mut life.parked) {
                self.agenda.put(1, Event::Life(life.id, generation, act));
            }
        }
    }

    /// A process is gone; another is started soon.
    pub(crate) fn buried(&mut self, life: &Life) {
        self.tell(|| format!("p{}: is gone", life.id));
        if let Some(synced) = self.troubles.synced.clone() {
            self.tables = synced;
        }
        let wait = self.chance.within(200, 6_000);
        self.agenda.put(wait, Event::Start);
    }

    fn kill_all(&mut self) {
        for life in std::mem::take(&mut self.lives) {
            self.buried(&life);
        }
    }

    /// The database is lost, or an older copy takes its place. Clients are told to ask again.
    fn replace_database(&mut self, copy: Option<Tables>) {
        self.kill_all();
        self.troubles.era += 1;
        self.troubles.synced = None;
        if let Some(copy) = copy {
            self.tally.see(Seen::DatabaseReplaced);
            // Nothing tells the daemon that its database is an older one: the runbook has the operator
            // wait until nothing that was signed since can be in flight.
            self.troubles.start_from = self.chain.last() + self.swarm.window + 2;
            self.tables = copy;
        } else {
            self.tally.see(Seen::DatabaseEmptied);
            self.tables = Tables::default();
            // A copy from before is of another history: whoever went on with an empty database and then
            // puts it back is told of ends that were true there. docs/RELIABILITY.md says so.
            self.troubles.copy = None;
        }
        self.audit.forget_names();
        for n in 0..self.clients.len() {
            if let Some(client) = self.clients.get_mut(n) {
                client.told = None;
            }
            let comes = self.chance.within(100, 30_000);
            let ask = crate::client::ToClient::AskAgain;
            self.agenda.put(comes, Event::Client(n, ask));
        }
    }

    /// Whether the journal of an older copy is still being read up to the ledger at which it was put
    /// back: nothing may be called off before.
    pub(crate) fn is_catching_up(&self) -> bool {
        let at = self
            .tables
            .wallet
            .as_ref()
            .map_or(0, |wallet| wallet.cursor.at.0);
        at < self.troubles.start_from
    }

    /// The copy that an operator keeps, and what a lying disk really holds.
    pub(crate) fn keep_copies(&mut self) {
        let wants_copy = self.swarm.faults.contains(&Fault::OlderDatabase);
        // A copy from before the journal began is an empty database, which is another fault.
        let has_begun = self.tables.wallet.is_some();
        if wants_copy && has_begun && self.healed_at.is_none() && self.chance.chance(100) {
            self.troubles.copy = Some(self.tables.clone());
        }
        if self.is_planted(Plant::LyingDisk) {
            self.troubles.synced = Some(self.tables.clone());
        }
    }

    /// Something that processes look at has changed.
    pub(crate) fn wake_all(&mut self) {
        for life in &self.lives {
            self.agenda
                .put(1, Event::Life(life.id, life.generation, Act::Wake));
        }
    }
}
