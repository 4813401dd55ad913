//! The checks of a payment, each by the code that a refusal for it would bear.
//!
//! All of them are always there and in the same order, so that a caller finds what passed as well as
//! what did not. A check that another fault leaves nothing to look at is `unknown`.

use crate::http::openapi::words;
use crate::http::problem::{Code, Hint};
use crate::http::refusal;
use crate::http::state::{FeeOutlook, Outlook, WalletRow};
use crate::payments::accept::{Assessment, Policy};
use crate::rfc3339::Rfc3339;
use crate::store::switches::Stop;
use serde::Serialize;
use utoipa::ToSchema;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{self, Breach, Caps, ScopeCaps, ScopeKind, Scoped, Usage};
use xrpayd_core::money::Drops;
use xrpayd_core::preflight::{Answers, Delivery, Facts, Verdict as Answer};

/// What is known when the checks are made.
pub(super) struct Witness<'a> {
    /// What the request says.
    pub seen: &'a Assessment,
    /// The rules in force.
    pub policy: &'a Policy,
    /// What is used of them.
    pub used: Usage,
    /// What is used of the client's and the destination's own limits.
    pub scopes: &'a [Scoped],
    /// When the day has room, where it has none.
    pub resets_at: Option<UnixMs>,
    /// The wallet that would pay.
    pub wallet: Option<&'a WalletRow>,
    /// What is paused of what the payment needs.
    pub stop: Option<Stop>,
    /// What waits in its queue.
    pub queued: Drops,
    /// What the ledger says of the destination, or why it says nothing.
    pub facts: Result<&'a Facts, &'static str>,
    /// What it would cost, and what a server thinks of it.
    pub outlook: &'a Outlook,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckStatus)]
pub(super) enum Status {
    /// Nothing stands in the way.
    Pass,
    /// The payment would be refused, or fail.
    Fail,
    /// It would be taken, and somebody should know.
    Warn,
    /// Nobody can say.
    Unknown,
}

/// What all checks come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Every check passed, or warned.
    Valid,
    /// One failed at least.
    Invalid,
    /// None failed, and of one at least nobody can say.
    Unknown,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Check {
    /// The code that a refusal for it would bear.
    code: &'static str,
    status: Status,
    detail: String,
    /// The field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pointer: Option<String>,
    /// When the daily limit has room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Rfc3339)]
    resets_at: Option<Rfc3339>,
    /// Whose limit it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = words::LimitScope)]
    scope: Option<&'static str>,
}

impl Check {
    fn new(code: &'static str, status: Status, detail: impl Into<String>) -> Self {
        Self {
            code,
            status,
            detail: detail.into(),
            pointer: None,
            resets_at: None,
            scope: None,
        }
    }

    /// The same about a field.
    fn at(self, pointer: &str) -> Self {
        let pointer = Some(pointer.to_owned());
        Self { pointer, ..self }
    }
}

/// Said where a fault of the request leaves nothing to look at.
const NO_AMOUNT: &str = "The amount cannot be read.";
const NO_WALLET: &str = "It is not known which wallet would pay.";

/// Makes every check.
pub(super) fn all(witness: &Witness<'_>) -> Vec<Check> {
    let mut checks = of_fields(witness.seen);
    checks.push(of_stage(witness));
    checks.extend(of_limits(witness));
    checks.push(of_pause(witness));
    checks.extend(of_wallet(witness));
    checks.push(of_fee(witness));
    checks.extend(of_destination(witness));
    checks.extend(of_simulation(witness));
    checks
}

/// What the checks come to.
pub(super) fn verdict(checks: &[Check]) -> Verdict {
    let has = |status| checks.iter().any(|check| check.status == status);
    if has(Status::Fail) {
        Verdict::Invalid
    } else if has(Status::Unknown) {
        Verdict::Unknown
    } else {
        Verdict::Valid
    }
}

/// One failure for each fault of a field, and a pass for each kind of fault that there is none of.
fn of_fields(seen: &Assessment) -> Vec<Check> {
    let kinds = [
        (Code::MissingField, "Every field that is required is there."),
        (Code::ValidationFailed, "Every field can be used."),
        (
            Code::DestinationInvalid,
            "The destination is an address of this network.",
        ),
        (
            Code::CurrencyNotEnabled,
            "Payments in this currency are enabled.",
        ),
        (
            Code::DestinationIsSelf,
            "The destination is not the wallet that would pay.",
        ),
    ];
    let mut checks = Vec::with_capacity(kinds.len());
    for (code, fine) in kinds {
        let faults = seen
            .faults
            .iter()
            .filter(|fault| refusal::code_of(fault) == code);
        let failed: Vec<Check> = faults
            .map(|fault| {
                let detail = format!("{}.", refusal::in_words(fault));
                Check::new(code.as_str(), Status::Fail, detail).at(&fault.pointer)
            })
            .collect();
        let is_open = match code {
            Code::DestinationInvalid => seen.destination.is_none(),
            Code::CurrencyNotEnabled => seen.amount.is_none(),
            Code::DestinationIsSelf => seen.destination.is_none() || seen.wallet.is_none(),
            _ => false,
        };
        if failed.is_empty() {
            let (status, detail) = if is_open {
                (Status::Unknown, "What is needed for it cannot be read.")
            } else {
                (Status::Pass, fine)
            };
            checks.push(Check::new(code.as_str(), status, detail));
        }
        checks.extend(failed);
    }
    checks
}

