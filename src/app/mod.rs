//! The composition root: builds every room, runs them, drains them in order.
//!
//! Order of a start: store, wallets, pool, engines, HTTP. Order of an end: it is said to be near while
//! everything goes on (`shutdown.notice`), new writes are refused,
//! requests under way are answered, the engines finish the commit they are in and their leases are given
//! back (where other replicas wait for them, before all else), what came of the
//! webhooks under way is written down, the pool and the store close. What is in flight stays in the
//! store and on the ledger; the next start goes on with
//! it. A crash at any point of this is only a shorter version of it.

pub mod audit;
pub mod backup;
mod build;
pub mod errand;
mod foresight;
mod gauges;
mod hints;
pub mod home;
pub mod key_change;
pub mod keys;
mod leases;
mod live;
pub mod moving;
mod patience;
pub mod preflight;
mod primaries;
pub mod reconcile;
mod reload;
mod retention;
mod rollout;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod signals;
pub mod switchboard;
mod time;
mod traces;
mod views;
mod webhooks;

use crate::clock::{NoEntropy, OsEntropy, SharedClock};
use crate::config::{Config, ConfigErrors, LoadArgs};
use crate::payments::loads::Loads;
use crate::payments::pasts::Pasts;
use crate::payments::preflight::Preflight;
use crate::store::{Access, Occasion, Store, StoreError};
use crate::supervise::{Drained, Fatal, Supervisor};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Spans;
use crate::webhooks::Dispatcher;
use crate::xrpl::BadRoots;
use audit::{Configured, Diary};
use build::Ground;
pub(crate) use build::store_config;
use live::{Known, LiveView};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the caller of [`run`] wants besides the configuration.
#[derive(Default)]
pub struct RunOptions {
    /// Told once the daemon serves.
    pub on_ready: Option<Box<dyn FnOnce(Ready) + Send>>,
    /// What SIGHUP reads again; without it a reload is refused.
    pub reload: Option<LoadArgs>,
    /// The spans that are to be sent to the collector of the configuration.
    pub spans: Option<Spans>,
    /// What the configuration says, for the audit log.
    pub configured: Configured,
}

/// Where the daemon serves.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The API.
    pub http: SocketAddr,
    /// The metrics.
    pub metrics: SocketAddr,
}

