//! Exact amounts of issued tokens: the ledger's own decimal, never a float and never rounded.
//!
//! A token value is a sign, a mantissa of exactly sixteen digits and a power of ten. What does not
//! fit is refused when it is read: a seventeenth significant digit or an underflow to zero is an
//! error here, because a payment daemon that rounds pays something nobody asked for.

use crate::text::serde_as_text;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A token's value: zero, or ±mantissa × 10^exponent with 10¹⁵ ≤ mantissa < 10¹⁶ and
/// −96 ≤ exponent ≤ 80.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TokenValue {
    negative: bool,
    mantissa: u64,
    exponent: i8,
}

/// Why a text is not a token's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTokenValue {
    /// Not a decimal number.
    #[error("must be a decimal number such as \"12.5\"")]
    NotDecimal,
    /// More significant digits than the ledger can hold.
    #[error("has more than 16 significant digits")]
    TooPrecise,
    /// Above 9999999999999999e80.
    #[error("is larger than the ledger can hold")]
    TooLarge,
    /// Not zero, yet below 1e-81.
    #[error("is smaller than the ledger can hold")]
    TooSmall,
}

const MANTISSA_MIN: u64 = 1_000_000_000_000_000;
const MANTISSA_MAX: u64 = 9_999_999_999_999_999;
const EXPONENT_MIN: i64 = -96;
const EXPONENT_MAX: i64 = 80;
const DIGITS_MAX: i64 = 16;
/// Longer texts are refused before any arithmetic; no value of the ledger needs so many characters.
const TEXT_LEN_MAX: usize = 200;
/// The ledger prints plain digits between these exponents and scientific notation elsewhere.
const PLAIN_EXPONENTS: std::ops::RangeInclusive<i8> = -25..=-5;

const BIT_TOKEN: u64 = 1 << 63;
const BIT_POSITIVE: u64 = 1 << 62;
const MANTISSA_BITS: u32 = 54;

impl TokenValue {
    /// Nothing.
    pub const ZERO: Self = Self {
        negative: false,
        mantissa: 0,
        exponent: 0,
    };

    /// `mantissa × 10^exponent`, normalised.
    ///
    /// # Errors
    /// Refuses what has more than sixteen significant digits or leaves the ledger's range.
    pub fn new(negative: bool, mantissa: u64, exponent: i64) -> Result<Self, BadTokenValue> {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        while mantissa > MANTISSA_MAX {
            if !mantissa.is_multiple_of(10) {
                return Err(BadTokenValue::TooPrecise);
            }
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        while mantissa < MANTISSA_MIN {
            mantissa *= 10;
            exponent = exponent.saturating_sub(1);
        }
        if exponent < EXPONENT_MIN {
            return Err(BadTokenValue::TooSmall);
        }
        if exponent > EXPONENT_MAX {
            return Err(BadTokenValue::TooLarge);
        }
        Ok(Self {
            negative,
            mantissa,
            exponent: i8::try_from(exponent).map_err(|_| BadTokenValue::TooLarge)?,
        })
    }

    /// Whether this is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether this is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Whether this is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        !self.negative && self.mantissa != 0
    }

    /// The sixteen digits, or zero.
    #[must_use]
    pub const fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// The power of ten that goes with [`TokenValue::mantissa`].
    #[must_use]
    pub const fn exponent(self) -> i8 {
        self.exponent
    }

