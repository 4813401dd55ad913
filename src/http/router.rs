//! The routes, each with its handler, and the layers around them.

use super::auth::{Authenticator, Reason};
use super::fence::Fence;
use super::problem::{Code, Problem};
use super::rate_limit::{RateLimiter, WINDOWS};
use super::state::AppState;
use super::{
    audit, compression, deposits, envelope, events, gate, health, invoices, limits, metrics,
    openapi, pause, payments, qr, refunds, returns, rollout, rulings, servers, stream, validate,
    wallets, webhook_deliveries, webhook_endpoints,
};
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use std::sync::Arc;

/// What the handlers share.
pub struct App {
    /// What was handed in.
    pub state: AppState,
    /// Knows keys.
    pub authenticator: Authenticator,
    /// Counts requests.
    pub limiter: RateLimiter,
    /// Slows failed attempts.
    pub fence: Fence,
    /// What health was last measured.
    pub probe: health::Probe,
    /// Counts streams.
    pub streams: stream::Streams,
    /// Held by whoever has the rollout measured.
    pub measuring: tokio::sync::Mutex<()>,
}

impl App {
    /// What the handlers share, around what is handed in.
    #[must_use]
    pub fn new(state: AppState) -> Arc<Self> {
        let clock = &state.clock;
        let failures = state.rules.borrow().rate_limits.failures_per_minute;
        for reason in Reason::ALL {
            let refused = &state.metrics.auth_failures_total;
            refused.with_label_values(&[reason.as_str()]);
        }
        // What the objectives count has to be a zero before it is anything.
        for code in [Code::Paused, Code::Internal] {
            let problems = &state.metrics.http_problems_total;
            problems.with_label_values(&[code.as_str()]);
        }
        for window in WINDOWS {
            let limited = &state.metrics.rate_limited_total;
            limited.with_label_values(&[window]);
        }
        Arc::new(Self {
            authenticator: Authenticator::default(),
            limiter: RateLimiter::new(clock.now(), clock.monotonic()),
            fence: Fence::new(Arc::clone(clock), failures),
            probe: health::Probe::default(),
            streams: stream::Streams::default(),
            measuring: tokio::sync::Mutex::default(),
            state,
        })
    }
}

/// The API of `http.listen`.
pub fn router(state: AppState) -> Router {
    routes(App::new(state))
}

/// The same, around what the handlers share.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/v1/payments", get(payments::list).post(payments::create))
        .route("/v1/payments/validate", post(validate::validate))
        .route("/v1/payments/{id}", get(payments::one))
        .route("/v1/payments/{id}/events", get(payments::events))
        .route("/v1/payments/{id}/cancel", post(rulings::cancel))
        .route("/v1/payments/{id}/approve", post(rulings::approve))
        .route("/v1/payments/{id}/reject", post(rulings::reject))
        .route("/v1/invoices", get(invoices::list).post(invoices::create))
        .route("/v1/invoices/{id}", get(invoices::one))
        .route("/v1/invoices/{id}/cancel", post(invoices::cancel))
        .route("/v1/invoices/{id}/qr.svg", get(qr::svg))
        .route("/v1/events", get(events::list))
        .route("/v1/events/stream", get(stream::stream))
        .route("/v1/deposits", get(deposits::list))
        .route("/v1/deposits/{id}", get(deposits::one))
        .route("/v1/invoices/{id}/refunds", post(refunds::create))
        .route("/v1/deposits/{id}/assign", post(returns::assign))
        .route("/v1/deposits/{id}/return", post(returns::give_back))
        .route("/v1/wallets", get(wallets::list))
        .route("/v1/wallets/{name}", get(wallets::one))
        .route("/v1/pause", get(pause::show).post(pause::pause))
        .route("/v1/resume", post(pause::resume))
        .route("/v1/servers", get(servers::list))
        .route("/v1/limits", get(limits::limits))
        .route("/v1/rollout", get(rollout::show))
        .route("/v1/rollout/promote", post(rollout::promote))
        .route("/v1/rollout/demote", post(rollout::demote))
        .route("/v1/audit", get(audit::list))
        .merge(webhook_routes())
        .route_layer(from_fn_with_state(Arc::clone(&app), gate::enter));
    let open = Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/openapi.json", get(openapi::json))
        .route("/docs", get(openapi::docs));
    guarded
        .merge(open)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), envelope::wrap))
        .layer(compression::layer())
        .with_state(app)
}

fn webhook_routes() -> Router<Arc<App>> {
    use webhook_deliveries as deliveries;
    use webhook_endpoints as endpoints;
    const ONE: &str = "/v1/webhook-endpoints/{id}";
    const DELIVERY: &str = "/v1/webhook-endpoints/{id}/deliveries/{delivery}";
    Router::new()
        .route(
            "/v1/webhook-endpoints",
            get(endpoints::list).post(endpoints::create),
        )
        .route(
            ONE,
            get(endpoints::one)
                .patch(endpoints::change)
                .delete(endpoints::delete),
        )
        .route(&format!("{ONE}/rotate-secret"), post(endpoints::rotate))
        .route(&format!("{ONE}/test"), post(endpoints::test))
        .route(&format!("{ONE}/recover"), post(endpoints::recover))
        .route(&format!("{ONE}/deliveries"), get(deliveries::list))
        .route(DELIVERY, get(deliveries::one))
        .route(
            &format!("{DELIVERY}/redeliver"),
            post(deliveries::redeliver),
        )
}

/// The metrics of `telemetry.listen`.
pub fn metrics_router(metrics: Arc<crate::telemetry::metrics::Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::scrape))
        .layer(from_fn(metrics::plain))
        .with_state(metrics)
}

async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is nothing at this path.")
}

/// What another method would be answered; whoever asks which there are is told.
async fn method_not_allowed(method: Method) -> Result<StatusCode, Problem> {
    if method == Method::OPTIONS {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = "The path does not take this method; the Allow header says which it takes.";
    Err(Problem::new(Code::MethodNotAllowed, detail))
}
