//! An encoder that we did not write agrees, byte for byte, on what the daemon signs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use flate2::read::GzDecoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Read;
use xrpayd_codec::{encode, multisigning_bytes, signing_bytes};
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

fn theirs(tx: &Value) -> String {
    xrpl::core::binarycodec::encode(tx).unwrap()
}

fn vectors() -> Value {
    let packed = include_bytes!("../../../tests/data/vectors.json.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What the other encoder refuses although the ledger takes it. All are token amounts; a refusal
/// stops the daemon before anything is signed, so it costs availability and never money.
const REFUSED: [&str; 3] = ["iou_mixed_uSd/ed", "iou_sym_dollar/ed", "iouv_max/ed"];

#[test]
fn both_encoders_agree_on_every_signed_vector_that_the_other_does_not_refuse() {
    let vectors = vectors();
    let (mut agreed, mut refused) = (0, Vec::new());
    for case in vectors["cases"].as_array().unwrap() {
        let Some(decoded) = case.pointer("/expect/decoded") else {
            continue;
        };
        let name = case["name"].as_str().unwrap();
        match xrpl::core::binarycodec::encode(decoded) {
            Ok(theirs) => {
                assert_eq!(
                    theirs,
                    hex::encode_upper(encode(decoded).unwrap()),
                    "{name}"
                );
                agreed += 1;
            }
            Err(_) => refused.push(name),
        }
    }
    assert_eq!(refused, REFUSED);
    assert!(agreed > 90, "{agreed}");
}

fn memo() -> impl Strategy<Value = Value> {
    let part = || prop::option::of(prop::collection::vec(any::<u8>(), 1..300));
    (part(), part(), part()).prop_map(|(kind, format, data)| {
        let mut memo = json!({});
        for (name, part) in [
            ("MemoType", kind),
            ("MemoFormat", format),
            ("MemoData", data),
        ] {
            if let Some(part) = part {
                memo[name] = json!(hex::encode_upper(part));
            }
        }
        json!({ "Memo": memo })
    })
}

prop_compose! {
    fn common()(
        account: [u8; 20], fee in 1..=Drops::MAX.get(), sequence: u32, ticket: Option<u32>,
        last_ledger: u32, network in prop::option::of(1025..=u32::MAX), source_tag: Option<u32>,
        key in prop::array::uniform32(any::<u8>()), signature in prop::collection::vec(any::<u8>(), 64..=72),
        memos in prop::collection::vec(memo(), 0..3),
    ) -> Value {
        let mut tx = json!({
            "Account": AccountId(account).to_string(), "Fee": fee.to_string(), "Flags": 0,
            "Sequence": sequence, "LastLedgerSequence": last_ledger,
            "SigningPubKey": format!("ED{}", hex::encode_upper(key)),
            "TxnSignature": hex::encode_upper(signature),
        });
        if let Some(ticket) = ticket {
            tx["Sequence"] = json!(0);
            tx["TicketSequence"] = json!(ticket);
        }
        for (name, value) in [("NetworkID", network), ("SourceTag", source_tag)] {
            if let Some(value) = value {
                tx[name] = json!(value);
            }
        }
        if !memos.is_empty() {
            tx["Memos"] = json!(memos);
        }
        tx
    }
}

proptest! {
    #[test]
    fn both_encoders_agree_on_any_xrp_payment(
        mut tx in common(), destination: [u8; 20], tag: Option<u32>,
        amount in 0..=Drops::MAX.get(), invoice: Option<[u8; 32]>, signer: [u8; 20],
    ) {
        tx["TransactionType"] = json!("Payment");
        tx["Destination"] = json!(AccountId(destination).to_string());
        tx["Amount"] = json!(amount.to_string());
        if let Some(tag) = tag {
            tx["DestinationTag"] = json!(tag);
        }
        if let Some(invoice) = invoice {
            tx["InvoiceID"] = json!(hex::encode_upper(invoice));
        }
        prop_assert_eq!(hex::encode_upper(encode(&tx).unwrap()), theirs(&tx));
        let covered = xrpl::core::binarycodec::encode_for_signing(&tx).unwrap();
        prop_assert_eq!(hex::encode_upper(signing_bytes(&tx).unwrap()), covered);
        tx["SigningPubKey"] = json!("");
        let signer = AccountId(signer);
        let covered = xrpl::core::binarycodec::encode_for_multisigning(&tx, signer.to_string().into());
        prop_assert_eq!(hex::encode_upper(multisigning_bytes(&tx, signer).unwrap()), covered.unwrap());
    }

    #[test]
    fn both_encoders_agree_on_any_account_set_that_does_nothing(mut tx in common()) {
        tx["TransactionType"] = json!("AccountSet");
        prop_assert_eq!(hex::encode_upper(encode(&tx).unwrap()), theirs(&tx));
    }
}
