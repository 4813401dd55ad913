//! `/v1/payments`: make, look, follow.

use super::auth::{Caller, Scope};
use super::body;
use super::dto::{EventDto, List, PaymentDto};
use super::envelope::Asked;
use super::idempotency;
use super::problem::{Code, Problem};
use super::query::{ListQuery, PageQuery};
use super::refusal;
use super::router::App;
use super::state::Routing;
use crate::clock;
use crate::payments::accept::{self, PaymentRequest, Placed, Policy, Reading, Refusal};
use crate::store::switches::Stop;
use crate::store::{AcceptOutcome, NewPayment, StoreError};
use crate::telemetry::traces;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::limits::{Caps, ScopedCaps};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Order, Payment, Status};

/// How often a request is placed anew because the stage changed under it: more changes than that in the
/// time of one request are somebody's loop.
pub(super) const STAGE_TRIES_MAX: u32 = 3;

/// `POST /v1/payments`
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(asked): Extension<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsWrite)?;
    let key = idempotency::required(&headers)?;
    let request: PaymentRequest = body::of(&app, &headers, body).await?;
    let rules = Arc::clone(&app.state.rules.borrow());
    let reading = accept::read(&request, rules.policy.network_id)
        .map_err(|faults| refusal::fields(&faults))?;
    if app.state.live.is_draining() {
        return Err(refusal::shutting_down(&app.state));
    }
    let mut policy = app.state.policy();
    for _ in 0..STAGE_TRIES_MAX {
        let now = app.state.clock.now();
        let placed = place(&app, &caller, &policy, &reading, key, now).and_then(|placed| {
            let scoped = scoped(&policy, Some(&caller.client), &placed.order)?;
            Ok((placed, scoped))
        });
        let (placed, scoped) = match placed {
            Ok(placed) => placed,
            Err(problem) => return replay_or(&app, &caller, &reading, key, problem).await,
        };
        let new = NewPayment {
            id: PaymentId(clock::uuid_v7(now, app.state.entropy.as_ref())),
            client: caller.client.clone(),
            asked_by: caller.key_id.clone(),
            wallet: placed.wallet,
            order: placed.order,
            fingerprint: reading.fingerprint,
            stage: policy.stage.clone(),
            words: policy.words,
            caps: policy.caps,
            scoped,
            approval: policy.approval,
            now,
        };
        let amount = new.order.amount;
        let outcome = app.state.store.accept(new).await;
        return match outcome.map_err(|error| refusal::store_write(&error))? {
            AcceptOutcome::Created(payment) => {
                app.state.live.wake(&payment.wallet);
                tell(&app, &asked, &payment);
                Ok(created(&app, &payment))
            }
            AcceptOutcome::Replayed(payment) => Ok(replayed(&app, &payment)),
            AcceptOutcome::KeyReused => Err(refusal::key_reused()),
            AcceptOutcome::Refused { breach, resets_at } => {
                Err(refusal::breach(breach, amount, resets_at))
            }
            AcceptOutcome::Paused(pause) => {
                // So that the next request is told so, or given to another wallet, without trying.
                app.state.switches.look_again().await;
                Err(refusal::stopped(&Stop::Paused(pause)))
            }
            AcceptOutcome::StageChanged { stage } => {
                policy = app.state.policy_again(&stage).await?;
                continue;
            }
        };
    }
    Err(refusal::stage_keeps_changing())
}

/// By the log, and by its trace, a request's identifier leads to the payment that was made of it.
fn tell(app: &App, asked: &Asked, payment: &Payment) {
    let took = app.state.clock.monotonic().saturating_sub(asked.at);
    traces::payment::accepted(payment, &asked.id, took);
    tracing::Span::current().record("payment.id", tracing::field::display(payment.id));
    tracing::info!(
        payment.id = %payment.id,
        request.id = %asked.id,
        wallet.name = payment.wallet,
        "a payment is accepted"
    );
}

/// `GET /v1/payments`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let mut query = ListQuery::read(query.as_deref())?;
    let to_approve =
        query.filter.status == Some(Status::AwaitingApproval) && caller.has(Scope::PaymentsApprove);
    if !caller.is_admin() && !to_approve {
        query.filter.client = Some(caller.client.clone());
        query.filter.house = true;
    }
    let page = app
        .state
        .store
        .payments(&query.filter, &query.page)
        .await
        .map_err(|error| refusal::store_read(&error))?;
    let data = page
        .items
        .iter()
        .map(|payment| show(&app, payment))
        .collect();
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Ok(Json(List { data, next_cursor }).into_response())
}

/// `GET /v1/payments/{id}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let payment = find(&app, &caller, &id).await?;
    Ok(Json(show(&app, &payment)).into_response())
}

/// `GET /v1/payments/{id}/events`
pub async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let page = PageQuery::read(query.as_deref())?;
    let payment = find(&app, &caller, &id).await?;
    let events = app
        .state
        .store
        .payment_events(payment.id)
        .await
        .map_err(|error| refusal::store_read(&error))?;
    let mut rest = events
        .into_iter()
        .filter(|event| page.after.is_none_or(|after| event.sequence > after));
    let data: Vec<EventDto> = rest
        .by_ref()
        .take(page.limit)
        .map(|event| EventDto::of(event, payment.id))
        .collect();
    let more = rest.next().is_some();
    let next_cursor = data.last().filter(|_| more).map(EventDto::cursor);
    Ok(Json(List { data, next_cursor }).into_response())
}

