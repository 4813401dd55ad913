//! Every alert has a runbook of the right form, its four unit tests and a drill; nothing of these is about
//! an alert that does not exist; and `docs/OPERATIONS.md` has the table of them.

use super::runbook::{self, HEADINGS, Kind, Runbook};
use super::table::{Cure, TESTS};
use crate::support::overlay;
use serde_norway::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each alert is tried with by promtool.
const CASES: [&str; 4] = ["fires", "stays quiet", "data absent", "on the boundary"];
/// Between these lines of the page stands the table.
const MARKS: [&str; 2] = [
    "<!-- The table of the alerts: UPDATE_DOCS=1 cargo test --test it alerts::complete -->\n",
    "<!-- The end of the table. -->\n",
];

/// An alert as the rule files have it.
struct Alert {
    severity: String,
    summary: String,
    runbook: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(stem) = name.strip_suffix(ending) {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((stem.to_owned(), text));
        }
    }
    files.sort();
    files
}

/// Every alert of the rule files, by its name, in the order of the files.
fn alerts() -> Vec<(String, Alert)> {
    let mut alerts = Vec::new();
    for (_, text) in files(&overlay::shipped(), ".rules.yml") {
        let file: Value = serde_norway::from_str(&text).unwrap();
        let groups = file["groups"].as_sequence().unwrap();
        for rule in groups
            .iter()
            .flat_map(|group| group["rules"].as_sequence().unwrap())
        {
            let Some(name) = rule["alert"].as_str() else {
                continue;
            };
            let text = |of: &str, what: &str| {
                let found = rule[of][what].as_str();
                found
                    .unwrap_or_else(|| panic!("{name} has no {what}"))
                    .to_owned()
            };
            let alert = Alert {
                severity: text("labels", "severity"),
                summary: text("annotations", "summary"),
                runbook: text("annotations", "runbook_url"),
            };
            alerts.push((name.to_owned(), alert));
        }
    }
    assert!(alerts.len() > 40, "the rule files were not read");
    alerts
}

/// Which test drills each alert, and what ends it there.
fn drills() -> BTreeMap<&'static str, (&'static str, Cure)> {
    let mut drills = BTreeMap::new();
    for test in TESTS {
        for (alert, cure) in test.drills {
            let before = drills.insert(*alert, (test.name, *cure));
            assert!(before.is_none(), "{alert} is drilled by two tests");
        }
    }
    drills
}

/// Whether a page has commands that cure.
fn has_fix(alert: &str) -> bool {
    let blocks = Runbook::of(alert).blocks;
    blocks
        .iter()
        .any(|block| block.heading == "Fixes" && block.kind != Kind::Check)
}

/// The names of the tests in the file of an alert's unit tests that expect or refuse that very alert.
fn cases(alert: &str) -> BTreeSet<String> {
    let path = overlay::shipped()
        .join("tests")
        .join(format!("{alert}.yml"));
    let Ok(text) = std::fs::read_to_string(path) else {
        return BTreeSet::new();
    };
    let file: Value = serde_norway::from_str(&text).unwrap();
    let tests = file["tests"].as_sequence().unwrap().iter();
    let of_alert = tests.filter(|test| {
        let looks = test["alert_rule_test"].as_sequence();
        looks.is_some_and(|looks| looks.iter().any(|look| look["alertname"] == *alert))
    });
    of_alert
        .map(|test| test["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_alert_has_a_runbook_four_unit_tests_and_a_drill() {
    let (alerts, drills) = (alerts(), drills());
    let mut wrong = Vec::new();
    for (name, alert) in &alerts {
        if !alert.runbook.ends_with(&format!("/{name}.md")) {
            wrong.push(format!("{name}: its runbook is {}", alert.runbook));
        }
        if !runbook::folder().join(format!("{name}.md")).exists() {
            wrong.push(format!("{name}: there is no runbook"));
        } else if Runbook::of(name).headings != HEADINGS {
            let headings = Runbook::of(name).headings;
            wrong.push(format!("{name}: the runbook's headings are {headings:?}"));
        }
        let cases = cases(name);
        for case in CASES {
            if !cases.contains(case) {
                wrong.push(format!("{name}: no unit test {case:?}"));
            }
        }
        match drills.get(name.as_str()) {
            None => wrong.push(format!("{name}: no drill")),
            Some((_, Cure::Page | Cure::Hand(_))) if !has_fix(name) => {
                wrong.push(format!("{name}: cured by a page without a fix"));
            }
            Some(_) => {}
        }
    }
    let names: BTreeSet<&str> = alerts.iter().map(|(name, _)| name.as_str()).collect();
    let is_orphan = |name: &&(String, String)| {
        name.0.starts_with(char::is_uppercase)
            && name.0 != "README"
            && !names.contains(name.0.as_str())
    };
    let pages = files(&runbook::folder(), ".md");
    let units = files(&overlay::shipped().join("tests"), ".yml");
    for (name, _) in pages.iter().chain(&units).filter(is_orphan) {
        wrong.push(format!("{name}: there is no such alert"));
    }
    for name in drills.keys().filter(|name| !names.contains(*name)) {
        wrong.push(format!("{name}: a drill of what is no alert"));
    }
    assert_eq!(names.len(), alerts.len(), "two alerts have one name");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_the_alerts_is_of_today() {
    let (alerts, drills) = (alerts(), drills());
    let mut table = String::from(
        "| alert | severity | says | unit tests | drill | ended there by |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for (name, alert) in &alerts {
        let (test, cure) = drills[name.as_str()];
        let ended = match cure {
            Cure::Page => "the page's commands alone".to_owned(),
            Cure::Hand(what) => format!("a person: {what}; then the page's command"),
            Cure::Outside(what) => format!("*outside*: {what}"),
            Cure::Past(what) => format!("time: it tells of {what}"),
        };
        table.push_str(&format!(
            "| [{name}](../runbooks/{name}.md) | {} | {} | [4](../alerts/tests/{name}.yml) | `{test}` | {ended} |\n",
            alert.severity,
            alert.summary.replace('|', "\\|"),
        ));
    }
    let path = root().join("docs/OPERATIONS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let [begin, end] = MARKS.map(|mark| page.find(mark).unwrap_or_else(|| panic!("no {mark}")));
    let of_today = format!("{}{}{table}{}", &page[..begin], MARKS[0], &page[end..]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &of_today).unwrap();
    }
    assert!(
        page == of_today || std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/OPERATIONS.md is out of date: UPDATE_DOCS=1 cargo test --test it alerts::complete"
    );
}
