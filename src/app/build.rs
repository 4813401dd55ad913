//! Makes each room's own settings out of the configuration, and the rooms out of those.

use super::AppError;
use super::leases::{Lane, Leases, RENEWALS};
use super::live::{Known, LaneHandle, LiveView};
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config, StoreUrl, Wallet as WalletSettings, secrets};
use crate::deposits::issue;
use crate::http::edges::Edges;
use crate::http::state::{Access, AppState, Auth, RateLimits, Rules, Settings as HttpSettings};
use crate::payments::accept::Policy;
use crate::payments::engine::{Deps, Settings, View};
use crate::payments::last_run::LastRun;
use crate::reconcile;
use crate::store::switches::Switches;
use crate::store::{Pooler, Store, StoreConfig};
use crate::supervise::Supervisor;
use crate::telemetry::health::Thresholds;
use crate::telemetry::metrics::Metrics;
use crate::wallet::{LocalSigner, Signer, Wallet};
use crate::webhooks::Webhooks;
use crate::xrpl::{self, Members, Pin, Pool, PoolConfig, Roots, ServerConfig, Voice};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::limits::Word;

/// A transaction that nobody goes on with is ended within this part of a lease.
const IDLE_SHARE: u32 = 2;

/// What every room may be handed.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) metrics: Arc<Metrics>,
}

/// The store's settings, with the URL out of its secret where it is one.
pub(crate) fn store_config(config: &Config) -> Result<StoreConfig, AppError> {
    let is_production = config.profile == config::Profile::Production;
    let resolve = |(key, url): (&'static str, &StoreUrl)| {
        let refused = |why: String| AppError::StoreUrl { key, why };
        let url = url.resolve().map_err(|error| refused(error.to_string()))?;
        match config::unverified(url.expose_secret()).filter(|_| is_production) {
            Some(why) => Err(refused(why.to_owned())),
            None => Ok(url.expose_secret().to_owned()),
        }
    };
    let listen_url = config.store.listen_url.as_ref();
    let read_url = config.store.read_url.as_ref();
    Ok(StoreConfig {
        url: resolve(("store.url", &config.store.url))?,
        listen_url: listen_url
            .map(|url| resolve(("store.listen_url", url)))
            .transpose()?,
        max_connections: config.store.max_connections,
        acquire_timeout: config.store.acquire_timeout,
        idle_timeout: config.store.idle_timeout,
        statement_timeout: config.store.statement_timeout,
        lock_timeout: config.store.lock_timeout,
        // What a frozen process has locked is free again when its leases run out.
        idle_in_transaction_timeout: config
            .store
            .idle_in_transaction_timeout
            .min(config.lease.ttl / IDLE_SHARE),
        lease_patience: config.lease.ttl / RENEWALS,
        pooler: match config.store.pooler {
            config::Pooler::None => Pooler::None,
            config::Pooler::Transaction => Pooler::Transaction,
        },
        read_url: read_url
            .map(|url| resolve(("store.read_url", url)))
            .transpose()?,
        read_lag: config.store.read_lag,
    })
}

/// Every wallet with its key.
pub(super) fn wallets(config: &Config) -> Result<Vec<(Wallet, WalletSettings)>, AppError> {
    config
        .wallets
        .iter()
        .map(|(name, settings)| {
            let wallet = wallet(config, name, settings).map_err(|reason| AppError::Wallet {
                name: name.clone(),
                reason,
            })?;
            Ok((wallet, settings.clone()))
        })
        .collect()
}

fn wallet(config: &Config, name: &str, settings: &WalletSettings) -> Result<Wallet, String> {
    let seed = secrets::resolve(&settings.seed).map_err(|error| error.to_string())?;
    let signer = LocalSigner::from_seed(&seed).map_err(|error| error.to_string())?;
    let master = signer.public_key().account_id();
    if master != settings.address {
        if config.profile != crate::config::Profile::Production {
            tracing::warn!(
                wallet.name = name,
                "the seed is not the account's master key: the ledger must know it as its regular key"
            );
        }
    } else if settings.require_regular_key {
        return Err(
            "the seed is the account's master key, and a regular key is required".to_owned(),
        );
    }
    Ok(Wallet::new(
        name.to_owned(),
        settings.address,
        config.network.id,
        settings.source_tag,
        Box::new(signer),
    ))
}

/// The servers, and how many of them must agree.
pub(super) fn members(config: &Config) -> Members {
    let servers = config
        .xrpl
        .servers
        .iter()
        .map(|server| ServerConfig {
            name: server.name.clone(),
            url: server.url.as_str().to_owned(),
            operator: server.operator.clone(),
            priority: server.priority,
            pins: server.pin_sha256.iter().copied().map(Pin).collect(),
            voice: if config.xrpl.counts(server) {
                Voice::Counts
            } else {
                Voice::Unheard
            },
        })
        .collect();
    Members {
        servers,
        quorum: config.xrpl.quorum,
        submit_to: config.xrpl.submit_to,
    }
}

