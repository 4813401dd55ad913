//! `/v1/payments/{id}/cancel`, `/approve` and `/reject`: what a person says about a payment that is not
//! signed.
//!
//! Whoever approves or rejects names the version that was read, so that nobody rules on something else
//! than what they saw, and of two who rule at once one learns that the other was first. Nothing that
//! ends a payment is said while it is not known whether the ledger holds the payment already.

use super::auth::{Caller, Scope};
use super::body;
use super::payments::show;
use super::problem::{Code, Hint, Problem};
use super::refusal;
use super::router::App;
use crate::shape::scalar;
use crate::store::{Past, Person, RulingOutcome};
use crate::telemetry::traces;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::payment::{Ballot, Event, Illegal, Payment};

/// The longest reason that a person gives, in characters: a few sentences.
const REASON_LEN_MAX: usize = 500;
/// Seconds after which another try makes sense while a wallet's past is read: a ledger or two.
const PAST_RETRY_S: u64 = 5;

/// The body of an approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalRequest)]
pub(super) struct ApproveRequest {
    /// The version of the payment that was read.
    #[schema(value_type = u32)]
    version: Option<u32>,
}

/// The body of a rejection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RejectionRequest)]
pub(super) struct RejectRequest {
    /// The version of the payment that was read.
    #[schema(value_type = u32)]
    version: Option<u32>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    reason: Option<String>,
}

/// `POST /v1/payments/{id}/cancel`
pub async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsWrite)?;
    body::none(&app, &headers, body).await?;
    let id = parse(&id)?;
    let client = (!caller.is_admin()).then_some(caller.client.as_str());
    let event = Event::Cancel;
    rule(
        &app,
        &caller,
        Word {
            id,
            client,
            event,
            verb: "cancelled",
        },
    )
    .await
}

/// `POST /v1/payments/{id}/approve`
pub async fn approve(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let ApproveRequest { version } = said(&app, &caller, &headers, body).await?;
    let ballot = ballot(&caller, version)?;
    let id = seen(&app, &caller, &id).await?;
    let event = Event::Approve(ballot);
    rule(
        &app,
        &caller,
        Word {
            id,
            client: None,
            event,
            verb: "approved",
        },
    )
    .await
}

/// `POST /v1/payments/{id}/reject`
pub async fn reject(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let RejectRequest { version, reason } = said(&app, &caller, &headers, body).await?;
    let ballot = ballot(&caller, version)?;
    check_reason(reason.as_deref())?;
    let id = seen(&app, &caller, &id).await?;
    let event = Event::Reject { ballot, reason };
    rule(
        &app,
        &caller,
        Word {
            id,
            client: None,
            event,
            verb: "rejected",
        },
    )
    .await
}

/// A reason in a person's words, where one is given.
pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    check_words("reason", reason)
}

/// The same, in a field of another name.
pub(super) fn check_words(field: &str, words: Option<&str>) -> Result<(), Problem> {
    let Some(words) = words else { return Ok(()) };
    let fits = (1..=REASON_LEN_MAX).contains(&words.chars().count());
    if fits && !words.chars().any(char::is_control) {
        return Ok(());
    }
    let detail = format!("must be 1 to {REASON_LEN_MAX} characters, none of them control");
    let problem = Problem::new(Code::ValidationFailed, format!("`{field}` {detail}."));
    Err(problem.at(format!("/{field}"), detail))
}

/// What one who may approve says.
async fn said<T: DeserializeOwned>(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    caller.require(Scope::PaymentsApprove)?;
    body::of(app, headers, body).await
}

fn parse(id: &str) -> Result<PaymentId, Problem> {
    id.parse().map_err(|_| refusal::no_payment(id))
}

fn ballot(caller: &Caller, version: Option<u32>) -> Result<Ballot, Problem> {
    let by = caller.key_id.clone();
    version
        .map(|version| Ballot { by, version })
        .ok_or_else(|| {
            let detail = "`version` is required: that of the payment as you read it.";
            Problem::new(Code::MissingField, detail).at("/version", "is required")
        })
}

