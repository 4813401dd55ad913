//! `/v1/invoices`: ask for money, look what came, call it off.

use super::auth::{Caller, Scope};
use super::body;
use super::dto::List;
use super::idempotency;
use super::problem::{Code, Hint, Problem};
use super::query::{self, InvoiceQuery};
use super::refusal;
use super::router::App;
use crate::clock;
use crate::deposits::issue::{self, InvoiceRequest, Issuing};
use crate::shape::amount;
use crate::store::{
    CancelOutcome, Deposit, DepositForm, InvoiceDocument, IssueOutcome, NewInvoice, RefundDocument,
    ShownInvoice, StoreError, amount_refunded,
};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::InvoiceId;
use xrpayd_core::invoice::Invoice;

/// `POST /v1/invoices`
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesWrite)?;
    let key = idempotency::optional(&headers)?;
    let request: InvoiceRequest = body::of(&app, &headers, body).await?;
    let reading = issue::read(&request).map_err(|faults| refusal::fields(&faults))?;
    if app.state.live.is_draining() {
        return Err(refusal::shutting_down(&app.state));
    }
    // What was answered 201 is answered under its key for ever, whatever the configuration says today.
    if let Some(key) = key {
        let store = &app.state.store;
        let known = store.issued_under(&caller.client, key, reading.fingerprint);
        let known = known.await.map_err(|error| refusal::store_read(&error))?;
        if let Some(outcome) = known {
            return answer(&app, outcome, "").await;
        }
    }
    if let Some(stop) = app.state.switches.standing().stop_of_invoices() {
        return Err(refusal::stopped(&stop));
    }
    let rules = Arc::clone(&app.state.rules.borrow());
    let now = app.state.clock.now();
    let issuing = Issuing {
        id: InvoiceId(clock::uuid_v7(now, app.state.entropy.as_ref())),
        client: &caller.client,
        tip: app.state.live.tip().map(|tip| tip.ledger_index),
        now,
    };
    let invoice = issue::place(&reading, &rules.invoices, &issuing)
        .map_err(|faults| refusal::fields(&faults))?;
    let wallet = invoice.wallet.clone();
    let new = NewInvoice {
        invoice,
        idempotency_key: key.map(str::to_owned),
        fingerprint: reading.fingerprint,
        tags: issue::draw_tags(app.state.entropy.as_ref()),
        rested_since: issue::rested_since(&rules.invoices, now),
    };
    let outcome = app.state.store.issue(&new).await;
    let outcome = outcome.map_err(|error| refusal::store_write(&error))?;
    answer(&app, outcome, &wallet).await
}

async fn answer(app: &App, outcome: IssueOutcome, wallet: &str) -> Result<Response, Problem> {
    match outcome {
        IssueOutcome::Created(invoice) => {
            let path = format!("/v1/invoices/{}", invoice.id);
            let shown = ShownInvoice {
                invoice,
                deposits: Vec::new(),
                refunds: Vec::new(),
            };
            Ok(idempotency::created(&path, show(app, shown)))
        }
        IssueOutcome::Replayed(invoice) => {
            let shown = show_known(app, invoice).await;
            let shown = shown.map_err(|error| refusal::store_read(&error))?;
            Ok(idempotency::replayed(shown))
        }
        IssueOutcome::KeyReused => Err(refusal::key_reused()),
        IssueOutcome::NoTagFree => {
            tracing::error!(
                wallet.name = wallet,
                "no destination tag is free of those that were drawn: nearly all are in use"
            );
            Err(refusal::tags_exhausted(wallet))
        }
    }
}

/// `GET /v1/invoices`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesRead)?;
    let mut query = InvoiceQuery::read(query.as_deref())?;
    if !caller.is_admin() {
        query.filter.client = Some(caller.client.clone());
    }
    let found = app.state.store.invoices(&query.filter, &query.page).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    let shown = found.items.into_iter().map(|shown| show(&app, shown));
    let data: Vec<InvoiceDto> = shown.collect();
    let next_cursor = found.next.map(|cursor| cursor.to_string());
    Ok(Json(List { data, next_cursor }).into_response())
}

/// `GET /v1/invoices/{id}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesRead)?;
    query::none(query.as_deref())?;
    let shown = find(&app, &caller, &id).await?;
    Ok(Json(show(&app, shown)).into_response())
}

/// `POST /v1/invoices/{id}/cancel`
pub async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesWrite)?;
    body::none(&app, &headers, body).await?;
    let parsed = parse(&id)?;
    let client = (!caller.is_admin()).then_some(caller.client.as_str());
    let network_id = app.state.rules.borrow().policy.network_id;
    let now = app.state.clock.now();
    let outcome = app
        .state
        .store
        .cancel_invoice(parsed, client, network_id, now)
        .await;
    match outcome.map_err(|error| refusal::store_write(&error))? {
        CancelOutcome::Done(invoice) => {
            tracing::info!(invoice.id = %invoice.id, key.id = caller.key_id, "an invoice was cancelled");
            let shown = show_known(&app, invoice).await;
            let shown = shown.map_err(|error| refusal::store_read(&error).effect_unknown())?;
            Ok(Json(shown).into_response())
        }
        CancelOutcome::NotFound => Err(refusal::no_invoice(&id)),
        CancelOutcome::Illegal { invoice, why } => {
            let detail = format!("Invoice {} cannot be cancelled: {why}.", invoice.id);
            let problem = Problem::new(Code::AlreadyFinal, detail);
            Err(problem.hint(Hint::CurrentVersion(invoice.version)))
        }
    }
}

/// The invoice with this id, where the caller may see it.
pub(super) async fn find(app: &App, caller: &Caller, id: &str) -> Result<ShownInvoice, Problem> {
    let found = app.state.store.shown_invoice(parse(id)?).await;
    // Somebody else's invoice is not told from one that does not exist.
    found
        .map_err(|error| refusal::store_read(&error))?
        .filter(|shown| shown.invoice.client == caller.client || caller.is_admin())
        .ok_or_else(|| refusal::no_invoice(id))
}

/// An invoice and what came to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub(super) struct InvoiceDto {
    #[serde(flatten)]
    document: InvoiceDocument,
    /// What came to it, in the order of the ledger; at most the first hundred.
    #[schema(value_type = Vec<DepositForm>)]
    deposits: Vec<Deposit>,
    /// What was given back and delivered.
    #[schema(value_type = amount::Amount)]
    amount_refunded: Amount,
    refunds: Vec<RefundDocument>,
}

/// The public form of an invoice, by itself.
pub(super) fn document(app: &App, invoice: &Invoice) -> InvoiceDocument {
    InvoiceDocument::of(invoice, app.state.rules.borrow().policy.network_id)
}

fn show(app: &App, shown: ShownInvoice) -> InvoiceDto {
    InvoiceDto {
        document: document(app, &shown.invoice),
        amount_refunded: amount_refunded(&shown.invoice, &shown.refunds),
        refunds: shown.refunds.iter().map(RefundDocument::of).collect(),
        deposits: shown.deposits,
    }
}

/// The public form of an invoice that was there before.
async fn show_known(app: &App, invoice: Invoice) -> Result<InvoiceDto, StoreError> {
    let known = app.state.store.shown_invoice(invoice.id).await?;
    // An invoice is never deleted.
    let known = known.unwrap_or_else(|| ShownInvoice {
        invoice,
        deposits: Vec::new(),
        refunds: Vec::new(),
    });
    Ok(show(app, known))
}

fn parse(id: &str) -> Result<InvoiceId, Problem> {
    id.parse().map_err(|_| refusal::no_invoice(id))
}
