//! The repository's own files of `alerts/`, as compose mounts them, with a few words replaced: where
//! things are, and durations and thresholds that a test can wait for.
//!
//! Every replacement names the text that it replaces and fails where the files do not have it. So what is
//! run is what is shipped, and a rule that was changed is noticed by the test that ran the old one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files, by their names.
#[derive(Debug, Clone)]
pub struct Overlay {
    files: BTreeMap<String, String>,
}

impl Overlay {
    /// The files as they are shipped.
    pub fn of_the_repository() -> Self {
        let folder = shipped();
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yml") {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
        Self { files }
    }

    /// Replaces texts in one of the files, wherever it has them.
    pub fn in_file(mut self, name: &str, replacements: &[(&str, &str)]) -> Self {
        let text = self.files.get_mut(name);
        let text = text.unwrap_or_else(|| panic!("there is no alerts/{name}"));
        *text = replaced(name, text, replacements);
        self
    }

    /// Replaces texts in the rule of one alert and in nothing else.
    pub fn in_rule(mut self, alert: &str, replacements: &[(&str, &str)]) -> Self {
        for text in self.files.values_mut() {
            if let Some((start, end)) = rule(text, alert) {
                let changed = replaced(alert, &text[start..end], replacements);
                text.replace_range(start..end, &changed);
                return self;
            }
        }
        panic!("no rule file has the alert {alert}");
    }

    /// The same for a Prometheus of the test's that asks the daemons whose metrics are at `targets` every
    /// second, and tells an Alertmanager at `alertmanager`.
    pub fn watching(self, targets: &[&str], alertmanager: &str) -> Self {
        let targets = format!("{targets:?}");
        self.in_file(
            "prometheus.yml",
            &[
                ("scrape_interval: 15s", "scrape_interval: 1s"),
                ("scrape_timeout: 10s", "scrape_timeout: 1s"),
                ("evaluation_interval: 15s", "evaluation_interval: 500ms"),
                ("\"alertmanager:9093\"", &format!("{alertmanager:?}")),
                ("[\"xrpayd-1:9090\", \"xrpayd-2:9090\"]", &targets),
            ],
        )
    }

    /// Writes all of them into `folder`.
    pub fn write_to(&self, folder: &Path) {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    /// The text of one of the files as it is now.
    pub fn text(&self, name: &str) -> &str {
        &self.files[name]
    }
}

/// Where the shipped files are.
pub fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

fn replaced(place: &str, text: &str, replacements: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (old, new) in replacements {
        assert!(text.contains(old), "{place} has no {old:?}:\n{text}");
        text = text.replace(old, new);
    }
    text
}

/// Where the rule of an alert begins and ends in a rule file.
fn rule(text: &str, alert: &str) -> Option<(usize, usize)> {
    let head = format!("- alert: {alert}\n");
    let start = text.find(&head)?;
    let mut end = start + head.len();
    for line in text[end..].split_inclusive('\n') {
        let begins = line.trim_start();
        if ["- alert:", "- record:", "- name:"]
            .iter()
            .any(|next| begins.starts_with(next))
        {
            break;
        }
        end += line.len();
    }
    Some((start, end))
}

#[test]
fn a_rule_is_changed_and_its_neighbours_are_not() {
    let text = "groups:\n  - name: a\n    rules:\n      - alert: One\n        for: 1m\n      \
                - alert: Two\n        for: 1m\n  - name: b\n    rules:\n      - record: x\n";
    let files = BTreeMap::from([("a.yml".to_owned(), text.to_owned())]);
    let overlay = Overlay { files };
    let changed = overlay.clone().in_rule("Two", &[("for: 1m", "for: 1s")]);
    let expected = text.replacen("Two\n        for: 1m", "Two\n        for: 1s", 1);
    assert_eq!(changed.text("a.yml"), expected);
    let missing = std::panic::catch_unwind(|| overlay.in_rule("One", &[("for: 9m", "for: 1s")]));
    assert!(missing.is_err(), "a text that is not there was replaced");
}
