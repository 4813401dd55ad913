//! A step over a trust line: from one account to the next, in one currency.
//!
//! The source sends back what it holds of the other's issue, or else issues its own up to what the other
//! is ready to hold. An issuer's transfer fee falls due where it issues what the account before it sent
//! back; line qualities shift what a line gives for what it takes.

use super::{Debt, Direction, Making, Pass, Purpose, Sandbox, Step, StepId, Stop};
use crate::ledger::amount::{
    Asset, Currency, Flow, Overflow, QUALITY_ONE, Quality, Value, mul_ratio, rate_value,
};
use crate::ledger::codes::Ter;
use crate::ledger::entry::lsf;
use crate::ledger::rules::line::{Line, is_globally_frozen, transfer_rate};
use crate::ledger::state::Read;
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

#[derive(Debug, Clone, Copy)]
struct Cache {
    input: Value,
    /// What moved over the line.
    moved: Value,
    output: Value,
    debt: Debt,
}

/// A step over a trust line.
#[derive(Debug)]
struct Direct {
    from: AccountId,
    to: AccountId,
    currency: Currency,
    is_last: bool,
    purpose: Purpose,
    cache: Option<Cache>,
}

/// What goes in for what moves, and what comes out of it, in billionths.
struct Qualities {
    out_of_source: u32,
    into_target: u32,
}

/// Makes the step, or says why it cannot be.
pub(super) fn make(
    making: &mut Making<'_>,
    from: AccountId,
    to: AccountId,
    currency: Currency,
) -> Result<Box<dyn Step>, Ter> {
    if from.0 == [0; 20] || to.0 == [0; 20] || from == to {
        return Err(Ter::TEM_BAD_PATH);
    }
    let root = making.view.account(from).ok_or(Ter::TER_NO_ACCOUNT)?;
    // What is only issued or only sent back cannot be frozen.
    if !(making.is_last && making.is_first()) {
        freeze(making.view, from, to, &currency)?;
    }
    if let Some(StepId::Direct { from: before, .. }) = making.previous() {
        rippling(making.view, before, from, to, &currency)?;
    }
    let (source, target) = (Asset::token(currency, from), Asset::token(currency, to));
    if making.seen.books.contains(&source)
        && !matches!(making.previous(), Some(StepId::Book { output, .. }) if output == source)
        && !matches!(
            making.previous(),
            Some(StepId::Direct { .. } | StepId::Endpoint { .. })
        )
    {
        return Err(Ter::TEM_BAD_PATH_LOOP);
    }
    if !making.seen.sources.insert(source) || !making.seen.targets.insert(target) {
        return Err(Ter::TEM_BAD_PATH_LOOP);
    }
    if making.purpose == Purpose::Payment {
        payable(making, root.has(lsf::REQUIRE_AUTH), from, to, &currency)?;
    }
    Ok(Box::new(Direct {
        from,
        to,
        currency,
        is_last: making.is_last,
        purpose: making.purpose,
        cache: None,
    }))
}

/// Whether a freeze keeps `from` from sending over its line with `to`.
fn freeze(view: &dyn Read, from: AccountId, to: AccountId, currency: &Currency) -> Result<(), Ter> {
    let frozen = is_globally_frozen(view, to)
        || Line::read(view, from, to, currency)
            .is_some_and(|line| line.has(line.side(to).freeze) || line.is_deep_frozen());
    if frozen {
        Err(Ter::TER_NO_LINE)
    } else {
        Ok(())
    }
}

/// Whether `account` lets value ripple from its line with `before` to that with `after`.
fn rippling(
    view: &dyn Read,
    before: AccountId,
    account: AccountId,
    after: AccountId,
    currency: &Currency,
) -> Result<(), Ter> {
    let into = Line::read(view, before, account, currency).ok_or(Ter::TER_NO_LINE)?;
    let out = Line::read(view, account, after, currency).ok_or(Ter::TER_NO_LINE)?;
    let forbids = |line: &Line| line.has(line.side(account).no_ripple);
    if forbids(&into) && forbids(&out) {
        return Err(Ter::TER_NO_RIPPLE);
    }
    Ok(())
}

