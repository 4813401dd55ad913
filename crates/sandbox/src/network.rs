//! The network: one chain, several servers, and everything that changes either of them.
//!
//! Owns all mutable state behind one lock that [`crate::server`] takes and never holds across an await.
//! A close is: gather what every server has in its open ledger, build, write to the log, commit, and
//! only then move the servers on and tell their subscribers.

use crate::clock;
use crate::config::{NetworkConfig, StartError};
use crate::faults::Faults;
use crate::ledger::chain::{Chain, GENESIS_PASSPHRASE, Ledger, StateAt};
use crate::ledger::close;
use crate::ledger::codes::Ter;
use crate::ledger::held::Memory;
use crate::ledger::log::{Log, LogError};
use crate::ledger::open::Open;
use crate::ledger::queue::{self, Gate, Offered, Queue};
use crate::ledger::rules::{self, Fees, Mode};
use crate::ledger::state::{Layered, Read};
use crate::ledger::tx::Tx;
use crate::random::Random;
use serde_json::json;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use xrpayd_codec::keys::Keypair;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;
use xrpayd_core::money::Drops;

/// What subscribers of a server are to be told, in this order.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A ledger was validated.
    Closed {
        ledger: Arc<Ledger>,
        first_index: u32,
    },
    /// A transaction applied to the open ledger.
    Proposed {
        tx: Arc<Tx>,
        result: Ter,
        current: u32,
    },
}

/// One server's view of the network.
#[derive(Debug)]
pub(crate) struct ServerView {
    /// The newest ledger it holds for validated.
    pub(crate) validated: u32,
    /// Its open ledger, over that.
    pub(crate) open: Open,
    /// What it remembers of transactions.
    pub(crate) memory: Memory,
    /// What waits for a cheaper ledger.
    pub(crate) queue: Queue,
    /// What is wrong with it.
    pub(crate) faults: Faults,
    /// What its subscribers have not been told yet.
    pub(crate) events: tokio::sync::mpsc::UnboundedSender<Event>,
    /// Whether anyone listens for proposed transactions.
    pub(crate) proposed_wanted: bool,
}

/// What a server answers to a submission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Submitted {
    pub(crate) result: Ter,
    pub(crate) applied: bool,
    pub(crate) broadcast: bool,
    pub(crate) queued: bool,
    pub(crate) kept: bool,
    /// The state after it; absent where the server refused before looking.
    pub(crate) state: Option<SubmittedState>,
}

/// The sender and the ledger after a submission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubmittedState {
    pub(crate) sequence_next: u32,
    pub(crate) sequence_available: u32,
    pub(crate) open_ledger_cost: u64,
    pub(crate) validated: u32,
}

/// Who submits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client, who wants it tried again later.
    Client,
    /// A client, who wants it now or never.
    ClientFailHard,
    /// Another server.
    Peer,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) chain: Chain,
    pub(crate) servers: Vec<ServerView>,
    pub(crate) network_id: u32,
    /// Transactions in an open ledger before the fee escalates.
    pub(crate) capacity: Option<u32>,
    pub(crate) random: Random,
    pub(crate) genesis: Keypair,
    log: Option<Log>,
}

impl Net {
    /// Starts a network, from its log where there is one.
    pub(crate) fn start(
        config: &NetworkConfig,
        events: Vec<tokio::sync::mpsc::UnboundedSender<Event>>,
    ) -> Result<Self, StartError> {
        let mut random = Random::new(config.seed);
        let genesis =
            Keypair::from_passphrase(GENESIS_PASSPHRASE).map_err(|_| StartError::Genesis)?;
        let begin = |random: &mut Random| {
            let salt = random.bytes32();
            Chain::genesis(
                genesis.account_id(),
                clock::ripple_s(),
                salt,
                config.retain_ledgers,
            )
        };
        let (chain, log, is_fresh) = match &config.state {
            None => (begin(&mut random), None, true),
            Some(path) => {
                let refused = |error| match error {
                    LogError::Io(source) => StartError::State {
                        path: path.clone(),
                        source,
                    },
                    LogError::Bad(reason) => StartError::BadState {
                        path: path.clone(),
                        reason: reason.to_owned(),
                    },
                };
                let loaded =
                    Log::open(path, config.network_id, config.retain_ledgers).map_err(refused)?;
                let mut log = loaded.log;
                if loaded.chain.is_empty() {
                    let chain = begin(&mut random);
                    log.append_state(&chain).map_err(refused)?;
                    (chain, Some(log), true)
                } else {
                    (loaded.chain, Some(log), false)
                }
            }
        };
        let tip = chain.tip().header.clone();
        let servers = events
            .into_iter()
            .map(|events| ServerView {
                validated: tip.index,
                open: Open::new(tip.index + 1, tip.close_time, config.network_id),
                memory: Memory::default(),
                queue: Queue::default(),
                faults: Faults::default(),
                events,
                proposed_wanted: false,
            })
            .collect();
        let (network_id, capacity) = (config.network_id, config.ledger_capacity);
        let mut net = Self {
            chain,
            servers,
            network_id,
            capacity,
            random,
            genesis,
            log,
        };
        if is_fresh && !config.fund.is_empty() {
            net.fund_all(&config.fund)?;
        }
        Ok(net)
    }

