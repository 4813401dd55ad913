//! Account identifiers and their text forms: the classic address.

use crate::text::serde_as_text;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The 20 bytes that identify an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub [u8; 20]);

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// A character outside the ledger's base 58 alphabet, or a length no address has.
    #[error("is not a base58 address")]
    NotBase58,
    /// The last four bytes do not check.
    #[error("has a wrong checksum: a character is mistyped")]
    Checksum,
    /// It decodes, but to something other than an address (a seed, a key).
    #[error("is not the address of an account")]
    NotAnAccount,
}

const ALPHABET: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";
/// No text of ours is longer; what is longer is refused before any arithmetic.
const TEXT_LEN_MAX: usize = 80;

/// Encodes `payload` with its four-byte checksum in the ledger's base 58.
#[must_use]
pub fn base58check_encode(payload: &[u8]) -> String {
    let mut bytes = payload.to_vec();
    bytes.extend_from_slice(&checksum(payload));
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 138 / 100 + 1);
    for &byte in &bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = u8::try_from(carry % 58).unwrap_or_default();
            carry /= 58;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 58).unwrap_or_default());
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|&&b| b == 0).count();
    std::iter::repeat_n(0, zeros)
        .chain(digits.into_iter().rev())
        .map(|digit| char::from(ALPHABET[usize::from(digit)]))
        .collect()
}

/// Decodes base 58 with its checksum and returns the payload without it.
///
/// # Errors
/// Says whether the text is not base 58 at all or was mistyped.
pub fn base58check_decode(text: &str) -> Result<Vec<u8>, BadAddress> {
    if text.is_empty() || text.len() > TEXT_LEN_MAX {
        return Err(BadAddress::NotBase58);
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for c in text.bytes() {
        let value = ALPHABET
            .iter()
            .position(|&a| a == c)
            .ok_or(BadAddress::NotBase58)?;
        let mut carry = u32::try_from(value).map_err(|_| BadAddress::NotBase58)?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xFF).unwrap_or_default();
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry & 0xFF).unwrap_or_default());
            carry >>= 8;
        }
    }
    let zeros = text.bytes().take_while(|&c| c == ALPHABET[0]).count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    let payload_len = bytes.len().checked_sub(4).ok_or(BadAddress::NotBase58)?;
    let (payload, check) = bytes.split_at(payload_len);
    if checksum(payload) == *check {
        Ok(payload.to_vec())
    } else {
        Err(BadAddress::Checksum)
    }
}

fn checksum(payload: &[u8]) -> [u8; 4] {
    let double = Sha256::digest(Sha256::digest(payload));
    [double[0], double[1], double[2], double[3]]
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = [0_u8; 21];
        payload[1..].copy_from_slice(&self.0);
        f.write_str(&base58check_encode(&payload))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match base58check_decode(text)?.as_slice() {
            [0, id @ ..] => id
                .try_into()
                .map(Self)
                .map_err(|_| BadAddress::NotAnAccount),
            _ => Err(BadAddress::NotAnAccount),
        }
    }
}

serde_as_text!(AccountId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_genesis_account_reads_and_prints() {
        let genesis: AccountId = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh".parse().unwrap();
        assert_eq!(genesis.to_string(), "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh");
        assert_eq!(
            AccountId([0; 20]).to_string(),
            "rrrrrrrrrrrrrrrrrrrrrhoLvTp"
        );
        let mistyped = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi".parse::<AccountId>();
        assert_eq!(mistyped, Err(BadAddress::Checksum));
        let seed = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb".parse::<AccountId>();
        assert_eq!(seed, Err(BadAddress::NotAnAccount));
    }

    proptest! {
        #[test]
        fn an_address_survives_its_text_form(bytes: [u8; 20]) {
            let id = AccountId(bytes);
            prop_assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<AccountId>();
        }
    }
}
