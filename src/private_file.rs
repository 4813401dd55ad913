//! Files that hold a secret: readable by their owner alone, written whole or not at all.

use crate::clock::{Entropy as _, OsEntropy};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes a file that only its owner may read. It is durable, under its name, when this returns.
///
/// # Errors
/// The file system refuses; what stood under the name before still does.
pub fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let draft = draft_of(path, content)?;
    if let Err(error) = std::fs::rename(&draft, path) {
        std::fs::remove_file(&draft)?;
        return Err(error);
    }
    keep_name(path)
}

/// The same where nothing may stand under the name yet.
///
/// # Errors
/// Something does, or the file system refuses.
pub fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let draft = draft_of(path, content)?;
    // Of two who do this at once, one gets the name.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked?;
    keep_name(path)
}

/// The content in a new file beside `path`, of which nothing stays where it cannot be written whole.
fn draft_of(path: &Path, content: &[u8]) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A name that nobody knows before: a file that is there already might be another's to read.
    let mut random = [0; 8];
    OsEntropy::new()
        .map_err(std::io::Error::other)?
        .fill(&mut random);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.draft", hex::encode(random)));
    let draft = PathBuf::from(draft);
    let mut file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    match file.write_all(content).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(draft),
        Err(error) => {
            std::fs::remove_file(&draft)?;
            Err(error)
        }
    }
}

/// A name is durable once its folder is.
fn keep_name(path: &Path) -> std::io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_file_is_its_owners_alone_and_never_takes_anothers_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        write_new(&path, b"first").unwrap();
        let error = write_new(&path, b"second").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        write(&path, b"third").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"third");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
