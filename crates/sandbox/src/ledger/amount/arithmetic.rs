//! Adding, multiplying and dividing amounts, each with the rounding that the real server gives it.
//!
//! There are three families on purpose. `multiply` and `divide` round to the nearest. `mul_round` and
//! `div_round` round up or down with old quirks that offers depend on. The `strict` ones round up or
//! down without them. Which is used where is part of the ledger's rules.

use super::number::{Number, Rounding};
use super::{DROPS_MAX, Kind, Overflow, Value};
use xrpayd_core::token::TokenValue;

const MANTISSA_MIN: u64 = 1_000_000_000_000_000;
const MANTISSA_MAX: u64 = 9_999_999_999_999_999;
const TEN_TO_14: u64 = 100_000_000_000_000;
const TEN_TO_17: u64 = 100_000_000_000_000_000;
/// Exponents from which a whole number cannot fit, so that it is refused before it is built.
const XRP_EXPONENT_MAX: i32 = 17;
const MPT_EXPONENT_MAX: i32 = 18;

/// An unsigned mantissa with its exponent, on the way to a value.
#[derive(Debug, Clone, Copy)]
struct Raw {
    mantissa: u64,
    exponent: i32,
}

/// The size of a value as sixteen digits or more.
fn scaled(value: &Value) -> Raw {
    let (mut mantissa, mut exponent) = match value {
        Value::Token(token) => (token.mantissa(), i32::from(token.exponent())),
        Value::Xrp(n) | Value::Mpt(n) => (n.unsigned_abs(), 0),
    };
    while mantissa != 0 && mantissa < MANTISSA_MIN {
        mantissa *= 10;
        exponent -= 1;
    }
    Raw { mantissa, exponent }
}

fn number(value: &Value) -> Number {
    let raw = scaled(value);
    Number::new(value.is_negative(), u128::from(raw.mantissa), raw.exponent)
        .normal(Rounding::Nearest)
}

/// The value that a kind of amount holds of a raw number.
fn canonical(kind: Kind, negative: bool, raw: Raw, rounding: Rounding) -> Result<Value, Overflow> {
    let number = Number::new(negative, u128::from(raw.mantissa), raw.exponent);
    match kind {
        Kind::Token => number.token(rounding).map(Value::Token),
        Kind::Xrp if raw.mantissa != 0 && raw.exponent > XRP_EXPONENT_MAX => Err(Overflow),
        Kind::Mpt if raw.mantissa != 0 && raw.exponent > MPT_EXPONENT_MAX => Err(Overflow),
        Kind::Xrp => {
            let drops = number.whole(rounding)?;
            let fits = drops.unsigned_abs() <= DROPS_MAX.unsigned_abs();
            fits.then_some(Value::Xrp(drops)).ok_or(Overflow)
        }
        Kind::Mpt => number.whole(rounding).map(Value::Mpt),
    }
}

impl Value {
    /// The sum of two values of one kind.
    pub(crate) fn plus(self, other: Self) -> Result<Self, Overflow> {
        match (self, other) {
            (Self::Xrp(a), Self::Xrp(b)) => a.checked_add(b).map(Self::Xrp).ok_or(Overflow),
            (Self::Mpt(a), Self::Mpt(b)) => a.checked_add(b).map(Self::Mpt).ok_or(Overflow),
            (Self::Token(a), Self::Token(b)) => Number::of(a)
                .plus(Number::of(b), Rounding::Nearest)
                .token(Rounding::Nearest)
                .map(Self::Token),
            _ => Err(Overflow),
        }
    }

    /// The difference of two values of one kind.
    pub(crate) fn minus(self, other: Self) -> Result<Self, Overflow> {
        self.plus(-other)
    }

    /// The lesser of two values of one kind; this one where they have no order.
    pub(crate) fn least(self, other: Self) -> Self {
        if other < self { other } else { self }
    }
}

