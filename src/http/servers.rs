//! `/v1/servers`: the pool.

use super::auth::{Caller, Scope};
use super::openapi::words;
use super::problem::Problem;
use super::query;
use super::router::App;
use super::state::{DisputeRow, Readiness, ServerRow, SideRow};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// A server of the pool.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Server)]
pub struct ServerDto {
    #[schema(value_type = words::KindServer)]
    object: &'static str,
    /// Its configured name.
    name: String,
    /// Who runs it.
    operator: String,
    #[schema(value_type = words::ServerState)]
    state: String,
    ready: bool,
    /// Why it is not ready, in a word.
    cause: Option<String>,
    /// Why it is not ready, in what was said or seen.
    reason: Option<String>,
    /// Since when it is in this state.
    since: Option<Rfc3339>,
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    validated_ledger: Option<LedgerIndex>,
    /// How far it is behind the pool.
    lag_ledgers: Option<u32>,
    /// A weighted mean of its answers' times.
    latency_ms: Option<u64>,
    /// Nineteen of twenty answers come within this.
    latency_p95_ms: Option<u64>,
    /// Of a thousand answers, how many were of no use.
    errors_per_mille: u32,
    /// Requests a second that it is asked at most; null until it asked to slow down.
    budget_per_second: Option<u64>,
    /// The ledgers that it holds.
    complete_ledgers: String,
    build_version: Option<String>,
    /// 1 is no load.
    load_factor: Option<u64>,
    /// From 0 to 1,000.
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Dispute)]
pub struct DisputeDto {
    #[schema(value_type = words::KindDispute)]
    object: &'static str,
    about: String,
    #[schema(value_type = words::DisputeOutcome)]
    outcome: String,
    /// How often it was met.
    times: u64,
    first_at: Rfc3339,
    last_at: Rfc3339,
    #[schema(value_type = Vec<SideDto>, min_items = 2, max_items = 2)]
    sides: [SideDto; 2],
}

/// What one server said against another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DisputeSide)]
pub struct SideDto {
    server: String,
    #[schema(value_type = scalar::LedgerIndex)]
    ledger_index: LedgerIndex,
    /// That ledger's hash by its word.
    #[schema(value_type = Option<scalar::LedgerHash>)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerList)]
pub struct PoolDto {
    data: Vec<ServerDto>,
    /// Always null: they are one page.
    next_cursor: Option<String>,
    /// What servers have said against each other, the newest first.
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
