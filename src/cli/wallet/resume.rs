//! `xrpayd wallet resume`: takes back the halt of a wallet, once a person has seen to its reason.

use crate::cli::args::{BOOKS_AND_WALLETS, ConfigArgs, OutputArgs, known_wallet};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Let a wallet that was halted sign again. What had halted it is printed, and what its account sent
/// without this database having signed it: that is accepted with this.
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
        let config = self.config.load_part(BOOKS_AND_WALLETS)?;
        let wallet = self.wallet;
        known_wallet(&config, &wallet)?;
        let (wallet, reason, foreign) = with_store(&config, |store| async move {
            let reason = store
                .halt_reason(&wallet)
                .await
                .map_err(not_done("The wallet cannot be looked up."))?;
            let foreign = store
                .foreign_transactions(&wallet)
                .await
                .map_err(not_done("What the wallet sent cannot be looked up."))?;
            if reason.is_some() {
                store
                    .set_halt(&wallet, None, &operator(), SystemClock::new().now())
                    .await
                    .map_err(not_done("The wallet cannot be resumed."))?;
            }
            let accepted = reason.as_ref().map_or_else(Vec::new, |_| foreign);
            Ok((wallet, reason, accepted))
        })
        .await?;
        let mut human = match &reason {
            Some(reason) => format!("{wallet} may sign again; it was halted: {reason}"),
            None => format!("{wallet} was not halted"),
        };
        for (hash, ledger, kind) in &foreign {
            let _ = write!(
                human,
                "\naccepted, though it was not signed here: {kind} {hash} in ledger {ledger}"
            );
        }
        let foreign: Vec<Value> = foreign
            .iter()
            .map(|(hash, ledger, kind)| {
                json!({ "tx_hash": hash.to_string(), "ledger_index": ledger.0, "type": kind })
            })
            .collect();
        let answer = json!({
            "wallet": wallet,
            "resumed": reason.is_some(),
            "was_halted": reason,
            "foreign": foreign,
        });
        self.output.print(&human, &answer)
    }
}
