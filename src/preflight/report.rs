//! The whole checklist, as a person and as a program reads it.

use super::{Outcome, Row, SignOff};
use crate::rfc3339::Rfc3339;
use serde_json::{Value, json};
use std::fmt::Write as _;
use xrpayd_core::ids::UnixMs;

/// A checklist that was gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When.
    pub at: UnixMs,
    /// For which profile.
    pub profile: &'static str,
    /// By which version and commit.
    pub build: (&'static str, &'static str),
    /// Every row.
    pub rows: Vec<Row>,
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that pass.
    pub passed: usize,
    /// Rows that are doubtful.
    pub warned: usize,
    /// Rows that fail.
    pub failed: usize,
    /// Items on which somebody's word holds.
    pub signed: usize,
    /// Items on which nobody's does.
    pub open: usize,
}

impl Verdict {
    /// Whether the service may go live: nothing fails, and nobody's word is missing.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.failed == 0 && self.open == 0
    }
}

impl Report {
    /// What follows from it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let count = |wanted: fn(&Outcome) -> bool| {
            self.rows.iter().filter(|row| wanted(&row.outcome)).count()
        };
        Verdict {
            passed: count(|outcome| *outcome == Outcome::Pass),
            warned: count(|outcome| *outcome == Outcome::Warn),
            failed: count(|outcome| *outcome == Outcome::Fail),
            signed: count(|outcome| matches!(outcome, Outcome::Manual(Some(_)))),
            open: count(|outcome| *outcome == Outcome::Manual(None)),
        }
    }

    /// As a program reads it.
    #[must_use]
    pub fn document(&self) -> Value {
        let verdict = self.verdict();
        json!({
            "ready": verdict.is_ready(),
            "at": Rfc3339(self.at),
            "profile": self.profile,
            "version": self.build.0,
            "commit": self.build.1,
            "passed": verdict.passed,
            "warned": verdict.warned,
            "failed": verdict.failed,
            "signed": verdict.signed,
            "open": verdict.open,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }

    /// As a person reads it: a row a line, and below what does not pass what to do.
    #[must_use]
    pub fn page(&self) -> String {
        let name = |row: &Row| match &row.subject {
            Some(subject) => format!("{} {subject}", row.item.id),
            None => row.item.id.to_owned(),
        };
        let width = self.rows.iter().map(|row| name(row).chars().count()).max();
        let width = width.unwrap_or(0);
        let mut page = String::new();
        for row in &self.rows {
            let word = match &row.outcome {
                Outcome::Manual(None) => "OPEN",
                Outcome::Fail => "FAIL",
                other => other.as_str(),
            };
            let said = match &row.outcome {
                Outcome::Manual(Some(word)) => format!(": {}", said(word)),
                _ => String::new(),
            };
            let evidence = shown(&row.evidence);
            let _ = writeln!(page, "{word:<6} {:<width$}  {evidence}{said}", name(row));
            if matches!(row.outcome, Outcome::Fail | Outcome::Manual(None)) {
                let _ = writeln!(page, "       {:<width$}  -> {}", "", row.item.remedy);
            }
        }
        let verdict = self.verdict();
        let _ = write!(
            page,
            "{} pass, {} warn, {} fail; {} are signed for, {} are open. {}",
            verdict.passed,
            verdict.warned,
            verdict.failed,
            verdict.signed,
            verdict.open,
            match verdict.is_ready() {
                true => "Ready to go live.",
                false => "Not ready to go live.",
            }
        );
        page
    }
}

fn said(word: &SignOff) -> String {
    let note = word
        .note
        .as_deref()
        .map(|note| format!(", \"{}\"", shown(note)));
    format!(
        "{} on {}, until {}{}",
        shown(&word.by),
        Rfc3339(word.at),
        Rfc3339(word.until),
        note.unwrap_or_default()
    )
}

/// A text from elsewhere as it may go to a terminal.
fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.collect()
}

fn row(row: &Row) -> Value {
    let signed = match &row.outcome {
        Outcome::Manual(Some(word)) => json!({
            "by": word.by,
            "at": Rfc3339(word.at),
            "until": Rfc3339(word.until),
            "note": word.note,
        }),
        Outcome::Manual(None) | Outcome::Pass | Outcome::Warn | Outcome::Fail => Value::Null,
    };
    json!({
        "item": row.item.id,
        "area": row.item.area(),
        "asks": row.item.asks,
        "subject": row.subject,
        "outcome": row.outcome.as_str(),
        "evidence": row.evidence,
        "remedy": row.item.remedy,
        "signed": signed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::items;

    fn report(rows: Vec<Row>) -> Report {
        Report {
            at: UnixMs(0),
            profile: "production",
            build: ("1.0.0", "abc"),
            rows,
        }
    }

    #[test]
    fn only_what_passes_and_what_somebody_signed_for_goes_live() {
        let word = SignOff {
            by: "Ada\u{1b}[31m".to_owned(),
            at: UnixMs(0),
            until: UnixMs(86_400_000),
            note: Some("walked through".to_owned()),
            about: None,
        };
        let pass = Row::about(
            &items::WALLET_TAG,
            "hot",
            Outcome::Pass,
            "RequireDest is set",
        );
        let warn = Row::of(&items::HOST_USER, Outcome::Warn, "root");
        let signed = Row::of(
            &items::LOAD_TEST,
            Outcome::Manual(Some(word)),
            "somebody has said so",
        );
        let ready = report(vec![pass, warn, signed]);
        assert!(ready.verdict().is_ready());
        let page = ready.page();
        assert!(
            page.contains("wallet.require_tag hot  RequireDest is set"),
            "{page}"
        );
        assert!(page.contains("Ada [31m on 1970-01-01"), "{page}");
        assert!(
            page.ends_with("1 are signed for, 0 are open. Ready to go live."),
            "{page}"
        );
        assert_eq!(
            ready.document()["rows"][2]["signed"]["note"],
            "walked through"
        );
        for stops in [Outcome::Fail, Outcome::Manual(None)] {
            let mut report = ready.clone();
            report.rows.push(Row::of(&items::LOAD_TEST, stops, "no"));
            assert!(!report.verdict().is_ready());
            assert_eq!(report.document()["ready"], false);
            let page = report.page();
            assert!(page.contains("-> `make bench`") && page.ends_with("Not ready to go live."));
        }
    }
}
