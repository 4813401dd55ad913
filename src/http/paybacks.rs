//! What returns and refunds have in common: a payment that gives something back, asked for, accepted and
//! answered as every payment is.

use super::auth::Caller;
use super::payments::{STAGE_TRIES_MAX, place, scoped, show};
use super::problem::{Code, Problem};
use super::router::App;
use super::{idempotency, refusal};
use crate::clock;
use crate::payments::accept::{self, PaymentRequest, Policy, Reading};
use crate::store::switches::Stop;
use crate::store::{
    Blocked, HOUSE, NewPayback, NewPayment, PaybackOutcome, PaybackState, Returned, Subject,
};
use axum::response::Response;
use std::sync::Arc;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::payment::{Payback, Payment};

/// Seconds after which another try makes sense while a wallet's past is read: a ledger or two.
const PAST_RETRY_S: u64 = 5;

/// A payment that is asked for to give something back.
pub(super) struct Asking<'a> {
    /// The payment.
    pub request: PaymentRequest,
    /// Whose payment it is.
    pub client: &'a str,
    /// What is given back.
    pub subject: Subject,
    /// How the newest return of it stands, where there can be only one.
    pub standing: Option<Returned>,
    /// Why, in a person's words.
    pub reason: Option<String>,
    /// The key of the request, where it has one.
    pub key: Option<&'a str>,
    /// What makes two requests the same.
    pub fingerprint: [u8; 32],
}

/// The answer to a request that was made before under its key.
pub(super) async fn replayed(
    app: &App,
    caller: &Caller,
    key: Option<&str>,
    fingerprint: [u8; 32],
) -> Result<Option<Response>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let store = &app.state.store;
    let found = store
        .paid_back_under(&caller.client, key, fingerprint)
        .await;
    match found.map_err(|error| refusal::store_read(&error))? {
        None => Ok(None),
        Some(PaybackOutcome::Replayed(payment)) => {
            Ok(Some(idempotency::replayed(show(app, &payment))))
        }
        Some(
            PaybackOutcome::KeyReused
            | PaybackOutcome::Created(_)
            | PaybackOutcome::Refused { .. }
            | PaybackOutcome::Paused(_)
            | PaybackOutcome::StageChanged { .. }
            | PaybackOutcome::Blocked(_),
        ) => Err(refusal::key_reused()),
    }
}

/// Accepts the payment, or says why not.
pub(super) async fn pay_back(
    app: &App,
    caller: &Caller,
    asking: Asking<'_>,
) -> Result<Response, Problem> {
    let rules = Arc::clone(&app.state.rules.borrow());
    let reading = accept::read(&asking.request, rules.policy.network_id)
        .map_err(|faults| refusal::fields(&faults))?;
    let live = asking
        .standing
        .filter(|of| of.state != PaybackState::Failed);
    if let Some(live) = live {
        // What was answered 201 is answered for ever, whatever the rules say today.
        return if live.drops == reading.amount() {
            known(app, live.payment).await
        } else {
            Err(already_returned(live.payment))
        };
    }
    if app.state.live.is_draining() {
        return Err(refusal::shutting_down(&app.state));
    }
    let mut policy = app.state.policy();
    for _ in 0..STAGE_TRIES_MAX {
        let new = new_payback(app, caller, &policy, &reading, &asking)?;
        let amount = new.new.order.amount;
        let outcome = app.state.store.pay_back(&new).await;
        return match outcome.map_err(|error| refusal::store_write(&error))? {
            PaybackOutcome::Created(payment) => Ok(created(app, caller, &payment)),
            PaybackOutcome::Replayed(payment) => Ok(again(app, &payment)),
            PaybackOutcome::KeyReused => Err(refusal::key_reused()),
            PaybackOutcome::Refused { breach, resets_at } => {
                Err(refusal::breach(breach, amount, resets_at))
            }
            PaybackOutcome::Blocked(why) => Err(blocked(asking.subject, why)),
            PaybackOutcome::Paused(pause) => Err(refusal::stopped(&Stop::Paused(pause))),
            PaybackOutcome::StageChanged { stage } => {
                policy = app.state.policy_again(&stage).await?;
                continue;
            }
        };
    }
    Err(refusal::stage_keeps_changing())
}

