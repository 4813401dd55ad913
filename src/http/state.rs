//! What the handlers are handed: the store, the rules in force, and a view of what is running.
//!
//! The rooms that know the ledger are never seen from here. What they know comes through [`Live`],
//! as plain data of this room's own types.

use super::edges::Edges;
use super::problem::Problem;
use super::refusal;
use crate::clock::{Clock, Entropy};
use crate::deposits::issue;
use crate::payments::accept::Policy;
use crate::store::switches::Switches;
use crate::store::{KeyLimits, Store};
use crate::telemetry::health::Thresholds;
use crate::telemetry::metrics::Metrics;
use crate::webhooks::Webhooks;
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Order;
use xrpayd_core::preflight::Facts;
use xrpayd_core::rollout::Ladder;

/// Everything that the HTTP room needs.
#[derive(Clone)]
pub struct AppState {
    /// The store.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Entropy, for identifiers.
    pub entropy: Arc<dyn Entropy>,
    /// The metric families.
    pub metrics: Arc<Metrics>,
    /// What is running.
    pub live: Arc<dyn Live>,
    /// What webhooks are sent with.
    pub webhooks: Webhooks,
    /// What holds until the process ends.
    pub settings: Settings,
    /// What a reload may change.
    pub rules: watch::Receiver<Arc<Rules>>,
    /// What operators have paused.
    pub switches: Switches,
}

impl AppState {
    /// Which payments are taken at the stage in force, as far as this process knows; the store tells
    /// where it is another.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let standing = self.switches.standing();
        let rules = self.rules.borrow();
        let own = match &standing.stage {
            Some(stage) => rules.policy_at(stage),
            None => rules.policy.clone(),
        };
        own.under(&standing.words)
    }

    /// Which payments are taken at a stage, by what all replicas say at this moment.
    ///
    /// # Errors
    /// The store does not tell: what was read before is over, and nothing is taken by it.
    pub async fn policy_again(&self, stage: &str) -> Result<Policy, Problem> {
        let read = self.switches.read_again().await;
        read.map_err(|error| refusal::store_read(&error))?;
        let standing = self.switches.standing();
        Ok(self.rules.borrow().policy_at(stage).under(&standing.words))
    }
}

/// What holds until the process ends.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// After this an unanswered request is given up.
    pub request_timeout: Duration,
    /// How long a shutdown may take; also the hint of when to try again.
    pub shutdown_grace: Duration,
    /// Whether keys are asked for.
    pub auth: Auth,
    /// After how long without an event a stream says that it still stands.
    pub heartbeat: Duration,
    /// How many streams one key may hold open.
    pub streams_per_key: usize,
    /// What the listener grants a stranger.
    pub edges: Edges,
}

/// Whether keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Every request under `/v1` needs a key.
    Required,
    /// Everybody is the client `anonymous` and may do everything. Never in production.
    Off,
}

/// What a reload may change.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Which payments are taken where the stage in force is not known: those of the lowest one.
    pub policy: Policy,
    /// Which invoices are issued.
    pub invoices: issue::Policy,
    /// How often a key may ask.
    pub rate_limits: RateLimits,
    /// From where requests are taken for what.
    pub access: Access,
    /// What `/health` finds worth a look.
    pub thresholds: Thresholds,
    /// The stages in order, with what holds at each.
    pub ladder: Ladder,
}

impl Rules {
    /// Which payments are taken at a stage. One that the configuration does not have takes those of the
    /// lowest stage.
    #[must_use]
    pub fn policy_at(&self, stage: &str) -> Policy {
        let rules = self.ladder.rules_at(stage);
        Policy {
            stage: stage.to_owned(),
            allowed_clients: rules.allowed_clients.clone(),
            caps: rules.caps,
            ..self.policy.clone()
        }
    }
}

/// From where requests are taken for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Whose word about the caller's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// From where alone keys with `admin` hold; empty is anywhere.
    pub admin_networks: Vec<IpNet>,
}

/// How often a key may ask, where it has no limits of its own; and how often somebody without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Writes in any minute.
    pub writes_per_minute: u32,
    /// Writes in any hour.
    pub writes_per_hour: u32,
    /// Reads in any minute.
    pub reads_per_minute: u32,
    /// Requests of an administrator that change something, in any minute.
    pub admin_per_minute: u32,
    /// Requests that make the ledger's servers work and change nothing, in any minute.
    pub checks_per_minute: u32,
    /// Failed attempts from one address in a minute.
    pub failures_per_minute: NonZeroU32,
}

