//! `xrpayd wallet`: sets wallets up and looks after them.

mod address;
mod balance;
mod change;
mod create_tickets;
mod generate;
mod papers;
mod quiet;
mod resume;
mod subject;
mod way;

use super::failure::Failure;
use clap::Subcommand;

/// What can be done with wallets.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new key.
    Generate(generate::Generate),
    /// Take over a seed that is there.
    Import(generate::Import),
    /// Show which account a seed is the master key of.
    Address(address::Address),
    /// Show what wallets hold on the ledger.
    Balance(balance::Balance),
    /// Give an account a second key, or take it away.
    SetRegularKey(change::SetRegularKey),
    /// Let an account's own key sign nothing any more.
    DisableMaster(change::DisableMaster),
    /// Say who may sign for an account together.
    SignerList(change::SignerList),
    /// Have an account take payments with a destination tag alone.
    RequireTag(change::RequireTag),
    /// Sign a prepared change, where its key is.
    Sign(papers::Sign),
    /// Put the signatures of several signers together.
    Combine(papers::Combine),
    /// Submit a signed change and follow it to its end.
    Submit(papers::Submit),
    /// Make tickets, by which payments pass a transaction that is stuck.
    CreateTickets(create_tickets::CreateTickets),
    /// Let a wallet that was halted sign again.
    Resume(resume::Resume),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Generate(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Address(command) => command.run(),
            Self::Balance(command) => command.run().await,
            Self::SetRegularKey(command) => command.run().await,
            Self::DisableMaster(command) => command.run().await,
            Self::SignerList(command) => command.run().await,
            Self::RequireTag(command) => command.run().await,
            Self::Sign(command) => command.run(),
            Self::Combine(command) => command.run(),
            Self::Submit(command) => command.run().await,
            Self::CreateTickets(command) => command.run().await,
            Self::Resume(command) => command.run().await,
        }
    }
}