/// What a payment needs of the line, and an offer that crosses does not.
fn payable(
    making: &Making<'_>,
    needs_auth: bool,
    from: AccountId,
    to: AccountId,
    currency: &Currency,
) -> Result<(), Ter> {
    let line = Line::read(making.view, from, to, currency).ok_or(Ter::TER_NO_LINE)?;
    let side = line.side(from);
    let owed = line.balance(to);
    if needs_auth && !line.has(side.auth) && owed.is_zero() {
        return Err(Ter::TER_NO_AUTH);
    }
    if matches!(making.previous(), Some(StepId::Book { .. })) && line.has(side.no_ripple) {
        return Err(Ter::TER_NO_RIPPLE);
    }
    if !owed.is_negative() && owed >= line.limit(to) {
        return Err(Ter::TEC_PATH_DRY);
    }
    Ok(())
}

impl Direct {
    fn line(&self, view: &dyn Read) -> Option<Line> {
        Line::read(view, self.from, self.to, &self.currency)
    }

    /// The most that can move over the line, and whether the source redeems.
    fn most(&self, view: &Sandbox<'_>, wanted: Value) -> Result<(Value, Debt), Stop> {
        if self.is_last && self.purpose != Purpose::Payment {
            // An offer may take its owner beyond the limit of the line.
            return Ok((wanted, Debt::Issues));
        }
        let held = view.holds(self.from, self.to, self.currency)?;
        if held.is_positive() {
            return Ok((held, Debt::Redeems));
        }
        let limit = self.line(view).map(|line| line.limit(self.to));
        let room = Value::Token(limit.unwrap_or_default()).plus(held)?;
        Ok((room, Debt::Issues))
    }

    /// A quality of the line, which payments alone mind.
    fn line_quality(&self, view: &dyn Read, pick: impl Fn(&Line) -> u32) -> u32 {
        if self.purpose != Purpose::Payment || self.from == self.to {
            return QUALITY_ONE;
        }
        match self.line(view).map(|line| pick(&line)) {
            None | Some(0) => QUALITY_ONE,
            Some(quality) => quality,
        }
    }

    fn quality_out(&self, view: &dyn Read) -> u32 {
        self.line_quality(view, |line| line.quality_out(self.from))
    }

    fn quality_in(&self, view: &dyn Read) -> u32 {
        self.line_quality(view, |line| line.quality_in(self.to))
    }

    fn when_redeeming(&self, view: &Sandbox<'_>, previous: Option<&dyn Step>) -> Qualities {
        let out_of_source = previous.map_or(QUALITY_ONE, |step| {
            step.line_quality_in(view).max(self.quality_out(view))
        });
        Qualities {
            out_of_source,
            into_target: QUALITY_ONE,
        }
    }

    fn when_issuing(&self, view: &Sandbox<'_>, before: Debt) -> Qualities {
        let fee = before == Debt::Redeems;
        let into_target = self.quality_in(view);
        Qualities {
            out_of_source: if fee {
                transfer_rate(view, self.from)
            } else {
                QUALITY_ONE
            },
            into_target: if self.is_last {
                into_target.min(QUALITY_ONE)
            } else {
                into_target
            },
        }
    }

    fn qualities(
        &self,
        view: &Sandbox<'_>,
        debt: Debt,
        direction: Direction,
        previous: Option<&dyn Step>,
    ) -> Qualities {
        match debt {
            Debt::Redeems => self.when_redeeming(view, previous),
            Debt::Issues => {
                let before = previous.map_or(Debt::Issues, |step| step.debt(view, direction));
                self.when_issuing(view, before)
            }
        }
    }

    fn dry(&mut self, debt: Debt) -> Flow {
        let zero = Value::Token(TokenValue::ZERO);
        self.keep(Cache {
            input: zero,
            moved: zero,
            output: zero,
            debt,
        })
    }

    fn keep(&mut self, cache: Cache) -> Flow {
        self.cache = Some(cache);
        Flow {
            input: cache.input,
            output: cache.output,
        }
    }

    /// Takes what the forward run found, but never more than the reverse run did: rounding may not
    /// create liquidity. A difference too large to be rounding is believed.
    fn keep_limited(&mut self, found: Cache) -> Result<Cache, Stop> {
        let Some(old) = self.cache else {
            return Err(Stop::Strand);
        };
        let kept = if old.input < found.input && is_large(old.input, found.input)? {
            found
        } else {
            Cache {
                input: found.input,
                moved: found.moved.least(old.moved),
                output: found.output.least(old.output),
                debt: found.debt,
            }
        };
        self.cache = Some(kept);
        Ok(kept)
    }
}

