//! A backup that another tool took: measured, told of beside it, and written down in the database.

use super::manifest::{FORM, Manifest, Time, Verified};
use super::shelf;
use super::take::{Taken, Tools, row_of};
use super::{BackupError, of_file, off_the_loop};
use crate::clock::uuid_v7;
use crate::store::{Actor, Backup, Store};
use std::path::PathBuf;
use xrpayd_core::ids::UnixMs;

/// What is said of it.
#[derive(Debug, Clone)]
pub struct Register {
    /// How it was taken, such as `pg_dump`.
    pub kind: String,
    /// Its file, or where it lies where it is no single file.
    pub place: Lies,
    /// The moment that it shows.
    pub taken_at: UnixMs,
    /// By what it was found whole; none where nobody has looked.
    pub verified_by: Option<String>,
}

/// Where a backup lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lies {
    /// In this file, beside which a manifest is written.
    InFile(PathBuf),
    /// Somewhere that is named in words, such as the repository of a tool.
    Elsewhere(String),
}

/// Writes it down.
///
/// # Errors
/// The file cannot be read, there is a manifest already, or the database could not write.
pub async fn register(
    store: &Store,
    told: Register,
    actor: &Actor,
    tools: &Tools,
) -> Result<Backup, BackupError> {
    let now = tools.clock.now();
    let id = format!("bak_{:032x}", uuid_v7(now, tools.entropy.as_ref()));
    let ended_at = UnixMs(now.0.max(told.taken_at.0));
    let file = match told.place {
        Lies::Elsewhere(place) => {
            let backup = Backup {
                id,
                kind: told.kind,
                place,
                taken_at: told.taken_at,
                ended_at,
                verified_at: told.verified_by.map(|_| ended_at),
                file: None,
                by: actor.to_string(),
            };
            store.record_backup(&backup, actor).await?;
            return Ok(backup);
        }
        Lies::InFile(file) => std::path::absolute(&file).map_err(of_file(&file))?,
    };
    let measuring = file.clone();
    let (bytes, sha256) = off_the_loop(move || shelf::measure(&measuring)).await?;
    let manifest = Manifest {
        form: FORM,
        id,
        kind: told.kind,
        file: shelf::last_name(&file)?,
        taken_at: Time(told.taken_at),
        ended_at: Time(ended_at),
        verified: told.verified_by.map(|by| Verified {
            at: Time(ended_at),
            by,
        }),
        bytes,
        sha256,
        sealed: None,
        program: tools.program.to_owned(),
        books: None,
    };
    let taken = Taken { file, manifest };
    let placing = taken.clone();
    off_the_loop(move || {
        shelf::place_manifest(&placing.file, &placing.manifest)?;
        shelf::sync_folder(shelf::folder_of(&placing.file))
    })
    .await?;
    let backup = row_of(&taken, actor);
    store.record_backup(&backup, actor).await?;
    Ok(backup)
}
