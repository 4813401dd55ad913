//! `xrpayd store verify-backup`: whether a backup could be put back.

use super::OpeningArgs;
use crate::backup;
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// See that a backup is whole: its bytes, the database in it, and every table. Fails where it is not.
///
/// Of a backup that other tools have taken only the bytes are looked at; their own tools open it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The backup; its manifest lies beside it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where a sealed backup is opened for the moment, readable by its owner alone. Without it: the
    /// machine's folder for what is temporary.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verify {
    /// Looks through it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_if_given()?;
        let opening = self.opening.resolve(config.as_ref())?;
        let scratch = self.scratch.unwrap_or_else(std::env::temp_dir);
        let looked = backup::look(&self.file, &opening, &scratch)
            .await
            .map_err(|error| {
                Failure::because("The backup is not whole, or nobody can tell.", error)
            })?;
        let manifest = &looked.manifest;
        let human = if looked.is_read {
            format!(
                "The backup is whole: {} of {}, as the database held it.",
                manifest.id, manifest.taken_at
            )
        } else {
            format!(
                "The bytes are those that were taken at {}. What a backup of the kind {} holds is seen by \
                 the tool that took it.",
                manifest.taken_at, manifest.kind
            )
        };
        let document = json!({
            "whole": true,
            "books_read": looked.is_read,
            "file": self.file,
            "manifest": manifest,
        });
        self.output.print(&human, &document)
    }
}
