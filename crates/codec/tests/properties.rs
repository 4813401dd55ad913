//! Properties of the codec that hold for whatever it is given.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use flate2::read::GzDecoder;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::LazyLock;
use xrpayd_codec::{CodecError, Problem, check_signature, decode, encode, with_classic_addresses};

/// Real transactions to start from, of every kind that was recorded.
static BLOBS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut text = String::new();
    GzDecoder::new(include_bytes!("data/recorded.json.gz").as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let pairs: Vec<Value> = serde_json::from_str(&text).unwrap();
    let recorded = pairs
        .iter()
        .map(|pair| hex::decode(pair["tx_blob"].as_str().unwrap()));
    let exotic = exotic().into_iter().map(|tx| Ok(encode(&tx).unwrap()));
    recorded.chain(exotic).map(Result::unwrap).collect()
});

const ALICE: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";
const BOB: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

/// Transactions with the types of fields that payments do not have.
fn exotic() -> Vec<Value> {
    let hash = "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789";
    let issuance = "00000F6D5186FB5C90A8112419BED54193EDC7218835C6F5";
    let bridge = json!({
        "LockingChainDoor": ALICE, "LockingChainIssue": {"currency": "XRP"},
        "IssuingChainDoor": BOB, "IssuingChainIssue": {"currency": "USD", "issuer": ALICE},
    });
    let fields = [
        json!({"TransactionType": "XChainCommit", "XChainBridge": bridge, "XChainClaimID": "1f"}),
        json!({"TransactionType": "AMMCreate", "Asset": {"currency": "XRP"},
               "Asset2": {"currency": "524C555344000000000000000000000000000000", "issuer": BOB}}),
        json!({"TransactionType": "AMMDeposit", "Asset": {"mpt_issuance_id": issuance}}),
        json!({"TransactionType": "VaultCreate", "AssetsMaximum": "1234.5"}),
        json!({"TransactionType": "VaultSet", "AssetsMaximum": "-1000000000000000e900"}),
        json!({"TransactionType": "VaultSet", "AssetsMaximum": "0"}),
        json!({"TransactionType": "LoanSet", "LoanScale": -5}),
        json!({"TransactionType": "MPTokenIssuanceCreate", "MaximumAmount": "9223372036854775807"}),
        json!({"TransactionType": "MPTokenAuthorize", "MPTokenIssuanceID": issuance}),
        json!({"TransactionType": "NFTokenCancelOffer", "NFTokenOffers": [hash, hash]}),
        json!({"TransactionType": "Payment", "CredentialIDs": []}),
        json!({"TransactionType": "OracleSet", "PriceDataSeries": [{"PriceData": {
            "BaseAsset": "XRP", "QuoteAsset": "USD", "AssetPrice": "2e4", "Scale": 3}}]}),
        json!({"TransactionType": "DelegateSet", "Permissions": [
            {"Permission": {"PermissionValue": "Payment"}},
            {"Permission": {"PermissionValue": "PaymentBurn"}},
            {"Permission": {"PermissionValue": 4_000_000_000_u32}}]}),
        json!({"TransactionType": "Batch", "RawTransactions": [{"RawTransaction": {
            "TransactionType": "Payment", "Account": BOB, "Amount": "1", "SigningPubKey": ""}}]}),
        json!({"TransactionType": "Payment", "Paths": [
            [{"account": ALICE, "type": 1}],
            [{"currency": "XRP", "type": 16}, {"mpt_issuance_id": issuance, "type": 64},
             {"currency": "USD", "issuer": BOB, "type": 48}, {"issuer": BOB, "type": 32}]]}),
        json!({"TransactionType": "AccountSet", "EmailHash": "98B4375E1D753E5B91627516F6D70977",
               "TickSize": 5, "Domain": ""}),
        json!({"TransactionType": "OfferCreate", "Account": ALICE,
               "TakerPays": {"currency": "0158415500000000000000005553440000000001", "issuer": BOB,
                             "value": "-1000000000000000e-96"},
               "TakerGets": {"mpt_issuance_id": issuance, "value": "7"}}),
    ];
    fields.to_vec()
}

#[test]
fn every_type_of_field_reads_back_as_it_was_written() {
    for tx in exotic() {
        let blob = encode(&tx).unwrap_or_else(|e| panic!("{tx}: {e}"));
        assert_eq!(decode(&blob).unwrap(), tx);
    }
}

#[test]
fn a_multi_purpose_issue_is_written_with_its_sequence_reversed() {
    let tx = json!({"TransactionType": "AMMDeposit", "Asset": {
        "mpt_issuance_id": "000000015186FB5C90A8112419BED54193EDC7218835C6F5"}});
    let expected = "1200240318\
        5186FB5C90A8112419BED54193EDC7218835C6F5\
        0000000000000000000000000000000000000001\
        01000000";
    assert_eq!(hex::encode_upper(encode(&tx).unwrap()), expected);
}

