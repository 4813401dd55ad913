//! A page of `account_tx`, API version 2: the journal's raw material.
//!
//! Pages are large, so only what the journal keeps is read: of the metadata the result, the place,
//! the delivered amount, and of all affected nodes the one account root that is ours and what
//! [`super::effects`] reads of our holdings.

use super::{effects, unix_ms};
use crate::xrpl::history::{HistoryEntry, RootAfter, RootBefore};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::{Delivered, MARKER_MEMO_TYPE, RETURN_MEMO_TYPE};
use xrpayd_core::money::Drops;

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Page<'a> {
    #[serde(default)]
    validated: bool,
    ledger_index_min: i64,
    ledger_index_max: i64,
    /// To be given back unchanged, to the same server.
    #[serde(borrow, default)]
    pub marker: Option<&'a RawValue>,
    #[serde(borrow)]
    pub transactions: Vec<Item<'a>>,
}

impl Page<'_> {
    /// Makes sure that the server answered for the whole of `from ..= to`, and for validated
    /// ledgers: some servers clip the range to what they hold and say nothing.
    pub(in crate::xrpl) fn covers(
        &self,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<(), &'static str> {
        if !self.validated {
            return Err("the page is not validated");
        }
        let (low, high) = (self.ledger_index_min, self.ledger_index_max);
        if low < 0 || low > i64::from(from.0) || high < i64::from(to.0) {
            return Err("the page does not cover the range that was asked for");
        }
        Ok(())
    }
}

/// One transaction.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Item<'a> {
    #[serde(default)]
    validated: bool,
    hash: TxHash,
    ledger_hash: LedgerHash,
    ledger_index: u32,
    #[serde(borrow)]
    tx_json: Tx<'a>,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tx<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    transaction_type: Cow<'a, str>,
    sequence: u32,
    #[serde(default)]
    ticket_sequence: Option<u32>,
    fee: Drops,
    #[serde(borrow, default)]
    destination: Option<Cow<'a, str>>,
    #[serde(default)]
    destination_tag: Option<u32>,
    #[serde(default)]
    source_tag: Option<u32>,
    #[serde(borrow, default)]
    delegate: Option<Cow<'a, str>>,
    #[serde(default, rename = "InvoiceID")]
    invoice_id: Option<Hash256>,
    #[serde(default, rename = "date")]
    date: Option<u32>,
    /// Kept as text: hardly any transaction has some that are ours.
    #[serde(borrow, default)]
    memos: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Meta<'a> {
    transaction_index: u32,
    #[serde(borrow)]
    transaction_result: Cow<'a, str>,
    #[serde(borrow, default, rename = "delivered_amount")]
    delivered_amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) affected_nodes: Vec<Node<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) enum Node<'a> {
    #[serde(borrow, rename = "CreatedNode")]
    Created(Changed<'a>),
    #[serde(borrow, rename = "ModifiedNode")]
    Modified(Changed<'a>),
    #[serde(borrow, rename = "DeletedNode")]
    Deleted(Changed<'a>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed<'a> {
    #[serde(borrow)]
    pub(super) ledger_entry_type: Cow<'a, str>,
    /// Kept as text: the fields of other entries have other shapes.
    #[serde(borrow, default)]
    pub(super) final_fields: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) new_fields: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) previous_fields: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFields<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(default)]
    balance: Drops,
    #[serde(default)]
    sequence: u32,
    #[serde(default)]
    owner_count: u32,
}

/// What an account root was in what changed of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangedRoot {
    #[serde(default)]
    balance: Option<Drops>,
    #[serde(default)]
    sequence: Option<u32>,
    #[serde(default)]
    owner_count: Option<u32>,
}

/// The name of a type or a result is never so long, and an amount never so long in JSON: what is kept
/// of many transactions must be small, whatever a server sends.
const WORD_LEN_MAX: usize = 64;
const AMOUNT_LEN_MAX: usize = 512;

/// The account whose journal is read, with its text form so that it is made once.
#[derive(Debug)]
pub(in crate::xrpl) struct Subject {
    pub id: AccountId,
    pub text: String,
}

impl Subject {
    pub(in crate::xrpl) fn new(id: AccountId) -> Self {
        Self {
            id,
            text: id.to_string(),
        }
    }

    /// Decoding an address costs two hashes; most that a page names are the subject itself.
    pub(super) fn address(&self, text: &str) -> Result<AccountId, &'static str> {
        if text == self.text {
            return Ok(self.id);
        }
        text.parse()
            .map_err(|_| "a transaction bears a malformed address")
    }
}

