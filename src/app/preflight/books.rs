//! What the database says, and whether the receivers of webhooks that it names can be reached.
//!
//! It is opened only where it is at this program's schema, because opening brings it there.

use crate::app::{build, home, webhooks};
use crate::clock::Clock;
use crate::config::{Config, named_after_another_place};
use crate::preflight::books::{Backup, BooksFacts, KeyFacts, Opened, Server, Stages};
use crate::preflight::people::{SignOff, SignOffs};
use crate::preflight::service::Knock;
use crate::store::webhooks::{Endpoint, EndpointStatus};
use crate::store::{Access, Schema, Step, Store, StoreConfig, StoreError};
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use xrpayd_core::ids::LedgerIndex;

/// Connections of this command: a write and a read at a time.
const CONNECTIONS: u32 = 2;
/// The most endpoints that are tried.
const ENDPOINTS_MAX: u32 = 200;
/// Changes of stage that are looked through for a promotion.
const CHANGES_MAX: u32 = 200;

/// Up to which ledger each wallet's journal has been read, where it has begun.
pub(super) type ReadTo = BTreeMap<String, LedgerIndex>;

/// What was found.
pub(super) struct Found {
    pub(super) facts: BooksFacts,
    pub(super) signed: Result<SignOffs, String>,
    pub(super) read_to: Result<ReadTo, String>,
    pub(super) webhooks: Result<Vec<Knock>, String>,
}

impl Found {
    fn unknown(facts: BooksFacts, why: &str) -> Self {
        Self {
            facts,
            signed: Err(why.to_owned()),
            read_to: Err(why.to_owned()),
            webhooks: Err(format!("the endpoints are not known: {why}")),
        }
    }
}

/// Looks at the database, and opens it where that changes nothing.
pub(super) async fn gather(config: &Config, clock: &dyn Clock, patience: Duration) -> Found {
    let unverified = unverified(config);
    let facts = |schema, opened| BooksFacts {
        unverified: unverified.clone(),
        schema,
        opened,
    };
    let settings = match build::store_config(config) {
        Ok(settings) => StoreConfig {
            listen_url: None,
            read_url: None,
            max_connections: CONNECTIONS,
            ..settings
        },
        Err(error) => {
            let why = causes(&error);
            return Found::unknown(facts(Err(why.clone()), None), &why);
        }
    };
    let looked = tokio::time::timeout(patience, Store::schema(&settings)).await;
    let Schema { found, known } = match flat(looked, patience) {
        Ok(schema) => schema,
        Err(why) => return Found::unknown(facts(Err(why), None), "the database does not answer"),
    };
    if found.is_none_or(|found| found < known) {
        let why = "the database is not at this program's schema";
        return Found::unknown(facts(Ok((found, known)), None), why);
    }
    let opened = tokio::time::timeout(patience, Store::open(&settings, Access::Tool)).await;
    let store = match flat(opened, patience) {
        Ok(store) => store,
        Err(why) => {
            let why_not = "the database cannot be opened";
            return Found::unknown(facts(Ok((found, known)), Some(Err(why))), why_not);
        }
    };
    let read = tokio::time::timeout(patience, read(&store, config, clock)).await;
    let found = match flat(read, patience) {
        Ok((opened, signed, read_to, endpoints)) => Found {
            facts: facts(Ok((found, known)), Some(Ok(opened))),
            signed: Ok(signed),
            read_to: Ok(read_to),
            webhooks: reached(config, &endpoints).await,
        },
        Err(why) => {
            let why_not = "the database cannot be read";
            Found::unknown(facts(Ok((found, known)), Some(Err(why))), why_not)
        }
    };
    store.close().await;
    found
}

