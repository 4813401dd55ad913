//! From what other rooms refuse to the problem that a caller reads. Every match is exhaustive: a new
//! way to refuse does not compile until somebody has said what a caller should do about it.

use super::problem::{Code, Hint, Problem};
use super::state::AppState;
use crate::request::{Fault, FieldError};
use crate::rfc3339::Rfc3339;
use crate::store::StoreError;
use crate::store::switches::Stop;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::Breach;
use xrpayd_core::money::Drops;
use xrpayd_core::pause::Scope;
use xrpayd_core::preflight::Obstacle;

/// Seconds after which another try makes sense while an operator has paused something: people take
/// minutes.
const PAUSE_RETRY_S: u64 = 30;

/// Faults of fields, all at once. One kind of fault gives its own code, several a general one.
pub fn fields(faults: &[FieldError]) -> Problem {
    let missing = faults.iter().any(|fault| fault.fault == Fault::Missing);
    let code = match faults.first().map(code_of) {
        _ if missing => Code::MissingField,
        Some(first) if faults.iter().all(|fault| code_of(fault) == first) => first,
        Some(_) | None => Code::ValidationFailed,
    };
    let said: Vec<String> = faults.iter().map(in_words).collect();
    faults.iter().fold(
        Problem::new(code, format!("{}.", said.join("; "))),
        |problem, fault| problem.at(fault.pointer.as_str(), fault.detail.as_str()),
    )
}

/// The code of one fault.
pub fn code_of(fault: &FieldError) -> Code {
    match fault.fault {
        Fault::Missing => Code::MissingField,
        Fault::Invalid => Code::ValidationFailed,
        Fault::DestinationInvalid => Code::DestinationInvalid,
        Fault::DestinationIsSelf => Code::DestinationIsSelf,
        Fault::CurrencyNotEnabled => Code::CurrencyNotEnabled,
    }
}

/// One fault as a sentence without its end.
pub fn in_words(fault: &FieldError) -> String {
    format!("{} {}", name(&fault.pointer), fault.detail)
}

/// A pointer as a person writes a field's name.
fn name(pointer: &str) -> String {
    format!("`{}`", pointer.trim_start_matches('/').replace('/', "."))
}

/// A cap in the way.
pub fn breach(breach: Breach, amount: Drops, resets_at: Option<UnixMs>) -> Problem {
    let detail = format!("{} XRP cannot be paid: {breach}.", amount.to_xrp());
    match breach {
        Breach::BelowMinimum { .. } => {
            Problem::new(Code::AmountBelowMinimum, detail).at("/amount/value", breach.to_string())
        }
        Breach::AboveMaximum { scope, .. } => Problem::new(Code::AmountAboveStageLimit, detail)
            .at("/amount/value", breach.to_string())
            .of_scope(scope),
        Breach::Daily { scope, .. } => {
            let problem = Problem::new(Code::DailyLimitExceeded, detail)
                .at("/amount/value", breach.to_string())
                .of_scope(scope);
            let hint = resets_at.map(|at| Hint::ResetsAt(Rfc3339(at)));
            Problem { hint, ..problem }
        }
        Breach::TooManyPending { scope, .. } => {
            // Ledgers close every few seconds, and payments end with them.
            Problem::new(Code::TooManyPending, detail)
                .retry_after(5)
                .of_scope(scope)
        }
    }
}

/// The stage is not open to this client.
pub fn not_in_stage(stage: &str) -> Problem {
    let detail = format!("The rollout stage `{stage}` is not open to this client.");
    Problem::new(Code::ClientNotInStage, detail)
}

/// The stage, or what the replicas say of limits, changed again whenever the request was placed.
pub fn stage_keeps_changing() -> Problem {
    let detail =
        "The rollout stage or the limits changed several times while the request was looked at.";
    Problem::new(Code::Conflict, detail).retry_after(1)
}

/// The key was used for something else.
pub fn key_reused() -> Problem {
    let detail = "The Idempotency-Key was used for a request with another content; a new one \
                  needs a new key.";
    Problem::new(Code::IdempotencyKeyReused, detail)
        .at("/header/idempotency-key", "was used for another request")
}

/// The wallet cannot pay so much.
pub fn insufficient(wallet: &str) -> Problem {
    let detail = format!("Wallet `{wallet}` does not hold as much above its reserve.");
    Problem::new(Code::InsufficientBalance, detail)
        .at("/amount/value", "is more than the wallet can pay")
}

