//! `xrpayd config`: looks at the configuration and starts nothing.

mod check;
mod show;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell every error and warning at once.
    Check(check::Check),
    /// Print the effective configuration with each value's origin and no secret.
    Show(show::Show),
}

impl Command {
    /// Does it.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(command) => command.run(),
            Self::Show(command) => command.run(),
        }
    }
}
