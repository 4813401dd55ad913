//! The API described by itself: the OpenAPI 3.1 document, and the page that people read it on.
//!
//! The schemas are derived from the very shapes that are read and written; the routes are described
//! beside them, a module for each kind of object. Tests hold the two against each other: every route is
//! described, and every answer that a test gets is one that is described.
//!
//! Owns both documents, which are made once a process and never change in it. Nothing here can fail at a
//! caller's hands.

mod invoices;
mod operation;
mod operators;
mod page;
mod payments;
mod schemas;
mod service;
mod webhooks;
pub mod words;

use super::revalidate::{self, Copy};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use operation::Gathered;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// How long a copy of either may be used unasked: a deployment is seen after that.
const KEPT: &str = "public, max-age=60, must-revalidate";

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
static TEXT: LazyLock<Copy> = LazyLock::new(|| Copy::of("application/json", text()));
static PAGE: LazyLock<(Copy, HeaderValue)> = LazyLock::new(|| {
    let page = page::render(&DOCUMENT);
    (Copy::of("text/html; charset=utf-8", page.html), page.policy)
});

/// The document, as it is printed and served.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`
pub async fn json(headers: HeaderMap) -> Response {
    revalidate::answer(&headers, &TEXT, KEPT)
}

/// `GET /docs`
pub async fn docs(headers: HeaderMap) -> Response {
    let (copy, policy) = &*PAGE;
    let mut response = revalidate::answer(&headers, copy, KEPT);
    let name: HeaderName = header::CONTENT_SECURITY_POLICY;
    response.headers_mut().insert(name, policy.clone());
    response
}

fn make() -> Value {
    let mut gathered = Gathered::default();
    payments::describe(&mut gathered);
    invoices::describe(&mut gathered);
    webhooks::describe(&mut gathered);
    service::describe(&mut gathered);
    operators::describe(&mut gathered);
    let Gathered { schemas, mut paths } = gathered;
    let responses = operation::share(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "xrpayd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A self-hosted payment daemon for the XRP Ledger.",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The daemon that serves this document." }],
        "tags": [
            { "name": "payments", "description": "XRP that is to be delivered, once and only once." },
            { "name": "invoices", "description": "Money that is asked for." },
            { "name": "deposits", "description": "Every credit that the ledger holds for our accounts." },
            { "name": "webhooks", "description": "Where events are sent to, and what came of it." },
            { "name": "events", "description": "What happened, in one order." },
            { "name": "service", "description": "Wallets, servers, limits and the rollout." },
            { "name": "operators", "description": "What may be done with money, changed by whoever may." },
            { "name": "health", "description": "For load balancers and people on call. No key." },
            { "name": "documents", "description": "The API described by itself. No key." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.settled(&paths),
            "responses": responses,
            "headers": headers(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "xrpayd_<id>_<secret>",
                    "description": "An API key, made with `xrpayd keys create`. The scope that a route needs is \
                                    named beside it; `admin` looks at everything of every client, and \
                                    moves nothing by itself.",
                },
                "timestamp": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "xrpayd-timestamp",
                    "description": "Of a signed request, for keys that require them: seconds or \
                                    milliseconds since the epoch, at most five minutes away.",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "xrpayd-signature",
                    "description": "Of a signed request: `v1,` and the base64 of HMAC-SHA256, keyed with \
                                    the key's secret, over `<timestamp>.<METHOD>.<path with query>.<body>`. \
                                    Each is good once.",
                },
            },
        },
    })
}

const INTRODUCTION: &str = "\
A backend says over HTTP \"pay this account 25 XRP\", and xrpayd answers for it until the ledger has \
proved it done or impossible, once and only once.

Amounts and drops are strings. Times are RFC 3339 in UTC. Every answer bears `x-request-id`; yours is \
echoed where it is 1 to 128 letters, digits, `-`, `_`, `.`, `:`. Bodies have at most 10,240 bytes unless \
configured otherwise; they are JSON objects in which no name is unknown or comes twice.

Errors are problem documents (RFC 9457). `code` tells a program what went wrong, `retryable` whether the \
same request may succeed later, and `effect` whether something may have been done: where it is `unknown`, \
ask again with the same Idempotency-Key.

Answers may gain members over time; requests take none but those that are named.";

/// The headers that answers bear.
fn headers() -> Value {
    let number = |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "x-request-id": {
            "description": "Names the request, in logs too.",
            "required": true,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        },
        "Location": text("The path of what was made."),
        "Idempotent-Replayed": text("`true` where the answer is to a request that was made before."),
        "RateLimit-Limit": number("How many requests the tightest window takes."),
        "RateLimit-Remaining": number("How many of them are left."),
        "RateLimit-Reset": number("Seconds until there is more room."),
        "Retry-After": number("Seconds after which another try makes sense."),
        "WWW-Authenticate": text("The scheme by which a key is presented."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, text()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == text(),
            "docs/openapi.json is out of date: UPDATE_DOCS=1 cargo test --lib http::openapi"
        );
    }
}
