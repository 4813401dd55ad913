//! What is refused, and what is warned of, once every single value reads: the rules that keep real
//! money off play networks and play set-ups off real money.

use super::origin::Problem;
use super::read::Reader;
use super::schema::{Config, LogLevel, Profile, Trust};
use super::secrets::{self, SecretRef};
use super::url::{self, StoreUrl};
use super::{elsewhere, hosts};
use std::collections::BTreeSet;
use xrpayd_core::limits::ScopeCaps;
use xrpayd_core::money::Drops;

/// Above this, a cap on one payment must be meant.
const HIGH_CAP: Drops = match Drops::new(10_000_000_000) {
    Some(drops) => drops,
    None => Drops::MAX,
};

/// What the checks found.
#[derive(Default)]
struct Findings {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Checks the whole: `(errors, warnings)`.
pub(super) fn check(config: &Config, reader: &Reader) -> (Vec<Problem>, Vec<Problem>) {
    let mut found = Findings::default();
    anywhere(config, reader, &mut found);
    if config.profile == Profile::Production {
        servers_of_production(config, reader, &mut found);
        switches_of_production(config, reader, &mut found);
        secrets_of_production(config, reader, &mut found);
        store_of_production(config, reader, &mut found);
        stages_of_production(config, reader, &mut found);
    }
    (found.errors, found.warnings)
}

fn problem(reader: &Reader, key: &str, message: impl Into<String>) -> Problem {
    Problem::new(key, reader.origin(key), message)
}

/// The rules of every profile.
fn anywhere(config: &Config, reader: &Reader, found: &mut Findings) {
    let production = config.profile == Profile::Production;
    if config.http.listen.port() != 0 && config.http.listen == config.telemetry.listen {
        let message = "is the address of http.listen as well";
        found
            .errors
            .push(problem(reader, "telemetry.listen", message));
    }
    if config.limits.max_payment > HIGH_CAP && !config.limits.acknowledge_high_cap {
        let message = format!(
            "is {} XRP, above 10,000: set limits.acknowledge_high_cap = true if that is meant",
            config.limits.max_payment.to_xrp()
        );
        let high = problem(reader, "limits.max_payment_xrp", message);
        if production {
            found.errors.push(high);
        } else {
            found.warnings.push(high);
        }
    }
    scopes_that_never_bind(config, reader, found);
    if let Some(open) = collector_in_the_clear(config, reader) {
        if production {
            found.errors.push(open);
        } else {
            found.warnings.push(open);
        }
    }
    let chatty = matches!(
        config.telemetry.log_level,
        LogLevel::Debug | LogLevel::Trace
    );
    if chatty && !production {
        let message = "logs more than a running service should";
        found
            .warnings
            .push(problem(reader, "telemetry.log_level", message));
    }
    if config.store.replicas > 1 && config.store.url.is_sqlite() == Some(true) {
        let message = "is more than one, and SQLite serves one daemon: use PostgreSQL";
        found
            .warnings
            .push(problem(reader, "store.replicas", message));
    }
    let backs_up = config.store.backups.dir.is_some();
    match config.store.url.is_sqlite() {
        Some(true) if !backs_up && production => {
            let message = "is not set: the daemon takes no backup of its database by itself";
            found
                .warnings
                .push(problem(reader, "store.backup_dir", message));
        }
        Some(false) if backs_up => {
            let message =
                "is for SQLite: PostgreSQL is backed up by its own tools (docs/BACKUPS.md)";
            found
                .errors
                .push(problem(reader, "store.backup_dir", message));
        }
        Some(_) | None => {}
    }
    for (key, url) in config.store.urls() {
        if url.has_inline_password() {
            let message =
                "holds a password: keep the whole URL in a file and refer to it as file:PATH";
            found.warnings.push(problem(reader, key, message));
        }
    }
    let real = matches!(config.profile, Profile::Production | Profile::Staging);
    if real && config.telemetry.alert_receiver.is_none() {
        let message = "is not set: no alert receiver is named, and nobody will be told";
        found
            .warnings
            .push(problem(reader, "telemetry.alert_receiver", message));
    }
    if !config.auth.enabled && !production {
        let message = "is false: whoever reaches the API may spend";
        found
            .warnings
            .push(problem(reader, "auth.enabled", message));
    }
    if !config.auth.enabled && config.limits.approval.is_some() {
        let message = "is set and auth.enabled is false: nobody can approve what they asked for";
        found
            .warnings
            .push(problem(reader, "limits.approval_threshold", message));
    }
    let lax = [
        (
            "webhooks.allow_http",
            config.webhooks.allow_http,
            "is true: events are sent in the clear",
        ),
        (
            "webhooks.allow_private",
            config.webhooks.allow_private,
            "is true: whoever may make endpoints reaches what this machine reaches",
        ),
    ];
    for (key, is_on, message) in lax {
        if is_on && real {
            found.warnings.push(problem(reader, key, message));
        }
    }
    for (key, reference) in references(config) {
        if let Some(doubt) = secrets::doubt(reference) {
            found.warnings.push(problem(reader, &key, doubt));
        }
    }
}

/// The headers for a collector are its access token as a rule: not for whoever is on the way to it.
fn collector_in_the_clear(config: &Config, reader: &Reader) -> Option<Problem> {
    const KEY: &str = "telemetry.otlp_endpoint";
    let telemetry = &config.telemetry;
    let endpoint = telemetry.otlp_endpoint.as_ref()?;
    let (scheme, _) = endpoint.split_once("://")?;
    telemetry.otlp_headers.as_ref()?;
    let read = ::url::Url::parse(endpoint).ok()?;
    let host = read.host_str()?.trim_matches(['[', ']']);
    if !scheme.eq_ignore_ascii_case("http") || url::is_loopback(host) {
        return None;
    }
    let message = "leads to another machine in the clear, with the secret of telemetry.otlp_headers: use https://";
    Some(problem(reader, KEY, message))
}

/// A cap of one client or destination above that of all binds nobody, and may have been mistyped. One
/// that lifts what every other one has is meant.
fn scopes_that_never_bind(config: &Config, reader: &Reader, found: &mut Findings) {
    let scopes = &config.limits.scopes;
    let everybody = [
        ("clients.*".to_owned(), scopes.every_client, ScopeCaps::NONE),
        (
            "destinations.*".to_owned(),
            scopes.every_destination,
            ScopeCaps::NONE,
        ),
    ];
    let clients = scopes
        .clients
        .iter()
        .map(|(name, caps)| (format!("clients.{name}"), *caps, scopes.every_client));
    let destinations = scopes.destinations.iter().map(|(account, caps)| {
        let name = format!("destinations.{account}");
        (name, *caps, scopes.every_destination)
    });
    let hard = &config.limits;
    for (name, own, every) in everybody.into_iter().chain(clients).chain(destinations) {
        let above = |own: Option<Drops>, every: Option<Drops>, hard: Drops| {
            every.is_none() && own.is_some_and(|own| own > hard)
        };
        let fields = [
            (
                "max_payment_xrp",
                above(own.max_payment, every.max_payment, hard.max_payment),
            ),
            (
                "daily_limit_xrp",
                above(own.daily, every.daily, hard.daily_limit),
            ),
            (
                "max_pending",
                every.max_pending.is_none()
                    && own.max_pending.is_some_and(|own| own > hard.max_pending),
            ),
        ];
        for (field, _) in fields.into_iter().filter(|(_, is_above)| *is_above) {
            let message = format!("is above the hard cap limits.{field}, and never binds");
            let key = format!("limits.{name}.{field}");
            found.warnings.push(problem(reader, &key, message));
        }
    }
}

/// Every reference to a secret, with its key.
#[must_use]
pub fn references(config: &Config) -> Vec<(String, &SecretRef)> {
    let mut all: Vec<(String, &SecretRef)> = config
        .wallets
        .iter()
        .map(|(name, wallet)| (format!("wallets.{name}.seed"), &wallet.seed))
        .collect();
    for (key, url) in config.store.urls() {
        if let StoreUrl::Reference(reference) = url {
            all.push((key.to_owned(), reference));
        }
    }
    if let Some(reference) = &config.webhooks.encryption_key {
        all.push(("webhooks.encryption_key".to_owned(), reference));
    }
    if let Some(reference) = &config.store.backups.key {
        all.push(("store.backup_key".to_owned(), reference));
    }
    if let Some(reference) = &config.telemetry.otlp_headers {
        all.push(("telemetry.otlp_headers".to_owned(), reference));
    }
    all
}

fn servers_of_production(config: &Config, reader: &Reader, found: &mut Findings) {
    if hosts::is_test_network(config.network.id) {
        let message = "is a test network: production pays with real money";
        found.errors.push(problem(reader, "network.id", message));
    }
    for (index, server) in config.xrpl.servers.iter().enumerate() {
        let key = format!("xrpl.servers[{index}]");
        if hosts::is_test_host(server.url.host()) {
            let message = format!("is {}, a server of a test network", server.url);
            found.errors.push(problem(reader, &key, message));
        }
        if !server.url.is_secure() && !server.url.is_loopback() {
            let message = format!("is {}, not encrypted: use wss://", server.url);
            found.errors.push(problem(reader, &key, message));
        }
    }
    let servers = &config.xrpl.servers;
    if servers.len() < 2 {
        let message = "names fewer than two servers: one alone cannot be checked by another";
        found.errors.push(problem(reader, "xrpl.servers", message));
    }
    let operators: BTreeSet<&str> = servers.iter().map(|s| s.operator.as_str()).collect();
    if servers.len() >= 2 && operators.len() < config.xrpl.quorum {
        let message =
            "are run by fewer operators than must agree: each server then counts for itself";
        found
            .warnings
            .push(problem(reader, "xrpl.servers", message));
    }
    if servers.len() >= 2
        && config.xrpl.quorum < 2
        && !servers.iter().any(|server| server.trust == Trust::Own)
    {
        let message =
            "is one: only a server of your own, marked `trusted = true`, may be believed alone";
        found.errors.push(problem(reader, "xrpl.quorum", message));
    }
}

fn switches_of_production(config: &Config, reader: &Reader, found: &mut Findings) {
    if !config.auth.enabled {
        let message = "is false: production does not start without authentication";
        found.errors.push(problem(reader, "auth.enabled", message));
    }
    if config.network.sandbox {
        let message = "is true: production does not start with the sandbox enabled";
        found
            .errors
            .push(problem(reader, "network.sandbox", message));
    }
    if matches!(
        config.telemetry.log_level,
        LogLevel::Debug | LogLevel::Trace
    ) {
        let message = "is a debugging level, which production refuses";
        found
            .errors
            .push(problem(reader, "telemetry.log_level", message));
    }
}

/// A URL that is a secret of its own is looked at when it is resolved.
fn store_of_production(config: &Config, reader: &Reader, found: &mut Findings) {
    for (key, url) in config.store.urls() {
        if let Some(why) = url.unverified() {
            found.errors.push(problem(reader, key, why));
        }
    }
}

fn secrets_of_production(config: &Config, reader: &Reader, found: &mut Findings) {
    for (key, reference) in references(config) {
        if matches!(reference, SecretRef::Env(_)) {
            let message =
                "keeps a secret in the environment, which production refuses: use file:PATH";
            found.errors.push(problem(reader, &key, message));
        }
    }
    let mut names: Vec<(String, String)> = references(config)
        .into_iter()
        .map(|(key, reference)| (key, reference.to_string()))
        .collect();
    for (key, url) in config.store.urls() {
        if matches!(url, StoreUrl::Plain(_)) {
            names.push((key.to_owned(), url.to_string()));
        }
    }
    for (key, name) in names {
        if let Some(word) = elsewhere::named_in(&name) {
            let message =
                format!("is called after another environment ({word}): production has its own");
            found.errors.push(problem(reader, &key, message));
        }
    }
}

/// The stages that count are the one to start at and those the operator wrote. The shipped list goes
/// on to stages above the shipped caps, which bind them until the operator raises the caps.
fn stages_of_production(config: &Config, reader: &Reader, found: &mut Findings) {
    let written = reader
        .origin("rollout.stages")
        .is_some_and(|origin| origin.is_operators());
    for (index, stage) in config.rollout.stages.iter().enumerate() {
        if !written && stage.name != config.rollout.stage {
            continue;
        }
        let caps = [
            (
                "max_payment_xrp",
                stage.max_payment,
                config.limits.max_payment,
            ),
            (
                "daily_limit_xrp",
                stage.daily_limit,
                config.limits.daily_limit,
            ),
        ];
        for (field, own, hard) in caps {
            if let Some(own) = own.filter(|own| *own > hard) {
                let message = format!(
                    "lets the stage {} move {} XRP, above the hard cap limits.{field} of {}",
                    stage.name,
                    own.to_xrp(),
                    hard.to_xrp()
                );
                let key = format!("rollout.stages[{index}].{field}");
                found.errors.push(problem(reader, &key, message));
            }
        }
    }
}
