//! Key pairs and the seeds they grow from.
//!
//! A key is derived and expanded once, when its pair is made, and wiped when the pair is dropped.
//! No secret is ever printed, not even by a debug format, and no error repeats its input.

pub use crate::public_key::{BadKey, PublicKey};

use crate::hash::sha512_half;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use secp256k1::{Message, SECP256K1, Scalar, SecretKey};
use sha2::{Digest, Sha512};
use std::fmt;
use xrpayd_core::address::{AccountId, base58check_decode, base58check_encode};
use zeroize::{Zeroize, Zeroizing};

/// The two kinds of keys the ledger knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Seeds begin with `sEd`, public keys with `ED`.
    Ed25519,
    /// Seeds begin with `s`, public keys with `02` or `03`.
    Secp256k1,
}

/// The text is not a seed. It says no more, because the text may be a secret all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a seed: it must begin with s or sEd and be copied whole")]
pub struct BadSeed;

/// A secret key and its public key.
pub struct Keypair {
    public: PublicKey,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<ExpandedSecretKey>, ed25519_dalek::VerifyingKey),
    Secp256k1(SecretKey),
}

impl Drop for Secret {
    fn drop(&mut self) {
        match self {
            // The expanded key wipes itself.
            Self::Ed25519(..) => {}
            Self::Secp256k1(key) => key.non_secure_erase(),
        }
    }
}

const SEED_ED25519: [u8; 3] = [0x01, 0xE1, 0x4B];
const SEED_SECP256K1: u8 = 0x21;
const ENTROPY_LEN: usize = 16;

/// The text form of a seed.
#[must_use]
pub fn encode_seed(algorithm: Algorithm, entropy: &[u8; ENTROPY_LEN]) -> Zeroizing<String> {
    let mut payload = Zeroizing::new(Vec::with_capacity(SEED_ED25519.len() + ENTROPY_LEN));
    match algorithm {
        Algorithm::Ed25519 => payload.extend(SEED_ED25519),
        Algorithm::Secp256k1 => payload.push(SEED_SECP256K1),
    }
    payload.extend(entropy);
    Zeroizing::new(base58check_encode(&payload))
}

impl Keypair {
    /// The pair of a seed, `s…` or `sEd…`.
    ///
    /// # Errors
    /// The text is not a seed; the error never repeats it.
    pub fn from_seed(text: &str) -> Result<Self, BadSeed> {
        let payload = Zeroizing::new(base58check_decode(text).map_err(|_| BadSeed)?);
        let (algorithm, entropy) = match payload.as_slice() {
            [0x01, 0xE1, 0x4B, entropy @ ..] if entropy.len() == ENTROPY_LEN => {
                (Algorithm::Ed25519, entropy)
            }
            [SEED_SECP256K1, entropy @ ..] => (Algorithm::Secp256k1, entropy),
            _ => return Err(BadSeed),
        };
        let entropy: Zeroizing<[u8; ENTROPY_LEN]> =
            Zeroizing::new(entropy.try_into().map_err(|_| BadSeed)?);
        Self::from_entropy(algorithm, &entropy)
    }

    /// The pair that grows from sixteen random bytes.
    ///
    /// # Errors
    /// Never in practice: one entropy in 2¹²⁸ gives no valid key.
    pub fn from_entropy(
        algorithm: Algorithm,
        entropy: &[u8; ENTROPY_LEN],
    ) -> Result<Self, BadSeed> {
        match algorithm {
            Algorithm::Ed25519 => Ok(ed25519_pair(entropy)),
            Algorithm::Secp256k1 => secp256k1_pair(entropy),
        }
    }

    /// The secp256k1 pair of a passphrase, as the ledger's genesis account has it. Passphrases are
    /// guessable: this is for test networks.
    ///
    /// # Errors
    /// As for [`Keypair::from_entropy`].
    pub fn from_passphrase(passphrase: &str) -> Result<Self, BadSeed> {
        let hash: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(passphrase).into());
        let mut entropy = Zeroizing::new([0; ENTROPY_LEN]);
        entropy.copy_from_slice(&hash[..ENTROPY_LEN]);
        Self::from_entropy(Algorithm::Secp256k1, &entropy)
    }

    /// The secp256k1 pair by which a server of the network is known, a validator for one: the root of
    /// the family whose first member [`Keypair::from_entropy`] gives.
    ///
    /// # Errors
    /// As for [`Keypair::from_entropy`].
    pub fn of_node(entropy: &[u8; ENTROPY_LEN]) -> Result<Self, BadSeed> {
        let secret = first_key(&[entropy])?;
        Ok(Self {
            public: PublicKey::from_secp256k1(secret.public_key(SECP256K1).serialize()),
            secret: Secret::Secp256k1(secret),
        })
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The account whose master key this is.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.public.account_id()
    }

    /// Signs `message` as the ledger wants it: Ed25519 over the bytes themselves, secp256k1 over
    /// their hash, in DER with a low S. Deterministic.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(expanded, public) => raw_sign::<Sha512>(expanded, message, public)
                .to_bytes()
                .to_vec(),
            Secret::Secp256k1(key) => {
                let digest = Message::from_digest(sha512_half(&[message]));
                SECP256K1.sign_ecdsa(digest, key).serialize_der().to_vec()
            }
        }
    }
}

