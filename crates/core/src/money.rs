//! Exact money. XRP is an integer of drops; nothing here is ever a float.

use crate::text::serde_as_text;
use std::fmt;
use std::str::FromStr;

/// An amount of XRP in drops (10⁻⁶ XRP), never more than all the XRP there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Drops(u64);

/// Why a text is not an amount of XRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadXrp {
    /// Not a plain decimal number.
    #[error("must be a plain decimal number such as \"12.5\"")]
    NotDecimal,
    /// More than six digits after the point.
    #[error("has more than six decimal places; a drop is 0.000001 XRP")]
    TooFine,
    /// More than the hundred billion XRP that exist.
    #[error("is more than the 100,000,000,000 XRP that exist")]
    TooLarge,
}

impl Drops {
    /// No XRP at all.
    pub const ZERO: Self = Self(0);
    /// All the XRP that ever existed: 10¹⁷ drops.
    pub const MAX: Self = Self(100_000_000_000_000_000);

    /// `drops`, or `None` where there is not so much XRP in the world.
    #[must_use]
    pub const fn new(drops: u64) -> Option<Self> {
        if drops <= Self::MAX.0 {
            Some(Self(drops))
        } else {
            None
        }
    }

    /// The whole number of drops.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or `None` past the end of the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The product with a count, or `None` past the end of the range.
    #[must_use]
    pub const fn checked_mul(self, count: u64) -> Option<Self> {
        match self.0.checked_mul(count) {
            Some(product) => Self::new(product),
            None => None,
        }
    }

    /// The difference, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Reads a decimal number of XRP: `"12.5"` is 12,500,000 drops.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn from_xrp(text: &str) -> Result<Self, BadXrp> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |s: &str| s.bytes().all(|c| c.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || text.ends_with('.') {
            return Err(BadXrp::NotDecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(BadXrp::TooFine);
        }
        let digit = |acc: u64, c: u8| acc.checked_mul(10)?.checked_add(u64::from(c - b'0'));
        let padding = std::iter::repeat_n(b'0', 6 - fraction.len());
        whole
            .bytes()
            .chain(fraction.bytes())
            .chain(padding)
            .try_fold(0_u64, digit)
            .and_then(Self::new)
            .ok_or(BadXrp::TooLarge)
    }

    /// The decimal number of XRP without trailing zeros: 12,500,000 drops are `"12.5"`.
    #[must_use]
    pub fn to_xrp(self) -> String {
        let (whole, fraction) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if fraction == 0 {
            return whole.to_string();
        }
        let padded = format!("{whole}.{fraction:06}");
        padded.trim_end_matches('0').to_owned()
    }
}

/// The number of drops in decimal, as the ledger's JSON carries it.
impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a whole number of drops, as the ledger's JSON carries it.
impl FromStr for Drops {
    type Err = BadXrp;
    fn from_str(text: &str) -> Result<Self, BadXrp> {
        if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(BadXrp::NotDecimal);
        }
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or(BadXrp::TooLarge)
    }
}

serde_as_text!(Drops);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn xrp_text_is_read_exactly_or_refused() {
        for (text, drops) in [
            ("0", 0),
            ("1", 1_000_000),
            ("12.5", 12_500_000),
            ("0.000001", 1),
            ("1.5000000000", 1_500_000),
        ] {
            assert_eq!(Drops::from_xrp(text).map(Drops::get), Ok(drops), "{text}");
        }
        assert_eq!(Drops::from_xrp("100000000000"), Ok(Drops::MAX));
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1,000", "0x1", "١",
        ] {
            assert_eq!(Drops::from_xrp(text), Err(BadXrp::NotDecimal), "{text}");
        }
        assert_eq!(Drops::from_xrp("0.0000001"), Err(BadXrp::TooFine));
        assert_eq!(
            Drops::from_xrp("100000000000.000001"),
            Err(BadXrp::TooLarge)
        );
        assert_eq!(Drops::from_xrp(&"9".repeat(400)), Err(BadXrp::TooLarge));
    }

    #[test]
    fn a_text_of_drops_is_digits_or_refused_for_what_it_is() {
        for text in ["", "-1", "1.5", "1e3", " 1", "x"] {
            assert_eq!(text.parse::<Drops>(), Err(BadXrp::NotDecimal), "{text:?}");
        }
        let above = "100000000000000001".parse::<Drops>();
        assert_eq!(above, Err(BadXrp::TooLarge));
        assert_eq!("9".repeat(40).parse::<Drops>(), Err(BadXrp::TooLarge));
    }

    #[test]
    fn drops_are_text_in_json_and_nothing_else_is_read() {
        let amount = Drops::new(12_500_000).unwrap();
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, "\"12500000\"");
        assert_eq!(serde_json::from_str::<Drops>(&json).unwrap(), amount);
        for json in ["12500000", "\"12.5\"", "\"\"", "null"] {
            assert!(serde_json::from_str::<Drops>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn differences_and_products_are_exact_or_nothing() {
        let drops = |n| Drops::new(n).unwrap();
        assert_eq!(drops(7).checked_sub(drops(3)), Some(drops(4)));
        assert_eq!(drops(7).checked_sub(drops(7)), Some(Drops::ZERO));
        assert_eq!(drops(7).checked_sub(drops(8)), None);
        assert_eq!(drops(7).saturating_sub(drops(3)), drops(4));
        assert_eq!(drops(7).saturating_sub(drops(8)), Drops::ZERO);
        assert_eq!(drops(200_000).checked_mul(3), Some(drops(600_000)));
        assert_eq!(Drops::MAX.checked_mul(1), Some(Drops::MAX));
        assert_eq!(Drops::MAX.checked_mul(2), None);
        assert_eq!(Drops::MAX.checked_mul(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn xrp_text_survives_the_round_trip(drops in 0..=Drops::MAX.get()) {
            let amount = Drops::new(drops).unwrap();
            prop_assert_eq!(Drops::from_xrp(&amount.to_xrp()), Ok(amount));
            prop_assert_eq!(amount.to_string().parse::<Drops>(), Ok(amount));
        }

        #[test]
        fn sums_never_wrap(a: u64, b: u64) {
            if let (Some(a), Some(b)) = (Drops::new(a), Drops::new(b)) {
                let exact = u128::from(a.get()) + u128::from(b.get());
                match a.checked_add(b) {
                    Some(sum) => prop_assert_eq!(u128::from(sum.get()), exact),
                    None => prop_assert!(exact > u128::from(Drops::MAX.get())),
                }
            }
        }
    }
}