fn of_stage(witness: &Witness<'_>) -> Check {
    let code = Code::ClientNotInStage.as_str();
    if witness.seen.is_in_stage {
        let detail = "The rollout stage is open to this client.";
        Check::new(code, Status::Pass, detail)
    } else {
        let problem = refusal::not_in_stage(&witness.policy.stage);
        Check::new(code, Status::Fail, problem.detail)
    }
}

fn of_pause(witness: &Witness<'_>) -> Check {
    let code = Code::Paused.as_str();
    match &witness.stop {
        Some(stop) => Check::new(code, Status::Fail, refusal::stopped(stop).detail),
        None => Check::new(code, Status::Pass, "Payments are not paused."),
    }
}

/// Whether every day has room, whatever the other fences say.
pub(super) fn of_the_days(
    caps: &Caps,
    used: Usage,
    scopes: &[Scoped],
    amount: Drops,
) -> Result<(), Breach> {
    let only_the_day = Caps {
        min_payment: Drops::ZERO,
        max_payment: Drops::MAX,
        max_pending: u32::MAX,
        ..*caps
    };
    let only_their_days: Vec<Scoped> = scopes
        .iter()
        .map(|scope| Scoped {
            caps: ScopeCaps {
                daily: scope.caps.daily,
                ..ScopeCaps::NONE
            },
            ..*scope
        })
        .collect();
    limits::reserve_everywhere(&only_the_day, used, &only_their_days, amount).map(|_| ())
}

/// Whether there is room for one more on its way, whatever the other fences say.
fn of_what_is_pending(caps: &Caps, used: Usage, scopes: &[Scoped]) -> Result<(), Breach> {
    let all = ScopeCaps {
        max_pending: Some(caps.max_pending),
        ..ScopeCaps::NONE
    };
    all.check_pending(ScopeKind::All, used)?;
    let mut scopes = scopes.iter();
    scopes.try_for_each(|scope| scope.caps.check_pending(scope.kind, scope.usage))
}

/// Whether the amount can pass by itself.
fn of_the_amount(caps: &Caps, scopes: &[Scoped], amount: Drops) -> Result<(), Breach> {
    limits::check_amount(caps, amount)?;
    let mut scopes = scopes.iter();
    scopes.try_for_each(|scope| scope.caps.check_amount(scope.kind, amount))
}

fn of_limits(witness: &Witness<'_>) -> Vec<Check> {
    let (caps, used) = (&witness.policy.caps, witness.used);
    let fences = [
        (
            Code::AmountBelowMinimum,
            "The amount is not below the minimum.",
        ),
        (
            Code::AmountAboveStageLimit,
            "The amount is within the limit of a payment.",
        ),
        (
            Code::DailyLimitExceeded,
            "The amount is within what is left of the daily limit.",
        ),
        (
            Code::TooManyPending,
            "There is room for one more payment on its way.",
        ),
    ];
    let Some(amount) = witness.seen.amount else {
        return fences
            .iter()
            .map(|(code, _)| Check::new(code.as_str(), Status::Unknown, NO_AMOUNT))
            .collect();
    };
    let scopes = witness.scopes;
    let found = [
        of_the_amount(caps, scopes, amount),
        of_the_days(caps, used, scopes, amount),
        of_what_is_pending(caps, used, scopes),
    ];
    let refusals: Vec<_> = found
        .into_iter()
        .filter_map(Result::err)
        .map(|breach| refusal::breach(breach, amount, witness.resets_at))
        .collect();
    fences
        .iter()
        .map(|(code, fine)| {
            let refused = refusals.iter().find(|problem| problem.code == *code);
            let Some(problem) = refused else {
                return Check::new(code.as_str(), Status::Pass, *fine);
            };
            Check {
                pointer: problem.errors.first().map(|fault| fault.pointer.clone()),
                resets_at: match problem.hint {
                    Some(Hint::ResetsAt(at)) => Some(at),
                    Some(Hint::CurrentVersion(_) | Hint::OldestSequence(_)) | None => None,
                },
                scope: problem.scope.map(ScopeKind::as_str),
                ..Check::new(code.as_str(), Status::Fail, problem.detail.clone())
            }
        })
        .collect()
}

