//! `xrpayd store restore`: a backup becomes a database again, and nothing is paid before a person has looked.

use super::{OpeningArgs, tools};
use crate::backup::{self, Restored};
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::moving::StoreUrlParser;
use crate::cli::operator::operator;
use crate::config::StoreUrl;
use crate::store::Store;
use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Put a backup of an SQLite database back, paused.
///
/// The backup is looked through first. Nothing is written over a database that is there: move it away, with
/// everything that begins with its name but the records of what was signed last (*.last).
#[derive(Debug, Args)]
pub(in crate::cli) struct Restore {
    /// The backup; its manifest lies beside it.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The database that it becomes, as sqlite:///var/lib/xrpayd/xrpayd.db. Without it: store.url of the
    /// configuration.
    #[arg(long, value_name = "URL", value_parser = StoreUrlParser)]
    to: Option<StoreUrl>,
    #[command(flatten)]
    opening: OpeningArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Restore {
    /// Puts it back, and says what is to be done next.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let not_done = "Nothing was put back.";
        let config = self.config.load_if_given()?;
        let configured = config.as_ref().map(|config| &config.store.url);
        let url = self.to.as_ref().or(configured).ok_or_else(|| {
            Failure::new("Nothing says where the backup goes: give --to, or --config.")
        })?;
        let url = url
            .resolve()
            .map_err(|error| Failure::because(not_done, error))?;
        let to = Store::file_of(url.expose_secret())
            .map_err(|error| Failure::because(not_done, error))?;
        let opening = self.opening.resolve(config.as_ref())?;
        let tools = tools(None)?;
        let clock = tools.clock.as_ref();
        let restored = backup::restore(&self.from, &to, &opening, &operator(), clock)
            .await
            .map_err(|error| Failure::because(not_done, error))?;
        let document = json!({
            "restored": true,
            "database": restored.database,
            "id": restored.manifest.id,
            "taken_at": restored.manifest.taken_at,
            "wallets_that_wait": restored.wallets,
            "paused": "payments",
        });
        self.output.print(&text(&restored), &document)
    }
}

fn text(restored: &Restored) -> String {
    let mut page = String::new();
    let _ = writeln!(
        page,
        "{} holds the books of {}.",
        restored.database.display(),
        restored.manifest.taken_at
    );
    let _ = writeln!(
        page,
        "Payments are paused, and {} wallets sign nothing before all that may be in flight has passed.",
        restored.wallets
    );
    page.push_str(
        "Start the daemon, let it read the ledger, see what is queued (GET /v1/payments?status=processing) \
         and call off what was called off since; then `xrpayd resume --scope payments`.",
    );
    page
}
