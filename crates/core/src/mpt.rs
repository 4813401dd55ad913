//! Multi-purpose tokens: the identifier of an issuance, and its integer amounts.

use crate::address::AccountId;
use crate::text::serde_as_text;
use crate::token::read_hex;
use std::fmt;
use std::str::FromStr;

/// The 24 bytes that name an issuance: the issuer's sequence, then the issuer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MptIssuanceId(pub [u8; 24]);

/// An amount of a multi-purpose token in its smallest unit, at most 2⁶³ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MptValue(u64);

/// Why a text is not what a multi-purpose token needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMpt {
    /// Not the 48 hex digits of an issuance.
    #[error("must be the 48 hex digits of an issuance")]
    NotAnIssuance,
    /// Not a plain whole number.
    #[error("must be a whole number")]
    NotWhole,
    /// Above 9223372036854775807.
    #[error("is larger than the ledger can hold")]
    TooLarge,
}

impl MptIssuanceId {
    /// The account that issues the token.
    #[must_use]
    pub fn issuer(&self) -> AccountId {
        let mut id = [0; 20];
        id.copy_from_slice(&self.0[4..]);
        AccountId(id)
    }
}

impl MptValue {
    /// The most that can be.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// `units`, or `None` above the ledger's limit.
    #[must_use]
    pub const fn new(units: u64) -> Option<Self> {
        if units <= Self::MAX.0 {
            Some(Self(units))
        } else {
            None
        }
    }

    /// The number of smallest units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MptIssuanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for MptIssuanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MptIssuanceId {
    type Err = BadMpt;
    fn from_str(text: &str) -> Result<Self, BadMpt> {
        let mut bytes = [0; 24];
        read_hex(text, &mut bytes).ok_or(BadMpt::NotAnIssuance)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for MptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MptValue {
    type Err = BadMpt;
    fn from_str(text: &str) -> Result<Self, BadMpt> {
        if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(BadMpt::NotWhole);
        }
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or(BadMpt::TooLarge)
    }
}

serde_as_text!(MptIssuanceId);
serde_as_text!(MptValue);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_a_whole_number_within_the_ledgers_limit() {
        let most = "9223372036854775807";
        assert_eq!(most.parse(), Ok(MptValue::MAX));
        assert_eq!(
            "9223372036854775808".parse::<MptValue>(),
            Err(BadMpt::TooLarge)
        );
        for text in ["", "-1", "1.5", "+1", "1e3"] {
            assert_eq!(text.parse::<MptValue>(), Err(BadMpt::NotWhole));
        }
    }

    proptest! {
        #[test]
        fn an_issuance_survives_its_text_form(bytes: [u8; 24]) {
            let id = MptIssuanceId(bytes);
            prop_assert_eq!(id.to_string().parse::<MptIssuanceId>(), Ok(id));
            prop_assert_eq!(&id.issuer().0, &bytes[4..]);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text: String) {
            let _ = text.parse::<MptIssuanceId>();
            let _ = text.parse::<MptValue>();
        }
    }
}
