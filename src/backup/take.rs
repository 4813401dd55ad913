//! One backup of an SQLite database, from its first byte to its name.

use super::draft::Draft;
use super::manifest::{self, FORM, Manifest, Sealed, Table, Time, Verified};
use super::seal::BackupKey;
use super::shelf::{self, Measured};
use super::{BackupError, look, of_file, off_the_loop};
use crate::clock::{Clock, Entropy, uuid_v7};
use crate::store::{Actor, Backup, SnapshotError, Store};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use xrpayd_core::ids::UnixMs;

/// What this room calls its own backups.
pub(super) const KIND: &str = "sqlite";
/// What is said of one that was looked through.
const LOOKED: &str =
    "opened: integrity, references, and every table of the books as the database held it";
/// The cipher, as manifests name it.
const CIPHER: &str = "chacha20-poly1305 in pieces of 64 KiB, hkdf-sha256";

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into a folder, under a name of its own.
    Folder(PathBuf),
    /// Under this name.
    File(PathBuf),
}

/// What a backup is taken with.
#[derive(Clone)]
pub struct Tools {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where identifiers and salts come from.
    pub entropy: Arc<dyn Entropy>,
    /// What it is sealed with.
    pub key: Option<Arc<BackupKey>>,
    /// The program and its version, as manifests name it.
    pub program: &'static str,
}

/// A backup that lies under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Where.
    pub file: PathBuf,
    /// What is said of it.
    pub manifest: Manifest,
}

/// Takes a backup of a database that may be in use, looks through it, and writes it down in the database.
///
/// # Errors
/// There is none then, or it is there and could not be written down, which the error says.
pub async fn take(
    store: &Store,
    place: &Place,
    actor: &Actor,
    tools: &Tools,
) -> Result<Taken, BackupError> {
    let database = store.file().ok_or(SnapshotError::NotAFile)?.to_owned();
    let began = tools.clock.now();
    let id = format!("bak_{:032x}", uuid_v7(began, tools.entropy.as_ref()));
    let file = named(place, &id, began, tools.key.is_some())?;
    let name = shelf::last_name(&file)?;
    let folder = shelf::folder_of(&file).to_owned();
    // What is to be sealed never lies in the clear where backups do.
    let workshop = match tools.key {
        None => folder.clone(),
        Some(_) => shelf::folder_of(&database).to_owned(),
    };
    let (draft, open) = Draft::make(&workshop, &format!("{name}.copy"))?;
    let held = store.copy_into(&draft.path, &mut |_, _| {}).await?;
    let taken_at = began;
    let draft = off_the_loop(move || {
        open.sync_all().map_err(of_file(&draft.path))?;
        Ok(draft)
    })
    .await?;
    let books = look::read_books(&draft.path).await?;
    let held: Vec<Table> = held.iter().map(Table::of).collect();
    let differ = manifest::tables_that_differ(&held, &books.tables);
    if !differ.is_empty() {
        return Err(SnapshotError::Differs(differ.join(", ")).into());
    }
    let (draft, sealed, bytes, sha256) = wrap(draft, (folder, name.clone()), tools).await?;
    let now = tools.clock.now();
    let ended_at = UnixMs(now.0.max(taken_at.0));
    let manifest = Manifest {
        form: FORM,
        id: id.clone(),
        kind: KIND.to_owned(),
        file: name,
        taken_at: Time(taken_at),
        ended_at: Time(ended_at),
        verified: Some(Verified {
            at: Time(ended_at),
            by: LOOKED.to_owned(),
        }),
        bytes,
        sha256,
        sealed,
        program: tools.program.to_owned(),
        books: Some(books),
    };
    let taken = Taken { file, manifest };
    let placing = taken.clone();
    off_the_loop(move || shelf::place(draft, &placing.file, &placing.manifest)).await?;
    store.record_backup(&row_of(&taken, actor), actor).await?;
    Ok(taken)
}

/// The full name of the file that a backup is to become.
fn named(place: &Place, id: &str, at: UnixMs, is_sealed: bool) -> Result<PathBuf, BackupError> {
    let file = match place {
        Place::File(file) => file.clone(),
        Place::Folder(folder) => {
            let ending = if is_sealed { ".db.sealed" } else { ".db" };
            folder.join(shelf::name_of(id, at, ending))
        }
    };
    if file.exists() {
        return Err(BackupError::Exists(file));
    }
    std::path::absolute(&file).map_err(of_file(&file))
}

/// What the row of a backup says.
pub(super) fn row_of(taken: &Taken, actor: &Actor) -> Backup {
    let manifest = &taken.manifest;
    let hash = hex::decode(&manifest.sha256).ok();
    let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
    Backup {
        id: manifest.id.clone(),
        kind: manifest.kind.clone(),
        place: taken.file.display().to_string(),
        taken_at: manifest.taken_at.0,
        ended_at: manifest.ended_at.0,
        verified_at: manifest.verified.as_ref().map(|verified| verified.at.0),
        file: hash.map(|hash| (manifest.bytes, hash)),
        by: actor.to_string(),
    }
}

/// The file as it is kept: as it is, or sealed into another one. With what it is sealed, its length and hash.
async fn wrap(
    draft: Draft,
    (folder, name): (PathBuf, String),
    tools: &Tools,
) -> Result<(Draft, Option<Sealed>, u64, String), BackupError> {
    let (key, entropy) = (tools.key.clone(), Arc::clone(&tools.entropy));
    off_the_loop(move || {
        let Some(key) = key else {
            let (bytes, sha256) = shelf::measure(&draft.path)?;
            return Ok((draft, None, bytes, sha256));
        };
        let (kept, open) = Draft::make(&folder, &name)?;
        let plain = File::open(&draft.path).map_err(of_file(&draft.path))?;
        let (mut plain, mut out) = (Measured::new(plain), Measured::new(&open));
        key.seal(&mut plain, &mut out, entropy.as_ref())?;
        open.sync_all().map_err(of_file(&kept.path))?;
        let ((plain_bytes, plain_sha256), (bytes, sha256)) = (plain.end(), out.end());
        // What cannot be opened again is no backup.
        let mut back = Measured::new(io::sink());
        let mut sealed = File::open(&kept.path).map_err(of_file(&kept.path))?;
        key.open(&mut sealed, &mut back)?;
        if back.end() != (plain_bytes, plain_sha256.clone()) {
            return Err(super::seal::SealError::DoesNotOpen.into());
        }
        let sealed = Sealed {
            with: CIPHER.to_owned(),
            key: key.mark(),
            bytes: plain_bytes,
            sha256: plain_sha256,
        };
        Ok((kept, Some(sealed), bytes, sha256))
    })
    .await
}
