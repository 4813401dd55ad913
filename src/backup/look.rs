//! A backup looked through: whether it is the file that its manifest tells of, and holds what that says.

use super::draft::Draft;
use super::manifest::{self, Books, Manifest, Table};
use super::seal::{BackupKey, SealError};
use super::shelf::{self, Measured};
use super::take::KIND;
use super::{BackupError, of_file, off_the_loop};
use crate::store::{SnapshotError, Store};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found out about a backup that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What is said of it.
    pub manifest: Manifest,
    /// Whether the books in it were read, and not its bytes alone.
    pub is_read: bool,
}

/// With what backups are opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The key that they are sealed with, where they are.
    pub key: Option<Arc<BackupKey>>,
    /// What of those that lie in the clear although there is a key.
    pub unsealed: Unsealed,
}

/// Whether a backup is believed that lies in the clear although there is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsealed {
    /// No: nothing of it shows that who had the key took it.
    Refused,
    /// Yes, because a person says that it is of before there was a key.
    Accepted,
}

impl Opening {
    /// Whether a backup lies as it should.
    pub(super) fn accepts(&self, manifest: &Manifest) -> Result<(), BackupError> {
        match (&self.key, &manifest.sealed, self.unsealed) {
            (Some(_), None, Unsealed::Refused) => Err(BackupError::Unsealed),
            (None, _, _) | (_, Some(_), _) | (_, _, Unsealed::Accepted) => Ok(()),
        }
    }
}

/// Looks through a backup. One that is sealed is opened into a file of `scratch` that its owner alone may
/// read, and that is gone afterwards.
///
/// # Errors
/// What is wrong with it, or why nobody can tell.
pub async fn look(file: &Path, opening: &Opening, scratch: &Path) -> Result<Looked, BackupError> {
    let manifest = shelf::read_manifest(file)?;
    if manifest.kind != KIND {
        let (known, path) = (manifest.clone(), file.to_owned());
        off_the_loop(move || measured(&path, &known)).await?;
        let is_read = false;
        return Ok(Looked { manifest, is_read });
    }
    opening.accepts(&manifest)?;
    if manifest.sealed.is_some() {
        let draft = unpack(file, &manifest, opening, scratch).await?;
        held_against(&draft.path, &manifest).await?;
    } else {
        let (known, path) = (manifest.clone(), file.to_owned());
        off_the_loop(move || measured(&path, &known)).await?;
        held_against(file, &manifest).await?;
    }
    let is_read = true;
    Ok(Looked { manifest, is_read })
}

/// A backup in the clear, as a draft in `folder`; its bytes are those that the manifest tells of.
pub(super) async fn unpack(
    file: &Path,
    manifest: &Manifest,
    opening: &Opening,
    folder: &Path,
) -> Result<Draft, BackupError> {
    let (file, manifest) = (file.to_owned(), manifest.clone());
    let (key, folder) = (opening.key.clone(), folder.to_owned());
    off_the_loop(move || {
        let name = format!("{}.{}", manifest.file, manifest.id);
        let (draft, open) = Draft::make(&folder, &name)?;
        let mut from = Measured::new(File::open(&file).map_err(of_file(&file))?);
        let mut out = Measured::new(&open);
        let expected = match &manifest.sealed {
            None => {
                io::copy(&mut from, &mut out).map_err(of_file(&file))?;
                (manifest.bytes, manifest.sha256.clone())
            }
            Some(sealed) => {
                let key = key.ok_or(SealError::NoKey)?;
                key.open(&mut from, &mut out)?;
                (sealed.bytes, sealed.sha256.clone())
            }
        };
        open.sync_all().map_err(of_file(&draft.path))?;
        same(&from.end(), (manifest.bytes, &manifest.sha256))?;
        same(&out.end(), (expected.0, &expected.1))?;
        Ok(draft)
    })
    .await
}

fn measured(file: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let found = shelf::measure(file)?;
    same(&found, (manifest.bytes, &manifest.sha256))
}

fn same(found: &(u64, String), told: (u64, &str)) -> Result<(), BackupError> {
    let ((bytes, sha256), (told_bytes, told_sha256)) = (found, told);
    if *bytes != told_bytes {
        let why = format!("it has {bytes} bytes, and should have {told_bytes}");
        return Err(BackupError::Differs(why));
    }
    if sha256 != told_sha256 {
        let why = format!("its SHA-256 is {sha256}, and should be {told_sha256}");
        return Err(BackupError::Differs(why));
    }
    Ok(())
}

/// Holds the books of a copy against what its manifest says of them.
pub(super) async fn held_against(copy: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let found = read_books(copy).await?;
    match &manifest.books {
        Some(told) if *told != found => {
            let tables = manifest::tables_that_differ(&told.tables, &found.tables);
            let why = match tables.as_slice() {
                [] => "its books are another database's".to_owned(),
                some => format!("the tables {} are others", some.join(", ")),
            };
            Err(BackupError::Differs(why))
        }
        Some(_) => Ok(()),
        None => Err(BackupError::Differs(
            "it says nothing of its books".to_owned(),
        )),
    }
}

/// Reads all of a copy, as it lies there.
pub(super) async fn read_books(copy: &Path) -> Result<Books, BackupError> {
    let path: PathBuf = std::path::absolute(copy).map_err(of_file(copy))?;
    let store = Store::open_copy(&path).await?;
    let read = read(&store).await;
    store.close().await;
    read
}

async fn read(store: &Store) -> Result<Books, BackupError> {
    let schema = store.look_through().await?;
    let home = store.home().await?;
    let sums = store.sums(&mut |_, _| {}).await?;
    let head = store.audit_head().await?;
    let feed = store.feed_span().await?;
    if let Some(fault) = feed.fault() {
        return Err(SnapshotError::Damaged(format!("its feed is not in order: {fault}")).into());
    }
    Ok(Books {
        schema,
        profile: home.as_ref().map(|home| home.profile.clone()),
        network_id: home.map(|home| home.network_id),
        audit_head: head.map(|head| head.to_string()),
        feed: feed.drawn,
        tables: sums.iter().map(Table::of).collect(),
    })
}
