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
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash, UnixMs};

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
    /// When the ledger closed.
    pub(super) fn closed_at(&self) -> UnixMs {
        proto::unix_ms(self.close_time)
    }

    /// The transactions of this ledger that touch the account, as its history would tell them; `None`
    /// where one that names it cannot be read: a proof with a hole in it would convict those who
    /// tell of what is in the hole.
    pub(super) fn of_account(&self, subject: &Subject) -> Option<Vec<HistoryEntry>> {
        let mut entries = Vec::new();
        for (hash, parts) in &self.transactions {
            // An account stands in the bytes as its twenty, wherever an entry names it.
            let id = subject.id.0;
            if !parts.meta.windows(id.len()).any(|bytes| bytes == id) {
                continue;
            }
            let Ok(Value::Object(meta)) = xrpayd_codec::decode_object(&parts.meta) else {
                tracing::warn!(tx.hash = %hash, ledger.index = self.index.0, "metadata that cannot be read prove nothing");
                return None;
            };
            if touches(&meta, subject) {
                entries.push(self.entry(*hash, &parts.blob, meta, subject)?);
            }
        }
        entries.sort_by_key(|entry| entry.tx_index);
        Some(entries)
    }

    /// `None` where the bytes are no transaction that a history could tell of.
    fn entry(
        &self,
        hash: TxHash,
        blob: &[u8],
        mut meta: Map<String, Value>,
        subject: &Subject,
    ) -> Option<HistoryEntry> {
        let Ok(Value::Object(tx)) = xrpayd_codec::decode(blob) else {
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
        let item: Item<'_> = serde_json::from_str(&text).ok()?;
        item.entry(subject).ok()
    }
}

/// Whether a transaction is of the account's history, by the rule of the servers: some entry that it
/// changed names the account, as it stands afterwards, in a field of its own or as the issuer of a
/// limit or an offer. To be named by the transaction alone is not enough: whoever fails to pay an
/// account has not touched it.
fn touches(meta: &Map<String, Value>, subject: &Subject) -> bool {
    let nodes = meta.get("AffectedNodes").and_then(Value::as_array);
    let nodes = nodes.into_iter().flatten().filter_map(Value::as_object);
    let shown = nodes.flatten().filter_map(|(kind, node)| {
        let fields = if kind == "CreatedNode" {
            "NewFields"
        } else {
            "FinalFields"
        };
        node.get(fields)?.as_object()
    });
    shown
        .flatten()
        .any(|(name, value)| names(name, value, subject))
}

/// Hexadecimal digits of a token's sequence, which stand before its issuer.
const TOKEN_SEQUENCE_DIGITS: usize = 8;

fn names(field: &str, value: &Value, subject: &Subject) -> bool {
    match field {
        "LowLimit" | "HighLimit" | "TakerPays" | "TakerGets" => {
            value.get("issuer").and_then(Value::as_str) == Some(&subject.text)
        }
        "MPTokenIssuanceID" => value
            .as_str()
            .and_then(|id| id.get(TOKEN_SEQUENCE_DIGITS..))
            .is_some_and(|issuer| issuer.eq_ignore_ascii_case(&hex::encode(subject.id.0))),
        // No other kind of field is printed as text that an address could be.
        _ => value.as_str() == Some(&subject.text),
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