/// A rate in billionths as a number to multiply by.
pub(crate) fn rate_value(rate: u32) -> Value {
    let value = TokenValue::new(false, u64::from(rate), -9).unwrap_or_default();
    Value::Token(value)
}

fn mul_div(a: u64, b: u64, c: u64, add: u64) -> Result<u64, Overflow> {
    let product = u128::from(a) * u128::from(b) + u128::from(add);
    let quotient = product.checked_div(u128::from(c)).ok_or(Overflow)?;
    u64::try_from(quotient).map_err(|_| Overflow)
}

/// The product of two whole numbers of one kind, with the bounds that the ledger sets before it.
fn whole_product(a: &Value, b: &Value, kind: Kind) -> Option<Result<Value, Overflow>> {
    let same = a.kind() == kind && b.kind() == kind;
    let (a, b) = (a.integral().filter(|_| same)?, b.integral()?);
    let product = a.checked_mul(b).ok_or(Overflow);
    Some(product.and_then(|product| match kind {
        Kind::Xrp if product.unsigned_abs() > DROPS_MAX.unsigned_abs() => Err(Overflow),
        Kind::Xrp => Ok(Value::Xrp(product)),
        Kind::Mpt | Kind::Token => Ok(Value::Mpt(product)),
    }))
}

/// The product as a value of `kind`, rounded to the nearest.
pub(crate) fn multiply(a: Value, b: Value, kind: Kind) -> Result<Value, Overflow> {
    if a.is_zero() || b.is_zero() {
        return Ok(Value::zero(kind));
    }
    if let Some(product) = whole_product(&a, &b, kind) {
        return product;
    }
    let product = number(&a).times(number(&b), Rounding::Nearest);
    let raw = Raw {
        mantissa: u64::try_from(product.mantissa).map_err(|_| Overflow)?,
        exponent: product.exponent,
    };
    canonical(kind, product.negative, raw, Rounding::Nearest)
}

/// The quotient as a value of `kind`, rounded to the nearest.
pub(crate) fn divide(a: Value, b: Value, kind: Kind) -> Result<Value, Overflow> {
    if b.is_zero() {
        return Err(Overflow);
    }
    if a.is_zero() {
        return Ok(Value::zero(kind));
    }
    let (x, y) = (scaled(&a), scaled(&b));
    let raw = Raw {
        mantissa: mul_div(x.mantissa, TEN_TO_17, y.mantissa, 0)?
            .checked_add(5)
            .ok_or(Overflow)?,
        exponent: x.exponent - y.exponent - 17,
    };
    let negative = a.is_negative() != b.is_negative();
    canonical(kind, negative, raw, Rounding::Nearest)
}

/// Whether a rounding keeps the quirks that offers depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Old,
    Strict,
}

/// Cuts a result that is rounded away from zero down to its digits, the last division rounding.
fn round_away(raw: &mut Raw, whole: bool, manner: Manner, up: bool) {
    if !whole {
        if raw.mantissa > MANTISSA_MAX {
            while raw.mantissa > 10 * MANTISSA_MAX {
                raw.mantissa /= 10;
                raw.exponent += 1;
            }
            raw.mantissa = raw.mantissa.div_ceil(10);
            raw.exponent += 1;
        }
        return;
    }
    if raw.exponent >= 0 {
        return;
    }
    let (mut loops, mut remainder) = (0, false);
    while raw.exponent < -1 {
        remainder |= !raw.mantissa.is_multiple_of(10);
        raw.mantissa /= 10;
        raw.exponent += 1;
        loops += 1;
    }
    let add = match manner {
        // Below a tenth of a unit the old way rounds down after all.
        Manner::Old if loops >= 2 => 9,
        Manner::Old => 10,
        Manner::Strict if remainder && up => 10,
        Manner::Strict => 9,
    };
    raw.mantissa = (raw.mantissa + add) / 10;
    raw.exponent += 1;
}

