//! Signing for a client, and submitting what several signed: `sign`, `sign_for`, `submit_multisigned`,
//! and `submit` with a secret.
//!
//! Owns nothing; secrets are used and forgotten. What is wrong with a transaction is told before anything
//! of it reaches the ledger.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::prepare::{self, Signing};
use super::render::{self, hex};
use super::{secrets, submit};
use crate::decoded;
use crate::ledger::codes::Ter;
use crate::ledger::tx::{Tx, f};
use crate::network::Origin;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use xrpayd_codec::keys::Keypair;
use xrpayd_codec::{multisigning_bytes, signing_bytes};
use xrpayd_core::address::AccountId;

const SUBMIT_DEPRECATED: &str = "Signing support in the 'submit' command has been deprecated and will be removed in a future version of the server. Please migrate to a standalone signing tool.";
const SIGN_DEPRECATED: &str = "This command has been deprecated and will be removed in a future version of the server. Please migrate to a standalone signing tool.";
const UNFIT: &str = "Exception occurred constructing serialized transaction";
const UNFIT_OF_SEVERAL: &str = "Exception while serializing transaction: {}";

/// Says, with an answer or an error, that the method is deprecated.
fn deprecated(answer: Answer, words: &str) -> Answer {
    match answer {
        Ok(mut answer) => {
            answer["deprecated"] = json!(words);
            Ok(answer)
        }
        Err(error) => Err(error.with("deprecated", json!(words))),
    }
}

pub(super) fn sign(call: &Call<'_>) -> Answer {
    let signed = signed(call).map(|tx| answer(call, &tx, None));
    deprecated(signed, SIGN_DEPRECATED)
}

/// `submit` of a transaction that is not signed yet.
pub(super) fn sign_and_submit(call: &Call<'_>) -> Answer {
    let submitted = signed(call).map(|tx| send(call, tx));
    deprecated(submitted, SUBMIT_DEPRECATED)
}

/// The transaction, completed and signed with the secret.
fn signed(call: &Call<'_>) -> Result<Tx, RpcError> {
    let pair = secrets::signing_pair(call.params, 1)?;
    let mut tx = prepare::prepare(call, Signing::Alone, pair.account_id())?;
    // Whoever signs replaces whatever signature is there.
    tx.insert(
        "SigningPubKey".to_owned(),
        json!(pair.public_key().to_string()),
    );
    tx.remove("TxnSignature");
    let unsigned = prepare::finished(&tx, UNFIT)?;
    local_checks(&unsigned)?;
    let complete = decoded::transaction(&unsigned.blob);
    let message = signing_bytes(&Value::Object(complete.clone()));
    let message = message.map_err(|_| RpcError::internal().worded(UNFIT))?;
    let mut complete = complete;
    let signature = hex(&pair.sign(&message));
    complete.insert("TxnSignature".to_owned(), json!(signature));
    prepare::finished(&complete, UNFIT)
}

/// What any server checks of a transaction before it looks at its signatures.
fn local_checks(tx: &Tx) -> Result<(), RpcError> {
    match submit::local_problem(tx) {
        Some(reason) => Err(RpcError::invalid(reason)),
        None => Ok(()),
    }
}

/// The answer of methods that sign; `result` where it was also submitted.
fn answer(call: &Call<'_>, tx: &Tx, result: Option<Ter>) -> Value {
    let mut out = json!({
        "tx_blob": hex(&tx.blob),
        "tx_json": render::tx_json(&tx.blob, tx.hash, call.version),
    });
    if call.version > 1 {
        out["hash"] = json!(tx.hash);
    }
    if let Some(result) = result {
        out["engine_result"] = json!(result.name());
        out["engine_result_code"] = json!(result.number());
        out["engine_result_message"] = json!(result.message());
    }
    out
}

fn send(call: &Call<'_>, tx: Tx) -> Value {
    let origin = if call.truthy("fail_hard") {
        Origin::ClientFailHard
    } else {
        Origin::Client
    };
    call.shared.remember_verified(tx.hash);
    let tx = Arc::new(tx);
    let submitted = call.shared.net().submit(call.server(), &tx, origin);
    answer(call, &tx, Some(submitted.result))
}

/// What `sign_for` and `submit_multisigned` want to see before anything else.
fn looks_multisigned(tx: &Map<String, Value>) -> Result<(), RpcError> {
    if !tx.contains_key("Sequence") {
        return Err(RpcError::missing("tx_json.Sequence"));
    }
    match tx.get("SigningPubKey") {
        None => Err(RpcError::missing("tx_json.SigningPubKey")),
        Some(Value::String(key)) if key.is_empty() => Ok(()),
        Some(_) => Err(RpcError::invalid(
            "When multi-signing 'tx_json.SigningPubKey' must be empty.",
        )),
    }
}

