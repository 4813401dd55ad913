//! Checks of issued currencies: what freezes and authorisation allow, and cashing over strands.
//!
//! Whoever cashes a check wants the money: a line that is missing is made, and its limit does not count
//! while the check is cashed.

use super::flow::{Purpose, Request, Sandbox, flow};
use super::line::{self, Line, NewLine, create, is_frozen, is_globally_frozen};
use super::{Context, Setting, owned};
use crate::ledger::amount::{Amount, Asset, Currency, Value};
use crate::ledger::codes::Ter;
use crate::ledger::entry::lsf;
use crate::ledger::state::{Changes, Read};
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// What one party writes and another cashes.
pub(super) struct Parties {
    pub(super) writer: AccountId,
    pub(super) casher: AccountId,
}

/// Whether a check over this asset may be written.
pub(super) fn may_write(view: &dyn Read, parties: &Parties, asset: &Asset) -> Result<(), Ter> {
    let Asset::Token { currency, issuer } = asset else {
        return Ok(());
    };
    // The writer's side may be frozen by the issuer, the issuer's by whoever is to cash the check.
    let frozen = |by: AccountId, other: AccountId| {
        by != other
            && Line::read(view, by, other, currency)
                .is_some_and(|line| line.has(line.side(by).freeze))
    };
    if is_globally_frozen(view, *issuer)
        || frozen(*issuer, parties.writer)
        || frozen(parties.casher, *issuer)
    {
        return Err(Ter::TEC_FROZEN);
    }
    Ok(())
}

/// Whether the writer has what is asked for, and the casher may receive it.
pub(super) fn may_cash(
    view: &dyn Read,
    setting: &Setting,
    parties: &Parties,
    wanted: &Amount,
) -> Result<(), Ter> {
    let Asset::Token { currency, issuer } = wanted.asset else {
        return Err(Ter::TEC_PATH_PARTIAL);
    };
    let sandbox = Sandbox::over(view, setting);
    let funds = sandbox.spendable(parties.writer, &wanted.asset)?;
    if funds.is_some_and(|funds| funds < wanted.value) {
        return Err(Ter::TEC_PATH_PARTIAL);
    }
    if issuer == parties.casher {
        return Ok(());
    }
    let root = view.account(issuer).ok_or(Ter::TEC_NO_ISSUER)?;
    let line = Line::read(view, parties.casher, issuer, &currency);
    let authorised = line.is_some_and(|line| line.has(line.side(issuer).auth));
    if root.has(lsf::REQUIRE_AUTH) && !authorised {
        return Err(Ter::TEC_NO_AUTH);
    }
    if is_frozen(view, parties.casher, &wanted.asset) {
        return Err(Ter::TEC_FROZEN);
    }
    Ok(())
}

/// How much of a check is cashed.
#[derive(Clone, Copy)]
pub(super) enum Share {
    /// So much.
    Exactly(Amount),
    /// As much as there is, and not less than this.
    AtLeast(Amount),
}

/// The most that a line may be set to hold.
fn no_limit() -> TokenValue {
    TokenValue::new(false, 9_999_999_999_999_999, 80).unwrap_or_default()
}

/// What is asked for where all is wanted: more than any check, even with a transfer fee on top.
fn all_there_is() -> TokenValue {
    TokenValue::new(false, 4_999_999_999_999_999, 80).unwrap_or_default()
}

/// Cashes a check over strands.
pub(super) fn cash(
    context: &mut Context<'_, '_>,
    writer: AccountId,
    most: &Amount,
    share: Share,
) -> Result<(), Ter> {
    let Asset::Token { currency, issuer } = most.asset else {
        return Err(Ter::TEC_PATH_PARTIAL);
    };
    let casher = context.tx.account;
    let (deliver, least) = match share {
        Share::Exactly(amount) => (amount, None),
        Share::AtLeast(least) => (Value::Token(all_there_is()).of(most.asset), Some(least)),
    };
    let holder = if issuer == casher { writer } else { casher };
    make_line(context, holder, issuer, currency)?;
    let mut sandbox = Sandbox::over(&*context.changes, context.setting);
    let saved = lift_limit(&mut sandbox.changes, holder, issuer, currency, casher)?;
    let request = Request {
        source: writer,
        destination: casher,
        deliver,
        send_max: Some(*most),
        paths: &[],
        default_path: true,
        is_partial: least.is_some(),
        limit_quality: None,
        purpose: Purpose::Payment,
    };
    let found = flow(&sandbox, &request);
    found.result?;
    if least.is_some_and(|least| found.flow.output < least.value) {
        return Err(Ter::TEC_PATH_PARTIAL);
    }
    if let Some(settled) = found.settled {
        sandbox.absorb(settled)?;
    }
    if let Some(mut line) = Line::read(&sandbox, holder, issuer, &currency) {
        line.set_limit(saved.of, saved.limit);
        line.put(&mut sandbox.changes);
    }
    let settled = sandbox.settle();
    settled.apply(context.changes);
    let delivered = found.flow.output.of(most.asset).bytes();
    context.delivered = Some(delivered.into_boxed_slice());
    Ok(())
}

/// Makes the line over which the check is cashed, where there is none.
fn make_line(
    context: &mut Context<'_, '_>,
    holder: AccountId,
    issuer: AccountId,
    currency: Currency,
) -> Result<(), Ter> {
    if Line::read(context.changes, holder, issuer, &currency).is_some() {
        return Ok(());
    }
    let casher = context.sender()?;
    if owned::lacks_reserve(context, &casher, 1) {
        return Err(Ter::TEC_NO_LINE_INSUF_RESERVE);
    }
    let side = line::side_of(casher.id, issuer);
    let ripples = casher.has(lsf::DEFAULT_RIPPLE);
    create(
        context.changes,
        &NewLine {
            account: casher.id,
            peer: issuer,
            currency,
            balance: TokenValue::ZERO,
            limit: TokenValue::ZERO,
            flags: if ripples { 0 } else { side.no_ripple },
            quality_in: 0,
            quality_out: 0,
        },
    )
}

/// A limit that is to be put back.
struct Saved {
    of: AccountId,
    limit: TokenValue,
}

/// Takes the limit off the line while the check is cashed.
fn lift_limit(
    changes: &mut Changes<'_>,
    holder: AccountId,
    issuer: AccountId,
    currency: Currency,
    casher: AccountId,
) -> Result<Saved, Ter> {
    let mut line = Line::read(changes, holder, issuer, &currency).ok_or(Ter::TEC_NO_LINE)?;
    // The ledger picks the side by comparing the casher with the issuer even where they are the same.
    let of = if issuer > casher { line.low } else { line.high };
    let limit = line.limit(of);
    line.set_limit(of, no_limit());
    line.put(changes);
    Ok(Saved { of, limit })
}
