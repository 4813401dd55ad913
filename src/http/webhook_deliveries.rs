//! `/v1/webhook-endpoints/{id}/deliveries`: what was sent to an endpoint, and what came of each try.

use super::auth::Caller;
use super::body;
use super::dto::List;
use super::openapi::words;
use super::problem::{Code, Problem};
use super::query::{self, WalkQuery};
use super::refusal;
use super::router::App;
use super::webhook_endpoints::owned;
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::webhooks::{Attempt, Delivery, DeliveryState, EndpointStatus};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::{DeliveryId, EndpointId};

/// A message on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct DeliveryDto {
    #[schema(value_type = scalar::WebhookDeliveryId)]
    id: DeliveryId,
    #[schema(value_type = words::KindWebhookDelivery)]
    object: &'static str,
    #[schema(value_type = scalar::WebhookEndpointId)]
    endpoint_id: EndpointId,
    /// What the header `webhook-id` bears.
    event_id: String,
    /// The type of the event.
    #[serde(rename = "type")]
    type_: String,
    event_at: Rfc3339,
    #[schema(value_type = words::WebhookDeliveryStatus)]
    status: &'static str,
    attempt_count: usize,
    attempts: Vec<AttemptDto>,
    /// Null where it is not tried again.
    next_attempt_at: Option<Rfc3339>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

/// A try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryAttempt)]
struct AttemptDto {
    /// Counts the tries, from 1.
    n: u32,
    at: Rfc3339,
    duration_ms: u32,
    #[schema(value_type = words::WebhookOutcome)]
    outcome: String,
    response_status: Option<u32>,
    /// The first kibibyte of the answer.
    response_excerpt: String,
    /// What went wrong, where nothing was answered.
    error: Option<String>,
}

impl From<Attempt> for AttemptDto {
    fn from(attempt: Attempt) -> Self {
        Self {
            n: attempt.n,
            at: Rfc3339(attempt.at),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            response_status: attempt.status,
            response_excerpt: attempt.excerpt,
            error: attempt.error,
        }
    }
}

impl From<Delivery> for DeliveryDto {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            object: "webhook_delivery",
            endpoint_id: delivery.endpoint,
            event_id: delivery.message_id,
            type_: delivery.type_,
            event_at: Rfc3339(delivery.event_at),
            status: delivery.state.as_str(),
            attempt_count: delivery.attempts.len(),
            attempts: delivery
                .attempts
                .into_iter()
                .map(AttemptDto::from)
                .collect(),
            next_attempt_at: delivery.next_at.map(Rfc3339),
            created_at: Rfc3339(delivery.created_at),
            updated_at: Rfc3339(delivery.updated_at),
        }
    }
}

/// `GET /v1/webhook-endpoints/{id}/deliveries`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<DeliveryDto>>, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    let states = |text: &str| {
        let mut all = DeliveryState::ALL.into_iter();
        all.find(|state| state.as_str() == text)
    };
    let query = WalkQuery::<DeliveryId, _>::read(query.as_deref(), Some(&states))?;
    let store = &app.state.store;
    let page = store
        .deliveries(endpoint.id, query.status, query.cursor, query.limit)
        .await;
    let page = page.map_err(|error| refusal::store_read(&error))?;
    let last = page.items.last().filter(|_| page.more);
    Ok(Json(List {
        next_cursor: last.map(|delivery| delivery.id.to_string()),
        data: page.items.into_iter().map(DeliveryDto::from).collect(),
    }))
}

/// `GET /v1/webhook-endpoints/{id}/deliveries/{delivery}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((id, delivery)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliveryDto>, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    query::none(query.as_deref())?;
    let parsed: DeliveryId = delivery.parse().map_err(|_| no_delivery(&delivery))?;
    let found = app.state.store.delivery(endpoint.id, parsed).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    found.map_or_else(
        || Err(no_delivery(&delivery)),
        |found| Ok(Json(found.into())),
    )
}

/// `POST /v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver`: it is sent again at once, whatever
/// has become of it, and has its whole schedule before it.
pub async fn redeliver(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((id, delivery)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    body::none(&app, &headers, body).await?;
    let parsed: DeliveryId = delivery.parse().map_err(|_| no_delivery(&delivery))?;
    if endpoint.status != EndpointStatus::Enabled {
        let detail = "Nothing is sent to the endpoint while it is disabled; enable it first.";
        return Err(Problem::new(Code::WebhookEndpointDisabled, detail));
    }
    let now = app.state.clock.now();
    let found = app.state.store.redeliver(endpoint.id, parsed, now).await;
    let found = found.map_err(|error| refusal::store_write(&error))?;
    app.state.webhooks.wake.notify_one();
    let Some(found) = found else {
        return Err(no_delivery(&delivery));
    };
    Ok((StatusCode::ACCEPTED, Json(DeliveryDto::from(found))).into_response())
}

fn no_delivery(id: &str) -> Problem {
    let shown: String = id.chars().take(64).collect();
    let detail = format!("There is no delivery `{shown}` to this endpoint.");
    Problem::new(Code::WebhookDeliveryNotFound, detail)
}
