//! `xrpayd keys`: makes, lists and revokes API keys.

mod create;
mod list;
mod revoke;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key and show it, once.
    Create(create::Create),
    /// List the keys, without their secrets.
    List(list::List),
    /// Revoke a key for good.
    Revoke(revoke::Revoke),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Revoke(command) => command.run().await,
        }
    }
}
