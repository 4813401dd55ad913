//! `POST /v1/payments/validate`: everything that speaks against a payment, and nothing created.
//!
//! Whoever can read the request is answered 200, also where the payment would be refused: the answer is
//! about the payment and not about the asking. What nobody could be asked about is `unknown`, which is
//! neither a yes nor an error.

mod checks;

use super::auth::{self, Caller};
use super::body;
use super::dto::Amount;
use super::openapi::words;
use super::payments::chosen;
use super::problem::Problem;
use super::refusal;
use super::router::App;
use super::state::{FeeOutlook, Outlook, Routing, SimulationRow, WalletRow};
use crate::payments::accept::{self, Assessment, PaymentRequest, Policy};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::Store;
use crate::store::switches::Stop;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use checks::{Check, Verdict, Witness};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::limits::{self, Caps, Scope, ScopeCaps, ScopeRules, Scoped};
use xrpayd_core::money::Drops;
use xrpayd_core::preflight::Facts;

/// What would come of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentValidation)]
pub(super) struct ValidationDto<'a> {
    #[schema(value_type = words::KindPaymentValidation)]
    object: &'static str,
    /// Whether `verdict` is `valid`.
    valid: bool,
    verdict: Verdict,
    checks: Vec<Check>,
    /// Null while the fields do not say which payment that is.
    would: Option<WouldDto<'a>>,
    simulation: Option<SimulationDto<'a>>,
    /// The validated ledger at which the destination was read.
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    ledger_index: Option<LedgerIndex>,
    #[schema(value_type = Option<scalar::LedgerHash>)]
    ledger_hash: Option<LedgerHash>,
    /// The servers that agreed on that ledger.
    servers: &'a [String],
}

/// The payment that would be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WouldBePayment)]
struct WouldDto<'a> {
    wallet: &'a str,
    #[schema(value_type = scalar::Address)]
    source: String,
    #[schema(value_type = scalar::Address)]
    destination: String,
    destination_tag: Option<u32>,
    amount: Amount,
    #[schema(value_type = Option<scalar::Drops>)]
    fee_drops: Option<Drops>,
    stage: &'a str,
    awaiting_approval: bool,
    expires_at: Option<Rfc3339>,
}

/// What one server thinks: a hint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Simulation)]
struct SimulationDto<'a> {
    engine_result: &'a str,
    #[schema(value_type = scalar::LedgerIndex)]
    ledger_index: LedgerIndex,
    server: &'a str,
}

/// `POST /v1/payments/validate`
pub async fn validate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(auth::Scope::PaymentsWrite)?;
    let request: PaymentRequest = body::of(&app, &headers, body).await?;
    if app.state.live.is_draining() {
        return Err(refusal::shutting_down(&app.state));
    }
    let policy = app.state.policy();
    let seen = accept::assess(&request, &policy, &caller.client, |amount, destination| {
        chosen(&app, (amount, destination), Routing::Asked)
    });
    let now = app.state.clock.now();
    let store = &app.state.store;
    let used = store.limit_usage(now).await;
    let used = used.map_err(|error| refusal::store_read(&error))?.usage;
    let fences = fences(&policy.scopes, &caller.client, &seen);
    let scopes = scopes(store, &fences, now).await?;
    let fenced = (&fences[..], &scopes[..]);
    let resets_at = resets_at(store, &policy.caps, used, fenced, &seen, now).await?;
    let queued = queued(&app, &seen).await?;
    let (facts, outlook) = tokio::join!(facts(&app, &seen), outlook(&app, &seen, now));
    let wallet = wallet(&app, &seen);
    let checks = checks::all(&Witness {
        seen: &seen,
        policy: &policy,
        used,
        scopes: &scopes,
        resets_at,
        wallet: wallet.as_ref(),
        stop: stop(&app, &seen),
        queued,
        facts: facts.as_ref().map_err(|why| *why),
        outlook: &outlook,
    });
    let verdict = checks::verdict(&checks);
    let facts = facts.ok();
    let reading = facts.as_ref().map(|facts| &facts.reading);
    let simulation = outlook.simulation.as_ref();
    let answer = ValidationDto {
        object: "payment_validation",
        valid: verdict == Verdict::Valid,
        verdict,
        checks,
        would: would(&seen, &outlook, &policy, now),
        simulation: simulation.map(SimulationDto::of),
        ledger_index: reading.map(|reading| reading.ledger_index),
        ledger_hash: reading.map(|reading| reading.ledger_hash),
        servers: reading.map_or(&[], |reading| &reading.servers),
    };
    Ok(Json(answer).into_response())
}

