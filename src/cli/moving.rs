//! `xrpayd store`: the books go from one database to another, and come back; and their backups.

mod copy;
mod release;

use super::backups;
use super::failure::Failure;
use crate::config::StoreUrl;
use clap::Subcommand;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use std::ffi::OsStr;

/// What can be done with whole databases.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Move the books to another, empty database, and see that all of them came.
    Copy(copy::Copy),
    /// Take a move back: the old database is the books' home again.
    Release(release::Release),
    #[command(flatten)]
    Backups(backups::Command),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Copy(command) => command.run().await,
            Self::Release(command) => command.run().await,
            Self::Backups(command) => command.run().await,
        }
    }
}

/// Reads a database's URL or a reference to one. What cannot be read is never shown: it may hold a
/// password.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreUrlParser;

impl TypedValueParser for StoreUrlParser {
    type Value = StoreUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<StoreUrl, clap::Error> {
        StoreUrl::parse(&value.to_string_lossy()).map_err(|phrase| {
            let name = argument.map_or_else(|| "the URL".to_owned(), ToString::to_string);
            let sentence = format!("{name} {phrase}\n");
            clap::Error::raw(ErrorKind::ValueValidation, sentence).with_cmd(command)
        })
    }
}
