//! From single settings to the whole: one function a section. Each reads all it can, so that every
//! error is found; the whole stands only where none was.

mod backups;
mod callers;
mod events;
mod http;
mod invoices;
mod limits;
mod preflight;
mod rollout;
mod telemetry;
mod webhooks;

use super::read::Reader;
use super::schema::{
    Config, Lease, Network, Profile, Reconcile, Server, Shutdown, StoreSettings, Trust, Wallet,
    Xrpl,
};
use super::url::{ServerUrl, StoreUrl};
use super::value::{FromValue, InDrops, Xrp};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use xrpayd_core::money::Drops;
use xrpayd_core::tickets::{Refill, TICKETS_MAX};

/// Counts that fit what holds them, with room for any sensible set-up.
const COUNT: RangeInclusive<u64> = 1..=1_000_000_000;
const SERVERS_MAX: u64 = 64;
const WALLET_NAME_BYTES_MAX: usize = 32;

/// Reads the whole; `None` where any error was noted.
pub(super) fn config(r: &mut Reader, profile: Profile) -> Option<Config> {
    // Every section is read before the first `?`, so that each tells its own errors.
    let network = network(r);
    let xrpl = xrpl(r);
    let wallets = wallets(r);
    let limits = limits::limits(r);
    let rollout = rollout::rollout(r);
    let http = http::http(r);
    let auth = callers::auth(r);
    let rate_limit = callers::rate_limit(r);
    let store = store(r);
    let invoices = invoices::invoices(r, &wallets);
    let events = events::events(r);
    let webhooks = webhooks::webhooks(r);
    let reconcile = reconcile(r);
    let telemetry = telemetry::telemetry(r);
    let lease = lease(r);
    let shutdown = shutdown(r);
    let preflight = preflight::preflight(r);
    Some(Config {
        profile,
        network: network?,
        xrpl: xrpl?,
        wallets,
        limits: limits?,
        rollout: rollout?,
        http: http?,
        auth: auth?,
        rate_limit: rate_limit?,
        store: store?,
        invoices: invoices?,
        events: events?,
        webhooks: webhooks?,
        reconcile: reconcile?,
        telemetry: telemetry?,
        shutdown: shutdown?,
        lease: lease?,
        preflight: preflight?,
    })
}

fn shutdown(r: &mut Reader) -> Option<Shutdown> {
    let grace = positive(r, "shutdown.grace");
    let notice: Option<Duration> = r.required("shutdown.notice");
    let (grace, notice) = (grace?, notice?);
    if notice.saturating_mul(2) > grace {
        r.error("shutdown.notice", "must be at most half of shutdown.grace");
        return None;
    }
    Some(Shutdown { notice, grace })
}

/// The longest time that a payment may be passed over for its size.
const PATIENCE_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A duration that must be there and must not be zero.
fn positive(r: &mut Reader, key: &str) -> Option<Duration> {
    let read: Duration = r.required(key)?;
    if read.is_zero() {
        r.error(key, "must be longer than nothing");
        return None;
    }
    Some(read)
}

fn xrp(r: &mut Reader, key: &str) -> Option<Drops> {
    r.required::<Xrp>(key).map(|read| read.0)
}

fn network(r: &mut Reader) -> Option<Network> {
    let id = r.number("network.id", 0..=u64::from(u32::MAX));
    let sandbox = r.required("network.sandbox");
    Some(Network {
        id: id?,
        sandbox: sandbox?,
    })
}