/// The least that a positive result may be when it is rounded up.
fn least(kind: Kind, whole: bool) -> Result<Value, Overflow> {
    if whole {
        return canonical(
            kind,
            false,
            Raw {
                mantissa: 1,
                exponent: 0,
            },
            Rounding::Nearest,
        );
    }
    let raw = Raw {
        mantissa: MANTISSA_MIN,
        exponent: -96,
    };
    canonical(kind, false, raw, Rounding::Nearest)
}

fn multiply_rounded(
    (a, b): (Value, Value),
    kind: Kind,
    up: bool,
    manner: Manner,
) -> Result<Value, Overflow> {
    if a.is_zero() || b.is_zero() {
        return Ok(Value::zero(kind));
    }
    if let Some(product) = whole_product(&a, &b, kind) {
        return product;
    }
    let (x, y) = (scaled(&a), scaled(&b));
    let negative = a.is_negative() != b.is_negative();
    let away = negative != up;
    let mut raw = Raw {
        mantissa: mul_div(
            x.mantissa,
            y.mantissa,
            TEN_TO_14,
            if away { TEN_TO_14 - 1 } else { 0 },
        )?,
        exponent: x.exponent + y.exponent + 14,
    };
    let whole = kind == Kind::Xrp;
    if away {
        round_away(&mut raw, whole, manner, up);
    }
    let rounding = match manner {
        Manner::Old => Rounding::Nearest,
        Manner::Strict => Rounding::TowardsZero,
    };
    let result = canonical(kind, negative, raw, rounding)?;
    if up && !negative && result.is_zero() {
        return least(kind, whole);
    }
    Ok(result)
}

fn divide_rounded(
    (a, b): (Value, Value),
    kind: Kind,
    up: bool,
    manner: Manner,
) -> Result<Value, Overflow> {
    if b.is_zero() {
        return Err(Overflow);
    }
    if a.is_zero() {
        return Ok(Value::zero(kind));
    }
    let (x, y) = (scaled(&a), scaled(&b));
    let negative = a.is_negative() != b.is_negative();
    let away = negative != up;
    let mut raw = Raw {
        mantissa: mul_div(
            x.mantissa,
            TEN_TO_17,
            y.mantissa,
            if away { y.mantissa - 1 } else { 0 },
        )?,
        exponent: x.exponent - y.exponent - 17,
    };
    let whole = kind != Kind::Token;
    if away {
        round_away(&mut raw, whole, Manner::Old, up);
    }
    let rounding = match manner {
        Manner::Old => Rounding::Nearest,
        Manner::Strict if away => Rounding::Up,
        Manner::Strict => Rounding::Down,
    };
    let result = canonical(kind, negative, raw, rounding)?;
    if up && !negative && result.is_zero() {
        return least(kind, whole);
    }
    Ok(result)
}

/// The product, rounded up or down in the old way.
pub(crate) fn mul_round(a: Value, b: Value, kind: Kind, up: bool) -> Result<Value, Overflow> {
    multiply_rounded((a, b), kind, up, Manner::Old)
}

/// The product, rounded up or down and no digit overlooked.
pub(crate) fn mul_round_strict(
    a: Value,
    b: Value,
    kind: Kind,
    up: bool,
) -> Result<Value, Overflow> {
    multiply_rounded((a, b), kind, up, Manner::Strict)
}

/// The quotient, rounded up or down in the old way.
pub(crate) fn div_round(a: Value, b: Value, kind: Kind, up: bool) -> Result<Value, Overflow> {
    divide_rounded((a, b), kind, up, Manner::Old)
}

