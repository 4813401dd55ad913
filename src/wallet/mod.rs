//! A wallet: an account, the key that signs for it, and the rule that nothing is signed on the
//! word of one encoder.
//!
//! Owns the signing key. A transaction leaves this room only if two independent implementations
//! encode it to the same bytes and the signature verifies; anything else is a [`SignError`] that
//! halts the wallet, because it means that one of them is wrong about money.

pub mod change;
pub mod local;
pub mod marker;
pub mod paper;
pub mod second_opinion;

pub use local::LocalSigner;
pub use xrpayd_core::engine::{SignedTx, Terms};

use serde_json::Value;
use xrpayd_codec::PublicKey;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::Hash256;
use xrpayd_core::payment::{Order, Slot};

/// Signs bytes with one key. May block: it is called from threads that may.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// The key that the ledger will see.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` as the ledger verifies it.
    ///
    /// # Errors
    /// The key could not be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a transaction was not signed. None of these is the payment's fault: the wallet halts.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The codec refuses the transaction.
    #[error("the transaction cannot be encoded: {0}")]
    Encode(#[from] xrpayd_codec::CodecError),
    /// The second encoder refuses it or encodes it otherwise.
    #[error("the second encoder does not agree: {0}")]
    Disagreement(String),
    /// The signature that came back does not verify.
    #[error("the signer returned a signature that does not verify")]
    BadSignature,
    /// The key could not be used.
    #[error("the signer failed: {0}")]
    Signer(String),
}

/// The account that pays and the key that signs for it.
#[derive(Debug)]
pub struct Wallet {
    /// The name in the configuration.
    pub name: String,
    /// The account on the ledger.
    pub account: AccountId,
    network_id: u32,
    source_tag: Option<u32>,
    signer: Box<dyn Signer>,
}

/// Networks above this id name themselves in every transaction; those below must not be named.
const NETWORK_ID_UNNAMED_MAX: u32 = 1024;

impl Wallet {
    /// A wallet whose transactions are for the network `network_id`.
    #[must_use]
    pub fn new(
        name: String,
        account: AccountId,
        network_id: u32,
        source_tag: Option<u32>,
        signer: Box<dyn Signer>,
    ) -> Self {
        Self {
            name,
            account,
            network_id,
            source_tag,
            signer,
        }
    }

    /// The account whose master key signs: the wallet's own, or its regular key's.
    #[must_use]
    pub fn signing_account(&self) -> AccountId {
        self.signer.public_key().account_id()
    }

    /// The marker that the payment of `order` bears on the ledger.
    #[must_use]
    pub fn marker_of(&self, client: &str, order: &Order) -> Hash256 {
        marker::of(&self.name, client, &order.idempotency_key)
    }

    /// Signs the payment that `order` asks for. `client` and the wallet's name go into its marker.
    ///
    /// # Errors
    /// See [`SignError`]; the wallet must halt.
    pub fn sign_payment(
        &self,
        client: &str,
        order: &Order,
        terms: Terms,
    ) -> Result<SignedTx, SignError> {
        let mut tx = self.common("Payment", terms);
        let mark = self.marker_of(client, order);
        self.address(&mut tx, order);
        let mut memos: Vec<Value> = order.memos.iter().map(memo_json).collect();
        match order.invoice_id {
            None => set(&mut tx, "InvoiceID", mark.to_string()),
            Some(invoice_id) => {
                set(&mut tx, "InvoiceID", invoice_id.to_string());
                memos.push(marker::memo(mark));
            }
        }
        if !memos.is_empty() {
            set(&mut tx, "Memos", memos);
        }
        self.sign(tx)
    }

    /// The payment that `order` asks for, unsigned, without a marker and with nothing of an attempt: for
    /// a server that is to say what would come of it.
    #[must_use]
    pub fn draft(&self, order: &Order) -> Value {
        let mut tx = self.bare("Payment");
        self.address(&mut tx, order);
        tx
    }

    /// Who is paid how much, and with which tags.
    fn address(&self, tx: &mut Value, order: &Order) {
        set(tx, "Destination", order.destination.to_string());
        set(tx, "Amount", order.amount.to_string());
        if let Some(tag) = order.destination_tag {
            set(tx, "DestinationTag", tag);
        }
        if let Some(tag) = order.source_tag.or(self.source_tag) {
            set(tx, "SourceTag", tag);
        }
    }

    /// Signs a transaction that does nothing but consume its slot.
    ///
    /// # Errors
    /// See [`SignError`]; the wallet must halt.
    pub fn sign_plug(&self, terms: Terms) -> Result<SignedTx, SignError> {
        self.sign(self.common("AccountSet", terms))
    }

    /// Signs a transaction that sets `count` sequences aside as tickets.
    ///
    /// # Errors
    /// See [`SignError`]; the wallet must halt.
    pub fn sign_ticket_create(&self, count: u32, terms: Terms) -> Result<SignedTx, SignError> {
        let mut tx = self.common("TicketCreate", terms);
        set(&mut tx, "TicketCount", count);
        self.sign(tx)
    }

    fn common(&self, transaction_type: &str, terms: Terms) -> Value {
        let mut tx = self.bare(transaction_type);
        set(&mut tx, "Fee", terms.fee.to_string());
        set(&mut tx, "LastLedgerSequence", terms.last_ledger.0);
        match terms.slot {
            Slot::Sequence(sequence) => set(&mut tx, "Sequence", sequence),
            Slot::Ticket(ticket) => {
                set(&mut tx, "Sequence", 0_u32);
                set(&mut tx, "TicketSequence", ticket);
            }
        }
        tx
    }

    fn bare(&self, transaction_type: &str) -> Value {
        let mut tx = Value::Object(serde_json::Map::new());
        set(&mut tx, "TransactionType", transaction_type);
        set(&mut tx, "Account", self.account.to_string());
        set(&mut tx, "Flags", 0_u32);
        if self.network_id > NETWORK_ID_UNNAMED_MAX {
            set(&mut tx, "NetworkID", self.network_id);
        }
        tx
    }

    fn sign(&self, mut tx: Value) -> Result<SignedTx, SignError> {
        let key = self.signer.public_key();
        set(&mut tx, "SigningPubKey", key.to_string());
        let message = xrpayd_codec::signing_bytes(&tx)?;
        let signature = self.signer.sign(&message)?;
        if !key.verify(&message, &signature) {
            return Err(SignError::BadSignature);
        }
        set(&mut tx, "TxnSignature", hex::encode_upper(&signature));
        let blob = xrpayd_codec::encode(&tx)?;
        second_opinion::check(&tx, &blob)?;
        Ok(SignedTx {
            hash: xrpayd_codec::transaction_hash(&blob),
            blob,
        })
    }
}

fn set(tx: &mut Value, field: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = tx {
        fields.insert(field.to_owned(), value.into());
    }
}

fn memo_json(memo: &xrpayd_core::payment::Memo) -> Value {
    let mut inner = Value::Object(serde_json::Map::new());
    let parts = [
        ("MemoType", &memo.memo_type),
        ("MemoFormat", &memo.memo_format),
        ("MemoData", &memo.memo_data),
    ];
    for (field, text) in parts {
        if let Some(text) = text {
            set(&mut inner, field, text.clone());
        }
    }
    serde_json::json!({ "Memo": inner })
}

#[cfg(test)]
mod tests;
