//! `xrpayd wallet`: looks after the wallets.

mod resume;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with wallets.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let a wallet that was halted sign again.
    Resume(resume::Resume),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Resume(command) => command.run().await,
        }
    }
}
