//! The command line: what may be asked of the binary, and the exit code of each answer.
//!
//! Owns parsing, dispatch and standard output. Results go to standard output and nothing else does;
//! errors go to standard error, one clear sentence first and then the cause. The exit code is 0 on
//! success, 1 where a check or an action failed, 2 where the command line itself is wrong.

mod args;
mod ask;
mod audit;
mod backups;
mod config;
mod failure;
mod health;
mod keys;
mod moving;
mod openapi;
mod operator;
mod out;
mod pause;
mod preflight;
mod reconcile;
mod rollout;
mod sandbox;
mod sandbox_ledger;
mod serve;
mod servers;
mod store;
mod wallet;
mod words;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// The version and the commit, as `--version` and the metric `build_info` tell them.
pub mod build {
    /// The version of the package.
    pub const VERSION: &str = env!("CARGO_PKG_VERSION");
    /// The commit the binary was built from; `unknown` where nobody could tell.
    pub const COMMIT: &str = env!("XRPAYD_COMMIT");
    /// Both, for `--version`.
    pub(super) const BOTH: &str =
        concat!(env!("CARGO_PKG_VERSION"), " (", env!("XRPAYD_COMMIT"), ")");
}

/// A self-hosted payment daemon for the XRP Ledger.
#[derive(Debug, Parser)]
#[command(name = "xrpayd", version = build::BOTH, propagate_version = true)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// Who you are, for the audit log beside the user's number; it is kept as said, and not proven. Without
    /// it: XRPAYD_OPERATOR, or who called sudo.
    #[arg(long, global = true, value_name = "NAME", value_parser = operator::name)]
    operator: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(serve::Serve),
    /// Run everything at once with play money: a model ledger, a funded wallet, the daemon.
    Sandbox(sandbox::Sandbox),
    /// Run only the model ledger, spoken to like rippled over websocket.
    SandboxLedger(sandbox_ledger::SandboxLedger),
    /// Ask a running daemon whether it is well.
    Health(health::Health),
    /// Show the servers of a running daemon.
    Servers(servers::Servers),
    /// Stop new payments and new signatures at once.
    Pause(pause::Pause),
    /// Take a pause back.
    Resume(pause::Resume),
    /// Go through the checklist before a deployment.
    Preflight(preflight::Preflight),
    /// Hold the books against the ledger, to the drop.
    Reconcile(reconcile::Reconcile),
    /// Look at the audit log, and see that nobody changed it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Print the OpenAPI document of the API.
    Openapi(openapi::Openapi),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look at the rollout and change its stage.
    #[command(subcommand)]
    Rollout(rollout::Command),
    /// Back the books up, put them back, move them to another database.
    #[command(subcommand)]
    Store(moving::Command),
    /// Look after the wallets.
    #[command(subcommand)]
    Wallet(wallet::Command),
}

impl Cli {
    /// Does what was asked for and tells the exit code.
    pub async fn run(self) -> ExitCode {
        operator::is_called(self.operator);
        let done = match self.command {
            Command::Serve(command) => command.run().await,
            Command::Sandbox(command) => command.run().await,
            Command::SandboxLedger(command) => command.run().await,
            Command::Health(command) => command.run().await,
            Command::Servers(command) => command.run().await,
            Command::Pause(command) => command.run().await,
            Command::Resume(command) => command.run().await,
            Command::Preflight(command) => command.run().await,
            Command::Reconcile(command) => command.run().await,
            Command::Audit(command) => command.run().await,
            Command::Config(command) => command.run(),
            Command::Openapi(command) => command.run(),
            Command::Keys(command) => command.run().await,
            Command::Rollout(command) => command.run().await,
            Command::Store(command) => command.run().await,
            Command::Wallet(command) => command.run().await,
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(),
        }
    }
}

/// Tells that the process cannot even begin.
#[must_use]
pub fn cannot_begin(error: &std::io::Error) -> ExitCode {
    Failure::because("The process cannot begin.", error).tell()
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_declared_without_contradiction() {
        Cli::command().debug_assert();
    }
}
