//! `wallet_propose` and `validation_create`: keys for whoever asks, out of chance or out of what they give.
//!
//! Owns nothing; what is proposed is not kept.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render::hex;
use super::secrets::{self, Proposed, Seed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_codec::sha512_half;
use xrpayd_core::address::base58check_encode;

/// The type bytes of keys as text.
const ACCOUNT_PUBLIC: u8 = 0x23;
pub(super) const NODE_PUBLIC: u8 = 0x1C;
const NODE_PRIVATE: u8 = 0x20;
/// A passphrase with fewer bits than this is called weak.
const ENTROPY_BITS_MIN: u64 = 80;
const WEAK: &str = "This wallet was generated using a user-supplied passphrase that has low entropy and is vulnerable to brute-force attacks.";
const STRONG: &str = "This wallet was generated using a user-supplied passphrase. It may be vulnerable to brute-force attacks.";
/// Bits after the point in the logarithms.
const FRACTION: u32 = 32;

/// The binary logarithm of a number above zero, with [`FRACTION`] bits after the point.
fn log2(number: u64) -> u64 {
    let whole = 63 - number.leading_zeros();
    // The number as one point something, with 62 bits after the point.
    let mut mantissa = u128::from(number) << (62 - whole);
    let mut out = u64::from(whole);
    for _ in 0..FRACTION {
        mantissa = (mantissa * mantissa) >> 62;
        out <<= 1;
        if mantissa >= 1 << 63 {
            mantissa >>= 1;
            out |= 1;
        }
    }
    out
}

/// Shannon's entropy of the whole text in bits: n·log n − Σ f·log f over how often each byte occurs.
fn entropy_bits(text: &str) -> u64 {
    let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
    for byte in text.bytes() {
        *counts.entry(byte).or_default() += 1;
    }
    let weight = |count: u64| u128::from(count) * u128::from(log2(count));
    let all: u64 = counts.values().sum();
    let spread: u128 = counts.values().map(|&count| weight(count)).sum();
    let total = if all == 0 { 0 } else { weight(all) };
    u64::try_from(total.saturating_sub(spread) >> FRACTION).unwrap_or(u64::MAX)
}

fn random(call: &Call<'_>) -> Seed {
    let bytes = call.shared.net().random.bytes32();
    bytes[..16].try_into().unwrap_or_default()
}

pub(super) fn wallet_propose(call: &Call<'_>) -> Answer {
    let proposed = secrets::proposed(call.params, || random(call))?;
    let pair = Keypair::from_entropy(proposed.algorithm, &proposed.seed);
    let pair = pair.map_err(|_| RpcError::bad_seed())?;
    let key = pair.public_key();
    let mut payload = vec![ACCOUNT_PUBLIC];
    payload.extend(key.bytes());
    let words = secrets::words(&proposed.seed);
    let mut out = json!({
        "account_id": pair.account_id(),
        "key_type": match proposed.algorithm {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::Secp256k1 => "secp256k1",
        },
        "master_key": words,
        "master_seed": secrets::base58(&proposed.seed),
        "master_seed_hex": hex(&proposed.seed),
        "public_key": base58check_encode(&payload),
        "public_key_hex": key.to_string(),
    });
    if let Some(warning) = warning(call.params.get("passphrase"), &proposed, &out) {
        out["warning"] = json!(warning);
    }
    Ok(out)
}

/// `validation_create`: a validator's keys.
pub(super) fn validation_create(call: &Call<'_>) -> Answer {
    let seed = match call.params.get("secret") {
        None => random(call),
        Some(secret) => {
            let seed = secret.as_str().and_then(secrets::generic);
            seed.ok_or_else(RpcError::bad_seed)?
        }
    };
    let pair = Keypair::of_node(&seed).map_err(|_| RpcError::bad_seed())?;
    // The secret half is the first of the hashes by which the pair is found, which all but always fits.
    let secret = sha512_half(&[&seed, &0_u32.to_be_bytes()]);
    let text = |kind: u8, key: &[u8]| base58check_encode(&[&[kind], key].concat());
    Ok(json!({
        "validation_key": secrets::words(&seed),
        "validation_private_key": text(NODE_PRIVATE, &secret),
        "validation_public_key": text(NODE_PUBLIC, pair.public_key().bytes()),
        "validation_seed": secrets::base58(&seed),
    }))
}

/// What is said of a passphrase that was not a seed in one of its forms.
fn warning(passphrase: Option<&Value>, proposed: &Proposed, out: &Value) -> Option<&'static str> {
    let passphrase = passphrase?.as_str()?;
    let is_form = ["master_key", "master_seed", "master_seed_hex"]
        .iter()
        .any(|form| out[*form] == passphrase);
    if proposed.is_library_form || is_form {
        None
    } else if entropy_bits(passphrase) < ENTROPY_BITS_MIN {
        Some(WEAK)
    } else {
        Some(STRONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_counted_in_whole_bits_rounded_down() {
        assert_eq!(entropy_bits(""), 0);
        assert_eq!(entropy_bits("aaaa"), 0);
        assert_eq!(entropy_bits("abcd"), 8);
        assert_eq!(entropy_bits("abcdefghijklmnopqrstuvwxyz"), 122);
    }
}
