//! What this machine says: files, disks, bounds of the process.

use crate::config::{Config, Profile, SecretRef, secret_references, secrets};
use crate::preflight::host::{Build, HostFacts, Room, Secret};
use crate::store::Store;
use rustix::process::{Resource, geteuid, getrlimit};
use secrecy::ExposeSecret as _;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Others may read it.
const READ_BY_OTHERS: u32 = 0o077;
/// Others may change it.
const WRITTEN_BY_OTHERS: u32 = 0o022;
/// A folder in which each may only take away what is his, as `/tmp`.
const STICKY: u32 = 0o1000;
/// The file that is made to see whether one can be, and taken away again.
const PROBE: &str = ".xrpayd-preflight";

/// Looks at the machine; `files` are those that the configuration was read from.
pub(super) fn gather(config: &Config, files: &[PathBuf], build: Build) -> HostFacts {
    let secrets = secret_references(config).into_iter();
    let open = files.iter().filter_map(|path| changed_by_others(path));
    let http = &config.http;
    let connections = http
        .connections_max
        .saturating_add(usize::try_from(config.store.max_connections).unwrap_or(usize::MAX))
        .saturating_add(config.xrpl.servers.len());
    let database = database_folder(config);
    // Where it is not told, it is beside the file.
    let last_run = config.store.last_run_dir.as_ref().or(database.as_ref());
    HostFacts {
        profile: config.profile,
        build,
        secrets: secrets.map(|(key, kept)| (key, secret(kept))).collect(),
        seeds_in_environment: seeds(),
        open_files: (open.collect(), files.len()),
        disk: database.as_ref().map(|folder| {
            let room = room(folder);
            (folder.display().to_string(), room)
        }),
        last_run: last_run.map(|folder| {
            let can = can_write(folder).map_err(|error| error.to_string());
            (folder.display().to_string(), can)
        }),
        needs_last_run: config.profile == Profile::Production,
        files_max: getrlimit(Resource::Nofile).current,
        connections: u64::try_from(connections).unwrap_or(u64::MAX),
        core_max: getrlimit(Resource::Core).current,
        is_root: geteuid().is_root(),
    }
}

fn secret(reference: &SecretRef) -> Secret {
    match reference {
        SecretRef::Env(name) => Secret::InEnvironment(name.clone()),
        SecretRef::Vault { .. } | SecretRef::AwsSecretsManager(_) => Secret::Unknown(
            secrets::doubt(reference).unwrap_or_else(|| format!("{reference} cannot be asked")),
        ),
        SecretRef::File(path) => match std::fs::metadata(path) {
            Ok(metadata) => of_file(path, &metadata),
            Err(error) => Secret::Unknown(format!("{}: {error}", path.display())),
        },
    }
}

fn of_file(path: &Path, metadata: &Metadata) -> Secret {
    let (mode, shown) = (metadata.mode() & 0o7777, path.display());
    if mode & READ_BY_OTHERS != 0 {
        return Secret::Exposed(format!(
            "{shown} has mode {mode:04o}: others than its owner may use it"
        ));
    }
    if !is_own(metadata) {
        return Secret::Exposed(format!("{shown} is owned by user {}", metadata.uid()));
    }
    match path.parent().map(folder_is_open) {
        Some(Some(why)) => Secret::Exposed(format!("{shown}: {why}")),
        Some(None) | None => Secret::Kept(format!("{shown} has mode {mode:04o}")),
    }
}

/// Why somebody else could put another file in a file's place, where he could.
fn folder_is_open(folder: &Path) -> Option<String> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => return Some(format!("its folder cannot be looked at: {error}")),
    };
    let mode = metadata.mode();
    let is_open = mode & WRITTEN_BY_OTHERS != 0 && mode & STICKY == 0;
    is_open.then(|| format!("others may write to its folder {}", folder.display()))
}

/// Whether a file is this user's or root's.
fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() || metadata.uid() == 0
}

/// What is wrong with a file of the configuration, where something is.
fn changed_by_others(path: &Path) -> Option<String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.mode() & WRITTEN_BY_OTHERS != 0 => Some(format!(
            "{shown} has mode {:04o}: others may change it",
            metadata.mode() & 0o7777
        )),
        Ok(metadata) if !is_own(&metadata) => {
            Some(format!("{shown} is owned by user {}", metadata.uid()))
        }
        Ok(_) => None,
        Err(error) => Some(format!("{shown}: {error}")),
    }
}

