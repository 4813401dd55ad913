//! The configuration as the rest of the daemon sees it: strict types, nothing optional that always
//! is there.

mod preflight;
mod store;

pub use preflight::Preflight;
pub use store::{Backups, Pooler, StoreSettings};

use super::secrets::SecretRef;
use super::stages::Rollout;
use super::url::ServerUrl;
use crate::telemetry::health::Alert;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Asset;
use xrpayd_core::limits::ScopeRules;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::ApprovalRule;
use xrpayd_core::rollout::{Ladder, Ratio};
use xrpayd_core::tickets::Refill;

/// Everything the daemon was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// What kind of place this is.
    pub profile: Profile,
    /// Which network.
    pub network: Network,
    /// The servers and how they are spoken to.
    pub xrpl: Xrpl,
    /// The hot wallets by name.
    pub wallets: BTreeMap<String, Wallet>,
    /// The hard caps.
    pub limits: Limits,
    /// The stages of the rollout.
    pub rollout: Rollout,
    /// The public API.
    pub http: Http,
    /// Who may use the API.
    pub auth: Auth,
    /// How often a key may use it.
    pub rate_limit: RateLimit,
    /// The database.
    pub store: StoreSettings,
    /// Money that is asked for.
    pub invoices: Invoices,
    /// The feed.
    pub events: Events,
    /// Who is told of what happens.
    pub webhooks: Webhooks,
    /// Books against ledger.
    pub reconcile: Reconcile,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// How the daemon ends.
    pub shutdown: Shutdown,
    /// Who may write which wallet.
    pub lease: Lease,
    /// What the checklist looks at besides.
    pub preflight: Preflight,
}

impl Config {
    /// The stages of the rollout as they are climbed, under the hard caps.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        self.rollout.ladder(&self.limits)
    }

    /// The wallets that may pay where a request names none: those of the type `hot`, or the only one.
    #[must_use]
    pub fn routed_wallets(&self) -> Vec<String> {
        let is_routed = |wallet: &Wallet| self.wallets.len() == 1 || wallet.wallet_type == "hot";
        let routed = self.wallets.iter().filter(|(_, wallet)| is_routed(wallet));
        routed.map(|(name, _)| name.clone()).collect()
    }
}

/// What kind of place the daemon runs in. An unknown one stops the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Nothing was named.
    Development,
    /// Play money on the model ledger.
    Sandbox,
    /// The public test network.
    Testnet,
    /// The rehearsal of production.
    Staging,
    /// Real money: what is doubtful elsewhere is refused here.
    Production,
}

impl Profile {
    pub(super) const ALL: [(&'static str, Self, &'static str); 5] = [
        ("development", Self::Development, ""),
        (
            "sandbox",
            Self::Sandbox,
            include_str!("../../config/sandbox.toml"),
        ),
        (
            "testnet",
            Self::Testnet,
            include_str!("../../config/testnet.toml"),
        ),
        (
            "staging",
            Self::Staging,
            include_str!("../../config/staging.toml"),
        ),
        (
            "production",
            Self::Production,
            include_str!("../../config/production.toml"),
        ),
    ];

    /// The name that `--profile` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Sandbox => "sandbox",
            Self::Testnet => "testnet",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Section `network`.
#[derive(Debug, Clone)]
pub struct Network {
    /// The identifier that every server must report.
    pub id: u32,
    /// Whether it is the model ledger of this program.
    pub sandbox: bool,
}

/// Section `xrpl`.
#[derive(Debug, Clone)]
pub struct Xrpl {
    /// The servers.
    pub servers: Vec<Server>,
    /// The roots of their certificates, instead of the bundled ones.
    pub ca_file: Option<PathBuf>,
    /// How many servers must agree before anything is final.
    pub quorum: usize,
    /// How many servers a transaction is given to at once.
    pub submit_to: usize,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long a server may close no ledger before it is passed over.
    pub silence_timeout: Duration,
    /// The longest wait between attempts to connect.
    pub reconnect_max: Duration,
    /// How many requests may wait for an answer on one connection.
    pub in_flight_max: usize,
}

/// One server of the pool.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it is.
    pub url: ServerUrl,
    /// Its name in metrics and logs.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// The lower, the sooner it is asked.
    pub priority: u32,
    /// What its word is worth.
    pub trust: Trust,
    /// The SHA-256 of the keys that it may show; none for any.
    pub pin_sha256: Vec<[u8; 32]>,
}