fn xrpl(r: &mut Reader) -> Option<Xrpl> {
    let servers = servers(r);
    let ca_file = readable(r, "xrpl.ca_file");
    let quorum = r.number("xrpl.quorum", 1..=SERVERS_MAX);
    let submit_to = r.number("xrpl.submit_to", 1..=SERVERS_MAX);
    let request_timeout = positive(r, "xrpl.request_timeout");
    let connect_timeout = positive(r, "xrpl.connect_timeout");
    let silence_timeout = positive(r, "xrpl.silence_timeout");
    let reconnect_max = positive(r, "xrpl.reconnect_max");
    let in_flight_max = r.number("xrpl.in_flight_max", 1..=100_000);
    if let (Some(servers), Some(quorum)) = (&servers, quorum) {
        let counting = servers
            .iter()
            .filter(|server| server.trust != Trust::Unheard)
            .count();
        if counting < quorum {
            r.error(
                "xrpl.quorum",
                format!("is {quorum}, and of the servers only {counting} count towards it"),
            );
        }
    }
    Some(Xrpl {
        servers: servers?,
        ca_file,
        quorum: quorum?,
        submit_to: submit_to?,
        request_timeout: request_timeout?,
        connect_timeout: connect_timeout?,
        silence_timeout: silence_timeout?,
        reconnect_max: reconnect_max?,
        in_flight_max: in_flight_max?,
    })
}

/// A file that need not be named; that it can be opened is told before anything starts.
fn readable(r: &mut Reader, key: &str) -> Option<PathBuf> {
    let path = r.optional::<String>(key).map(PathBuf::from)?;
    if let Err(error) = std::fs::File::open(&path) {
        r.error(key, format!("names a file that cannot be read: {error}"));
    }
    Some(path)
}

fn servers(r: &mut Reader) -> Option<Vec<Server>> {
    const KEY: &str = "xrpl.servers";
    if r.value(KEY).is_none() {
        r.missing(KEY);
    }
    let length = r.length(KEY)?;
    if length == 0 {
        r.error(KEY, "must name at least one server");
        return None;
    }
    if u64::try_from(length).is_ok_and(|length| length > SERVERS_MAX) {
        r.error(
            KEY,
            format!("must not name more than {SERVERS_MAX} servers"),
        );
        return None;
    }
    let read: Vec<Option<Server>> = (0..length).map(|index| server(r, index)).collect();
    let servers = read.into_iter().collect::<Option<Vec<Server>>>()?;
    // A server that is listed twice would be a quorum of one.
    let mut urls = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut distinct = true;
    for (index, server) in servers.iter().enumerate() {
        let same_url = !urls.insert(
            server
                .url
                .as_str()
                .trim_end_matches('/')
                .to_ascii_lowercase(),
        );
        if same_url || !names.insert(&server.name) {
            let what = if same_url { "URL" } else { "name" };
            let key = format!("{KEY}[{index}]");
            r.error(&key, format!("has the same {what} as a server before it"));
            distinct = false;
        }
    }
    distinct.then_some(servers)
}

fn server(r: &mut Reader, index: usize) -> Option<Server> {
    let key = format!("xrpl.servers[{index}]");
    let value = r.value(&key)?.clone();
    if value.as_dict().is_none() {
        return match ServerUrl::from_value(&value) {
            Ok(url) => Some(Server {
                name: url.host_port(),
                operator: operator_of(&url),
                priority: PRIORITY_DEFAULT,
                trust: Trust::Counts,
                pin_sha256: Vec::new(),
                url,
            }),
            Err(message) => {
                r.error(&key, message);
                None
            }
        };
    }
    let url: Option<ServerUrl> = r.required(&format!("{key}.url"));
    let name = r.optional::<String>(&format!("{key}.name"));
    let operator = r.optional::<String>(&format!("{key}.operator"));
    let priority = r.optional_number(&format!("{key}.priority"), 0..=1_000_000);
    let trusted: Option<bool> = r.optional(&format!("{key}.trusted"));
    let pin_sha256 = r.optional::<Vec<[u8; 32]>>(&format!("{key}.pin_sha256"));
    let url = url?;
    Some(Server {
        name: name.unwrap_or_else(|| url.host_port()),
        operator: operator.unwrap_or_else(|| operator_of(&url)),
        priority: priority.unwrap_or(PRIORITY_DEFAULT),
        trust: match trusted {
            None => Trust::Counts,
            Some(true) => Trust::Own,
            Some(false) => Trust::Unheard,
        },
        pin_sha256: pin_sha256.unwrap_or_default(),
        url,
    })
}

const PRIORITY_DEFAULT: u32 = 10;

