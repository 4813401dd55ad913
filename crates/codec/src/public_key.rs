//! Public keys: reading them, the account they belong to, and strict verification.

use crate::hash::sha512_half;
use crate::keys::Algorithm;
use ripemd::Ripemd160;
use secp256k1::{Message, SECP256K1, ecdsa};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use xrpayd_core::address::AccountId;

/// A public key in the ledger's 33 bytes: `ED` and an Ed25519 key, or a compressed secp256k1 point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 33]);

/// The bytes are not a public key that anything could be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a public key")]
pub struct BadKey;

const PREFIX_ED25519: u8 = 0xED;

impl PublicKey {
    /// Reads the 33 bytes, and makes sure that they are a point of the curve they name.
    ///
    /// # Errors
    /// Any other length, prefix or a point off the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        let key = Self(bytes.try_into().map_err(|_| BadKey)?);
        let is_point = match key.algorithm() {
            Algorithm::Ed25519 => key.ed25519().is_some(),
            Algorithm::Secp256k1 => key.secp256k1().is_some(),
        };
        if is_point { Ok(key) } else { Err(BadKey) }
    }

    pub(crate) const fn from_secp256k1(bytes: [u8; 33]) -> Self {
        Self(bytes)
    }

    pub(crate) fn from_ed25519(bytes: [u8; 32]) -> Self {
        let mut key = [PREFIX_ED25519; 33];
        key[1..].copy_from_slice(&bytes);
        Self(key)
    }

    /// The 33 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 33] {
        &self.0
    }

    /// Which signatures this key can check.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        if self.0[0] == PREFIX_ED25519 {
            Algorithm::Ed25519
        } else {
            Algorithm::Secp256k1
        }
    }

    /// The account whose master key this is.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        AccountId(Ripemd160::digest(Sha256::digest(self.0)).into())
    }

    /// Whether `signature` is this key's over `message`. Only the one canonical form of a
    /// signature passes: strict DER with a low S, or an Ed25519 signature with a reduced scalar.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm() {
            Algorithm::Ed25519 => self.verify_ed25519(message, signature),
            Algorithm::Secp256k1 => self.verify_secp256k1(message, signature),
        }
    }

    fn verify_ed25519(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(key) = self.ed25519() else {
            return false;
        };
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
    }

    fn verify_secp256k1(&self, message: &[u8], der: &[u8]) -> bool {
        let Some(key) = self.secp256k1() else {
            return false;
        };
        let Ok(signature) = ecdsa::Signature::from_der(der) else {
            return false;
        };
        // The parser is strict, but only equality proves that no other bytes mean the same.
        if *signature.serialize_der() != *der {
            return false;
        }
        let digest = Message::from_digest(sha512_half(&[message]));
        // The library refuses a high S by itself.
        SECP256K1.verify_ecdsa(digest, &signature, &key).is_ok()
    }

    fn ed25519(&self) -> Option<ed25519_dalek::VerifyingKey> {
        let mut point = [0; 32];
        point.copy_from_slice(&self.0[1..]);
        ed25519_dalek::VerifyingKey::from_bytes(&point).ok()
    }

    fn secp256k1(&self) -> Option<secp256k1::PublicKey> {
        secp256k1::PublicKey::from_byte_array_compressed(self.0).ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;
    fn from_str(text: &str) -> Result<Self, BadKey> {
        Self::from_bytes(&hex::decode(text).map_err(|_| BadKey)?)
    }
}