    fn fund_all(&mut self, fund: &[(AccountId, Drops)]) -> Result<(), StartError> {
        for &(account, drops) in fund {
            let (result, _) = self.fund(account, drops);
            if !result.is_success() {
                return Err(StartError::Fund {
                    account,
                    drops,
                    result: result.name(),
                });
            }
        }
        self.close();
        Ok(())
    }

    /// Pays an account out of the genesis account, by a real signed payment into the open ledgers.
    pub(crate) fn fund(&mut self, account: AccountId, drops: Drops) -> (Ter, Option<TxHash>) {
        let genesis = self.genesis.account_id();
        let Some(root) = self.open_view(0).account(genesis) else {
            return (Ter::TER_NO_ACCOUNT, None);
        };
        let mut payment = json!({
            "TransactionType": "Payment",
            "Account": genesis.to_string(),
            "Destination": account.to_string(),
            "Amount": drops.to_string(),
            "Fee": Fees::MODEL.base.to_string(),
            "Flags": 0,
            "Sequence": root.sequence,
        });
        if self.network_id > 1024 {
            payment["NetworkID"] = json!(self.network_id);
        }
        let signed = xrpayd_codec::sign::sign(&payment, &self.genesis);
        let parsed = signed.ok().and_then(|signed| Tx::parse(signed.blob).ok());
        let Some(tx) = parsed.map(Arc::new) else {
            return (Ter::TEM_MALFORMED, None);
        };
        let hash = tx.hash;
        (self.submit(0, &tx, Origin::Client).result, Some(hash))
    }