/// Who runs a server, where nobody says: the domain that its host belongs to. Servers of this machine
/// are stand-ins for others, each for one.
fn operator_of(url: &ServerUrl) -> String {
    if url.is_loopback() {
        return url.host_port();
    }
    let host = url.host();
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.split('.').collect();
    labels[labels.len().saturating_sub(2)..].join(".")
}

/// What every wallet has that does not say otherwise.
const EVERY_WALLET: &str = "*";

fn wallets(r: &mut Reader) -> BTreeMap<String, Wallet> {
    let mut wallets = BTreeMap::new();
    let mut accounts = BTreeSet::new();
    let names: Vec<String> = r
        .names("wallets")
        .into_iter()
        .filter(|name| name != EVERY_WALLET)
        .collect();
    if names.is_empty() {
        r.missing("wallets.hot");
    }
    for name in names {
        if !is_a_wallet_name(&name) {
            let key = format!("wallets.{name}");
            r.error(
                &key,
                "is not a wallet's name: at most 32 lower-case letters, digits, `_` and `-`",
            );
            continue;
        }
        if let Some(wallet) = wallet(r, &name) {
            if !accounts.insert(wallet.address) {
                // Two lanes that number the transactions of one account would fight.
                let key = format!("wallets.{name}.address");
                r.error(&key, "is the account of another wallet already");
            }
            wallets.insert(name, wallet);
        }
    }
    wallets
}

fn is_a_wallet_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    !name.is_empty() && name.len() <= WALLET_NAME_BYTES_MAX && name.bytes().all(allowed)
}

fn wallet(r: &mut Reader, name: &str) -> Option<Wallet> {
    let own = |r: &Reader, field: &str| {
        let key = format!("wallets.{name}.{field}");
        if r.value(&key).is_some() {
            key
        } else {
            format!("wallets.{EVERY_WALLET}.{field}")
        }
    };
    let address = r.required(&format!("wallets.{name}.address"));
    let seed = r.required(&format!("wallets.{name}.seed"));
    let algorithm = r.optional(&own(r, "algorithm"));
    let max_in_flight = r.number(&own(r, "max_in_flight"), 1..=100_000);
    let max_fee = r.required::<InDrops>(&own(r, "max_fee_drops"));
    let ledger_window = r.number(&own(r, "ledger_window"), 4..=1_000);
    let low_water = r.number(&own(r, "ticket_low_water"), 0..=u64::from(TICKETS_MAX));
    let refill_to = r.number(&own(r, "ticket_refill_to"), 0..=u64::from(TICKETS_MAX));
    let source_tag = r.optional_number(&own(r, "source_tag"), 0..=u64::from(u32::MAX));
    let start_ledger = r.optional_number(&own(r, "start_ledger"), 1..=u64::from(u32::MAX));
    let wallet_type: Option<String> = r.required(&own(r, "wallet_type"));
    let patience_key = own(r, "low_balance_patience");
    let low_balance_patience = r.required::<Duration>(&patience_key);
    if low_balance_patience.is_some_and(|patience| patience > PATIENCE_MAX) {
        r.error(&patience_key, "must not be longer than 30d");
    }
    let low_balance = xrp(r, &own(r, "low_balance_xrp"));
    let critical_balance = xrp(r, &own(r, "critical_balance_xrp"));
    let require_regular_key = r.required(&own(r, "require_regular_key"));
    let balance_cap = preflight::balance_cap(r, &own(r, "balance_cap_xrp"), low_balance);
    if let Some(wallet_type) = &wallet_type
        && !["hot", "warm", "cold"].contains(&wallet_type.as_str())
    {
        r.error(&own(r, "wallet_type"), "must be one of hot, warm, cold");
    }
    if let (Some(low), Some(full)) = (low_water, refill_to)
        && low > 0
        && full < low
    {
        r.error(
            &own(r, "ticket_refill_to"),
            "must not be below ticket_low_water",
        );
    }
    if let (Some(low), Some(critical)) = (low_balance, critical_balance)
        && critical > low
    {
        r.error(
            &own(r, "critical_balance_xrp"),
            "must not be above low_balance_xrp",
        );
    }
    Some(Wallet {
        address: address?,
        seed: seed?,
        algorithm,
        max_in_flight: max_in_flight?,
        max_fee: max_fee?.0,
        ledger_window: ledger_window?,
        ticket_refill: Refill {
            low_water: low_water?,
            refill_to: refill_to?,
        },
        source_tag,
        start_ledger,
        wallet_type: wallet_type?,
        low_balance_patience: low_balance_patience?,
        low_balance: low_balance?,
        critical_balance: critical_balance?,
        require_regular_key: require_regular_key?,
        balance_cap,
    })
}

