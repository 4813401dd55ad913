//! The folder of backups: how its files are called, how they come under their names, and which of them go.
//!
//! A backup goes for its age alone, and only while enough younger ones that were found whole stay; so
//! nothing goes where backups have stopped coming, and a clock that is wrong cannot empty the folder.

use super::draft::{self, Draft, Hold};
use super::manifest::{Manifest, Time};
use super::{BackupError, of_file};
use crate::rfc3339::Rfc3339;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// What the name of a manifest adds to that of its backup.
const MANIFEST: &str = ".json";
/// What the names of drafts end with that other tools write here, and that older versions wrote.
const FOREIGN_DRAFT: &str = ".partial";
/// A draft that nobody has written to for so long is left of a process that was killed, where no lock tells.
const DRAFT_AGE_MS: i64 = 86_400_000;

/// For how long backups are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How old one has to be before it may go.
    pub keep: Duration,
    /// How many younger ones that were found whole have to stay; one at least.
    pub keep_min: u32,
}

/// What became of a folder's backups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Those that went.
    pub removed: Vec<PathBuf>,
    /// How many stay.
    pub kept: usize,
    /// How many of those were found whole.
    pub good: usize,
}

/// The name of a backup, by the moment that it shows; names sort by that.
pub(super) fn name_of(id: &str, at: UnixMs, ending: &str) -> String {
    let time = Rfc3339(at).to_string();
    let time = time.split('.').next().unwrap_or_default();
    let time: String = time.chars().filter(|c| !"-:".contains(*c)).collect();
    // Two of one second are told apart by what was drawn for them.
    let drawn = id.get(id.len().saturating_sub(6)..).unwrap_or_default();
    format!("xrpayd-{time}Z-{drawn}{ending}")
}

/// Where the manifest of a backup is.
pub(super) fn manifest_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(MANIFEST);
    PathBuf::from(name)
}

/// The last part of a file's name.
pub(super) fn last_name(file: &Path) -> Result<String, BackupError> {
    let name = file.file_name().and_then(|name| name.to_str());
    let none = || io::Error::new(ErrorKind::InvalidInput, "names no file");
    name.map(str::to_owned)
        .ok_or_else(none)
        .map_err(of_file(file))
}

/// Reads the manifest of a backup, which has to be this file's own: what it says of names is used for some,
/// and whoever can write to the folder can write another one.
pub(super) fn read_manifest(file: &Path) -> Result<Manifest, BackupError> {
    let path = manifest_of(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BackupError::NoManifest(path));
        }
        Err(error) => return Err(of_file(&path)(error)),
    };
    let Some(manifest) = Manifest::parse(&text) else {
        return Err(BackupError::NoManifest(path));
    };
    if manifest.file != last_name(file)? {
        let of = manifest.file;
        return Err(BackupError::OfAnotherFile { path, of });
    }
    Ok(manifest)
}

/// Gives a backup and its manifest their names, so that they outlive the machine's power. The manifest
/// comes first: one without its backup says by itself that something is missing.
pub(super) fn place(draft: Draft, file: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let folder = folder_of(file);
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let beside = place_manifest(file, manifest)?;
    if let Err(error) = draft.place(file) {
        // It tells of nothing.
        let _ = std::fs::remove_file(&beside);
        return Err(error);
    }
    sync_folder(folder)
}

/// Writes the manifest of a backup under its name, which nothing may have.
pub(super) fn place_manifest(file: &Path, manifest: &Manifest) -> Result<PathBuf, BackupError> {
    let path = manifest_of(file);
    let name = format!("{}{MANIFEST}", manifest.file);
    let (draft, mut open) = Draft::make(folder_of(file), &name)?;
    let written = open
        .write_all(manifest.text()?.as_bytes())
        .and_then(|()| open.sync_all());
    written.map_err(of_file(&draft.path))?;
    draft.place(&path)?;
    Ok(path)
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(of_file(folder))
}

/// How long a file is, and its SHA-256.
pub(super) fn measure(file: &Path) -> Result<(u64, String), BackupError> {
    let open = File::open(file);
    let mut sink = Measured::new(io::sink());
    open.and_then(|mut open| io::copy(&mut open, &mut sink))
        .map_err(of_file(file))?;
    Ok(sink.end())
}