/// The pool of servers, already connecting; `accounts` are those whose transactions it listens for.
pub(super) fn pool(
    config: &Config,
    accounts: Vec<AccountId>,
    ground: &Ground,
    supervisor: &Supervisor,
) -> Result<Pool, AppError> {
    let roots = match &config.xrpl.ca_file {
        Some(path) => Roots::read(path)?,
        None => Roots::Bundled,
    };
    let Members {
        servers,
        quorum,
        submit_to,
    } = members(config);
    let settings = PoolConfig {
        network_id: config.network.id,
        servers,
        quorum,
        submit_to,
        request_timeout: config.xrpl.request_timeout,
        connect_timeout: config.xrpl.connect_timeout,
        silence_timeout: config.xrpl.silence_timeout,
        backoff_max: config.xrpl.reconnect_max,
        in_flight_max: config.xrpl.in_flight_max,
        roots,
        ..PoolConfig::default()
    };
    let deps = xrpl::Deps {
        clock: Arc::clone(&ground.clock),
        entropy: Arc::clone(&ground.entropy),
        metrics: Arc::clone(&ground.metrics),
        supervisor: supervisor.clone(),
    };
    Ok(Pool::start(settings, accounts, deps))
}

/// Where this machine writes down what it saw of a wallet last.
fn last_run(config: &Config, store: &Store, wallet: &str) -> LastRun {
    let folder = config.store.last_run_dir.as_deref();
    LastRun::of(folder, store.file(), wallet)
}

/// The same of every wallet.
pub(super) fn last_runs(config: &Config, store: &Store) -> BTreeMap<String, LastRun> {
    let of = |name: &String| (name.clone(), last_run(config, store, name));
    config.wallets.keys().map(of).collect()
}

/// One engine a wallet, at work as soon as this process has the wallet's lease.
pub(super) fn lanes(
    config: &Config,
    wallets: Vec<(Wallet, WalletSettings)>,
    (store, pool, known): (&Store, &Pool, &Known),
    ground: &Ground,
    (supervisor, leases): (&Supervisor, &Arc<Leases>),
) -> Vec<LaneHandle> {
    wallets
        .into_iter()
        .map(|(wallet, settings)| {
            let wake = Arc::new(Notify::new());
            let wallet = Arc::new(wallet);
            let changed = Arc::new(Notify::new());
            let (show, view) = watch::channel(View::default());
            let (tell_tenure, tenure) = watch::channel(None);
            let handle = LaneHandle {
                name: wallet.name.clone(),
                account: wallet.account,
                wallet: Arc::clone(&wallet),
                max_fee: settings.max_fee,
                wallet_type: settings.wallet_type,
                low_balance: settings.low_balance,
                critical_balance: settings.critical_balance,
                wake: Arc::clone(&wake),
                changed: Arc::clone(&changed),
                view,
                elsewhere: watch::Sender::new(None),
                tenure,
            };
            let last_run = last_run(config, store, &handle.name);
            let (store, pool, ground) = (store.clone(), pool.clone(), ground.clone());
            let (preflight, pasts) = (known.preflight.clone(), known.pasts.clone());
            let (switches, helpers) = (known.switches.clone(), supervisor.clone());
            let deps = move |hold| Deps {
                wallet: Arc::clone(&wallet),
                store: store.clone(),
                hold,
                pool: pool.clone(),
                preflight: preflight.clone(),
                pasts: pasts.clone(),
                last_run: last_run.clone(),
                clock: Arc::clone(&ground.clock),
                metrics: Arc::clone(&ground.metrics),
                supervisor: helpers.clone(),
                switches: switches.clone(),
                wake: Arc::clone(&wake),
                changed: Arc::clone(&changed),
            };
            let patience_ms = settings.low_balance_patience.as_millis();
            let settings = Settings {
                network_id: config.network.id,
                desk: xrpayd_core::engine::Settings {
                    max_in_flight: usize::try_from(settings.max_in_flight).unwrap_or(usize::MAX),
                    max_fee: settings.max_fee,
                    ledger_window: settings.ledger_window,
                    low_balance_patience_ms: i64::try_from(patience_ms).unwrap_or(i64::MAX),
                },
                refill: settings.ticket_refill,
                start_ledger: settings.start_ledger.map(LedgerIndex),
            };
            let name = format!("engine:{}", handle.name);
            let lane = Lane {
                name: handle.name.clone(),
                deps: Box::new(deps),
                settings,
                view: show,
                tenure: tell_tenure,
            };
            supervisor.spawn_must_finish(name, Arc::clone(leases).keep(lane, supervisor.token()));
            handle
        })
        .collect()
}

