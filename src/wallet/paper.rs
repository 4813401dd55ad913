//! A change of keys on its way between machines: prepared where the network is, signed where the key is,
//! submitted where the network is again.
//!
//! Each paper is a JSON document that says what it is. What it does is always read out of the
//! transaction itself, and a signature that does not hold is refused when the paper is read: nothing
//! that somebody wrote beside the transaction is believed, but the network it is meant for, which for
//! most networks the transaction does not name, and the ledger it was prepared at.

use super::change::{self, Change, NotAChange};
use super::{SignError, second_opinion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xrpayd_codec::transaction::Unsigned;
use xrpayd_codec::{BadSignature, CodecError, Keypair, Signed, SignedBy};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerIndex, TxHash};

/// A document between machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "xrpayd", rename_all = "snake_case", deny_unknown_fields)]
enum Document {
    /// Nobody has signed it.
    UnsignedTransaction(Sheet),
    /// One of several signatures.
    TransactionSignature(Sheet),
    /// Ready for the ledger.
    SignedTransaction(Sheet),
}

/// What every document holds, and what some do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    network_id: u32,
    prepared_at_ledger: u32,
    /// For the reader alone.
    #[serde(default)]
    does: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tx_blob: Option<String>,
}

/// A change that is prepared, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The network it is meant for.
    pub network_id: u32,
    /// The validated ledger at which it was prepared: no earlier one can hold it.
    pub prepared_at: LedgerIndex,
    /// The transaction.
    pub unsigned: Unsigned,
    /// What it does.
    pub change: Change,
}

/// A draft with one signature of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What was signed.
    pub draft: Draft,
    signer: Value,
}

/// A draft that is signed and can be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Final {
    /// What was signed.
    pub draft: Draft,
    /// The bytes, and their name on the ledger.
    pub signed: Signed,
    /// Who signed.
    pub by: SignedBy,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paper {
    /// Nobody has signed it.
    Draft(Draft),
    /// One of several signatures.
    Part(Part),
    /// Ready for the ledger.
    Final(Final),
}

