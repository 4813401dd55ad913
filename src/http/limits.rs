//! `/v1/limits`: the caps of the stage in force, what is used of them and what is left.

use super::auth::{self, Caller};
use super::dto::Amount;
use super::openapi::words;
use super::problem::{Code, Problem};
use super::query::LimitsQuery;
use super::refusal;
use super::router::App;
use crate::rfc3339::Rfc3339;
use crate::store::Store;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{Scope, ScopeCaps, Usage, WINDOW_MS};
use xrpayd_core::money::Drops;

/// How many of the next instants are told at which something frees.
const FREES_MAX: usize = 20;

/// The limits of payments in XRP.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitsDto {
    #[schema(value_type = words::KindLimits)]
    object: &'static str,
    stage: String,
    window_s: i64,
    caps: CapsDto,
    used: DayDto,
    left: DayDto,
    #[serde(flatten)]
    frees: FreesDto,
    client: ScopeDto,
    destination: Option<ScopeDto>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitCaps)]
struct CapsDto {
    min_payment: Amount,
    max_payment: Amount,
    daily: Amount,
    pending: u32,
    approval_threshold: Option<Amount>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitUsage)]
struct DayDto {
    daily: Amount,
    pending: u32,
}

/// The limits of one client or destination, which hold besides; null where there is none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScopeLimits)]
struct ScopeDto {
    name: String,
    caps: ScopeCapsDto,
    used: Option<DayDto>,
    left: ScopeLeftDto,
    #[serde(flatten)]
    frees: FreesDto,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScopeCaps)]
struct ScopeCapsDto {
    max_payment: Option<Amount>,
    daily: Option<Amount>,
    pending: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScopeLeft)]
struct ScopeLeftDto {
    daily: Option<Amount>,
    pending: Option<u32>,
}

/// When what counts against the day no longer will.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = LimitFrees)]
struct FreesDto {
    /// The next instant at which something leaves the day.
    resets_at: Option<Rfc3339>,
    /// What leaves it at the next instants.
    frees: Vec<FreeDto>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitFree)]
struct FreeDto {
    at: Rfc3339,
    amount: Amount,
}

impl FreesDto {
    fn of(oldest: &[(UnixMs, Drops)]) -> Self {
        let mut frees: Vec<(UnixMs, Drops)> = Vec::new();
        for (accepted_at, drops) in oldest {
            let at = accepted_at.plus_ms(WINDOW_MS);
            if let Some((last, sum)) = frees.last_mut()
                && *last == at
            {
                *sum = sum.checked_add(*drops).unwrap_or(Drops::MAX);
            } else if frees.len() < FREES_MAX {
                frees.push((at, *drops));
            } else {
                break;
            }
        }
        let free = |(at, drops)| FreeDto {
            at: Rfc3339(at),
            amount: Amount::from(drops),
        };
        Self {
            resets_at: frees.first().map(|(at, _)| Rfc3339(*at)),
            frees: frees.into_iter().map(free).collect(),
        }
    }
}

impl From<Usage> for DayDto {
    fn from(usage: Usage) -> Self {
        Self {
            daily: usage.daily_used.into(),
            pending: usage.pending,
        }
    }
}

impl ScopeDto {
    async fn read(
        store: &Store,
        scope: &Scope,
        caps: ScopeCaps,
        now: UnixMs,
    ) -> Result<Self, Problem> {
        // What nothing is asked of is not counted either.
        let used = if caps.counts() {
            let used = store.scope_usage(scope, now).await;
            Some(used.map_err(|error| refusal::store_read(&error))?)
        } else {
            None
        };
        let usage = used.as_ref().map(|used| used.usage);
        let left = |cap: Option<Drops>| Some(cap?.saturating_sub(usage?.daily_used));
        let left_pending = |cap: Option<u32>| Some(cap?.saturating_sub(usage?.pending));
        Ok(Self {
            name: match scope {
                Scope::Client(name) => name.clone(),
                Scope::Destination(account) => account.to_string(),
            },
            caps: ScopeCapsDto {
                max_payment: caps.max_payment.map(Amount::from),
                daily: caps.daily.map(Amount::from),
                pending: caps.max_pending,
            },
            left: ScopeLeftDto {
                daily: left(caps.daily).map(Amount::from),
                pending: left_pending(caps.max_pending),
            },
            frees: used
                .map(|used| FreesDto::of(&used.oldest))
                .unwrap_or_default(),
            used: usage.map(DayDto::from),
        })
    }
}

/// `GET /v1/limits`
pub async fn limits(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<LimitsDto>, Problem> {
    caller.require(auth::Scope::PaymentsRead)?;
    let query = LimitsQuery::read(query.as_deref())?;
    let client = query.client.unwrap_or_else(|| caller.client.clone());
    if client != caller.client && !caller.is_admin() {
        // How much another one moves is nobody's business but an operator's.
        let detail = "Another client's limits need a key with the scope `admin`.";
        return Err(Problem::new(Code::ScopeMissing, detail));
    }
    let (policy, now) = (app.state.policy(), app.state.clock.now());
    let (caps, store) = (&policy.caps, &app.state.store);
    let used = store.limit_usage(now).await;
    let used = used.map_err(|error| refusal::store_read(&error))?;
    let of_client = policy.scopes.of_client(&client);
    let client = ScopeDto::read(store, &Scope::Client(client), of_client, now).await?;
    let destination = match query.destination {
        None => None,
        Some(account) => {
            let of_account = policy.scopes.of_destination(&account);
            let scope = Scope::Destination(account);
            Some(ScopeDto::read(store, &scope, of_account, now).await?)
        }
    };
    let usage = used.usage;
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
        left: DayDto {
            daily: caps.daily.saturating_sub(usage.daily_used).into(),
            pending: caps.max_pending.saturating_sub(usage.pending),
        },
        used: usage.into(),
        frees: FreesDto::of(&used.oldest),
        client,
        destination,
    }))
}
