//! Quality: how much goes in for what comes out, in one word that orders offers and paths.
//!
//! The word is the rate in/out: its exponent plus a hundred in the top byte, its mantissa beneath. A
//! smaller word is a better quality, so the order of `Quality` is the reverse of the words'.

use super::{Amount, Kind, Overflow, Value, div_round_strict, divide, mul_round, mul_round_strict};
use std::cmp::Ordering;
use xrpayd_core::token::TokenValue;

/// A rate of so much in for so much out; the better is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Quality(pub(crate) u64);

/// What goes into an offer or a path, and what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) input: Value,
    pub(crate) output: Value,
}

impl Ord for Quality {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Quality {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

const MANTISSA_MASK: u64 = (1 << 56) - 1;
const EXPONENT_SHIFT: i32 = 100;

fn word(rate: Value) -> Option<u64> {
    let rate = rate.token();
    let exponent = i32::from(rate.exponent()) + EXPONENT_SHIFT;
    let exponent = u64::from(u8::try_from(exponent).ok()?);
    (!rate.is_zero()).then_some(exponent << 56 | rate.mantissa())
}

impl Quality {
    /// One for one.
    pub(crate) const ONE: Self = Self(0x55_03_8D_7E_A4_C6_80_00);

    /// The quality of paying `input` for `output`; zero where the rate has no word.
    pub(crate) fn of(flow: Flow) -> Self {
        let rate = divide(flow.input, flow.output, Kind::Token);
        Self(rate.ok().and_then(word).unwrap_or_default())
    }

    /// The quality of an offer or a limit: what it asks and what it gives.
    pub(crate) fn of_amounts(input: &Amount, output: &Amount) -> Self {
        Self::of(Flow {
            input: input.value,
            output: output.value,
        })
    }

    /// The rate: what goes in for one that comes out.
    pub(crate) fn rate(self) -> Value {
        let exponent = i64::try_from(self.0 >> 56).unwrap_or_default() - i64::from(EXPONENT_SHIFT);
        let value = TokenValue::new(false, self.0 & MANTISSA_MASK, exponent);
        Value::Token(value.unwrap_or_default())
    }

    /// The quality of going through this and then through `next`.
    pub(crate) fn then(self, next: Self) -> Result<Self, Overflow> {
        let rate = mul_round(self.rate(), next.rate(), Kind::Token, true)?;
        word(rate).map(Self).ok_or(Overflow)
    }

    /// The rate with only so many digits, rounded up: the tick size of an issuer.
    pub(crate) fn rounded(self, digits: u32) -> Self {
        let step = 10_u64.pow(16_u32.saturating_sub(digits));
        let mantissa = (self.0 & MANTISSA_MASK).next_multiple_of(step);
        Self(self.0 & !MANTISSA_MASK | mantissa)
    }

    /// `flow` with no more than `limit` going in, rounded up or down without quirks.
    pub(crate) fn ceil_in_strict(
        self,
        flow: Flow,
        limit: Value,
        up: bool,
    ) -> Result<Flow, Overflow> {
        self.bound_in(flow, limit, |a, b, kind| div_round_strict(a, b, kind, up))
    }

    /// `flow` with no more than `limit` coming out, rounded up or down without quirks.
    pub(crate) fn ceil_out_strict(
        self,
        flow: Flow,
        limit: Value,
        up: bool,
    ) -> Result<Flow, Overflow> {
        self.bound_out(flow, limit, |a, b, kind| mul_round_strict(a, b, kind, up))
    }

    fn bound_in(
        self,
        flow: Flow,
        limit: Value,
        divide: impl Fn(Value, Value, Kind) -> Result<Value, Overflow>,
    ) -> Result<Flow, Overflow> {
        if flow.input <= limit {
            return Ok(flow);
        }
        let output = divide(limit, self.rate(), flow.output.kind())?;
        Ok(Flow {
            input: limit,
            output: output.least(flow.output),
        })
    }

    fn bound_out(
        self,
        flow: Flow,
        limit: Value,
        multiply: impl Fn(Value, Value, Kind) -> Result<Value, Overflow>,
    ) -> Result<Flow, Overflow> {
        if flow.output <= limit {
            return Ok(flow);
        }
        let input = multiply(limit, self.rate(), flow.input.kind())?;
        Ok(Flow {
            input: input.least(flow.input),
            output: limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Value {
        Value::Token(text.parse().unwrap())
    }

    fn flow(input: Value, output: Value) -> Flow {
        Flow { input, output }
    }

    #[test]
    fn one_for_one_has_the_word_of_the_ledger() {
        assert_eq!(Quality::of(flow(token("7"), token("7"))), Quality::ONE);
        assert_eq!(Quality::ONE.rate(), token("1"));
        assert_eq!(
            Quality::of(flow(Value::Xrp(5), Value::Xrp(5))),
            Quality::ONE
        );
    }

    #[test]
    fn the_cheaper_is_the_better() {
        let cheap = Quality::of(flow(token("1"), token("2")));
        let dear = Quality::of(flow(token("2"), token("1")));
        assert!(cheap > Quality::ONE && Quality::ONE > dear);
        assert_eq!(cheap.then(dear), Ok(Quality::ONE));
        assert_eq!(Quality::of(flow(token("1"), token("0"))), Quality(0));
    }

    #[test]
    fn an_offer_is_cut_to_a_limit_on_either_side() {
        let offer = flow(Value::Xrp(100_000_000), token("10"));
        let quality = Quality::of(offer);
        let by_in = quality
            .ceil_in_strict(offer, Value::Xrp(50_000_000), false)
            .unwrap();
        assert_eq!(by_in, flow(Value::Xrp(50_000_000), token("5")));
        let by_out = quality.ceil_out_strict(offer, token("2.5"), true).unwrap();
        assert_eq!(by_out, flow(Value::Xrp(25_000_000), token("2.5")));
        assert_eq!(quality.ceil_out_strict(offer, token("20"), true), Ok(offer));
    }

    #[test]
    fn a_tick_size_rounds_the_rate_up() {
        let third = Quality::of(flow(token("1"), token("3")));
        assert_eq!(third.rounded(3).rate(), token("0.334"));
        assert_eq!(third.rounded(16), third);
    }
}