/// Fits a reading to the rules of the stage in force, and to what the wallet can pay.
pub(super) fn place(
    app: &App,
    caller: &Caller,
    policy: &Policy,
    reading: &Reading,
    key: &str,
    now: UnixMs,
) -> Result<Placed, Problem> {
    let chosen = match reading.wallet {
        Some(_) => None,
        None => {
            let order = (reading.amount(), Some(reading.destination()));
            chosen(app, order, Routing::Given)
        }
    };
    let whose = (caller.client.as_str(), key);
    let placed =
        accept::place(reading, policy, chosen.as_deref(), whose, now).map_err(|refusal| {
            match refusal {
                Refusal::Fields(faults) => refusal::fields(&faults),
                Refusal::ClientNotInStage { stage } => refusal::not_in_stage(&stage),
                Refusal::Cap(breach, amount) => refusal::breach(breach, amount, None),
            }
        })?;
    if let Some(stop) = app.state.switches.standing().stop_of_wallet(&placed.wallet) {
        return Err(refusal::stopped(&stop));
    }
    // What is in flight may still fail, so a shortage is only certain against what could be paid if
    // nothing else were asked; what waits behind others is held, not refused.
    let amount = placed.order.amount;
    let most = app.state.live.payable_at_most(&placed.wallet);
    if most.is_some_and(|most| amount > most) {
        return Err(refusal::insufficient(&placed.wallet));
    }
    // Nobody is asked here: what the newest ledger is not known to forbid is accepted, and looked at
    // again before it is signed.
    let (wallet, order) = (&placed.wallet, &placed.order);
    let facts = app.state.live.destination_known(wallet, order.destination);
    match facts.and_then(|facts| facts.judge(order.into()).obstacle()) {
        Some(obstacle) => Err(refusal::obstacle(obstacle)),
        None => Ok(placed),
    }
}

/// The limits of the client whose payment it is, where it is a client's, and of the destination.
pub(super) fn scoped(
    policy: &Policy,
    owner: Option<&str>,
    order: &Order,
) -> Result<ScopedCaps, Problem> {
    let scoped = policy.scopes.of(owner, &order.destination);
    let checked = scoped.check_amount(order.amount);
    checked.map_err(|breach| refusal::breach(breach, order.amount, None))?;
    Ok(scoped)
}

/// The wallet that pays an amount to a destination where the request names none.
pub(super) fn chosen(
    app: &App,
    (amount, destination): (Drops, Option<AccountId>),
    routing: Routing,
) -> Option<String> {
    let rules = Arc::clone(&app.state.rules.borrow());
    match &rules.policy.routed[..] {
        [] => None,
        [only] => Some(only.clone()),
        several => app.state.live.route(several, amount, destination, routing),
    }
}

/// Answers a replay of what was accepted before the rules changed; otherwise refuses.
///
/// A payment that was answered 201 is answered under its key for ever, also when its wallet, its
/// client or its amount would be refused today.
async fn replay_or(
    app: &App,
    caller: &Caller,
    reading: &Reading,
    key: &str,
    problem: Problem,
) -> Result<Response, Problem> {
    let now = app.state.clock.now();
    let probe = NewPayment {
        id: PaymentId(clock::uuid_v7(now, app.state.entropy.as_ref())),
        client: caller.client.clone(),
        asked_by: caller.key_id.clone(),
        wallet: String::new(),
        order: Order {
            // More than `Caps::NOTHING` lets through, whatever was asked.
            amount: Drops::ZERO,
            ..reading.order(key, now)
        },
        fingerprint: reading.fingerprint,
        stage: String::new(),
        words: 0,
        caps: Caps::NOTHING,
        scoped: ScopedCaps::NONE,
        approval: None,
        now,
    };
    match app.state.store.accept(probe).await {
        Ok(AcceptOutcome::Replayed(payment)) => Ok(replayed(app, &payment)),
        Ok(AcceptOutcome::KeyReused) => Err(refusal::key_reused()),
        Ok(
            AcceptOutcome::Refused { .. }
            | AcceptOutcome::Paused(_)
            | AcceptOutcome::StageChanged { .. },
        ) => Err(problem),
        Ok(AcceptOutcome::Created(payment)) => {
            // Caps that let nothing through let something through: never silently.
            tracing::error!(payment.id = %payment.id, "a probe for a replay created a payment");
            Err(Problem::new(Code::Internal, "The daemon failed.").effect_unknown())
        }
        Err(error) => Err(refusal::store_read(&error)),
    }
}

async fn find(app: &App, caller: &Caller, id: &str) -> Result<Payment, Problem> {
    let parsed = id
        .parse::<PaymentId>()
        .map_err(|_| refusal::no_payment(id))?;
    let found = app.state.store.payment(parsed).await;
    // Somebody else's payment is not told from one that does not exist.
    found
        .map_err(|error: StoreError| refusal::store_read(&error))?
        .filter(|payment| caller.may_see(payment))
        .ok_or_else(|| refusal::no_payment(id))
}

pub(super) fn show<'a>(app: &App, payment: &'a Payment) -> PaymentDto<'a> {
    let rules = app.state.rules.borrow();
    let source = rules.policy.wallets.get(&payment.wallet);
    PaymentDto::of(payment, source.map(ToString::to_string))
}

fn created(app: &App, payment: &Payment) -> Response {
    let path = format!("/v1/payments/{}", payment.id);
    idempotency::created(&path, show(app, payment))
}

fn replayed(app: &App, payment: &Payment) -> Response {
    idempotency::replayed(show(app, payment))
}