/// Whether `new` is so much larger than `old` that it cannot come from rounding.
fn is_large(old: Value, new: Value) -> Result<bool, Overflow> {
    let small = Value::Token(TokenValue::new(false, 1, -9).map_err(|_| Overflow)?);
    let (before, after) = (old.token(), new.token());
    let above_a_hundredth =
        u128::from(after.mantissa()) * 100 > u128::from(before.mantissa()) * 101;
    Ok(new.minus(old)? > small
        && (before.exponent() != after.exponent() || before.is_zero() || above_a_hundredth))
}

impl Step for Direct {
    fn id(&self) -> StepId {
        StepId::Direct {
            from: self.from,
            to: self.to,
            currency: self.currency,
        }
    }

    fn reverse(&mut self, pass: &mut Pass<'_, '_>, output: Value) -> Result<Flow, Stop> {
        self.cache = None;
        let (most, debt) = self.most(pass.sandbox, output)?;
        let rates = self.qualities(pass.sandbox, debt, Direction::Reverse, pass.previous);
        if !most.is_positive() {
            return Ok(self.dry(debt));
        }
        let wanted = mul_ratio(output, QUALITY_ONE, rates.into_target, true)?;
        let (moved, output) = if wanted <= most {
            (wanted, output)
        } else {
            (
                most,
                mul_ratio(most, rates.into_target, QUALITY_ONE, false)?,
            )
        };
        let input = mul_ratio(moved, rates.out_of_source, QUALITY_ONE, true)?;
        pass.sandbox
            .credit(self.from, self.to, self.currency, moved)?;
        Ok(self.keep(Cache {
            input,
            moved,
            output,
            debt,
        }))
    }

    fn forward(&mut self, pass: &mut Pass<'_, '_>, input: Value) -> Result<Flow, Stop> {
        let wanted = self.cache.ok_or(Stop::Strand)?.moved;
        let (most, debt) = self.most(pass.sandbox, wanted)?;
        let rates = self.qualities(pass.sandbox, debt, Direction::Forward, pass.previous);
        if !most.is_positive() {
            return Ok(self.dry(debt));
        }
        let given = mul_ratio(input, QUALITY_ONE, rates.out_of_source, false)?;
        let (moved, input) = if given <= most {
            (given, input)
        } else {
            (
                most,
                mul_ratio(most, rates.out_of_source, QUALITY_ONE, true)?,
            )
        };
        let output = mul_ratio(moved, rates.into_target, QUALITY_ONE, false)?;
        let kept = self.keep_limited(Cache {
            input,
            moved,
            output,
            debt,
        })?;
        pass.sandbox
            .credit(self.from, self.to, self.currency, kept.moved)?;
        Ok(Flow {
            input: kept.input,
            output: kept.output,
        })
    }

    fn cached(&self) -> Option<Flow> {
        self.cache.map(|cache| Flow {
            input: cache.input,
            output: cache.output,
        })
    }

    fn debt(&self, view: &Sandbox<'_>, direction: Direction) -> Debt {
        if let (Direction::Forward, Some(cache)) = (direction, self.cache) {
            return cache.debt;
        }
        match view.holds(self.from, self.to, self.currency) {
            Ok(held) if held.is_positive() => Debt::Redeems,
            _ => Debt::Issues,
        }
    }

    fn line_quality_in(&self, view: &Sandbox<'_>) -> u32 {
        self.quality_in(view)
    }

    fn quality_bound(
        &self,
        view: &Sandbox<'_>,
        before: Debt,
        previous: Option<&dyn Step>,
    ) -> Result<(Option<Quality>, Debt), Overflow> {
        let debt = self.debt(view, Direction::Forward);
        let rates = match debt {
            Debt::Redeems => self.when_redeeming(view, previous),
            Debt::Issues => self.when_issuing(view, before),
        };
        let quality = Quality::of(Flow {
            input: rate_value(rates.out_of_source),
            output: rate_value(rates.into_target),
        });
        Ok((Some(quality), debt))
    }
}
