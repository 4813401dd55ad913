//! Turning what the ledger keeps as bytes into the JSON that rippled prints, in both API versions.
//!
//! Owns nothing. Bytes that the ledger holds always decode; were they not to, an empty object stands in
//! their place and the error is logged.

use crate::clock;
use crate::faults::Faults;
use crate::ledger::amount::{Amount, Asset};
use crate::ledger::chain::{Applied, Ledger};
use crate::ledger::entry::{Account, Entry, Key, lsf};
use crate::ledger::fields::lt;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::ids::{LedgerHash, TxHash};

/// Upper-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

fn decode(blob: &[u8]) -> Map<String, Value> {
    match xrpayd_codec::decode(blob) {
        Ok(Value::Object(map)) => map,
        Ok(_) => Map::new(),
        Err(error) => {
            tracing::error!(%error, "bytes in the ledger do not decode");
            Map::new()
        }
    }
}

/// Metadata's fields.
pub(crate) fn metadata(bytes: &[u8]) -> Map<String, Value> {
    super::object::to_json(bytes)
}

/// A transaction's fields as signed.
pub(crate) fn transaction(blob: &[u8]) -> Map<String, Value> {
    decode(blob)
}

/// Adds or swaps the name under which a payment's amount is printed.
pub(crate) fn deliver_max(tx: &mut Map<String, Value>, version: u32) {
    if tx.get("TransactionType") != Some(&json!("Payment")) {
        return;
    }
    if let Some(amount) = tx.get("Amount").cloned() {
        tx.insert("DeliverMax".to_owned(), amount);
        if version > 1 {
            tx.remove("Amount");
        }
    }
}

/// The fields of a transaction as methods print them: in version 1 with its hash inside.
pub(crate) fn tx_json(blob: &[u8], hash: TxHash, version: u32) -> Map<String, Value> {
    let mut tx = transaction(blob);
    deliver_max(&mut tx, version);
    if version == 1 {
        tx.insert("hash".to_owned(), json!(hash));
    }
    tx
}

/// What a server claims of a transaction's result, where it lies.
pub(crate) fn claimed_result<'a>(faults: &'a Faults, tx: &'a Applied) -> &'a str {
    faults
        .claims(tx.hash, &tx.accounts)
        .unwrap_or_else(|| tx.result.name())
}

/// Metadata, with names for numbers; `delivered_amount` where rippled adds it.
pub(crate) fn meta(tx: &Applied, faults: &Faults, delivered: Delivered) -> Value {
    let mut meta = super::object::to_json(&tx.meta);
    let result = claimed_result(faults, tx);
    meta.insert("TransactionResult".to_owned(), json!(result));
    if delivered == Delivered::Shown
        && result == "tesSUCCESS"
        && let Some(amount) = delivered_amount(&tx.blob, &meta)
    {
        meta.insert("delivered_amount".to_owned(), amount);
    }
    if delivered == Delivered::Shown
        && result == "tesSUCCESS"
        && let Some(id) = made_issuance(&meta)
    {
        meta.insert("mpt_issuance_id".to_owned(), json!(id));
    }
    Value::Object(meta)
}

/// Whether metadata shows `delivered_amount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    Shown,
    Hidden,
}

/// What a transaction that succeeded delivered: as metadata says, or else all that was asked for.
pub(crate) fn delivered_amount(blob: &[u8], meta: &Map<String, Value>) -> Option<Value> {
    let tx = decode(blob);
    let delivers = ["Payment", "CheckCash", "AccountDelete"];
    let kind = tx.get("TransactionType").and_then(Value::as_str)?;
    if !delivers.contains(&kind) {
        return None;
    }
    meta.get("DeliveredAmount")
        .or_else(|| tx.get("Amount"))
        .cloned()
}

/// The id of the issuance of multi-purpose tokens that a transaction made, if it made one.
fn made_issuance(meta: &Map<String, Value>) -> Option<String> {
    let nodes = meta.get("AffectedNodes")?.as_array()?;
    let made = nodes
        .iter()
        .filter_map(|node| node.get("CreatedNode"))
        .find(|node| node["LedgerEntryType"] == "MPTokenIssuance")?;
    issuance_id(made.get("NewFields")?.as_object()?)
}

