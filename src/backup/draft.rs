//! Files that are being written, some of them in the clear: nobody takes one for a backup, and none outlives
//! who writes it.
//!
//! Whoever writes a draft holds a lock on it, of which the operating system lets go when he dies. So a draft
//! that nobody holds is left of a process that was killed; whoever makes the next one in that folder takes it
//! away first, and never one that is being written. Where a file system has no locks nothing tells them
//! apart, and only [`super::prune`] takes one away, for its age.

use super::{BackupError, of_file};
use crate::store::beside;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What the name of a draft ends with.
const ENDING: &str = ".xrpayd-draft";
/// What SQLite and the store keep beside a draft that is opened as a database.
const COMPANIONS: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];
/// A draft is taken away by somebody else between its making and its locking; twice in a row is chance.
const MAKE_TRIES_MAX: u32 = 5;

/// A file that its owner alone may read, under a name that nothing has, which is gone again unless it is
/// placed.
#[derive(Debug)]
pub(super) struct Draft {
    pub path: PathBuf,
    /// Keeps others from taking it away.
    _held: File,
}

/// Whether somebody writes a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Somebody does.
    Held,
    /// Who did was killed.
    Left,
    /// Nothing tells.
    Unknown,
}

impl Draft {
    /// Makes an empty one, for a file of this name, after those that were left in the folder are gone.
    pub fn make(folder: &Path, name: &str) -> Result<(Self, File), BackupError> {
        sweep(folder);
        let path = folder.join(format!(".{name}{ENDING}"));
        for _ in 0..MAKE_TRIES_MAX {
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            let file = match made {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Err(BackupError::Exists(path));
                }
                Err(error) => return Err(of_file(&path)(error)),
            };
            // Where there are no locks nobody sweeps either.
            let _ = file.lock();
            let known = file.metadata().map_err(of_file(&path))?;
            if known.nlink() > 0 {
                let open = file.try_clone().map_err(of_file(&path))?;
                return Ok((Self { path, _held: file }, open));
            }
        }
        Err(of_file(&path)(ErrorKind::Interrupted.into()))
    }

    /// Gives it its name, which nothing else may have.
    pub fn place(self, path: &Path) -> Result<(), BackupError> {
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(BackupError::Exists(path.to_owned()))
            }
            Err(error) => Err(of_file(path)(error)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What stays behind is swept up by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a file of this name is a draft.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(ENDING)
}

/// Whether somebody writes a draft.
pub(super) fn hold_of(draft: &Path) -> Hold {
    // One that has its name already was placed, and is the database itself: to open and close that would
    // take the locks away that SQLite has on it in this process.
    match std::fs::symlink_metadata(draft) {
        Ok(known) if known.is_file() && known.nlink() > 1 => return Hold::Left,
        _ => {}
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(open) = rustix::fs::open(draft, flags, Mode::empty()) else {
        return Hold::Unknown;
    };
    let file = File::from(open);
    if !file.metadata().is_ok_and(|known| known.is_file()) {
        return Hold::Unknown;
    }
    match file.try_lock() {
        Ok(()) => Hold::Left,
        Err(TryLockError::WouldBlock) => Hold::Held,
        Err(TryLockError::Error(_)) => Hold::Unknown,
    }
}

/// Removes a draft with what is beside it, itself last, so that a removal that is cut short is made up for.
pub(super) fn remove(draft: &Path) -> io::Result<()> {
    let companions = COMPANIONS.map(|ending| beside(draft, ending));
    for path in companions.iter().map(PathBuf::as_path).chain([draft]) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Takes away what was left in a folder. What cannot be taken away is told, and stops nobody.
fn sweep(folder: &Path) {
    // A folder that is not there stops whoever makes a file in it.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_draft = entry.file_name().to_str().is_some_and(is_one);
        let path = entry.path();
        if is_draft
            && hold_of(&path) == Hold::Left
            && let Err(error) = remove(&path)
        {
            tracing::warn!(%error, backup.file = %path.display(), "a draft of a backup that was cut short stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_gone_unless_it_is_placed_and_takes_nobodys_place() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, _) = Draft::make(folder.path(), "one").unwrap();
        let path = draft.path.clone();
        assert!(
            Draft::make(folder.path(), "one").is_err(),
            "two do not write one draft"
        );
        drop(draft);
        assert!(!path.exists());
        let (draft, _) = Draft::make(folder.path(), "one").unwrap();
        draft.place(&folder.path().join("one")).unwrap();
        assert!(!path.exists());
        let (draft, _) = Draft::make(folder.path(), "one").unwrap();
        let taken = draft.place(&folder.path().join("one"));
        assert!(matches!(taken, Err(BackupError::Exists(_))));
    }

    #[test]
    fn what_was_left_is_gone_with_the_next_draft_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (written, _) = Draft::make(folder.path(), "written").unwrap();
        std::fs::write(beside(&written.path, "-wal"), b"books").unwrap();
        // As a process leaves it that was killed: nobody holds it.
        for name in ["", "-wal", "-shm", ".lock"] {
            std::fs::write(file(&format!(".killed{ENDING}{name}")), b"books").unwrap();
        }
        std::fs::write(file("somebody-elses"), b"").unwrap();
        std::os::unix::fs::symlink(file("somebody-elses"), file(&format!(".link{ENDING}")))
            .unwrap();
        let (next, _) = Draft::make(folder.path(), "next").unwrap();
        let found = std::fs::read_dir(folder.path()).unwrap();
        let mut found: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let name = |name: &str| format!(".{name}{ENDING}");
        let wanted = [
            name("link"),
            name("next"),
            name("written"),
            name("written") + "-wal",
            "somebody-elses".to_owned(),
        ];
        assert_eq!(found, wanted);
        assert_eq!(hold_of(&next.path), Hold::Held);
        // What has its place already is not even opened.
        std::fs::hard_link(&next.path, file("placed")).unwrap();
        assert_eq!(hold_of(&next.path), Hold::Left);
        drop(next);
    }
}
