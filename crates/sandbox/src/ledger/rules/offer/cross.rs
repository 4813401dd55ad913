//! What a new offer takes of others' before it is placed.
//!
//! Crossing is a payment of the account to itself: it sends what it gives and takes what it asks, over the
//! book and, between two issued currencies, over the two books with XRP in the middle as well. It takes
//! nothing at a worse price than its own, and each owner of an offer that is taken pays the transfer fee
//! of what he gives.

use super::create::{Sides, TF_FILL_OR_KILL, TF_PASSIVE, TF_SELL};
use super::remove_all;
use crate::ledger::amount::{
    Amount, DROPS_MAX, Flow, Kind, QUALITY_ONE, Quality, Value, XRP_CURRENCY, div_round,
    div_round_strict, mul_round, rate_value,
};
use crate::ledger::codes::Ter;
use crate::ledger::rules::Context;
use crate::ledger::rules::flow::{Element, Found, Purpose, Request, Sandbox, flow};
use crate::ledger::rules::line::transfer_rate;
use xrpayd_core::token::TokenValue;

/// Half of the largest number of an issued currency, so that a transfer fee on it still fits.
const TOKEN_HALF: (u64, i64) = (9_999_999_999_999_999 / 2, 80);

/// Crosses the offer. Returns what of it is left: in what it gives, out what it asks.
pub(super) fn cross(context: &mut Context<'_, '_>, sides: &Sides) -> Result<Flow, Ter> {
    let broken = |code| {
        if code == Ter::TEF_EXCEPTION {
            Ter::TEC_INTERNAL
        } else {
            code
        }
    };
    Crossing::new(context, sides)
        .and_then(|crossing| crossing.run(context))
        .map_err(broken)
}

struct Crossing<'s> {
    sides: &'s Sides,
    /// What the issuer of what is given charges, in billionths.
    fee_rate: u32,
    send_max: Amount,
    threshold: Quality,
}

/// What an account may spend now, by the rules that offers are funded by; `None` where it is the issuer.
fn funds(context: &Context<'_, '_>, amount: &Amount) -> Result<Option<Value>, Ter> {
    Sandbox::over(&*context.changes, context.setting).spendable(context.tx.account, &amount.asset)
}

impl<'s> Crossing<'s> {
    fn new(context: &Context<'_, '_>, sides: &'s Sides) -> Result<Self, Ter> {
        let gives = sides.gets;
        let start = funds(context, &gives)?.unwrap_or(gives.value);
        if !start.is_positive() {
            return Err(Ter::TEC_UNFUNDED_OFFER);
        }
        let issuer = gives.asset.issuer();
        let fee_rate = if gives.asset.is_xrp() || issuer == context.tx.account {
            QUALITY_ONE
        } else {
            transfer_rate(&*context.changes, issuer)
        };
        let mut send_max = gives;
        if fee_rate != QUALITY_ONE {
            let kind = gives.asset.kind();
            send_max.value = mul_round(gives.value, rate_value(fee_rate), kind, true)?;
        }
        let mut threshold = Quality::of_amounts(&send_max, &sides.pays);
        if context.tx.flags & TF_PASSIVE != 0 {
            // Only better offers than its own price are taken; a smaller word is a better price.
            threshold = Quality(threshold.0.saturating_sub(1));
        }
        send_max.value = send_max.value.least(start);
        Ok(Self {
            sides,
            fee_rate,
            send_max,
            threshold,
        })
    }

    fn search(&self, context: &Context<'_, '_>) -> Result<Found, Ter> {
        let (gives, asks) = (self.sides.gets, self.sides.pays);
        let sells = context.tx.flags & TF_SELL != 0;
        let through_xrp = Element {
            currency: Some(XRP_CURRENCY),
            ..Element::default()
        };
        let paths: &[Vec<Element>] = if gives.asset.is_xrp() || asks.asset.is_xrp() {
            &[]
        } else {
            &[vec![through_xrp]]
        };
        let most = match asks.asset.kind() {
            Kind::Xrp => Value::Xrp(DROPS_MAX),
            Kind::Token | Kind::Mpt => {
                let (mantissa, exponent) = TOKEN_HALF;
                let value = TokenValue::new(false, mantissa, exponent);
                Value::Token(value.map_err(|_| Ter::TEF_EXCEPTION)?)
            }
        };
        let account = context.tx.account;
        let request = Request {
            source: account,
            destination: account,
            deliver: if sells { most.of(asks.asset) } else { asks },
            send_max: Some(self.send_max),
            paths,
            default_path: true,
            is_partial: context.tx.flags & TF_FILL_OR_KILL == 0,
            limit_quality: Some(self.threshold),
            purpose: if sells {
                Purpose::CrossingSell
            } else {
                Purpose::Crossing
            },
        };
        let sandbox = Sandbox::over(&*context.changes, context.setting);
        Ok(flow(&sandbox, &request))
    }

    fn run(&self, context: &mut Context<'_, '_>) -> Result<Flow, Ter> {
        let found = self.search(context)?;
        if let Some(settled) = found.settled {
            settled.apply(context.changes);
        }
        remove_all(context.changes, &found.dead_offers)?;
        context.dead_offers.extend(found.dead_offers);
        let whole = Flow {
            input: self.sides.gets.value,
            output: self.sides.pays.value,
        };
        match found.result {
            Ok(()) => {}
            Err(Ter::TEC_INTERNAL) => return Err(Ter::TEC_INTERNAL),
            // Nothing was taken, for whatever reason, so all of the offer is left.
            Err(_) => return Ok(whole),
        }
        let left = funds(context, &self.sides.gets)?;
        if left.is_some_and(|left| !left.is_positive()) {
            return Ok(Flow {
                input: Value::zero(whole.input.kind()),
                output: Value::zero(whole.output.kind()),
            });
        }
        let rate = Quality::of(whole).rate();
        if context.tx.flags & TF_SELL != 0 {
            self.left_of_sale(whole, found.flow.input, rate)
        } else {
            left_of_purchase(whole, found.flow.output, rate)
        }
    }

    /// A sale is done when all is given; what it still asks follows from what it still gives.
    fn left_of_sale(&self, whole: Flow, given: Value, rate: Value) -> Result<Flow, Ter> {
        let given = if self.fee_rate == QUALITY_ONE {
            given
        } else {
            div_round(given, rate_value(self.fee_rate), whole.input.kind(), true)?
        };
        let input = not_negative(whole.input.minus(given)?);
        let output = div_round_strict(input, rate, whole.output.kind(), false)?;
        Ok(Flow { input, output })
    }
}

/// A purchase is done when it has what it asks; what it still gives follows from what it still asks.
fn left_of_purchase(whole: Flow, got: Value, rate: Value) -> Result<Flow, Ter> {
    let output = not_negative(whole.output.minus(got)?);
    let input = mul_round(output, rate, whole.input.kind(), true)?;
    Ok(Flow { input, output })
}

fn not_negative(value: Value) -> Value {
    if value.is_negative() {
        Value::zero(value.kind())
    } else {
        value
    }
}
