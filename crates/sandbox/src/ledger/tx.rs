//! A transaction as the rules need it: the signed bytes, their hash, and the fields that matter, read
//! from the binary form without a detour through JSON.
//!
//! Owns nothing shared. A blob that does not parse is refused with rippled's words for it.

pub(crate) use super::amount::Amount;
use super::amount::XRP_ACCOUNT;
pub(crate) use super::fields::{f, types};
use super::formats;
use crate::st::{Field, FieldId, Fields, Malformed, kind};
use std::collections::BTreeSet;
use xrpayd_codec::keys::PublicKey;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// One signature of a multi-signed transaction.
#[derive(Debug, Clone)]
pub(crate) struct SignerProof {
    pub(crate) account: AccountId,
    pub(crate) key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// What decides when a transaction may apply: a sequence number or a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SeqProxy {
    Sequence(u32),
    Ticket(u32),
}

/// Why a blob is not a transaction, in rippled's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBlob {
    /// Shorter or longer than any transaction.
    #[error("Transaction length invalid")]
    Length,
    /// The bytes do not parse.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It does not say of which type it is.
    #[error("Field not found: TransactionType")]
    NoType,
    /// A type that does not exist.
    #[error("Invalid transaction type {0}")]
    Type(u16),
    /// A field that every transaction of its type has is not there.
    #[error("Field '{0}' is required but missing.")]
    Missing(&'static str),
    /// A field that no transaction of its type has is there.
    #[error("Field '{0}' found in disallowed location.")]
    Disallowed(&'static str),
}

/// A parsed, signed transaction.
#[derive(Debug)]
pub(crate) struct Tx {
    /// The signed bytes.
    pub(crate) blob: Box<[u8]>,
    /// Its identifying hash.
    pub(crate) hash: TxHash,
    /// The transaction type's number.
    pub(crate) kind: u16,
    /// The sender.
    pub(crate) account: AccountId,
    /// `Sequence`, zero where a ticket is used.
    pub(crate) sequence: u32,
    /// `TicketSequence`.
    pub(crate) ticket: Option<u32>,
    /// `Fee` in drops; negative or not XRP is refused by the rules.
    pub(crate) fee: Option<i64>,
    /// `Flags`.
    pub(crate) flags: u32,
    /// `LastLedgerSequence`.
    pub(crate) last_ledger: Option<u32>,
    /// `NetworkID`.
    pub(crate) network_id: Option<u32>,
    /// `AccountTxnID`.
    pub(crate) account_txn_id: Option<[u8; 32]>,
    /// The bytes of the signing key; empty where it is multi-signed.
    pub(crate) signing_key: Vec<u8>,
    /// The signing key, where the bytes are one.
    pub(crate) public_key: Option<PublicKey>,
    /// The account that the signing key stands for.
    pub(crate) signing_account: Option<AccountId>,
    /// The signers of a multi-signed transaction, in the order of the blob.
    pub(crate) signers: Vec<SignerProof>,
    /// `Destination`.
    pub(crate) destination: Option<AccountId>,
    /// `DestinationTag`.
    pub(crate) destination_tag: Option<u32>,
    /// `Amount`.
    pub(crate) amount: Option<Amount>,
    /// `SendMax`.
    pub(crate) send_max: Option<Amount>,
    /// `DeliverMin`.
    pub(crate) deliver_min: Option<Amount>,
    /// Whether `Paths` is there.
    pub(crate) has_paths: bool,
}

const LENGTH_MIN: usize = 32;
const LENGTH_MAX: usize = 1024 * 1024;
/// The most signatures on one transaction, and the most signers on a list.
pub(super) const SIGNERS_MAX: usize = 32;
/// Fields that no signature of a transaction is over, the signature of a channel's claim among them.
const UNSIGNED: [FieldId; 3] = [f::TXN_SIGNATURE, f::SIGNATURE, f::SIGNERS];
const PREFIX_SINGLE: [u8; 4] = *b"STX\0";
const PREFIX_MULTI: [u8; 4] = *b"SMT\0";

impl Tx {
    /// Reads a signed blob. Signatures are not checked here.
    pub(crate) fn parse(blob: Vec<u8>) -> Result<Self, BadBlob> {
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&blob.len()) {
            return Err(BadBlob::Length);
        }
        let hash = xrpayd_codec::transaction_hash(&blob);
        let mut tx = Self {
            blob: blob.into_boxed_slice(),
            hash,
            kind: u16::MAX,
            account: AccountId([0; 20]),
            sequence: 0,
            ticket: None,
            fee: None,
            flags: 0,
            last_ledger: None,
            network_id: None,
            account_txn_id: None,
            signing_key: Vec::new(),
            public_key: None,
            signing_account: None,
            signers: Vec::new(),
            destination: None,
            destination_tag: None,
            amount: None,
            send_max: None,
            deliver_min: None,
            has_paths: false,
        };
        let mut kind = None;
        let bytes = std::mem::take(&mut tx.blob);
        for field in Fields::of(&bytes) {
            tx.take(&field?, &mut kind)?;
        }
        formats::check(kind, &bytes)?;
        tx.blob = bytes;
        tx.public_key = PublicKey::from_bytes(&tx.signing_key).ok();
        tx.signing_account = tx.public_key.map(|key| key.account_id());
        Ok(tx)
    }

    fn take(&mut self, field: &Field<'_>, kind: &mut Option<u16>) -> Result<(), BadBlob> {
        let account = || field.array::<20>().map(AccountId).ok_or(Malformed::Unknown);
        match field.id {
            f::TRANSACTION_TYPE => {
                self.kind = u16::try_from(field.number()).unwrap_or(u16::MAX);
                *kind = Some(self.kind);
            }
            f::ACCOUNT => {
                self.account = account()?;
            }
            f::SEQUENCE => {
                self.sequence = field.u32();
            }
            f::FEE => {
                self.fee = Amount::read(field.value).as_ref().and_then(Amount::drops);
            }
            f::SIGNING_PUB_KEY => {
                self.signing_key = field.value.to_vec();
            }
            f::TICKET_SEQUENCE => self.ticket = Some(field.u32()),
            f::FLAGS => self.flags = field.u32(),
            f::LAST_LEDGER_SEQUENCE => self.last_ledger = Some(field.u32()),
            f::NETWORK_ID => self.network_id = Some(field.u32()),
            f::ACCOUNT_TXN_ID => self.account_txn_id = field.array(),
            f::DESTINATION => self.destination = Some(account()?),
            f::DESTINATION_TAG => self.destination_tag = Some(field.u32()),
            f::AMOUNT => self.amount = Amount::read(field.value),
            f::SEND_MAX => self.send_max = Amount::read(field.value),
            f::DELIVER_MIN => self.deliver_min = Amount::read(field.value),
            f::PATHS => self.has_paths = true,
            f::SIGNERS => self.signers = read_signers(field.value)?,
            _ => {}
        }
        Ok(())
    }

    /// The field with this id, wherever the parsed form has no room for it.
    pub(crate) fn field(&self, id: FieldId) -> Option<Field<'_>> {
        Fields::of(&self.blob)
            .filter_map(Result::ok)
            .find(|field| field.id == id)
    }

    /// The accounts that it names: in account fields, and as issuers of its amounts.
    pub(crate) fn mentioned(&self) -> BTreeSet<AccountId> {
        let fields = Fields::of(&self.blob).filter_map(Result::ok);
        fields
            .filter_map(|field| match field.id.0 {
                kind::ACCOUNT => field.array().map(AccountId),
                kind::AMOUNT => Amount::read(field.value).map(|amount| amount.asset.issuer()),
                _ => None,
            })
            .filter(|id| *id != XRP_ACCOUNT)
            .collect()
    }

    /// What decides when it may apply.
    pub(crate) const fn proxy(&self) -> SeqProxy {
        match self.ticket {
            Some(ticket) if self.sequence == 0 => SeqProxy::Ticket(ticket),
            _ => SeqProxy::Sequence(self.sequence),
        }
    }

    /// Whether several signers sign it.
    pub(crate) fn is_multi_signed(&self) -> bool {
        self.signing_key.is_empty() && !self.signers.is_empty()
    }

    /// The fee in drops, nothing if it is not one.
    pub(crate) fn fee_drops(&self) -> u64 {
        self.fee
            .and_then(|fee| u64::try_from(fee).ok())
            .unwrap_or_default()
    }

    /// The blob without its signatures, after `prefix`.
    fn unsigned_bytes(&self, prefix: [u8; 4], reserve: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.blob.len() + reserve);
        out.extend(prefix);
        for field in Fields::of(&self.blob).filter_map(Result::ok) {
            if !UNSIGNED.contains(&field.id) {
                out.extend_from_slice(&self.blob[field.start..field.end]);
            }
        }
        out
    }

    /// Checks that every signature on it is good; whose key may sign is for the rules.
    ///
    /// # Errors
    /// In rippled's words.
    pub(crate) fn check_signatures(&self) -> Result<(), String> {
        if self.signing_key.is_empty() {
            self.check_signers()
        } else {
            self.check_single()
        }
    }

    fn check_single(&self) -> Result<(), String> {
        if !self.signers.is_empty() {
            return Err("Cannot both single- and multi-sign.".to_owned());
        }
        let signature = self
            .field(f::TXN_SIGNATURE)
            .map_or(&[][..], |field| field.value);
        let message = self.unsigned_bytes(PREFIX_SINGLE, 0);
        if self
            .public_key
            .is_some_and(|key| key.verify(&message, signature))
        {
            Ok(())
        } else {
            Err("Invalid signature.".to_owned())
        }
    }

    fn check_signers(&self) -> Result<(), String> {
        if self.field(f::SIGNERS).is_none() {
            return Err("Empty SigningPubKey.".to_owned());
        }
        if self.field(f::TXN_SIGNATURE).is_some() {
            return Err("Cannot both single- and multi-sign.".to_owned());
        }
        if !(1..=SIGNERS_MAX).contains(&self.signers.len()) {
            return Err("Invalid Signers array size.".to_owned());
        }
        let unsigned = self.unsigned_bytes(PREFIX_MULTI, 20);
        let mut last: Option<AccountId> = None;
        for signer in &self.signers {
            let account = signer.account;
            if account == self.account {
                return Err("Invalid multisigner.".to_owned());
            }
            if last == Some(account) {
                return Err("Duplicate Signers not allowed.".to_owned());
            }
            if last.is_some_and(|last| last > account) {
                return Err("Unsorted Signers array.".to_owned());
            }
            last = Some(account);
            let mut message = unsigned.clone();
            message.extend_from_slice(&account.0);
            let key = PublicKey::from_bytes(&signer.key);
            if !key.is_ok_and(|key| key.verify(&message, &signer.signature)) {
                return Err(format!("Invalid signature on account {account}."));
            }
        }
        Ok(())
    }
}

fn read_signers(array: &[u8]) -> Result<Vec<SignerProof>, Malformed> {
    let mut signers = Vec::new();
    for object in Fields::of(array) {
        let object = object?;
        if object.id != f::SIGNER {
            return Err(Malformed::Unknown);
        }
        let mut account = None;
        let (mut key, mut signature) = (Vec::new(), Vec::new());
        for field in Fields::of(object.value) {
            let field = field?;
            match field.id {
                f::ACCOUNT => account = field.array::<20>().map(AccountId),
                f::SIGNING_PUB_KEY => key = field.value.to_vec(),
                f::TXN_SIGNATURE => signature = field.value.to_vec(),
                _ => return Err(Malformed::Unknown),
            }
        }
        let account = account.ok_or(Malformed::Unknown)?;
        signers.push(SignerProof {
            account,
            key,
            signature,
        });
    }
    Ok(signers)
}
