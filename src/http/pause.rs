//! `/v1/pause` and `/v1/resume`: the emergency stop.
//!
//! A pause is durable before it is answered, and binds from then on on every replica, because it is read
//! in the transactions that would begin something. Saying the same again is answered alike and changes
//! nothing, so whoever got no answer asks again.

use super::auth::{Caller, Scope};
use super::body;
use super::openapi::words;
use super::problem::{Code, Problem};
use super::query;
use super::refusal;
use super::router::App;
use super::rulings::check_reason;
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::{Actor, Pause, Switched};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::pause;

/// What is asked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// What it is about: `all` unless said otherwise.
    #[schema(value_type = Option<words::PauseScope>)]
    scope: Option<String>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    reason: Option<String>,
}

/// Everything that is paused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pauses)]
pub struct PausesDto {
    #[schema(value_type = words::KindPauses)]
    object: &'static str,
    /// Whether anything is.
    paused: bool,
    /// Whether what is paused could be read; where not, everything counts as paused.
    readable: bool,
    /// What is, the widest scopes first.
    pauses: Vec<PauseDto>,
}

/// A pause in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pause)]
struct PauseDto {
    #[schema(value_type = words::PauseScope)]
    scope: String,
    reason: Option<String>,
    by: String,
    since: Rfc3339,
}

impl PausesDto {
    fn of(pauses: Option<&[Pause]>) -> Self {
        let dto = |pause: &Pause| PauseDto {
            scope: pause.scope.to_string(),
            reason: pause.reason.clone(),
            by: pause.by.clone(),
            since: Rfc3339(pause.at),
        };
        Self {
            object: "pauses",
            paused: pauses.is_none_or(|pauses| !pauses.is_empty()),
            readable: pauses.is_some(),
            pauses: pauses.unwrap_or_default().iter().map(dto).collect(),
        }
    }
}

/// `GET /v1/pause`
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<PausesDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::none(query.as_deref())?;
    let standing = app.state.switches.standing();
    Ok(Json(PausesDto::of(standing.known())))
}

/// `POST /v1/pause`
pub async fn pause(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PausesDto>, Problem> {
    let asked = Asked::read(&app, &caller, &headers, body).await?;
    // A slip of the pen must not look like a wallet that is stopped.
    if let Some(name) = asked.scope.wallet()
        && !app.state.rules.borrow().policy.wallets.contains_key(name)
    {
        let detail = "names no wallet of this daemon";
        let problem = Problem::new(Code::ValidationFailed, format!("`scope` {detail}."));
        return Err(problem.at("/scope", detail));
    }
    let (store, now) = (&app.state.store, app.state.clock.now());
    let done = store.pause(&asked.scope, asked.reason.as_deref(), &asked.by, now);
    answer(&app, &asked, "paused", done.await).await
}

/// `POST /v1/resume`
pub async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PausesDto>, Problem> {
    let asked = Asked::read(&app, &caller, &headers, body).await?;
    let (store, now) = (&app.state.store, app.state.clock.now());
    let done = store.resume(&asked.scope, asked.reason.as_deref(), &asked.by, now);
    answer(&app, &asked, "resumed", done.await).await
}

/// What an operator wants.
struct Asked {
    scope: pause::Scope,
    reason: Option<String>,
    by: Actor,
}

impl Asked {
    async fn read(
        app: &App,
        caller: &Caller,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Problem> {
        caller.require(Scope::Admin)?;
        let request: PauseRequest = body::or_default(app, headers, body).await?;
        check_reason(request.reason.as_deref())?;
        let scope = match request.scope.as_deref().map(str::parse) {
            None => pause::Scope::All,
            Some(Ok(scope)) => scope,
            Some(Err(pause::NotAScope)) => {
                let detail = pause::NotAScope.to_string();
                let problem = Problem::new(Code::ValidationFailed, format!("`scope` {detail}."));
                return Err(problem.at("/scope", detail));
            }
        };
        Ok(Self {
            scope,
            reason: request.reason,
            by: caller.actor(),
        })
    }
}

async fn answer(
    app: &App,
    asked: &Asked,
    done: &'static str,
    switched: Result<Switched, crate::store::StoreError>,
) -> Result<Json<PausesDto>, Problem> {
    // The caller's next request is to see it, on this replica at least.
    app.state.switches.look_again().await;
    let switched = switched.map_err(|error| refusal::store_write(&error))?;
    if switched.changed {
        tracing::warn!(
            scope = %asked.scope,
            reason = asked.reason.as_deref().unwrap_or_default(),
            by = ?asked.by,
            done,
            "an operator has thrown the emergency switch"
        );
    }
    Ok(Json(PausesDto::of(Some(&switched.pauses))))
}