const LAST_RUN_DIR: &str = "store.last_run_dir";
const STATEMENT_TIMEOUT: &str = "store.statement_timeout";

fn store(r: &mut Reader) -> Option<StoreSettings> {
    let url = r.required("store.url");
    let listen_url = r.optional::<StoreUrl>("store.listen_url");
    if listen_url.as_ref().and_then(StoreUrl::is_sqlite) == Some(true) {
        r.error(
            "store.listen_url",
            "must be \"postgres://…\" or a reference to one",
        );
    }
    let max_connections = r.number("store.max_connections", 1..=1_000);
    let idle_timeout = positive(r, "store.idle_timeout");
    let acquire_timeout = positive(r, "store.acquire_timeout");
    let replicas = r.number("store.replicas", 1..=1_000);
    let statement_timeout = positive(r, STATEMENT_TIMEOUT);
    let lock_timeout = positive(r, "store.lock_timeout");
    if let (Some(lock), Some(statement)) = (lock_timeout, statement_timeout)
        && lock >= statement
    {
        let why = "must be longer than store.lock_timeout, or who waits for a lock is given up on";
        r.error(STATEMENT_TIMEOUT, why);
    }
    let idle_in_transaction_timeout = positive(r, "store.idle_in_transaction_timeout");
    let pooler = r.required("store.pooler");
    let read_url = r.optional::<StoreUrl>("store.read_url");
    if read_url
        .as_ref()
        .is_some_and(|url| url.is_sqlite() == Some(true))
    {
        r.error("store.read_url", "must be a server of PostgreSQL");
    }
    let read_lag = positive(r, "store.read_lag");
    let last_run_dir = r.optional::<String>(LAST_RUN_DIR).map(PathBuf::from);
    if last_run_dir.as_ref().is_some_and(|folder| !folder.is_dir()) {
        r.error(LAST_RUN_DIR, "is no folder");
    }
    let backups = backups::backups(r);
    Some(StoreSettings {
        url: url?,
        listen_url,
        max_connections: max_connections?,
        idle_timeout: idle_timeout?,
        acquire_timeout: acquire_timeout?,
        statement_timeout: statement_timeout?,
        lock_timeout: lock_timeout?,
        idle_in_transaction_timeout: idle_in_transaction_timeout?,
        pooler: pooler?,
        read_url,
        read_lag: read_lag?,
        replicas: replicas?,
        last_run_dir,
        backups: backups?,
    })
}

/// Shorter leases are lost to a busy machine, and longer ones hold a fail-over up.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(60);

fn lease(r: &mut Reader) -> Option<Lease> {
    let ttl: Option<Duration> = r.required("lease.ttl");
    let is_fit = ttl.is_none_or(|ttl| LEASE.contains(&ttl));
    if !is_fit {
        r.error("lease.ttl", "must be from 2s to 60s");
    }
    let name: Option<String> = r.optional("lease.name");
    let is_named = name.as_ref().is_none_or(|name| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain)
    });
    if !is_named {
        r.error(
            "lease.name",
            "must be up to 64 letters, digits, `.`, `_` and `-`",
        );
    }
    let ttl = ttl.filter(|_| is_fit && is_named)?;
    Some(Lease { ttl, name })
}

fn reconcile(r: &mut Reader) -> Option<Reconcile> {
    let interval = positive(r, "reconcile.interval");
    let ledgers = r.number("reconcile.ledgers", 1..=u64::from(u32::MAX));
    Some(Reconcile {
        interval: interval?,
        ledgers: ledgers?,
    })
}