fn ed25519_pair(entropy: &[u8; ENTROPY_LEN]) -> Keypair {
    let secret = Zeroizing::new(sha512_half(&[entropy]));
    let expanded = Box::new(ExpandedSecretKey::from(&*secret));
    let public = ed25519_dalek::VerifyingKey::from(&*expanded);
    Keypair {
        public: PublicKey::from_ed25519(public.to_bytes()),
        secret: Secret::Ed25519(expanded, public),
    }
}

/// The first account of the family that grows from `entropy`.
fn secp256k1_pair(entropy: &[u8; ENTROPY_LEN]) -> Result<Keypair, BadSeed> {
    let mut root = first_key(&[entropy])?;
    let root_public = root.public_key(SECP256K1).serialize();
    let mut step = first_key(&[&root_public, &0_u32.to_be_bytes()])?;
    let secret = Scalar::from_be_bytes(step.secret_bytes())
        .map_err(|_| BadSeed)
        .and_then(|step| root.add_tweak(&step).map_err(|_| BadSeed));
    root.non_secure_erase();
    step.non_secure_erase();
    let secret = secret?;
    Ok(Keypair {
        public: PublicKey::from_secp256k1(secret.public_key(SECP256K1).serialize()),
        secret: Secret::Secp256k1(secret),
    })
}

/// Hashes `parts` with a counter until a valid key comes out, which the first try all but always
/// does.
fn first_key(parts: &[&[u8]]) -> Result<SecretKey, BadSeed> {
    const TRIES_MAX: u32 = 128;
    for counter in 0..TRIES_MAX {
        let counter = counter.to_be_bytes();
        let all: Vec<&[u8]> = parts.iter().copied().chain([counter.as_slice()]).collect();
        let mut candidate = sha512_half(&all);
        let key = SecretKey::from_byte_array(candidate);
        candidate.zeroize();
        if let Ok(key) = key {
            return Ok(key);
        }
    }
    Err(BadSeed)
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_genesis_account_grows_from_its_passphrase() {
        let genesis = Keypair::from_passphrase("masterpassphrase").unwrap();
        let address = genesis.account_id().to_string();
        assert_eq!(address, "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh");
        let same = Keypair::from_seed("snoPBrXtMeMyMHUVTgbuqAfg1SUTb").unwrap();
        assert_eq!(same.public_key(), genesis.public_key());
    }

    #[test]
    fn a_nodes_key_is_another_than_the_first_accounts() {
        let node = Keypair::of_node(&[7; 16]).unwrap();
        let account = Keypair::from_entropy(Algorithm::Secp256k1, &[7; 16]).unwrap();
        assert_ne!(node.public_key(), account.public_key());
        assert!(node.public_key().verify(b"message", &node.sign(b"message")));
    }

    #[test]
    fn a_debug_print_shows_the_public_key_alone() {
        let pair = Keypair::from_entropy(Algorithm::Ed25519, &[7; 16]).unwrap();
        let printed = format!("{pair:?}");
        assert_eq!(
            printed,
            format!("Keypair {{ public: {}, .. }}", pair.public_key())
        );
    }

    #[test]
    fn a_high_s_or_a_padded_signature_is_refused() {
        let pair = Keypair::from_passphrase("masterpassphrase").unwrap();
        let good = pair.sign(b"message");
        assert!(pair.public_key().verify(b"message", &good));
        let parsed = secp256k1::ecdsa::Signature::from_der(&good).unwrap();
        let mut compact = parsed.serialize_compact();
        let s = SecretKey::from_byte_array(compact[32..].try_into().unwrap()).unwrap();
        compact[32..].copy_from_slice(&s.negate().secret_bytes());
        let high = secp256k1::ecdsa::Signature::from_compact(&compact).unwrap();
        assert!(!pair.public_key().verify(b"message", &high.serialize_der()));
        let mut padded = good.clone();
        padded.push(0);
        assert!(!pair.public_key().verify(b"message", &padded));
    }

    #[test]
    fn an_ed25519_scalar_that_is_not_reduced_is_refused() {
        // The order of the group, little-endian; S plus it verifies in careless implementations.
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let pair = Keypair::from_entropy(Algorithm::Ed25519, &[7; 16]).unwrap();
        let mut signature = pair.sign(b"message");
        assert!(pair.public_key().verify(b"message", &signature));
        let mut carry = 0_u16;
        for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        assert!(!pair.public_key().verify(b"message", &signature));
    }

    proptest! {
        #[test]
        fn a_seed_survives_its_text_form_and_signs(entropy: [u8; 16], message: Vec<u8>, ed: bool) {
            let algorithm = if ed { Algorithm::Ed25519 } else { Algorithm::Secp256k1 };
            let pair = Keypair::from_entropy(algorithm, &entropy).unwrap();
            let again = Keypair::from_seed(&encode_seed(algorithm, &entropy)).unwrap();
            prop_assert_eq!(pair.public_key(), again.public_key());
            let signature = pair.sign(&message);
            prop_assert!(pair.public_key().verify(&message, &signature));
            let mut other = message;
            other.push(1);
            prop_assert!(!pair.public_key().verify(&other, &signature));
        }

        #[test]
        fn no_text_or_bytes_make_a_reader_panic(text: String, bytes: Vec<u8>) {
            let _ = Keypair::from_seed(&text);
            let _ = text.parse::<PublicKey>();
            if let Ok(key) = PublicKey::from_bytes(&bytes) {
                let _ = key.verify(&bytes, &bytes);
            }
        }
    }
}
