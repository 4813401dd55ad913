//! The ledger's twelve-byte numbers, used by vaults and loans: sixteen digits and a wide exponent.

use crate::error::Problem;
use crate::reader::Reader;
use xrpayd_core::token::{BadTokenValue, Decimal, TokenValue};

const MANTISSA_MIN: u64 = 1_000_000_000_000_000;
const MANTISSA_MAX: u64 = 9_999_999_999_999_999;
const EXPONENTS: std::ops::RangeInclusive<i64> = -32_768..=32_768;

/// Writes a decimal text as a number.
pub(crate) fn put_number(text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut decimal = Decimal::read(text)?;
    if decimal.mantissa == 0 {
        out.extend(0_i64.to_be_bytes());
        out.extend(i32::MIN.to_be_bytes());
        return Ok(());
    }
    while decimal.mantissa < MANTISSA_MIN {
        decimal.mantissa *= 10;
        decimal.exponent -= 1;
    }
    if decimal.exponent < *EXPONENTS.start() {
        return Err(BadTokenValue::TooSmall.into());
    }
    if decimal.exponent > *EXPONENTS.end() {
        return Err(BadTokenValue::TooLarge.into());
    }
    let mantissa = i64::try_from(decimal.mantissa).map_err(|_| BadTokenValue::TooPrecise)?;
    let exponent = i32::try_from(decimal.exponent).map_err(|_| BadTokenValue::TooLarge)?;
    let sign = if decimal.negative { -1 } else { 1 };
    out.extend((mantissa * sign).to_be_bytes());
    out.extend(exponent.to_be_bytes());
    Ok(())
}

/// Reads a number and prints it as a ledger server does.
pub(crate) fn read_number(reader: &mut Reader<'_>) -> Result<String, crate::CodecError> {
    let mantissa = i64::from_be_bytes(reader.array()?);
    let exponent = i32::from_be_bytes(reader.array()?);
    if mantissa == 0 && exponent == i32::MIN {
        return Ok("0".to_owned());
    }
    let exponent = i64::from(exponent);
    let normal = (MANTISSA_MIN..=MANTISSA_MAX).contains(&mantissa.unsigned_abs());
    if !normal || !EXPONENTS.contains(&exponent) {
        return Err(reader.fail(Problem::NotCanonical));
    }
    Ok(
        TokenValue::new(mantissa < 0, mantissa.unsigned_abs(), exponent).map_or_else(
            |_| format!("{mantissa}e{exponent}"),
            |value| value.to_string(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_both_ways_and_bad_ones_are_refused() {
        for text in [
            "0",
            "1",
            "-2.5",
            "1000000000000000e30000",
            "-1234567890123456e-32768",
        ] {
            let mut out = Vec::new();
            put_number(text, &mut out).unwrap();
            assert_eq!(out.len(), 12);
            assert_eq!(read_number(&mut Reader::new(&out)).unwrap(), text);
        }
        for text in ["", "1e40000", "1e-40000", "12345678901234567"] {
            assert!(put_number(text, &mut Vec::new()).is_err());
        }
        assert!(read_number(&mut Reader::new(&[0; 12])).is_err());
    }
}
