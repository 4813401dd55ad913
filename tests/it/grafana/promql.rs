//! Which series an expression of Prometheus is about: enough of its grammar to find the names of metrics,
//! the labels that they are chosen by, and those that are grouped by.

use std::collections::BTreeSet;

/// Words that are followed by a list of labels.
const BEFORE_LABELS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words between two expressions, and in them.
const BETWEEN: [&str; 6] = ["and", "or", "unless", "bool", "offset", "atan2"];

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Each metric, with the labels that it is chosen by.
    pub metrics: BTreeSet<(String, Vec<String>)>,
    /// The labels that anything is grouped or matched by.
    pub labels: BTreeSet<String>,
}

/// Reads one expression.
pub fn named(expression: &str) -> Named {
    let mut found = Named::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = &rest[1 + rest[1..].find('"').unwrap() + 1..];
        } else if first == '[' {
            rest = &rest[rest.find(']').unwrap() + 1..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let (word, after) = word(rest);
            rest = after.trim_start();
            if BEFORE_LABELS.contains(&word) {
                if let Some(list) = rest.strip_prefix('(') {
                    let end = list.find(')').unwrap();
                    let labels = list[..end].split(',').map(str::trim);
                    found.labels.extend(labels.map(str::to_owned));
                    rest = &list[end + 1..];
                }
            } else if BETWEEN.contains(&word) || rest.starts_with('(') || is_aggregation(rest) {
                // A word of the language or a function.
            } else if let Some(matchers) = rest.strip_prefix('{') {
                let end = matchers.find('}').unwrap();
                let labels = matchers[..end]
                    .split(',')
                    .map(|matcher| self::word(matcher).0);
                let labels = labels.map(str::to_owned).collect();
                found.metrics.insert((word.to_owned(), labels));
                rest = &matchers[end + 1..];
            } else {
                found.metrics.insert((word.to_owned(), Vec::new()));
            }
        } else if first.is_ascii_digit() {
            // A number, or a duration after `offset`.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// Whether the word before was an aggregation with its grouping in front.
fn is_aggregation(rest: &str) -> bool {
    rest.starts_with("by ") || rest.starts_with("by(") || rest.starts_with("without")
}

fn word(text: &str) -> (&str, &str) {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[test]
fn names_and_labels_are_found_and_words_of_the_language_are_not() {
    let asked = r#"histogram_quantile(0.95, sum by (le, route) (rate(a_bucket{job="x",route!~"/v.*"}[5m]))) > 0
        and on (job) (b offset 1h or vector(0)) / max(c{status="up (all)"}) unless d"#;
    let found = named(asked);
    let metrics: Vec<(&str, usize)> = found
        .metrics
        .iter()
        .map(|(name, labels)| (name.as_str(), labels.len()))
        .collect();
    assert_eq!(metrics, [("a_bucket", 2), ("b", 0), ("c", 1), ("d", 0)]);
    let labels: Vec<&str> = found.labels.iter().map(String::as_str).collect();
    assert_eq!(labels, ["job", "le", "route"]);
}
