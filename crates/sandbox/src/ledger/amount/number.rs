//! The ledger's decimal number: sixteen digits, a wide exponent, and a guard of sixteen more digits
//! that decides how a result is rounded.
//!
//! Written to round exactly as the real server's `Number` does, its one imprecision included: a
//! difference that falls below sixteen digits by rounding alone loses its last digit. Everything here
//! is integer arithmetic.

use super::Overflow;
use xrpayd_core::token::TokenValue;

/// Which way a number is rounded when it has more than sixteen digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the nearest, and to an even digit from the middle.
    Nearest,
    /// The rest is cut off.
    TowardsZero,
    /// To the greater.
    Up,
    /// To the smaller.
    Down,
}

const MANTISSA_MIN: u128 = 1_000_000_000_000_000;
const MANTISSA_MAX: u128 = 9_999_999_999_999_999;
/// The exponents that a number of the ledger may have; intermediate ones may go beyond.
const TOKEN_EXPONENTS: std::ops::RangeInclusive<i32> = -96..=80;
/// Powers of ten beyond which nothing of the other number is left in guard or mantissa.
const DISTANCE_MAX: i32 = 60;

/// A number, normal or on its way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) mantissa: u128,
    pub(super) exponent: i32,
}

/// Digits that were shifted out of a mantissa.
struct Guard {
    digits: u64,
    /// Whether anything but zeros fell out of the digits too.
    sticky: bool,
    negative: bool,
}

enum Toward {
    Down,
    Even,
    Up,
}

impl Guard {
    const fn of(negative: bool) -> Self {
        Self {
            digits: 0,
            sticky: false,
            negative,
        }
    }

    /// Moves the last digit of `mantissa` here.
    const fn push(&mut self, mantissa: &mut u128) {
        self.sticky = self.sticky || self.digits & 0xF != 0;
        self.digits = self.digits >> 4 | ((*mantissa % 10) as u64) << 60;
        *mantissa /= 10;
    }

    const fn pop(&mut self) -> u128 {
        let digit = self.digits >> 60;
        self.digits <<= 4;
        digit as u128
    }

    const fn toward(&self, rounding: Rounding) -> Toward {
        const HALF: u64 = 5 << 60;
        let any = self.digits > 0 || self.sticky;
        match rounding {
            Rounding::TowardsZero => Toward::Down,
            Rounding::Down if self.negative && any => Toward::Up,
            Rounding::Up if !self.negative && any => Toward::Up,
            Rounding::Down | Rounding::Up => Toward::Down,
            Rounding::Nearest if self.digits > HALF => Toward::Up,
            Rounding::Nearest if self.digits < HALF => Toward::Down,
            Rounding::Nearest if self.sticky => Toward::Up,
            Rounding::Nearest => Toward::Even,
        }
    }

    /// Whether the last digit of `mantissa` moves away from zero.
    const fn rounds(&self, mantissa: u128, rounding: Rounding) -> bool {
        match self.toward(rounding) {
            Toward::Up => true,
            Toward::Down => false,
            Toward::Even => mantissa & 1 == 1,
        }
    }
}

impl Number {
    pub(super) const ZERO: Self = Self {
        negative: false,
        mantissa: 0,
        exponent: 0,
    };

    pub(super) const fn new(negative: bool, mantissa: u128, exponent: i32) -> Self {
        Self {
            negative,
            mantissa,
            exponent,
        }
    }

    pub(super) fn of(value: TokenValue) -> Self {
        Self::new(
            value.is_negative(),
            u128::from(value.mantissa()),
            i32::from(value.exponent()),
        )
    }

    /// Exactly sixteen digits, the rest rounded away.
    pub(super) const fn normal(mut self, rounding: Rounding) -> Self {
        if self.mantissa == 0 {
            return Self::ZERO;
        }
        while self.mantissa < MANTISSA_MIN {
            self.mantissa *= 10;
            self.exponent -= 1;
        }
        self.shrink(Guard::of(self.negative), rounding)
    }

    /// Shifts digits into `guard` until sixteen are left, then rounds.
    const fn shrink(mut self, mut guard: Guard, rounding: Rounding) -> Self {
        while self.mantissa > MANTISSA_MAX {
            guard.push(&mut self.mantissa);
            self.exponent += 1;
        }
        if guard.rounds(self.mantissa, rounding) {
            self.mantissa += 1;
            if self.mantissa > MANTISSA_MAX {
                self.mantissa /= 10;
                self.exponent += 1;
            }
        }
        self
    }

