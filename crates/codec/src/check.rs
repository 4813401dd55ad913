//! Who signed a transaction, and whether they really did.

use crate::decode::{TopField, top_fields};
use crate::error::CodecError;
use crate::hash::{PREFIX_MULTISIGN, PREFIX_SIGN};
use crate::keys::PublicKey;
use serde_json::Value;
use xrpayd_core::address::AccountId;

/// The most signers a transaction can have.
pub(crate) const SIGNERS_MAX: usize = 32;

/// Whose signatures a transaction carries, all of them checked. Whether those keys may act for the
/// account is for the ledger to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// One key.
    One(PublicKey),
    /// Several signers, in ascending order of their accounts.
    Several(Vec<(AccountId, PublicKey)>),
}

/// Why the signatures of a transaction do not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The bytes are not a transaction.
    #[error("not a transaction: {0}")]
    Undecodable(#[from] CodecError),
    /// Neither a signature nor signers are there, or both are.
    #[error("must carry either one signature or a list of signers")]
    Shape,
    /// A key is not a public key.
    #[error("names a key that is no public key")]
    Key,
    /// Signers are too many, out of order, repeated, or the account itself.
    #[error("the signers are not in order, repeat, are too many or include the account itself")]
    Signers,
    /// A signature is not its key's, or not in canonical form.
    #[error("a signature does not hold")]
    Invalid,
}

/// Checks every signature of a transaction.
///
/// # Errors
/// Says what does not hold.
pub fn check_signature(blob: &[u8]) -> Result<SignedBy, BadSignature> {
    let fields = top_fields(blob)?;
    let find = |name| fields.iter().find(|top| top.field.name == name);
    let key = hex_of(find("SigningPubKey").map(|top| &top.value))?;
    match (find("TxnSignature"), find("Signers")) {
        (Some(signature), None) => {
            let key = PublicKey::from_bytes(&key).map_err(|_| BadSignature::Key)?;
            let signature = hex_of(Some(&signature.value))?;
            let message = covered(blob, &fields, PREFIX_SIGN);
            if key.verify(&message, &signature) {
                Ok(SignedBy::One(key))
            } else {
                Err(BadSignature::Invalid)
            }
        }
        (None, Some(signers)) if key.is_empty() => {
            let account = account_of(find("Account").map(|top| &top.value))?;
            let signers = signers.value.as_array().ok_or(BadSignature::Shape)?;
            let message = covered(blob, &fields, PREFIX_MULTISIGN);
            check_signers(account, signers, &message)
        }
        _ => Err(BadSignature::Shape),
    }
}

fn check_signers(
    account: AccountId,
    signers: &[Value],
    message: &[u8],
) -> Result<SignedBy, BadSignature> {
    if signers.is_empty() || signers.len() > SIGNERS_MAX {
        return Err(BadSignature::Signers);
    }
    let mut checked: Vec<(AccountId, PublicKey)> = Vec::with_capacity(signers.len());
    for signer in signers {
        let signer = signer.get("Signer").ok_or(BadSignature::Shape)?;
        let id = account_of(signer.get("Account"))?;
        if id == account || checked.last().is_some_and(|(last, _)| *last >= id) {
            return Err(BadSignature::Signers);
        }
        let key = hex_of(signer.get("SigningPubKey"))?;
        let key = PublicKey::from_bytes(&key).map_err(|_| BadSignature::Key)?;
        let signature = hex_of(signer.get("TxnSignature"))?;
        if !key.verify(&[message, &id.0].concat(), &signature) {
            return Err(BadSignature::Invalid);
        }
        checked.push((id, key));
    }
    Ok(SignedBy::Several(checked))
}

/// The bytes that were signed, cut out of the blob rather than encoded anew.
fn covered(blob: &[u8], fields: &[TopField], prefix: [u8; 4]) -> Vec<u8> {
    let mut message = prefix.to_vec();
    for top in fields.iter().filter(|top| top.field.signed) {
        message.extend(blob.get(top.span.clone()).unwrap_or_default());
    }
    message
}

fn hex_of(value: Option<&Value>) -> Result<Vec<u8>, BadSignature> {
    let text = value.and_then(Value::as_str).ok_or(BadSignature::Shape)?;
    hex::decode(text).map_err(|_| BadSignature::Shape)
}

fn account_of(value: Option<&Value>) -> Result<AccountId, BadSignature> {
    let text = value.and_then(Value::as_str).ok_or(BadSignature::Shape)?;
    text.parse().map_err(|_| BadSignature::Shape)
}
