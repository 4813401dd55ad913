//! One world: the chain, the servers, the disk, the processes and the clients of one seed, and the loop
//! that lets happen what is next.

use crate::agenda::Agenda;
use crate::audit::Audit;
use crate::chain::{BASE_FEE, Chain};
use crate::client::{Client, ToClient};
use crate::count::{count_entry, count_payment};
use crate::disk::Tables;
use crate::faults::Troubles;
use crate::life::{Act, Life};
use crate::pool::Ask;
use crate::prng::Prng;
use crate::server::Server;
use crate::swarm::{Fault, Swarm};
use crate::tally::Tally;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::engine::{Settings, Tick};
use xrpayd_core::ids::{TxHash, UnixMs};

/// When the world begins, by its wall clock.
const BIRTH: i64 = 1_800_000_000_000;
/// Events after which a world is taken to go round in circles.
const EVENTS_MAX: u64 = 400_000;
/// Ledgers that everything may take once all is healed: several lives of an attempt, the wait of an
/// empty database, and the queue's own length.
const HEALED_WINDOWS: u32 = 12;
/// How long smaller payments may pass by one that the balance does not bear, in milliseconds: some
/// ledgers, so that worlds live through it.
const PATIENCE: i64 = 20_000;

/// A bug that is planted around the engine, to see it caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// The disk acknowledges writes that a crash takes back.
    LyingDisk,
    /// What was signed leaves before its commit is durable.
    SendFirst,
    /// One server's word is taken for the quorum's.
    OneVoice,
    /// A page that covers less than was asked is taken for all of it.
    ClampedPages,
    /// A commit that was refused is taken for one that was made.
    IgnoreRefusal,
    /// An empty database signs at once, on an account that was used.
    ForgetPast,
    /// Tickets that were read are taken to stand at the journal's end, whatever happened meanwhile.
    StaleTickets,
    /// What came in is written after its page, in a transaction of its own.
    BookApart,
    /// A commit is made whoever holds the wallet.
    StaleEpoch,
    /// A holder counts its time from the answer and not from its question.
    LateDeadline,
}

/// Every planted bug, by its name on the command line.
pub const PLANTS: [(&str, Plant); 10] = [
    ("lying-disk", Plant::LyingDisk),
    ("send-first", Plant::SendFirst),
    ("one-voice", Plant::OneVoice),
    ("clamped-pages", Plant::ClampedPages),
    ("ignore-refusal", Plant::IgnoreRefusal),
    ("forget-past", Plant::ForgetPast),
    ("stale-tickets", Plant::StaleTickets),
    ("book-apart", Plant::BookApart),
    ("stale-epoch", Plant::StaleEpoch),
    ("late-deadline", Plant::LateDeadline),
];

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// The next ledger closes.
    Close,
    /// A server hears of it.
    Hear(usize),
    /// The next fault.
    Trouble,
    /// A fault is over.
    Over(Fault, usize),
    /// Everything is healed.
    Heal,
    /// A process is started, unless one is there.
    Start,
    /// Something happens in a process, in one generation of its engine.
    Life(u64, u64, Act),
    /// A request reaches a server.
    Reach(usize, Ask),
    /// A question about the lease reaches the database.
    Lease(crate::lease::Question),
    /// Something reaches a client.
    Client(usize, ToClient),
    /// The clients look at their payments, the operator at the wallet.
    Look,
}

/// The world of one seed.
#[derive(Debug)]
pub struct World {
    /// What happens next.
    pub agenda: Agenda<Event>,
    /// Chance.
    pub chance: Prng,
    /// What was drawn for this world.
    pub swarm: Swarm,
    /// The ledger.
    pub chain: Chain,
    /// The servers.
    pub servers: Vec<Server>,
    /// The database.
    pub tables: Tables,
    /// The processes, of which at most one should work.
    pub lives: Vec<Life>,
    /// How many there ever were.
    pub births: u64,
    /// Who asks for payments.
    pub clients: Vec<Client>,
    /// Who checks.
    pub audit: Audit,
    /// The faults as they stand.
    pub troubles: Troubles,
    /// The bugs that are planted.
    pub plants: BTreeSet<Plant>,
    /// What happened, where it is wanted.
    pub trace: Option<Vec<String>>,
    /// How often it happened.
    pub tally: Tally,
    /// The last code with which a submission was answered.
    pub codes: BTreeMap<TxHash, &'static str>,
    /// The ledger at which everything was healed.
    pub healed_at: Option<u32>,
    events: u64,
}

