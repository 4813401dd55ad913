//! The dashboards as they are shipped: whether Grafana would take them, whether what they ask for exists
//! and everything that exists is asked for, and whether each question has an answer.

pub mod board;
mod live;
mod promql;

use crate::support::overlay::Overlay;
use board::{Board, boards};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd::telemetry::metrics::FAMILIES;

/// What Prometheus says of a target by itself.
const OF_PROMETHEUS: [(&str, &[&str]); 3] = [
    ("up", &[]),
    ("scrape_duration_seconds", &[]),
    ("ALERTS", &["alertname", "alertstate", "severity"]),
];
/// What the prober of the public name tells.
const OF_THE_PROBER: [&str; 3] = [
    "probe_duration_seconds",
    "probe_ssl_earliest_cert_expiry",
    "probe_success",
];
/// What the process collector tells.
const OF_THE_PROCESS: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];

/// Every series' name that there is, with the labels of its own, and the family that it is of.
fn series() -> BTreeMap<String, (BTreeSet<&'static str>, &'static str)> {
    let mut all = BTreeMap::new();
    for family in FAMILIES {
        let labels: BTreeSet<&str> = family.labels.iter().copied().collect();
        if family.kind == "HistogramVec" {
            for end in ["_bucket", "_sum", "_count"] {
                let mut labels = labels.clone();
                labels.extend((end == "_bucket").then_some("le"));
                all.insert(format!("{}{end}", family.name), (labels, family.name));
            }
        } else {
            all.insert(family.name.to_owned(), (labels, family.name));
        }
    }
    for name in OF_THE_PROCESS.into_iter().chain(OF_THE_PROBER) {
        all.insert(name.to_owned(), (BTreeSet::new(), name));
    }
    for (name, labels) in OF_PROMETHEUS {
        let labels = labels.iter().copied().collect();
        all.insert(name.to_owned(), (labels, name));
    }
    for (labels, _) in all.values_mut() {
        labels.extend(["job", "instance"]);
    }
    all
}

#[test]
fn nothing_is_asked_for_that_is_not_measured_and_everything_measured_is_asked_for() {
    let (series, mut asked) = (series(), BTreeSet::new());
    for board in boards() {
        for query in board.queries() {
            let named = promql::named(&query.expression);
            assert!(!named.metrics.is_empty(), "{}: asks nothing", query.place);
            let mut labels: BTreeSet<&str> = BTreeSet::new();
            for (metric, chosen_by) in &named.metrics {
                let known = series.get(metric);
                let (own, family) = known.unwrap_or_else(|| panic!("{}: {metric}", query.place));
                for label in chosen_by {
                    let is_own = own.contains(label.as_str());
                    assert!(is_own, "{}: {metric} has no {label}", query.place);
                }
                labels.extend(own);
                asked.insert(*family);
            }
            for label in &named.labels {
                let is_there = labels.contains(label.as_str());
                assert!(is_there, "{}: nothing has {label}", query.place);
            }
        }
    }
    let all: BTreeSet<&str> = series.values().map(|(_, family)| *family).collect();
    let unused: Vec<_> = all.difference(&asked).collect();
    assert!(unused.is_empty(), "on no dashboard: {unused:?}");
}

fn overlap(one: &Value, other: &Value) -> bool {
    let span = |panel: &Value, at: &str, size: &str| {
        let from = panel["gridPos"][at].as_u64().unwrap();
        from..from + panel["gridPos"][size].as_u64().unwrap()
    };
    let meet = |at, size| {
        let (a, b) = (span(one, at, size), span(other, at, size));
        a.start < b.end && b.start < a.end
    };
    meet("x", "w") && meet("y", "h")
}

