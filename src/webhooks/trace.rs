//! A try to deliver a webhook as a span of its object's trace, under which the receiver may go on.

use super::post::{Answer, Outcome};
use crate::telemetry::traces::{TARGET, traceparent};
use hyper::HeaderMap;
use serde::Deserialize;
use tracing::Span;
use tracing::field::Empty;

/// What a message is about.
#[derive(Deserialize)]
struct About {
    #[serde(rename = "type")]
    type_: String,
    data: Subject,
}

#[derive(Deserialize)]
struct Subject {
    id: Option<String>,
}

/// The span of a try; nobody's where traces are off.
pub(super) fn of_message(id: &str, body: &str) -> Span {
    if !tracing::span_enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let about: Option<About> = serde_json::from_str(body).ok();
    let subject = about.as_ref().and_then(|about| about.data.id.as_deref());
    tracing::info_span!(
        target: TARGET, "webhook", trace.of = subject, webhook.message = id, object.id = subject,
        payment.id = subject.filter(|id| id.starts_with("pay_")),
        event.kind = about.as_ref().map(|about| about.type_.as_str()),
        http.status = Empty, outcome = Empty, span.failed = Empty
    )
}

/// Tells the receiver under which span it is asked.
pub(super) fn name_in(headers: &mut HeaderMap, span: &Span) {
    if let Some(value) = traceparent(span).and_then(|text| text.parse().ok()) {
        headers.insert("traceparent", value);
    }
}

/// Tells what came of the try.
pub(super) fn ended(span: &Span, answer: &Answer) {
    span.record("outcome", answer.outcome.as_str());
    span.record("span.failed", answer.outcome != Outcome::Delivered);
    if let Some(status) = answer.status {
        span.record("http.status", status);
    }
}