    /// The same value with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            negative: !self.negative && self.mantissa != 0,
            ..self
        }
    }

    /// The sum, or `None` where the ledger's sixteen digits cannot hold it exactly.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (small, large) = if self.exponent <= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        if small.is_zero() || large.is_zero() {
            return Some(if small.is_zero() { large } else { small });
        }
        let shift = u32::from(large.exponent.abs_diff(small.exponent));
        let signed = |value: Self| {
            let mantissa = i128::from(value.mantissa);
            if value.negative { -mantissa } else { mantissa }
        };
        // Sixteen digits shifted by more than twenty-two leave the range, and no exact sum is so long.
        let scale = 10_i128.checked_pow(shift)?;
        let sum = signed(large)
            .checked_mul(scale)?
            .checked_add(signed(small))?;
        let mut mantissa = sum.unsigned_abs();
        let mut exponent = i64::from(small.exponent);
        while mantissa > u128::from(MANTISSA_MAX) {
            if !mantissa.is_multiple_of(10) {
                return None;
            }
            mantissa /= 10;
            exponent += 1;
        }
        Self::new(sum < 0, u64::try_from(mantissa).ok()?, exponent).ok()
    }

    /// The eight bytes that stand for the value on the ledger.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        if self.is_zero() {
            return BIT_TOKEN;
        }
        let sign = if self.negative { 0 } else { BIT_POSITIVE };
        // 97 is added so that the field is never negative; the range check of `new` keeps it there.
        let exponent = u64::try_from(i16::from(self.exponent) + 97).unwrap_or_default();
        BIT_TOKEN | sign | exponent << MANTISSA_BITS | self.mantissa
    }

    /// Reads the eight bytes of the ledger, or `None` where they are not in normal form.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        if bits == BIT_TOKEN {
            return Some(Self::ZERO);
        }
        let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
        let exponent = i64::try_from(bits >> MANTISSA_BITS & 0xFF).ok()? - 97;
        if bits & BIT_TOKEN == 0
            || !(MANTISSA_MIN..=MANTISSA_MAX).contains(&mantissa)
            || !(EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent)
        {
            return None;
        }
        Self::new(bits & BIT_POSITIVE == 0, mantissa, exponent).ok()
    }

    /// Plain digits without an exponent, however long: the form an API shows to people.
    #[must_use]
    pub fn to_plain(self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let sign = if self.negative { "-" } else { "" };
        let digits = self.mantissa.to_string();
        let shift = usize::from(self.exponent.unsigned_abs());
        if self.exponent >= 0 {
            return format!("{sign}{digits}{}", "0".repeat(shift));
        }
        let padded = format!(
            "{}{digits}",
            "0".repeat((shift + 1).saturating_sub(digits.len()))
        );
        let (whole, fraction) = padded.split_at(padded.len() - shift);
        match fraction.trim_end_matches('0') {
            "" => format!("{sign}{whole}"),
            fraction => format!("{sign}{whole}.{fraction}"),
        }
    }
}

impl FromStr for TokenValue {
    type Err = BadTokenValue;
    fn from_str(text: &str) -> Result<Self, BadTokenValue> {
        let decimal = Decimal::read(text)?;
        Self::new(decimal.negative, decimal.mantissa, decimal.exponent)
    }
}

/// An exact decimal of at most sixteen significant digits, before any range is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Whether a minus sign stood before it.
    pub negative: bool,
    /// The significant digits.
    pub mantissa: u64,
    /// The power of ten that goes with them.
    pub exponent: i64,
}

impl Decimal {
    /// Reads digits with at most one sign, one point and one exponent.
    ///
    /// # Errors
    /// Refuses what is no number, and a seventeenth significant digit.
    pub fn read(text: &str) -> Result<Self, BadTokenValue> {
        if text.len() > TEXT_LEN_MAX {
            return Err(BadTokenValue::NotDecimal);
        }
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, power) = match unsigned.split_once(['e', 'E']) {
            Some((number, power)) => (number, read_power(power)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().next().is_none() || !digits().all(|c| c.is_ascii_digit()) {
            return Err(BadTokenValue::NotDecimal);
        }
        let mut mantissa = 0_u64;
        let (mut significant, mut trailing_zeros) = (0_i64, 0_i64);
        for digit in digits().map(|c| c - b'0').skip_while(|&d| d == 0) {
            if digit == 0 {
                trailing_zeros += 1;
                continue;
            }
            significant += trailing_zeros + 1;
            if significant > DIGITS_MAX {
                return Err(BadTokenValue::TooPrecise);
            }
            for _ in 0..trailing_zeros {
                mantissa *= 10;
            }
            trailing_zeros = 0;
            mantissa = mantissa * 10 + u64::from(digit);
        }
        let places = i64::try_from(fraction.len()).map_err(|_| BadTokenValue::NotDecimal)?;
        Ok(Self {
            negative,
            mantissa,
            exponent: power - places + trailing_zeros,
        })
    }
}

fn read_power(text: &str) -> Result<i64, BadTokenValue> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(BadTokenValue::NotDecimal);
    }
    // Held at a bound far outside the ledger's range, so that no sum below can overflow.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000);
    Ok(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for TokenValue {
    /// Prints the value exactly as a ledger server does, scientific notation included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() || self.exponent == 0 || PLAIN_EXPONENTS.contains(&self.exponent) {
            return f.write_str(&self.to_plain());
        }
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.mantissa, self.exponent)
    }
}

