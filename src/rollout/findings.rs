//! Findings as people and programs read them: in the API, on the command line, and in the history of
//! a change.

use crate::config::duration_text;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::time::Duration;
use utoipa::ToSchema;
use xrpayd_core::rollout::{Figure, Finding, Tally};

/// The public form of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CriterionFinding)]
pub struct FindingShape {
    /// The criterion, by its name in the configuration.
    pub criterion: &'static str,
    /// What is wanted, as the configuration writes it.
    pub wanted: Option<String>,
    /// What was measured; none where there was nothing to measure.
    pub measured: Option<String>,
    /// Whether it is met.
    pub met: bool,
    /// Why, in a sentence.
    pub why: String,
}

/// A finding in its public form.
#[must_use]
pub fn shown(finding: &Finding) -> FindingShape {
    FindingShape {
        criterion: finding.criterion.as_str(),
        wanted: finding.wanted.map(text_of),
        measured: finding.measured.map(text_of),
        met: finding.verdict.is_met(),
        why: format!("{}.", capitalised(&finding.why)),
    }
}

/// All of them, for the history.
pub(super) fn document(findings: &[Finding]) -> Json {
    findings
        .iter()
        .map(|finding| json!(shown(finding)))
        .collect()
}

/// What a window of an automatic demotion held.
pub(super) fn window(name: &str, length_ms: i64, tally: Tally) -> Json {
    json!({
        "window": name,
        "length": span(length_ms),
        "payments": tally.total(),
        "failed": tally.faults,
    })
}

fn text_of(figure: Figure) -> String {
    match figure {
        Figure::Span(ms) => span(ms),
        Figure::Count(count) => count.to_string(),
        Figure::Share(share) => share.to_string(),
        Figure::ShareWithin(share, ms) => format!("{share} within {}", span(ms)),
    }
}

/// Whole seconds, rounded down: nobody reads the rest.
fn span(ms: i64) -> String {
    let whole_s = match ms {
        1_000.. => ms.unsigned_abs() / 1_000 * 1_000,
        _ => ms.unsigned_abs(),
    };
    duration_text(Duration::from_millis(whole_s))
}

/// A sentence's beginning.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
