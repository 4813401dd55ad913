//! An amount times a ratio of two whole numbers: transfer fees and line qualities.

use super::number::{Number, Rounding};
use super::{Overflow, QUALITY_ONE, Value};
use xrpayd_core::token::TokenValue;

const MANTISSA_MIN: u64 = 1_000_000_000_000_000;

/// `value × numerator / denominator`, rounded up (to the greater) or down.
pub(crate) fn mul_ratio(
    value: Value,
    numerator: u32,
    denominator: u32,
    up: bool,
) -> Result<Value, Overflow> {
    if numerator == denominator && denominator == QUALITY_ONE {
        return Ok(value);
    }
    match value {
        Value::Token(token) => ratio_of_token(token, numerator, denominator, up).map(Value::Token),
        Value::Xrp(n) => ratio_of_whole(n, numerator, denominator, up).map(Value::Xrp),
        Value::Mpt(n) => ratio_of_whole(n, numerator, denominator, up).map(Value::Mpt),
    }
}

fn ratio_of_whole(n: i64, numerator: u32, denominator: u32, up: bool) -> Result<i64, Overflow> {
    let product = i128::from(n) * i128::from(numerator);
    let denominator = i128::from(denominator);
    let quotient = product.checked_div(denominator).ok_or(Overflow)?;
    let step = match product % denominator {
        0 => 0,
        _ if product > 0 && up => 1,
        _ if product < 0 && !up => -1,
        _ => 0,
    };
    i64::try_from(quotient + step).map_err(|_| Overflow)
}

/// The power of ten that is not below `n`.
fn log10_ceil(n: u128) -> u32 {
    let mut power = 1_u128;
    let mut log = 0;
    while power < n {
        power = power.saturating_mul(10);
        log += 1;
    }
    log
}

fn ratio_of_token(
    value: TokenValue,
    numerator: u32,
    denominator: u32,
    up: bool,
) -> Result<TokenValue, Overflow> {
    /// The whole digits that a signed 64-bit number always has room for.
    const ROOM: u32 = 18;
    let negative = value.is_negative();
    let denominator = u128::from(denominator);
    let product = u128::from(value.mantissa()) * u128::from(numerator);
    let mut low = product.checked_div(denominator).ok_or(Overflow)?;
    let mut rest = product - low * denominator;
    let mut exponent = i32::from(value.exponent());
    if rest != 0 {
        let grow = ROOM.saturating_sub(log10_ceil(low));
        let power = 10_u128.pow(grow);
        exponent -= i32::try_from(grow).map_err(|_| Overflow)?;
        low *= power;
        rest *= power;
        low += rest / denominator;
        rest %= denominator;
    }
    let mut inexact = rest != 0;
    let shrink = log10_ceil(low).saturating_sub(ROOM);
    if shrink > 0 {
        let power = 10_u128.pow(shrink);
        exponent += i32::try_from(shrink).map_err(|_| Overflow)?;
        inexact = inexact || !low.is_multiple_of(power);
        low /= power;
    }
    let result = Number::new(negative, low, exponent).token(Rounding::Nearest)?;
    if !inexact || up == negative {
        return Ok(result);
    }
    if result.is_zero() {
        return TokenValue::new(negative, MANTISSA_MIN, -96).map_err(|_| Overflow);
    }
    Number::new(
        negative,
        u128::from(result.mantissa()) + 1,
        i32::from(result.exponent()),
    )
    .token(Rounding::Nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(text: &str) -> Value {
        Value::Token(text.parse().unwrap())
    }

    #[test]
    fn a_ratio_is_rounded_in_the_last_digit() {
        let fee = |up| mul_ratio(token("1"), 1_000_000_000, 3_000_000_000, up).unwrap();
        assert_eq!(fee(false), token("0.3333333333333333"));
        assert_eq!(fee(true), token("0.3333333333333334"));
        let rate = mul_ratio(token("10"), 1_002_000_000, 1_000_000_000, true).unwrap();
        assert_eq!(rate, token("10.02"));
        assert_eq!(mul_ratio(Value::Xrp(10), 1, 3, true), Ok(Value::Xrp(4)));
        assert_eq!(mul_ratio(Value::Xrp(-10), 1, 3, true), Ok(Value::Xrp(-3)));
        assert_eq!(mul_ratio(Value::Xrp(-10), 1, 3, false), Ok(Value::Xrp(-4)));
        assert_eq!(mul_ratio(token("1"), 1, 0, true), Err(Overflow));
    }

    proptest! {
        #[test]
        fn a_fee_and_its_reverse_never_create_money(mantissa in 1..10 * MANTISSA_MIN, exponent in -30..20_i64, rate in QUALITY_ONE..2 * QUALITY_ONE) {
            let a = Value::Token(TokenValue::new(false, mantissa, exponent).unwrap());
            let with_fee = mul_ratio(a, rate, QUALITY_ONE, true).unwrap();
            prop_assert!(with_fee >= a);
            let back = mul_ratio(with_fee, QUALITY_ONE, rate, false).unwrap();
            // At most one unit in the last digit is lost or gained by rounding twice.
            let difference = back.minus(a).unwrap();
            let limit = mul_ratio(a, 1, 100_000_000, true).unwrap();
            prop_assert!(difference <= limit && -difference <= limit);
        }
    }
}
