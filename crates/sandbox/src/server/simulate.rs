//! `simulate`: what would come of a transaction that nobody has signed.
//!
//! Owns nothing and changes nothing.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::prepare;
use super::render::hex;
use super::tx_json;
use crate::decoded;
use crate::ledger::tx::Tx;
use crate::network::Tried;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;

const WOULD_APPLY: &str = "The simulated transaction would have been applied.";

pub(super) fn simulate(call: &Call<'_>) -> Answer {
    let binary = match call.params.get("binary") {
        None => false,
        Some(Value::Bool(binary)) => *binary,
        Some(_) => return Err(RpcError::invalid_field("binary")),
    };
    for secret in ["secret", "seed", "seed_hex", "passphrase"] {
        if call.params.contains_key(secret) {
            return Err(RpcError::invalid_field(secret));
        }
    }
    let mut fields = given(call)?;
    fill_in(call, &mut fields)?;
    let parsed = tx_json::parse(&fields)?;
    let tx = parsed.map_err(|bad| RpcError::invalid_transaction(&bad.to_string()))?;
    let tried = call.shared.net().try_out(call.server(), &tx);
    Ok(answer(&tx, &tried, binary))
}

/// The transaction, which comes as an object or in binary.
fn given(call: &Call<'_>) -> Result<Map<String, Value>, RpcError> {
    let fields = match (call.params.get("tx_blob"), call.params.get("tx_json")) {
        (Some(_), Some(_)) => {
            const WORDS: &str = "Can only include one of `tx_blob` and `tx_json`.";
            return Err(RpcError::invalid(WORDS));
        }
        (None, None) => {
            const WORDS: &str = "Neither `tx_blob` nor `tx_json` included.";
            return Err(RpcError::invalid(WORDS));
        }
        (Some(blob), None) => {
            let blob = blob.as_str().and_then(|text| ::hex::decode(text).ok());
            let object = blob
                .filter(|blob| !blob.is_empty())
                .and_then(|blob| xrpayd_codec::decode_object(&blob).ok());
            match object {
                Some(Value::Object(fields)) => fields,
                _ => return Err(RpcError::invalid_field("tx_blob")),
            }
        }
        (None, Some(Value::Object(fields))) => fields.clone(),
        (None, Some(_)) => return Err(RpcError::expected("tx_json", "object")),
    };
    for name in ["TransactionType", "Account"] {
        if !fields.contains_key(name) {
            return Err(RpcError::missing(&format!("tx.{name}")));
        }
    }
    Ok(fields)
}

fn fill_in(call: &Call<'_>, tx: &mut Map<String, Value>) -> Result<(), RpcError> {
    if !tx.contains_key("Fee") {
        let fee = prepare::current_fee(call, tx, prepare::FEE_TIMES_MAX, 1)?;
        tx.insert("Fee".to_owned(), json!(fee.to_string()));
    }
    tx.entry("SigningPubKey").or_insert(json!(""));
    prepare::fill_in_signers(tx).map_err(|at| match at {
        None => RpcError::invalid_field("tx.Signers"),
        Some(index) => RpcError::invalid_field(&format!("tx.Signers[{index}]")),
    })?;
    let signers = tx.get("Signers").and_then(Value::as_array);
    let is_signed = |signer: &Value| signer["Signer"]["TxnSignature"] != "";
    if signers.is_some_and(|signers| signers.iter().any(is_signed)) {
        return Err(RpcError::already_signed());
    }
    if tx
        .get("TxnSignature")
        .is_some_and(|signature| signature != "")
    {
        return Err(RpcError::already_signed());
    }
    tx.insert("TxnSignature".to_owned(), json!(""));
    if !tx.contains_key("Sequence") {
        let sequence = sequence(call, tx)?;
        tx.insert("Sequence".to_owned(), json!(sequence));
    }
    prepare::network_id(call, tx);
    Ok(())
}

fn sequence(call: &Call<'_>, tx: &Map<String, Value>) -> Result<u32, RpcError> {
    let account = match tx.get("Account") {
        Some(Value::String(text)) => text.parse::<AccountId>(),
        _ => return Err(RpcError::invalid_field("tx.Account")),
    };
    let malformed = |_| RpcError::source_malformed().worded("Invalid field 'tx.Account'.");
    let account = account.map_err(malformed)?;
    if tx.contains_key("TicketSequence") {
        return Ok(0);
    }
    let next = call.shared.net().next_sequence(call.server(), account);
    next.ok_or_else(RpcError::source_not_found)
}

fn answer(tx: &Tx, tried: &Tried, binary: bool) -> Value {
    let result = tried.result;
    let message = if result.is_success() {
        WOULD_APPLY
    } else {
        result.message()
    };
    let mut out = json!({
        "applied": false,
        "engine_result": result.name(),
        "engine_result_code": result.number(),
        "engine_result_message": message,
        "ledger_index": tried.ledger,
    });
    match &tried.meta {
        Some(meta) if binary => out["meta_blob"] = json!(hex(meta)),
        Some(meta) => out["meta"] = Value::Object(decoded::object(meta)),
        None => {}
    }
    if binary {
        out["tx_blob"] = json!(hex(&tx.blob));
    } else {
        let mut fields = decoded::transaction(&tx.blob);
        fields.insert("hash".to_owned(), json!(tx.hash));
        out["tx_json"] = Value::Object(fields);
    }
    out
}