impl World {
    /// The world of `seed`.
    #[must_use]
    pub fn new(seed: u64, plants: BTreeSet<Plant>, is_traced: bool) -> Self {
        let mut chance = Prng::new(seed);
        let mut swarm = Swarm::draw(&mut chance);
        swarm.lease = crate::lease::draw(seed);
        let mut servers: Vec<Server> = (0..swarm.servers)
            .map(|_| Server::new(chance.bits()))
            .collect();
        for (server, lie) in servers.iter_mut().zip(&swarm.liars) {
            server.lie = Some(*lie);
        }
        let mut chain = Chain::new(swarm.balance);
        chain.held = swarm.held;
        let mut world = Self {
            agenda: Agenda::default(),
            chain,
            servers,
            tables: Tables::default(),
            lives: Vec::new(),
            births: 0,
            clients: Vec::new(),
            audit: Audit::default(),
            troubles: Troubles::default(),
            plants,
            trace: is_traced.then(Vec::new),
            tally: Tally::default(),
            codes: BTreeMap::new(),
            healed_at: None,
            events: 0,
            swarm,
            chance,
        };
        let swarm = world.swarm.clone();
        world.tell(|| format!("{swarm:?}"));
        for _ in 0..world.processes() {
            world.agenda.put(1, Event::Start);
        }
        world.agenda.put(swarm.close, Event::Close);
        world.agenda.put(swarm.close, Event::Look);
        world.agenda.put(swarm.fault_every, Event::Trouble);
        world.agenda.put(swarm.trouble, Event::Heal);
        world.invite();
        world
    }

    /// Lets everything happen until all has its end or a sentence does not hold.
    pub fn run(&mut self) {
        while self.audit.violation.is_none() {
            self.events += 1;
            if self.events > EVENTS_MAX {
                self.audit.violation = Some(format!("{EVENTS_MAX} events and no end"));
                return;
            }
            let Some(event) = self.agenda.next() else {
                self.audit.violation = Some("nothing happens any more".to_owned());
                return;
            };
            if matches!(event, Event::Look) && self.is_over() {
                return;
            }
            self.happen(event);
        }
    }

