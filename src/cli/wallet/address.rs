//! `xrpayd wallet address`: which account a seed is the master key of. Asks nobody.

use super::subject::{SeedArg, pair_of};
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use clap::Args;
use serde_json::{Value, json};

/// Show the account of a seed, or of each wallet of the configuration.
#[derive(Debug, Args)]
pub(in crate::cli) struct Address {
    /// A seed, as file:PATH or env:NAME. Without it: the wallets of the configuration.
    #[arg(long, value_name = "REFERENCE")]
    seed: Option<SeedArg>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Address {
    /// Shows it.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        if let Some(seed) = &self.seed {
            let pair = seed.pair()?;
            let (address, key) = (pair.account_id().to_string(), pair.public_key().to_string());
            let answer = json!({ "address": address, "public_key": key });
            return self.output.print(&address, &answer);
        }
        let config = self.config.load()?.config;
        let mut lines = Vec::new();
        let mut rows: Vec<Value> = Vec::new();
        for (name, wallet) in &config.wallets {
            let pair = pair_of(&wallet.seed)?;
            let (address, key) = (wallet.address, pair.account_id());
            let signs_by = if key == address {
                "its master key"
            } else {
                "another key"
            };
            lines.push(format!("{name}: {address}, signs by {signs_by} ({key})"));
            rows.push(json!({
                "wallet": name,
                "address": address.to_string(),
                "wallet_type": wallet.wallet_type,
                "signing_account": key.to_string(),
                "signs_by_master_key": key == address,
                "public_key": pair.public_key().to_string(),
            }));
        }
        let answer = json!({ "wallets": rows });
        self.output.print(&lines.join("\n"), &answer)
    }
}
