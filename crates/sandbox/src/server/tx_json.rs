//! Transactions as clients write them in JSON: read as forgivingly as rippled reads them, refused in its
//! words, and turned into the binary form.
//!
//! Owns nothing. What the codec wants strictly (numbers as numbers, drops as text) is put right first.

use super::frame::RpcError;
use super::render::hex;
use crate::ledger::definitions::{DEFINITIONS, Definition};
use crate::ledger::tx::{BadBlob, Tx};
use serde_json::{Map, Value, json};
use xrpayd_codec::{CodecError, encode};
use xrpayd_core::address::AccountId;

/// How deep objects may lie within one another.
const DEPTH_MAX: usize = 64;
/// The fields of 64 bits that are written in decimal digits.
const DECIMAL: [&str; 3] = ["MaximumAmount", "MPTAmount", "OutstandingAmount"];

/// What the parser says of a field.
fn of_field(path: &str, words: &str) -> RpcError {
    RpcError::invalid(format!("Field '{path}' {words}."))
}

fn invalid_data(path: &str) -> RpcError {
    of_field(path, "has invalid data")
}

fn bad_type(path: &str) -> RpcError {
    of_field(path, "has bad type")
}

/// The binary form of a transaction that is an object named `tx_json`.
pub(super) fn to_blob(tx: &Map<String, Value>) -> Result<Vec<u8>, RpcError> {
    let strict = object("tx_json", tx, 0)?;
    encode(&strict).map_err(|error| match error {
        CodecError::Field { field, .. } => invalid_data(&format!("tx_json.{field}")),
        CodecError::Bytes { .. } => invalid_data("tx_json"),
    })
}

/// The transaction, or why its fields are not those of its type.
pub(super) fn parse(tx: &Map<String, Value>) -> Result<Result<Tx, BadBlob>, RpcError> {
    // Without a type there is nothing to write; rippled fails at the same place later.
    if !tx.contains_key("TransactionType") {
        return Ok(Err(BadBlob::NoType));
    }
    to_blob(tx).map(Tx::parse)
}

fn object(path: &str, fields: &Map<String, Value>, depth: usize) -> Result<Value, RpcError> {
    if depth > DEPTH_MAX {
        return Err(of_field(path, "exceeds nesting depth limit"));
    }
    let mut out = Map::new();
    for (name, given) in fields {
        let path = format!("{path}.{name}");
        let field = DEFINITIONS.named(name).filter(|field| field.id.is_some());
        let field = field.ok_or_else(|| of_field(&path, "is unknown"))?;
        out.insert(name.clone(), value(&path, field, given, depth)?);
    }
    Ok(Value::Object(out))
}

fn value(path: &str, field: &Definition, given: &Value, depth: usize) -> Result<Value, RpcError> {
    match field.kind {
        "UInt8" | "UInt16" | "UInt32" => small(path, field, given),
        "UInt64" => wide(path, field, given),
        "Hash128" => hash(path, given, 16),
        "Hash160" => hash(path, given, 20),
        "Hash192" => hash(path, given, 24),
        "Hash256" => hash(path, given, 32),
        "Blob" => match given.as_str().map(::hex::decode) {
            None => Err(bad_type(path)),
            Some(Err(_)) => Err(invalid_data(path)),
            Some(Ok(_)) => Ok(given.clone()),
        },
        "AccountID" => account(path, given),
        "Amount" => match given {
            Value::Number(number) if number.is_u64() => Ok(json!(number.to_string())),
            Value::Object(_) | Value::String(_) => Ok(given.clone()),
            _ => Err(invalid_data(path)),
        },
        "PathSet" | "Vector256" if !given.is_array() => Err(of_field(path, "must be a JSON array")),
        "STObject" => match given {
            Value::Object(inner) => object(path, inner, depth + 1),
            _ => Err(of_field(path, "is not a JSON object")),
        },
        "STArray" => match given {
            Value::Array(items) => array(path, items, depth + 1),
            _ => Err(of_field(path, "must be a JSON array")),
        },
        _ => Ok(given.clone()),
    }
}