/// The quotient, rounded up or down and no digit overlooked.
pub(crate) fn div_round_strict(
    a: Value,
    b: Value,
    kind: Kind,
    up: bool,
) -> Result<Value, Overflow> {
    divide_rounded((a, b), kind, up, Manner::Strict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(text: &str) -> Value {
        Value::Token(text.parse().unwrap())
    }

    #[test]
    fn products_and_quotients_are_those_of_the_ledger() {
        let third = divide(token("1"), token("3"), Kind::Token).unwrap();
        // The ledger adds half a digit and then rounds to the nearest, so a third is rounded up.
        assert_eq!(third, token("0.3333333333333334"));
        let two_thirds = divide(token("2"), token("3"), Kind::Token).unwrap();
        assert_eq!(two_thirds, token("0.6666666666666667"));
        let one = multiply(third, token("3"), Kind::Token).unwrap();
        assert_eq!(one, token("1"));
        assert_eq!(
            multiply(token("2.5"), Value::Xrp(3), Kind::Xrp),
            Ok(Value::Xrp(8))
        );
        assert_eq!(
            multiply(token("0.5"), Value::Xrp(3), Kind::Xrp),
            Ok(Value::Xrp(2))
        );
        assert_eq!(
            multiply(Value::Xrp(3), Value::Xrp(4), Kind::Xrp),
            Ok(Value::Xrp(12))
        );
        assert_eq!(divide(token("1"), token("0"), Kind::Token), Err(Overflow));
        assert_eq!(
            multiply(token("9e80"), token("9e80"), Kind::Token),
            Err(Overflow)
        );
    }

    #[test]
    fn what_is_rounded_up_is_never_nothing() {
        for kind in [Kind::Xrp, Kind::Token] {
            let tiny = mul_round(token("1e-80"), token("1e-80"), kind, true).unwrap();
            assert!(tiny.is_positive());
            let none = mul_round(token("1e-80"), token("1e-80"), kind, false).unwrap();
            assert!(none.is_zero());
        }
        let tiny = div_round_strict(token("1e-80"), token("1e70"), Kind::Xrp, true).unwrap();
        assert_eq!(tiny, Value::Xrp(1));
    }

    #[test]
    fn the_strict_way_overlooks_no_digit() {
        let (a, b) = (token("1.001"), Value::Xrp(10_000_001));
        assert_eq!(mul_round(a, b, Kind::Xrp, true), Ok(Value::Xrp(10_010_001)));
        assert_eq!(
            mul_round_strict(a, b, Kind::Xrp, true),
            Ok(Value::Xrp(10_010_002))
        );
        assert_eq!(
            mul_round_strict(a, b, Kind::Xrp, false),
            Ok(Value::Xrp(10_010_001))
        );
    }

    fn any_token() -> impl Strategy<Value = Value> {
        (1..=MANTISSA_MAX, -30..=20_i64).prop_map(|(mantissa, exponent)| {
            Value::Token(TokenValue::new(false, mantissa, exponent).unwrap())
        })
    }

    proptest! {
        #[test]
        fn rounding_up_is_never_below_rounding_down(a in any_token(), b in any_token()) {
            let pairs = [
                (mul_round(a, b, Kind::Token, true), mul_round(a, b, Kind::Token, false)),
                (mul_round_strict(a, b, Kind::Token, true), mul_round_strict(a, b, Kind::Token, false)),
                (div_round(a, b, Kind::Token, true), div_round(a, b, Kind::Token, false)),
                (div_round_strict(a, b, Kind::Token, true), div_round_strict(a, b, Kind::Token, false)),
            ];
            for (up, down) in pairs {
                if let (Ok(up), Ok(down)) = (up, down) {
                    prop_assert!(up >= down, "{up:?} {down:?}");
                }
            }
        }

        #[test]
        fn adding_and_taking_away_gives_back(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
            let value = |n: i64| Value::Token(TokenValue::new(n < 0, n.unsigned_abs(), -3).unwrap());
            let sum = value(a).plus(value(b)).unwrap();
            prop_assert_eq!(sum, value(a + b));
            prop_assert_eq!(sum.minus(value(b)), Ok(value(a)));
        }
    }
}
