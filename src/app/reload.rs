//! SIGHUP: reads the configuration again and takes over what may change while the daemon runs:
//! limits, stages, rate limits, address lists, what health minds, the log level, the servers and how many
//! of them must agree.
//!
//! All or nothing: everything is read, checked and made ready first, then noted in the audit log, and only
//! then taken over, in one step that nothing can end half-way. A bad file changes nothing, and the log says
//! why. What needs a start is named, and stays as it is. Signals that come meanwhile are one more reload.
//! Between reloads it is seen to that the other replicas know what this one says of limits.

use super::audit::{Configured, Diary};
use super::build;
use super::leases::Leases;
use super::signals::Signals;
use crate::config::{self, Config, LoadArgs, Loaded};
use crate::http::state::Rules;
use crate::store::{Holding, Occasion, StoreError};
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;
use crate::xrpl::Pool;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// A file that was written to within this time may not be written to its end.
const STILL: Duration = Duration::from_millis(100);
/// How often this process's word on limits is held against what stands.
const HELD_EVERY: Duration = Duration::from_secs(2);
/// How often a file that goes on changing is waited for.
const LOOKS_MAX: u32 = 50;

/// Follows the signal for ever.
pub(super) async fn follow(
    signals: Signals,
    mut running: Option<(LoadArgs, Configured)>,
    (diary, leases): (Arc<Diary>, Arc<Leases>),
    rules: watch::Sender<Arc<Rules>>,
    pool: Pool,
    metrics: Arc<Metrics>,
) {
    let successful = &metrics.config_last_reload_successful;
    // What the daemon started with was sound.
    successful.set(1);
    let mut is_told = true;
    loop {
        tokio::select! {
            () = signals.asked_to_reload() => {}
            // Here, so that nothing that is being taken over is held against what stands.
            () = tokio::time::sleep(HELD_EVERY) => {
                let word = build::word(&rules.borrow());
                is_told = is_held(leases.hold_limits(&word).await, is_told);
                continue;
            }
        }
        let Some((args, configured)) = &mut running else {
            tracing::warn!("there is no configuration to reload");
            continue;
        };
        let taken = reload(args, configured, (&diary, &leases), &rules, &pool).await;
        successful.set(i64::from(taken == Taken::Over));
    }
}

/// Says what became of holding this process's word on limits against what stands; a trouble that lasts is
/// said once.
fn is_held(held: Result<Holding, StoreError>, was_held: bool) -> bool {
    match held {
        Ok(Holding::Stood) => {}
        Ok(Holding::SaidAgain) => {
            tracing::info!(
                "what this process says of limits did not stand: the others are told again"
            );
        }
        Ok(Holding::PredecessorsEnded) => {
            tracing::info!("what this process's predecessor said of limits is over");
        }
        Err(error) => {
            if was_held {
                tracing::warn!(%error, "what this process says of limits is not held against what stands");
            }
            return false;
        }
    }
    true
}

/// What became of a configuration that was read again.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// It is in force.
    Over,
    /// The old one is.
    Not,
}

async fn reload(
    args: &LoadArgs,
    configured: &mut Configured,
    (diary, leases): (&Diary, &Leases),
    rules: &watch::Sender<Arc<Rules>>,
    pool: &Pool,
) -> Taken {
    let Some(loaded) = read(args).await else {
        return Taken::Not;
    };
    let (next, kept) = configured.taking_over(&Configured::of(&loaded));
    if kept.iter().any(|key| key == "profile") {
        // A profile brings limits and servers of its own, meant for another place.
        tracing::error!(
            "the new configuration is refused, for it is of another profile; the old one holds"
        );
        return Taken::Not;
    }
    let ready = Ready::of(&loaded.config, &rules.borrow());
    // What is stricter holds for all replicas from here on; what is looser, once all of them say so.
    let word = build::word(&ready.rules);
    if let Err(error) = leases.tell_limits(&word, Occasion::Rereads).await {
        tracing::error!(%error, "the other replicas cannot be told the new limits; the old configuration holds");
        return Taken::Not;
    }
    if let Err(error) = diary.note_reload(configured, &next).await {
        tracing::error!(%error, "the new configuration cannot be noted in the audit log; the old one holds");
        return Taken::Not;
    }
    *configured = next;
    ready.take_over(rules, pool);
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    if !kept.is_empty() {
        tracing::warn!(
            config.kept = kept.join(", "),
            "these settings differ in the new configuration and wait for the next start"
        );
    }
    Taken::Over
}

/// The configuration as it is written now, where it is sound.
async fn read(args: &LoadArgs) -> Option<Loaded> {
    settled(&args.files).await;
    let args = args.clone();
    // Reading files blocks, and a reload is rare: it may take a thread for a moment.
    match tokio::task::spawn_blocking(move || config::load(args)).await {
        Ok(Ok(loaded)) => Some(loaded),
        Ok(Err(errors)) => {
            tracing::error!(%errors, "the new configuration is refused; the old one holds");
            None
        }
        Err(error) => {
            tracing::error!(%error, "the configuration could not be read again; the old one holds");
            None
        }
    }
}

/// Waits until nobody writes to the files: half a file may be sound by itself, and mean something else.
async fn settled(files: &[PathBuf]) {
    let mut before = stamps(files);
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(STILL).await;
        let now = stamps(files);
        if now == before {
            return;
        }
        before = now;
    }
    tracing::warn!("the configuration goes on changing while it is read");
}

/// The size and the last change of each file that is there.
fn stamps(files: &[PathBuf]) -> Vec<Option<(u64, Option<SystemTime>)>> {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().ok()))
    };
    files.iter().map(stamp).collect()
}

/// Everything that is taken over, made and checked.
struct Ready {
    rules: Rules,
    members: crate::xrpl::Members,
    log_level: tracing::Level,
}

impl Ready {
    fn of(config: &Config, running: &Rules) -> Self {
        let mut rules = build::rules(config);
        // Wallets and network are those that have engines.
        rules.policy.network_id = running.policy.network_id;
        rules.policy.wallets.clone_from(&running.policy.wallets);
        rules.policy.routed.clone_from(&running.policy.routed);
        rules.invoices.wallets.clone_from(&running.invoices.wallets);
        rules.invoices.wallet.clone_from(&running.invoices.wallet);
        Self {
            rules,
            members: build::members(config),
            log_level: config.telemetry.log_level.into(),
        }
    }

    /// Puts it in force. Nothing here waits, and nothing here fails half-way: a log that is not the
    /// daemon's own has no level of its to change.
    fn take_over(self, rules: &watch::Sender<Arc<Rules>>, pool: &Pool) {
        if let Err(error) = logs::set_level(self.log_level) {
            tracing::warn!(%error, "the log level stays as it is");
        }
        rules.send_replace(Arc::new(self.rules));
        let servers = pool.adopt(self.members);
        tracing::info!(
            servers.added = ?servers.added,
            servers.removed = ?servers.removed,
            "limits, stages, rate limits, servers and the log level are those of the new configuration"
        );
    }
}
