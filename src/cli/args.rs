//! Options that several commands share, and the reading of their values.

use super::failure::Failure;
use super::out;
use crate::config::{self, Config, LoadArgs, Loaded, Needs, duration};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// What a command uses that looks at the books alone.
pub(super) const BOOKS: &[&str] = &["network", "store"];
/// The same with a wallet's name.
pub(super) const BOOKS_AND_WALLETS: &[&str] = &["network", "store", "wallets"];
/// What a command uses that asks the running daemon.
pub(super) const DAEMON: &[&str] = &["http"];

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// A configuration file; may be given several times, later ones win.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The profile: development, sandbox, testnet, staging or production.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl ConfigArgs {
    /// What to load, the environment on top.
    pub(super) fn load_args(&self) -> LoadArgs {
        LoadArgs {
            profile: self.profile.clone(),
            files: self.files.clone(),
            env: true,
            ..LoadArgs::default()
        }
    }

    /// The files that are named.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Loads the configuration, and tells its warnings to whoever watches.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        config::load(self.load_args()).map_err(|errors| Failure::config(&errors))
    }

    /// Loads it where the command line names any.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn load_if_given(&self) -> Result<Option<Config>, Failure> {
        let is_given = !self.files.is_empty() || self.profile.is_some();
        match is_given {
            true => Ok(Some(self.load()?.config)),
            false => Ok(None),
        }
    }

    /// The same for a command that uses these sections only, and must not wait for the others: what is wrong
    /// there is told and done without.
    ///
    /// # Errors
    /// Everything that is wrong with it, where any of that concerns the command.
    pub(super) fn load_part(&self, sections: &'static [&'static str]) -> Result<Config, Failure> {
        let needs = Needs::Sections(sections);
        let args = LoadArgs {
            needs,
            ..self.load_args()
        };
        let loaded = config::load(args).map_err(|errors| Failure::config(&errors))?;
        if !loaded.elsewhere.is_empty() {
            out::note(
                "warning: the configuration has errors; no daemon starts with it, and this command does without what is wrong:",
            );
        }
        for problem in &loaded.elsewhere {
            out::note(&format!("  {problem}"));
        }
        Ok(loaded.config)
    }
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputArgs {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    /// Prints a result in the form that was asked for.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(super) fn print(self, human: &str, json: &serde_json::Value) -> Result<(), Failure> {
        if self.json {
            out::json(json)
        } else {
            out::line(human)
        }
    }

    /// Whether a program reads the result.
    pub(super) const fn is_json(self) -> bool {
        self.json
    }
}

/// Whether the configuration has a wallet of this name.
///
/// # Errors
/// It has not; those that it has are named.
pub(super) fn known_wallet(config: &Config, name: &str) -> Result<(), Failure> {
    if config.wallets.contains_key(name) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "There is no wallet {name} in the configuration: it has {}.",
        wallets_of(config)
    )))
}

/// The wallets of a configuration, as a sentence names them.
pub(super) fn wallets_of(config: &Config) -> String {
    let known: Vec<&str> = config.wallets.keys().map(String::as_str).collect();
    known.join(", ")
}

/// Reads a duration that is longer than nothing.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        longer => Ok(longer),
    }
}
