//! `xrpayd preflight`: the checklist before a deployment, and what people have to say to it.

mod sign;

use super::args::{ConfigArgs, OutputArgs, some_duration};
use super::failure::Failure;
use super::out;
use crate::app::preflight;
use crate::config;
use crate::preflight::{Report, Verdict};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Go through the checklist before a deployment. Exits with 0 only where nothing fails and nobody's word
/// is missing.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Preflight {
    #[command(subcommand)]
    command: Option<Command>,
    /// Keep the report in this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Do not fail where nothing but people's words is missing.
    #[arg(long)]
    allow_open: bool,
    /// How long servers, database and receivers are waited for.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = some_duration)]
    patience: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say that an item is so which no program can see.
    Sign(sign::Sign),
}

impl Preflight {
    /// Goes through it, or writes down what somebody says.
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let Some(Command::Sign(command)) = self.command {
            return command.run().await;
        }
        let report = match config::load(self.config.load_args()) {
            Ok(loaded) => preflight::preflight(&loaded, self.config.files(), self.patience)
                .await
                .map_err(|error| {
                    Failure::because("The checklist cannot be gone through.", error)
                })?,
            Err(errors) => preflight::refused(&errors),
        };
        let kept = self.report.as_ref().map(|path| keep(&report, path));
        self.output.print(&report.page(), &report.document())?;
        kept.transpose()?;
        let verdict = report.verdict();
        let is_allowed = self.allow_open && verdict.failed == 0;
        if verdict.is_ready() || is_allowed {
            return Ok(());
        }
        Err(Failure::new(why(&verdict)))
    }
}

fn why(verdict: &Verdict) -> String {
    let failed = match verdict.failed {
        0 => None,
        1 => Some("one item fails".to_owned()),
        count => Some(format!("{count} items fail")),
    };
    let open = match verdict.open {
        0 => None,
        1 => Some("one waits for somebody's word".to_owned()),
        count => Some(format!("{count} wait for somebody's word")),
    };
    let parts: Vec<String> = failed.into_iter().chain(open).collect();
    format!("Not ready to go live: {}.", parts.join(", "))
}

fn keep(report: &Report, path: &std::path::Path) -> Result<(), Failure> {
    let text = format!("{:#}\n", report.document());
    std::fs::write(path, text).map_err(|error| {
        let sentence = format!("The report cannot be kept in {}.", path.display());
        Failure::because(sentence, error)
    })?;
    out::note(&format!("The report is kept in {}.", path.display()));
    Ok(())
}
