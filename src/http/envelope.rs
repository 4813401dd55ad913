//! What every answer has, whatever made it: a request id, a problem document where it is a refusal,
//! security headers, a deadline, a count and a duration in the metrics. A panic of a handler ends
//! here as a 500.

use super::auth::Peer;
use super::cors::Cors;
use super::origin::Origin;
use super::problem::{Code, KEPT_HEADERS, Problem};
use super::router::App;
use crate::clock;
use crate::telemetry::metrics::seconds;
use crate::telemetry::traces::Context;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;
use tracing::field::Empty;

/// The longest request id that is taken over from the caller.
const REQUEST_ID_LEN_MAX: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The metric label of what no route matched: never the raw path, which strangers choose.
const UNMATCHED: &str = "unmatched";

/// Wraps every request.
pub async fn wrap(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let origin = origin(&app, &request);
    request.extensions_mut().insert(origin);
    let began = app.state.clock.monotonic();
    let id = request_id(&app, request.headers());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or(UNMATCHED);

    let cors = Cors::of(&app.state.settings.edges, request.headers());
    // What the connection refused before it was a request, or what a browser asks before its page may.
    let early = match request.extensions_mut().remove::<Problem>() {
        Some(problem) => Some(problem.into_response()),
        None => cors.preflight(&request),
    };
    let caller = traceparent(request.headers());
    let trace = caller.map_or_else(|| drawn(&app), |caller| caller.trace);
    let span = tracing::info_span!(
        "http",
        request.id = %id,
        http.method = method_label(&method),
        http.route = route,
        trace.id = format_args!("{trace:032x}"),
        trace.trusted = Empty,
        trace.parent = caller.map(tracing::field::display),
        payment.id = Empty,
        http.status = Empty,
        span.failed = Empty,
    );
    request.extensions_mut().insert(Asked {
        id: Arc::clone(&id),
        at: began,
    });
    let work = async {
        match early {
            Some(response) => response,
            None => next.run(request).await,
        }
    };
    let answer = AssertUnwindSafe(work.instrument(span.clone())).catch_unwind();
    let response = match tokio::time::timeout(app.state.settings.request_timeout, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(request.id = %id, http.route = route, "a handler panicked");
            let detail = "The daemon failed while it handled the request.";
            refused(&method, Problem::new(Code::Internal, detail))
        }
        Err(_) => {
            tracing::warn!(request.id = %id, http.route = route, "a request was given up");
            let detail = "The request was not answered in time. Ask again, with the same key.";
            refused(&method, Problem::new(Code::TimedOut, detail).retry_after(1))
        }
    };
    let (mut response, code) = finish(response, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    secure(response.headers_mut());
    cors.mark(response.headers_mut());

    let status = response.status();
    span.record("http.status", status.as_u16());
    span.record("span.failed", status.is_server_error());
    let labels = [method_label(&method), route, status.as_str()];
    let took = app.state.clock.monotonic().saturating_sub(began);
    let metrics = &app.state.metrics;
    metrics.http_requests_total.with_label_values(&labels).inc();
    metrics
        .http_request_duration_seconds
        .with_label_values(&labels)
        .observe(seconds(took));
    if let Some(code) = code {
        let problems = &metrics.http_problems_total;
        problems.with_label_values(&[code.as_str()]).inc();
    }
    tracing::debug!(
        request.id = %id,
        http.method = labels[0],
        http.route = route,
        http.status = status.as_u16(),
        client.address = %origin.accountable(),
        "answered"
    );
    response
}

/// What a handler may know of the request that it answers.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request's identifier.
    pub id: Arc<str>,
    /// When it came, by the monotonic clock.
    pub at: Duration,
}

/// The caller's span, where it names one.
fn traceparent(headers: &HeaderMap) -> Option<Context> {
    let mut named = headers.get_all("traceparent").iter();
    let text = named.next()?.to_str().ok()?;
    // Two of them are none, by the W3C.
    Context::read(text).filter(|_| named.next().is_none())
}

/// The identifier of a trace that begins here.
fn drawn(app: &App) -> u128 {
    let mut bytes = [0_u8; 16];
    app.state.entropy.fill(&mut bytes);
    u128::from_le_bytes(bytes).max(1)
}

/// Where the request comes from; every layer and handler goes by the same answer.
fn origin(app: &App, request: &Request) -> Origin {
    let Some(Peer(peer)) = request.extensions().get::<Peer>() else {
        return Origin::Behind(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    };
    let trusted = &app.state.rules.borrow().access.trusted_proxies;
    Origin::of(peer.ip(), request.headers(), trusted)
}

/// After a write was begun, nobody knows whether it was done.
fn refused(method: &Method, problem: Problem) -> Response {
    if method.is_safe() {
        problem.into_response()
    } else {
        problem.effect_unknown().into_response()
    }
}

/// Takes the caller's id where it is sane, or makes one.
fn request_id(app: &App, headers: &HeaderMap) -> Arc<str> {
    let sane = |text: &&str| {
        (1..=REQUEST_ID_LEN_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(&c))
    };
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given.filter(sane) {
        Some(given) => given.into(),
        None => {
            let now = app.state.clock.now();
            let made = clock::uuid_v7(now, app.state.entropy.as_ref());
            format!("req_{made:032x}").into()
        }
    }
}

/// Renders a refusal, also one that a layer below made without saying more than its status, and tells its
/// code.
fn finish(mut response: Response, id: &str) -> (Response, Option<Code>) {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match bare(response.status()) {
            Some(problem) if !has_type(&response) => problem,
            Some(_) | None => return (response, None),
        },
    };
    let code = problem.code;
    let mut rendered = problem.render(id);
    for name in KEPT_HEADERS {
        if let Some(value) = response.headers().get(&name) {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    (rendered, Some(code))
}

fn has_type(response: &Response<Body>) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| !value.as_bytes().starts_with(b"text/plain"))
}

/// The problem behind a status that the framework gave by itself.
fn bare(status: StatusCode) -> Option<Problem> {
    let (code, detail) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => (Code::BodyTooLarge, "The body is too large."),
        other if other.is_server_error() => (Code::Internal, "The daemon failed to answer."),
        other if other.is_client_error() => (Code::InvalidQuery, "The request cannot be used."),
        _ => return None,
    };
    Some(Problem::new(code, detail))
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Nothing here is for a browser to guess at, frame, keep or take into another page. That it is to be
/// asked over TLS alone is for whoever speaks TLS in front of this to say.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Methods from a closed set: a stranger can make up others.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
