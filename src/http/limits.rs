//! `/v1/limits` and `/v1/rollout`: the stage in force, its caps, what is used of them and what is
//! left.

use super::auth::{Caller, Scope};
use super::dto::Amount;
use super::problem::Problem;
use super::query;
use super::refusal;
use super::router::App;
use super::state::StageRow;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use xrpayd_core::limits::WINDOW_MS;

/// The limits of payments in XRP.
#[derive(Debug, Serialize)]
pub struct LimitsDto {
    object: &'static str,
    stage: String,
    window_s: i64,
    caps: CapsDto,
    used: DayDto,
    left: DayDto,
}

#[derive(Debug, Serialize)]
struct CapsDto {
    min_payment: Amount,
    max_payment: Amount,
    daily: Amount,
    pending: u32,
    approval_threshold: Option<Amount>,
}

#[derive(Debug, Serialize)]
struct DayDto {
    daily: Amount,
    pending: u32,
}

/// `GET /v1/limits`
pub async fn limits(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<LimitsDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::none(query.as_deref())?;
    let rules = Arc::clone(&app.state.rules.borrow());
    let (caps, now) = (&rules.policy.caps, app.state.clock.now());
    let used = app.state.store.limit_usage(now).await;
    let used = used.map_err(|error| refusal::store_read(&error))?.usage;
    Ok(Json(LimitsDto {
        object: "limits",
        stage: rules.policy.stage.clone(),
        window_s: WINDOW_MS / 1000,
        caps: CapsDto {
            min_payment: caps.min_payment.into(),
            max_payment: caps.max_payment.into(),
            daily: caps.daily.into(),
            pending: caps.max_pending,
            approval_threshold: rules.policy.approval.map(|rule| rule.threshold.into()),
        },
        used: DayDto {
            daily: used.daily_used.into(),
            pending: used.pending,
        },
        left: DayDto {
            daily: caps.daily.saturating_sub(used.daily_used).into(),
            pending: caps.max_pending.saturating_sub(used.pending),
        },
    }))
}

/// The rollout.
#[derive(Debug, Serialize)]
pub struct RolloutDto {
    object: &'static str,
    stage: String,
    stages: Vec<StageDto>,
}

#[derive(Debug, Serialize)]
struct StageDto {
    name: String,
    max_payment: Option<Amount>,
    daily_limit: Option<Amount>,
    allowed_clients: Vec<String>,
    min_duration_s: Option<u64>,
    criteria: BTreeMap<String, String>,
}

impl From<&StageRow> for StageDto {
    fn from(row: &StageRow) -> Self {
        Self {
            name: row.name.clone(),
            max_payment: row.max_payment.map(Amount::from),
            daily_limit: row.daily_limit.map(Amount::from),
            allowed_clients: row.allowed_clients.clone(),
            min_duration_s: row.min_duration.map(|duration| duration.as_secs()),
            criteria: row.criteria.iter().cloned().collect(),
        }
    }
}

/// `GET /v1/rollout`
pub async fn rollout(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<RolloutDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::none(query.as_deref())?;
    let rules = Arc::clone(&app.state.rules.borrow());
    Ok(Json(RolloutDto {
        object: "rollout",
        stage: rules.policy.stage.clone(),
        stages: rules.stages.iter().map(StageDto::from).collect(),
    }))
}
