//! `xrpayd wallet`: looks after the wallets.

mod create_tickets;
mod resume;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with wallets.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make tickets, by which payments pass a transaction that is stuck.
    CreateTickets(create_tickets::CreateTickets),
    /// Let a wallet that was halted sign again.
    Resume(resume::Resume),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::CreateTickets(command) => command.run().await,
            Self::Resume(command) => command.run().await,
        }
    }
}