    /// How many events happened.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Puts a line into the trace, where there is one.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let now = self.agenda.now();
            let line = line();
            trace.push(format!("{:>5}.{:03} {line}", now / 1_000, now % 1_000));
        }
    }

    /// Whether a bug is planted.
    #[must_use]
    pub fn is_planted(&self, plant: Plant) -> bool {
        self.plants.contains(&plant)
    }

    /// The wall clock, as the processes read it.
    #[must_use]
    pub fn wall(&self) -> UnixMs {
        let passed = i64::try_from(self.agenda.now()).unwrap_or(i64::MAX);
        UnixMs(BIRTH + passed + self.troubles.clock)
    }

    /// The clock that only ever grows.
    #[must_use]
    pub const fn tick(&self) -> Tick {
        Tick(self.agenda.now())
    }

    /// How the wallet may work.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            max_in_flight: self.swarm.max_in_flight,
            max_fee: crate::chain::drops(self.swarm.max_fee),
            ledger_window: self.swarm.window,
            low_balance_patience_ms: PATIENCE,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Close => self.close(),
            Event::Hear(server) => self.hear(server),
            Event::Trouble => self.trouble(),
            Event::Over(fault, which) => self.over(fault, which),
            Event::Heal => self.heal(),
            Event::Start => self.start(),
            Event::Life(life, generation, act) => self.live(life, generation, act),
            Event::Reach(server, ask) => self.reach(server, ask),
            Event::Lease(asked) => self.answer_lease(asked),
            Event::Client(client, to) => self.befall(client, to),
            Event::Look => self.look(),
        }
    }

    fn close(&mut self) {
        let wait = self.swarm.close + self.chance.below(self.swarm.jitter + 1);
        self.agenda.put(wait, Event::Close);
        if self.troubles.no_quorum {
            self.troubles.unvalidated += 1;
            return;
        }
        // Ledgers that were closed while nothing was validated are validated now, all at once: the
        // last ledger of an attempt bounds ledgers, not time.
        let ledgers = 1 + std::mem::take(&mut self.troubles.unvalidated);
        for _ in 0..ledgers {
            let deposit = self.chance.chance(self.swarm.deposits);
            let deposit = deposit.then(|| self.chance.within(1, 30_000_000));
            let entries = self.chain.close(&mut self.chance, deposit);
            self.audit.validated(entries);
            for entry in entries {
                count_entry(&mut self.tally, &self.codes, entry, ledgers > 1);
            }
            let index = self.chain.last();
            let told: Vec<String> = match self.trace.is_some() {
                true => self
                    .chain
                    .ledger(index)
                    .into_iter()
                    .flat_map(|l| &l.entries)
                    .map(entry_line)
                    .collect(),
                false => Vec::new(),
            };
            for line in told {
                self.tell(|| format!("ledger {index}: {line}"));
            }
        }
        for server in 0..self.servers.len() {
            let way = self.chance.within(5, self.swarm.latency.max(5));
            self.agenda.put(way, Event::Hear(server));
        }
    }

    fn hear(&mut self, server: usize) {
        let last = self.chain.last();
        if let Some(server) = self.servers.get_mut(server) {
            server.hear(last);
        }
        self.wake_all();
    }

    /// Whether everything is settled, or has had its time.
    fn is_over(&mut self) -> bool {
        let Some(healed_at) = self.healed_at else {
            return false;
        };
        let ledgers = self.chain.last().saturating_sub(healed_at);
        let bound = self.swarm.window * HEALED_WINDOWS + 60;
        let is_settled = self.clients.iter().all(Client::is_served)
            && self.audit.is_settled()
            && self.restless().is_none()
            && self.has_holder()
            && self.tables.open_request().is_none()
            && self.tables.usage.pending == 0
            && self
                .tables
                .wallet
                .as_ref()
                .is_none_or(|wallet| wallet.halted.is_none());
        // What was paid late, though it is said to have failed, shows a life of an attempt later.
        let is_late = ledgers > self.swarm.window + 4;
        if !(is_settled && is_late) && ledgers < bound {
            return false;
        }
        self.look();
        for row in self.tables.payments.values() {
            count_payment(&mut self.tally, &row.payment);
        }
        if self.troubles.two_writers {
            return true;
        }
        let usage = self.tables.usage;
        self.audit.close((usage.daily_used.get(), usage.pending));
        let nobody_else = self.swarm.refill.low_water == 0
            && self.troubles.era == 0
            && !self.swarm.faults.contains(&Fault::Stranger);
        self.audit.requests(&self.tables.requests, nobody_else);
        self.last_look();
        true
    }

    /// A process with something open, or one that never began though nobody else would.
    fn restless(&self) -> Option<&Life> {
        let stands_by = |life: &Life| self.swarm.lease.is_some() && life.desk.is_none();
        self.lives
            .iter()
            .find(|life| !life.is_quiet() && !stands_by(life))
    }

    /// What must hold of the processes and the wallet at the end, by what they show.
    fn last_look(&mut self) {
        if self.audit.violation.is_some() {
            return;
        }
        let restless = self.restless();
        let unserved = self
            .clients
            .iter()
            .filter(|client| !client.is_served())
            .count();
        let halted = self.tables.wallet.as_ref().and_then(|w| w.halted.clone());
        let wrong = if !self.has_holder() {
            Some("nobody has the wallet".to_owned())
        } else if let Some(life) = restless {
            Some(format!("attempts are open for ever: {}", life.open_line()))
        } else if unserved > 0 {
            Some(format!("{unserved} clients were never answered"))
        } else {
            halted.map(|reason| format!("the wallet stays halted: {reason}"))
        };
        self.audit.violation = wrong;
    }
}

/// One transaction as the trace shows it.
fn entry_line(entry: &xrpayd_core::journal::Entry) -> String {
    format!(
        "{} {:?} {} {} fee {}",
        short(&entry.hash.0),
        entry.slot,
        entry.transaction_type,
        entry.result,
        entry.fee.get().max(BASE_FEE)
    )
}

/// The beginning of a hash, enough to tell two apart in a trace.
#[must_use]
pub fn short(hash: &[u8; 32]) -> String {
    let [a, b, c, ..] = hash;
    format!("{a:02x}{b:02x}{c:02x}")
}
