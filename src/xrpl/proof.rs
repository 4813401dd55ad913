//! What a ledger holds, proven: all of its transactions, whose tree has the root that the ledger's
//! header names, and a header whose hash is the ledger's. Any server may bring the proof, a liar too:
//! bytes that do not hash to the agreed ledger are no proof.
//!
//! Owns nothing. Where no server brings one, nothing is proven and nothing is concluded.

use super::error::RequestError;
use super::history::HistoryEntry;
use super::proto;
use super::proto::account_tx::{Item, Subject};
use super::proto::ledger::WholeLedger;
use super::route;
use super::server::{Command, Server};
use super::shared::Shared;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use xrpayd_codec::tree;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash};

/// A ledger whose content is proven.
#[derive(Debug)]
pub(super) struct Proven {
    index: LedgerIndex,
    hash: LedgerHash,
    close_time: u32,
    transactions: BTreeMap<TxHash, Parts>,
}

/// A transaction's bytes.
#[derive(Debug)]
struct Parts {
    blob: Vec<u8>,
    meta: Vec<u8>,
}

/// Where the close time stands in a serialised header.
const CLOSE_TIME_AT: usize = 4 + 8 + 3 * 32 + 4;

/// Asks the servers, the fittest first, for the whole of ledger `index`, until one brings what hashes
/// to `hash`.
pub(super) async fn of_ledger(
    shared: &Shared,
    index: LedgerIndex,
    hash: LedgerHash,
) -> Option<Proven> {
    for candidate in route::candidates(shared) {
        match whole(&candidate.server, index).await {
            Ok(ledger) => match verified(index, hash, &ledger) {
                Some(proven) => return Some(proven),
                None => tracing::warn!(
                    server.name = candidate.server.name(),
                    ledger.index = index.0,
                    "what the server brings does not hash to the ledger"
                ),
            },
            Err(error) => {
                tracing::debug!(%error, ledger.index = index.0, "no proof from this server");
            }
        }
    }
    None
}

async fn whole(server: &Server, index: LedgerIndex) -> Result<WholeLedger, RequestError> {
    let params =
        format!(r#","ledger_index":{index},"transactions":true,"expand":true,"binary":true"#);
    let frame = server.ask_ok(Command::Ledger, &params).await?;
    proto::result(&frame).map_err(|error| server.malformed(Command::Ledger, error))
}

/// The ledger, where its bytes are what its hash says.
fn verified(index: LedgerIndex, hash: LedgerHash, ledger: &WholeLedger) -> Option<Proven> {
    let header = hex::decode(&ledger.ledger.ledger_data).ok()?;
    if tree::ledger_hash(&header) != hash.0 || tree::header_index(&header) != Some(index.0) {
        return None;
    }
    let mut transactions = BTreeMap::new();
    let mut leaves = Vec::with_capacity(ledger.ledger.transactions.len());
    for shown in &ledger.ledger.transactions {
        let (blob, meta) = (
            hex::decode(&shown.tx_blob).ok()?,
            hex::decode(&shown.meta_blob).ok()?,
        );
        let hash = xrpayd_codec::transaction_hash(&blob);
        leaves.push(tree::transaction_leaf(hash, &blob, &meta)?);
        transactions.insert(hash, Parts { blob, meta });
    }
    let root = tree::root(&mut leaves);
    let time = header.get(CLOSE_TIME_AT..)?.first_chunk::<4>()?;
    (Some(root) == tree::transaction_root(&header)).then(|| Proven {
        index,
        hash,
        close_time: u32::from_be_bytes(*time),
        transactions,
    })
}

impl Proven {
    /// The transactions of this ledger that touch the account, as its history would tell them.
    pub(super) fn of_account(&self, subject: &Subject) -> Vec<HistoryEntry> {
        let mut entries: Vec<HistoryEntry> = self
            .transactions
            .iter()
            .filter_map(|(hash, parts)| self.entry(*hash, parts, subject))
            .collect();
        entries.sort_by_key(|entry| entry.tx_index);
        entries
    }

    /// `None` where the transaction does not name the account, or its bytes are none.
    fn entry(&self, hash: TxHash, parts: &Parts, subject: &Subject) -> Option<HistoryEntry> {
        let Ok(Value::Object(tx)) = xrpayd_codec::decode(&parts.blob) else {
            return None;
        };
        let Ok(Value::Object(mut meta)) = xrpayd_codec::decode_object(&parts.meta) else {
            return None;
        };
        if let Some(amount) = delivered(&tx, &meta) {
            meta.insert("delivered_amount".to_owned(), amount);
        }
        let text = json!({
            "validated": true,
            "hash": hash,
            "ledger_hash": self.hash,
            "ledger_index": self.index.0,
            "tx_json": with_date(tx, self.close_time),
            "meta": meta,
        })
        .to_string();
        if !text.contains(&subject.text) {
            return None;
        }
        let item: Item<'_> = serde_json::from_str(&text).ok()?;
        item.entry(subject).ok()
    }
}

fn with_date(mut tx: Map<String, Value>, close_time: u32) -> Map<String, Value> {
    tx.insert("date".to_owned(), json!(close_time));
    tx
}

/// What a transaction delivered, as servers tell it: by its metadata, or else all that was asked for.
fn delivered(tx: &Map<String, Value>, meta: &Map<String, Value>) -> Option<Value> {
    let kind = tx.get("TransactionType").and_then(Value::as_str)?;
    let delivers = matches!(kind, "Payment" | "CheckCash" | "AccountDelete");
    let succeeded = meta.get("TransactionResult").and_then(Value::as_str) == Some("tesSUCCESS");
    if !delivers || !succeeded {
        return None;
    }
    meta.get("DeliveredAmount")
        .or_else(|| tx.get("Amount"))
        .cloned()
}