/// The id of an issuance out of its fields: its sequence, and its issuer.
fn issuance_id(fields: &Map<String, Value>) -> Option<String> {
    let sequence = u32::try_from(fields.get("Sequence")?.as_u64()?).ok()?;
    let issuer: AccountId = fields.get("Issuer")?.as_str()?.parse().ok()?;
    Some(hex(&[&sequence.to_be_bytes()[..], &issuer.0].concat()))
}

/// The compact id of a validated transaction: its ledger, place and network.
pub(crate) fn ctid(ledger: u32, position: u32, network_id: u32) -> Option<String> {
    let fits = ledger < 0x1000_0000 && position <= 0xFFFF && network_id <= 0xFFFF;
    fits.then(|| format!("C{ledger:07X}{position:04X}{network_id:04X}"))
}

/// An entry as `ledger_entry` and `account_info` print it.
pub(crate) fn entry(key: &Key, entry: &Entry) -> Map<String, Value> {
    let mut out = super::object::to_json(&entry.to_node());
    if entry.type_number() == lt::MPT_ISSUANCE
        && let Some(id) = issuance_id(&out)
    {
        out.insert("mpt_issuance_id".to_owned(), json!(id));
    }
    out.insert("index".to_owned(), json!(hex(&key.index())));
    out
}

/// A currency code as rippled prints it.
pub(crate) fn currency(code: &[u8; 20]) -> String {
    Currency::from_bytes(*code).map_or_else(|| "XRP".to_owned(), |currency| currency.to_string())
}

/// An amount as rippled prints it.
pub(crate) fn amount(amount: &Amount) -> Value {
    match (&amount.asset, amount.value) {
        (
            Asset::Token {
                currency: code,
                issuer,
            },
            value,
        ) => json!({
            "currency": currency(code),
            "issuer": issuer,
            "value": value.token().to_string(),
        }),
        (Asset::Mpt(id), value) => json!({
            "mpt_issuance_id": hex(id),
            "value": value.integral().unwrap_or_default().to_string(),
        }),
        (Asset::Xrp, value) => json!(value.integral().unwrap_or_default().to_string()),
    }
}

/// The flags of an account by their names.
pub(crate) fn account_flags(account: &Account) -> Value {
    json!({
        "allowTrustLineClawback": account.has(lsf::ALLOW_CLAWBACK),
        "defaultRipple": account.has(lsf::DEFAULT_RIPPLE),
        "depositAuth": account.has(lsf::DEPOSIT_AUTH),
        "disableMasterKey": account.has(lsf::DISABLE_MASTER),
        "disallowIncomingCheck": account.has(lsf::DISALLOW_CHECK),
        "disallowIncomingNFTokenOffer": account.has(lsf::DISALLOW_NFT_OFFER),
        "disallowIncomingPayChan": account.has(lsf::DISALLOW_PAYCHAN),
        "disallowIncomingTrustline": account.has(lsf::DISALLOW_TRUSTLINE),
        "disallowIncomingXRP": account.has(lsf::DISALLOW_XRP),
        "globalFreeze": account.has(lsf::GLOBAL_FREEZE),
        "noFreeze": account.has(lsf::NO_FREEZE),
        "passwordSpent": account.has(lsf::PASSWORD_SPENT),
        "requireAuthorization": account.has(lsf::REQUIRE_AUTH),
        "requireDestinationTag": account.has(lsf::REQUIRE_DEST_TAG),
    })
}

/// One line of `account_tx`.
pub(crate) fn history_row(
    ledger: &Ledger,
    tx: &Applied,
    faults: &Faults,
    version: u32,
    binary: bool,
) -> Value {
    let header = &ledger.header;
    if binary {
        let meta_name = if version > 1 { "meta_blob" } else { "meta" };
        return json!({
            "ledger_index": header.index,
            meta_name: hex(&tx.meta),
            "tx_blob": hex(&tx.blob),
            "validated": true,
        });
    }
    let mut fields = tx_json(&tx.blob, tx.hash, version);
    fields.insert("date".to_owned(), json!(header.close_time));
    fields.insert("ledger_index".to_owned(), json!(header.index));
    let meta = meta(tx, faults, Delivered::Shown);
    if version > 1 {
        return json!({
            "close_time_iso": clock::iso(header.close_time),
            "hash": tx.hash,
            "ledger_hash": LedgerHash(header.hash),
            "ledger_index": header.index,
            "meta": meta,
            "tx_json": fields,
            "validated": true,
        });
    }
    fields.insert("inLedger".to_owned(), json!(header.index));
    json!({ "meta": meta, "tx": fields, "validated": true })
}