impl RateLimits {
    /// The limits of a key: its own where it has some.
    #[must_use]
    pub fn of(self, own: &KeyLimits) -> Self {
        Self {
            writes_per_minute: own.per_minute.unwrap_or(self.writes_per_minute),
            writes_per_hour: own.per_hour.unwrap_or(self.writes_per_hour),
            reads_per_minute: own.reads_per_minute.unwrap_or(self.reads_per_minute),
            ..self
        }
    }
}

/// A view of what is running. Every method that does not say otherwise answers from memory, at once.
pub trait Live: Send + Sync + 'static {
    /// The pool's servers.
    fn servers(&self) -> Vec<ServerRow>;
    /// What servers have said against each other, the newest last; a bounded number.
    fn disputes(&self) -> Vec<DisputeRow>;
    /// The wallets.
    fn wallets(&self) -> Vec<WalletRow>;
    /// The newest validated ledger that enough servers agree on.
    fn tip(&self) -> Option<TipRow>;
    /// How many servers must agree.
    fn quorum(&self) -> usize;
    /// Tells a wallet's engine that something waits for it.
    fn wake(&self, wallet: &str);
    /// What the last reconciliation found, where there was one.
    fn books(&self) -> Option<BooksRow> {
        None
    }
    /// Whether the daemon is on its way out and takes nothing new any more.
    fn is_draining(&self) -> bool;
    /// Whether the daemon has been asked to end, so that nobody should send it more. It may still take
    /// what comes.
    fn is_leaving(&self) -> bool {
        self.is_draining()
    }
    /// The wallet of `among` that is to pay this; never the destination itself where there is another.
    fn route(
        &self,
        among: &[String],
        amount: Drops,
        destination: Option<AccountId>,
        routing: Routing,
    ) -> Option<String>;
    /// Whether every wallet's past has been read as far as it has to be: until then the ledger may hold
    /// payments that the database has forgotten.
    fn past_is_read(&self) -> bool;
    /// What has stopped making progress, where something has.
    fn stalled(&self) -> Option<String> {
        None
    }
    /// Whether this process holds the lease of its wallets, where there are leases.
    fn lease_held(&self) -> Option<bool> {
        None
    }
    /// Who holds each wallet.
    fn leases(&self) -> Vec<LeaseRow> {
        Vec::new()
    }
    /// What the newest ledger says of an account that `wallet` is to pay, where that was read already.
    fn destination_known(&self, wallet: &str, destination: AccountId) -> Option<Facts> {
        let _ = (wallet, destination);
        None
    }
    /// What the newest ledger says of an account that `wallet` is to pay, or in a few words why it says
    /// nothing. This one asks the servers, and waits a bounded time.
    fn destination<'a>(
        &'a self,
        wallet: &'a str,
        destination: AccountId,
    ) -> BoxFuture<'a, Result<Facts, &'static str>>;
    /// What an order would cost `wallet` now, and what a server thinks would come of it. This one asks the
    /// servers too.
    fn outlook<'a>(&'a self, wallet: &'a str, order: &'a Order) -> BoxFuture<'a, Outlook>;
    /// The most that `wallet` could pay if nothing else were asked of it, where that is known: its
    /// balance less its reserve.
    fn payable_at_most(&self, wallet: &str) -> Option<Drops> {
        let rows = self.wallets();
        let row = rows.iter().find(|row| row.name == wallet)?;
        Some(row.balance?.saturating_sub(row.reserve?))
    }
}

/// What is to be expected of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// What it would cost.
    pub fee: FeeOutlook,
    /// What a server that offers it said when it tried it without applying it.
    pub simulation: Option<SimulationRow>,
}

/// What an order would cost now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeeOutlook {
    /// This fee.
    Pays(Drops),
    /// The ledger asks for more than may be burned.
    Waits {
        /// What it asks for.
        needed: Drops,
    },
    /// Nobody says.
    #[default]
    Unknown,
}

/// What a server thinks would come of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationRow {
    /// The server.
    pub server: String,
    /// The result.
    pub result: String,
    /// The open ledger that it was tried in.
    pub ledger_index: LedgerIndex,
}

/// What a choice of a wallet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// The payment is given to it, and counts from now on.
    Given,
    /// Somebody only asks.
    Asked,
}

/// Who may write a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The wallet.
    pub wallet: String,
    /// Whether this process holds it.
    pub is_here: bool,
    /// The name of the replica that does, as far as this one knows.
    pub holder: Option<String>,
    /// How often it was taken.
    pub epoch: u64,
}

/// What reconciliations found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BooksRow {
    /// The ledger through which the books of every wallet were compared.
    pub through: LedgerIndex,
    /// How many things differ.
    pub differences: usize,
    /// By how many drops in all.
    pub drops: u64,
}