/// The signers sorted by their accounts, none of them twice or the sender.
fn sorted(signers: &[Value], sender: AccountId) -> Result<Vec<Value>, RpcError> {
    if signers.is_empty() {
        return Err(RpcError::invalid("Signers array may not be empty."));
    }
    let mut sorted = Vec::with_capacity(signers.len());
    for signer in signers {
        let account = signer["Signer"]["Account"].as_str();
        let account: Option<AccountId> = account.and_then(|text| text.parse().ok());
        let words = "Signers array may only contain Signer entries.";
        sorted.push((account.ok_or_else(|| RpcError::invalid(words))?, signer));
    }
    sorted.sort_by_key(|(account, _)| *account);
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let twice = pair[0].0;
        return Err(RpcError::invalid(format!(
            "Duplicate Signers:Signer:Account entries ({twice}) are not allowed."
        )));
    }
    if sorted.iter().any(|(account, _)| *account == sender) {
        return Err(RpcError::invalid(format!(
            "A Signer may not be the transaction's Account ({sender})."
        )));
    }
    Ok(sorted
        .into_iter()
        .map(|(_, signer)| signer.clone())
        .collect())
}

/// The transaction with these signers, whose signatures must hold.
fn with_signers(
    mut tx: Map<String, Value>,
    signers: &[Value],
    sender: AccountId,
) -> Result<Tx, RpcError> {
    let signers = sorted(signers, sender)?;
    tx.insert("Signers".to_owned(), json!(signers));
    let tx = prepare::finished(&tx, UNFIT_OF_SEVERAL)?;
    let broken = |_| RpcError::internal().worded("Invalid signature.");
    tx.check_signatures().map_err(broken)?;
    Ok(tx)
}

fn list(tx: &Map<String, Value>) -> Vec<Value> {
    let signers = tx.get("Signers").and_then(Value::as_array);
    signers.cloned().unwrap_or_default()
}

pub(super) fn sign_for(call: &Call<'_>) -> Answer {
    let signed = one_of_several(call).map(|tx| answer(call, &tx, None));
    deprecated(signed, SIGN_DEPRECATED)
}

fn one_of_several(call: &Call<'_>) -> Result<Tx, RpcError> {
    let signer = call.params.get("account");
    let signer = signer.ok_or_else(|| RpcError::missing("account"))?;
    let signer = signer.as_str().and_then(|text| text.parse().ok());
    let malformed = || RpcError::source_malformed().worded("Invalid field 'account'.");
    let signer: AccountId = signer.ok_or_else(malformed)?;
    let mut given = prepare::given(call)?;
    given.entry("SigningPubKey").or_insert(json!(""));
    looks_multisigned(&given)?;
    let pair = secrets::signing_pair(call.params, 1)?;
    let mut tx = prepare::prepare(call, Signing::AmongOthers, pair.account_id())?;
    tx.insert("SigningPubKey".to_owned(), json!(""));
    let unsigned = prepare::finished(&tx, UNFIT)?;
    local_checks(&unsigned)?;
    let root = prepare::root(call, signer);
    prepare::may_sign(root.as_ref(), signer, pair.account_id())?;
    let complete = decoded::transaction(&unsigned.blob);
    let signature = signature_of(&complete, &pair, signer)?;
    let mut signers = list(&complete);
    signers.push(signature);
    with_signers(complete, &signers, unsigned.account)
}

fn signature_of(
    tx: &Map<String, Value>,
    pair: &Keypair,
    signer: AccountId,
) -> Result<Value, RpcError> {
    let message = multisigning_bytes(&Value::Object(tx.clone()), signer);
    let message = message.map_err(|_| RpcError::internal().worded(UNFIT))?;
    Ok(json!({"Signer": {
        "Account": signer,
        "SigningPubKey": pair.public_key().to_string(),
        "TxnSignature": hex(&pair.sign(&message)),
    }}))
}

pub(super) fn submit_multisigned(call: &Call<'_>) -> Answer {
    let mut given = prepare::given(call)?;
    looks_multisigned(&given)?;
    let sender = prepare::sender(&given)?;
    if prepare::root(call, sender).is_none() {
        return Err(RpcError::source_not_found());
    }
    if !given.contains_key("Fee") {
        return Err(RpcError::missing("tx_json.Fee"));
    }
    prepare::payment(call, &mut given, false)?;
    let tx = prepare::finished(&given, UNFIT_OF_SEVERAL)?;
    local_checks(&tx)?;
    if tx.field(f::TXN_SIGNATURE).is_some() {
        return Err(RpcError::signing_malformed());
    }
    match tx.fee {
        None => {
            const WORDS: &str = "Invalid Fee field.  Fees must be specified in XRP.";
            return Err(RpcError::invalid(WORDS));
        }
        Some(fee) if fee <= 0 => {
            const WORDS: &str = "Invalid Fee field.  Fees must be greater than zero.";
            return Err(RpcError::invalid(WORDS));
        }
        Some(_) => {}
    }
    if tx.field(f::SIGNERS).is_none() {
        return Err(RpcError::missing("tx_json.Signers"));
    }
    let complete = decoded::transaction(&tx.blob);
    let signers = list(&complete);
    if signers.is_empty() {
        const WORDS: &str = "tx_json.Signers array may not be empty.";
        return Err(RpcError::invalid(WORDS));
    }
    let is_signer = |signer: &Value| {
        let fields = signer["Signer"].as_object();
        let names = ["Account", "SigningPubKey", "TxnSignature"];
        fields.is_some_and(|fields| {
            fields.len() == names.len() && names.iter().all(|name| fields.contains_key(*name))
        })
    };
    if !signers.iter().all(is_signer) {
        const WORDS: &str = "Signers array may only contain Signer entries.";
        return Err(RpcError::invalid(WORDS));
    }
    let tx = with_signers(complete, &signers, sender)?;
    Ok(send(call, tx))
}