/// Why a document is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BadPaper {
    /// It is no document of ours.
    #[error("it is no transaction that xrpayd prepared or signed: {0}")]
    Format(#[from] serde_json::Error),
    /// A part of it is missing.
    #[error("its {0} is missing or not what it has to be")]
    Missing(&'static str),
    /// The transaction is none that is dealt with here.
    #[error("its transaction is not taken: {0}")]
    Transaction(#[from] NotAChange),
    /// The bytes are no transaction.
    #[error("its transaction cannot be read: {0}")]
    Codec(#[from] CodecError),
    /// A signature does not hold.
    #[error("its signature does not hold: {0}")]
    Signature(#[from] BadSignature),
    /// It contradicts itself about the network.
    #[error("it is meant for network {0}, and its transaction for {1}")]
    Network(u32, u32),
}

/// Why signatures do not make a transaction.
#[derive(Debug, thiserror::Error)]
pub enum CannotSign {
    /// It could not be encoded or signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No ledger would take it.
    #[error(transparent)]
    Bad(#[from] xrpayd_codec::transaction::BadTransaction),
    /// It could not be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What came out does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Only the account's own key may sign this.
    #[error("only the master key of {0} may sign this, and this is the key of {1}")]
    NotTheMaster(AccountId, AccountId),
    /// The parts are not of one transaction.
    #[error("the signatures are not all of the same transaction")]
    OtherTransaction,
    /// There is nothing to put together.
    #[error("there is no signature")]
    NoPart,
    /// It cannot be written down.
    #[error(transparent)]
    Write(#[from] serde_json::Error),
}

impl Draft {
    /// The account that is changed.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.unsigned.common.account
    }

    /// The last ledger that may hold it.
    #[must_use]
    pub const fn last_ledger(&self) -> LedgerIndex {
        self.unsigned.common.last_ledger
    }

    /// What becomes of whom, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{} {}.", self.account(), self.change)
    }

    /// Signs it with one key.
    ///
    /// # Errors
    /// The key may not sign it, or what came out is not trusted.
    pub fn sign(&self, key: &Keypair) -> Result<Final, CannotSign> {
        let (account, signer) = (self.account(), key.account_id());
        if self.change.needs_master() && signer != account {
            return Err(CannotSign::NotTheMaster(account, signer));
        }
        let signed = xrpayd_codec::sign(&self.unsigned.to_json()?, key)?;
        self.checked(signed)
    }

    /// One of several signatures, in the name of `signer`.
    ///
    /// # Errors
    /// It cannot be signed so.
    pub fn sign_as(&self, key: &Keypair, signer: AccountId) -> Result<Part, CannotSign> {
        if self.change.needs_master() {
            return Err(CannotSign::NotTheMaster(self.account(), signer));
        }
        let signer = xrpayd_codec::multisign_one(&self.unsigned.to_json()?, key, signer)?;
        let draft = self.clone();
        Ok(Part { draft, signer })
    }

    /// What was signed, once another encoder makes the same bytes of it and its signatures hold.
    fn checked(&self, signed: Signed) -> Result<Final, CannotSign> {
        let tx = xrpayd_codec::decode(&signed.blob)?;
        second_opinion::check(&tx, &signed.blob)?;
        let by = xrpayd_codec::check_signature(&signed.blob)?;
        let draft = self.clone();
        Ok(Final { draft, signed, by })
    }

    fn sheet(&self) -> Sheet {
        Sheet {
            network_id: self.network_id,
            prepared_at_ledger: self.prepared_at.0,
            does: self.sentence(),
            transaction: None,
            signer: None,
            tx_blob: None,
        }
    }

    fn of(sheet: &Sheet, tx: &Value) -> Result<Self, BadPaper> {
        let (mut unsigned, change) = change::read(tx)?;
        // Nobody prepares what no ledger can hold any more.
        if sheet.prepared_at_ledger >= unsigned.common.last_ledger.0 {
            return Err(BadPaper::Missing("prepared_at_ledger"));
        }
        let named = unsigned.common.network_id;
        // A transaction names the networks that have to be told apart, and only these.
        unsigned.common.network_id = sheet.network_id;
        if unsigned.to_json().ok().as_ref() != Some(tx) {
            return Err(BadPaper::Network(sheet.network_id, named));
        }
        Ok(Self {
            network_id: sheet.network_id,
            prepared_at: LedgerIndex(sheet.prepared_at_ledger),
            unsigned,
            change,
        })
    }
}

/// Puts the signatures of one transaction together.
///
/// # Errors
/// They are not all of one transaction, or do not make one that holds.
pub fn combine(parts: Vec<Part>) -> Result<Final, CannotSign> {
    let draft = parts.first().ok_or(CannotSign::NoPart)?.draft.clone();
    if parts.iter().any(|part| part.draft != draft) {
        return Err(CannotSign::OtherTransaction);
    }
    let signers = parts.into_iter().map(|part| part.signer).collect();
    let signed = xrpayd_codec::combine(&draft.unsigned.to_json()?, signers)?;
    draft.checked(signed)
}

impl Paper {
    /// Reads a document.
    ///
    /// # Errors
    /// Says why it is of no use.
    pub fn read(text: &str) -> Result<Self, BadPaper> {
        match serde_json::from_str(text)? {
            Document::UnsignedTransaction(sheet) => {
                let tx = present(&sheet.transaction, "transaction")?;
                Ok(Self::Draft(Draft::of(&sheet, tx)?))
            }
            Document::TransactionSignature(sheet) => {
                let tx = present(&sheet.transaction, "transaction")?;
                let draft = Draft::of(&sheet, tx)?;
                let signer = present(&sheet.signer, "signer")?.clone();
                // Alone it makes a transaction whose signatures are checked.
                let alone = xrpayd_codec::combine(tx, vec![signer.clone()])?;
                xrpayd_codec::check_signature(&alone.blob)?;
                Ok(Self::Part(Part { draft, signer }))
            }
            Document::SignedTransaction(sheet) => {
                let text = present(&sheet.tx_blob, "tx_blob")?;
                let blob = hex::decode(text).map_err(|_| BadPaper::Missing("tx_blob"))?;
                let by = xrpayd_codec::check_signature(&blob)?;
                let mut tx = xrpayd_codec::decode(&blob)?;
                if let Some(fields) = tx.as_object_mut() {
                    for signature in ["SigningPubKey", "TxnSignature", "Signers"] {
                        fields.remove(signature);
                    }
                }
                let draft = Draft::of(&sheet, &tx)?;
                let hash: TxHash = xrpayd_codec::transaction_hash(&blob);
                let signed = Signed { blob, hash };
                Ok(Self::Final(Final { draft, signed, by }))
            }
        }
    }

    /// The document, for a person to look at and for another machine to read.
    ///
    /// # Errors
    /// No ledger would take the transaction.
    pub fn write(&self) -> Result<String, CannotSign> {
        let document = match self {
            Self::Draft(draft) => Document::UnsignedTransaction(Sheet {
                transaction: Some(draft.unsigned.to_json()?),
                ..draft.sheet()
            }),
            Self::Part(part) => Document::TransactionSignature(Sheet {
                transaction: Some(part.draft.unsigned.to_json()?),
                signer: Some(part.signer.clone()),
                ..part.draft.sheet()
            }),
            Self::Final(done) => Document::SignedTransaction(Sheet {
                tx_blob: Some(hex::encode_upper(&done.signed.blob)),
                ..done.draft.sheet()
            }),
        };
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }
}

fn present<'a, T>(value: &'a Option<T>, name: &'static str) -> Result<&'a T, BadPaper> {
    value.as_ref().ok_or(BadPaper::Missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_codec::transaction::{Common, Slot};
    use xrpayd_codec::{Algorithm, PublicKey};
    use xrpayd_core::money::Drops;

    fn pair(n: u8, algorithm: Algorithm) -> Keypair {
        Keypair::from_entropy(algorithm, &[n; 16]).unwrap()
    }

    fn draft(account: AccountId, network_id: u32, change: Change) -> Draft {
        Draft {
            network_id,
            prepared_at: LedgerIndex(70),
            unsigned: Unsigned {
                common: Common {
                    account,
                    fee: Drops::new(12).unwrap(),
                    slot: Slot::Sequence(7),
                    last_ledger: LedgerIndex(90),
                    network_id,
                    source_tag: None,
                    account_txn_id: None,
                    memos: Vec::new(),
                },
                action: change.action(),
            },
            change,
        }
    }

    fn read_back(paper: &Paper) -> Paper {
        Paper::read(&paper.write().unwrap()).unwrap()
    }

    #[test]
    fn papers_are_read_back_as_they_were_written_on_every_kind_of_network() {
        let (master, first, second) = (
            pair(1, Algorithm::Ed25519),
            pair(2, Algorithm::Secp256k1),
            pair(3, Algorithm::Ed25519),
        );
        let account = master.account_id();
        let signers = vec![(first.account_id(), 1), (second.account_id(), 1)];
        for network_id in [0, 1, 21_337] {
            for change in [
                Change::RegularKey(first.account_id()),
                Change::Signers {
                    quorum: 2,
                    signers: signers.clone(),
                },
                Change::NoSigners,
            ] {
                let draft = draft(account, network_id, change);
                assert_eq!(
                    read_back(&Paper::Draft(draft.clone())),
                    Paper::Draft(draft.clone())
                );
                let signed = draft.sign(&master).unwrap();
                assert_eq!(signed.by, SignedBy::One(*master.public_key()));
                assert_eq!(
                    read_back(&Paper::Final(signed.clone())),
                    Paper::Final(signed)
                );
                let part = |key: &Keypair| {
                    let part = draft.sign_as(key, key.account_id()).unwrap();
                    match read_back(&Paper::Part(part)) {
                        Paper::Part(part) => part,
                        other => panic!("{other:?}"),
                    }
                };
                let both = combine(vec![part(&first), part(&second)]).unwrap();
                let SignedBy::Several(by) = &both.by else {
                    panic!("{:?}", both.by)
                };
                let keys: Vec<&PublicKey> = by.iter().map(|(_, key)| key).collect();
                assert_eq!(keys.len(), 2);
                assert_eq!(read_back(&Paper::Final(both.clone())), Paper::Final(both));
            }
        }
    }

    #[test]
    fn what_is_written_beside_the_transaction_is_not_believed() {
        let master = pair(1, Algorithm::Ed25519);
        let change = Change::RegularKey(pair(2, Algorithm::Ed25519).account_id());
        let draft = draft(master.account_id(), 0, change);
        let text = Paper::Draft(draft.clone()).write().unwrap();
        let lie = text.replace("gets the regular key", "gets a bunch of flowers from");
        assert_ne!(lie, text);
        assert_eq!(Paper::read(&lie).unwrap(), Paper::Draft(draft));
    }

    #[test]
    fn a_paper_that_was_changed_is_refused() {
        let master = pair(1, Algorithm::Ed25519);
        let change = Change::RegularKey(pair(2, Algorithm::Ed25519).account_id());
        let draft = draft(master.account_id(), 21_337, change);
        let text = Paper::Final(draft.sign(&master).unwrap()).write().unwrap();
        let other_network = text.replace("\"network_id\": 21337", "\"network_id\": 21338");
        assert!(matches!(
            Paper::read(&other_network),
            Err(BadPaper::Network(21_338, 21_337))
        ));
        // The fee within the bytes.
        let other_fee = text.replace("68400000000000000C", "68400000000000000D");
        assert_ne!(other_fee, text);
        assert!(matches!(
            Paper::read(&other_fee),
            Err(BadPaper::Signature(_))
        ));
        let late = text.replace("\"prepared_at_ledger\": 70", "\"prepared_at_ledger\": 90");
        assert_ne!(late, text);
        assert!(matches!(
            Paper::read(&late),
            Err(BadPaper::Missing("prepared_at_ledger"))
        ));
        for nonsense in ["", "{}", "[]", "{\"xrpayd\":\"signed_transaction\"}"] {
            assert!(matches!(Paper::read(nonsense), Err(BadPaper::Format(_))));
        }
    }

    #[test]
    fn only_the_account_s_own_key_disables_it() {
        let (master, other) = (pair(1, Algorithm::Ed25519), pair(2, Algorithm::Ed25519));
        let draft = draft(master.account_id(), 0, Change::DisableMaster);
        assert!(matches!(
            draft.sign(&other),
            Err(CannotSign::NotTheMaster(..))
        ));
        assert!(matches!(
            draft.sign_as(&other, other.account_id()),
            Err(CannotSign::NotTheMaster(..))
        ));
        assert!(draft.sign(&master).is_ok());
    }

    #[test]
    fn signatures_of_different_transactions_are_not_put_together() {
        let (master, first, second) = (
            pair(1, Algorithm::Ed25519),
            pair(2, Algorithm::Ed25519),
            pair(3, Algorithm::Ed25519),
        );
        let account = master.account_id();
        let one = draft(account, 0, Change::NoSigners);
        let other = draft(account, 0, Change::NoRegularKey);
        let parts = vec![
            one.sign_as(&first, first.account_id()).unwrap(),
            other.sign_as(&second, second.account_id()).unwrap(),
        ];
        assert!(matches!(combine(parts), Err(CannotSign::OtherTransaction)));
        assert!(matches!(combine(Vec::new()), Err(CannotSign::NoPart)));
        let twice = vec![one.sign_as(&first, first.account_id()).unwrap(); 2];
        assert!(matches!(combine(twice), Err(CannotSign::Codec(_))));
    }
}
