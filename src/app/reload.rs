//! SIGHUP: reads the configuration again and takes over what may change while the daemon runs:
//! limits, stages, rate limits, the log level, the servers and how many of them must agree. A bad file changes nothing, and says why.

use super::audit::{Configured, Diary};
use super::build;
use super::signals::Signals;
use crate::config::{self, LoadArgs};
use crate::http::state::Rules;
use crate::telemetry::logs;
use crate::xrpl::Pool;
use std::sync::Arc;
use tokio::sync::watch;

/// Follows the signal for ever.
pub(super) async fn follow(
    signals: Signals,
    mut running: Option<(LoadArgs, Configured)>,
    diary: Arc<Diary>,
    rules: watch::Sender<Arc<Rules>>,
    pool: Pool,
) {
    loop {
        signals.asked_to_reload().await;
        let Some((args, configured)) = &mut running else {
            tracing::warn!("there is no configuration to reload");
            continue;
        };
        let args = args.clone();
        // Reading files blocks, and a reload is rare: it may take a thread for a moment.
        match tokio::task::spawn_blocking(move || config::load(args)).await {
            Ok(Ok(loaded)) => {
                for warning in &loaded.warnings {
                    tracing::warn!(%warning, "configuration");
                }
                let next = Configured::of(&loaded);
                if let Err(error) = diary.note_reload(configured, &next).await {
                    tracing::error!(%error, "the new configuration cannot be noted in the audit log; the old one holds");
                    continue;
                }
                *configured = next;
                if let Err(error) = logs::set_level(loaded.config.telemetry.log_level.into()) {
                    tracing::warn!(%error, "the log level stays as it is");
                }
                let mut next = build::rules(&loaded.config);
                // Wallets and network are those that have engines.
                let running = rules.borrow().policy.clone();
                next.policy.network_id = running.network_id;
                next.policy.wallets = running.wallets;
                next.policy.routed = running.routed;
                rules.send_replace(Arc::new(next));
                let servers = pool.adopt(build::members(&loaded.config));
                tracing::info!(
                    servers.added = ?servers.added,
                    servers.removed = ?servers.removed,
                    "limits, stages, rate limits, servers and the log level are those of the new configuration"
                );
            }
            Ok(Err(errors)) => {
                tracing::error!(%errors, "the new configuration is refused; the old one holds");
            }
            Err(error) => tracing::error!(%error, "the configuration could not be read again"),
        }
    }
}