/// The payment that is asked for, by the rules of a stage.
fn new_payback(
    app: &App,
    caller: &Caller,
    policy: &Policy,
    reading: &Reading,
    asking: &Asking<'_>,
) -> Result<NewPayback, Problem> {
    let now = app.state.clock.now();
    // The key is filled in by the store, with the number of the try.
    let placed = place(app, caller, policy, reading, "", now)?;
    // What belongs to nobody goes back on nobody's account.
    let owner = (asking.client != HOUSE).then_some(asking.client);
    let scoped = scoped(policy, owner, &placed.order)?;
    Ok(NewPayback {
        new: NewPayment {
            id: PaymentId(clock::uuid_v7(now, app.state.entropy.as_ref())),
            client: asking.client.to_owned(),
            asked_by: caller.key_id.clone(),
            wallet: placed.wallet,
            order: placed.order,
            fingerprint: asking.fingerprint,
            stage: policy.stage.clone(),
            words: policy.words,
            caps: policy.caps,
            scoped,
            approval: policy.approval,
            now,
        },
        subject: asking.subject,
        reason: asking.reason.clone(),
        asked_client: caller.client.clone(),
        asked_key: asking.key.map(str::to_owned),
        past_is_read: app.state.live.past_is_read(),
    })
}

fn created(app: &App, caller: &Caller, payment: &Payment) -> Response {
    app.state.live.wake(&payment.wallet);
    let payback = payment.order.payback.map(Payback::key).unwrap_or_default();
    tracing::info!(
        payment.id = %payment.id,
        payback,
        key.id = caller.key_id,
        "a payment that gives something back was accepted"
    );
    let path = format!("/v1/payments/{}", payment.id);
    idempotency::created(&path, show(app, payment))
}

fn again(app: &App, payment: &Payment) -> Response {
    idempotency::replayed(show(app, payment))
}

async fn known(app: &App, id: PaymentId) -> Result<Response, Problem> {
    let found = app.state.store.payment(id).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    let payment = found.ok_or_else(|| refusal::no_payment(&id.to_string()))?;
    Ok(again(app, &payment))
}

fn already_returned(payment: PaymentId) -> Problem {
    let detail = format!("It is returned by payment {payment}, with another amount.");
    Problem::new(Code::AlreadyReturned, detail)
}

fn blocked(subject: Subject, why: Blocked) -> Problem {
    match why {
        Blocked::NotFound => match subject {
            Subject::Deposit(id) => refusal::no_deposit(&id.to_string()),
            Subject::Invoice(id, _) => refusal::no_invoice(&id.to_string()),
        },
        Blocked::Matched(invoice) => {
            let detail =
                format!("The deposit has been assigned to invoice {invoice}: refund that.");
            Problem::new(Code::IsMatched, detail)
        }
        Blocked::Returned(payment) => already_returned(payment),
        Blocked::TooMany => {
            let detail = format!(
                "It was tried {} times, which is as often as is tracked: pay by hand.",
                Payback::NUMBER_MAX
            );
            Problem::new(Code::TooManyPaybacks, detail)
        }
        Blocked::NotKnownYet => {
            let detail = "The ledger is still being read for refunds that this database may have \
                          forgotten.";
            Problem::new(Code::NotKnownYet, detail).retry_after(PAST_RETRY_S)
        }
        Blocked::Left(left) => {
            let detail = format!(
                "{} XRP are left of what the invoice received; no more than that can go back.",
                left.to_xrp()
            );
            Problem::new(Code::RefundAboveReceived, detail)
                .at("/amount/value", "is more than is left")
        }
    }
}
