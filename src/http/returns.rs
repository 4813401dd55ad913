//! `/v1/deposits/{id}/assign` and `/return`: what a person does with a deposit that belongs to nothing.
//!
//! A return is a payment like any other: it passes the stage, the limits, the look at its destination
//! and, where one is asked for, a second person's approval.

use super::auth::{Caller, Scope};
use super::deposits::find;
use super::paybacks::{Asking, pay_back, replayed};
use super::problem::{Code, Hint, Problem};
use super::router::App;
use super::{body, idempotency, refusal, rulings};
use crate::payments::accept::payback::{self, AssignRequest, NotReturnable, ReturnRequest};
use crate::store::{AssignOutcome, Assignment, Bounce, Deposit, HOUSE, Place, Subject};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeSet;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::InvoiceId;
use xrpayd_core::invoice::Illegal;

/// `POST /v1/deposits/{id}/assign`
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesWrite)?;
    let request: AssignRequest = body::of(&app, &headers, body).await?;
    let Some(named) = request.invoice_id else {
        let detail = "`invoice_id` is required: the invoice that the deposit is for.";
        return Err(Problem::new(Code::MissingField, detail).at("/invoice_id", "is required"));
    };
    let deposit = find(&app, &caller, &id).await?;
    let invoice: InvoiceId = named.parse().map_err(|_| refusal::no_invoice(&named))?;
    let client = (!caller.is_admin()).then_some(caller.client.as_str());
    let assignment = Assignment {
        deposit: deposit.id,
        version: request.version,
        invoice,
        client,
        by: &caller.key_id,
        of: &caller.client,
    };
    let outcome = app.state.store.assign(assignment, app.state.clock.now());
    let outcome = outcome
        .await
        .map_err(|error| refusal::store_write(&error))?;
    match outcome {
        AssignOutcome::Done(deposit) => {
            tracing::info!(
                deposit.id = %deposit.id,
                invoice.id = %invoice,
                key.id = caller.key_id,
                "a deposit was assigned to an invoice"
            );
            Ok(Json(deposit).into_response())
        }
        AssignOutcome::AsBefore(deposit) => Ok(Json(deposit).into_response()),
        AssignOutcome::NoDeposit => Err(refusal::no_deposit(&id)),
        AssignOutcome::NoInvoice => Err(refusal::no_invoice(&named)),
        AssignOutcome::Stale(deposit) => {
            let detail = format!("Deposit {} has changed since it was read.", deposit.id);
            Err(at_version(Code::VersionMismatch, detail, &deposit))
        }
        AssignOutcome::Elsewhere(deposit, owner) => {
            let detail = format!("Deposit {} belongs to invoice {owner}.", deposit.id);
            Err(at_version(Code::AlreadyAssigned, detail, &deposit))
        }
        AssignOutcome::NotAssignable(deposit, why) => {
            let detail = format!("Deposit {} cannot be assigned: {why}.", deposit.id);
            Err(at_version(Code::NotAssignable, detail, &deposit))
        }
        AssignOutcome::Illegal(deposit, why) => {
            let code = match why {
                Illegal::Cancelled => Code::InvoiceCancelled,
                Illegal::OtherAsset
                | Illegal::NotExact
                | Illegal::BeforeInvoice
                | Illegal::Nothing
                | Illegal::NotExpired
                | Illegal::Final(_) => Code::NotAssignable,
            };
            let detail = format!("Invoice {invoice} does not take the deposit: {why}.");
            Err(at_version(code, detail, &deposit))
        }
    }
}

fn at_version(code: Code, detail: String, deposit: &Deposit) -> Problem {
    Problem::new(code, detail).hint(Hint::CurrentVersion(deposit.version))
}

/// `POST /v1/deposits/{id}/return`
pub async fn give_back(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesWrite)?;
    let key = idempotency::optional(&headers)?;
    let request: ReturnRequest = body::or_default(&app, &headers, body).await?;
    rulings::check_reason(request.reason.as_deref())?;
    let deposit = find(&app, &caller, &id).await?;
    let wanted = payback::read_return(&request, deposit.id).map_err(|f| refusal::fields(&f))?;
    if let Some(known) = replayed(&app, &caller, key, wanted.fingerprint).await? {
        return Ok(known);
    }
    if let Place::Invoice(invoice) = deposit.place {
        return Err(matched(&deposit, invoice));
    }
    let ours: BTreeSet<AccountId> = {
        let rules = app.state.rules.borrow();
        rules.policy.wallets.values().copied().collect()
    };
    let (from, delivered) =
        payback::returnable(&deposit, &ours).map_err(|why| not_returnable(&deposit, why))?;
    let drops = wanted.drops.unwrap_or(delivered);
    if drops > delivered {
        let detail = format!(
            "Deposit {} brought {} XRP; no more than that can go back.",
            deposit.id,
            delivered.to_xrp()
        );
        return Err(Problem::new(Code::ReturnAboveDelivered, detail)
            .at("/amount/value", "is more than was delivered"));
    }
    // Whoever asks for what is done or on its way is told so, whatever the rules say today.
    if deposit.returned_by().is_none() {
        let bounce = app.state.store.bounce(&deposit).await;
        if let Some(bounce) = bounce.map_err(|error| refusal::store_read(&error))? {
            return Err(is_a_return(&deposit, bounce));
        }
    }
    let to = (from.to_string(), deposit.source_tag);
    let asking = Asking {
        request: payback::payment(&deposit.wallet, to, drops, Some(deposit.hash)),
        client: HOUSE,
        subject: Subject::Deposit(deposit.id),
        standing: deposit.returned,
        reason: request.reason,
        key,
        fingerprint: wanted.fingerprint,
    };
    pay_back(&app, &caller, asking).await
}

/// What came to an invoice goes back as a refund of that.
pub(super) fn matched(deposit: &Deposit, invoice: InvoiceId) -> Problem {
    let detail = format!(
        "Deposit {} belongs to invoice {invoice}: refund that by POST /v1/invoices/{invoice}/refunds.",
        deposit.id
    );
    at_version(Code::IsMatched, detail, deposit)
}

fn not_returnable(deposit: &Deposit, why: NotReturnable) -> Problem {
    let code = match why {
        NotReturnable::Currency => Code::CurrencyNotEnabled,
        NotReturnable::Internal
        | NotReturnable::AmountUnknown
        | NotReturnable::NoSender
        | NotReturnable::SenderDeleted => Code::NotReturnable,
    };
    let detail = format!("Deposit {} cannot be returned: {why}.", deposit.id);
    Problem::new(code, detail)
}

fn is_a_return(deposit: &Deposit, bounce: Bounce) -> Problem {
    let why = match bounce {
        Bounce::Marked => "its sender marked it as the return of something that was sent from here",
        Bounce::OurMarker => "it bears the marker of a payment of ours",
        Bounce::AfterPayback => "as much or more had been given back to its sender before it came",
    };
    let detail = format!(
        "Deposit {} is itself something that came back: {why}. Assign it, or pay by hand.",
        deposit.id
    );
    Problem::new(Code::IsAReturn, detail)
}
