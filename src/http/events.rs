//! `GET /v1/events`: the feed, a page at a time.
//!
//! A caller is handed its own client's events and the house's, as far as its scopes let it see the
//! objects that they are about. The place to go on from is always a sequence, so a reader needs to
//! remember one number.

use super::auth::{Caller, Scope};
use super::dto::{FeedEventDto, List};
use super::problem::{Code, Hint, Problem};
use super::query::FeedQuery;
use super::refusal;
use super::router::App;
use crate::store::{FeedFilter, FeedPage};
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// How many stretches of the feed one request looks through for something that its filter lets through:
/// past that the caller goes on from where the search ended.
const STRETCHES_MAX: u32 = 10;

/// The kinds of objects whose events need no more than `payments:read`.
const OPEN: [&str; 5] = [
    "payment",
    "wallet",
    "rollout",
    "service",
    "webhook_endpoint",
];
/// The kinds whose events are shown to those alone who may read the objects themselves.
const OF_INVOICES: [&str; 2] = ["invoice", "deposit"];

/// `GET /v1/events`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let query = FeedQuery::read(query.as_deref())?;
    let filter = filter_of(&caller, query.types);
    let mut from = query.after.unwrap_or(0);
    let mut stretches = 0;
    let page = loop {
        let page = read(&app, from, &filter, query.limit).await?;
        if let Some(after) = query.after {
            is_within(&page, after)?;
        }
        stretches += 1;
        if page.at_end || !page.events.is_empty() || stretches == STRETCHES_MAX {
            break page;
        }
        from = page.through;
    };
    let is_over = page.at_end && page.events.is_empty();
    let next_cursor = (!is_over).then(|| page.through.to_string());
    let data = page.events.into_iter().map(FeedEventDto::of).collect();
    Ok(Json(List { data, next_cursor }).into_response())
}

/// A stretch of the feed.
pub(super) async fn read(
    app: &App,
    after: i64,
    filter: &FeedFilter,
    limit: u32,
) -> Result<FeedPage, Problem> {
    let page = app.state.store.feed_page(after, filter, limit).await;
    page.map_err(|error| refusal::store_read(&error))
}

/// Which events a caller is handed, of those types that it asks for.
pub(super) fn filter_of(caller: &Caller, types: Vec<String>) -> FeedFilter {
    let mut objects = OPEN.to_vec();
    if caller.has(Scope::InvoicesRead) {
        objects.extend(OF_INVOICES);
    }
    FeedFilter {
        client: (!caller.is_admin()).then(|| caller.client.clone()),
        house: true,
        types,
        objects: objects.into_iter().map(str::to_owned).collect(),
    }
}

/// Refuses a place from which the feed cannot be followed without a gap.
pub(super) fn is_within(page: &FeedPage, after: i64) -> Result<(), Problem> {
    if after < page.expired {
        let oldest = page.expired.saturating_add(1);
        let detail = format!(
            "Events up to {} are no longer handed out; the oldest that is there is {oldest}. Read the \
             objects themselves, then go on after {}.",
            page.expired, page.expired
        );
        let problem = Problem::new(Code::EventsExpired, detail);
        return Err(problem.hint(Hint::OldestSequence(oldest)));
    }
    if page.at_end && after > page.through {
        let detail = format!(
            "is after the last event, {}: the database is older than what was read of it before",
            page.through
        );
        return Err(Problem::query("after", detail));
    }
    Ok(())
}
