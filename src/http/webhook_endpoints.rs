//! `/v1/webhook-endpoints`: make, look, change, try, and have the past told again.
//!
//! An endpoint belongs to its client. Its secret is shown when it is drawn and never again. A URL is
//! held against the guard here, so that a mistake is told at once, and again at every try, because
//! names change their minds.

pub mod shapes;

use super::auth::{Caller, Scope};
use super::body;
use super::compression::HoldsSecret;
use super::dto::List;
use super::problem::{Code, Problem};
use super::query::{self, WalkQuery};
use super::refusal;
use super::router::App;
use super::webhook_deliveries::DeliveryDto;
use crate::clock::uuid_v7;
use crate::rfc3339::{self, Rfc3339};
use crate::store::webhooks::{
    DeliveryState, Endpoint, EndpointChange, NewEndpoint, Reach, TriedOnce,
};
use crate::webhooks::guard::{Blocked, Target};
use crate::webhooks::post::Outcome;
use crate::webhooks::secret::{Sealer, SigningSecret};
use crate::webhooks::{kinds, test_message};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shapes::{
    ChangeRequest, CreateRequest, RecoverRequest, RecoveryDto, RotateRequest, WithSecret,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::ids::{DeliveryId, EndpointId};

/// Endpoints of one client: each costs a delivery an event.
const ENDPOINTS_MAX: u32 = 50;
/// The longest description, in characters.
const DESCRIPTION_LEN_MAX: usize = 500;
/// How long the secret before a rotation signs as well, where nothing is said: a day.
const OVERLAP_S_DEFAULT: u32 = 24 * 3_600;
/// The longest such time: a week.
const OVERLAP_S_MAX: u32 = 7 * 24 * 3_600;
/// How long a name may take to be resolved while somebody waits for the answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// `POST /v1/webhook-endpoints`
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::WebhooksWrite)?;
    let request: CreateRequest = body::of(&app, &headers, body).await?;
    let url = request.url.ok_or_else(|| {
        Problem::new(Code::MissingField, "`url` is required.").at("/url", "is required")
    })?;
    let url = vetted(&app, &url).await?;
    let events = filter(request.events.unwrap_or_else(|| vec!["*".to_owned()]))?;
    let description = request.description.map(described).transpose()?;
    let reach = match request.all_clients {
        None if caller.is_admin() => Reach::All,
        Some(true) if caller.is_admin() => Reach::All,
        Some(true) => {
            let detail = "`all_clients` needs a key with the scope `admin`.";
            return Err(Problem::new(Code::ScopeMissing, detail));
        }
        None | Some(false) => Reach::Own,
    };
    let sealer = sealer(&app)?;
    let now = app.state.clock.now();
    let entropy = app.state.entropy.as_ref();
    let id = EndpointId(uuid_v7(now, entropy));
    let secret = SigningSecret::draw(entropy);
    let sealed = seal(&app, sealer, id, &secret)?;
    let new = NewEndpoint {
        id,
        client: caller.client.clone(),
        reach,
        url,
        events,
        description,
        secret: sealed,
        now,
    };
    let made = app
        .state
        .store
        .create_endpoint(&new, ENDPOINTS_MAX, &caller.actor())
        .await;
    let made = made.map_err(|error| refusal::store_write(&error))?;
    let Some(endpoint) = made else {
        let detail = format!("A client may have {ENDPOINTS_MAX} webhook endpoints.");
        return Err(Problem::new(Code::TooManyWebhookEndpoints, detail));
    };
    app.state.webhooks.wake.notify_one();
    tracing::info!(webhook.endpoint = %id, key.id = caller.key_id, "a webhook endpoint was made");
    let location = format!("/v1/webhook-endpoints/{id}");
    let shown = with_secret(&endpoint, &secret);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Extension(HoldsSecret),
        Json(shown),
    )
        .into_response())
}

/// `GET /v1/webhook-endpoints`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::WebhooksWrite)?;
    let query = WalkQuery::<EndpointId, Infallible>::read(query.as_deref(), None)?;
    let client = (!caller.is_admin()).then_some(caller.client.as_str());
    let page = app
        .state
        .store
        .endpoints(client, query.cursor, query.limit)
        .await;
    let page = page.map_err(|error| refusal::store_read(&error))?;
    let last = page.items.last().filter(|_| page.more);
    let shown = List {
        next_cursor: last.map(|endpoint| endpoint.id.to_string()),
        data: page.items.iter().map(Endpoint::document).collect(),
    };
    Ok(Json(shown).into_response())
}

/// `GET /v1/webhook-endpoints/{id}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let endpoint = owned(&app, &caller, &id).await?;
    Ok(Json(endpoint.document()).into_response())
}

