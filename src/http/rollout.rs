//! `/v1/rollout`: the stage in force, what speaks for the next one, and the word of whoever may change
//! it.
//!
//! The judge is [`crate::rollout`]; here its words become answers. Whoever reads sees the criteria with
//! what was measured; who changed the stage and what he said is for administrators.

use super::auth::{Caller, Scope};
use super::body;
use super::dto::Amount;
use super::openapi::words;
use super::problem::{Code, Problem};
use super::query;
use super::refusal;
use super::router::App;
use super::rulings::{check_reason, check_words};
use crate::config::duration_text;
use crate::rollout::{self, Evaluation, Eyes, Refused, Report, Wish, capitalised, shown};
use crate::shape::scalar;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;
use xrpayd_core::rollout::{Alerts, Criteria, NoDemotion, Stage};

/// The rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rollout)]
pub struct RolloutDto {
    #[schema(value_type = words::KindRollout)]
    object: &'static str,
    #[serde(flatten)]
    report: Report,
    stages: Vec<StageDto>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutStage)]
struct StageDto {
    name: String,
    max_payment: Option<Amount>,
    daily_limit: Option<Amount>,
    allowed_clients: Vec<String>,
    min_duration_s: Option<i64>,
    criteria: BTreeMap<&'static str, String>,
}

/// The body of a promotion.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromotionRequest)]
pub(super) struct PromoteRequest {
    /// The stage that the caller saw in force.
    stage: Option<String>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    reason: Option<String>,
    /// Why although the criteria are not met.
    #[schema(value_type = Option<scalar::Reason>)]
    override_reason: Option<String>,
}

/// The body of a demotion.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DemotionRequest)]
pub(super) struct DemoteRequest {
    /// The stage that the caller saw in force.
    stage: Option<String>,
    /// The stage that is to be in force; the next one below where it is absent.
    to: Option<String>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    reason: Option<String>,
}

/// `GET /v1/rollout`
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<RolloutDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::none(query.as_deref())?;
    seen(&app, &caller).await
}