/// A contradiction between two servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeRow {
    /// What it is about.
    pub about: String,
    /// What became of it, in a word of a closed set.
    pub outcome: String,
    /// How often it was met.
    pub times: u64,
    /// When it was first met.
    pub first_at: UnixMs,
    /// When it was last met.
    pub last_at: UnixMs,
    /// One side and the other.
    pub sides: [SideRow; 2],
}

/// What one server said against another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideRow {
    /// The server.
    pub server: String,
    /// The ledger that it spoke of.
    pub ledger_index: LedgerIndex,
    /// That ledger's hash by its word, where it told one.
    pub ledger_hash: Option<LedgerHash>,
    /// What it said that the other did not.
    pub says: String,
}

/// A server of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Its configured name.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// Its state, in one word of the pool's glossary (`ready`, `connecting`, …).
    pub state: String,
    /// Whether it is ready to be asked.
    pub readiness: Readiness,
    /// Why it is not, in a word of a closed set.
    pub cause: Option<String>,
    /// Why it is not, in what was said or seen.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: Option<UnixMs>,
    /// Its newest validated ledger.
    pub validated_ledger: Option<LedgerIndex>,
    /// How many ledgers it is behind the pool.
    pub lag_ledgers: Option<u32>,
    /// A weighted mean of its answers' times.
    pub latency: Option<Duration>,
    /// Nineteen of twenty answers come within this.
    pub latency_p95: Option<Duration>,
    /// Of a thousand answers, how many were of no use.
    pub errors_per_mille: u32,
    /// Requests a second that it is asked at most, where it asked us to slow down.
    pub budget_per_second: Option<u64>,
    /// The ledgers it holds.
    pub complete_ledgers: String,
    /// Its version.
    pub build_version: Option<String>,
    /// Its load factor, as the server reports it.
    pub load_factor: Option<u64>,
    /// Its score, 0 to 1,000.
    pub score: Option<u32>,
}

/// Whether a server can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot.
    NotReady,
}

/// A wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletRow {
    /// Its configured name.
    pub name: String,
    /// Its account.
    pub account: AccountId,
    /// `hot`, `warm` or `cold`.
    pub wallet_type: String,
    /// Its balance at the journal's end.
    pub balance: Option<Drops>,
    /// What the ledger keeps back.
    pub reserve: Option<Drops>,
    /// What can be paid now: balance less reserve less what is in flight.
    pub spendable: Option<Drops>,
    /// What is signed and not settled.
    pub in_flight: Drops,
    /// How many payments that is.
    pub in_flight_count: u32,
    /// The last ledger of its journal: what it has is told as of there.
    pub journal_ledger: Option<LedgerIndex>,
    /// How far its journal is; none before it has begun.
    pub journal: Option<JournalRow>,
    /// Its tickets, where they are known.
    pub tickets: Option<TicketsRow>,
    /// Why it signs nothing, where it was halted.
    pub halted: Option<String>,
    /// How many transactions its account sent that nothing here signed and that nobody has accepted yet.
    pub foreign: usize,
    /// How long ago the replica that works it said all this, where that is another.
    pub age: Option<Duration>,
    /// Whether that is too long ago to be taken for what is.
    pub is_stale: bool,
    /// Below this it is worth a warning.
    pub low_balance: Drops,
    /// Below this it is worth a page.
    pub critical_balance: Drops,
}

/// How far a wallet's journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its first ledger, or that of the ledgers before it that are being booked.
    pub start: LedgerIndex,
    /// The ledger through which everything from there on is booked.
    pub through: LedgerIndex,
    /// How many ledgers that is behind the newest validated one.
    pub lag: u32,
    /// How far the ledgers before it have been booked, while they are.
    pub backfill: Option<BackfillRow>,
    /// Which ledgers cannot be read and why, where some cannot.
    pub waits: Vec<WaitRow>,
}

/// The booking of the ledgers before a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackfillRow {
    /// The first one.
    pub from: LedgerIndex,
    /// The last one.
    pub to: LedgerIndex,
    /// The last one that is booked.
    pub at: LedgerIndex,
    /// How many transactions are booked.
    pub transactions: u64,
}

/// Ledgers that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitRow {
    /// The first one.
    pub from: LedgerIndex,
    /// How many from there on no quorum of servers holds, where that is what is wrong.
    pub missing: Option<u32>,
    /// All of it in a sentence.
    pub why: String,
}

/// The tickets of a wallet's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketsRow {
    /// Those that stand on the ledger.
    pub standing: u32,
    /// Those of them that nothing uses.
    pub free: u32,
    /// Those that are being made.
    pub on_order: u32,
}

/// A validated ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TipRow {
    /// Its index.
    pub ledger_index: LedgerIndex,
    /// When it closed.
    pub close_time: UnixMs,
    /// When it was seen here.
    pub seen_at: UnixMs,
}