impl<'a> SimulationDto<'a> {
    fn of(row: &'a SimulationRow) -> Self {
        Self {
            engine_result: &row.result,
            ledger_index: row.ledger_index,
            server: &row.server,
        }
    }
}

/// What is paused of what the payment needs. Where it is not known which wallet would pay, only what
/// stops all of them counts.
fn stop(app: &App, seen: &Assessment) -> Option<Stop> {
    let wallet = seen.wallet.as_ref().map_or("", |(name, _)| name);
    app.state.switches.standing().stop_of_wallet(wallet)
}

/// The client and the destination, as far as they can be read and have limits of their own.
fn fences(rules: &ScopeRules, client: &str, seen: &Assessment) -> Vec<(Scope, ScopeCaps)> {
    let destination = seen.destination.map(|(account, _)| {
        let caps = rules.of_destination(&account);
        (Scope::Destination(account), caps)
    });
    let client = (Scope::Client(client.to_owned()), rules.of_client(client));
    let all = std::iter::once(client).chain(destination);
    all.filter(|(_, caps)| *caps != ScopeCaps::NONE).collect()
}

/// What is used of each.
async fn scopes(
    store: &Store,
    fences: &[(Scope, ScopeCaps)],
    now: UnixMs,
) -> Result<Vec<Scoped>, Problem> {
    let mut scopes = Vec::with_capacity(fences.len());
    for (scope, caps) in fences {
        let usage = if caps.counts() {
            let used = store.scope_usage(scope, now).await;
            used.map_err(|error| refusal::store_read(&error))?.usage
        } else {
            limits::Usage::default()
        };
        scopes.push(Scoped {
            kind: scope.kind(),
            caps: *caps,
            usage,
        });
    }
    Ok(scopes)
}

/// When the days have room for the amount, where one has none now.
async fn resets_at(
    store: &Store,
    caps: &Caps,
    used: limits::Usage,
    (fences, scopes): (&[(Scope, ScopeCaps)], &[Scoped]),
    seen: &Assessment,
    now: UnixMs,
) -> Result<Option<UnixMs>, Problem> {
    let Some(amount) = seen.amount else {
        return Ok(None);
    };
    if checks::of_the_days(caps, used, scopes, amount).is_ok() {
        return Ok(None);
    }
    let resets_at = store.resets_at(caps, fences, amount, now).await;
    resets_at.map_err(|error| refusal::store_read(&error))
}

/// What is accepted of the wallet and not signed.
async fn queued(app: &App, seen: &Assessment) -> Result<Drops, Problem> {
    let Some((name, _)) = &seen.wallet else {
        return Ok(Drops::ZERO);
    };
    let queued = app.state.store.queued_amount(name).await;
    queued.map_err(|error| refusal::store_read(&error))
}

async fn facts(app: &App, seen: &Assessment) -> Result<Facts, &'static str> {
    let Some((destination, _)) = seen.destination else {
        return Err("the destination cannot be read");
    };
    let Some((wallet, _)) = &seen.wallet else {
        return Err("it is not known which wallet would pay");
    };
    app.state.live.destination(wallet, destination).await
}

async fn outlook(app: &App, seen: &Assessment, now: UnixMs) -> Outlook {
    match (&seen.reading, &seen.wallet) {
        (Some(reading), Some((wallet, _))) => {
            let order = reading.order("", now);
            app.state.live.outlook(wallet, &order).await
        }
        (_, _) => Outlook::default(),
    }
}

fn wallet(app: &App, seen: &Assessment) -> Option<WalletRow> {
    let (name, _) = seen.wallet.as_ref()?;
    let mut rows = app.state.live.wallets().into_iter();
    rows.find(|row| row.name == *name)
}

/// The payment that would be made, where its fields say which.
fn would<'a>(
    seen: &'a Assessment,
    outlook: &Outlook,
    policy: &'a Policy,
    now: UnixMs,
) -> Option<WouldDto<'a>> {
    let (wallet, source) = seen.wallet.as_ref()?;
    let order = seen.reading.as_ref()?.order("", now);
    Some(WouldDto {
        wallet,
        source: source.to_string(),
        destination: order.destination.to_string(),
        destination_tag: order.destination_tag,
        amount: order.amount.into(),
        fee_drops: match outlook.fee {
            FeeOutlook::Pays(fee) => Some(fee),
            FeeOutlook::Waits { .. } | FeeOutlook::Unknown => None,
        },
        stage: &policy.stage,
        awaiting_approval: policy.approval.is_some_and(|rule| rule.holds(order.amount)),
        expires_at: order.expires_at.map(Rfc3339),
    })
}
