//! `submit`: from a blob to the engine and back. Signatures are checked before the lock is taken.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render;
use super::signing;
use crate::faults::FalseAnswer;
use crate::ledger::codes::Ter;
use crate::ledger::tx::{Tx, f, types};
use crate::network::{Origin, Submitted};
use crate::st::{Fields, kind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The most bytes that a transaction's memos may take.
const MEMOS_LEN_MAX: usize = 1_024;
/// What memo types and formats may consist of.
const MEMO_CHARACTERS: &[u8] =
    b"0123456789-._~:/?#[]@!$&'()*+,;=%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn submit(call: &Call<'_>) -> Answer {
    let Some(blob) = call.params.get("tx_blob") else {
        return signing::sign_and_submit(call);
    };
    let text = blob.as_str().ok_or_else(RpcError::invalid_params)?;
    let blob = hex::decode(text).ok().filter(|blob| !blob.is_empty());
    let blob = blob.ok_or_else(RpcError::invalid_params)?;
    let (tx, mut json) = parse(blob)?;
    call.shared
        .arrivals()
        .note(call.server(), tx.account, tx.hash);
    check(call, &tx)?;
    let fail_hard = call.flag("fail_hard")?;
    let origin = if fail_hard {
        Origin::ClientFailHard
    } else {
        Origin::Client
    };
    let tx = Arc::new(tx);
    let (submitted, place, lie) = {
        let mut net = call.shared.net();
        let faults = &net.servers[call.server()].faults;
        let lie = faults.answer(tx.destination_tag);
        if let Some(lie) = lie.filter(|lie| !lie.taken) {
            json.insert("hash".to_owned(), json!(tx.hash));
            return Ok(falsely(answer(&Submitted::NOT_TAKEN, &tx, json), lie));
        }
        let submitted = match faults.turns_away(tx.hash, tx.account) {
            Some(result) => Submitted {
                result,
                queued: result == Ter::TER_QUEUED,
                ..Submitted::NOT_TAKEN
            },
            None => net.submit(call.server(), &tx, origin),
        };
        let complete = net.servers[call.server()].complete;
        let place = net
            .chain(call.server())
            .place(tx.hash)
            .filter(|place| place.ledger <= complete);
        (submitted, place, lie)
    };
    json.insert("hash".to_owned(), json!(tx.hash));
    if let Some(place) = place {
        json.insert("inLedger".to_owned(), json!(place.ledger));
        json.insert("ledger_index".to_owned(), json!(place.ledger));
    }
    let answer = answer(&submitted, &tx, json);
    Ok(match lie {
        Some(lie) => falsely(answer, lie),
        None => answer,
    })
}

/// An answer with another result than the true one.
fn falsely(mut answer: Value, lie: FalseAnswer) -> Value {
    let (number, message) = lie.shown();
    answer["engine_result"] = json!(lie.result);
    answer["engine_result_code"] = json!(number);
    answer["engine_result_message"] = json!(message);
    answer
}

/// Reads a blob both ways: for the rules, and for the answer. The codec is the stricter of the two.
fn parse(blob: Vec<u8>) -> Result<(Tx, Map<String, Value>), RpcError> {
    let tx = Tx::parse(blob).map_err(|error| RpcError::invalid_transaction(&error.to_string()))?;
    match xrpayd_codec::decode(&tx.blob) {
        Ok(Value::Object(json)) => Ok((tx, json)),
        Ok(_) => Err(RpcError::invalid_transaction("not an object")),
        Err(error) => Err(RpcError::invalid_transaction(&error.to_string())),
    }
}

/// What a server checks before the engine sees a transaction.
fn check(call: &Call<'_>, tx: &Tx) -> Result<(), RpcError> {
    let refuse = |reason: &str| {
        Err(RpcError::invalid_transaction(&format!(
            "fails local checks: {reason}"
        )))
    };
    if !call.shared.is_verified(tx.hash) {
        if let Err(reason) = tx.check_signatures() {
            return refuse(&reason);
        }
        call.shared.remember_verified(tx.hash);
    }
    match local_problem(tx) {
        Some(reason) => refuse(reason),
        None => Ok(()),
    }
}

/// What is wrong with a transaction that no ledger is needed to see, in rippled's words.
pub(super) fn local_problem(tx: &Tx) -> Option<&'static str> {
    let pseudo = (tx.kind >= types::PSEUDO_FIRST).then_some("Cannot submit pseudo transactions.");
    bad_memos(tx).or(pseudo)
}

fn bad_memos(tx: &Tx) -> Option<&'static str> {
    let memos = tx.field(f::MEMOS)?;
    if memos.value.len() > MEMOS_LEN_MAX {
        return Some("The memo exceeds the maximum allowed size.");
    }
    for memo in Fields::of(memos.value) {
        let Ok(memo) = memo else {
            return Some("A memo array may contain only Memo objects.");
        };
        if memo.id != crate::st::FieldId(kind::OBJECT, 10) {
            return Some("A memo array may contain only Memo objects.");
        }
        for field in Fields::of(memo.value).filter_map(Result::ok) {
            match field.id {
                crate::st::FieldId(kind::BLOB, 12 | 14) => {
                    if !field
                        .value
                        .iter()
                        .all(|byte| MEMO_CHARACTERS.contains(byte))
                    {
                        return Some(
                            "The MemoType and MemoFormat fields may only contain characters that are allowed in URLs under RFC 3986.",
                        );
                    }
                }
                crate::st::FieldId(kind::BLOB, 13) => {}
                _ => {
                    return Some(
                        "A memo may contain only MemoType, MemoData or MemoFormat fields.",
                    );
                }
            }
        }
    }
    None
}

fn answer(submitted: &Submitted, tx: &Tx, json: Map<String, Value>) -> Value {
    let result = submitted.result;
    let accepted = submitted.applied || submitted.broadcast || submitted.queued || submitted.kept;
    let mut out = json!({
        "accepted": accepted,
        "applied": submitted.applied,
        "broadcast": submitted.broadcast,
        "engine_result": result.name(),
        "engine_result_code": result.number(),
        "engine_result_message": result.message(),
        "kept": submitted.kept,
        "queued": submitted.queued,
        "tx_blob": render::hex(&tx.blob),
        "tx_json": json,
    });
    if let Some(state) = submitted.state {
        out["account_sequence_available"] = json!(state.sequence_available);
        out["account_sequence_next"] = json!(state.sequence_next);
        out["open_ledger_cost"] = json!(state.open_ledger_cost.to_string());
        out["validated_ledger_index"] = json!(state.validated);
    }
    out
}