/// What the caller may not see is not told from what does not exist. Whether it may be seen never
/// changes, so that looking before ruling leaves no gap.
async fn seen(app: &App, caller: &Caller, id: &str) -> Result<PaymentId, Problem> {
    let parsed = parse(id)?;
    let found = app.state.store.payment(parsed).await;
    let found = found.map_err(|error| refusal::store_read(&error))?;
    match found.filter(|payment| caller.may_see(payment)) {
        Some(payment) => Ok(payment.id),
        None => Err(refusal::no_payment(id)),
    }
}

/// What a person says.
struct Word<'a> {
    id: PaymentId,
    /// Whose payment it must be; none for anybody's.
    client: Option<&'a str>,
    event: Event,
    /// What the payment is afterwards, for a sentence.
    verb: &'static str,
}

async fn rule(app: &App, caller: &Caller, word: Word<'_>) -> Result<Response, Problem> {
    let Word {
        id,
        client,
        event,
        verb,
    } = word;
    let by = Person {
        key: &caller.key_id,
        of: &caller.client,
        client,
    };
    let now = app.state.clock.now();
    let rules = Arc::clone(&app.state.rules.borrow());
    let wallets: Vec<&str> = rules.policy.wallets.keys().map(String::as_str).collect();
    let past = if app.state.live.past_is_read() {
        Past::Read(&wallets)
    } else {
        Past::Unread
    };
    let outcome = app.state.store.rule(id, by, event, past, now).await;
    match outcome.map_err(|error| refusal::store_write(&error))? {
        RulingOutcome::Done(payment) => {
            let status = payment.status();
            if status.is_final() {
                let ended = &app.state.metrics.payments_total;
                ended.with_label_values(&[status.as_str()]).inc();
                traces::payment::ended(&payment, app.state.clock.now());
            }
            tracing::info!(
                payment.id = %payment.id,
                payment.status = status.as_str(),
                key.id = caller.key_id,
                "a payment was {verb}"
            );
            app.state.live.wake(&payment.wallet);
            Ok(Json(show(app, &payment)).into_response())
        }
        RulingOutcome::AsBefore(payment) => Ok(Json(show(app, &payment)).into_response()),
        RulingOutcome::NotFound => Err(refusal::no_payment(&id.to_string())),
        RulingOutcome::NotKnownYet(payment) => {
            let detail = format!(
                "Payment {} cannot be {verb} yet: the ledger is still being read for payments that \
                 this database may have forgotten, and may hold it already.",
                payment.id
            );
            Err(Problem::new(Code::NotKnownYet, detail).retry_after(PAST_RETRY_S))
        }
        RulingOutcome::Illegal { payment, why } => Err(refused(&payment, verb, &why)),
    }
}

fn refused(payment: &Payment, verb: &str, why: &Illegal) -> Problem {
    let code = match why {
        Illegal::AlreadyFinal(_) => Code::AlreadyFinal,
        Illegal::OwnPayment => Code::SelfApproval,
        Illegal::StaleVersion { .. } => Code::VersionMismatch,
        Illegal::PastExpiry => Code::ApprovalExpired,
        Illegal::NotAwaiting => Code::NotAwaitingApproval,
        // A second person's word is asked for by nothing else than these two.
        Illegal::AlreadySigned
        | Illegal::AwaitsApproval
        | Illegal::EarlierAttemptOpen
        | Illegal::FeeNotRaised
        | Illegal::NotExpired
        | Illegal::NoSuchAttempt
        | Illegal::Contradiction(_) => Code::NotCancellable,
    };
    let detail = format!("Payment {} cannot be {verb}: {why}.", payment.id);
    Problem::new(code, detail).hint(Hint::CurrentVersion(payment.version))
}
