//! State entries and metadata as JSON: the objects that only the ledger itself writes, which the codec
//! of signed transactions has no reason to know.
//!
//! Owns the names of the fields that the model writes. A field without a name here is a mistake in the
//! model; it is logged and left out.

use super::render::hex;
use crate::st::{Field, FieldId, Fields, Malformed, kind};
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;

/// The names of the fields that the model writes into state entries and metadata.
const NAMES: [(FieldId, &str); 39] = [
    (FieldId(kind::U16, 1), "LedgerEntryType"),
    (FieldId(kind::U16, 3), "SignerWeight"),
    (FieldId(kind::U32, 2), "Flags"),
    (FieldId(kind::U32, 4), "Sequence"),
    (FieldId(kind::U32, 5), "PreviousTxnLgrSeq"),
    (FieldId(kind::U32, 11), "TransferRate"),
    (FieldId(kind::U32, 13), "OwnerCount"),
    (FieldId(kind::U32, 28), "TransactionIndex"),
    (FieldId(kind::U32, 35), "SignerQuorum"),
    (FieldId(kind::U32, 38), "SignerListID"),
    (FieldId(kind::U32, 40), "TicketCount"),
    (FieldId(kind::U32, 41), "TicketSequence"),
    (FieldId(kind::U64, 1), "IndexNext"),
    (FieldId(kind::U64, 2), "IndexPrevious"),
    (FieldId(kind::U64, 4), "OwnerNode"),
    (FieldId(kind::H128, 1), "EmailHash"),
    (FieldId(kind::H256, 5), "PreviousTxnID"),
    (FieldId(kind::H256, 6), "LedgerIndex"),
    (FieldId(kind::H256, 7), "WalletLocator"),
    (FieldId(kind::H256, 8), "RootIndex"),
    (FieldId(kind::H256, 9), "AccountTxnID"),
    (FieldId(kind::AMOUNT, 2), "Balance"),
    (FieldId(kind::BLOB, 2), "MessageKey"),
    (FieldId(kind::BLOB, 7), "Domain"),
    (FieldId(kind::ACCOUNT, 1), "Account"),
    (FieldId(kind::ACCOUNT, 2), "Owner"),
    (FieldId(kind::ACCOUNT, 8), "RegularKey"),
    (FieldId(kind::ACCOUNT, 9), "NFTokenMinter"),
    (FieldId(kind::OBJECT, 3), "CreatedNode"),
    (FieldId(kind::OBJECT, 4), "DeletedNode"),
    (FieldId(kind::OBJECT, 5), "ModifiedNode"),
    (FieldId(kind::OBJECT, 6), "PreviousFields"),
    (FieldId(kind::OBJECT, 7), "FinalFields"),
    (FieldId(kind::OBJECT, 8), "NewFields"),
    (FieldId(kind::OBJECT, 11), "SignerEntry"),
    (FieldId(kind::ARRAY, 4), "SignerEntries"),
    (FieldId(kind::ARRAY, 8), "AffectedNodes"),
    (FieldId(kind::U8, 3), "TransactionResult"),
    (FieldId(kind::U8, 16), "TickSize"),
];

fn name(id: FieldId) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, name)| *name)
}

/// An object's fields as rippled prints them.
pub(crate) fn to_json(bytes: &[u8]) -> Map<String, Value> {
    let mut out = Map::new();
    for field in Fields::of(bytes) {
        match field.map(|field| (name(field.id), value(&field))) {
            Ok((Some(name), Ok(value))) => {
                out.insert(name.to_owned(), value);
            }
            unknown => tracing::error!(?unknown, "the ledger holds a field that has no name"),
        }
    }
    out
}

fn value(field: &Field<'_>) -> Result<Value, Malformed> {
    Ok(match field.id {
        FieldId(kind::U16, 1) => entry_type(field.number()),
        FieldId(kind::U16 | kind::U32 | kind::U8, _) => json!(field.number()),
        FieldId(kind::U64, _) => json!(format!("{:x}", field.number())),
        FieldId(kind::AMOUNT, _) => json!((field.number() & 0x1FFF_FFFF_FFFF_FFFF).to_string()),
        FieldId(kind::ACCOUNT, _) => json!(AccountId(field.array().ok_or(Malformed::Unknown)?)),
        FieldId(kind::OBJECT, _) => Value::Object(to_json(field.value)),
        FieldId(kind::ARRAY, _) => array(field.value),
        _ => json!(hex(field.value)),
    })
}

fn array(bytes: &[u8]) -> Value {
    let objects = Fields::of(bytes).filter_map(Result::ok);
    let items = objects.filter_map(|object| {
        let wrapped = json!({ name(object.id)?: to_json(object.value) });
        Some(wrapped)
    });
    items.collect()
}

fn entry_type(number: u64) -> Value {
    match number {
        0x61 => json!("AccountRoot"),
        0x54 => json!("Ticket"),
        0x64 => json!("DirectoryNode"),
        0x53 => json!("SignerList"),
        other => json!(other),
    }
}
