//! The forms in which a secret comes: seeds, hexadecimal, twelve words, or any text at all.
//!
//! Owns the list of words (RFC 1751). Secrets that a sandbox is given are worth nothing; none is kept.

use super::frame::RpcError;
use serde_json::{Map, Value};
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_codec::sha512_half;
use xrpayd_core::address::{base58check_decode, base58check_encode};

/// Sixteen bytes from which keys grow.
pub(super) type Seed = [u8; 16];
/// How one form of a seed is read.
type Reader = fn(&str) -> Option<Seed>;
/// Secrets as parameters, in rippled's order.
const SECRETS: [&str; 4] = ["passphrase", "secret", "seed", "seed_hex"];
const WORDS: &str = include_str!("../data/rfc1751.txt");
/// The type byte of a seed as text, and the type bytes and lengths of what is surely none.
const SEED: u8 = 0x21;
const NOT_A_SEED: [(u8, usize); 5] = [(0, 20), (0x1C, 33), (0x20, 32), (0x22, 32), (0x23, 33)];

/// The sixteen bytes as rippled prints them, whatever kind of key they are for.
pub(super) fn base58(seed: &Seed) -> String {
    let mut payload = vec![SEED];
    payload.extend(seed);
    base58check_encode(&payload)
}

fn from_base58(text: &str) -> Option<Seed> {
    match base58check_decode(text).ok()?.as_slice() {
        [SEED, seed @ ..] => seed.try_into().ok(),
        _ => None,
    }
}

fn from_hex(text: &str) -> Option<Seed> {
    hex::decode(text).ok()?.try_into().ok()
}

/// The seed of an Ed25519 key in the form of client libraries, `sEd…`.
fn from_library_form(value: Option<&Value>) -> Option<Seed> {
    let text = value?.as_str()?;
    match base58check_decode(text).ok()?.as_slice() {
        [0x01, 0xE1, 0x4B, seed @ ..] => seed.try_into().ok(),
        _ => None,
    }
}

/// Eight bytes and their two bits of parity, as six numbers of eleven bits.
fn numbers(half: [u8; 8]) -> [usize; 6] {
    let bits = u64::from_be_bytes(half);
    let parity = (0..32).fold(0, |sum, pair| sum + (bits >> (2 * pair) & 3));
    let all = u128::from(bits) << 2 | u128::from(parity & 3);
    [55, 44, 33, 22, 11, 0].map(|shift| usize::try_from(all >> shift & 0x7FF).unwrap_or_default())
}

/// The seed as twelve words. rippled reverses the bytes before it looks the words up.
pub(super) fn words(seed: &Seed) -> String {
    let list: Vec<&str> = WORDS.split_whitespace().collect();
    let mut bytes = *seed;
    bytes.reverse();
    let (first, second) = (&bytes[..8], &bytes[8..]);
    let halves = [first, second].map(|half| half.try_into().unwrap_or_default());
    let words = halves.into_iter().flat_map(numbers);
    let words: Vec<&str> = words.filter_map(|at| list.get(at).copied()).collect();
    words.join(" ")
}

fn from_words(text: &str) -> Option<Seed> {
    let list: Vec<&str> = WORDS.split_whitespace().collect();
    let given: Vec<String> = text.split_whitespace().map(standard_word).collect();
    if given.len() != 12 {
        return None;
    }
    let mut seed = Vec::with_capacity(16);
    for half in given.chunks(6) {
        let mut bits = 0_u128;
        for word in half {
            let at = list.iter().position(|known| known == word)?;
            bits = bits << 11 | u128::try_from(at).ok()?;
        }
        let bytes = u64::try_from(bits >> 2).ok()?.to_be_bytes();
        let number = u128::try_from(numbers(bytes)[5]).ok()?;
        if number != bits & 0x7FF {
            return None;
        }
        seed.extend(bytes);
    }
    seed.reverse();
    seed.try_into().ok()
}

/// A word with the letters that are easily mistaken put right.
fn standard_word(word: &str) -> String {
    let right = |c: char| match c.to_ascii_uppercase() {
        '1' => 'L',
        '0' => 'O',
        '5' => 'S',
        other => other,
    };
    word.chars().map(right).collect()
}

/// What rippled makes of any text: a seed in one of its forms, or the hash of a passphrase.
pub(super) fn generic(text: &str) -> Option<Seed> {
    let is_something_else = base58check_decode(text).is_ok_and(|payload| {
        let (kind, length) = (payload.first(), payload.len().saturating_sub(1));
        NOT_A_SEED
            .iter()
            .any(|(other, size)| kind == Some(other) && *size == length)
    });
    if text.is_empty() || is_something_else {
        return None;
    }
    from_hex(text)
        .or_else(|| from_base58(text))
        .or_else(|| from_words(text))
        .or_else(|| {
            let hash = sha512_half(&[text.as_bytes()]);
            hash[..16].try_into().ok()
        })
}

fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "secp256k1" => Some(Algorithm::Secp256k1),
        "ed25519" => Some(Algorithm::Ed25519),
        _ => None,
    }
}

fn one_of(names: &str) -> RpcError {
    RpcError::invalid(format!(
        "Exactly one of the following must be specified: {names}"
    ))
}

