//! JSON to bytes. Strict: what cannot be written exactly is an error, and nothing is left out.

use crate::amount::{Amount, currency_bytes, put_issue};
use crate::error::{CodecError, Problem};
use crate::field::{ARRAY_END, Field, Kind, OBJECT_END, code_of, is_decimal, permission_code};
use crate::hash::{PREFIX_MULTISIGN, PREFIX_SIGN};
use crate::number::put_number;
use crate::paths::put_paths;
use crate::reader::put_prefixed;
use crate::table;
use serde_json::{Map, Value};
use xrpayd_core::address::AccountId;

/// Containers within containers, as deep as the ledger's servers go.
pub(crate) const DEPTH_MAX: usize = 10;

/// Which fields of a transaction are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Everything,
    WhatIsSigned,
}

/// Writes a whole transaction.
///
/// # Errors
/// Names the field that is unknown, missing or not exactly representable.
pub fn encode(tx: &Value) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(256);
    put_transaction(tx, Cover::Everything, &mut out)?;
    Ok(out)
}

/// What a single signature covers: the prefix and every field but the signatures.
///
/// # Errors
/// As for [`encode`].
pub fn signing_bytes(tx: &Value) -> Result<Vec<u8>, CodecError> {
    let mut out = PREFIX_SIGN.to_vec();
    put_transaction(tx, Cover::WhatIsSigned, &mut out)?;
    Ok(out)
}

/// What the signature of `signer`, one of several, covers. `SigningPubKey` must be empty or absent,
/// because that is how a transaction says that it has several signers.
///
/// # Errors
/// As for [`encode`], and when the transaction names a single signer's key.
pub fn multisigning_bytes(tx: &Value, signer: AccountId) -> Result<Vec<u8>, CodecError> {
    const KEY: &str = "SigningPubKey";
    let mut out = PREFIX_MULTISIGN.to_vec();
    match tx.get(KEY).map(Value::as_str) {
        Some(Some("")) => put_transaction(tx, Cover::WhatIsSigned, &mut out)?,
        None => {
            let mut marked = tx.clone();
            if let Value::Object(fields) = &mut marked {
                fields.insert(KEY.to_owned(), Value::from(""));
            }
            put_transaction(&marked, Cover::WhatIsSigned, &mut out)?;
        }
        Some(_) => return Err(CodecError::field(KEY, Problem::Unwanted)),
    }
    out.extend(signer.0);
    Ok(out)
}

fn put_transaction(tx: &Value, cover: Cover, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let fields = tx
        .as_object()
        .ok_or_else(|| CodecError::field("transaction", Problem::WrongShape("an object")))?;
    if !fields.contains_key("TransactionType") {
        return Err(CodecError::field("TransactionType", Problem::Missing));
    }
    put_fields(fields, cover, 0, out)
}

fn put_fields(
    fields: &Map<String, Value>,
    cover: Cover,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut sorted = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let field = Field::named(name)
            .ok_or_else(|| CodecError::field(name.as_str(), Problem::UnknownField))?;
        sorted.push((field, value));
    }
    sorted.sort_unstable_by_key(|(field, _)| field.id());
    for (field, value) in sorted {
        // Fields outside the signature are checked all the same, or a signer would learn of a bad
        // one only after having signed.
        let start = out.len();
        field.announce(out);
        put_value(field, value, depth, out)?;
        if cover == Cover::WhatIsSigned && !field.signed {
            out.truncate(start);
        }
    }
    Ok(())
}

fn put_value(
    field: &Field,
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match field.kind {
        Kind::STObject => {
            let inner = value
                .as_object()
                .ok_or_else(|| CodecError::field(field.name, Problem::WrongShape("an object")))?;
            put_inner(inner, depth, out).map_err(|e| e.within(field.name))
        }
        Kind::STArray => put_array(field, value, depth, out).map_err(|e| e.within(field.name)),
        _ => put_plain(field, value, out).map_err(|p| CodecError::field(field.name, p)),
    }
}

fn put_inner(
    inner: &Map<String, Value>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    if depth >= DEPTH_MAX {
        return Err(CodecError::field("object", Problem::TooDeep));
    }
    put_fields(inner, Cover::Everything, depth + 1, out)?;
    out.push(OBJECT_END);
    Ok(())
}

fn put_array(
    field: &Field,
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    const SHAPE: Problem = Problem::WrongShape("a list of objects with one member each");
    let misshapen = || CodecError::field("list", SHAPE);
    if depth >= DEPTH_MAX {
        return Err(CodecError::field("list", Problem::TooDeep));
    }
    for element in value.as_array().ok_or_else(misshapen)? {
        let wrapper = element.as_object().ok_or_else(misshapen)?;
        let (name, inner) = match (wrapper.len(), wrapper.iter().next()) {
            (1, Some(only)) => only,
            _ => return Err(misshapen()),
        };
        let element = Field::named(name)
            .ok_or_else(|| CodecError::field(name.as_str(), Problem::UnknownField))?;
        if element.kind != Kind::STObject {
            return Err(CodecError::field(field.name, SHAPE));
        }
        element.announce(out);
        put_value(element, inner, depth + 1, out)?;
    }
    out.push(ARRAY_END);
    Ok(())
}

