//! `/v1/deposits`: what came in.
//!
//! A client sees what came to its invoices, and what belongs to nobody yet: the house's.

use super::auth::{Caller, Scope};
use super::dto::List;
use super::problem::Problem;
use super::query::DepositQuery;
use super::refusal;
use super::router::App;
use crate::store::{Deposit, HOUSE};
use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use xrpayd_core::ids::DepositId;

/// `GET /v1/deposits`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesRead)?;
    let mut query = DepositQuery::read(query.as_deref())?;
    if !caller.is_admin() {
        query.filter.client = Some(caller.client.clone());
    }
    let page = app
        .state
        .store
        .deposits(&query.filter, &query.page)
        .await
        .map_err(|error| refusal::store_read(&error))?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    let data = page.items;
    Ok(Json(List { data, next_cursor }).into_response())
}

/// `GET /v1/deposits/{id}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesRead)?;
    super::query::none(query.as_deref())?;
    Ok(Json(find(&app, &caller, &id).await?).into_response())
}

/// The deposit, where the caller may see it.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Deposit, Problem> {
    let Ok(known) = id.parse::<DepositId>() else {
        return Err(refusal::no_deposit(id));
    };
    let found = app.state.store.deposit(known).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    let may_see = |deposit: &Deposit| {
        caller.is_admin() || deposit.client == HOUSE || deposit.client == caller.client
    };
    found.filter(may_see).ok_or_else(|| refusal::no_deposit(id))
}