#[test]
fn a_number_that_does_not_fit_is_refused_and_never_wrapped() {
    for tag in [
        json!(4_294_967_297_u64),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(null),
    ] {
        let tx = json!({"TransactionType": "Payment", "DestinationTag": tag});
        let error = encode(&tx).unwrap_err();
        assert!(error.to_string().starts_with("DestinationTag:"), "{error}");
    }
}

#[test]
fn unknown_fields_and_empty_destinations_are_refused_by_name() {
    let refused = |tx: Value| encode(&tx).unwrap_err();
    let unknown = |field: &str| CodecError::Field {
        field: field.to_owned(),
        problem: Problem::UnknownField,
    };
    let payment = json!({"TransactionType": "Payment", "InvoiceId": "00"});
    assert_eq!(refused(payment), unknown("InvoiceId"));
    let memo = json!({"TransactionType": "Payment", "Memos": [{"Memo": {"MemoDat": "00"}}]});
    assert_eq!(refused(memo), unknown("Memos.Memo.MemoDat"));
    for destination in [
        "",
        "5E7B112523F68D2F5E879DB4EAC51C6698A69304",
        "snoPBrXtMeMyMHUVTgbuqAfg1SUTb",
    ] {
        let tx = json!({"TransactionType": "Payment", "Destination": destination});
        assert!(refused(tx).to_string().starts_with("Destination:"));
    }
    assert!(encode(&json!({"Account": ALICE})).is_err());
    assert!(encode(&json!([])).is_err());
}

#[test]
fn bytes_out_of_order_repeated_or_left_over_are_refused() {
    for blob in [
        "22000000001200002400000001", // Flags before TransactionType
        "1200001200002400000001",     // TransactionType twice
        "120000E1",                   // an end mark that ends nothing
        "120000F1",
        "2400000001",               // no transaction type
        "120000040200000001",       // a long announcement where a short one would do
        "1200006100000000000000FF", // XRP below zero
        "12000061416345785D8A0001", // more XRP than there is
        "12000061D4838D7EA4C6800000000000000000000000000000000000000000007151DE5D8CA141EEC1108E5173CAAF552B4A4116",
        "120000011200", // an empty list of paths
        "120000810150", // an account of one byte
        "12FFFF",       // no such transaction
    ] {
        assert!(decode(&hex::decode(blob).unwrap()).is_err(), "{blob}");
    }
}

#[test]
fn json_nested_too_deeply_is_refused_like_bytes_nested_too_deeply() {
    let mut inner = json!({});
    for _ in 0..200 {
        inner = json!({"Memos": [{"Memo": inner}]});
    }
    inner["TransactionType"] = json!("Payment");
    let error = encode(&inner).unwrap_err();
    assert!(matches!(
        error,
        CodecError::Field {
            problem: Problem::TooDeep,
            ..
        }
    ));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9A-Fa-fr.e+-]{0,50}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(ALICE)),
    ];
    let name = prop_oneof![
        Just("TransactionType"),
        Just("Amount"),
        Just("Paths"),
        Just("Memos"),
        Just("Memo"),
        Just("Account"),
        Just("Asset"),
        Just("XChainBridge"),
        Just("currency"),
        Just("issuer"),
        Just("value"),
        Just("mpt_issuance_id"),
        Just("AssetsMaximum"),
        Just("Signers"),
        Just("Fee"),
        Just("NFTokenOffers"),
        Just("BaseAsset"),
        Just("LoanScale"),
        Just("Sequence"),
        Just("type"),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let framed = [&[0x12, 0, 0], bytes.as_slice()].concat();
        for blob in [&bytes, &framed] {
            let _ = check_signature(blob);
            if let Ok(tx) = decode(blob) {
                prop_assert_eq!(&encode(&tx).unwrap(), blob);
            }
        }
    }

    #[test]
    fn a_damaged_transaction_is_refused_or_written_back_byte_for_byte(
        which: Index, edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4), cut: Option<Index>,
    ) {
        let mut blob = BLOBS[which.index(BLOBS.len())].clone();
        for (at, byte) in edits {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        if let Some(cut) = cut {
            blob.truncate(cut.index(blob.len()));
        }
        if let Ok(tx) = decode(&blob) {
            prop_assert_eq!(encode(&tx).unwrap(), blob);
        }
    }

    #[test]
    fn no_json_makes_the_encoder_panic_and_what_it_writes_reads_back(
        mut tx in any_json(), kind in prop::bool::weighted(0.8),
    ) {
        if let (Value::Object(fields), true) = (&mut tx, kind) {
            fields.insert("TransactionType".to_owned(), json!("Payment"));
        }
        let _ = with_classic_addresses(&tx);
        if let Ok(blob) = encode(&tx) {
            let printed = decode(&blob).unwrap();
            prop_assert_eq!(encode(&printed).unwrap(), blob);
        }
    }
}
