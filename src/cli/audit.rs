//! `xrpayd audit`: who changed what may be done with money, and whether that account of it is whole.

mod list;
mod verify;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show entries, the newest first.
    List(list::List),
    /// Hold every entry against its hashes. Fails where anything was changed.
    Verify(verify::Verify),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run().await,
            Self::Verify(command) => command.run().await,
        }
    }
}
