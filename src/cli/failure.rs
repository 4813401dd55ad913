//! A command that could not do what was asked: one sentence, then its causes.

use super::out;
use crate::config::ConfigErrors;
use std::error::Error;
use std::process::ExitCode;

/// The exit code of a check that failed or of an action that could not be done. A command line that
/// makes no sense ends in the parser, with 2.
const FAILED: u8 = 1;

/// What is told on standard error before the process ends.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    causes: Vec<String>,
}

impl Failure {
    /// A failure that its sentence explains.
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            causes: Vec::new(),
        }
    }

    /// A failure with what led to it.
    pub(super) fn because(sentence: impl Into<String>, error: impl Error) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        while let Some(error) = source {
            let cause = error.to_string();
            // Some errors repeat their source in their own words.
            if !causes.iter().any(|known| known.contains(&cause)) {
                causes.push(cause);
            }
            source = error.source();
        }
        Self {
            causes,
            ..Self::new(sentence)
        }
    }

    /// Everything that is wrong with the configuration.
    pub(super) fn config(errors: &ConfigErrors) -> Self {
        let sentence = match errors.errors.len() {
            1 => "The configuration has an error.".to_owned(),
            count => format!("The configuration has {count} errors."),
        };
        let warnings = errors
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}"));
        Self {
            causes: errors
                .errors
                .iter()
                .map(ToString::to_string)
                .chain(warnings)
                .collect(),
            ..Self::new(sentence)
        }
    }

    /// Tells it and gives the exit code.
    pub(super) fn tell(self) -> ExitCode {
        out::note(&format!("error: {}", self.sentence));
        for cause in &self.causes {
            out::note(&format!("  {cause}"));
        }
        ExitCode::from(FAILED)
    }
}