impl Ord for TokenValue {
    fn cmp(&self, other: &Self) -> Ordering {
        let signum = |v: &Self| i8::from(v.is_positive()) - i8::from(v.negative);
        // Both mantissas have sixteen digits, so the exponent decides first.
        let size = |v: &Self| (v.exponent, v.mantissa);
        signum(self).cmp(&signum(other)).then_with(|| {
            if self.negative {
                size(other).cmp(&size(self))
            } else {
                size(self).cmp(&size(other))
            }
        })
    }
}

impl PartialOrd for TokenValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

serde_as_text!(TokenValue);

/// Fills `out` from hex of either case; `None` for a wrong length or another character.
pub(crate) fn read_hex(text: &str, out: &mut [u8]) -> Option<()> {
    if text.len() != out.len() * 2 {
        return None;
    }
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *slot = digit(high)? << 4 | digit(low)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_printed_as_the_ledger_prints_it() {
        for (text, printed) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("1", "1"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+1.10", "1.1"),
            ("99999999999999.99", "9999999999999999e-2"),
            ("1234567890123456", "1234567890123456"),
            ("1e10", "10000000000"),
            ("1e11", "1000000000000000e-4"),
            ("-1e80", "-1000000000000000e65"),
            ("1e-10", "0.0000000001"),
            ("1e-11", "1000000000000000e-26"),
        ] {
            assert_eq!(text.parse::<TokenValue>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_the_ledger_cannot_hold_is_refused_and_never_rounded() {
        for (text, error) in [
            ("10000000000000001", BadTokenValue::TooPrecise),
            ("1.0000000000000001", BadTokenValue::TooPrecise),
            ("1000000000000000000001", BadTokenValue::TooPrecise),
            ("1e97", BadTokenValue::TooLarge),
            ("9999999999999999e81", BadTokenValue::TooLarge),
            ("1e999999999999999999999", BadTokenValue::TooLarge),
            ("1e-82", BadTokenValue::TooSmall),
            ("-8492e-86", BadTokenValue::TooSmall),
            ("", BadTokenValue::NotDecimal),
            (".", BadTokenValue::NotDecimal),
            ("e5", BadTokenValue::NotDecimal),
            ("1e", BadTokenValue::NotDecimal),
            ("1e1.5", BadTokenValue::NotDecimal),
            ("1,5", BadTokenValue::NotDecimal),
            ("1.2.3", BadTokenValue::NotDecimal),
            ("NaN", BadTokenValue::NotDecimal),
            ("--1", BadTokenValue::NotDecimal),
            (" 1", BadTokenValue::NotDecimal),
        ] {
            assert_eq!(text.parse::<TokenValue>(), Err(error), "{text}");
        }
    }

    fn any_value() -> impl Strategy<Value = TokenValue> {
        (any::<bool>(), 0..=MANTISSA_MAX, -96..=60_i64).prop_map(
            |(negative, mantissa, exponent)| {
                TokenValue::new(negative, mantissa, exponent).unwrap_or_default()
            },
        )
    }

    proptest! {
        #[test]
        fn a_value_survives_every_form(value in any_value()) {
            prop_assert_eq!(value.to_string().parse::<TokenValue>(), Ok(value));
            prop_assert_eq!(value.to_plain().parse::<TokenValue>(), Ok(value));
            prop_assert_eq!(TokenValue::from_bits(value.to_bits()), Some(value));
            prop_assert_eq!(value.negated().negated(), value);
        }

        #[test]
        fn bits_that_read_are_written_back_alike(bits: u64) {
            if let Some(value) = TokenValue::from_bits(bits) {
                prop_assert_eq!(value.to_bits(), bits);
            }
        }

        #[test]
        fn the_order_is_that_of_the_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let value = |n: i64| TokenValue::new(n < 0, n.unsigned_abs(), 0).unwrap();
            prop_assert_eq!(value(a).cmp(&value(b)), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String, number in "[-+]?[0-9]{0,30}\\.?[0-9]{0,30}(e[-+]?[0-9]{0,25})?") {
            let _ = text.parse::<TokenValue>();
            let _ = number.parse::<TokenValue>();
        }
    }
}
