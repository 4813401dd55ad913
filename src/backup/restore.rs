//! A backup put back as a database that a daemon may start on.
//!
//! Everything is done to a draft beside the place: it is opened, looked through, brought to this program's
//! schema, told that it was restored, and paused. Only then it gets the database's name, which nothing may
//! have. So a restore that is cut short leaves no database, and one that is there is as it should be.

use super::look::{Opening, held_against, unpack};
use super::manifest::Manifest;
use super::shelf;
use super::take::KIND;
use super::{BackupError, of_file, off_the_loop};
use crate::clock::Clock;
use crate::store::{Access, Actor, Store, StoreConfig, beside};
use std::path::{Path, PathBuf};
use xrpayd_core::pause::Scope;

/// What SQLite and the daemon keep beside a database. The record of what a machine signed last is not
/// among it: that stays, and is what tells that the database is older.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What a daemon locks.
const LOCK: &str = ".lock";

/// A database that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where it is.
    pub database: PathBuf,
    /// What is said of the backup.
    pub manifest: Manifest,
    /// How many wallets wait before they sign.
    pub wallets: u64,
}

/// Puts a backup back as the database `to`, paused.
///
/// # Errors
/// The backup is not whole, or there is something in the place; nothing was put there then.
pub async fn restore(
    from: &Path,
    to: &Path,
    opening: &Opening,
    actor: &Actor,
    clock: &dyn Clock,
) -> Result<Restored, BackupError> {
    let manifest = shelf::read_manifest(from)?;
    if manifest.kind != KIND {
        return Err(BackupError::NotOurs(manifest.kind));
    }
    opening.accepts(&manifest)?;
    let database = std::path::absolute(to).map_err(of_file(to))?;
    is_free(&database).await?;
    let folder = shelf::folder_of(&database).to_owned();
    if !folder.is_dir() {
        return Err(BackupError::NoFolder(folder));
    }
    let draft = unpack(from, &manifest, opening, &folder).await?;
    held_against(&draft.path, &manifest).await?;
    let told = tell(&draft.path, &manifest, actor, clock).await;
    let companions = COMPANIONS.map(|ending| beside(&draft.path, ending));
    let lock = beside(&draft.path, LOCK);
    let placing = database.clone();
    let wallets = off_the_loop(move || {
        // The lock was the draft's own, and no daemon ever takes it.
        let _ = std::fs::remove_file(lock);
        let wallets = told?;
        if let Some(left) = companions.into_iter().find(|path| path.exists()) {
            return Err(BackupError::Leftover(left));
        }
        std::fs::File::open(&draft.path)
            .and_then(|file| file.sync_all())
            .map_err(of_file(&draft.path))?;
        draft.place(&placing)?;
        shelf::sync_folder(shelf::folder_of(&placing))?;
        Ok(wallets)
    })
    .await?;
    Ok(Restored {
        database,
        manifest,
        wallets,
    })
}

/// Whether nothing is where the database is to be, and nobody uses what was there.
async fn is_free(database: &Path) -> Result<(), BackupError> {
    if database.exists() {
        return Err(BackupError::Exists(database.to_owned()));
    }
    for ending in COMPANIONS {
        let left = beside(database, ending);
        if left.exists() {
            return Err(BackupError::Leftover(left));
        }
    }
    if Store::is_locked(database).await? {
        return Err(BackupError::InUse(database.to_owned()));
    }
    Ok(())
}

/// Has the database know that it was restored, and begin nothing before a person has looked.
async fn tell(
    draft: &Path,
    manifest: &Manifest,
    actor: &Actor,
    clock: &dyn Clock,
) -> Result<u64, BackupError> {
    let settings = StoreConfig::new(Store::url_of(draft)?);
    let store = Store::open(&settings, Access::Daemon).await?;
    let told = mark(&store, &manifest.id, actor, clock).await;
    store.close().await;
    told
}

/// Says in a database that it was restored, and pauses its payments.
///
/// # Errors
/// No daemon has ever run on it, or it could not write.
pub async fn mark(
    store: &Store,
    id: &str,
    actor: &Actor,
    clock: &dyn Clock,
) -> Result<u64, BackupError> {
    let now = clock.now();
    let wallets = store.mark_restored(id, actor, now).await?;
    let reason = format!(
        "restored from {id}: see what is queued and what was called off since, then `xrpayd resume --scope payments`"
    );
    store
        .pause(&Scope::Payments, Some(&reason), actor, now)
        .await?;
    Ok(wallets)
}
