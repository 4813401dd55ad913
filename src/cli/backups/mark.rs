//! `xrpayd store mark-restored`: a database that other tools have put back is told so.

use super::tools;
use crate::backup;
use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::with_store;
use clap::Args;
use serde_json::json;

/// Tell a database that it was restored by other tools, before a daemon starts on it.
///
/// A dump or the disks of PostgreSQL, put back under the same server, look like a restart to whoever has
/// nothing written down beside them. Payments are paused, and no wallet signs before all that may be in
/// flight has passed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Mark {
    /// What it was restored from, for the audit log.
    #[arg(long, value_name = "TEXT", value_parser = some_text)]
    from: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn some_text(text: &str) -> Result<String, String> {
    match text.trim() {
        some if !some.is_empty() && some.len() <= 200 && !some.contains(char::is_control) => {
            Ok(some.to_owned())
        }
        _ => Err("must be a text of 200 characters at most".to_owned()),
    }
}

impl Mark {
    /// Marks it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let tools = tools(None)?;
        let from = self.from;
        let wallets = with_store(&config, |store| async move {
            backup::mark(&store, &from, &operator(), tools.clock.as_ref())
                .await
                .map_err(|error| Failure::because("The database was not marked.", error))
        })
        .await?;
        let human = format!(
            "The database knows that it was restored. Payments are paused, and {wallets} wallets sign \
             nothing before all that may be in flight has passed."
        );
        let document =
            json!({ "marked": true, "wallets_that_wait": wallets, "paused": "payments" });
        self.output.print(&human, &document)
    }
}
