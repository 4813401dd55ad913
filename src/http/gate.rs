//! The way in to everything under `/v1`: who asks, how often, and, where the key requires it, with
//! what signature. The body is not read before the first two are answered.

use super::auth::{Caller, Denied, Peer};
use super::body;
use super::problem::{Code, Problem};
use super::rate_limit::Class;
use super::router::App;
use super::signature::Signed;
use super::state::Auth;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Lets a request in as somebody, or not at all.
pub async fn enter(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let caller = match app.state.settings.auth {
        Auth::Off => Caller::anonymous(),
        Auth::Required => match identify(&app, request.headers(), peer).await {
            Ok(caller) => caller,
            Err(denied) => return refuse(&app, denied),
        },
    };
    let limits = app.state.rules.borrow().rate_limits;
    let class = Class::of(request.method());
    let now = app.state.clock.monotonic();
    let standing = match app.limiter.take(&caller.key_id, class, &limits, now) {
        Ok(standing) => standing,
        Err(standing) => {
            let metrics = &app.state.metrics.rate_limited_total;
            metrics.with_label_values(&[standing.window]).inc();
            let detail = format!("The key may make {} such requests; wait.", standing.limit);
            let problem = Problem::new(Code::RateLimited, detail).retry_after(standing.wait_s());
            let mut response = problem.into_response();
            standing.write(response.headers_mut());
            return response;
        }
    };
    if let Some(secret) = &caller.signing_secret {
        let (parts, body) = request.into_parts();
        let bytes = match body::read(body, app.state.settings.body_bytes_max).await {
            Ok(bytes) => bytes,
            Err(problem) => return problem.into_response(),
        };
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let signed = Signed {
            method: &parts.method,
            target,
            headers: &parts.headers,
            body: &bytes,
        };
        if let Err(denied) = app.verifier.verify(secret, &signed, app.state.clock.now()) {
            return refuse(&app, denied);
        }
        request = Request::from_parts(parts, Body::from(bytes));
    }
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    standing.write(response.headers_mut());
    response
}

/// Who asks, by the request's head alone.
pub async fn identify(
    app: &App,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<Caller, Denied> {
    let (now, monotonic) = (app.state.clock.now(), app.state.clock.monotonic());
    app.authenticator
        .identify(&app.state.store, headers, peer, now, monotonic)
        .await
}

fn refuse(app: &App, denied: Denied) -> Response {
    let failures = &app.state.metrics.auth_failures_total;
    failures.with_label_values(&[denied.reason]).inc();
    denied.problem.into_response()
}