/// What is written or read passes through it, and is counted and hashed.
pub(super) struct Measured<T> {
    inner: T,
    digest: Sha256,
    bytes: u64,
}

impl<T> Measured<T> {
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
    }

    /// How much it was, and its SHA-256.
    pub fn end(self) -> (u64, String) {
        (self.bytes, hex::encode(self.digest.finalize()))
    }
}

impl<T: Write> Write for Measured<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.saw(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Measured<T> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(room)?;
        self.saw(room.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Takes away the backups of a folder that are older than they are kept, and what processes that were
/// killed have left. Files that no manifest tells of are nobody's, and stay.
///
/// # Errors
/// The folder cannot be read, or a file cannot be taken away.
pub fn prune(folder: &Path, retention: Retention, now: UnixMs) -> Result<Kept, BackupError> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(of_file(folder))? {
        let path = entry.map_err(of_file(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if draft::is_one(name) {
            match draft::hold_of(&path) {
                Hold::Held => {}
                Hold::Left => draft::remove(&path).map_err(of_file(&path))?,
                Hold::Unknown => sweep(&path, now)?,
            }
        } else if name.starts_with('.') && name.ends_with(FOREIGN_DRAFT) {
            sweep(&path, now)?;
        } else if let Some(backup) = name.strip_suffix(MANIFEST) {
            let backup = folder.join(backup);
            // What is no manifest is some other file.
            if let Ok(manifest) = read_manifest(&backup) {
                all.push((backup, manifest));
            }
        }
    }
    all.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.taken_at));
    let age_ms = i64::try_from(retention.keep.as_millis()).unwrap_or(i64::MAX);
    let oldest = Time(UnixMs(now.0.saturating_sub(age_ms)));
    let enough = usize::try_from(retention.keep_min)
        .unwrap_or(usize::MAX)
        .max(1);
    let mut done = Kept::default();
    for (backup, manifest) in all {
        let is_there = std::fs::metadata(&backup).is_ok_and(|known| known.len() == manifest.bytes);
        if manifest.taken_at < oldest && done.good >= enough {
            remove(&backup)?;
            remove(&manifest_of(&backup))?;
            done.removed.push(backup);
            continue;
        }
        done.kept = done.kept.saturating_add(1);
        if is_there && manifest.verified.is_some() {
            done.good = done.good.saturating_add(1);
        }
    }
    Ok(done)
}

/// Takes away a draft that nobody has written to for a day.
fn sweep(draft: &Path, now: UnixMs) -> Result<(), BackupError> {
    let changed = std::fs::metadata(draft).and_then(|known| known.modified());
    let Ok(changed) = changed else {
        return Ok(());
    };
    let since_epoch = changed.duration_since(std::time::UNIX_EPOCH);
    let changed_ms = since_epoch.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    if now.0.saturating_sub(changed_ms) > DRAFT_AGE_MS {
        remove(draft)?;
    }
    Ok(())
}

/// Removes a file, unless it is gone.
fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(of_file(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{FORM, Verified};
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const NOW: UnixMs = UnixMs(1_800_000_000_000);
    const KEPT: Retention = Retention {
        keep: Duration::from_secs(30 * 86_400),
        keep_min: 3,
    };

    /// A backup of so many days ago.
    fn put(folder: &Path, days: i64, is_good: bool) -> PathBuf {
        let at = UnixMs(NOW.0 - days * DAY_MS);
        let id = format!("bak_{days:06}");
        let file = folder.join(name_of(&id, at, ".db"));
        std::fs::write(&file, b"books").unwrap();
        let manifest = Manifest {
            form: FORM,
            id,
            kind: "sqlite".to_owned(),
            file: file.file_name().unwrap().to_str().unwrap().to_owned(),
            taken_at: Time(at),
            ended_at: Time(at),
            verified: is_good.then(|| Verified {
                at: Time(at),
                by: "a test".to_owned(),
            }),
            bytes: 5,
            sha256: String::new(),
            sealed: None,
            program: "a test".to_owned(),
            books: None,
        };
        place_manifest(&file, &manifest).unwrap();
        file
    }

    #[test]
    fn what_is_older_than_it_is_kept_goes_once_enough_younger_ones_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let put = |days, is_good| put(folder.path(), days, is_good);
        let young = [put(1, true), put(2, false), put(20, true), put(30, true)];
        let old = [put(31, true), put(400, false)];
        let foreign = folder.path().join("somebody-elses.db");
        std::fs::write(&foreign, b"").unwrap();
        let done = prune(folder.path(), KEPT, NOW).unwrap();
        assert_eq!(done.removed, old);
        assert_eq!((done.kept, done.good), (4, 3));
        for file in young.iter().chain([&foreign]) {
            assert!(file.exists(), "{}", file.display());
        }
        assert!(
            old.iter()
                .all(|file| !file.exists() && !manifest_of(file).exists())
        );
        assert_eq!(
            prune(folder.path(), KEPT, NOW).unwrap().removed,
            Vec::<PathBuf>::new()
        );
    }

    #[test]
    fn where_backups_have_stopped_coming_or_a_clock_is_wrong_the_last_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let put = |days, is_good| put(folder.path(), days, is_good);
        // The newest three that are whole, and what nobody has looked at since.
        let stay = [
            put(100, false),
            put(101, true),
            put(102, true),
            put(103, false),
            put(104, true),
        ];
        let go = [put(105, true), put(106, true)];
        let far = UnixMs(NOW.0 + 10_000 * DAY_MS);
        let done = prune(folder.path(), KEPT, far).unwrap();
        assert_eq!(done.removed, go);
        assert!(stay.iter().all(|file| file.exists()));
        // One whose file is gone or was cut short does not count for a good one.
        std::fs::write(&stay[1], b"").unwrap();
        let one = Retention {
            keep_min: 1,
            ..KEPT
        };
        assert_eq!(
            prune(folder.path(), one, far).unwrap().removed,
            [stay[3].clone(), stay[4].clone()]
        );
        let none = Retention {
            keep_min: 0,
            ..KEPT
        };
        assert_eq!(
            prune(folder.path(), none, far).unwrap().removed,
            Vec::<PathBuf>::new()
        );
        assert!(stay[2].exists(), "the last that is good never goes");
    }

    #[test]
    fn what_is_being_written_stays_and_what_was_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (written, _) = Draft::make(folder.path(), "one").unwrap();
        let left = folder.path().join(".two.xrpayd-draft");
        let foreign = folder.path().join(".three.dump.partial");
        for path in [&left, &foreign] {
            std::fs::write(path, b"books").unwrap();
        }
        prune(folder.path(), KEPT, UnixMs(0)).unwrap();
        assert!(!left.exists());
        assert!(foreign.exists(), "it may still be written to");
        prune(folder.path(), KEPT, UnixMs(i64::MAX)).unwrap();
        assert!(!foreign.exists());
        assert!(written.path.exists());
    }

    #[test]
    fn a_manifest_of_another_file_or_with_a_way_out_of_the_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = put(folder.path(), 1, true);
        let text = std::fs::read_to_string(manifest_of(&file)).unwrap();
        let name = last_name(&file).unwrap();
        for other in ["other.db", "../other.db", "/etc/passwd", ""] {
            let planted = text.replace(&format!("{name:?}"), &format!("{other:?}"));
            assert_ne!(planted, text);
            std::fs::write(manifest_of(&file), planted).unwrap();
            let read = read_manifest(&file);
            assert!(
                matches!(&read, Err(BackupError::OfAnotherFile { of, .. }) if of == other),
                "{read:?}"
            );
        }
        for id in ["bak_../../x", "bak_\\n", ""] {
            let planted = text.replace("bak_000001", id);
            assert_ne!(planted, text);
            std::fs::write(manifest_of(&file), planted).unwrap();
            assert!(
                matches!(read_manifest(&file), Err(BackupError::NoManifest(_))),
                "{id}"
            );
        }
    }
}
