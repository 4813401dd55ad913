//! The commands of `xrpayd store` that are about backups.

mod mark;
mod prune;
mod record;
mod restore;
mod take;
mod verify;

use super::failure::Failure;
use crate::app;
use crate::backup::seal::BackupKey;
use crate::backup::{Opening, Retention, Tools, Unsealed};
use crate::clock::{OsEntropy, SystemClock};
use crate::config::{Config, SecretRef};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Back an SQLite database up while the daemon runs on it, and see that the copy is whole.
    Backup(take::Take),
    /// See that a backup is whole: its bytes, the database in it, and every table.
    VerifyBackup(verify::Verify),
    /// Write down that another tool has taken a backup, such as pg_dump or pgBackRest.
    RecordBackup(record::Record),
    /// Take away the backups of a folder that are older than they are kept.
    PruneBackups(prune::Prune),
    /// Put a backup of an SQLite database back, paused.
    Restore(restore::Restore),
    /// Tell a database that it was restored by other tools, before a daemon starts on it.
    MarkRestored(mark::Mark),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Backup(command) => command.run().await,
            Self::VerifyBackup(command) => command.run().await,
            Self::RecordBackup(command) => command.run().await,
            Self::PruneBackups(command) => command.run().await,
            Self::Restore(command) => command.run().await,
            Self::MarkRestored(command) => command.run().await,
        }
    }
}

/// With what backups are sealed.
#[derive(Debug, Args)]
struct KeyArgs {
    /// The key that the backup is sealed with, such as file:/run/secrets/backup_key. Without it:
    /// store.backup_key of the configuration.
    #[arg(long, value_name = "REFERENCE", value_parser = SecretParser)]
    key: Option<SecretRef>,
}

impl KeyArgs {
    fn resolve(&self, config: Option<&Config>) -> Result<Option<Arc<BackupKey>>, Failure> {
        app::backup::key(self.key.as_ref(), config)
            .map_err(|error| Failure::because("The key cannot be had.", error))
    }
}

/// With what backups are opened.
#[derive(Debug, Args)]
struct OpeningArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// Believe a backup that lies in the clear although there is a key: one of before the key was set. Without
    /// this it is refused, because whoever can write to its folder could have put it there.
    #[arg(long)]
    accept_unsealed: bool,
}

impl OpeningArgs {
    fn resolve(&self, config: Option<&Config>) -> Result<Opening, Failure> {
        let unsealed = match self.accept_unsealed {
            true => Unsealed::Accepted,
            false => Unsealed::Refused,
        };
        let key = self.key.resolve(config)?;
        Ok(Opening { key, unsealed })
    }
}

/// For how long backups are kept.
#[derive(Debug, Args)]
struct KeepArgs {
    /// How old a backup has to be before it is taken away, such as 30d.
    #[arg(long, value_name = "AGE", value_parser = super::args::some_duration)]
    keep: Option<Duration>,
    /// How many younger ones that were found whole have to stay for that.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), requires = "keep")]
    keep_min: Option<u32>,
}

/// How many stay where nobody says.
const KEEP_MIN: u32 = 7;

impl KeepArgs {
    fn retention(&self) -> Option<Retention> {
        self.keep.map(|keep| Retention {
            keep,
            keep_min: self.keep_min.unwrap_or(KEEP_MIN),
        })
    }
}

/// What the commands work with.
fn tools(key: Option<Arc<BackupKey>>) -> Result<Tools, Failure> {
    let entropy =
        OsEntropy::new().map_err(|error| Failure::because("The machine has no entropy.", error))?;
    let clock = Arc::new(SystemClock::new());
    Ok(app::backup::tools(clock, Arc::new(entropy), key))
}

/// Reads a reference to a secret. What cannot be read is never shown: it may be the secret.
#[derive(Debug, Clone, Copy)]
struct SecretParser;

impl TypedValueParser for SecretParser {
    type Value = SecretRef;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<SecretRef, clap::Error> {
        value.to_string_lossy().parse().map_err(|phrase| {
            let name = argument.map_or_else(|| "the key".to_owned(), ToString::to_string);
            let sentence = format!("{name} {phrase}\n");
            clap::Error::raw(ErrorKind::ValueValidation, sentence).with_cmd(command)
        })
    }
}
