//! `xrpayd config check`: every error and warning at once.

use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::config::{self, Origin, Problem};
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
            let origin = problem.origin.as_ref();
            let (file, line, variable) = match origin {
                Some(Origin::File { path, line }) => {
                    (Some(path.display().to_string()), *line, None)
                }
                Some(Origin::Env(name)) => (None, None, Some(name)),
                Some(Origin::Default | Origin::Profile(_) | Origin::Command(_)) | None => {
                    (None, None, None)
                }
            };
            json!({
                "key": problem.key,
                "origin": origin.map(ToString::to_string),
                "file": file,
                "line": line,
                "variable": variable,
                "message": problem.message,
            })
        })
        .collect()
}