fn put_plain(field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), Problem> {
    match field.kind {
        Kind::UInt8 => out.extend(narrow::<u8>(small(field, value)?)?.to_be_bytes()),
        Kind::UInt16 => out.extend(narrow::<u16>(small(field, value)?)?.to_be_bytes()),
        Kind::UInt32 => out.extend(narrow::<u32>(small(field, value)?)?.to_be_bytes()),
        Kind::UInt64 => out.extend(wide(field, value)?.to_be_bytes()),
        Kind::Int32 => {
            let number = value
                .as_i64()
                .ok_or(Problem::WrongShape("a whole number"))?;
            let number = i32::try_from(number).map_err(|_| Problem::OutOfRange)?;
            out.extend(number.to_be_bytes());
        }
        Kind::Hash128 => put_hash(value, 16, out)?,
        Kind::Hash160 => put_hash(value, 20, out)?,
        Kind::Hash192 => put_hash(value, 24, out)?,
        Kind::Hash256 => put_hash(value, 32, out)?,
        Kind::Amount => Amount::from_json(value)?.put(out),
        Kind::Blob => {
            let bytes = hex::decode(text(value)?).map_err(|_| Problem::WrongShape("hex"))?;
            put_prefixed(&bytes, out)?;
        }
        Kind::AccountId => put_prefixed(&text(value)?.parse::<AccountId>()?.0, out)?,
        Kind::Number => put_number(text(value)?, out)?,
        Kind::PathSet => put_paths(value, out)?,
        Kind::Vector256 => {
            let mut hashes = Vec::new();
            let list = value
                .as_array()
                .ok_or(Problem::WrongShape("a list of hashes"))?;
            for hash in list {
                put_hash(hash, 32, &mut hashes)?;
            }
            put_prefixed(&hashes, out)?;
        }
        Kind::Issue => put_issue(value, out)?,
        Kind::Currency => out.extend(currency_bytes(text(value)?)?),
        Kind::XChainBridge => put_bridge(value, out)?,
        Kind::STObject | Kind::STArray => return Err(Problem::Misplaced),
    }
    Ok(())
}

fn text(value: &Value) -> Result<&str, Problem> {
    value.as_str().ok_or(Problem::WrongShape("text"))
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T, Problem> {
    T::try_from(number).map_err(|_| Problem::OutOfRange)
}

/// The number of a field of up to 32 bits; a few fields are stated by name.
fn small(field: &Field, value: &Value) -> Result<u64, Problem> {
    let named = |list, name| code_of(list, name).map(u64::from);
    let code = match (field.name, value.as_str()) {
        ("TransactionType", Some(name)) => named(table::TRANSACTION_TYPES, name),
        ("LedgerEntryType", Some(name)) => named(table::LEDGER_ENTRY_TYPES, name),
        ("TransactionResult", Some(name)) => named(table::RESULTS, name),
        ("PermissionValue", Some(name)) => permission_code(name).map(u64::from),
        ("TransactionType" | "LedgerEntryType" | "TransactionResult", None) => {
            return Err(Problem::WrongShape("a name"));
        }
        _ => {
            return value
                .as_u64()
                .ok_or(Problem::WrongShape("a whole number that is not below zero"));
        }
    };
    code.ok_or(Problem::UnknownName)
}

fn wide(field: &Field, value: &Value) -> Result<u64, Problem> {
    let digits = text(value)?;
    let (radix, shape) = if is_decimal(field) {
        (10, Problem::WrongShape("decimal digits as text"))
    } else {
        (16, Problem::WrongShape("hex digits as text"))
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(shape);
    }
    u64::from_str_radix(digits, radix).map_err(|_| Problem::OutOfRange)
}

fn put_hash(value: &Value, len: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
    const SHAPE: Problem = Problem::WrongShape("hex of the exact length");
    let bytes = hex::decode(text(value)?).map_err(|_| SHAPE)?;
    if bytes.len() != len {
        return Err(SHAPE);
    }
    out.extend(bytes);
    Ok(())
}

/// The doors and issues of a bridge, in the order in which the ledger writes them.
pub(crate) const BRIDGE: [(&str, &str); 2] = [
    ("LockingChainDoor", "LockingChainIssue"),
    ("IssuingChainDoor", "IssuingChainIssue"),
];

fn put_bridge(value: &Value, out: &mut Vec<u8>) -> Result<(), Problem> {
    const SHAPE: Problem = Problem::WrongShape("an object with two doors and two issues");
    let bridge = value.as_object().ok_or(SHAPE)?;
    if bridge.len() != 2 * BRIDGE.len() {
        return Err(SHAPE);
    }
    for (door, issue) in BRIDGE {
        let door = text(bridge.get(door).ok_or(SHAPE)?)?;
        put_prefixed(&door.parse::<AccountId>()?.0, out)?;
        put_issue(bridge.get(issue).ok_or(SHAPE)?, out)?;
    }
    Ok(())
}