/// The variables whose values decode as a seed, by their names alone.
fn seeds() -> Vec<String> {
    let variables = std::env::vars_os();
    let seeds = variables.filter(|(_, value)| {
        let text = value.to_str();
        text.is_some_and(secrets::looks_like_a_seed)
    });
    seeds
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect()
}

/// The folder of the database's file, where it is one.
fn database_folder(config: &Config) -> Option<PathBuf> {
    let url = config.store.url.resolve().ok()?;
    let path = Store::file_of(url.expose_secret()).ok()?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    Some(folder.unwrap_or_else(|| Path::new(".")).to_owned())
}

fn room(folder: &Path) -> Result<Room, String> {
    let told =
        rustix::fs::statvfs(folder.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    Ok(Room {
        free: told.f_bavail.saturating_mul(told.f_frsize),
        whole: told.f_blocks.saturating_mul(told.f_frsize),
    })
}

/// Makes a file of its own and takes it away again.
fn can_write(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!("{PROBE}-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LoadArgs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_kept_in_a_file_of_its_owners_in_a_folder_of_his() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        std::fs::write(&path, "x").unwrap();
        let of = |file: u32, around: u32| {
            let mode = std::fs::Permissions::from_mode;
            std::fs::set_permissions(&path, mode(file)).unwrap();
            std::fs::set_permissions(folder.path(), mode(around)).unwrap();
            secret(&SecretRef::File(path.clone()))
        };
        assert!(matches!(of(0o400, 0o700), Secret::Kept(_)));
        assert!(matches!(of(0o600, 0o1777), Secret::Kept(_)));
        for (file, around, word) in [
            (0o640, 0o700, "mode 0640"),
            (0o604, 0o700, "mode 0604"),
            (0o600, 0o777, "others may write to its folder"),
        ] {
            let found = of(file, around);
            assert!(
                matches!(&found, Secret::Exposed(why) if why.contains(word)),
                "{found:?}"
            );
        }
        let none = secret(&SecretRef::File(folder.path().join("none")));
        assert!(matches!(none, Secret::Unknown(_)));
    }

    /// What is seen where the database has this URL.
    fn seen(folder: &Path, profile: &str, url: &str) -> HostFacts {
        let file = folder.join("xrpayd.toml");
        let text = format!(
            "[store]\nurl = {url:?}\n[wallets.hot]\nseed = \"file:/nowhere/seed\"\n\
             address = \"rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc\"\n\
             [xrpl]\nquorum = 1\nservers = [{{ url = \"ws://127.0.0.1:1\", name = \"one\", operator = \"o\" }}]\n"
        );
        std::fs::write(&file, text).unwrap();
        let loaded = crate::config::load(LoadArgs {
            profile: Some(profile.to_owned()),
            files: vec![file],
            ..LoadArgs::default()
        });
        let build = Build {
            version: "1.0.0",
            commit: "0123456789ab",
            is_release: true,
            has_sandbox: false,
        };
        gather(&loaded.unwrap().config, &[], build)
    }

    #[test]
    fn what_was_signed_last_is_written_beside_a_file_or_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a b%?");
        let url = Store::url_of(&folder.join("xrpayd.db")).unwrap();
        let (named, missing) = seen(place.path(), "sandbox", &url).last_run.unwrap();
        assert_eq!(Path::new(&named), folder);
        assert!(missing.is_err(), "there is no such folder");
        std::fs::create_dir(&folder).unwrap();
        let (_, there) = seen(place.path(), "sandbox", &url).last_run.unwrap();
        assert_eq!(there, Ok(()));
        let elsewhere = seen(place.path(), "sandbox", "postgres://x@127.0.0.1/x");
        assert_eq!((elsewhere.last_run, elsewhere.disk), (None, None));
    }

    #[test]
    fn a_folder_is_known_for_writable_by_writing_to_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(can_write(folder.path()).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(can_write(&folder.path().join("none")).is_err());
        assert!(room(folder.path()).unwrap().whole > 0);
        assert!(room(&folder.path().join("none")).is_err());
    }
}