    /// The sum of two normal numbers.
    pub(super) fn plus(self, other: Self, rounding: Rounding) -> Self {
        if other.mantissa == 0 {
            return self;
        }
        if self.mantissa == 0 {
            return other;
        }
        let (mut high, mut low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let mut guard = Guard::of(low.negative && low.exponent < high.exponent);
        for _ in 0..(high.exponent - low.exponent).min(DISTANCE_MAX) {
            guard.push(&mut low.mantissa);
        }
        if high.negative == low.negative {
            high.mantissa += low.mantissa;
            return high.shrink(guard, rounding);
        }
        if high.mantissa == low.mantissa {
            return Self::ZERO;
        }
        if low.mantissa > high.mantissa {
            std::mem::swap(&mut high.mantissa, &mut low.mantissa);
            high.negative = low.negative;
        }
        high.mantissa -= low.mantissa;
        while high.mantissa < MANTISSA_MIN {
            high.mantissa = high.mantissa * 10 - guard.pop();
            high.exponent -= 1;
        }
        if guard.rounds(high.mantissa, rounding) {
            high.mantissa -= 1;
            if high.mantissa < MANTISSA_MIN {
                high.mantissa *= 10;
                high.exponent -= 1;
            }
        }
        high
    }

    /// The product of two normal numbers.
    pub(super) const fn times(self, other: Self, rounding: Rounding) -> Self {
        if self.mantissa == 0 || other.mantissa == 0 {
            return Self::ZERO;
        }
        let negative = self.negative != other.negative;
        Self::new(
            negative,
            self.mantissa * other.mantissa,
            self.exponent + other.exponent,
        )
        .shrink(Guard::of(negative), rounding)
    }

    /// A value of the ledger: too small is zero, too large is refused.
    pub(super) fn token(self, rounding: Rounding) -> Result<TokenValue, Overflow> {
        let normal = self.normal(rounding);
        if normal.mantissa == 0 || normal.exponent < *TOKEN_EXPONENTS.start() {
            return Ok(TokenValue::ZERO);
        }
        let mantissa = u64::try_from(normal.mantissa).map_err(|_| Overflow)?;
        TokenValue::new(normal.negative, mantissa, i64::from(normal.exponent)).map_err(|_| Overflow)
    }

    /// A whole number, the fraction rounded away.
    pub(super) fn whole(mut self, rounding: Rounding) -> Result<i64, Overflow> {
        let mut guard = Guard::of(self.negative);
        while self.exponent < 0 && (self.mantissa != 0 || guard.digits != 0) {
            guard.push(&mut self.mantissa);
            self.exponent += 1;
        }
        while self.exponent > 0 && self.mantissa != 0 {
            self.mantissa = self.mantissa.checked_mul(10).ok_or(Overflow)?;
            self.exponent -= 1;
        }
        if guard.rounds(self.mantissa, rounding) {
            self.mantissa += 1;
        }
        let size = i64::try_from(self.mantissa).map_err(|_| Overflow)?;
        Ok(if self.negative { -size } else { size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(a: &str, b: &str) -> TokenValue {
        let number = |text: &str| Number::of(text.parse().unwrap());
        let sum = number(a).plus(number(b), Rounding::Nearest);
        sum.token(Rounding::Nearest).unwrap()
    }

    fn value(text: &str) -> TokenValue {
        text.parse().unwrap()
    }

    #[test]
    fn sums_are_rounded_to_the_even_neighbour() {
        assert_eq!(sum("1", "2"), value("3"));
        assert_eq!(sum("9999999999999999", "1"), value("1000000000000000e1"));
        assert_eq!(sum("9999999999999999", "0.5"), value("1000000000000000e1"));
        assert_eq!(sum("9999999999999998", "0.5"), value("9999999999999998"));
        assert_eq!(
            sum("9999999999999998", "0.50000000000001"),
            value("9999999999999999")
        );
        assert_eq!(sum("5", "-5"), value("0"));
        assert_eq!(sum("1", "-1e-80"), value("1"));
        assert_eq!(sum("1000000000000001", "-0.5"), value("1000000000000000"));
    }

    #[test]
    fn a_difference_borrows_the_digits_that_were_guarded() {
        assert_eq!(sum("1000000000000000", "-1.5"), value("999999999999998.5"));
        // The last digit is lost when rounding alone takes a number below sixteen digits.
        assert_eq!(sum("1000000000000000", "-0.6"), value("999999999999999"));
    }

    #[test]
    fn a_whole_number_is_rounded_as_it_is_told() {
        let half = |negative| Number::new(negative, 25, -1);
        for (rounding, up, down) in [
            (Rounding::Nearest, 2, -2),
            (Rounding::TowardsZero, 2, -2),
            (Rounding::Up, 3, -2),
            (Rounding::Down, 2, -3),
        ] {
            assert_eq!(half(false).whole(rounding), Ok(up));
            assert_eq!(half(true).whole(rounding), Ok(down));
        }
        assert_eq!(
            Number::new(false, 1, 30).whole(Rounding::Nearest),
            Err(Overflow)
        );
    }

    proptest! {
        #[test]
        fn sums_of_what_fits_are_exact(a in -4_000_000_000_000_000_i64..4_000_000_000_000_000, b in -4_000_000_000_000_000_i64..4_000_000_000_000_000) {
            let number = |n: i64| Number::new(n < 0, u128::from(n.unsigned_abs()), 0).normal(Rounding::Nearest);
            let sum = number(a).plus(number(b), Rounding::Nearest);
            prop_assert_eq!(sum.whole(Rounding::Nearest), Ok(a + b));
        }

        #[test]
        fn the_order_of_two_summands_does_not_matter(a in 1_u64.., b in 1_u64.., x in -40..40_i32, y in -40..40_i32, p: bool, q: bool) {
            let number = |n: u64, e, s| Number::new(s, u128::from(n), e).normal(Rounding::Nearest);
            let (a, b) = (number(a, x, p), number(b, y, q));
            prop_assert_eq!(a.plus(b, Rounding::Nearest), b.plus(a, Rounding::Nearest));
        }
    }
}
