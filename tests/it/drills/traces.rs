//! Traces of a real daemon at a collector that takes them, refuses them, hangs, or is away.

use super::scene::{GRACE, SHOP, Scene};
use crate::support::merchant::Merchant;
use crate::support::receiver::{Heard, Manner, Receiver};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TOKEN: &str = "a-token-of-the-collector";

/// Every span that a collector was sent.
fn spans(heard: &[Heard]) -> Vec<Value> {
    let mut all = Vec::new();
    for request in heard {
        let body = request.json();
        let found = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array();
        all.extend(found.unwrap().iter().cloned());
    }
    all
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a str {
    let all = span["attributes"].as_array().unwrap();
    let found = all.iter().find(|attribute| attribute["key"] == key);
    let text = found.and_then(|found| found["value"]["stringValue"].as_str());
    text.unwrap_or_default()
}

fn named<'a>(spans: &'a [Value], name: &str, key: &str, value: &str) -> Vec<&'a Value> {
    let all = spans.iter().filter(|span| span["name"] == name);
    all.filter(|span| attribute(span, key) == value).collect()
}

fn collected_by(collector: &Receiver, more: &str) -> String {
    format!(
        "[telemetry]\notlp_endpoint = \"{}\"\n{more}",
        collector.url()
    )
}

/// Has every payment that succeeds told to a shop, whoever asked for it.
async fn told_at(scene: &Scene, shop: &Receiver) {
    let key = scene.setup.create_key("ops", &["admin", "webhooks:write"]);
    let admin = Merchant::new(&scene.setup.api, &key);
    let endpoint =
        json!({ "url": shop.url(), "events": ["payment.succeeded"], "all_clients": true });
    let (status, made) = admin.say("/v1/webhook-endpoints", &endpoint).await;
    assert_eq!(status, 201, "{made:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_followed_from_its_request_over_the_ledger_to_its_webhook() {
    let (collector, shop) = (
        Receiver::start(Manner::Well).await,
        Receiver::start(Manner::Well).await,
    );
    let secrets = tempfile::tempdir().unwrap();
    let headers = secrets.path().join("headers");
    std::fs::write(&headers, format!("authorization: Bearer {TOKEN}\n")).unwrap();
    let headers = format!("otlp_headers = \"file:{}\"\n", headers.display());
    let webhooks = "[webhooks]\nallow_http = true\nallow_private = true\n";
    let layer = collected_by(&collector, &format!("{headers}{webhooks}"));
    let scene = Scene::new("500ms", "1000", &layer);
    let daemon = scene.start().await;
    told_at(&scene, &shop).await;
    let http = reqwest::Client::new();
    let scopes = ["payments:write", "payments:read"];
    let key = scene.setup.create_key("till", &scopes);
    let asked = http
        .post(format!("{}/v1/payments", scene.setup.api))
        .bearer_auth(&key)
        .header("idempotency-key", "traced")
        .header("x-request-id", "req_of_the_till")
        .header("traceparent", CALLER)
        .json(&json!({ "destination": SHOP, "destination_tag": 1,
            "amount": { "currency": "XRP", "value": "1" } }))
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status(), 201);
    let id = asked.json::<Value>().await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    collector
        .until(|heard| {
            let spans = spans(heard);
            ["payment", "webhook"]
                .iter()
                .all(|name| !named(&spans, name, "payment.id", &id).is_empty())
        })
        .await;
    let heard = collector.heard();
    for request in &heard {
        assert_eq!(request.path, "/hooks/v1/traces");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
    }
    let spans = spans(&heard);
    let request = named(&spans, "http", "request.id", "req_of_the_till")[0];
    assert_eq!(request["traceId"], TRACE);
    assert_eq!(request["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(attribute(request, "payment.id"), id);

    // One query finds the whole way: everything in the trace of the payment.
    let accept = named(&spans, "accept", "request.id", "req_of_the_till")[0];
    let trace = accept["traceId"].as_str().unwrap();
    assert_eq!(accept["links"][0]["spanId"], request["spanId"]);
    let of_payment = |span: &&Value| span["traceId"] == trace;
    let whole: Vec<&Value> = spans.iter().filter(of_payment).collect();
    let names: BTreeSet<&str> = whole
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    let all = ["accept", "payment", "sign", "submit", "validate", "webhook"];
    assert_eq!(names, BTreeSet::from(all));
    let till = Merchant::new(&scene.setup.api, &key);
    let payment = till.get(&format!("/v1/payments/{id}")).await;
    let root = named(&spans, "payment", "payment.id", &id)[0];
    assert_eq!(root["parentSpanId"], Value::Null);
    for span in &whole {
        assert_eq!(attribute(span, "payment.id"), id);
        let began: u64 = span["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
        let ended: u64 = span["endTimeUnixNano"].as_str().unwrap().parse().unwrap();
        assert!(began <= ended, "{span:#}");
        if span["name"] != "payment" {
            assert_eq!(span["parentSpanId"], root["spanId"], "{span:#}");
        }
        if ["sign", "submit", "validate", "payment"].contains(&span["name"].as_str().unwrap()) {
            assert_eq!(attribute(span, "tx.hash"), payment["tx_hash"], "{span:#}");
        }
    }
    // The receiver of the webhook may go on in the same trace.
    let told = shop.heard()[0].headers["traceparent"]
        .to_str()
        .unwrap()
        .to_owned();
    let webhook = named(&spans, "webhook", "payment.id", &id)[0];
    let span = webhook["spanId"].as_str().unwrap();
    assert_eq!(told, format!("00-{trace}-{span}-01"));
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let log = std::fs::read_to_string(scene.setup.log_path()).unwrap();
    assert!(!log.contains(TOKEN), "the collector's token is logged");
    let of_request = log
        .lines()
        .find(|line| line.contains("a payment is accepted"));
    let line: Value = serde_json::from_str(of_request.unwrap()).unwrap();
    assert_eq!(line["request.id"], "req_of_the_till");
    assert_eq!(line["payment.id"], id.as_str());
    assert_eq!(line["span"]["trace.id"], TRACE);
    let ended = log
        .lines()
        .find(|line| line.contains("a payment has its end"));
    let line: Value = serde_json::from_str(ended.unwrap()).unwrap();
    assert_eq!(line["payment.id"], id.as_str());
    assert_eq!(line["tx.hash"], payment["tx_hash"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_refuses_or_is_away_costs_spans_and_no_payment() {
    let collector = Receiver::start(Manner::Mutely).await;
    let layer = collected_by(&collector, "");
    let scene = Scene::new("500ms", "1000", &layer);
    let daemon = scene.start().await;
    let outcome = |of: &str| format!("trace_spans_total{{outcome=\"{of}\"}}");
    // It hangs, and payments are made meanwhile.
    scene.pay(1, 3).await;
    scene.all_succeed(3).await;
    collector.until(|heard| !heard.is_empty()).await;
    assert!(scene.metric(&outcome("sent")).await < 1.0);
    collector.behave(Manner::With(400, Vec::new()));
    scene
        .until_metric(&outcome("refused"), |count| count > 0.0)
        .await;
    collector.behave(Manner::Well);
    scene.pay(4, 1).await;
    scene
        .until_metric(&outcome("sent"), |count| count > 0.0)
        .await;
    // It hangs again at the end of the daemon, which does not wait for it.
    collector.behave(Manner::Mutely);
    scene.pay(5, 1).await;
    scene.all_succeed(5).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_nothing_is_traced_and_no_receiver_is_told_of_a_trace() {
    let shop = Receiver::start(Manner::Well).await;
    let layer = "[webhooks]\nallow_http = true\nallow_private = true\n";
    let scene = Scene::new("500ms", "1000", layer);
    let _daemon = scene.start().await;
    told_at(&scene, &shop).await;
    scene.pay(1, 1).await;
    shop.until(|heard| !heard.is_empty()).await;
    assert!(!shop.heard()[0].headers.contains_key("traceparent"));
    assert!(!scene.metrics().await.contains("trace_spans_total"));
}