/// `PATCH /v1/webhook-endpoints/{id}`
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    let request: ChangeRequest = body::of(&app, &headers, body).await?;
    let url = match request.url {
        Some(url) => Some(vetted(&app, &url).await?),
        None => None,
    };
    let change = EndpointChange {
        url,
        events: request.events.map(filter).transpose()?,
        description: request
            .description
            .map(|text| text.map(described).transpose())
            .transpose()?,
        enabled: match request.status.as_deref() {
            None => None,
            Some("enabled") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => return Err(invalid("/status", "must be `enabled` or `disabled`")),
        },
    };
    let now = app.state.clock.now();
    let changed = app
        .state
        .store
        .change_endpoint(endpoint.id, &change, &caller.actor(), now)
        .await;
    let changed = changed.map_err(|error| refusal::store_write(&error))?;
    app.state.webhooks.wake.notify_one();
    tracing::info!(webhook.endpoint = %endpoint.id, key.id = caller.key_id, "a webhook endpoint was changed");
    let after = changed.ok_or_else(|| no_endpoint(&id))?;
    Ok(Json(after.document()).into_response())
}

/// `DELETE /v1/webhook-endpoints/{id}`
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    let deleted = app
        .state
        .store
        .delete_endpoint(endpoint.id, &caller.actor(), app.state.clock.now())
        .await;
    if !deleted.map_err(|error| refusal::store_write(&error))? {
        return Err(no_endpoint(&id));
    }
    tracing::info!(webhook.endpoint = %endpoint.id, key.id = caller.key_id, "a webhook endpoint was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/webhook-endpoints/{id}/rotate-secret`
pub async fn rotate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    let request: RotateRequest = body::or_default(&app, &headers, body).await?;
    let overlap = request.overlap_seconds.unwrap_or(OVERLAP_S_DEFAULT);
    if overlap > OVERLAP_S_MAX {
        let detail = format!("must be {OVERLAP_S_MAX} at most");
        return Err(invalid("/overlap_seconds", &detail));
    }
    let sealer = sealer(&app)?;
    let secret = SigningSecret::draw(app.state.entropy.as_ref());
    let sealed = seal(&app, sealer, endpoint.id, &secret)?;
    let now = app.state.clock.now();
    // A secret that cannot be opened any more can sign nothing beside the new one.
    let is_usable = sealer.open(endpoint.id, &endpoint.secret).is_ok();
    let until = (overlap > 0 && is_usable).then(|| now.plus_ms(i64::from(overlap) * 1_000));
    let store = &app.state.store;
    let rotated = store
        .rotate_endpoint_secret(endpoint.id, &sealed, until, &caller.actor(), now)
        .await;
    let rotated = rotated.map_err(|error| refusal::store_write(&error))?;
    app.state.webhooks.wake.notify_one();
    tracing::info!(webhook.endpoint = %endpoint.id, key.id = caller.key_id, "a webhook endpoint's secret was rotated");
    let after = rotated.ok_or_else(|| no_endpoint(&id))?;
    let shown = Json(with_secret(&after, &secret));
    Ok((Extension(HoldsSecret), shown).into_response())
}

/// `POST /v1/webhook-endpoints/{id}/test`: sends an event as any other is sent, and answers with what
/// came of it. It is tried once, and also where the endpoint is disabled.
pub async fn test(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeliveryDto>, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    body::none(&app, &headers, body).await?;
    let webhooks = &app.state.webhooks;
    let secrets = webhooks.secrets_of(&endpoint).map_err(|error| {
        let detail = format!("The event cannot be signed: {error}. Rotate the secret.");
        Problem::new(Code::WebhooksNotConfigured, detail)
    })?;
    let now = app.state.clock.now();
    let delivery = DeliveryId(uuid_v7(now, app.state.entropy.as_ref()));
    let message = test_message(&endpoint, delivery, now);
    let made = webhooks
        .send(&endpoint.url, &secrets, &message.id, message.body.clone())
        .await;
    let outcomes = &app.state.metrics.webhook_deliveries_total;
    outcomes.with_label_values(&[made.tried.outcome]).inc();
    let sent = TriedOnce {
        id: delivery,
        endpoint: endpoint.id,
        message,
        state: match made.answer.outcome {
            Outcome::Delivered => DeliveryState::Delivered,
            _ => DeliveryState::Failed,
        },
        tried: made.tried,
    };
    let recorded = app.state.store.record_tried_once(&sent).await;
    let recorded = recorded.map_err(|error| refusal::store_write(&error))?;
    recorded.map_or_else(|| Err(no_endpoint(&id)), |shown| Ok(Json(shown.into())))
}