/// `POST /v1/rollout/promote`
pub async fn promote(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RolloutDto>, Problem> {
    caller.require(Scope::Admin)?;
    let said: PromoteRequest = body::or_default(&app, &headers, body).await?;
    check_reason(said.reason.as_deref())?;
    check_words("override_reason", said.override_reason.as_deref())?;
    let wish = Wish {
        seen: said.stage,
        reason: said.reason,
        override_reason: said.override_reason,
        by: caller.actor(),
        now: app.state.clock.now(),
    };
    let ladder = app.state.rules.borrow().ladder.clone();
    rollout::promote(&app.state.store, &ladder, wish)
        .await
        .map_err(|refused| refusal_of(&refused))?;
    changed(&app, &caller).await
}

/// `POST /v1/rollout/demote`
pub async fn demote(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RolloutDto>, Problem> {
    caller.require(Scope::Admin)?;
    let said: DemoteRequest = body::or_default(&app, &headers, body).await?;
    check_reason(said.reason.as_deref())?;
    let wish = Wish {
        seen: said.stage,
        reason: said.reason,
        override_reason: None,
        by: caller.actor(),
        now: app.state.clock.now(),
    };
    let ladder = app.state.rules.borrow().ladder.clone();
    rollout::demote(&app.state.store, &ladder, said.to.as_deref(), wish)
        .await
        .map_err(|refused| refusal_of(&refused))?;
    changed(&app, &caller).await
}

/// The rollout after a change. The change is made: who cannot be shown it must not take it for one that
/// was not.
async fn changed(app: &App, caller: &Caller) -> Result<Json<RolloutDto>, Problem> {
    app.state.switches.look_again().await;
    let shown = seen(app, caller).await;
    shown.map_err(Problem::effect_unknown)
}

/// The rollout as it stands, for this caller's eyes.
async fn seen(app: &App, caller: &Caller) -> Result<Json<RolloutDto>, Problem> {
    let (store, now) = (&app.state.store, app.state.clock.now());
    let ladder = app.state.rules.borrow().ladder.clone();
    let eyes = match caller.is_admin() {
        true => Eyes::Administrator,
        false => Eyes::Reader,
    };
    // Measuring reads all that ended at the stage: one caller at a time may cost that.
    let _turn = app.measuring.lock().await;
    let report = rollout::report(store, &ladder, eyes, now).await;
    Ok(Json(RolloutDto {
        object: "rollout",
        report: report.map_err(|refused| refusal_of(&refused))?,
        stages: ladder.stages.iter().map(StageDto::from).collect(),
    }))
}

impl From<&Stage> for StageDto {
    fn from(row: &Stage) -> Self {
        Self {
            name: row.name.clone(),
            max_payment: row.max_payment.map(Amount::from),
            daily_limit: row.daily_limit.map(Amount::from),
            allowed_clients: row.allowed_clients.clone(),
            min_duration_s: row.criteria.min_duration_ms.map(|ms| ms / 1000),
            criteria: criteria_of(&row.criteria),
        }
    }
}

/// The criteria by their names in the configuration, as they are written there.
fn criteria_of(criteria: &Criteria) -> BTreeMap<&'static str, String> {
    let span = |ms: i64| duration_text(Duration::from_millis(ms.unsigned_abs()));
    let confirmed = criteria.confirmed;
    let alerts = match criteria.alerts {
        Alerts::NotAsked => None,
        Alerts::MustBeAcknowledged => Some("true".to_owned()),
    };
    let named = [
        (
            "max_error_rate",
            criteria.max_error_rate.map(|share| share.to_string()),
        ),
        (
            "confirmed_within",
            confirmed.map(|wanted| span(wanted.within_ms)),
        ),
        (
            "confirmed_ratio",
            confirmed.map(|wanted| wanted.ratio.to_string()),
        ),
        (
            "min_payments",
            criteria.min_payments.map(|count| count.to_string()),
        ),
        (
            "max_security_incidents",
            criteria
                .max_security_incidents
                .map(|count| count.to_string()),
        ),
        ("alerts_acknowledged", alerts),
    ];
    let named = named.into_iter();
    named
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// Why the stage stays as it is, or cannot be told.
fn refusal_of(refused: &Refused) -> Problem {
    let detail = format!("{}.", capitalised(&refused.to_string()));
    match refused {
        Refused::Store(error) => refusal::store_write(error),
        Refused::NotBegun => Problem::new(Code::StoreUnavailable, detail).retry_after(1),
        Refused::Moved(_) => {
            Problem::new(Code::StageChanged, detail).at("/stage", "is not in force")
        }
        Refused::NoPromotion(_) => Problem::new(Code::NoPromotion, detail),
        Refused::NoDemotion(NoDemotion::NoSuchStage { known, .. }) => {
            let errors = format!("must be one of {known}");
            Problem::new(Code::ValidationFailed, detail).at("/to", errors)
        }
        Refused::NoDemotion(NoDemotion::NotBelow { .. }) => {
            let errors = "must be below the stage in force";
            Problem::new(Code::NoDemotion, detail).at("/to", errors)
        }
        Refused::NoDemotion(NoDemotion::IsLowest) => Problem::new(Code::NoDemotion, detail),
        Refused::NotMet(evaluation) => not_met(evaluation),
    }
}

/// Every criterion that is not met, by its name.
fn not_met(evaluation: &Evaluation) -> Problem {
    let stage = &evaluation.in_force.stage;
    let detail = format!(
        "The criteria of the stage {stage} are not met; `override_reason` promotes nevertheless, and is \
         kept."
    );
    let failing = evaluation.findings.iter().map(shown);
    failing.filter(|finding| !finding.met).fold(
        Problem::new(Code::CriteriaNotMet, detail),
        |problem, finding| {
            let pointer = format!("/criteria/{}", finding.criterion);
            let wanted = finding.wanted.map(|wanted| format!(" (wanted: {wanted})"));
            let detail = format!("{}{}", finding.why, wanted.unwrap_or_default());
            problem.at(pointer, detail)
        },
    )
}
