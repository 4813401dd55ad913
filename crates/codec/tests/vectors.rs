//! The reference vectors: signed transactions, addresses, values, currencies and seeds on which
//! two independent implementations agree, and inputs that have to be refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::sync::LazyLock;
use xrpayd_codec::{
    Algorithm, CodecError, Keypair, SignedBy, check_signature, combine, decode, encode,
    multisign_one, sign, signing_bytes, transaction_hash, with_classic_addresses,
};
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::token::{BadTokenValue, TokenValue};
use xrpayd_core::xaddress::{XAddress, XNetwork};

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    let packed = include_bytes!("../../../tests/data/vectors.json.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
});

fn list(name: &str) -> &'static [Value] {
    VECTORS[name].as_array().unwrap()
}

fn cases(kind: &str) -> Vec<&'static Value> {
    let cases: Vec<&Value> = list("cases").iter().filter(|c| c["kind"] == kind).collect();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The pair of a case, a signer or a wallet. One of them grows an Ed25519 key from the entropy of a family seed, which
/// the text of the seed alone does not say.
fn key_of(case: &Value) -> Keypair {
    let seed = text(case, "seed");
    if text(case, "algorithm") == "ed25519" && !seed.starts_with("sEd") {
        let payload = xrpayd_core::address::base58check_decode(seed).unwrap();
        let entropy = payload[1..].try_into().unwrap();
        return Keypair::from_entropy(Algorithm::Ed25519, &entropy).unwrap();
    }
    Keypair::from_seed(seed).unwrap()
}

/// The reference decodes token values to plain digits and leaves out the type of a path's step;
/// a ledger server does neither. Brings our server-shaped output to the reference's shape.
fn as_reference(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let is_step = ["account", "currency", "issuer", "type"];
            let step =
                map.contains_key("type") && map.keys().all(|k| is_step.contains(&k.as_str()));
            let token = map.contains_key("currency") && map.contains_key("value");
            let mut out = Map::new();
            for (name, inner) in map {
                if step && name == "type" {
                    continue;
                }
                let inner = if token && name == "value" {
                    let value: TokenValue = inner.as_str().unwrap().parse().unwrap();
                    json!(value.to_plain())
                } else {
                    as_reference(inner)
                };
                out.insert(name.clone(), inner);
            }
            Value::Object(out)
        }
        Value::Array(list) => list.iter().map(as_reference).collect(),
        plain => plain.clone(),
    }
}

fn strict(tx: &Value) -> Result<Vec<u8>, CodecError> {
    encode(&with_classic_addresses(tx)?)
}

#[test]
fn every_single_signed_transaction_comes_out_byte_for_byte() {
    for case in cases("single") {
        let name = text(case, "name");
        let expect = &case["expect"];
        let key = key_of(case);
        let tx = with_classic_addresses(&case["tx_json"]).unwrap();
        let mut keyed = tx.clone();
        keyed["SigningPubKey"] = json!(key.public_key().to_string());
        let covered = hex::encode_upper(signing_bytes(&keyed).unwrap());
        assert_eq!(covered, text(expect, "signing_data"), "{name}");
        let signed = sign(&tx, &key).unwrap();
        assert_eq!(
            hex::encode_upper(&signed.blob),
            text(expect, "tx_blob"),
            "{name}"
        );
        assert_eq!(signed.hash.to_string(), text(expect, "hash"), "{name}");
        let decoded = decode(&signed.blob).unwrap();
        assert_eq!(decoded["TxnSignature"], expect["txn_signature"], "{name}");
        assert_eq!(
            as_reference(&decoded),
            as_reference(&expect["decoded"]),
            "{name}"
        );
        assert_eq!(encode(&decoded).unwrap(), signed.blob, "{name}");
        let by = check_signature(&signed.blob).unwrap();
        assert_eq!(by, SignedBy::One(*key.public_key()), "{name}");
    }
}

#[test]
fn every_multi_signed_transaction_comes_out_byte_for_byte() {
    for case in cases("multi") {
        let name = text(case, "name");
        let expect = &case["expect"];
        let tx = with_classic_addresses(&case["tx_json"]).unwrap();
        let signers: Vec<Value> = case["signers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| {
                let account = text(s, "address").parse().unwrap();
                multisign_one(&tx, &key_of(s), account).unwrap()
            })
            .collect();
        let unwrapped: Vec<Value> = signers.iter().map(|s| s["Signer"].clone()).collect();
        assert_eq!(json!(unwrapped), expect["signers_unsorted"], "{name}");
        let signed = combine(&tx, signers.clone()).unwrap();
        assert_eq!(
            hex::encode_upper(&signed.blob),
            text(expect, "tx_blob"),
            "{name}"
        );
        assert_eq!(signed.hash.to_string(), text(expect, "hash"), "{name}");
        let decoded = decode(&signed.blob).unwrap();
        assert_eq!(
            as_reference(&decoded),
            as_reference(&expect["decoded"]),
            "{name}"
        );
        let SignedBy::Several(by) = check_signature(&signed.blob).unwrap() else {
            panic!("{name} has several signers");
        };
        let order: Vec<String> = by.iter().map(|(account, _)| account.to_string()).collect();
        assert_eq!(json!(order), expect["signer_order"], "{name}");
        let mut twice = signers;
        twice.push(twice[0].clone());
        assert!(combine(&tx, twice).is_err(), "{name}");
    }
}

