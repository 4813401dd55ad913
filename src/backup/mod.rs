//! Copies of the books that outlive the machine: taken while the daemon pays, looked at before they are
//! believed, kept for as long as was asked, and put back.
//!
//! Owns the files: a backup, and beside it a manifest that says what it is. Both appear under their names
//! whole or not at all, and never in the place of others. SQLite is copied by this room itself; what other
//! tools take of PostgreSQL is registered and kept by the same rules.
//!
//! On failure there is no new backup, the older ones stay, and what was begun is taken away; a process that
//! is killed leaves a draft that the next one in that folder takes away.

mod draft;
mod look;
pub mod manifest;
mod register;
mod restore;
pub mod seal;
mod shelf;
mod take;

pub use look::{Looked, Opening, Unsealed, look};
pub use register::{Lies, Register, register};
pub use restore::{Restored, mark, restore};
pub use shelf::{Kept, Retention, prune};
pub use take::{Place, Taken, Tools, take};

use crate::store::{SnapshotError, StoreError};
use std::path::{Path, PathBuf};

/// Why there is no backup, or none to be believed, or nothing was put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database could not be copied, or the copy is not to be believed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A database did not do what it was asked to.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] seal::SealError),
    /// A file or a folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is something under the name already.
    #[error("{} exists already, and nothing is ever written over it", .0.display())]
    Exists(PathBuf),
    /// There is no manifest, or none of this program.
    #[error("{} is no manifest: without it nobody can tell whether the backup is whole", .0.display())]
    NoManifest(PathBuf),
    /// The manifest names another file.
    #[error(
        "{} is the manifest of {of:?} and not of the file beside it: give both the names that they had",
        path.display()
    )]
    OfAnotherFile {
        /// The manifest.
        path: PathBuf,
        /// The file that it names.
        of: String,
    },
    /// It lies in the clear although there is a key.
    #[error(
        "the backup lies in the clear and there is a key of backups: whoever can write to its folder could \
         have put it there. If it is of before the key was set, say --accept-unsealed"
    )]
    Unsealed,
    /// The file is not the one that the manifest tells of.
    #[error("the backup is not the file that its manifest tells of: {0}")]
    Differs(String),
    /// The file is not one that this program can look into.
    #[error("a backup of the kind {0} is looked into and put back by the tools that took it")]
    NotOurs(String),
    /// The place to which it is to be put back is in no folder that there is.
    #[error("the folder {} is not there: make it first", .0.display())]
    NoFolder(PathBuf),
    /// Somebody uses the place to which it is to be put back.
    #[error("a daemon runs on {}: stop it first", .0.display())]
    InUse(PathBuf),
    /// What is beside the place would be taken for a part of what is put there.
    #[error(
        "{} is left of another database: move it away, or SQLite takes it for a part of the restored one",
        .0.display()
    )]
    Leftover(PathBuf),
    /// The manifest cannot be written.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// An error of a file with its name.
fn of_file(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

/// Does what a disk may take its time for, while everybody else goes on.
pub(crate) async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The process is ending.
        Err(_) => Err(BackupError::Store(StoreError::Closed)),
    }
}
