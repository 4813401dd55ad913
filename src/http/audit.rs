//! `GET /v1/audit`: who changed what may be done with money, to those alone who may change all of it.

use super::auth::{Caller, Scope};
use super::dto::List;
use super::problem::Problem;
use super::query::AuditQuery;
use super::refusal;
use super::router::App;
use crate::store::{AuditEntry, AuditForm};
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use std::sync::Arc;

/// `GET /v1/audit`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<AuditForm>>, Problem> {
    caller.require(Scope::Admin)?;
    let query = AuditQuery::read(query.as_deref())?;
    let page = app
        .state
        .store
        .audit_entries(&query.filter, query.from, query.limit)
        .await;
    let page = page.map_err(|error| refusal::store_read(&error))?;
    Ok(Json(List {
        next_cursor: page.next.map(|last| query.cursor(last)),
        data: page.items.into_iter().map(AuditEntry::form).collect(),
    }))
}
