//! `xrpayd store record-backup`: what other tools have taken, so that the daemon knows how old it is.

use super::tools;
use crate::backup::{self, Lies, Register};
use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::with_store;
use crate::rfc3339::{self, Rfc3339};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use xrpayd_core::ids::UnixMs;

/// Write down that another tool has taken a backup, such as pg_dump or pgBackRest.
///
/// The metric backup_last_timestamp_seconds follows those that were verified. Beside a file a manifest is
/// written, by which `prune-backups` knows it.
#[derive(Debug, Args)]
#[group(id = "lies", required = true, multiple = false, args = ["file", "place"])]
pub(in crate::cli) struct Record {
    /// The backup's file.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where it lies, in words, where it is no single file.
    #[arg(long, value_name = "TEXT")]
    place: Option<String>,
    /// How it was taken, such as pg_dump or pgbackrest.
    #[arg(long, value_name = "WORD", value_parser = kind)]
    kind: String,
    /// The moment that it shows: when the tool began, as RFC 3339 writes it.
    #[arg(long, value_name = "TIME", value_parser = time)]
    taken_at: UnixMs,
    /// By what it was found whole, in words. Without it, it does not count as a backup.
    #[arg(long, value_name = "TEXT")]
    verified_by: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn kind(text: &str) -> Result<String, String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    match text {
        "sqlite" => {
            Err("is what `xrpayd store backup` takes, and writes down by itself".to_owned())
        }
        word if !word.is_empty() && word.len() <= 32 && word.chars().all(is_word) => {
            Ok(word.to_owned())
        }
        _ => Err("must be a word of a-z, 0-9, _ and -, 32 at most".to_owned()),
    }
}

fn time(text: &str) -> Result<UnixMs, String> {
    rfc3339::parse(text).ok_or_else(|| "must be a time such as 2026-01-31T12:00:00Z".to_owned())
}

impl Record {
    /// Writes it down.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let tools = tools(None)?;
        if self.taken_at > tools.clock.now() {
            return Err(Failure::new("--taken-at is in the future."));
        }
        let place = match (self.file, self.place) {
            (Some(file), _) => Lies::InFile(file),
            (None, place) => Lies::Elsewhere(place.unwrap_or_default()),
        };
        let told = Register {
            kind: self.kind,
            place,
            taken_at: self.taken_at,
            verified_by: self.verified_by,
        };
        let backup = with_store(&config, |store| async move {
            backup::register(&store, told, &operator(), &tools)
                .await
                .map_err(|error| Failure::because("The backup was not written down.", error))
        })
        .await?;
        let is_good = backup.verified_at.is_some();
        let human = format!(
            "{} of {} is written down: {}.{}",
            backup.id,
            Rfc3339(backup.taken_at),
            backup.place,
            if is_good {
                ""
            } else {
                " Nobody has seen that it is whole, so it does not count."
            }
        );
        let document = json!({
            "recorded": true,
            "id": backup.id,
            "kind": backup.kind,
            "place": backup.place,
            "taken_at": Rfc3339(backup.taken_at),
            "verified": is_good,
            "bytes": backup.file.map(|(bytes, _)| bytes),
            "sha256": backup.file.map(|(_, sha256)| hex::encode(sha256)),
        });
        self.output.print(&human, &document)
    }
}