/// An answer of the database, or in words why there is none.
fn flat<T>(
    answer: Result<Result<T, StoreError>, tokio::time::error::Elapsed>,
    patience: Duration,
) -> Result<T, String> {
    match answer {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(causes(&error)),
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

/// An error with what led to it.
fn causes(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some errors repeat their source in their own words.
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
        source = error.source();
    }
    words
}

/// The ways to the database that real money may not take, under whichever profile.
fn unverified(config: &Config) -> Vec<(String, String)> {
    let urls = config.store.urls();
    urls.filter_map(|(key, url)| {
        // A URL that cannot be had is told of where it is used.
        let url = url.resolve().ok()?;
        let why = crate::config::unverified(url.expose_secret())?;
        Some((key.to_owned(), why.to_owned()))
    })
    .collect()
}

/// Reads everything there is to know.
async fn read(
    store: &Store,
    config: &Config,
    clock: &dyn Clock,
) -> Result<(Opened, SignOffs, ReadTo, Vec<Endpoint>), StoreError> {
    let home = match home::visit(store, config).await {
        Ok(()) => Ok(store.home().await?.map_or_else(
            || "it is nobody's yet".to_owned(),
            |home| {
                format!(
                    "the profile {} on network {}",
                    home.profile, home.network_id
                )
            },
        )),
        Err(error) => Err(causes(&error)),
    };
    let written = store.ping().await.map_err(|error| causes(&error));
    let server = store.server_settings().await?;
    let shared = store.shared_time().await?;
    let names: Vec<String> = config.wallets.keys().cloned().collect();
    let mut halted = Vec::new();
    let mut read_to = ReadTo::new();
    for name in &names {
        if let Some(why) = store.halt_reason(name).await? {
            halted.push((name.clone(), why));
        }
        if let Some(standing) = store.standing(name, LedgerIndex(0)).await? {
            read_to.insert(name.clone(), standing.cursor.at);
        }
    }
    let opened = Opened {
        home,
        written,
        server: server.map(|server| Server {
            connections_max: server.connections_max,
            is_durable: server.is_durable,
        }),
        asked: (config.store.max_connections, config.store.replicas),
        clocks: shared.map(|theirs| (theirs, clock.now())),
        backup: backup(store, clock).await?,
        left_behind: store.left_behind(&names).await?,
        halted,
        keys: keys(store, clock).await?,
        stages: stages(store, config).await?,
    };
    let signed = store.signed_items().await?.into_iter().map(|word| {
        let said = SignOff {
            by: word.by,
            at: word.at,
            until: word.until,
            note: word.note,
            about: word.about,
        };
        (word.item, said)
    });
    let signed = signed.collect();
    let endpoints = store.endpoints(None, None, ENDPOINTS_MAX).await?;
    Ok((opened, signed, read_to, endpoints.items))
}

async fn backup(store: &Store, clock: &dyn Clock) -> Result<Backup, StoreError> {
    if store.home().await?.is_none() {
        return Ok(Backup::NotNeeded);
    }
    let now = clock.now();
    let newest = store.last_good_backup(now).await?;
    Ok(newest.map_or(Backup::Never, |at| Backup::Old(now.since_ms(at))))
}

async fn keys(store: &Store, clock: &dyn Clock) -> Result<Vec<KeyFacts>, StoreError> {
    let now = clock.now();
    let keys = store.list_keys().await?.into_iter();
    let keys = keys.filter(|key| !key.has_ended(now)).map(|key| KeyFacts {
        elsewhere: named_after_another_place(&key.client),
        id: key.id,
        client: key.client,
        scopes: key.scopes,
        is_bound: !key.cidrs.is_empty(),
        ends: key.expires_at.is_some(),
    });
    Ok(keys.collect())
}

async fn stages(store: &Store, config: &Config) -> Result<Stages, StoreError> {
    let rollout = &config.rollout;
    let first = rollout.stages.first().map(|stage| stage.name.clone());
    let in_force = store.stage_in_force().await?;
    let changes = store.stage_records(CHANGES_MAX).await?;
    Ok(Stages {
        first: first.unwrap_or_else(|| rollout.stage.clone()),
        configured: rollout.stage.clone(),
        in_force: in_force.map(|stage| stage.stage),
        was_promoted: changes.iter().any(|change| change.step == Step::Promoted),
    })
}

/// Knocks at every endpoint that is enabled, all at once.
async fn reached(config: &Config, endpoints: &[Endpoint]) -> Result<Vec<Knock>, String> {
    let poster = webhooks::poster(config).map_err(|error| error.to_string())?;
    let enabled = endpoints
        .iter()
        .filter(|endpoint| endpoint.status == EndpointStatus::Enabled);
    let knocks = enabled.map(|endpoint| async {
        let knocked = poster.knock(&endpoint.url).await;
        let why = |answer: crate::webhooks::post::Answer| {
            let error = answer.error.unwrap_or_default();
            format!("{}: {error}", answer.outcome.as_str())
        };
        (endpoint.id.to_string(), knocked.map_err(why))
    });
    Ok(join_all(knocks).await)
}
