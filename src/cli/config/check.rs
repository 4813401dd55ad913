//! `xrpayd config check`: every error and warning at once.

use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::config::{self, Problem};
use clap::Args;
use serde_json::json;

/// Tell every error and warning at once. Exits with 1 where there is an error.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Check {
    /// Checks.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        match config::load(self.config.load_args()) {
            Ok(loaded) => {
                let profile = loaded.config.profile;
                let human = match loaded.warnings.len() {
                    0 => format!("The configuration is sound (profile {profile})."),
                    1 => format!("The configuration is sound, with a warning (profile {profile})."),
                    count => {
                        format!(
                            "The configuration is sound, with {count} warnings (profile {profile})."
                        )
                    }
                };
                if !self.output.is_json() {
                    for warning in &loaded.warnings {
                        out::note(&format!("warning: {warning}"));
                    }
                }
                let answer = json!({
                    "ok": true,
                    "profile": profile.name(),
                    "errors": [],
                    "warnings": listed(&loaded.warnings),
                });
                self.output.print(&human, &answer)
            }
            Err(errors) => {
                if self.output.is_json() {
                    out::json(&json!({
                        "ok": false,
                        "errors": listed(&errors.errors),
                        "warnings": listed(&errors.warnings),
                    }))?;
                }
                Err(Failure::config(&errors))
            }
        }
    }
}

fn listed(problems: &[Problem]) -> Vec<serde_json::Value> {
    problems
        .iter()
        .map(|problem| {
            json!({
                "key": problem.key,
                "origin": problem.origin.as_ref().map(ToString::to_string),
                "message": problem.message,
            })
        })
        .collect()
}
