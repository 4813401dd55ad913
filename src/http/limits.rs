//! `/v1/limits`: the caps of the stage in force, what is used of them and what is left.

use super::auth::{Caller, Scope};
use super::dto::Amount;
use super::problem::Problem;
use super::query;
use super::refusal;
use super::router::App;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
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
    let policy = app.state.policy();
    let (caps, now) = (&policy.caps, app.state.clock.now());
    let used = app.state.store.limit_usage(now).await;
    let used = used.map_err(|error| refusal::store_read(&error))?.usage;
    Ok(Json(LimitsDto {
        object: "limits",
        stage: policy.stage.clone(),
        window_s: WINDOW_MS / 1000,
        caps: CapsDto {
            min_payment: caps.min_payment.into(),
            max_payment: caps.max_payment.into(),
            daily: caps.daily.into(),
            pending: caps.max_pending,
            approval_threshold: policy.approval.map(|rule| rule.threshold.into()),
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