/// The seed in the one parameter that has one.
fn seed_parameter(params: &Map<String, Value>) -> Result<Seed, RpcError> {
    let forms: [(&str, Reader); 3] = [
        ("passphrase", generic),
        ("seed", from_base58),
        ("seed_hex", from_hex),
    ];
    let mut given = forms.iter().filter(|(name, _)| params.contains_key(*name));
    let (Some((name, read)), None) = (given.next(), given.next()) else {
        return Err(one_of("passphrase, seed or seed_hex"));
    };
    let text = params.get(*name).and_then(Value::as_str);
    let text = text.ok_or_else(|| RpcError::expected(name, "string"))?;
    read(text).ok_or_else(RpcError::bad_seed)
}

/// A seed, the kind of key that it is for, and how it was given.
pub(super) struct Proposed {
    pub(super) seed: Seed,
    pub(super) algorithm: Algorithm,
    pub(super) is_library_form: bool,
}

/// What `wallet_propose` is asked to make a key of; `random` where it is asked for any.
pub(super) fn proposed(
    params: &Map<String, Value>,
    random: impl FnOnce() -> Seed,
) -> Result<Proposed, RpcError> {
    let wanted = match params.get("key_type") {
        None => None,
        Some(name) => {
            let name = name.as_str();
            let name = name.ok_or_else(|| RpcError::expected("key_type", "string"))?;
            Some(algorithm(name).ok_or_else(RpcError::invalid_params)?)
        }
    };
    let given = params.get("passphrase").or_else(|| params.get("seed"));
    if let Some(seed) = from_library_form(given) {
        if wanted == Some(Algorithm::Secp256k1) {
            return Err(RpcError::bad_seed());
        }
        return Ok(Proposed {
            seed,
            algorithm: Algorithm::Ed25519,
            is_library_form: true,
        });
    }
    let is_given = ["passphrase", "seed", "seed_hex"]
        .iter()
        .any(|name| params.contains_key(*name));
    Ok(Proposed {
        seed: if is_given {
            seed_parameter(params)?
        } else {
            random()
        },
        algorithm: wanted.unwrap_or(Algorithm::Secp256k1),
        is_library_form: false,
    })
}

/// The key pair that the parameters of a signing method stand for.
pub(super) fn signing_pair(params: &Map<String, Value>, version: u32) -> Result<Keypair, RpcError> {
    let mut given = SECRETS.iter().filter(|name| params.contains_key(**name));
    let name = *given.next().ok_or_else(|| RpcError::missing("secret"))?;
    if given.next().is_some() {
        return Err(one_of("passphrase, secret, seed or seed_hex"));
    }
    let wanted = wanted_algorithm(params, name, version)?;
    let library_form = match name {
        "seed_hex" => None,
        _ => from_library_form(params.get(name)),
    };
    let (seed, algorithm) = match library_form {
        Some(_) if wanted == Some(Algorithm::Secp256k1) => {
            return Err(RpcError::bad_seed().worded("Specified seed is for an Ed25519 wallet."));
        }
        Some(seed) => (seed, Algorithm::Ed25519),
        None if wanted.is_some() => (
            seed_parameter(params)?,
            wanted.unwrap_or(Algorithm::Secp256k1),
        ),
        None => {
            let text = params.get("secret").and_then(Value::as_str);
            let text = text.ok_or_else(|| RpcError::expected("secret", "string"))?;
            let words = || RpcError::bad_seed().worded(format!("Invalid field '{name}'."));
            (generic(text).ok_or_else(words)?, Algorithm::Secp256k1)
        }
    };
    Keypair::from_entropy(algorithm, &seed).map_err(|_| RpcError::bad_seed())
}

fn wanted_algorithm(
    params: &Map<String, Value>,
    secret: &str,
    version: u32,
) -> Result<Option<Algorithm>, RpcError> {
    let Some(name) = params.get("key_type") else {
        return Ok(None);
    };
    let name = name.as_str();
    let name = name.ok_or_else(|| RpcError::expected("key_type", "string"))?;
    let algorithm = algorithm(name).ok_or_else(|| match version {
        1 => RpcError::invalid_field("key_type"),
        _ => RpcError::bad_key_type(),
    })?;
    if secret == "secret" {
        const WORDS: &str = "The secret field is not allowed if key_type is used.";
        return Err(RpcError::invalid(WORDS));
    }
    Ok(Some(algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_words_are_read_back_as_the_seed_that_they_print() {
        let seed: Seed = hex::decode("44F2EF6182C9C9945A78F17CE32484AA")
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default();
        let words = words(&seed);
        let recorded = "LARD JUG ROW WELT GUM NOV HAUL ARMY BURG NEWS YAWL KIN";
        assert_eq!(words, recorded);
        assert_eq!(generic(&words.to_ascii_lowercase()), Some(seed));
        assert_eq!(base58(&seed), "ssCrFwxJa6Usc2meimYE3W5htfoNQ");
        assert_eq!(generic("ssCrFwxJa6Usc2meimYE3W5htfoNQ"), Some(seed));
    }

    #[test]
    fn an_address_is_no_seed_and_any_other_text_is_a_passphrase() {
        assert_eq!(generic("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"), None);
        let genesis = generic("masterpassphrase").map(|seed| base58(&seed));
        assert_eq!(genesis.as_deref(), Some("snoPBrXtMeMyMHUVTgbuqAfg1SUTb"));
    }
}
