//! What differed, and what may: the list of deviations with their reasons.

use crate::recording::Step;
use std::collections::BTreeMap;

/// What differed, by place.
#[derive(Debug, Default)]
pub struct Deviations {
    found: BTreeMap<String, Vec<String>>,
}

/// One line of the list: which places it covers, and why.
struct Listed {
    pattern: String,
    reason: String,
}

fn listed() -> Vec<Listed> {
    let text = include_str!("../replay_deviations.txt");
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (pattern, reason) = line.split_once(" | ").expect("a pattern, ` | `, a reason");
            Listed {
                pattern: pattern.trim().to_owned(),
                reason: reason.trim().to_owned(),
            }
        })
        .collect()
}

impl Deviations {
    /// Notes what differed at a step.
    pub fn add(&mut self, name: &str, step: &Step, what: &str, details: Vec<String>) {
        if !details.is_empty() {
            let place = format!("{name}:{} {what}", step.line);
            self.found.entry(place).or_default().extend(details);
        }
    }

    /// Takes in what another run found.
    pub fn merge(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Fails where a difference is not listed, and where a listed one no longer occurs. A pattern covers
    /// every difference that begins with it.
    pub fn check(&self) {
        let listed = listed();
        assert!(
            listed.iter().all(|entry| !entry.reason.is_empty()),
            "every deviation has a reason"
        );
        let mut used = vec![false; listed.len()];
        let mut unlisted = Vec::new();
        for (place, details) in &self.found {
            for detail in details {
                let difference = format!("{place} {detail}");
                let mut covered = false;
                for (entry, used) in listed.iter().zip(&mut used) {
                    if difference.starts_with(&entry.pattern) {
                        *used = true;
                        covered = true;
                    }
                }
                if !covered {
                    unlisted.push(difference);
                }
            }
        }
        let stale: Vec<&str> = listed
            .iter()
            .zip(&used)
            .filter(|(_, used)| !**used)
            .map(|(entry, _)| entry.pattern.as_str())
            .collect();
        assert!(
            unlisted.is_empty() && stale.is_empty(),
            "{} differences that are not listed:\n{}\n{} listed ones that no longer occur:\n{}",
            unlisted.len(),
            unlisted.join("\n"),
            stale.len(),
            stale.join("\n"),
        );
    }
}
