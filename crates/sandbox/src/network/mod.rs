//! The network: one chain, several servers, and everything that changes either of them.
//!
//! Owns all mutable state behind one lock that [`crate::server`] takes and never holds across an await.
//! A close is: gather what every server has in its open ledger, build, write to the log, commit, and
//! only then move the servers on and tell their subscribers.

mod advance;
mod apart;
mod lifecycle;
mod queue;
mod submit;
mod time;
mod trial;

use crate::clock;
use crate::condition::Accounting;
use crate::config::{NetworkConfig, StartError};
use crate::faults::{Apart, Faults, Forced, QuorumLost};
use crate::ledger::chain::{Chain, GENESIS_PASSPHRASE, Header, Ledger, StateAt};
use crate::ledger::codes::Ter;
use crate::ledger::fees::FeeMetrics;
use crate::ledger::held::Memory;
use crate::ledger::log::{Log, LogError};
use crate::ledger::open::Open;
use crate::ledger::queue::Queue;
use crate::ledger::rules::Fees;
use crate::ledger::state::{Layered, Read};
use crate::ledger::tx::Tx;
use crate::random::Random;
pub(crate) use queue::Load;
use serde_json::json;
use std::sync::Arc;
use time::LedgerTime;
pub(crate) use time::STEP_S;
pub(crate) use trial::Tried;
use xrpayd_codec::keys::Keypair;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;
use xrpayd_core::money::Drops;

/// A validated ledger that is older says nothing of the network any more.
const VALIDATED_AGE_MAX_S: u32 = 120;

/// What subscribers of a server are to be told, in this order.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A ledger was validated.
    Closed {
        ledger: Arc<Ledger>,
        first_index: u32,
    },
    /// The network has closed a ledger, which the server follows only then (microseconds of the Unix epoch).
    Late { due_us: u64 },
    /// A client asked for paths and is to have the answer of a full search.
    Paths { client: u64 },
    /// The server's fees or its state have changed.
    Status(Load),
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
    /// The newest ledger that it has closed; its open ledger lies over it.
    pub(crate) closed: u32,
    /// The newest ledger it holds for validated; not after `closed`.
    pub(crate) validated: u32,
    /// The newest ledger of its contiguous history; not after `validated`, and behind it after a leap.
    pub(crate) complete: u32,
    /// The newest ledger that its subscribers were told of.
    pub(crate) told: u32,
    /// How many ledgers of history it gains with each close, while its history is behind.
    pub(crate) crawl: Option<u32>,
    /// When it last validated a ledger, in microseconds of the Unix epoch.
    pub(crate) validated_at_us: u64,
    /// The chain of its own on which it stands alone.
    pub(crate) branch: Option<Box<Chain>>,
    /// It was frozen, and stands where it stood then until the next close.
    pub(crate) thawing: bool,
    /// What others sent it while it could not listen.
    pub(crate) inbox: Vec<Arc<Tx>>,
    /// Its open ledger, over the closed one.
    pub(crate) open: Open,
    /// What it remembers of transactions.
    pub(crate) memory: Memory,
    /// What waits for a cheaper ledger.
    pub(crate) queue: Queue,
    /// What it has learned of how full ledgers are.
    pub(crate) metrics: FeeMetrics,
    /// What it last told the subscribers of its status.
    pub(crate) told_fees: Option<Load>,
    /// What is wrong with it.
    pub(crate) faults: Faults,
    /// What its subscribers have not been told yet.
    pub(crate) events: tokio::sync::mpsc::UnboundedSender<Event>,
    /// Whether anyone listens for proposed transactions.
    pub(crate) proposed_wanted: bool,
    /// Whether anyone listens for its status.
    pub(crate) status_wanted: bool,
    /// The oldest ledger that it counts as complete since it last started.
    pub(crate) history_from: u32,
    /// Where its time went.
    pub(crate) accounting: Accounting,
}

impl ServerView {
    fn new(
        tip: &Header,
        network_id: u32,
        capacity: Option<u32>,
        events: tokio::sync::mpsc::UnboundedSender<Event>,
    ) -> Self {
        Self {
            closed: tip.index,
            validated: tip.index,
            complete: tip.index,
            told: tip.index,
            crawl: None,
            validated_at_us: clock::unix_us(),
            branch: None,
            thawing: false,
            inbox: Vec::new(),
            open: Open::new(tip.index + 1, tip.close_time, network_id),
            memory: Memory::default(),
            queue: Queue::default(),
            metrics: FeeMetrics::new(capacity),
            told_fees: None,
            faults: Faults::default(),
            events,
            proposed_wanted: false,
            status_wanted: false,
            history_from: 0,
            accounting: Accounting::started(clock::unix_us()),
        }
    }

    /// Whether it has the ledger in its history.
    pub(crate) fn has_history(&self, index: u32) -> bool {
        index <= self.complete && !self.faults.lacks_ledger(index)
    }