/// The two cases that both reference libraries accept (a destination in hex, and an empty path)
/// are refused by the codec itself, like all the others.
#[test]
fn everything_that_must_be_refused_is_refused() {
    let mut by_policy = 0;
    for case in cases("reject") {
        by_policy += usize::from(case["policy"] == true);
        let name = text(case, "name");
        assert!(strict(&case["tx_json"]).is_err(), "{name}");
        let signed =
            with_classic_addresses(&case["tx_json"]).and_then(|tx| sign(&tx, &key_of(case)));
        assert!(signed.is_err(), "{name}");
    }
    assert!(by_policy >= 2);
}

#[test]
fn a_currency_in_lower_case_hex_means_the_same_as_in_upper_case() {
    for case in cases("optional") {
        let tx = &case["tx_json"];
        let mut upper = tx.clone();
        let code = text(&tx["Amount"], "currency").to_uppercase();
        upper["Amount"]["currency"] = json!(code);
        assert_eq!(encode(tx).unwrap(), encode(&upper).unwrap());
    }
}

#[test]
fn every_wallet_grows_from_its_seed() {
    for wallet in list("wallets") {
        let pair = key_of(wallet);
        assert_eq!(pair.public_key().to_string(), text(wallet, "public_key"));
        assert_eq!(pair.account_id().to_string(), text(wallet, "address"));
    }
    for bad in list("seed_must_reject") {
        assert!(Keypair::from_seed(text(bad, "value")).is_err(), "{bad}");
    }
}

#[test]
fn every_x_address_reads_and_prints() {
    for vector in list("xaddresses") {
        let address: XAddress = text(vector, "x").parse().unwrap();
        let network = if vector["test"] == true {
            XNetwork::Test
        } else {
            XNetwork::Main
        };
        let tag = vector["tag"]
            .as_u64()
            .map(|tag| u32::try_from(tag).unwrap());
        let account: AccountId = text(vector, "classic").parse().unwrap();
        assert_eq!(hex::encode_upper(account.0), text(vector, "account_id"));
        assert_eq!(
            address,
            XAddress {
                account,
                tag,
                network
            }
        );
        assert_eq!(address.to_string(), text(vector, "x"));
    }
}

#[test]
fn every_bad_address_is_refused_in_both_forms() {
    for vector in list("address_must_reject") {
        let value = text(vector, "value");
        assert!(value.parse::<AccountId>().is_err(), "{vector}");
        assert!(value.parse::<XAddress>().is_err(), "{vector}");
    }
}

#[test]
fn every_token_value_has_its_bytes_or_is_refused_for_underflow() {
    for vector in list("iou_values") {
        let read = text(vector, "value").parse::<TokenValue>();
        if vector["rounds_to_zero"] == true {
            assert_eq!(read, Err(BadTokenValue::TooSmall), "{vector}");
            continue;
        }
        let value = read.unwrap();
        assert_eq!(format!("{:016X}", value.to_bits()), text(vector, "bytes8"));
        assert_eq!(value.to_plain(), text(vector, "canonical"));
        assert_eq!(TokenValue::from_bits(value.to_bits()), Some(value));
        assert_eq!(value.to_string().parse(), Ok(value));
    }
}

#[test]
fn every_currency_shows_what_it_is_and_no_spoof_shows_letters() {
    for vector in list("currency_bytes_to_display") {
        let bytes: [u8; 20] = hex::decode(text(vector, "bytes20"))
            .unwrap()
            .try_into()
            .unwrap();
        let display = Currency::from_bytes(bytes).map_or("XRP".to_owned(), |c| c.to_string());
        assert_eq!(display, text(vector, "display"));
    }
    for bad in list("currency_must_reject") {
        assert!(bad.as_str().unwrap().parse::<Currency>().is_err(), "{bad}");
        assert!(
            Currency::from_ledger_text(bad.as_str().unwrap()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn no_bad_blob_makes_the_decoder_panic_or_recurse_without_end() {
    for vector in list("blob_no_panic") {
        let blob = hex::decode(text(vector, "blob")).unwrap();
        let _ = transaction_hash(&blob);
        let _ = check_signature(&blob);
        if let Ok(tx) = decode(&blob) {
            assert_eq!(encode(&tx).unwrap(), blob, "{vector}");
        }
    }
    for bomb in ["EA", "F9EA", "EAF9"] {
        let blob = hex::decode(format!("120000{}", bomb.repeat(50_000))).unwrap();
        assert!(decode(&blob).is_err());
    }
}
