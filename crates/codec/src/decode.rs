//! Bytes to JSON, exactly as a ledger server prints a transaction.
//!
//! Bytes come from the network. Every length is checked, nesting is bounded, and bytes that are
//! not the one canonical form of what they say are refused.

use crate::amount::{Amount, currency_text, read_issue};
use crate::encode::{BRIDGE, DEPTH_MAX};
use crate::error::{CodecError, Problem};
use crate::field::{ARRAY_END, Field, Kind, OBJECT_END, is_decimal, name_of, permission_name};
use crate::number::read_number;
use crate::paths::read_paths;
use crate::reader::Reader;
use crate::table;
use serde_json::{Map, Value, json};
use std::ops::Range;
use xrpayd_core::address::AccountId;

/// No server accepts a longer transaction.
const BLOB_LEN_MAX: usize = 1024 * 1024;

/// Reads a transaction.
///
/// # Errors
/// Says where the bytes stop being a transaction in canonical form.
pub fn decode(blob: &[u8]) -> Result<Value, CodecError> {
    let fields = top_fields(blob)?;
    Ok(Value::Object(
        fields
            .into_iter()
            .map(|top| (top.field.name.to_owned(), top.value))
            .collect(),
    ))
}

/// Reads any object of the ledger's: a state entry, a transaction's metadata.
///
/// # Errors
/// Says where the bytes stop being an object in canonical form.
pub fn decode_object(bytes: &[u8]) -> Result<Value, CodecError> {
    let fields = all_fields(bytes)?.into_iter();
    Ok(Value::Object(
        fields
            .map(|top| (top.field.name.to_owned(), top.value))
            .collect(),
    ))
}