    /// The state of the newest ledger that a server holds for validated.
    pub(crate) fn validated_state(&self, server: usize) -> StateAt<'_> {
        let wanted = self.servers[server].validated;
        let oldest = || self.chain.state_at(self.chain.tip().header.index);
        let state = self.chain.state_at(wanted).or_else(oldest);
        assert!(state.is_some(), "the newest state can always be read");
        state.unwrap_or_else(|| unreachable!("asserted above"))
    }

    /// A server's open ledger as something to read.
    pub(crate) fn open_view(&self, server: usize) -> OpenView<'_> {
        OpenView {
            base: self.validated_state(server),
            open: &self.servers[server].open,
        }
    }

    /// Takes a parsed transaction with good signatures to one server, and from there to the others.
    pub(crate) fn submit(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> Submitted {
        if self.servers[server].memory.bad.get(&tx.hash).is_some() {
            let result = Ter::TEM_BAD_SIGNATURE;
            let (applied, broadcast, queued, kept) = (false, false, false, false);
            return Submitted {
                result,
                applied,
                broadcast,
                queued,
                kept,
                state: None,
            };
        }
        let submitted = self.take(server, tx, origin);
        if submitted.applied {
            self.release_held(server, tx);
        }
        submitted
    }

    fn take(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> Submitted {
        let (result, applied) = self.enter(server, tx, origin);
        let view = &mut self.servers[server];
        let current = view.open.index;
        view.memory.known.insert(tx.hash, Arc::clone(tx));
        if result.is_tem() {
            view.memory.bad.insert(tx.hash, ());
        }
        let enforce_fail_hard = origin == Origin::ClientFailHard && !result.is_success();
        let queued = result == Ter::TER_QUEUED;
        let mut kept = queued;
        if result.is_ter() && !queued && !enforce_fail_hard {
            view.memory.hold(tx);
            kept = true;
        }
        if origin != Origin::Peer && !enforce_fail_hard {
            kept = view.memory.keep_local(tx, current) || kept;
        }
        let broadcast = (applied || queued) && !enforce_fail_hard;
        let state = self.state_after(server, tx);
        if broadcast && origin != Origin::Peer {
            self.relay(server, tx);
        }
        Submitted {
            result,
            applied,
            broadcast,
            queued,
            kept,
            state: Some(state),
        }
    }

    /// Lets a transaction into the open ledger, or into the queue where there is one and it must.
    fn enter(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> (Ter, bool) {
        let mode = if origin == Origin::ClientFailHard {
            Mode::OpenNoTec
        } else {
            Mode::Open
        };
        let Some(capacity) = self.capacity else {
            return self.try_open(server, tx, mode);
        };
        if let Err(result) = rules::preflight(tx, &self.servers[server].open.setting(mode)) {
            return (result, false);
        }
        let open_count = self.servers[server].open.txs.len();
        let required = queue::level_required(open_count, Some(capacity));
        let sequence_fits = match rules::check_sequence(tx, &self.open_view(server)) {
            Ok(_) => true,
            Err(Ter::TER_PRE_SEQ) => false,
            Err(result) => return (result, false),
        };
        let fee = tx.fee_drops();
        let minimum = rules::needed_fee(tx, &Fees::MODEL, &self.open_view(server));
        if sequence_fits && (queue::level_paid(tx) >= required || fee < minimum) {
            let (result, applied) = self.try_open(server, tx, mode);
            if applied {
                self.servers[server].queue.remove(tx.account, tx.proxy());
            }
            return (result, applied);
        }
        let validated = self.servers[server].validated;
        let view = &mut self.servers[server];
        let Some(base) = self.chain.state_at(validated) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        let gate = Gate {
            view: &Layered {
                base: &base,
                overlay: &view.open.overlay,
            },
            open_index: view.open.index,
            open_count,
            capacity,
            fail_hard: origin == Origin::ClientFailHard,
        };
        match view.queue.offer(tx, &gate) {
            Offered::Queued => (Ter::TER_QUEUED, false),
            Offered::Refused(result) => (result, false),
            Offered::PaysFor(before) => {
                for earlier in &before {
                    if self.try_open(server, earlier, Mode::Open).1 {
                        self.servers[server]
                            .queue
                            .remove(earlier.account, earlier.proxy());
                        self.relay(server, earlier);
                    }
                }
                self.try_open(server, tx, mode)
            }
        }
    }

    /// Tries a transaction on a server's open ledger, and tells its subscribers if it applies.
    fn try_open(&mut self, server: usize, tx: &Arc<Tx>, mode: Mode) -> (Ter, bool) {
        let view = &mut self.servers[server];
        if let Err(result) = rules::preflight(tx, &view.open.setting(mode)) {
            return (result, false);
        }
        let Some(base) = self.chain.state_at(view.validated) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        let (result, applied) = view.open.apply(tx, &base, mode);
        if applied && view.proposed_wanted {
            let told = Event::Proposed {
                tx: Arc::clone(tx),
                result,
                current: view.open.index,
            };
            let _gone_at_shutdown = view.events.send(told);
        }
        (result, applied)
    }

    fn state_after(&self, server: usize, tx: &Tx) -> SubmittedState {
        let view = &self.servers[server];
        let root = self.open_view(server).account(tx.account);
        let sequence_next = root.map_or(0, |root| root.sequence);
        let level = queue::level_required(view.open.txs.len(), self.capacity);
        let base_fee = rules::base_fee(tx, &Fees::MODEL);
        SubmittedState {
            sequence_next,
            sequence_available: view.queue.available(tx.account, sequence_next),
            open_ledger_cost: queue::level_in_drops(level, base_fee),
            validated: view.validated,
        }
    }

    fn relay(&mut self, from: usize, tx: &Arc<Tx>) {
        for peer in (0..self.servers.len()).filter(|&peer| peer != from) {
            let known = self.servers[peer].open.contains(tx.hash);
            if !known && self.servers[peer].memory.bad.get(&tx.hash).is_none() {
                let taken = self.take(peer, tx, Origin::Peer);
                if taken.applied {
                    self.release_held(peer, tx);
                }
            }
        }
    }

    /// Tries what waited for `tx`, and what waited for that, and so on.
    fn release_held(&mut self, server: usize, tx: &Arc<Tx>) {
        let mut proxy = tx.proxy();
        while let Some(next) = self.servers[server].memory.take_next(tx.account, proxy) {
            proxy = next.proxy();
            if !self.retry_open(server, &next) {
                break;
            }
        }
    }

    /// Tries a transaction again that this server holds; tells of it and relays it if it applies.
    fn retry_open(&mut self, server: usize, tx: &Arc<Tx>) -> bool {
        if self.servers[server].open.contains(tx.hash) {
            return false;
        }
        let (result, applied) = self.enter(server, tx, Origin::Peer);
        if applied || result == Ter::TER_QUEUED {
            self.relay(server, tx);
        }
        applied
    }

    /// Closes a ledger. Returns the index of the new open one.
    pub(crate) fn close(&mut self) -> u32 {
        for server in 0..self.servers.len() {
            for held in self.servers[server].memory.take_held() {
                self.retry_open(server, &held);
            }
        }
        let mut seen = HashSet::new();
        let mut set = Vec::new();
        for view in &self.servers {
            // A server that fell behind still has what the others have validated long since.
            let fresh = view
                .open
                .txs
                .iter()
                .filter(|tx| seen.insert(tx.hash) && self.chain.place(tx.hash).is_none());
            set.extend(fresh.map(Arc::clone));
        }
        let built = close::build(&self.chain, &set, clock::ripple_s(), self.network_id);
        let ledger = Arc::new(built.ledger);
        if let Some(log) = &mut self.log
            && let Err(error) = log.append_ledger(&ledger, &built.overlay)
        {
            tracing::error!(%error, ledger.index = ledger.header.index, "the ledger's log cannot be written; this close is not published");
            return self.chain.tip().header.index + 1;
        }
        self.chain.commit(ledger, built.overlay);
        let tip = self.chain.tip().header.index;
        for server in 0..self.servers.len() {
            self.advance(server);
        }
        tip + 1
    }

    /// Lets a server validate as far as its faults allow.
    pub(crate) fn advance(&mut self, server: usize) {
        let tip = self.chain.tip().header.index;
        let goal = self.servers[server].faults.validated_goal(tip);
        while self.servers[server].validated < goal {
            let next = self.servers[server].validated + 1;
            let Some(ledger) = self.chain.ledger(next).map(Arc::clone) else {
                self.servers[server].validated = tip;
                break;
            };
            self.step(server, ledger);
        }
    }

    /// Moves a server to the next validated ledger: a new open ledger, retries, and the news.
    fn step(&mut self, server: usize, ledger: Arc<Ledger>) {
        let header = &ledger.header;
        let in_ledger: HashSet<TxHash> = ledger.txs.iter().map(|tx| tx.hash).collect();
        let first_index = self.first_index(server);
        let Some(base) = self.chain.state_at(header.index) else {
            return;
        };
        let view = &mut self.servers[server];
        view.validated = header.index;
        view.memory.sweep_local(header.index, &base, &in_ledger);
        view.queue
            .sweep(header.index, &base, |hash| in_ledger.contains(&hash));
        for hash in &in_ledger {
            view.memory.known.remove(hash);
        }
        let fresh = Open::new(header.index + 1, header.close_time, self.network_id);
        let old = std::mem::replace(&mut view.open, fresh);
        let told = Event::Closed {
            ledger: Arc::clone(&ledger),
            first_index,
        };
        let _gone_at_shutdown = view.events.send(told);
        let left: VecDeque<Arc<Tx>> = old
            .txs
            .into_iter()
            .filter(|tx| !in_ledger.contains(&tx.hash))
            .collect();
        for tx in left {
            self.retry_open(server, &tx);
        }
        self.serve_queue(server);
        for tx in self.servers[server].memory.local_in_order() {
            let is_bad = self.servers[server].memory.bad.get(&tx.hash).is_some();
            if !is_bad {
                self.retry_open(server, &tx);
            }
        }
    }

    /// Takes what waits into the new open ledger, dearest first, while it has room at that price.
    fn serve_queue(&mut self, server: usize) {
        let Some(capacity) = self.capacity else {
            return;
        };
        let mut waiting = self.servers[server].queue.by_fee();
        let mut progressed = true;
        while progressed {
            progressed = false;
            let mut later = Vec::new();
            for tx in waiting {
                let count = self.servers[server].open.txs.len();
                if queue::level_paid(&tx) < queue::level_required(count, Some(capacity)) {
                    later.push(tx);
                    continue;
                }
                match self.try_open(server, &tx, Mode::Open) {
                    (_, true) => {
                        progressed = true;
                        self.servers[server].queue.remove(tx.account, tx.proxy());
                        self.relay(server, &tx);
                    }
                    (Ter::TER_PRE_SEQ, false) => later.push(tx),
                    (result, false) if result.is_ter() => self.servers[server].queue.failed(&tx),
                    (_, false) => self.servers[server].queue.remove(tx.account, tx.proxy()),
                }
            }
            waiting = later;
        }
    }

    /// The oldest ledger that a server says it has.
    pub(crate) fn first_index(&self, server: usize) -> u32 {
        self.chain
            .first_index()
            .max(self.servers[server].faults.history_from())
    }
}

/// A server's open ledger over the state that it lies on.
pub(crate) struct OpenView<'a> {
    base: StateAt<'a>,
    open: &'a Open,
}

impl Read for OpenView<'_> {
    fn entry(&self, key: &crate::ledger::entry::Key) -> Option<crate::ledger::entry::Entry> {
        Layered {
            base: &self.base,
            overlay: &self.open.overlay,
        }
        .entry(key)
    }
}
