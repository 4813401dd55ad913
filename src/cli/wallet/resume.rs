//! `xrpayd wallet resume`: takes back the halt of a wallet, once a person has seen to its reason.

use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use clap::Args;
use serde_json::json;

/// Let a wallet that was halted sign again. What had halted it is printed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The wallet's name in the configuration.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Resume {
    /// Takes the halt back.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let wallet = self.wallet;
        if !config.wallets.contains_key(&wallet) {
            let known: Vec<&str> = config.wallets.keys().map(String::as_str).collect();
            return Err(Failure::new(format!(
                "There is no wallet {wallet} in the configuration: it has {}.",
                known.join(", ")
            )));
        }
        let (wallet, reason) = with_store(&config, |store| async move {
            let reason = store
                .halt_reason(&wallet)
                .await
                .map_err(not_done("The wallet cannot be looked up."))?;
            if reason.is_some() {
                store
                    .set_halt(&wallet, None, SystemClock::new().now())
                    .await
                    .map_err(not_done("The wallet cannot be resumed."))?;
            }
            Ok((wallet, reason))
        })
        .await?;
        let human = match &reason {
            Some(reason) => format!("{wallet} may sign again; it was halted: {reason}"),
            None => format!("{wallet} was not halted"),
        };
        let answer = json!({ "wallet": wallet, "resumed": reason.is_some(), "was_halted": reason });
        self.output.print(&human, &answer)
    }
}
