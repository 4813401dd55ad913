//! Newtypes for everything that is counted or named, so that one is never passed for another.

use crate::text::serde_as_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The text was not a well-formed identifier of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {kind}")]
pub struct BadId {
    /// What was expected, in the words of the glossary.
    pub kind: &'static str,
}

/// Milliseconds since the Unix epoch, UTC. The only form of time that core knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This instant moved by `ms`, held at the ends of the range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The index of a ledger version.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LedgerIndex(pub u32);

impl LedgerIndex {
    /// The index `n` ledgers later, held at the end of the range.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.saturating_add(n))
    }

    /// How many ledgers `self` is ahead of `other`; zero when it is not.
    #[must_use]
    pub const fn ahead_of(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for LedgerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! hash_newtype {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_hex32(text).map(Self).ok_or(BadId { kind: $kind })
            }
        }

        serde_as_text!($name);
    };
}

hash_newtype!(
    /// A transaction's identifying hash; upper-case hex as text.
    TxHash, "transaction hash");
hash_newtype!(
    /// A ledger version's hash; upper-case hex as text.
    LedgerHash, "ledger hash");
hash_newtype!(
    /// Any other 256-bit value that the ledger carries: an InvoiceID, an AccountTxnID.
    Hash256, "256-bit hash");

fn parse_hex32(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut out = [0_u8; 32];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *slot = hex_digit(high)? << 4 | hex_digit(low)?;
    }
    Some(out)
}

const fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A public identifier: a prefix and 26 characters of Crockford base 32 over 128 bits, so that the text
/// sorts as the number does.
macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// The prefix of the text form.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::PREFIX)?;
                write_crockford(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let digits = text.strip_prefix(Self::PREFIX);
                let value = digits.and_then(read_crockford);
                value.map(Self).ok_or(BadId { kind: $kind })
            }
        }

        serde_as_text!($name);
    };
}

public_id!(
    /// A payment's public identifier, over a UUIDv7: it sorts by the time of acceptance.
    PaymentId,
    "pay_",
    "payment id"
);
public_id!(
    /// An invoice's public identifier, over a UUIDv7: it sorts by the time it was issued.
    InvoiceId,
    "inv_",
    "invoice id"
);
public_id!(
    /// A deposit's public identifier. It is made of the ledger's own facts, see
    /// [`crate::deposit::id_of`], so that whoever reads the ledger again finds the same one.
    DepositId,
    "dep_",
    "deposit id"
);
public_id!(
    /// A webhook endpoint's public identifier, over a UUIDv7.
    EndpointId,
    "we_",
    "webhook endpoint id"
);
public_id!(
    /// The public identifier of a webhook's delivery to an endpoint, over a UUIDv7.
    DeliveryId,
    "whd_",
    "webhook delivery id"
);

fn write_crockford(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for digit in (0..26).rev() {
        let value = usize::try_from(value >> (digit * 5) & 31).unwrap_or_default();
        write!(f, "{}", char::from(CROCKFORD[value]))?;
    }
    Ok(())
}

fn read_crockford(text: &str) -> Option<u128> {
    let digits = text.as_bytes();
    if digits.len() != 26 || digits.first().is_none_or(|&c| c > b'7') {
        return None;
    }
    digits.iter().try_fold(0_u128, |value, &c| {
        let digit = CROCKFORD.iter().position(|&d| d == c)?;
        Some(value << 5 | u128::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_payment_id_survives_its_text_form_and_keeps_its_order(a: u128, b: u128) {
            let (x, y) = (PaymentId(a), PaymentId(b));
            prop_assert_eq!(x.to_string().parse::<PaymentId>(), Ok(x));
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
        }

        #[test]
        fn a_hash_survives_its_text_form(bytes: [u8; 32]) {
            let hash = TxHash(bytes);
            prop_assert_eq!(hash.to_string().parse::<TxHash>(), Ok(hash));
            prop_assert_eq!(hash.to_string().to_lowercase().parse::<TxHash>(), Ok(hash));
        }

        #[test]
        fn no_text_makes_an_id_parser_panic(text: String) {
            let _ = text.parse::<PaymentId>();
            let _ = text.parse::<TxHash>();
        }
    }
}
