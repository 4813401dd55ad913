//! `xrpayd store prune-backups`: what is older than it is kept goes, and never the last that is good.

use super::{KEEP_MIN, KeepArgs};
use crate::app;
use crate::backup::{Kept, Retention};
use crate::cli::args::OutputArgs;
use crate::cli::failure::Failure;
use crate::clock::{Clock as _, SystemClock};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How long backups are kept where nobody says.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Take away the backups of a folder that are older than they are kept.
///
/// One goes only while enough younger ones that were found whole stay. Files without a manifest are left
/// alone. Without --keep: 30 days, and seven of them at least.
#[derive(Debug, Args)]
pub(in crate::cli) struct Prune {
    /// The folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Prune {
    /// Takes them away, and tells which.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let retention = self.keep.retention().unwrap_or(Retention {
            keep: KEEP,
            keep_min: KEEP_MIN,
        });
        let now = SystemClock::new().now();
        let kept = app::backup::prune(&self.folder, retention, now)
            .await
            .map_err(|error| Failure::because("Old backups could not be taken away.", error))?;
        self.output.print(&text(&kept), &document(&kept))
    }
}

/// What became of a folder, as a person reads it.
pub(super) fn text(kept: &Kept) -> String {
    format!(
        "{} backups taken away for their age, {} kept, of which {} were found whole.",
        kept.removed.len(),
        kept.kept,
        kept.good
    )
}

/// The same as a program reads it.
pub(super) fn document(kept: &Kept) -> Value {
    json!({ "removed": kept.removed, "kept": kept.kept, "good": kept.good })
}
