//! Backups out of the configuration: what they are taken with, and those that the daemon takes by itself.
//!
//! When one is due is read from the database: the moment that the newest good one of its folder shows. So a restart takes
//! none too many, and a database that was restored is backed up at once. On failure the next try is some
//! minutes later, the gauge of the last one stands still, and payments go on.

use super::{AppError, build::Ground};
use crate::backup::seal::BackupKey;
use crate::backup::{self, BackupError, Place, Retention, Tools};
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config, SecretRef};
use crate::store::{Actor, Backup, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use xrpayd_core::ids::UnixMs;

/// How often it is looked whether one is due; never longer than half of what lies between two.
const LOOK: Duration = Duration::from_secs(60);
/// How long one that failed is not tried again; never longer than what lies between two.
const RETRY: Duration = Duration::from_secs(600);

/// How many of the newest are looked at for one of the daemon's own: people take fewer between two.
const LOOKED_AT: u32 = 100;

/// The key of a reference; without one that of the configuration.
///
/// # Errors
/// It cannot be had, or is no key.
pub fn key(
    given: Option<&SecretRef>,
    config: Option<&Config>,
) -> Result<Option<Arc<BackupKey>>, AppError> {
    let configured = config.and_then(|config| config.store.backups.key.as_ref());
    let Some(reference) = given.or(configured) else {
        return Ok(None);
    };
    let text = config::secrets::resolve(reference)
        .map_err(|error| AppError::Backups(format!("the key of backups, {reference}: {error}")))?;
    let key = BackupKey::of_text(&text).map_err(|error| AppError::Backups(error.to_string()))?;
    Ok(Some(Arc::new(key)))
}

/// What backups are taken with.
#[must_use]
pub fn tools(
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    key: Option<Arc<BackupKey>>,
) -> Tools {
    Tools {
        clock,
        entropy,
        key,
        program: concat!("xrpayd ", env!("CARGO_PKG_VERSION")),
    }
}

/// For how long the configuration keeps them.
#[must_use]
pub const fn retention(config: &Config) -> Retention {
    Retention {
        keep: config.store.backups.keep,
        keep_min: config.store.backups.keep_min,
    }
}

/// Takes away what is older than it is kept, off the loop.
///
/// # Errors
/// The folder cannot be read, or a file not be taken away.
pub async fn prune(
    folder: &Path,
    retention: Retention,
    now: UnixMs,
) -> Result<backup::Kept, BackupError> {
    let folder = folder.to_owned();
    backup::off_the_loop(move || backup::prune(&folder, retention, now)).await
}

/// Takes backups for as long as the daemon runs.
pub(super) struct Keeper {
    store: Store,
    folder: PathBuf,
    every: Duration,
    retention: Retention,
    tools: Tools,
}

impl Keeper {
    /// The keeper that a configuration asks for.
    ///
    /// # Errors
    /// What it asks for cannot be done: nobody should believe that there are backups then.
    pub(super) fn of(
        config: &Config,
        store: &Store,
        ground: &Ground,
    ) -> Result<Option<Self>, AppError> {
        let Some(folder) = &config.store.backups.dir else {
            return Ok(None);
        };
        if store.file().is_none() {
            let why = "store.backup_dir is for SQLite: PostgreSQL is backed up by its own tools";
            return Err(AppError::Backups(why.to_owned()));
        }
        let (clock, entropy) = (Arc::clone(&ground.clock), Arc::clone(&ground.entropy));
        Ok(Some(Self {
            store: store.clone(),
            folder: std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
            every: config.store.backups.every,
            retention: retention(config),
            tools: tools(clock, entropy, key(None, Some(config))?),
        }))
    }

    /// Takes one whenever one is due.
    pub(super) async fn keep(self) {
        let (look, retry) = (LOOK.min(self.every / 2), RETRY.min(self.every));
        loop {
            let next = match self.is_due().await {
                Ok(false) => look,
                Ok(true) => match self.take().await {
                    Ok(()) => look,
                    Err(error) => {
                        tracing::error!(%error, backup.folder = %self.folder.display(), "there is no new backup");
                        retry
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "whether a backup is due cannot be read");
                    look
                }
            };
            sleep(next).await;
        }
    }

    async fn is_due(&self) -> Result<bool, BackupError> {
        let now = self.tools.clock.now();
        let every_ms = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX);
        // One from a future that a clock once showed is none, nor is one that somebody took elsewhere.
        let is_ours = |backup: &Backup| {
            let is_here = Path::new(&backup.place).parent() == Some(self.folder.as_path());
            is_here && backup.verified_at.is_some()
        };
        let known = self.store.backups(LOOKED_AT).await?;
        let mut ages = known.iter().filter(|known| is_ours(known));
        Ok(!ages.any(|known| (0..every_ms).contains(&now.since_ms(known.taken_at))))
    }

    async fn take(&self) -> Result<(), BackupError> {
        let place = Place::Folder(self.folder.clone());
        let began = self.tools.clock.monotonic();
        let taken = backup::take(&self.store, &place, &Actor::Daemon, &self.tools).await?;
        let took = self.tools.clock.monotonic().saturating_sub(began);
        tracing::info!(
            backup.id = taken.manifest.id,
            backup.file = %taken.file.display(),
            backup.bytes = taken.manifest.bytes,
            backup.took_s = took.as_secs_f64(),
            "a backup was taken and found whole"
        );
        match prune(&self.folder, self.retention, self.tools.clock.now()).await {
            Ok(kept) if !kept.removed.is_empty() => tracing::info!(
                backup.removed = kept.removed.len(),
                backup.kept = kept.kept,
                "backups that were kept long enough are gone"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old backups could not be taken away"),
        }
        Ok(())
    }
}