fn array(path: &str, items: &[Value], depth: usize) -> Result<Value, RpcError> {
    if depth > DEPTH_MAX {
        return Err(of_field(path, "exceeds nesting depth limit"));
    }
    let mut out = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let single = item.as_object().filter(|object| object.len() == 1);
        let single = single.and_then(|object| object.iter().next());
        let (name, inner) = single.ok_or_else(|| {
            of_field(
                &format!("{path}[{index}]"),
                "must be an object with a single key/object value",
            )
        })?;
        let path = format!("{path}.[{index}].{name}");
        let field = DEFINITIONS.named(name).filter(|field| field.id.is_some());
        let field = field.ok_or_else(|| of_field(&path, "is unknown"))?;
        let Value::Object(inner) = inner else {
            return Err(of_field(&path, "is not a JSON object"));
        };
        if field.kind != "STObject" {
            return Err(RpcError::invalid(format!(
                "Item '{path}' at index {index} is not an object.  Arrays may only contain objects."
            )));
        }
        let mut wrapped = Map::new();
        wrapped.insert(name.clone(), object(&path, inner, depth)?);
        out.push(Value::Object(wrapped));
    }
    Ok(Value::Array(out))
}

/// A number of up to 32 bits; some are also known by a name.
fn small(path: &str, field: &Definition, given: &Value) -> Result<Value, RpcError> {
    let most = match field.kind {
        "UInt8" => u64::from(u8::MAX),
        "UInt16" => u64::from(u16::MAX),
        _ => u64::from(u32::MAX),
    };
    let is_named = ["TransactionType", "LedgerEntryType", "TransactionResult"];
    let is_named = is_named.contains(&field.name);
    let number = match given {
        Value::String(text) => match text.parse::<u64>() {
            Ok(number) => number,
            Err(_) if is_named && !text.is_empty() => return named(path, field, given),
            Err(_) => return Err(invalid_data(path)),
        },
        Value::Number(number) if number.is_i64() || number.is_u64() => match number.as_u64() {
            Some(number) => number,
            None if field.kind == "UInt8" => return Err(of_field(path, "is out of range")),
            None => return Err(invalid_data(path)),
        },
        _ => return Err(bad_type(path)),
    };
    if number > most {
        return Err(if field.kind == "UInt8" && given.is_number() {
            of_field(path, "is out of range")
        } else {
            invalid_data(path)
        });
    }
    if !is_named {
        return Ok(json!(number));
    }
    // The codec wants the name.
    let known = DEFINITIONS.transactions.iter();
    let known = known
        .filter(|_| field.name == "TransactionType")
        .find(|(_, code)| u64::try_from(*code).is_ok_and(|code| code == number));
    match known {
        Some((name, _)) => Ok(json!(name)),
        None => Err(invalid_data(path)),
    }
}

fn named(path: &str, field: &Definition, given: &Value) -> Result<Value, RpcError> {
    let name = given.as_str().unwrap_or_default();
    if field.name == "TransactionType" && DEFINITIONS.transaction(name).is_none() {
        return Err(invalid_data(path));
    }
    Ok(given.clone())
}

fn wide(path: &str, field: &Definition, given: &Value) -> Result<Value, RpcError> {
    let is_decimal = DECIMAL.contains(&field.name);
    match given {
        Value::String(_) => Ok(given.clone()),
        Value::Number(number) => match number.as_u64() {
            Some(number) if is_decimal => Ok(json!(number.to_string())),
            Some(number) => Ok(json!(format!("{number:X}"))),
            None => Err(invalid_data(path)),
        },
        _ => Err(bad_type(path)),
    }
}

/// A hash; an empty text stands for zeros.
fn hash(path: &str, given: &Value, length: usize) -> Result<Value, RpcError> {
    match given.as_str() {
        None => Err(bad_type(path)),
        Some("") => Ok(json!(hex(&vec![0; length]))),
        Some(_) => Ok(given.clone()),
    }
}

/// An account, as an address or in hexadecimal.
fn account(path: &str, given: &Value) -> Result<Value, RpcError> {
    let text = given.as_str().ok_or_else(|| bad_type(path))?;
    let bytes: Option<[u8; 20]> = ::hex::decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    if let Some(bytes) = bytes {
        return Ok(json!(AccountId(bytes)));
    }
    let account = text.parse::<AccountId>();
    account.map(|id| json!(id)).map_err(|_| invalid_data(path))
}
