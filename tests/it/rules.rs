//! The rules of the alerts, as Prometheus and Alertmanager themselves read them: sound files, four cases an
//! alert, and who is told of what. That they fire in a running service is shown in `alerts`.

use crate::support::outside::outside;
use crate::support::overlay::shipped;
use serde_norway::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What each alert is held against.
const CASES: [&str; 4] = ["fires", "stays quiet", "data absent", "on the boundary"];
/// The files with rules.
const RULE_FILES: [&str; 2] = ["xrpayd.rules.yml", "slo.rules.yml"];
/// The dashboards that are shipped.
const DASHBOARDS: [&str; 6] = ["overview", "payments", "pool", "wallets", "http", "process"];

fn tool(variable: &str) -> Option<Command> {
    let program = outside(variable, "the tests of the alerts' rules", "packages.sh")?;
    let mut command = Command::new(program);
    command.current_dir(shipped());
    Some(command)
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn yaml(name: &str) -> Value {
    let text = std::fs::read_to_string(shipped().join(name)).unwrap();
    serde_norway::from_str(&text).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value.get(key).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {key} in {value:?}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_sequence).unwrap()
}

/// Every rule that alerts, by its name.
fn alerts() -> BTreeMap<String, Value> {
    let mut alerts = BTreeMap::new();
    for file in RULE_FILES {
        for group in list(&yaml(file), "groups") {
            for rule in list(group, "rules") {
                if rule.get("alert").is_some() {
                    let name = text(rule, "alert").to_owned();
                    assert!(alerts.insert(name, rule.clone()).is_none(), "{rule:?}");
                }
            }
        }
    }
    alerts
}

/// The files with the cases of the alerts.
fn cases() -> BTreeMap<String, PathBuf> {
    let folder = std::fs::read_dir(shipped().join("tests")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, path)
        })
        .collect()
}

#[test]
fn prometheus_and_alertmanager_take_the_files() {
    let Some(mut promtool) = tool("XRPAYD_TEST_PROMTOOL") else {
        return;
    };
    let checked = promtool.args(["check", "config", "--lint-fatal", "prometheus.yml"]);
    let checked = checked.output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let Some(mut amtool) = tool("XRPAYD_TEST_AMTOOL") else {
        return;
    };
    let checked = amtool.args(["check-config", "alertmanager.yml"]);
    let checked = checked.output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let Some(mut blackbox) = tool("XRPAYD_TEST_BLACKBOX") else {
        return;
    };
    let checked = blackbox.args(["--config.check", "--config.file=blackbox.yml"]);
    let checked = checked.output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let Some(mut yamllint) = tool("XRPAYD_TEST_YAMLLINT") else {
        return;
    };
    let style = "{extends: default, rules: {line-length: {max: 120, ignore: tests/}}}";
    let linted = yamllint
        .args(["--strict", "-d", style, "."])
        .output()
        .unwrap();
    assert!(linted.status.success(), "{}", said(&linted));
}

#[test]
fn every_alert_fires_stays_quiet_bears_no_data_and_keeps_to_its_boundary() {
    let cases = cases();
    let alerts = alerts();
    let names: BTreeSet<&String> = alerts.keys().collect();
    assert_eq!(names, cases.keys().collect::<BTreeSet<_>>());
    for (alert, path) in &cases {
        let text_of = std::fs::read_to_string(path).unwrap();
        let file: Value = serde_norway::from_str(&text_of).unwrap();
        let tests = list(&file, "tests");
        let found: BTreeSet<&str> = tests.iter().map(|test| text(test, "name")).collect();
        assert_eq!(found, BTreeSet::from(CASES), "{alert}");
        for test in tests {
            let checks = list(test, "alert_rule_test");
            assert!(checks.iter().all(|check| text(check, "alertname") == alert));
        }
        let fires_in = |case: &str| {
            let alike = tests.iter().filter(|test| text(test, "name") == case);
            let mut checks = alike.flat_map(|test| list(test, "alert_rule_test"));
            checks.any(|check| !list(check, "exp_alerts").is_empty())
        };
        assert!(fires_in("fires") && fires_in("on the boundary"), "{alert}");
        assert!(!fires_in("stays quiet"), "{alert}");
    }
    let Some(mut promtool) = tool("XRPAYD_TEST_PROMTOOL") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let alone = cases
        .iter()
        .map(|(alert, path)| alone(folder.path(), alert, path));
    let tested = promtool.args(["test", "rules"]).args(alone);
    let tested = tested.output().unwrap();
    assert!(tested.status.success(), "{}", said(&tested));
}

/// The cases of one alert beside a copy of the rules without the other alerts, which would all be evaluated
/// at each step and make it minutes.
fn alone(folder: &Path, alert: &str, path: &Path) -> PathBuf {
    let folder = folder.join(alert);
    std::fs::create_dir_all(folder.join("tests")).unwrap();
    for name in RULE_FILES {
        let mut file = yaml(name);
        let groups = file.get_mut("groups").and_then(Value::as_sequence_mut);
        for group in groups.unwrap() {
            let rules = group.get_mut("rules").and_then(Value::as_sequence_mut);
            rules.unwrap().retain(|rule| match rule.get("alert") {
                Some(name) => name.as_str() == Some(alert),
                None => true,
            });
        }
        let text = serde_norway::to_string(&file).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    }
    let copy = folder.join("tests").join(path.file_name().unwrap());
    std::fs::copy(path, &copy).unwrap();
    copy
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_is_and_where_to_look() {
    for (name, rule) in alerts() {
        let (labels, notes) = (&rule["labels"], &rule["annotations"]);
        let severity = text(labels, "severity");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}"
        );
        assert!(!text(labels, "area").is_empty(), "{name}");
        assert!(!text(notes, "summary").is_empty(), "{name}");
        let description = text(notes, "description");
        let tells_value = description.contains("$value");
        let has_none = ["Watchdog", "XrpaydTargetAbsent"].contains(&name.as_str());
        assert!(tells_value || has_none, "{name} does not tell its value");
        let runbook = format!("https://ops.example.com/runbooks/{name}.md");
        assert_eq!(text(notes, "runbook_url"), runbook);
        let dashboard = text(notes, "dashboard");
        let uid = dashboard.strip_prefix("https://ops.example.com/grafana/d/xrpayd-");
        assert!(DASHBOARDS.contains(&uid.unwrap()), "{name}: {dashboard}");
    }
}

