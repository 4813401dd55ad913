//! The way in to everything under `/v1`: who asks, how often, and, where the key requires it, with
//! what signature. The body is not read before the first two are answered. Somebody without a key that
//! holds is slowed by the fence; whoever has one is counted by it.

use super::auth::{self, Bearer, Caller, Denied, SigningSecret};
use super::body;
use super::fence::Wait;
use super::origin::Origin;
use super::problem::{Code, Problem};
use super::rate_limit::{Class, FAILURES, Standing};
use super::router::App;
use super::signature::{self, Signed};
use super::state::Auth;
use crate::telemetry::traces::fields;
use axum::body::Body;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tracing::Span;

/// Lets a request in as somebody, or not at all.
pub async fn enter(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match app.state.settings.auth {
        Auth::Off => Caller::anonymous(),
        Auth::Required => match identify(&app, request.headers(), origin).await {
            Ok(caller) => caller,
            Err(refused) => return refused,
        },
    };
    let limits = app.state.rules.borrow().rate_limits.of(&caller.limits);
    let route = request.extensions().get::<MatchedPath>();
    let class = Class::of(request.method(), route.map_or("", MatchedPath::as_str));
    let now = app.state.clock.monotonic();
    let standing = match app.limiter.take(&caller.key_id, class, &limits, now) {
        Ok(standing) => standing,
        Err(standing) => {
            let detail = format!("The key may make {} such requests; wait.", standing.limit);
            return limited(&app, standing, detail);
        }
    };
    if let Some(secret) = &caller.signing_secret {
        let (parts, body) = request.into_parts();
        let bytes = match body::read(body, app.state.settings.body_bytes_max).await {
            Ok(bytes) => bytes,
            Err(problem) => return standing.on(problem.into_response()),
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
        if let Err(denied) = once(&app, secret, &signed).await {
            let refused = refuse(&app, origin, Some(&caller.key_id), denied);
            return standing.on(refused);
        }
        request = Request::from_parts(parts, Body::from(bytes));
    }
    Span::current().record(fields::TRUSTED, true);
    request.extensions_mut().insert(caller);
    standing.on(next.run(request).await)
}

/// Who asks, by the request's head alone; or why that is not answered.
pub async fn identify(app: &App, headers: &HeaderMap, origin: Origin) -> Result<Caller, Response> {
    let rules = Arc::clone(&app.state.rules.borrow());
    let (address, failures) = (origin.accountable(), rules.rate_limits.failures_per_minute);
    let presented = Bearer::read(headers);
    let named = presented.as_ref().ok().map(|bearer| bearer.id);
    let admitted = app.fence.admit(address, named, failures);
    admitted.map_err(|wait| slowed(app, wait))?;
    let from = (origin, rules.access.admin_networks.as_slice());
    let (now, monotonic) = (app.state.clock.now(), app.state.clock.monotonic());
    let identified = match presented {
        Ok(bearer) => {
            let (keys, store) = (&app.authenticator, &app.state.store);
            keys.identify(store, bearer, from, now, monotonic).await
        }
        Err(denied) => Err(denied),
    };
    match identified {
        Ok(caller) => {
            app.fence.proved(&caller.key_id);
            Ok(caller)
        }
        Err(denied) => Err(refuse(app, origin, named, denied)),
    }
}

/// Lets a signed request through the first time.
async fn once(app: &App, secret: &SigningSecret, signed: &Signed<'_>) -> Result<(), Denied> {
    let verified = signature::verify(secret, signed, app.state.clock.now())?;
    let used = app
        .state
        .store
        .use_signature(verified.tag, verified.until)
        .await;
    if used.map_err(|error| auth::store_away(&error))? {
        Ok(())
    } else {
        Err(signature::replayed())
    }
}

/// Counts and tells a refusal. The id of a key is its public half; nothing of the secret is ever told.
fn refuse(app: &App, origin: Origin, named: Option<&str>, denied: Denied) -> Response {
    let Denied { reason, problem } = denied;
    let failures = &app.state.metrics.auth_failures_total;
    failures.with_label_values(&[reason.as_str()]).inc();
    let address = origin.accountable();
    tracing::info!(
        client.address = %address,
        key.id = named.unwrap_or_default(),
        reason = reason.as_str(),
        "a request was not let in"
    );
    if reason.is_a_failed_attempt() {
        let per_minute = app.state.rules.borrow().rate_limits.failures_per_minute;
        if let Err(wait) = app.fence.failed(address, named, per_minute) {
            return slowed(app, wait);
        }
    }
    problem.into_response()
}

/// What somebody is told who has failed too often.
fn slowed(app: &App, wait: Wait) -> Response {
    let standing = Standing {
        window: FAILURES,
        limit: wait.limit,
        remaining: 0,
        wait_ms: wait.wait_ms,
    };
    let detail = "Too many requests without a valid API key came from this address; wait.";
    limited(app, standing, detail.to_owned())
}

fn limited(app: &App, standing: Standing, detail: String) -> Response {
    let metrics = &app.state.metrics.rate_limited_total;
    metrics.with_label_values(&[standing.window]).inc();
    let problem = Problem::new(Code::RateLimited, detail).retry_after(standing.wait_s());
    standing.on(problem.into_response())
}
