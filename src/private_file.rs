//! Files that hold a secret: readable by their owner alone, written whole or not at all.

use std::io::Write as _;
use std::path::Path;

/// Writes a file that only its owner may read. It is durable, under its name, when this returns.
///
/// # Errors
/// The file system refuses; what stood under the name before still does.
pub fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    // A name is durable once its folder is.
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
