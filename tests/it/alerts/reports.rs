//! The reports of `docs/OPERATIONS.md` say what happened: their formulas are taken out of the page and put to
//! promtool, over a time of which it is known.

use crate::support::outside::outside;
use crate::support::overlay::shipped;
use std::path::Path;
use std::process::Command;

/// Three hours in the place of 30 days: the formulas are the same, and no test evaluates 30 days.
const SHORT: [(&str, &str); 2] = [("30d", "3h"), ("30 * 86400", "3 * 3600")];
/// One answer in a hundred failed, one payment in 50 was slow, and of ten minutes nobody answered in one.
const SERIES: &str = r#"
      - series: 'up{job="xrpayd", instance="a"}'
        values: '1x80 0x17 1x81'
      - series: 'up{job="xrpayd", instance="b"}'
        values: '1x70 0x30 1x78'
      - series: 'http_requests_total{job="xrpayd", instance="a", method="POST", route="/v1/payments", status="201"}'
        values: '0+99x180'
      - series: 'http_requests_total{job="xrpayd", instance="a", method="POST", route="/v1/payments", status="503"}'
        values: '0+1x180'
      - series: 'payment_stage_seconds_count{job="xrpayd", instance="a", stage="accepted_to_final"}'
        values: '0+50x180'
      - series: 'payment_stage_seconds_bucket{job="xrpayd", instance="a", stage="accepted_to_final", le="25"}'
        values: '0+49x180'
"#;
/// The same without a single failure.
const SOUND: &str = r#"
      - series: 'up{job="xrpayd", instance="a"}'
        values: '1x180'
      - series: 'http_requests_total{job="xrpayd", instance="a", method="POST", route="/v1/payments", status="201"}'
        values: '0+99x180'
      - series: 'payment_stage_seconds_count{job="xrpayd", instance="a", stage="accepted_to_final"}'
        values: '0+50x180'
      - series: 'payment_stage_seconds_bucket{job="xrpayd", instance="a", stage="accepted_to_final", le="25"}'
        values: '0+50x180'
"#;
/// What each line of the report says of the one time and of the other, to two places.
const EXPECTED: [(&str, f64, f64); 6] = [
    ("availability, ", 0.89, 1.0),
    ("of that: share of the answers", 0.99, 1.0),
    ("of that: share of the time", 0.9, 1.0),
    ("left of the budget for failed answers", -9.0, 1.0),
    ("share that ended within 25 s", 0.98, 1.0),
    ("left of the budget for slow payments", -1.0, 1.0),
];

fn shortened(text: &str) -> String {
    let replaced = |text: String, (long, short): &(&str, &str)| text.replace(long, short);
    SHORT.iter().fold(text.to_owned(), replaced)
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The lines of the monthly report: what each says it is, and its formula.
fn asked() -> Vec<(String, String)> {
    let line = regex::Regex::new(r#"(?m)^ask "([^"]+)" '([^']+)'$"#).unwrap();
    let page = page("OPERATIONS.md");
    let found = line.captures_iter(&page);
    found
        .map(|one| (one[1].to_owned(), one[2].to_owned()))
        .collect()
}

#[test]
fn the_reports_say_what_happened_and_count_the_time_in_which_nobody_answered() {
    let asked = asked();
    let formula = |begins: &str| {
        let found = asked.iter().find(|(what, _)| what.starts_with(begins));
        let (_, formula) = found.unwrap_or_else(|| panic!("the report has no line {begins:?}"));
        formula.clone()
    };
    let slo = page("SLO.md");
    let promised = formula("availability, ");
    assert!(
        slo.contains(&promised),
        "SLO.md reckons otherwise than {promised}"
    );
    let operations = page("OPERATIONS.md");
    for weekly in [
        "job:http_error_budget:left30d",
        "job:payment_slow_budget:left30d",
    ] {
        let asks = format!("promtool query instant \"$PROMETHEUS\" '{weekly}'");
        assert!(
            operations.contains(&asks),
            "the weekly look has no {weekly}"
        );
    }
    let Some(promtool) = outside("XRPAYD_TEST_PROMTOOL", "the reports", "packages.sh") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rules = std::fs::read_to_string(shipped().join("slo.rules.yml")).unwrap();
    std::fs::write(folder.path().join("slo.rules.yml"), shortened(&rules)).unwrap();
    let mut text = "rule_files: [slo.rules.yml]\nevaluation_interval: 1m\ntests:\n".to_owned();
    for (is_sound, series) in [(false, SERIES), (true, SOUND)] {
        text.push_str(&format!("  - interval: 1m\n    input_series:{series}"));
        text.push_str("    promql_expr_test:\n");
        for (begins, faulty, sound) in EXPECTED {
            let value = if is_sound { sound } else { faulty };
            let formula = shortened(&formula(begins)).replace('\'', "''");
            text.push_str(&format!(
                "      - expr: 'sum(round({formula}, 0.01))'\n        eval_time: 179m\n        \
                 exp_samples: [{{labels: '{{}}', value: {value}}}]\n"
            ));
        }
    }
    std::fs::write(folder.path().join("reports.yml"), &text).unwrap();
    let mut command = Command::new(promtool);
    let tested = command
        .args(["test", "rules", "reports.yml"])
        .current_dir(folder.path());
    let tested = tested.output().unwrap();
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    let errors = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{said}{errors}{text}");
}