    /// Whether it can show the ledger: also one that a leap of the validated index passed over, which is
    /// validated by its place below that index though the history does not count it yet.
    pub(crate) fn has_ledger(&self, index: u32) -> bool {
        index <= self.validated && !self.faults.lacks_ledger(index)
    }

    /// Whether it does nothing at all.
    pub(crate) fn is_frozen(&self) -> bool {
        let until = self.faults.freeze.map(|freeze| freeze.until_us);
        until.is_some_and(|until| until.is_none_or(|until| clock::unix_us() < until))
    }

    /// Whether it hears nothing of the others: it is frozen or down, or has thawed only just, or is cut off.
    fn is_deaf(&self) -> bool {
        self.faults.condition.down
            || self.faults.freeze.is_some()
            || self.thawing
            || self.branch.is_some()
    }
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

impl Submitted {
    /// What was not even looked at.
    pub(crate) const NOT_TAKEN: Self = Self {
        result: Ter::TEL_LOCAL_ERROR,
        applied: false,
        broadcast: false,
        queued: false,
        kept: false,
        state: None,
    };
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
    /// The network's chain: the truth.
    pub(crate) main: Chain,
    pub(crate) servers: Vec<ServerView>,
    pub(crate) network_id: u32,
    /// Set while the network closes ledgers and validates none.
    pub(crate) quorum_lost: Option<QuorumLost>,
    /// What the next payments with these destination tags are validated with.
    pub(crate) forced: Forced,
    pub(crate) random: Random,
    pub(crate) time: LedgerTime,
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
        let time = LedgerTime::new(config.close_interval);
        let genesis =
            Keypair::from_passphrase(GENESIS_PASSPHRASE).map_err(|_| StartError::Genesis)?;
        let begin = |random: &mut Random| {
            let salt = random.bytes32();
            Chain::genesis(
                genesis.account_id(),
                time.beginning_s(),
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
            .map(|events| ServerView::new(&tip, config.network_id, config.ledger_capacity, events))
            .collect();
        let network_id = config.network_id;
        let mut net = Self {
            main: chain,
            servers,
            network_id,
            quorum_lost: None,
            forced: Forced::new(),
            random,
            time,
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
        self.close(None);
        Ok(())
    }

    /// Pays an account out of the genesis account, by a real signed payment into the open ledgers.
    pub(crate) fn fund(&mut self, account: AccountId, drops: Drops) -> (Ter, Option<TxHash>) {
        let genesis = self.genesis.account_id();
        let in_touch = self.servers.iter().position(|view| !view.is_deaf());
        let server = in_touch.unwrap_or_default();
        let Some(root) = self.open_view(server).account(genesis) else {
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
        (self.submit(server, &tx, Origin::Client).result, Some(hash))
    }

    /// The chain that a server follows: the network's, or its own where it stands alone.
    pub(crate) fn chain(&self, server: usize) -> &Chain {
        chain_of(&self.main, self.servers[server].branch.as_deref())
    }

    /// Whether a server has heard of no validated ledger for so long that it admits it.
    pub(crate) fn is_stale(&self, server: usize) -> bool {
        let view = &self.servers[server];
        let condition = &view.faults.condition;
        if condition.without_validated || condition.older_s > VALIDATED_AGE_MAX_S {
            return true;
        }
        let apart = match view.faults.apart {
            Some(Apart::Partition { stale_after_ms }) => Some(stale_after_ms),
            Some(Apart::Fork) => return false,
            None => None,
        };
        let lost = self.quorum_lost.map(|lost| lost.stale_after_ms);
        let age_us = clock::unix_us().saturating_sub(view.validated_at_us);
        let stale_after_ms = apart.into_iter().chain(lost).min();
        stale_after_ms.is_some_and(|ms| age_us / 1_000 >= ms)
    }

    /// The state over which a server's open ledger lies.
    fn closed_state(&self, server: usize) -> StateAt<'_> {
        let chain = self.chain(server);
        let newest = || chain.state_at(chain.tip().header.index);
        let state = chain.state_at(self.servers[server].closed).or_else(newest);
        assert!(state.is_some(), "the newest state can always be read");
        state.unwrap_or_else(|| unreachable!("asserted above"))
    }

    /// A server's open ledger as something to read.
    pub(crate) fn open_view(&self, server: usize) -> OpenView<'_> {
        OpenView {
            base: self.closed_state(server),
            open: &self.servers[server].open,
        }
    }

    /// The oldest ledger that a server says it has.
    pub(crate) fn first_index(&self, server: usize) -> u32 {
        let first = self.chain(server).first_index();
        let view = &self.servers[server];
        first.max(view.faults.history_from()).max(view.history_from)
    }
}

/// The chain that a server follows, for where only a part of the network may be borrowed.
fn chain_of<'a>(main: &'a Chain, branch: Option<&'a Chain>) -> &'a Chain {
    branch.unwrap_or(main)
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

    fn book_named_after(
        &self,
        after: &crate::ledger::state::BookRoot,
    ) -> Option<crate::ledger::state::BookRoot> {
        Layered {
            base: &self.base,
            overlay: &self.open.overlay,
        }
        .book_named_after(after)
    }
}