fn of_wallet(witness: &Witness<'_>) -> [Check; 2] {
    let balance = Code::InsufficientBalance.as_str();
    let halted = "wallet_halted";
    let Some(wallet) = witness.wallet else {
        return [balance, halted].map(|code| Check::new(code, Status::Unknown, NO_WALLET));
    };
    let fee = match witness.outlook.fee {
        FeeOutlook::Pays(fee) => fee,
        FeeOutlook::Waits { needed } => needed,
        FeeOutlook::Unknown => Drops::ZERO,
    };
    let total = |amount: Drops| amount.checked_add(fee)?.checked_add(witness.queued);
    let paying = match (witness.seen.amount, wallet.balance, wallet.reserve) {
        (None, _, _) => Check::new(balance, Status::Unknown, NO_AMOUNT),
        (_, None, _) | (_, _, None) => {
            let detail = "The wallet's balance is not known yet.";
            Check::new(balance, Status::Unknown, detail)
        }
        (Some(amount), Some(held), Some(reserve)) if amount > held.saturating_sub(reserve) => {
            let problem = refusal::insufficient(&wallet.name);
            Check::new(balance, Status::Fail, problem.detail).at("/amount/value")
        }
        (Some(amount), _, _) => match (total(amount), wallet.spendable) {
            (Some(total), Some(spendable)) if total <= spendable => {
                let detail = "The wallet can pay it with what is queued and in flight.";
                Check::new(balance, Status::Pass, detail)
            }
            (_, _) => {
                let detail = "What is queued and in flight may leave too little: the payment would \
                              wait as `low_balance` until there is more.";
                Check::new(balance, Status::Warn, detail)
            }
        },
    };
    let signing = if wallet.halted.is_some() {
        let detail =
            "The wallet signs nothing until an operator resumes it: the payment would wait.";
        Check::new(halted, Status::Warn, detail)
    } else {
        Check::new(halted, Status::Pass, "The wallet signs.")
    };
    [paying, signing]
}

fn of_fee(witness: &Witness<'_>) -> Check {
    let code = "fee_above_cap";
    match witness.outlook.fee {
        FeeOutlook::Pays(fee) => {
            let detail = format!("The ledger takes it for a fee of {fee} drops now.");
            Check::new(code, Status::Pass, detail)
        }
        FeeOutlook::Waits { needed } => {
            let detail = format!(
                "The ledger asks for a fee of {needed} drops now, more than may be burned: the \
                 payment would wait as `fee_hold` until it asks for less."
            );
            Check::new(code, Status::Warn, detail)
        }
        FeeOutlook::Unknown => Check::new(code, Status::Unknown, "The fee is not known."),
    }
}

fn of_destination(witness: &Witness<'_>) -> Vec<Check> {
    let delivery = Delivery {
        amount: witness.seen.amount,
        tag: witness.seen.destination.and_then(|(_, tag)| tag),
    };
    let answers = witness
        .facts
        .map_or(Answers::UNKNOWN, |facts| facts.judge(delivery));
    let wants_no_xrp = "The destination's owner would rather not be sent XRP; the ledger takes it \
                        all the same.";
    let questions = [
        (
            Code::DestinationNotFunded.as_str(),
            answers.funded,
            "The destination exists, or the amount creates it.",
            "/amount/value",
        ),
        (
            Code::DestinationTagRequired.as_str(),
            answers.tag,
            "The destination has the tag that it wants.",
            "/destination_tag",
        ),
        (
            Code::DestinationRequiresAuthorization.as_str(),
            answers.leave,
            "The destination takes payments from this wallet.",
            "/destination",
        ),
        (
            "destination_disallows_xrp",
            answers.wanted,
            "The destination's owner does not mind being sent XRP.",
            "/destination",
        ),
    ];
    questions
        .into_iter()
        .map(|(code, answer, fine, pointer)| match answer {
            Answer::Pass => Check::new(code, Status::Pass, fine),
            Answer::Fail(obstacle) => {
                Check::new(code, Status::Fail, obstacle.message()).at(pointer)
            }
            Answer::Warn => Check::new(code, Status::Warn, wants_no_xrp).at(pointer),
            Answer::Unknown => {
                let why = witness.facts.err();
                let why = why.unwrap_or("the servers could not be asked whom it authorised");
                Check::new(code, Status::Unknown, format!("Not known: {why}."))
            }
        })
        .collect()
}

/// What a server thinks of it, where one does: a hint that decides nothing.
fn of_simulation(witness: &Witness<'_>) -> Option<Check> {
    let simulation = witness.outlook.simulation.as_ref()?;
    let result = &simulation.result;
    Some(if result == "tesSUCCESS" {
        let detail = "A server that tried it without applying it says that it would succeed.";
        Check::new("simulation", Status::Pass, detail)
    } else if result.starts_with("tec") {
        let detail = format!(
            "A server that tried it without applying it says that it would fail as {result} and \
             cost its fee: the likely outcome."
        );
        Check::new("simulation", Status::Warn, detail)
    } else {
        let detail =
            format!("A server that tried it without applying it answers {result}, which may pass.");
        Check::new("simulation", Status::Warn, detail)
    })
}