/// Books against ledger, in the background.
pub(super) fn reconciliation(
    config: &Config,
    store: &Store,
    pool: &Pool,
    ground: &Ground,
    live: &LiveView,
) -> (reconcile::Deps, Vec<reconcile::Watched>) {
    let deps = reconcile::Deps {
        store: store.clone(),
        pool: pool.clone(),
        clock: Arc::clone(&ground.clock),
        interval: config.reconcile.interval,
        ledgers: config.reconcile.ledgers,
    };
    let watched = live.lanes().map(|lane| reconcile::Watched {
        name: lane.name.clone(),
        tenure: lane.tenure.clone(),
    });
    (deps, watched.collect())
}

/// What the HTTP room works with, and the hand that changes its rules.
pub(super) fn app_state(
    config: &Config,
    store: &Store,
    ground: &Ground,
    live: &Arc<LiveView>,
    webhooks: Webhooks,
    switches: Switches,
) -> (watch::Sender<Arc<Rules>>, AppState) {
    let (change, current) = watch::channel(Arc::new(rules(config)));
    let auth = if config.auth.enabled {
        Auth::Required
    } else {
        Auth::Off
    };
    let state = AppState {
        store: store.clone(),
        clock: Arc::clone(&ground.clock),
        entropy: Arc::clone(&ground.entropy),
        metrics: Arc::clone(&ground.metrics),
        live: Arc::<LiveView>::clone(live),
        webhooks,
        settings: HttpSettings {
            body_bytes_max: config.http.body_max_bytes,
            request_timeout: config.http.request_timeout,
            shutdown_grace: config.shutdown.grace,
            auth,
            heartbeat: config.events.heartbeat,
            streams_per_key: config.events.streams_per_key,
            edges: edges(config),
        },
        rules: current,
        switches,
    };
    (change, state)
}

/// What the listener grants a stranger.
fn edges(config: &Config) -> Edges {
    let http = &config.http;
    Edges {
        head_bytes_max: http.head_max_bytes,
        fields_max: http.fields_max,
        head_timeout: http.head_timeout,
        idle_timeout: http.idle_timeout,
        connections_max: http.connections_max,
        connections_per_address: http.connections_per_address,
        cors_origins: http.cors_origins.clone(),
    }
}

/// What a reload may change.
pub(super) fn rules(config: &Config) -> Rules {
    let wallets = config
        .wallets
        .iter()
        .map(|(name, wallet)| (name.clone(), wallet.address));
    let wallets: BTreeMap<String, AccountId> = wallets.collect();
    let ladder = config.ladder();
    // What holds where the stage in force is not known.
    let stage = ladder.lowest();
    Rules {
        invoices: issue::Policy {
            wallets: wallets.clone(),
            wallet: config.invoices.wallet.clone(),
            assets: config.invoices.assets.clone(),
            expires_in: config.invoices.expires_in,
            tag_quarantine: config.invoices.tag_quarantine,
        },
        policy: Policy {
            network_id: config.network.id,
            wallets,
            routed: config.routed_wallets(),
            stage: stage.name.clone(),
            words: 0,
            allowed_clients: stage.allowed_clients.clone(),
            caps: stage.caps,
            scopes: Arc::new(config.limits.scopes.clone()),
            approval: config.limits.approval,
        },
        rate_limits: RateLimits {
            writes_per_minute: config.rate_limit.per_minute,
            writes_per_hour: config.rate_limit.per_hour,
            reads_per_minute: config.rate_limit.reads_per_minute,
            admin_per_minute: config.rate_limit.admin_per_minute,
            checks_per_minute: config.rate_limit.checks_per_minute,
            failures_per_minute: config.rate_limit.failures_per_minute,
        },
        access: Access {
            trusted_proxies: config.http.trusted_proxies.clone(),
            admin_networks: config.auth.admin_cidrs.clone(),
        },
        ladder,
        thresholds: thresholds(config),
    }
}

/// What this process tells the others of limits.
pub(super) fn word(rules: &Rules) -> Word {
    let stages = rules.ladder.stages.iter();
    Word {
        stages: stages
            .map(|stage| (stage.name.clone(), stage.caps))
            .collect(),
        scopes: (*rules.policy.scopes).clone(),
        approval: rules.policy.approval,
    }
}

/// What `/health` finds worth a look.
fn thresholds(config: &Config) -> Thresholds {
    let telemetry = &config.telemetry;
    let latency_ms = telemetry.latency_threshold.as_millis();
    Thresholds {
        latency_ms_max: u64::try_from(latency_ms).unwrap_or(u64::MAX),
        oldest_age_s_max: i64::try_from(telemetry.pending_threshold.as_secs()).unwrap_or(i64::MAX),
        alerts: telemetry.alerts.clone(),
    }
}
