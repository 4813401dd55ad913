//! `xrpayd rollout`: the stage in force, what speaks for the next one, and the audited change of stage.
//! Works on the store, beside a running daemon, which goes by a change within a second.

mod change;
mod incident;
mod look;

use super::failure::Failure;
use crate::rollout::Refused;
use crate::store::StoreError;
use clap::Subcommand;

/// What can be done with the rollout.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the stage, its criteria with the measured values, and its history.
    Status(look::Status),
    /// Hold the criteria against what was measured; the exit code is 1 where they are not met.
    Evaluate(look::Evaluate),
    /// Go up one stage, where the criteria are met or overridden.
    Promote(change::Promote),
    /// Go down, at once and whatever was measured.
    Demote(change::Demote),
    /// Report, list and close what the criteria ask about: security incidents, and alerts.
    #[command(subcommand)]
    Incident(incident::Command),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Status(command) => command.run().await,
            Self::Evaluate(command) => command.run().await,
            Self::Promote(command) => command.run().await,
            Self::Demote(command) => command.run().await,
            Self::Incident(command) => command.run().await,
        }
    }
}

/// Why nothing came of it.
fn failed(sentence: &str, refused: Refused) -> Failure {
    match refused {
        Refused::Store(error) => Failure::because(sentence, error),
        other => Failure::because(sentence, other),
    }
}

/// The same for what the store alone does.
fn store_failed(sentence: &str) -> impl FnOnce(StoreError) -> Failure {
    super::store::not_done(sentence)
}