/// Why the daemon did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration has errors.
    #[error("{0}")]
    Config(ConfigErrors),
    /// The machine has no entropy.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The database is another environment's.
    #[error(transparent)]
    NotAtHome(#[from] home::NotAtHome),
    /// A URL of the store is a secret that cannot be had, or nothing for real money.
    #[error("{key}: {why}")]
    StoreUrl {
        /// The setting.
        key: &'static str,
        /// What is wrong, without the secret.
        why: String,
    },
    /// A wallet's key cannot be had.
    #[error("wallet {name}: {reason}")]
    Wallet {
        /// The wallet.
        name: String,
        /// What is wrong, without the secret.
        reason: String,
    },
    /// The file of root certificates cannot be used.
    #[error("xrpl.ca_file")]
    Roots(#[from] BadRoots),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The instruments are declared wrongly.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(String),
    /// The signals cannot be listened to.
    #[error("the process's signals cannot be listened to")]
    Signals(#[source] std::io::Error),
    /// The sandbox cannot be set up.
    #[error("the sandbox cannot be set up: {0}")]
    Sandbox(String),
    /// Backups cannot be taken as they are asked for.
    #[error("backups cannot be taken: {0}")]
    Backups(String),
    /// What traces are sent with cannot be set up.
    #[error("traces cannot be sent: {0}")]
    Traces(String),
    /// What webhooks are sent with cannot be set up.
    #[error("webhooks cannot be set up: {0}")]
    Webhooks(String),
    /// A task failed; the process must not limp on.
    #[error(transparent)]
    Fatal(Fatal),
    /// The grace ran out.
    #[error("{0} tasks were still at work when the grace of the shutdown ran out")]
    Forced(usize),
}

/// How long requests under way may take before the rest of the grace goes to the engines: half.
const REQUESTS_SHARE: u32 = 2;

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// Something could not start, or a task failed, or the drain was cut short.
pub async fn run(config: Config, options: RunOptions) -> Result<(), AppError> {
    let root = Supervisor::new();
    let signals = signals::Signals::listen(&root).map_err(AppError::Signals)?;
    let clock = Arc::new(SharedClock::new());
    let ground = Ground {
        clock: Arc::<SharedClock>::clone(&clock),
        entropy: Arc::new(OsEntropy::new()?),
        metrics: Arc::new(Metrics::new().map_err(|error| AppError::Metrics(error.to_string()))?),
    };
    let store_config = build::store_config(&config)?;
    let opened = patience::answered(&signals, || Store::open(&store_config, Access::Daemon));
    let Some(store) = opened.await? else {
        return Ok(());
    };
    // What cannot start leaves the database nobody's.
    let wallets = build::wallets(&config)?;
    let backups = backup::Keeper::of(&config, &store, &ground)?;
    let configured = options.configured;
    let diary = Diary::new(
        store.clone(),
        Arc::clone(&ground.clock),
        &configured,
        &config,
    );
    let diary = Arc::new(diary);
    let loads = Loads::default();
    let settled = patience::answered(&signals, || async {
        time::agree(&store, &clock).await?;
        settle(&store, &config, &ground, &loads).await
    });
    if settled.await?.is_none() {
        store.close().await;
        return Ok(());
    }
    let is_begun = diary.begin().await?;
    let (writer, pool_tasks, engines) = (root.child(), root.child(), root.child());
    // Outlives the engines: what they hold is renewed until they have ended.
    let tenancy = root.child();
    let (web, watchers, hooks) = (root.child(), root.child(), root.child());
    store.start_accept_writer(&writer);
    // What signing waits for is read and written past whatever requests do.
    let engines_store = store.for_engines();
    let switches = switchboard::start(engines_store.clone(), &writer).await;
    let accounts = wallets.iter().map(|(wallet, _)| wallet.account).collect();
    let pool = build::pool(&config, accounts, &ground, &pool_tasks)?;
    let all_pasts = Pasts::of(config.wallets.keys().cloned());
    let known = Known {
        preflight: Preflight::new(pool.clone(), Arc::clone(&ground.clock)),
        pasts: all_pasts.clone(),
        loads: loads.clone(),
        switches: switches.clone(),
    };
    if config.routed_wallets().len() > 1 {
        watchers.spawn("loads", loads.follow(store.clone()));
    }
    let leases = leases::Leases::new(
        (&config.lease, build::last_runs(&config, &store)),
        engines_store.clone(),
        Arc::clone(&ground.clock),
        ground.entropy.as_ref(),
    );
    // Before the first request is taken: what this configuration is stricter in holds for all from here on.
    let word = build::word(&build::rules(&config));
    // Who is asked to end meanwhile ends as everybody does, below.
    let told = || leases.tell_limits(&word, Occasion::Begins);
    patience::answered(&signals, told).await?;
    // Ends last of all: what the others did at their ends is told.
    let telling = root.child();
    if let (Some(spans), Some(base)) = (options.spans, config.telemetry.otlp_endpoint.as_deref()) {
        let told = (spans, base);
        let exporter = traces::Exporter::new(told, &config, &ground, leases.replica_id())?;
        telling.spawn_must_finish("traces", exporter.run(telling.token()));
    }
    tenancy.spawn_must_finish("leases", Arc::clone(&leases).renew(tenancy.token()));
    tenancy.spawn("spread", Arc::clone(&leases).spread(tenancy.token()));
    let eyes = (&engines_store, &pool, &known);
    let lanes = build::lanes(&config, wallets, eyes, &ground, (&engines, &leases));
    let (show_books, books) = watch::channel(crate::reconcile::View::new());
    let live = Arc::new(LiveView::new(
        (pool.clone(), Arc::clone(&leases)),
        known,
        lanes,
        books,
    ));
    hints::Carriers::new(
        engines_store.clone(),
        Arc::clone(&ground.metrics),
        ground.entropy.as_ref(),
    )
    // To the very end: a lease that is given back at the drain is told.
    .start(Arc::clone(&live), &writer);
    watchers.spawn(
        "views",
        views::keep(engines_store.clone(), Arc::clone(&live), all_pasts),
    );
    let (reconciler, watched) = build::reconciliation(&config, &store, &pool, &ground, &live);

    let (http, metrics) = (
        listen(config.http.listen).await?,
        listen(config.telemetry.listen).await?,
    );
    let ready = Ready {
        http: address_of(&http)?,
        metrics: address_of(&metrics)?,
    };
    let webhooks = webhooks::webhooks(&config, &store, &ground)?;
    let dispatcher = Dispatcher::new(webhooks.clone(), store.clone(), Arc::clone(&ground.metrics));
    hooks.spawn_must_finish("webhooks", dispatcher.run(hooks.token()));
    let (rules, state) = build::app_state(&config, &store, &ground, &live, webhooks, switches);
    let gauges = gauges::Sources {
        store: store.clone(),
        live: Arc::clone(&live),
        metrics: Arc::clone(&ground.metrics),
        clock: Arc::clone(&ground.clock),
        rules: state.rules.clone(),
        switches: state.switches.clone(),
        reconciled_every: config.reconcile.interval,
    };
    let stages = rollout::Keeper {
        store: store.clone(),
        clock: Arc::clone(&ground.clock),
        switches: state.switches.clone(),
        rules: state.rules.clone(),
    };
    watchers.spawn("rollout", rollout::keep(stages));
    crate::http::serve(http, metrics, state, &web).await;
    if let Some(backups) = backups {
        watchers.spawn("backups", backups.keep());
    }
    watchers.spawn("primaries", primaries::keep(engines_store.clone()));
    watchers.spawn("time", time::keep(engines_store, clock));
    watchers.spawn("gauges", gauges::keep(gauges));
    watchers.spawn(
        "pulse",
        gauges::feel_pulse(store.clone(), Arc::clone(&ground.metrics)),
    );
    watchers.spawn(
        "retention",
        retention::keep(
            store.clone(),
            Arc::clone(&ground.clock),
            config.events.retention,
        ),
    );
    watchers.spawn(
        "reconcile",
        crate::reconcile::keep(reconciler, watched, show_books),
    );
    watchers.spawn("audit", Arc::clone(&diary).keep(is_begun));
    watchers.spawn(
        "reload",
        reload::follow(
            signals.clone(),
            options.reload.map(|args| (args, configured)),
            (Arc::clone(&diary), leases.clone()),
            rules,
            pool,
            Arc::clone(&ground.metrics),
        ),
    );
    tracing::info!(http.listen = %ready.http, metrics.listen = %ready.metrics, profile = %config.profile, "serving");
    if let Some(on_ready) = options.on_ready {
        on_ready(ready);
    }

    let ended = tokio::select! {
        fatal = root.failed() => Err(AppError::Fatal(fatal)),
        () = signals.asked_to_end() => Ok(()),
    };
    let asked_at = tokio::time::Instant::now();
    live.leave();
    leases.drain();
    if !store.is_alone() {
        // The wallets are others' as soon as their engines have ended; everything else goes on meanwhile.
        engines.cancel();
    }
    let ended = match ended {
        Ok(()) => notice(config.shutdown.notice, &root).await,
        fatal => fatal,
    };
    live.drain();
    let grace = config.shutdown.grace;
    tracing::info!(grace_s = grace.as_secs(), "draining");
    let drained = drain(
        grace.saturating_sub(asked_at.elapsed()),
        [
            &web,
            &watchers,
            &engines,
            &tenancy,
            &hooks,
            &pool_tasks,
            &writer,
            &telling,
        ],
    )
    .await;
    diary.end(&why_ended(&ended, drained)).await;
    store.close().await;
    ended?;
    match drained {
        0 => {
            tracing::info!("drained");
            Ok(())
        }
        left => Err(AppError::Forced(left)),
    }
}

/// What a start changes and reads in the database before anything runs on it. Each part may be done
/// again.
async fn settle(
    store: &Store,
    config: &Config,
    ground: &Ground,
    loads: &Loads,
) -> Result<(), AppError> {
    home::enter(store, config, ground.clock.now()).await?;
    let older = store.book_older_deposits(ground.clock.now()).await?;
    if older > 0 {
        tracing::info!(
            deposits = older,
            "credits of an older journal are booked as deposits"
        );
    }
    store.recount_forgotten(ground.clock.now()).await?;
    crate::rollout::settle(store, &config.ladder(), ground.clock.now()).await?;
    if config.routed_wallets().len() > 1 {
        loads.read(store).await?;
    }
    Ok(())
}

/// Goes on as if nothing were, but for what `/health/ready` says: whoever balances load by it sends the
/// next requests elsewhere, and none that comes meanwhile is refused.
async fn notice(span: Duration, root: &Supervisor) -> Result<(), AppError> {
    if span.is_zero() {
        return Ok(());
    }
    tracing::info!(notice_s = span.as_secs_f64(), "leaving");
    tokio::select! {
        fatal = root.failed() => Err(AppError::Fatal(fatal)),
        () = tokio::time::sleep(span) => Ok(()),
    }
}

/// Why the daemon ended, in a few words.
fn why_ended(ended: &Result<(), AppError>, left: usize) -> String {
    match (ended, left) {
        (Err(error), _) => error.to_string(),
        (Ok(()), 0) => "it was asked to, and drained".to_owned(),
        (Ok(()), left) => AppError::Forced(left).to_string(),
    }
}

/// Ends the rooms one after the other within one grace; returns how many tasks had to be dropped.
async fn drain<const N: usize>(grace: Duration, rooms: [&Supervisor; N]) -> usize {
    let deadline = tokio::time::Instant::now() + grace;
    let mut left = 0_usize;
    for (place, room) in rooms.into_iter().enumerate() {
        let rest = deadline.saturating_duration_since(tokio::time::Instant::now());
        let share = if place == 0 {
            rest / REQUESTS_SHARE
        } else {
            rest
        };
        if let Drained::Forced(count) = room.shutdown(share).await {
            left = left.saturating_add(count);
        }
    }
    left
}

async fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Listen { address, source })
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, AppError> {
    listener.local_addr().map_err(|source| AppError::Listen {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        source,
    })
}
