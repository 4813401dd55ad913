//! `POST /v1/invoices/{id}/refunds`: what an invoice received goes back, all of it or a part, to whoever
//! paid.

use super::auth::{Caller, Scope};
use super::invoices::find;
use super::paybacks::{Asking, pay_back, replayed};
use super::problem::{Code, Problem};
use super::router::App;
use super::{body, idempotency, refusal, rulings};
use crate::payments::accept::payback::{self, Payer, RefundRequest, Wanted};
use crate::store::{Deposit, Place, ShownInvoice, Subject};
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::collections::BTreeSet;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::DepositId;
use xrpayd_core::money::Drops;

/// `POST /v1/invoices/{id}/refunds`
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesWrite)?;
    let key = idempotency::optional(&headers)?;
    let request: RefundRequest = body::or_default(&app, &headers, body).await?;
    rulings::check_reason(request.reason.as_deref())?;
    if request.destination.is_some() {
        // Money that goes back to who sent it is one thing; to pay whom one likes is a payment.
        caller.require(Scope::PaymentsWrite)?;
    }
    let shown = find(&app, &caller, &id).await?;
    let invoice = &shown.invoice;
    let wanted = payback::read_refund(&request, invoice.id).map_err(|f| refusal::fields(&f))?;
    if let Some(known) = replayed(&app, &caller, key, wanted.fingerprint).await? {
        return Ok(known);
    }
    let Amount::Xrp(received) = invoice.received else {
        let detail = "Only XRP is paid so far: this invoice cannot be refunded by the daemon.";
        return Err(Problem::new(Code::CurrencyNotEnabled, detail));
    };
    let drops = wanted.drops;
    let drops = drops.unwrap_or_else(|| payback::left(received, &shown.refunds));
    if drops == Drops::ZERO {
        let detail = format!("Nothing is left of what invoice {} received.", invoice.id);
        return Err(Problem::new(Code::RefundAboveReceived, detail));
    }
    let (to, deposit) = destination(&app, &request, &wanted, &shown).await?;
    let brought_by = deposit.as_ref().map(|deposit| deposit.hash);
    let asking = Asking {
        request: payback::payment(&invoice.wallet, to, drops, brought_by),
        client: &invoice.client,
        subject: Subject::Invoice(invoice.id, deposit.map(|deposit| deposit.id)),
        standing: None,
        reason: request.reason,
        key,
        fingerprint: wanted.fingerprint,
    };
    pay_back(&app, &caller, asking).await
}

/// Who is paid, and the deposit that they had paid.
async fn destination(
    app: &App,
    request: &RefundRequest,
    wanted: &Wanted,
    shown: &ShownInvoice,
) -> Result<((String, Option<u32>), Option<Deposit>), Problem> {
    let named = match wanted.deposit {
        Some(id) => Some(deposit_of(app, shown, id).await?),
        None => None,
    };
    if let Some(to) = &request.destination {
        return Ok(((to.clone(), request.destination_tag), named));
    }
    let ours: BTreeSet<AccountId> = {
        let rules = app.state.rules.borrow();
        rules.policy.wallets.values().copied().collect()
    };
    let deposit = match named {
        Some(deposit) => deposit,
        None => {
            match payback::only_payer(shown, &ours) {
                Payer::Of(deposit) => deposit.clone(),
                Payer::Several => {
                    let detail = "Several paid this invoice: name the deposit whose payer is refunded, \
                              or a destination.";
                    return Err(Problem::new(Code::DepositIdRequired, detail)
                        .at("/deposit_id", "is required"));
                }
                Payer::Nobody => {
                    // Another invoice takes the same body, so that it is not its shape that is wrong.
                    let detail = "Whoever paid this invoice cannot be paid: name a destination.";
                    return Err(Problem::new(Code::ValidationFailed, detail)
                        .at("/destination", "is required"));
                }
            }
        }
    };
    match payback::returnable(&deposit, &ours) {
        Ok((from, _)) => Ok(((from.to_string(), deposit.source_tag), Some(deposit))),
        Err(why) => {
            let detail = format!(
                "The payer of deposit {} cannot be refunded: {why}. Name a destination.",
                deposit.id
            );
            Err(Problem::new(Code::NotReturnable, detail))
        }
    }
}

/// The deposit that is named, where it came to this invoice.
async fn deposit_of(app: &App, shown: &ShownInvoice, id: DepositId) -> Result<Deposit, Problem> {
    let found = app.state.store.deposit(id).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    let is_its = |found: &Deposit| found.place == Place::Invoice(shown.invoice.id);
    found.filter(is_its).ok_or_else(|| {
        let detail = format!("Deposit {id} did not come to invoice {}.", shown.invoice.id);
        Problem::new(Code::ValidationFailed, detail)
            .at("/deposit_id", "is no deposit of this invoice")
    })
}