/// A field of the transaction itself, with the place it occupies in the blob.
pub(crate) struct TopField {
    pub(crate) field: &'static Field,
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

pub(crate) fn top_fields(blob: &[u8]) -> Result<Vec<TopField>, CodecError> {
    let fields = all_fields(blob)?;
    if !fields.iter().any(|top| top.field.name == "TransactionType") {
        return Err(CodecError::field("TransactionType", Problem::Missing));
    }
    Ok(fields)
}

fn all_fields(blob: &[u8]) -> Result<Vec<TopField>, CodecError> {
    let mut reader = Reader::new(blob);
    if blob.len() > BLOB_LEN_MAX {
        return Err(reader.fail(Problem::TooLong));
    }
    let mut fields: Vec<TopField> = Vec::with_capacity(16);
    while !reader.is_done() {
        let start = reader.at();
        let field = read_announcement(&mut reader)?;
        if fields
            .last()
            .is_some_and(|last| last.field.id() >= field.id())
        {
            return Err(reader.fail(Problem::OutOfOrder));
        }
        let value = read_value(field, &mut reader, 0)?;
        fields.push(TopField {
            field,
            span: start..reader.at(),
            value,
        });
    }
    Ok(fields)
}

fn read_announcement(reader: &mut Reader<'_>) -> Result<&'static Field, CodecError> {
    let first = reader.byte()?;
    let (kind, nth) = (first >> 4, first & 15);
    let mut large = |small: u8| match small {
        // A number below 16 has a shorter form, and that one is the canonical one.
        0 => reader.byte().and_then(|number| {
            if number < 16 {
                Err(reader.fail(Problem::NotCanonical))
            } else {
                Ok(number)
            }
        }),
        small => Ok(small),
    };
    let kind = large(kind)?;
    let nth = large(nth)?;
    Field::with_id((kind, nth)).ok_or_else(|| reader.fail(Problem::UnknownField))
}

fn read_value(
    field: &'static Field,
    reader: &mut Reader<'_>,
    depth: usize,
) -> Result<Value, CodecError> {
    Ok(match field.kind {
        Kind::UInt8 => small(field, reader.byte()?.into(), reader)?,
        Kind::UInt16 => small(field, u16::from_be_bytes(reader.array()?).into(), reader)?,
        Kind::UInt32 => small(field, u32::from_be_bytes(reader.array()?), reader)?,
        Kind::UInt64 => {
            let number = u64::from_be_bytes(reader.array()?);
            if is_decimal(field) {
                json!(number.to_string())
            } else {
                json!(format!("{number:x}"))
            }
        }
        Kind::Int32 => json!(i32::from_be_bytes(reader.array()?)),
        Kind::Hash128 => json!(hex::encode_upper(reader.take(16)?)),
        Kind::Hash160 => json!(hex::encode_upper(reader.take(20)?)),
        Kind::Hash192 => json!(hex::encode_upper(reader.take(24)?)),
        Kind::Hash256 => json!(hex::encode_upper(reader.take(32)?)),
        Kind::Amount => Amount::read(reader)?.to_json(),
        Kind::Blob => json!(hex::encode_upper(reader.prefixed()?)),
        Kind::AccountId => json!(read_account(reader)?.to_string()),
        Kind::Number => json!(read_number(reader)?),
        Kind::STObject => Value::Object(read_object(reader, depth)?),
        Kind::STArray => Value::Array(read_array(reader, depth)?),
        Kind::PathSet => read_paths(reader)?,
        Kind::Vector256 => {
            let hashes = reader.prefixed()?.chunks(32);
            if hashes.clone().any(|hash| hash.len() != 32) {
                return Err(reader.fail(Problem::NotCanonical));
            }
            hashes.map(hex::encode_upper).collect()
        }
        Kind::Issue => read_issue(reader)?,
        Kind::Currency => json!(currency_text(reader.array()?)),
        Kind::XChainBridge => {
            let mut bridge = Map::new();
            for (door, issue) in BRIDGE {
                let account = read_account(reader)?.to_string();
                bridge.insert(door.to_owned(), json!(account));
                bridge.insert(issue.to_owned(), read_issue(reader)?);
            }
            Value::Object(bridge)
        }
    })
}

fn read_account(reader: &mut Reader<'_>) -> Result<AccountId, CodecError> {
    let bytes = reader.prefixed()?;
    <[u8; 20]>::try_from(bytes)
        .map(AccountId)
        .map_err(|_| reader.fail(Problem::NotCanonical))
}

/// A number of up to 32 bits; a few fields are printed by name.
fn small(field: &Field, number: u32, reader: &Reader<'_>) -> Result<Value, CodecError> {
    let list = match field.name {
        "TransactionType" => table::TRANSACTION_TYPES,
        "LedgerEntryType" => table::LEDGER_ENTRY_TYPES,
        "TransactionResult" => table::RESULTS,
        "PermissionValue" => {
            return Ok(permission_name(number).map_or_else(|| json!(number), |name| json!(name)));
        }
        _ => return Ok(json!(number)),
    };
    u16::try_from(number)
        .ok()
        .and_then(|code| name_of(list, code))
        .map(|name| json!(name))
        .ok_or_else(|| reader.fail(Problem::UnknownName))
}

fn read_object(reader: &mut Reader<'_>, depth: usize) -> Result<Map<String, Value>, CodecError> {
    if depth >= DEPTH_MAX {
        return Err(reader.fail(Problem::TooDeep));
    }
    let mut object = Map::new();
    let mut last = None;
    while reader.peek() != Some(OBJECT_END) {
        let field = read_announcement(reader)?;
        if last.is_some_and(|last| last >= field.id()) {
            return Err(reader.fail(Problem::OutOfOrder));
        }
        last = Some(field.id());
        let value = read_value(field, reader, depth + 1)?;
        object.insert(field.name.to_owned(), value);
    }
    reader.byte()?;
    Ok(object)
}

fn read_array(reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Value>, CodecError> {
    if depth >= DEPTH_MAX {
        return Err(reader.fail(Problem::TooDeep));
    }
    let mut array = Vec::new();
    while reader.peek() != Some(ARRAY_END) {
        let field = read_announcement(reader)?;
        if field.kind != Kind::STObject {
            return Err(reader.fail(Problem::Misplaced));
        }
        let inner = read_object(reader, depth + 1)?;
        let mut element = Map::new();
        element.insert(field.name.to_owned(), Value::Object(inner));
        array.push(Value::Object(element));
    }
    reader.byte()?;
    Ok(array)
}