/// `POST /v1/webhook-endpoints/{id}/recover`: what happened since an instant is laid out once more, as
/// far as the feed still has it: what failed, what was never laid out, and on request all of it.
pub async fn recover(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let endpoint = owned(&app, &caller, &id).await?;
    let request: RecoverRequest = body::of(&app, &headers, body).await?;
    let Some(since) = request.since else {
        let problem = Problem::new(Code::MissingField, "`since` is required.");
        return Err(problem.at("/since", "is required"));
    };
    let since = rfc3339::parse(&since)
        .ok_or_else(|| invalid("/since", "must be a time such as 2026-01-31T12:00:00Z"))?;
    let delivered_too = request.include_delivered.unwrap_or(false);
    let (store, now) = (&app.state.store, app.state.clock.now());
    let recovering = store
        .recover_endpoint(endpoint.id, since, delivered_too, &caller.actor(), now)
        .await;
    let recovering = recovering.map_err(|error| refusal::store_write(&error))?;
    let Some(recovering) = recovering else {
        return Err(no_endpoint(&id));
    };
    app.state.webhooks.wake.notify_one();
    let shown = RecoveryDto {
        object: "webhook_recovery",
        endpoint_id: endpoint.id,
        since: Rfc3339(since),
        include_delivered: delivered_too,
        through_sequence: recovering.told_through,
        status: "queued",
    };
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

/// The endpoint, where the caller may use it: another client's is answered like one that is not there, and
/// so is one that hears of all clients to a key that may not.
pub(super) async fn owned(app: &App, caller: &Caller, id: &str) -> Result<Endpoint, Problem> {
    caller.require(Scope::WebhooksWrite)?;
    let parsed: EndpointId = id.parse().map_err(|_| no_endpoint(id))?;
    let found = app.state.store.endpoint(parsed).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    found
        .filter(|endpoint| {
            caller.is_admin() || (endpoint.client == caller.client && endpoint.reach == Reach::Own)
        })
        .ok_or_else(|| no_endpoint(id))
}

fn no_endpoint(id: &str) -> Problem {
    let shown: String = id.chars().take(64).collect();
    let detail = format!("There is no webhook endpoint `{shown}`.");
    Problem::new(Code::WebhookEndpointNotFound, detail)
}

fn invalid(pointer: &str, detail: &str) -> Problem {
    let name = pointer.trim_start_matches('/');
    Problem::new(Code::ValidationFailed, format!("`{name}` {detail}.")).at(pointer, detail)
}

/// The endpoint as it is shown this once.
fn with_secret<'a>(endpoint: &'a Endpoint, secret: &SigningSecret) -> WithSecret<'a> {
    WithSecret {
        endpoint: endpoint.document(),
        secret: secret.text().as_str().to_owned(),
    }
}

fn sealer(app: &App) -> Result<&Sealer, Problem> {
    app.state.webhooks.sealer.as_deref().ok_or_else(|| {
        let detail = "There is no key to keep the endpoint's secret with: the operator has to set \
                      webhooks.encryption_key.";
        Problem::new(Code::WebhooksNotConfigured, detail)
    })
}

fn seal(
    app: &App,
    sealer: &Sealer,
    id: EndpointId,
    secret: &SigningSecret,
) -> Result<Vec<u8>, Problem> {
    sealer
        .seal(id, secret, app.state.entropy.as_ref())
        .map_err(|error| {
            tracing::error!(%error, "a webhook secret could not be sealed");
            Problem::new(Code::Internal, "The endpoint's secret cannot be kept.")
        })
}

/// A URL that webhooks may be sent to. A name that does not resolve yet is taken: it is looked up at
/// every try.
async fn vetted(app: &App, url: &str) -> Result<String, Problem> {
    let refused = |why: String| {
        let detail = format!("Webhooks are not sent to this URL: it {why}.");
        Problem::new(Code::WebhookUrlNotAllowed, detail).at("/url", why)
    };
    let poster = &app.state.webhooks.poster;
    let target = Target::read(url, poster.policy()).map_err(|error| refused(error.to_string()))?;
    match tokio::time::timeout(LOOK_TIMEOUT, poster.look(&target)).await {
        Ok(Err(Blocked::Refused(what))) => Err(refused(format!("must not lead to {what}"))),
        Ok(Ok(()) | Err(Blocked::Resolve(_) | Blocked::NoAddress)) | Err(_) => {
            Ok(target.to_string())
        }
    }
}

fn filter(mut events: Vec<String>) -> Result<Vec<String>, Problem> {
    if events.is_empty() || events.len() > kinds::FILTER_LEN_MAX {
        let detail = format!("must name 1 to {} types of events", kinds::FILTER_LEN_MAX);
        return Err(invalid("/events", &detail));
    }
    for (place, pattern) in events.iter().enumerate() {
        if !kinds::is_known(pattern) {
            let detail = "must be a type of events such as `payment.succeeded`, a family such as \
                          `payment.*`, or `*`";
            return Err(invalid(&format!("/events/{place}"), detail));
        }
    }
    events.sort();
    events.dedup();
    Ok(events)
}

fn described(text: String) -> Result<String, Problem> {
    let fits = text.chars().count() <= DESCRIPTION_LEN_MAX;
    if fits && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let detail =
        format!("must have at most {DESCRIPTION_LEN_MAX} characters, none of them control");
    Err(invalid("/description", &detail))
}
