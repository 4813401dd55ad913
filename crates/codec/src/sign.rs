//! Signing, alone and together.

use crate::check::SIGNERS_MAX;
use crate::encode::{encode, multisigning_bytes, signing_bytes};
use crate::error::{CodecError, Problem};
use crate::hash::transaction_hash;
use crate::keys::Keypair;
use serde_json::{Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// A signed transaction: the bytes to submit, and the name under which the ledger will know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The bytes to submit.
    pub blob: Vec<u8>,
    /// The identifying hash.
    pub hash: TxHash,
}

impl Signed {
    fn of(tx: &Value) -> Result<Self, CodecError> {
        let blob = encode(tx)?;
        let hash = transaction_hash(&blob);
        Ok(Self { blob, hash })
    }
}

/// Signs a transaction with one key, which is written into `SigningPubKey`.
///
/// # Errors
/// As for [`encode`], and when the transaction already carries a signature.
pub fn sign(tx: &Value, key: &Keypair) -> Result<Signed, CodecError> {
    let mut tx = unsigned(tx)?;
    tx["SigningPubKey"] = json!(key.public_key().to_string());
    let signature = key.sign(&signing_bytes(&tx)?);
    tx["TxnSignature"] = json!(hex::encode_upper(signature));
    Signed::of(&tx)
}

/// One signature of several: the object that [`combine`] takes.
///
/// # Errors
/// As for [`multisigning_bytes`], and when the signer is the account itself.
pub fn multisign_one(tx: &Value, key: &Keypair, signer: AccountId) -> Result<Value, CodecError> {
    let tx = unsigned(tx)?;
    refuse_self(&tx, signer)?;
    let signature = key.sign(&multisigning_bytes(&tx, signer)?);
    Ok(json!({"Signer": {
        "Account": signer.to_string(),
        "SigningPubKey": key.public_key().to_string(),
        "TxnSignature": hex::encode_upper(signature),
    }}))
}

/// The transaction with all its signers, sorted as the ledger demands. The signatures are not
/// checked here; [`crate::check_signature`] does that.
///
/// # Errors
/// As for [`encode`]; also no signer, more than 32, one twice, or the account itself among them.
pub fn combine(tx: &Value, signers: Vec<Value>) -> Result<Signed, CodecError> {
    const SIGNERS: &str = "Signers";
    let mut tx = unsigned(tx)?;
    if signers.is_empty() {
        return Err(CodecError::field(SIGNERS, Problem::Empty));
    }
    if signers.len() > SIGNERS_MAX {
        return Err(CodecError::field(SIGNERS, Problem::TooLong));
    }
    let mut sorted = Vec::with_capacity(signers.len());
    for signer in signers {
        let account = signer
            .pointer("/Signer/Account")
            .and_then(Value::as_str)
            .ok_or_else(|| CodecError::field("Signers.Account", Problem::Missing))?;
        let account: AccountId = account
            .parse()
            .map_err(|bad| CodecError::field("Signers.Account", Problem::BadAddress(bad)))?;
        refuse_self(&tx, account)?;
        sorted.push((account, signer));
    }
    // By the twenty bytes, which is another order than that of the addresses as text.
    sorted.sort_by_key(|(account, _)| *account);
    if sorted.windows(2).any(|pair| match pair {
        [(a, _), (b, _)] => a == b,
        _ => false,
    }) {
        return Err(CodecError::field(SIGNERS, Problem::OutOfOrder));
    }
    tx["SigningPubKey"] = json!("");
    tx[SIGNERS] = sorted.into_iter().map(|(_, signer)| signer).collect();
    Signed::of(&tx)
}

/// The transaction, provided that nobody has signed it yet.
fn unsigned(tx: &Value) -> Result<Value, CodecError> {
    let fields = tx
        .as_object()
        .ok_or_else(|| CodecError::field("transaction", Problem::WrongShape("an object")))?;
    for name in ["TxnSignature", "Signers"] {
        if fields.contains_key(name) {
            return Err(CodecError::field(name, Problem::Unwanted));
        }
    }
    Ok(tx.clone())
}

fn refuse_self(tx: &Value, signer: AccountId) -> Result<(), CodecError> {
    if tx.get("Account").and_then(Value::as_str) == Some(signer.to_string().as_str()) {
        return Err(CodecError::field("Signers.Account", Problem::Unwanted));
    }
    Ok(())
}
