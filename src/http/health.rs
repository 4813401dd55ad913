//! `/health`, `/health/live`, `/health/ready`: facts measured here, judged in `telemetry::health`.
//!
//! Anybody may ask, so asking is cheap: the store is probed at most once in [`PROBE_TTL`], whoever
//! asks and however often, and never by two at once. No probe goes to the ledger's servers; what the
//! pool knows is read from memory.

use super::auth::Peer;
use super::gate;
use super::openapi::words;
use super::origin::Origin;
use super::router::App;
use super::state::{AppState, Readiness};
use crate::rfc3339::Rfc3339;
use crate::telemetry::health::{
    self, Audience, BooksFacts, Document, Draining, Facts, Halted, LeaseFacts, PauseFact,
    PaymentFacts, Status, StoreFact, WalletFacts, WebhookFacts, XrplFacts,
};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// How long a measurement of the store is believed.
const PROBE_TTL: Duration = Duration::from_secs(1);
/// A store that does not answer for so long is down.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What was last measured.
#[derive(Debug, Default)]
pub struct Probe {
    store: Mutex<Option<(Duration, StoreFact)>>,
    payments: Mutex<Option<(Duration, Option<PaymentFacts>)>>,
    webhooks: Mutex<Option<(Duration, Option<WebhookFacts>)>>,
}

/// One word on one question.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Probe)]
pub struct ProbeDto {
    #[schema(value_type = words::ProbeStatus)]
    status: String,
    #[schema(value_type = Rfc3339)]
    timestamp: String,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    reason: Option<String>,
}

/// `GET /health`
pub async fn health(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
) -> Response {
    let peer = peer.map(|Extension(peer)| peer);
    let audience = audience(&app, &headers, (peer, origin)).await;
    let facts = measure(&app).await;
    let document: Document = health::examine(&facts, audience, timestamp(&app.state));
    let status = match document.status {
        Status::Healthy | Status::Degraded => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(document)).into_response()
}

/// `GET /health/live`
pub async fn live(State(app): State<Arc<App>>) -> Response {
    let stalled = app.state.live.stalled();
    answer(&app.state, "live", health::live(stalled.as_deref()).err())
}

/// `GET /health/ready`
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let store = store_fact(&app).await;
    let verdict = health::ready(store, draining(&app.state));
    answer(&app.state, "ready", verdict.err().map(str::to_owned))
}

fn answer(state: &AppState, word: &str, why_not: Option<String>) -> Response {
    let timestamp = timestamp(state);
    let status = match why_not {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = ProbeDto {
        status: match why_not {
            None => word.to_owned(),
            Some(_) => format!("not {word}"),
        },
        timestamp,
        reason: why_not,
    };
    (status, Json(answer)).into_response()
}

fn timestamp(state: &AppState) -> String {
    Rfc3339(state.clock.now()).to_string()
}

/// The operator asks from the machine itself, with no proxy between, or with a key. What a proxy says,
/// trusted or not, never makes somebody local.
async fn audience(
    app: &App,
    headers: &HeaderMap,
    (peer, origin): (Option<Peer>, Origin),
) -> Audience {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let local = peer.is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback());
    if local && !forwarded {
        return Audience::Operator;
    }
    let has_key = headers.contains_key(header::AUTHORIZATION);
    if has_key && gate::identify(app, headers, origin).await.is_ok() {
        return Audience::Operator;
    }
    Audience::Stranger
}

fn draining(state: &AppState) -> Draining {
    if state.live.is_leaving() {
        Draining::Yes
    } else {
        Draining::No
    }
}