/// What a server's word is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It counts towards the quorum, unless there is a quorum of one and another is one's own.
    Counts,
    /// It is one's own: its word alone may make a quorum of one.
    Own,
    /// It counts for nothing: the server is only submitted to, and asked for the fee.
    Unheard,
}

impl Xrpl {
    /// Whether this server's word counts towards the quorum.
    #[must_use]
    pub fn counts(&self, server: &Server) -> bool {
        let has_own = self.servers.iter().any(|server| server.trust == Trust::Own);
        match server.trust {
            Trust::Own => true,
            Trust::Counts => self.quorum > 1 || !has_own,
            Trust::Unheard => false,
        }
    }
}

/// The way a key is derived from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA, the older default.
    Secp256k1,
    /// `EdDSA`.
    Ed25519,
}

impl KeyAlgorithm {
    pub(super) const ALL: [(&'static str, Self); 2] =
        [("secp256k1", Self::Secp256k1), ("ed25519", Self::Ed25519)];
}

/// Section `wallets.<name>`.
#[derive(Debug, Clone)]
pub struct Wallet {
    /// The account that pays.
    pub address: AccountId,
    /// Where its seed is kept.
    pub seed: SecretRef,
    /// How the key follows from the seed; where it is not told, the seed's own form tells.
    pub algorithm: Option<KeyAlgorithm>,
    /// How many transactions may be signed and not final at once.
    pub max_in_flight: u32,
    /// The most that the fee of one transaction may be.
    pub max_fee: Drops,
    /// How many ledgers a transaction is given before it can no longer enter one.
    pub ledger_window: u32,
    /// When tickets are made without being asked for.
    pub ticket_refill: Refill,
    /// Stamped on every payment that brings none of its own.
    pub source_tag: Option<u32>,
    /// The ledger from which on a wallet that is new is booked; its newest one where none is named.
    pub start_ledger: Option<u32>,
    /// The label of its metrics: `hot`, `warm` or `cold`.
    pub wallet_type: String,
    /// How long smaller payments may pass by one that the balance does not bear.
    pub low_balance_patience: Duration,
    /// Below this balance the wallet asks for a refill.
    pub low_balance: Drops,
    /// Below this balance the on-call is paged.
    pub critical_balance: Drops,
    /// Whether a key that is the account's master key is refused.
    pub require_regular_key: bool,
    /// The most that it is to hold.
    pub balance_cap: Option<Drops>,
}

/// Section `limits`: the hard caps, whatever the stage.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The least that one payment may move.
    pub min_payment: Drops,
    /// The most that one payment may move.
    pub max_payment: Drops,
    /// The most that any 24 hours may move.
    pub daily_limit: Drops,
    /// How many payments may be on their way.
    pub max_pending: u32,
    /// The caps of single clients and destinations, besides.
    pub scopes: ScopeRules,
    /// Which payments wait for a second person's word; none do where nothing is said.
    pub approval: Option<ApprovalRule>,
    /// Whether the operator knows that a cap is above 10,000 XRP.
    pub acknowledge_high_cap: bool,
}

/// Section `http`.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The longest body that is read.
    pub body_max_bytes: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// The longest head of a request.
    pub head_max_bytes: usize,
    /// The most fields in it.
    pub fields_max: usize,
    /// How long it may take to arrive.
    pub head_timeout: Duration,
    /// How long a connection may stand without a request.
    pub idle_timeout: Duration,
    /// The most connections at once.
    pub connections_max: usize,
    /// The most of them from one address.
    pub connections_per_address: usize,
    /// The origins of pages that may read the answers.
    pub cors_origins: Vec<String>,
    /// Whose word about a caller's address is taken.
    pub trusted_proxies: Vec<IpNet>,
}

