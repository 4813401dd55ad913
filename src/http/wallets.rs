//! `/v1/wallets`: what the wallets hold, by their journals.

use super::auth::{Caller, Scope};
use super::dto::{Amount, List};
use super::openapi::words;
use super::problem::{Code, Problem};
use super::query;
use super::router::App;
use super::state::{JournalRow, WalletRow};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::switches::Standing;
use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use xrpayd_core::ids::{LedgerIndex, UnixMs};

/// A wallet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wallet)]
pub struct WalletDto {
    #[schema(value_type = words::KindWallet)]
    object: &'static str,
    /// Its configured name.
    name: String,
    #[schema(value_type = scalar::Address)]
    address: String,
    #[schema(value_type = words::WalletType)]
    wallet_type: String,
    #[schema(value_type = words::WalletStatus)]
    status: &'static str,
    /// Whether an operator stopped its signing.
    paused: bool,
    /// Why it signs nothing, where it was halted.
    halted_reason: Option<String>,
    /// At `journal_ledger`.
    balance: Option<Amount>,
    /// What the ledger keeps back.
    reserve: Option<Amount>,
    /// Balance less reserve less what is in flight.
    spendable: Option<Amount>,
    /// What is signed and not settled.
    in_flight: Amount,
    in_flight_count: u32,
    /// The newest ledger that its engine has read.
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    journal_ledger: Option<LedgerIndex>,
    journal: Option<JournalDto>,
    tickets: Option<TicketsDto>,
    /// When the replica that works it said all this: the present where that is the one that answers.
    #[schema(value_type = Option<Rfc3339>)]
    as_of: Option<Rfc3339>,
}

/// How far its journal is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WalletJournal)]
struct JournalDto {
    /// Everything from this ledger on is booked, through `ledger`.
    #[schema(value_type = scalar::LedgerIndex)]
    start_ledger: LedgerIndex,
    #[schema(value_type = scalar::LedgerIndex)]
    ledger: LedgerIndex,
    /// How far that is behind the newest validated ledger.
    lag_ledgers: u32,
    /// Whether ledgers before it are still being booked.
    backfilling: bool,
    backfill: Option<BackfillDto>,
    /// What cannot be read.
    waiting_for: Vec<WaitDto>,
}

/// The ledgers before it, while they are booked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WalletBackfill)]
struct BackfillDto {
    #[schema(value_type = scalar::LedgerIndex)]
    from_ledger: LedgerIndex,
    #[schema(value_type = scalar::LedgerIndex)]
    to_ledger: LedgerIndex,
    /// The last ledger that is booked.
    #[schema(value_type = scalar::LedgerIndex)]
    ledger: LedgerIndex,
    /// How many transactions that were.
    transactions: u64,
}

/// Ledgers that cannot be read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WalletWait)]
struct WaitDto {
    #[schema(value_type = scalar::LedgerIndex)]
    from_ledger: LedgerIndex,
    /// How many no quorum of the servers holds; null where something else is wrong.
    missing_ledgers: Option<u32>,
    reason: String,
}

impl From<JournalRow> for JournalDto {
    fn from(row: JournalRow) -> Self {
        let waits = row.waits.into_iter().map(|wait| WaitDto {
            from_ledger: wait.from,
            missing_ledgers: wait.missing,
            reason: wait.why,
        });
        Self {
            start_ledger: row.start,
            ledger: row.through,
            lag_ledgers: row.lag,
            backfilling: row.backfill.is_some(),
            backfill: row.backfill.map(|past| BackfillDto {
                from_ledger: past.from,
                to_ledger: past.to,
                ledger: past.at,
                transactions: past.transactions,
            }),
            waiting_for: waits.collect(),
        }
    }
}

/// Its tickets, by which payments pass a transaction that is stuck.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WalletTickets)]
struct TicketsDto {
    /// On the ledger.
    standing: u32,
    /// Of these, the ones that no attempt uses.
    free: u32,
    /// Being made.
    on_order: u32,
}

impl WalletDto {
    fn of(row: WalletRow, switches: &Standing, now: UnixMs) -> Self {
        let status = match (&row.halted, row.balance) {
            (Some(_), _) => "halted",
            (None, None) => "unknown",
            (None, Some(balance)) if balance < row.critical_balance => "critical_balance",
            (None, Some(balance)) if balance < row.low_balance => "low_balance",
            (None, Some(_)) => "ok",
        };
        let age_ms = row.age.map_or(0, |age| age.as_millis());
        let age_ms = i64::try_from(age_ms).unwrap_or(i64::MAX);
        let as_of = UnixMs(now.0.saturating_sub(age_ms));
        Self {
            object: "wallet",
            as_of: row.balance.map(|_| Rfc3339(as_of)),
            paused: switches.stop_of_wallet(&row.name).is_some(),
            name: row.name,
            address: row.account.to_string(),
            wallet_type: row.wallet_type,
            status,
            halted_reason: row.halted,
            balance: row.balance.map(Amount::from),
            reserve: row.reserve.map(Amount::from),
            spendable: row.spendable.map(Amount::from),
            in_flight: row.in_flight.into(),
            in_flight_count: row.in_flight_count,
            journal_ledger: row.journal_ledger,
            journal: row.journal.map(JournalDto::from),
            tickets: row.tickets.map(|tickets| TicketsDto {
                standing: tickets.standing,
                free: tickets.free,
                on_order: tickets.on_order,
            }),
        }
    }
}

/// `GET /v1/wallets`. There are a handful; they are one page.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<WalletDto>>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    query::whole_list(query.as_deref())?;
    let switches = app.state.switches.standing();
    let data = app
        .state
        .live
        .wallets()
        .into_iter()
        .map(|row| WalletDto::of(row, &switches, app.state.clock.now()))
        .collect();
    Ok(Json(List {
        data,
        next_cursor: None,
    }))
}

/// `GET /v1/wallets/{name}`
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<WalletDto>, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let rows = app.state.live.wallets();
    let row = rows.into_iter().find(|row| row.name == name);
    let switches = app.state.switches.standing();
    row.map(|row| Json(WalletDto::of(row, &switches, app.state.clock.now())))
        .ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            Problem::new(
                Code::WalletNotFound,
                format!("There is no wallet `{shown}`."),
            )
        })
}
