//! Crypto-conditions, as far as the ledger knows them: PREIMAGE-SHA-256, in their DER form.
//!
//! Owns nothing. Whatever is not exactly such a condition or fulfillment is none.

use sha2::{Digest as _, Sha256};

/// The longest serialised condition, fulfillment and preimage that the ledger takes.
const CONDITION_MAX: usize = 128;
const FULFILLMENT_MAX: usize = 256;
const PREIMAGE_MAX: usize = 128;
/// The tag of a preimage's condition and fulfillment: context-specific, constructed, number 0.
const PREIMAGE_TAG: u8 = 0xA0;
/// A primitive field of either, by its number.
const FIELD_TAG: u8 = 0x80;

/// What a preimage must hash to, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    fingerprint: [u8; 32],
    cost: u32,
}

/// Takes one element with this tag off the front: its content, and what follows.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        if !(1..=8).contains(&count) {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        let length = digits
            .iter()
            .fold(0_u64, |n, &digit| n << 8 | u64::from(digit));
        (usize::try_from(length).ok().filter(|&n| n > 0)?, rest)
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

/// A whole number that is not negative, of 32 bits.
fn number(bytes: &[u8]) -> Option<u32> {
    let (&first, rest) = bytes.split_first()?;
    let digits = if bytes.len() == 5 && first == 0 {
        rest
    } else {
        bytes
    };
    if first & 0x80 != 0 || digits.len() > 4 {
        return None;
    }
    Some(digits.iter().fold(0, |n, &digit| n << 8 | u32::from(digit)))
}

impl Condition {
    /// Reads a condition.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > CONDITION_MAX {
            return None;
        }
        let (body, trailing) = element(bytes, PREIMAGE_TAG)?;
        let (fingerprint, rest) = element(body, FIELD_TAG)?;
        let (cost, after) = element(rest, FIELD_TAG | 1)?;
        let cost = number(cost)?;
        let fits = usize::try_from(cost).is_ok_and(|cost| cost <= PREIMAGE_MAX);
        if !trailing.is_empty() || !after.is_empty() || !fits {
            return None;
        }
        Some(Self {
            fingerprint: fingerprint.try_into().ok()?,
            cost,
        })
    }

    /// The condition that a fulfillment fulfils.
    pub(super) fn of_fulfillment(bytes: &[u8]) -> Option<Self> {
        let (body, trailing) = element(bytes, PREIMAGE_TAG)?;
        if !trailing.is_empty() || body.len() > FULFILLMENT_MAX {
            return None;
        }
        let (preimage, after) = element(body, FIELD_TAG)?;
        if !after.is_empty() || preimage.len() > PREIMAGE_MAX {
            return None;
        }
        Some(Self {
            fingerprint: Sha256::digest(preimage).into(),
            cost: u32::try_from(preimage.len()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The condition and the fulfillment of the empty preimage, as the specification prints them.
    const EMPTY: (&str, &str) = (
        "A0258020E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855810100",
        "A0028000",
    );

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn a_fulfillment_fulfils_its_own_condition_only() {
        let condition = Condition::read(&bytes(EMPTY.0)).unwrap();
        assert_eq!(
            Condition::of_fulfillment(&bytes(EMPTY.1)),
            Some(condition.clone())
        );
        let other = Condition::of_fulfillment(&bytes("A0058003616161")).unwrap();
        assert_ne!(other, condition);
        assert_eq!(other.cost, 3);
    }

    #[test]
    fn what_is_not_exactly_a_condition_is_none() {
        let good = bytes(EMPTY.0);
        for (what, change) in [
            ("nothing", Vec::new()),
            ("another type", [&[0xA1], &good[1..]].concat()),
            ("a byte too many", [&good[..], &[0]].concat()),
            ("a byte too few", good[..good.len() - 1].to_vec()),
            (
                "a preimage too long",
                [&good[..good.len() - 1], &[0xFF]].concat(),
            ),
        ] {
            assert_eq!(Condition::read(&change), None, "{what}");
        }
        assert_eq!(Condition::of_fulfillment(&bytes("A002800000")), None);
        assert_eq!(Condition::of_fulfillment(&bytes("A080")), None);
    }
}
