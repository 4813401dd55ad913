//! `/v1/servers`: the pool.

use super::auth::{Caller, Scope};
use super::problem::Problem;
use super::query;
use super::router::App;
use super::state::{DisputeRow, Readiness, ServerRow, SideRow};
use crate::rfc3339::Rfc3339;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use std::sync::Arc;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// A server of the pool.
#[derive(Debug, Serialize)]
pub struct ServerDto {
    object: &'static str,
    name: String,
    operator: String,
    state: String,
    ready: bool,
    cause: Option<String>,
    reason: Option<String>,
    since: Option<Rfc3339>,
    validated_ledger: Option<LedgerIndex>,
    lag_ledgers: Option<u32>,
    latency_ms: Option<u64>,
    latency_p95_ms: Option<u64>,
    errors_per_mille: u32,
    budget_per_second: Option<u64>,
    complete_ledgers: String,
    build_version: Option<String>,
    load_factor: Option<u64>,
    score: Option<u32>,
}

impl From<ServerRow> for ServerDto {
    fn from(row: ServerRow) -> Self {
        let ms = |latency: std::time::Duration| u64::try_from(latency.as_millis()).ok();
        Self {
            object: "server",
            name: row.name,
            operator: row.operator,
            state: row.state,
            ready: row.readiness == Readiness::Ready,
            cause: row.cause,
            reason: row.reason,
            since: row.since.map(Rfc3339),
            validated_ledger: row.validated_ledger,
            lag_ledgers: row.lag_ledgers,
            latency_ms: row.latency.and_then(ms),
            latency_p95_ms: row.latency_p95.and_then(ms),
            errors_per_mille: row.errors_per_mille,
            budget_per_second: row.budget_per_second,
            complete_ledgers: row.complete_ledgers,
            build_version: row.build_version,
            load_factor: row.load_factor,
            score: row.score,
        }
    }
}

/// A contradiction between two servers.
#[derive(Debug, Serialize)]
pub struct DisputeDto {
    object: &'static str,
    about: String,
    outcome: String,
    times: u64,
    first_at: Rfc3339,
    last_at: Rfc3339,
    sides: [SideDto; 2],
}

/// What one server said against another.
#[derive(Debug, Serialize)]
pub struct SideDto {
    server: String,
    ledger_index: LedgerIndex,
    ledger_hash: Option<LedgerHash>,
    says: String,
}

impl From<DisputeRow> for DisputeDto {
    fn from(row: DisputeRow) -> Self {
        Self {
            object: "dispute",
            about: row.about,
            outcome: row.outcome,
            times: row.times,
            first_at: Rfc3339(row.first_at),
            last_at: Rfc3339(row.last_at),
            sides: row.sides.map(SideDto::from),
        }
    }
}

impl From<SideRow> for SideDto {
    fn from(row: SideRow) -> Self {
        Self {
            server: row.server,
            ledger_index: row.ledger_index,
            ledger_hash: row.ledger_hash,
            says: row.says,
        }
    }
}

/// The pool: its servers, and beside them what they have said against each other.
#[derive(Debug, Serialize)]
pub struct PoolDto {
    data: Vec<ServerDto>,
    next_cursor: Option<String>,
    disputes: Vec<DisputeDto>,
}

/// `GET /v1/servers`. There are a handful; they are one page.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<PoolDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::whole_list(query.as_deref())?;
    let live = &app.state.live;
    let mut disputes: Vec<DisputeDto> = live.disputes().into_iter().map(DisputeDto::from).collect();
    // The newest first, as everywhere.
    disputes.reverse();
    Ok(Json(PoolDto {
        data: live.servers().into_iter().map(ServerDto::from).collect(),
        next_cursor: None,
        disputes,
    }))
}
