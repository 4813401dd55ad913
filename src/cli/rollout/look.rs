//! `xrpayd rollout status` and `evaluate`: what is in force and what speaks for the next stage.

use super::failed;
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::store::with_store;
use crate::clock::{Clock as _, SystemClock};
use crate::rollout::{self, Change, Eyes, FindingShape, Report};
use clap::Args;
use serde_json::json;

/// Show the stage, its criteria with the measured values, and its history.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Hold the criteria against what was measured; the exit code is 1 where they are not met.
#[derive(Debug, Args)]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Status {
    /// Shows it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let report = read(&self.config).await?;
        let mut lines = lines_of(&report);
        lines.push("history, the newest first:".to_owned());
        lines.extend(report.history.iter().map(line_of_change));
        self.output.print(&lines.join("\n"), &json!(report))
    }
}

impl Evaluate {
    /// Holds them against each other.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let report = read(&self.config).await?;
        let answer = json!({
            "stage": report.stage,
            "next": report.next,
            "next_refused": report.next_refused,
            "ready": report.ready,
            "criteria": report.criteria,
        });
        self.output.print(&lines_of(&report).join("\n"), &answer)?;
        if report.ready {
            return Ok(());
        }
        Err(Failure::new(match &report.next_refused {
            Some(why) => format!("There is no promotion from {}: {why}.", report.stage),
            None => format!("The criteria of {} are not met.", report.stage),
        }))
    }
}

async fn read(config: &ConfigArgs) -> Result<Report, Failure> {
    let config = config.load()?.config;
    let ladder = config.ladder();
    with_store(&config, |store| async move {
        let now = SystemClock::new().now();
        let report = rollout::report(&store, &ladder, Eyes::Administrator, now).await;
        report.map_err(|refused| failed("The rollout cannot be shown.", refused))
    })
    .await
}

/// The stage and its criteria.
fn lines_of(report: &Report) -> Vec<String> {
    let next = match (&report.next, &report.next_refused) {
        (Some(next), _) => next.clone(),
        (None, Some(why)) => format!("none: {why}"),
        (None, None) => "none".to_owned(),
    };
    let mut lines = vec![
        format!("stage   {}, since {}", report.stage, report.since),
        format!("next    {next}"),
        format!("highest {}", report.highest_stage),
    ];
    lines.extend(report.criteria.iter().map(line_of_finding));
    lines
}

fn line_of_finding(finding: &FindingShape) -> String {
    let verdict = if finding.met { "met    " } else { "NOT MET" };
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{verdict} {:<24} wanted {:<16} measured {:<10} {}",
        finding.criterion,
        text(&finding.wanted),
        text(&finding.measured),
        finding.why
    )
}

fn line_of_change(change: &Change) -> String {
    let from = change.from.as_deref().unwrap_or("nothing");
    let by = change.by.as_deref().unwrap_or_default();
    let mut line = format!(
        "  {}  {} from {from} to {} by {by}",
        change.at, change.change, change.to
    );
    for (name, words) in [
        ("because", &change.reason),
        ("overriding the criteria because", &change.override_reason),
    ] {
        if let Some(words) = words {
            line.push_str(&format!("; {name} {words}"));
        }
    }
    line
}
