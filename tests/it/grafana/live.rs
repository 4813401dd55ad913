//! Every question of every dashboard, put to a real Prometheus that watches a daemon at work: payments of
//! several ends, webhooks, deposits, refusals, a pause.

use super::board::{Query, boards, filled_in, label_values};
use crate::drills::scene::{SHOP, Scene};
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use crate::support::overlay::Overlay;
use crate::support::prometheus::{Labels, PATIENCE, Prometheus};
use crate::support::receiver::{Manner, Receiver};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LAYER: &str = "[webhooks]\nallow_http = true\nallow_private = true\n\
     [rate_limit]\nper_minute = 20\n[reconcile]\ninterval = \"2s\"\n";

/// What has no answer while all is well, or while a test is short: the end of the place where it is asked,
/// and why. It is asked all the same, so that what Prometheus cannot read is found.
const SILENT: &[(&str, &str)] = &[
    ("Alerts (A)", "nothing fires in good times"),
    (
        "Rollout stage changed",
        "a stage changes seldom, and never at a start",
    ),
    ("Since the last backup (A)", "there never was one"),
    ("Frames of no use (A)", "servers that work send none"),
    (
        "Spans by what became of them (A)",
        "no collector is configured",
    ),
    ("Answered (A)", "alerts::front asks it, beside a prober"),
    ("Certificate ends in (A)", "the same"),
    ("Time of a probe (A)", "the same"),
];

/// One round of everything that the daemon counts.
async fn work(scene: &Scene, round: u32) {
    let paid = scene.pay_one(round * 10 + 1, "1").await;
    let malformed = round * 10 + 2;
    let answer = json!({ "command": "sandbox_fault", "server": "all", "kind": "answer_submit",
        "destination_tag": malformed, "result": "temMALFORMED", "taken": false });
    scene.ledger.ask(answer).await;
    let failed = scene.pay_one(malformed, "1").await;
    for id in [paid, failed] {
        let is_final = |payment: &Value| payment["status"] != "processing";
        scene.merchant.payment(&id, is_final).await;
    }
    let fund = json!({ "command": "sandbox_fund", "account": WALLET.0, "drops": "5000000" });
    scene.ledger.ask(fund).await;
    let stranger = reqwest::get(format!("{}/v1/payments", scene.setup.api)).await;
    assert_eq!(stranger.unwrap().status(), 401);
}

/// Writes with a key of its own until its limit is used up.
async fn too_many(scene: &Scene) {
    let hasty = scene.setup.create_key("hasty", &["payments:write"]);
    let hasty = Merchant::new(&scene.setup.api, &hasty);
    let order = json!({ "destination": SHOP, "amount": { "currency": "XRP", "value": "0" } });
    for tried in 0.. {
        let (status, answer) = hasty.post("/v1/payments", Some("none"), &order).await;
        if status == 429 {
            return;
        }
        assert!(tried < 100, "no limit: {status} {answer}");
    }
}

/// Whether an answer shows something, with the labels that the legend names.
fn shows(query: &Query, answer: &[(Labels, f64)]) -> bool {
    let is_named = |labels: &Labels| {
        let mut names = query.legend.split("{{").skip(1);
        names.all(|rest| labels.contains_key(rest.split('}').next().unwrap()))
    };
    let mut series = answer.iter();
    series.any(|(labels, value)| value.is_finite() && is_named(labels))
}

fn is_silent(query: &Query) -> bool {
    let mut places = SILENT.iter();
    places.any(|(place, _why)| query.place.ends_with(&format!(": {place}")))
}

/// Asks everything; what shows nothing.
async fn unanswered(prometheus: &Prometheus, queries: &[Query]) -> Vec<String> {
    let mut missing = Vec::new();
    for query in queries {
        let answer = prometheus.query(&filled_in(&query.expression)).await;
        if !shows(query, &answer) && !is_silent(query) {
            missing.push(format!(
                "{}: {} = {answer:?}",
                query.place, query.expression
            ));
        }
    }
    missing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_of_every_dashboard_has_an_answer_while_a_daemon_works() {
    let scene = Scene::new("500ms", "1000", LAYER);
    let target = scene.setup.metrics.trim_start_matches("http://");
    let target = target.trim_end_matches("/metrics").to_owned();
    // Nobody is told: an Alertmanager that is away is no matter here.
    let overlay = Overlay::of_the_repository().watching(&[&target], "127.0.0.1:1");
    let Some(prometheus) = Prometheus::start(scene.folder(), &overlay).await else {
        return;
    };
    let _daemon = scene.start().await;
    let shop = Receiver::start(Manner::Well).await;
    let admin = scene.setup.create_key("ops", &["admin", "webhooks:write"]);
    let admin = Merchant::new(&scene.setup.api, &admin);
    let endpoint = json!({ "url": shop.url(), "events": ["payment.*"], "all_clients": true });
    let (status, made) = admin.say("/v1/webhook-endpoints", &endpoint).await;
    assert_eq!(status, 201, "{made:#}");
    // What is counted is seen before and after more of it, so that it has a rate.
    work(&scene, 1).await;
    too_many(&scene).await;
    let refused = "auth_failures_total > 0 and on (instance) rate_limited_total > 0";
    prometheus.until(refused, |series| !series.is_empty()).await;
    let pause = json!({ "scope": "wallet:hot", "reason": "a test" });
    work(&scene, 2).await;
    assert_eq!(admin.say("/v1/pause", &pause).await.0, 200);

    let queries: Vec<Query> = boards().iter().flat_map(super::Board::queries).collect();
    assert!(queries.len() > 100, "{}", queries.len());
    for (place, _why) in SILENT {
        let mut all = queries.iter();
        let is_there = all.any(|query| query.place.ends_with(&format!(": {place}")));
        assert!(is_there, "nothing is called {place}");
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let missing = unanswered(&prometheus, &queries).await;
        if missing.is_empty() {
            break;
        }
        let told = missing.join("\n");
        assert!(
            Instant::now() < deadline,
            "no answer to\n{told}\n{}",
            prometheus.log()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // What a variable offers is a label of what it asks.
    for board in boards() {
        let variables = board.variables().iter();
        for asked in variables.filter_map(|variable| variable["query"]["query"].as_str()) {
            let (selector, label) = label_values(asked);
            let offered = prometheus.query(&filled_in(selector)).await;
            assert!(
                offered.iter().any(|(labels, _)| labels.contains_key(label)),
                "{asked}"
            );
        }
    }
}