async fn measure(app: &App) -> Facts {
    let (live, now) = (&app.state.live, app.state.clock.now());
    let servers = live.servers();
    let ready = || {
        servers
            .iter()
            .filter(|row| row.readiness == Readiness::Ready)
    };
    let tip = live.tip();
    let latency = ready().filter_map(|row| row.latency).min();
    Facts {
        xrpl: XrplFacts {
            servers_ready: ready().count(),
            servers_configured: servers.len(),
            quorum: live.quorum(),
            latency_ms: latency.and_then(|latency| u64::try_from(latency.as_millis()).ok()),
            validated_ledger: tip.map(|tip| tip.ledger_index),
            ledger_age_s: tip.map(|tip| now.since_ms(tip.seen_at).max(0) / 1000),
        },
        wallets: live
            .wallets()
            .into_iter()
            .map(|row| WalletFacts {
                balance: row.balance,
                spendable: row.spendable,
                low_balance: row.low_balance,
                halted: row.halted.map_or(Halted::No, |_| Halted::Yes),
                foreign: row.foreign,
                age_s: row.age.map(|age| age.as_secs()),
                is_stale: row.is_stale,
                waits: row.journal.map_or_else(Vec::new, |journal| {
                    let waits = journal.waits.into_iter();
                    waits
                        .map(|wait| format!("{}: {}", row.name, wait.why))
                        .collect()
                }),
            })
            .collect(),
        payments: payment_facts(app).await,
        pause: match app.state.switches.standing().known() {
            None => PauseFact::Unreadable,
            Some([]) => PauseFact::Nothing,
            Some(_) => PauseFact::Something,
        },
        store: store_fact(app).await,
        books: live.books().map(|row| BooksFacts {
            through: row.through,
            differences: row.differences,
        }),
        webhooks: webhook_facts(app).await,
        lease_held: live.lease_held(),
        leases: live
            .leases()
            .into_iter()
            .map(|row| LeaseFacts {
                wallet: row.wallet,
                is_here: row.is_here,
                holder: row.holder,
                epoch: row.epoch,
            })
            .collect(),
        stalled: live.stalled(),
        draining: draining(&app.state),
        thresholds: app.state.rules.borrow().thresholds.clone(),
    }
}

/// Whether the store takes writes, measured now or a moment ago.
async fn store_fact(app: &App) -> StoreFact {
    let mut last = app.probe.store.lock().await;
    let now = app.state.clock.monotonic();
    if let Some((at, fact)) = *last
        && now.saturating_sub(at) < PROBE_TTL
    {
        return fact;
    }
    let fact = match tokio::time::timeout(PROBE_TIMEOUT, app.state.store.ping()).await {
        Ok(Ok(())) if !app.state.store.rival_primaries().is_empty() => StoreFact::Split,
        Ok(Ok(())) if app.state.switches.standing().words.differ() => StoreFact::LimitsDiffer,
        Ok(Ok(())) => StoreFact::Writable,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the store takes no writes");
            StoreFact::Down
        }
        Err(_) => {
            tracing::warn!("the store did not answer a health check in time");
            StoreFact::Down
        }
    };
    *last = Some((now, fact));
    fact
}

/// The payments that are on their way, counted now or a moment ago.
async fn payment_facts(app: &App) -> Option<PaymentFacts> {
    let mut last = app.probe.payments.lock().await;
    let now = app.state.clock.monotonic();
    if let Some((at, facts)) = *last
        && now.saturating_sub(at) < PROBE_TTL
    {
        return facts;
    }
    let facts = match tokio::time::timeout(PROBE_TIMEOUT, app.state.store.totals()).await {
        Ok(Ok(totals)) => Some(PaymentFacts {
            pending: totals.pending(),
            oldest_age_s: totals
                .oldest_processing
                .map(|at| app.state.clock.now().since_ms(at).max(0) / 1000),
        }),
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the store could not count the payments");
            None
        }
        Err(_) => {
            tracing::warn!("the store did not count the payments in time");
            None
        }
    };
    *last = Some((now, facts));
    facts
}

/// What is on its way to receivers, measured now or a moment ago.
async fn webhook_facts(app: &App) -> Option<WebhookFacts> {
    let mut last = app.probe.webhooks.lock().await;
    let now = app.state.clock.monotonic();
    if let Some((at, facts)) = *last
        && now.saturating_sub(at) < PROBE_TTL
    {
        return facts;
    }
    let facts = match tokio::time::timeout(PROBE_TIMEOUT, app.state.store.oldest_undelivered())
        .await
    {
        Ok(Ok(oldest)) => Some(WebhookFacts {
            oldest_undelivered_s: oldest.map(|at| app.state.clock.now().since_ms(at).max(0) / 1000),
        }),
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the store could not tell of the webhooks");
            None
        }
        Err(_) => {
            tracing::warn!("the store did not tell of the webhooks in time");
            None
        }
    };
    *last = Some((now, facts));
    facts
}
