//! What webhooks are sent with, out of the configuration.

use super::AppError;
use super::build::Ground;
use crate::config::{self, Config};
use crate::store::{Store, beside};
use crate::webhooks::guard::{Plain, Policy, Private, SystemResolver};
use crate::webhooks::post::Poster;
use crate::webhooks::schedule::Schedule;
use crate::webhooks::secret::Sealer;
use crate::webhooks::{Settings, Webhooks};
use crate::xrpl::Roots;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// The ending of the file in which the daemon keeps the key that seals webhook secrets.
const KEY_FILE: &str = ".webhook-key";

/// Where the daemon keeps its own key, where it has to have one: beside the database's file.
pub(super) fn key_file(store: &Store) -> Option<PathBuf> {
    store.file().map(|database| beside(database, KEY_FILE))
}

/// What posts, to whom the configuration lets it.
pub(super) fn poster(config: &Config) -> Result<Poster, AppError> {
    let settings = &config.webhooks;
    let policy = Policy {
        plain: if settings.allow_http {
            Plain::Allowed
        } else {
            Plain::Refused
        },
        private: if settings.allow_private {
            Private::Allowed
        } else {
            Private::Refused
        },
    };
    let mut roots = Roots::Bundled.store().as_ref().clone();
    if let Some(path) = &settings.ca_file {
        let own = Roots::read(path).map_err(|error| AppError::Webhooks(error.to_string()))?;
        roots.extend(own.store().roots.iter().cloned());
    }
    Poster::new(Arc::new(SystemResolver), policy, roots, settings.timeout)
        .map_err(|error| AppError::Webhooks(format!("TLS cannot be set up: {error}")))
}

/// What the dispatcher and the API share.
pub(super) fn webhooks(
    config: &Config,
    store: &Store,
    ground: &Ground,
) -> Result<Webhooks, AppError> {
    let settings = &config.webhooks;
    Ok(Webhooks {
        poster: poster(config)?,
        sealer: sealer(config, store, ground)?.map(Arc::new),
        wake: Arc::new(Notify::new()),
        settings: Arc::new(Settings {
            schedule: Schedule::new(settings.retry_waits.clone()),
            timeout: settings.timeout,
            disable_after: settings.disable_after,
            keep_log: settings.keep_log,
            in_flight_per_endpoint: settings.in_flight_per_endpoint,
            in_flight: settings.in_flight_max,
        }),
        clock: Arc::clone(&ground.clock),
        entropy: Arc::clone(&ground.entropy),
    })
}

/// The key that was configured, or the daemon's own. A configured one that cannot be used stops the
/// start; without any there are no endpoints, and payments go on.
fn sealer(config: &Config, store: &Store, ground: &Ground) -> Result<Option<Sealer>, AppError> {
    if let Some(reference) = &config.webhooks.encryption_key {
        let bad = |why: String| AppError::Webhooks(format!("webhooks.encryption_key {why}"));
        let text = config::secrets::resolve(reference).map_err(|error| bad(error.to_string()))?;
        let sealer = Sealer::of_text(&text).map_err(|error| bad(error.to_string()))?;
        return Ok(Some(sealer));
    }
    let Some(file) = key_file(store) else {
        return Ok(None);
    };
    match Sealer::of_file(&file, ground.entropy.as_ref()) {
        Ok(sealer) => Ok(Some(sealer)),
        Err(error) => {
            tracing::error!(%error, "no webhook endpoint can be made or sent to");
            Ok(None)
        }
    }
}