impl Item<'_> {
    /// The transaction as the journal keeps it.
    pub(in crate::xrpl) fn entry(&self, subject: &Subject) -> Result<HistoryEntry, &'static str> {
        if !self.validated {
            return Err("a transaction of the page is not validated");
        }
        let tx = &self.tx_json;
        let words = [&self.meta.transaction_result, &tx.transaction_type];
        if words.iter().any(|word| word.len() > WORD_LEN_MAX) {
            return Err("a transaction's type or result is longer than any is");
        }
        let mut effects = effects::of(&self.meta, &tx.transaction_type, subject)?;
        effects.delegate = tx
            .delegate
            .as_deref()
            .map(|text| subject.address(text))
            .transpose()?;
        effects.is_return = tx.is_return();
        let own_root = self.meta.root_of(subject)?;
        effects.balance_before =
            own_root.map(|root| root.before.map_or(Drops::ZERO, |before| before.balance));
        Ok(HistoryEntry {
            hash: self.hash,
            ledger_index: LedgerIndex(self.ledger_index),
            ledger_hash: self.ledger_hash,
            tx_index: self.meta.transaction_index,
            result: self.meta.transaction_result.clone().into_owned(),
            transaction_type: tx.transaction_type.clone().into_owned(),
            account: subject.address(&tx.account)?,
            sequence: tx.sequence,
            ticket: tx.ticket_sequence,
            fee: tx.fee,
            destination: tx
                .destination
                .as_deref()
                .map(|text| subject.address(text))
                .transpose()?,
            destination_tag: tx.destination_tag,
            source_tag: tx.source_tag,
            delivered: self.meta.delivered()?,
            invoice_id: tx.invoice_id,
            memo_marker: tx.memo_marker(),
            close_time: tx.date.map(unix_ms),
            own_root,
            effects,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    memo: MemoFields,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MemoFields {
    #[serde(default)]
    memo_type: String,
    #[serde(default)]
    memo_data: String,
}

impl Tx<'_> {
    /// The marker in a memo of ours; memos are anybody's, so one that does not read is none.
    fn memo_marker(&self) -> Option<Hash256> {
        let mut markers = self.memos_of(MARKER_MEMO_TYPE).into_iter();
        markers.find_map(|memo| memo.memo.memo_data.parse().ok())
    }

    fn is_return(&self) -> bool {
        !self.memos_of(RETURN_MEMO_TYPE).is_empty()
    }

    fn memos_of(&self, memo_type: &str) -> Vec<Wrapped> {
        let wanted = hex::encode_upper(memo_type);
        let raw = self.memos.filter(|memos| memos.get().contains(&wanted));
        let memos = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let mut memos: Vec<Wrapped> = memos.unwrap_or_default();
        memos.retain(|memo| memo.memo.memo_type == wanted);
        memos
    }
}

impl Meta<'_> {
    fn delivered(&self) -> Result<Delivered, &'static str> {
        const BAD: &str = "a delivered amount is malformed";
        let Some(raw) = self.delivered_amount else {
            return Ok(Delivered::Nothing);
        };
        if raw.get().len() > AMOUNT_LEN_MAX {
            return Err(BAD);
        }
        if !raw.get().starts_with('"') {
            let amount = serde_json::from_str(raw.get());
            let unreadable = |_| Delivered::Unreadable(raw.get().to_owned());
            return Ok(amount.map_or_else(unreadable, Delivered::Other));
        }
        let text: Cow<'_, str> = serde_json::from_str(raw.get()).map_err(|_| BAD)?;
        if text == "unavailable" {
            return Ok(Delivered::Unavailable);
        }
        text.parse().map(Delivered::Xrp).map_err(|_| BAD)
    }

    fn root_of(&self, subject: &Subject) -> Result<Option<RootAfter>, &'static str> {
        for node in &self.affected_nodes {
            let (fields, modified) = match node {
                Node::Created(changed) => (changed.root_fields(changed.new_fields), None),
                Node::Modified(changed) => {
                    (changed.root_fields(changed.final_fields), Some(changed))
                }
                // An account that is gone has no root after the transaction.
                Node::Deleted(_) => continue,
            };
            // A node may be touched without fields, and most roots are of other accounts.
            let Some(raw) = fields.filter(|raw| raw.get().contains(&subject.text)) else {
                continue;
            };
            let root: RootFields<'_> =
                serde_json::from_str(raw.get()).map_err(|_| "an account root is malformed")?;
            if root.account == subject.text {
                let before = modified.map(|changed| changed.root_before(&root));
                return Ok(Some(RootAfter {
                    balance: root.balance,
                    sequence: root.sequence,
                    owner_count: root.owner_count,
                    before: before.transpose()?,
                }));
            }
        }
        Ok(None)
    }
}

impl<'a> Changed<'a> {
    fn root_fields(&self, fields: Option<&'a RawValue>) -> Option<&'a RawValue> {
        if self.ledger_entry_type == "AccountRoot" {
            fields
        } else {
            None
        }
    }

    /// What did not change is as it is after it.
    fn root_before(&self, after: &RootFields<'_>) -> Result<RootBefore, &'static str> {
        let changed: ChangedRoot = match self.previous_fields {
            Some(raw) => serde_json::from_str(raw.get())
                .map_err(|_| "an account root's former fields are malformed")?,
            None => ChangedRoot::default(),
        };
        Ok(RootBefore {
            balance: changed.balance.unwrap_or(after.balance),
            sequence: changed.sequence.unwrap_or(after.sequence),
            owner_count: changed.owner_count.unwrap_or(after.owner_count),
        })
    }
}