/// Section `auth`.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Whether requests need a key.
    pub enabled: bool,
    /// From where alone keys with the scope `admin` hold; empty is anywhere.
    pub admin_cidrs: Vec<IpNet>,
}

/// Section `rate_limit`: for each key.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// Writes in a minute.
    pub per_minute: u32,
    /// Writes in an hour.
    pub per_hour: u32,
    /// Reads in a minute.
    pub reads_per_minute: u32,
    /// An administrator's changes in a minute.
    pub admin_per_minute: u32,
    /// Checks of payments that are not made, and quotes, in a minute.
    pub checks_per_minute: u32,
    /// Failed attempts of one address in a minute.
    pub failures_per_minute: NonZeroU32,
}

/// Section `invoices`.
#[derive(Debug, Clone)]
pub struct Invoices {
    /// The wallet that is paid where an invoice names none.
    pub wallet: Option<String>,
    /// What is taken besides XRP.
    pub assets: Vec<Asset>,
    /// How long an invoice lives that does not say.
    pub expires_in: Duration,
    /// How long a tag rests after its invoice's end.
    pub tag_quarantine: Duration,
}

/// Section `events`.
#[derive(Debug, Clone)]
pub struct Events {
    /// How long an event is handed out.
    pub retention: Duration,
    /// After how long without an event a stream says that it still stands.
    pub heartbeat: Duration,
    /// How many streams one key may hold open.
    pub streams_per_key: usize,
}

/// Section `webhooks`.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// The key that seals endpoints' secrets; without one the daemon keeps its own beside an SQLite
    /// database.
    pub encryption_key: Option<SecretRef>,
    /// Whether endpoints may be plain `http://`.
    pub allow_http: bool,
    /// Whether private addresses may be connected to.
    pub allow_private: bool,
    /// Roots that are believed besides the bundled ones.
    pub ca_file: Option<PathBuf>,
    /// How long one try may take.
    pub timeout: Duration,
    /// The waits between the tries of a delivery.
    pub retry_waits: Vec<Duration>,
    /// An endpoint that has taken nothing for so long is disabled.
    pub disable_after: Duration,
    /// How long what became of deliveries is kept.
    pub keep_log: Duration,
    /// The most tries at a time altogether.
    pub in_flight_max: u32,
    /// The most tries at one endpoint at a time.
    pub in_flight_per_endpoint: u32,
}

/// Section `reconcile`.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// How long after each other the background passes are made.
    pub interval: Duration,
    /// How many of the newest ledgers each of them reads again.
    pub ledgers: u32,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What happened.
    Info,
    /// How it came to happen.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("human", Self::Human),
        ("json", Self::Json),
    ];
}

/// Section `telemetry`.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Where the metrics are served.
    pub listen: SocketAddr,
    /// How much is logged.
    pub log_level: LogLevel,
    /// In what form.
    pub log_format: LogFormat,
    /// The collector that traces are sent to.
    pub otlp_endpoint: Option<String>,
    /// Where the headers for it are kept.
    pub otlp_headers: Option<SecretRef>,
    /// The share of the traces that is kept.
    pub trace_ratio: Ratio,
    /// Who is told when an alert fires, in the operator's words.
    pub alert_receiver: Option<String>,
    /// Slower than this, the best server is worth a look.
    pub latency_threshold: Duration,
    /// Longer than this on its way, a payment is worth a look.
    pub pending_threshold: Duration,
    /// What `/health` finds worth a look.
    pub alerts: Vec<Alert>,
}

/// Section `lease`.
#[derive(Debug, Clone)]
pub struct Lease {
    /// How long a holder may be silent.
    pub ttl: Duration,
    /// How this replica is shown; without it by the machine's name.
    pub name: Option<String>,
}

/// Section `shutdown`.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// How long everything goes on while readiness says already that the end is near.
    pub notice: Duration,
    /// How long the notice and work in hand may take to end.
    pub grace: Duration,
}