/// The newest validated ledger would refuse it.
pub fn obstacle(obstacle: Obstacle) -> Problem {
    let detail = obstacle.message();
    match obstacle {
        Obstacle::NotFunded => Problem::new(Code::DestinationNotFunded, detail)
            .at("/amount/value", "is less than the reserve of a new account"),
        Obstacle::TagMissing => Problem::new(Code::DestinationTagRequired, detail)
            .at("/destination_tag", "is required by the destination"),
        Obstacle::NotAuthorized | Obstacle::PseudoAccount => {
            Problem::new(Code::DestinationRequiresAuthorization, detail)
                .at("/destination", "does not take payments from this wallet")
        }
    }
}

/// An operator's pause stands in the way, or nobody can tell whether one does.
pub fn stopped(stop: &Stop) -> Problem {
    let detail = match stop {
        Stop::Paused(pause) => {
            let what = match &pause.scope {
                Scope::All => "Everything that moves money is paused".to_owned(),
                Scope::Payments => "Payments are paused".to_owned(),
                Scope::Wallet(name) => format!("The payments of wallet `{name}` are paused"),
            };
            format!(
                "{what} by an operator; nothing was created. Ask again with the same key later."
            )
        }
        Stop::Unreadable => {
            "It cannot be read whether payments are paused, so they are; nothing was created. Ask \
             again with the same key later."
                .to_owned()
        }
    };
    Problem::new(Code::Paused, detail).retry_after(PAUSE_RETRY_S)
}

/// There is no such payment, or it is not this caller's.
pub fn no_payment(id: &str) -> Problem {
    let shown: String = id.chars().take(64).collect();
    Problem::new(
        Code::PaymentNotFound,
        format!("There is no payment `{shown}`."),
    )
}

/// There is no such invoice, or it is not this caller's.
pub fn no_invoice(id: &str) -> Problem {
    let shown: String = id.chars().take(64).collect();
    Problem::new(
        Code::InvoiceNotFound,
        format!("There is no invoice `{shown}`."),
    )
}

/// Nearly all tags of a wallet are in use.
pub fn tags_exhausted(wallet: &str) -> Problem {
    let detail = format!(
        "Every destination tag that was tried for wallet `{wallet}` is in use; try again, or have \
         invoices paid to another wallet."
    );
    Problem::new(Code::TagsExhausted, detail).retry_after(1)
}

/// There is no such deposit, or it is not this caller's.
pub fn no_deposit(id: &str) -> Problem {
    let shown: String = id.chars().take(64).collect();
    let detail = format!("There is no deposit `{shown}`.");
    Problem::new(Code::DepositNotFound, detail)
}

/// The daemon is on its way out.
pub fn shutting_down(state: &AppState) -> Problem {
    let detail = "The daemon is shutting down and takes nothing new.";
    Problem::new(Code::ShuttingDown, detail).retry_after(state.settings.shutdown_grace.as_secs())
}

/// The store failed a read: nothing was changed.
pub fn store_read(error: &StoreError) -> Problem {
    tracing::warn!(error = %error, cause = cause(error), "the store failed a request");
    match error {
        StoreError::Unavailable(_)
        | StoreError::Contention(_)
        | StoreError::OutcomeUnknown(_)
        | StoreError::Closed => Problem::new(
            Code::StoreUnavailable,
            "The store does not answer; try again.",
        )
        .retry_after(1),
        StoreError::Overloaded => {
            let detail = "More is waiting to be written than the daemon can take; try again.";
            Problem::new(Code::Overloaded, detail).retry_after(1)
        }
        StoreError::Conflict(_) => Problem::new(
            Code::Conflict,
            "Another request changed the same thing at the same moment.",
        ),
        StoreError::NulInText { field } => Problem::new(
            Code::ValidationFailed,
            format!("The {field} holds a NUL character."),
        ),
        StoreError::PausesUnreadable(_) => stopped(&Stop::Unreadable),
        StoreError::Corrupt { .. }
        | StoreError::Damaged(_)
        | StoreError::BadChange { .. }
        | StoreError::WalletDiffers { .. }
        | StoreError::UnknownWallet(_)
        | StoreError::LeaseLost(_)
        | StoreError::HistoryBroken(_)
        | StoreError::InUse(_)
        | StoreError::LogHeldUp
        | StoreError::Newer { .. }
        | StoreError::MigrationBlocked { .. }
        | StoreError::Migration(_)
        | StoreError::Config(_)
        | StoreError::File { .. }
        | StoreError::Refused(_) => Problem::new(
            Code::Internal,
            "The store cannot do this; an operator has to look.",
        ),
    }
}

/// The store failed a write: it may have been done where the store says so, or where the writer ended
/// without an answer.
pub fn store_write(error: &StoreError) -> Problem {
    let problem = store_read(error);
    if error.effect_unknown() || matches!(error, StoreError::Closed) {
        problem.effect_unknown()
    } else {
        problem
    }
}

/// The innermost reason, for the log.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