/// Every data source that is named anywhere in it.
fn sources<'a>(json: &'a Value, found: &mut Vec<&'a Value>) {
    match json {
        Value::Object(fields) => {
            found.extend(fields.get("datasource"));
            fields.values().for_each(|field| sources(field, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| sources(element, found)),
        _ => {}
    }
}

fn is_told(json: &Value) -> bool {
    json.as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn every_dashboard_is_one_that_grafana_takes_and_a_person_understands() {
    let found = boards();
    let uids: Vec<&str> = found.iter().map(Board::uid).collect();
    let expected = ["http", "overview", "payments", "pool", "process", "wallets"];
    assert_eq!(uids, expected.map(|name| format!("xrpayd-{name}")));
    for board in &found {
        let (file, json) = (&board.file, &board.json);
        for field in ["title", "description", "refresh"] {
            assert!(is_told(&json[field]), "{file}: {field}");
        }
        assert!(json["id"].is_null(), "{file}: an id is the database's");
        assert_eq!(json["editable"], false, "{file}");
        assert!(json["version"].as_u64().is_some_and(|version| version > 0));
        assert!(json["schemaVersion"].as_u64().is_some_and(|of| of >= 39));
        let mut named = Vec::new();
        sources(json, &mut named);
        for source in named {
            let uid = source["uid"].as_str();
            let is_by_variable = matches!(uid, Some("${datasource}" | "-- Grafana --"));
            assert!(is_by_variable, "{file}: {source}");
        }
        let variables = board.variables().iter();
        let names: Vec<&str> = variables.map(|v| v["name"].as_str().unwrap()).collect();
        assert!(names.starts_with(&["datasource", "instance"]), "{file}");
        let annotations = board.annotations().map(|a| a["name"].as_str().unwrap());
        let annotations: Vec<&str> = annotations.collect();
        let shown = ["Rollout stage changed", "Replica started", "Paused"];
        assert_eq!(annotations, shown, "{file}");

        let mut ids = BTreeSet::new();
        for (place, panel) in board.panels().iter().enumerate() {
            let told = format!("{file}: {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{told}: its id");
            assert!(is_told(&panel["title"]), "{told}");
            let grid = |of: &str| panel["gridPos"][of].as_u64().unwrap();
            assert!(grid("x") + grid("w") <= 24, "{told} is too wide");
            for other in &board.panels()[..place] {
                assert!(!overlap(panel, other), "{told} over {}", other["title"]);
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(is_told(&panel["description"]), "{told}: no description");
            assert!(
                is_told(&panel["fieldConfig"]["defaults"]["unit"]),
                "{told}: no unit"
            );
            let references = panel["targets"].as_array().unwrap().iter();
            let references: BTreeSet<&str> = references
                .map(|target| target["refId"].as_str().unwrap())
                .collect();
            assert_eq!(references.len(), panel["targets"].as_array().unwrap().len());
            assert!(!references.is_empty(), "{told} shows nothing");
        }
    }
}

#[test]
fn every_link_leads_to_a_dashboard_that_is_there_or_to_a_runbook() {
    let found = boards();
    let uids: BTreeSet<&str> = found.iter().map(Board::uid).collect();
    let runbooks = "https://ops.example.com/runbooks/";
    let alerts = Overlay::of_the_repository();
    let alerts = format!(
        "{}{}",
        alerts.text("xrpayd.rules.yml"),
        alerts.text("slo.rules.yml")
    );
    for board in &found {
        let links = board.links();
        for url in &links {
            if let Some(path) = url.strip_prefix("/d/") {
                let uid = path.split('?').next().unwrap();
                assert!(uids.contains(uid), "{}: {url}", board.file);
            } else {
                let page = url.strip_prefix(runbooks);
                let page = page.unwrap_or_else(|| panic!("{}: {url}", board.file));
                // The page of an alert; that each alert has one is checked where alerts are.
                let alert = page.strip_suffix(".md");
                let is_shown =
                    alert.is_none_or(|alert| alerts.contains(&format!("- alert: {alert}\n")));
                assert!(is_shown, "{}: no alert {page}", board.file);
            }
        }
        let leads = |to: &str| links.iter().any(|url| url.starts_with(to));
        assert!(leads(runbooks), "{}: no runbook", board.file);
    }
    let overview = found.iter().find(|board| board.uid() == "xrpayd-overview");
    let links = overview.unwrap().links();
    for uid in uids.iter().filter(|uid| **uid != "xrpayd-overview") {
        let is_linked = links
            .iter()
            .any(|url| url.starts_with(&format!("/d/{uid}?")));
        assert!(is_linked, "no way from the overview to {uid}");
    }
}

fn provisioned(path: &str) -> Value {
    let path = board::folder().join("provisioning").join(path);
    serde_norway::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn what_is_provisioned_is_fixed_and_cannot_be_edited() {
    let sources = provisioned("datasources/prometheus.yml");
    let sources = sources["datasources"].as_array().unwrap();
    let of = |source: &Value| {
        let text = |field: &str| source[field].as_str().unwrap().to_owned();
        assert_eq!(source["editable"], false, "{source}");
        (text("uid"), text("type"), text("url"))
    };
    let shown: Vec<(String, String, String)> = sources.iter().map(of).collect();
    let wanted = [
        ("prometheus", "prometheus", "http://prometheus:9090"),
        ("alertmanager", "alertmanager", "http://alertmanager:9093"),
    ];
    let wanted = wanted.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(shown, wanted);
    assert_eq!(sources[0]["isDefault"], true);
    for board in boards() {
        // What a dashboard starts with is the source that is provisioned.
        assert_eq!(board.variables()[0]["current"]["value"], "prometheus");
    }

    let providers = provisioned("dashboards/xrpayd.yml");
    let [provider] = &providers["providers"].as_array().unwrap()[..] else {
        panic!("{providers}");
    };
    assert_eq!(provider["type"], "file");
    assert_eq!(provider["allowUiUpdates"], false);
    assert_eq!(provider["disableDeletion"], true);
    assert_eq!(provider["options"]["path"], "/var/lib/grafana/dashboards");
}