/// Who hears of what has these labels, as Alertmanager itself says.
fn receiver(labels: &[String]) -> Option<String> {
    let mut amtool = tool("XRPAYD_TEST_AMTOOL")?;
    let test = ["config", "routes", "test", "--config.file=alertmanager.yml"];
    let routed = amtool.args(test).args(labels).output().unwrap();
    assert!(routed.status.success(), "{}", said(&routed));
    // On standard error it may say where it took its settings from.
    let told = String::from_utf8_lossy(&routed.stdout);
    Some(told.trim().to_owned())
}

#[test]
fn critical_wakes_somebody_the_rest_goes_to_the_chat_and_the_watchdog_to_its_switch() {
    for (name, rule) in alerts() {
        let severity = text(&rule["labels"], "severity");
        let expected = match (name.as_str(), severity) {
            ("Watchdog", _) => "deadman",
            (_, "critical") => "pager",
            _ => "chat",
        };
        let labels = [
            format!("alertname={name}"),
            format!("severity={severity}"),
            "job=xrpayd".to_owned(),
        ];
        match receiver(&labels) {
            Some(told) => assert_eq!(told, expected, "{name}"),
            None => return,
        }
    }
    // What nobody thought of is not lost.
    let stray = receiver(&["alertname=Stray".to_owned(), "severity=odd".to_owned()]);
    assert_eq!(stray.as_deref(), Some("chat"));
}

#[test]
fn ends_are_told_repeats_come_after_four_hours_and_no_secret_is_in_the_file() {
    let config = yaml("alertmanager.yml");
    let route = &config["route"];
    assert_eq!(text(route, "repeat_interval"), "4h");
    assert_eq!(route["group_by"][0].as_str(), Some("alertname"));
    for receiver in list(&config, "receivers") {
        for hook in list(receiver, "webhook_configs") {
            let is_switch = text(receiver, "name") == "deadman";
            assert_eq!(hook["send_resolved"].as_bool(), Some(!is_switch));
            let told_by = &hook["http_config"]["authorization"];
            let file = text(told_by, "credentials_file");
            assert!(file.starts_with("/run/secrets/"), "{file}");
            assert!(told_by.get("credentials").is_none());
            // No name that nginx answers for: what is sent there is told to nobody.
            let expected = format!("https://{}.example.net/alerts", text(receiver, "name"));
            assert_eq!(text(hook, "url"), expected);
        }
    }
}

/// The alerts that a list of matchers names.
fn named(matchers: &[Value]) -> Vec<String> {
    let mut names = Vec::new();
    for matcher in matchers {
        let matcher = matcher.as_str().unwrap();
        let rest = matcher.trim_start_matches("alertname").trim_start();
        let words = rest.trim_start_matches(['=', '~', ' ']).trim_matches('"');
        names.extend(words.split('|').map(str::to_owned));
    }
    names
}

#[test]
fn a_page_is_silenced_only_by_a_page_and_nothing_by_what_does_not_exist() {
    let alerts = alerts();
    let severity = |name: &String| {
        let rule = alerts.get(name);
        let rule = rule.unwrap_or_else(|| panic!("there is no alert {name}"));
        text(&rule["labels"], "severity").to_owned()
    };
    let config = yaml("alertmanager.yml");
    let mut silenced = BTreeSet::new();
    for rule in list(&config, "inhibit_rules") {
        // Without it one service's trouble would hide another's.
        assert_eq!(rule["equal"][0].as_str(), Some("job"), "{rule:?}");
        for source in named(list(rule, "source_matchers")) {
            for target in named(list(rule, "target_matchers")) {
                let (of_source, of_target) = (severity(&source), severity(&target));
                assert!(of_target != "critical" || of_source == "critical");
                assert_ne!(source, target);
                silenced.insert((source.clone(), target));
            }
        }
    }
    for (source, target) in [
        ("WalletBalanceCritical", "WalletBalanceLow"),
        ("FrontCertificateEnds", "FrontCertificateEndsSoon"),
        ("PaymentsFailingBadly", "PaymentsFailing"),
        ("XrplUnreachable", "XrplServerDown"),
        ("XrpaydDown", "XrpaydReplicaDown"),
        ("HttpVerySlow", "HttpSlow"),
    ] {
        let pair = (source.to_owned(), target.to_owned());
        assert!(silenced.contains(&pair), "{pair:?}");
    }
    // Two that silence each other would both be lost.
    let back = |(source, target): &(String, String)| (target.clone(), source.clone());
    assert!(silenced.iter().all(|pair| !silenced.contains(&back(pair))));
}
