//! Spans as OpenTelemetry's protocol has them in JSON: identifiers in hexadecimal, numbers of 64 bits as
//! texts.

use super::span::{Span, Value};
use serde_json::{Value as Json, json};

/// Who sends.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The replica's name.
    pub name: String,
    /// What kind of place it is.
    pub profile: String,
}

/// The body of a request that brings these spans.
#[must_use]
pub fn request_body(instance: &Instance, spans: &[Span]) -> Vec<u8> {
    let resource = [
        ("service.name", "xrpayd"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &instance.name),
        ("deployment.environment.name", &instance.profile),
    ];
    let resource: Vec<Json> = resource
        .into_iter()
        .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
        .collect();
    let spans: Vec<Json> = spans.iter().map(of).collect();
    let body = json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "xrpayd", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }] });
    body.to_string().into_bytes()
}

fn of(span: &Span) -> Json {
    let attributes: Vec<Json> = span
        .attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Value::Text(text) => json!({ "stringValue": text }),
                Value::Number(number) => json!({ "intValue": number.to_string() }),
                Value::Switch(switch) => json!({ "boolValue": switch }),
            };
            json!({ "key": key, "value": value })
        })
        .collect();
    let mut told = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": span.kind.number(),
        "startTimeUnixNano": span.began_ns.to_string(),
        "endTimeUnixNano": span.ended_ns.to_string(),
        "attributes": attributes,
        // 2 is an error; what went well is left for the reader to judge.
        "status": if span.failed { json!({ "code": 2 }) } else { json!({}) },
        "flags": 1,
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    if let Some((trace, id)) = span.link {
        let link = json!({ "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}") });
        told["links"] = json!([link]);
    }
    told
}
