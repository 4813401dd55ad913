//! Turning what the ledger keeps as bytes into the JSON that rippled prints, in both API versions.
//!
//! Owns nothing; `decoded` turns bytes into fields, and here they get what each version adds or renames.

use crate::clock;
use crate::decoded;
use crate::faults::Faults;
use crate::ledger::amount::{Amount, Asset};
use crate::ledger::chain::{Applied, Header, Ledger};
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
    let mut tx = decoded::transaction(blob);
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
    let mut meta = decoded::object(&tx.meta);
    let result = claimed_result(faults, tx);
    meta.insert("TransactionResult".to_owned(), json!(result));
    if delivered == Delivered::Shown
        && result == "tesSUCCESS"
        && let Some(amount) = decoded::delivered_amount(&tx.blob, &meta)
    {
        let claimed = faults.claims_delivered(tx.hash, &tx.accounts).cloned();
        meta.insert("delivered_amount".to_owned(), claimed.unwrap_or(amount));
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
    let mut out = decoded::object(&entry.to_node());
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

/// A validated transaction as version 2 shows it beside its ledger.
pub(crate) fn validated(
    header: &Header,
    hash: TxHash,
    tx_json: Map<String, Value>,
    meta: Value,
) -> Value {
    json!({
        "close_time_iso": clock::iso(header.close_time),
        "hash": hash,
        "ledger_hash": LedgerHash(header.hash),
        "ledger_index": header.index,
        "meta": meta,
        "tx_json": tx_json,
        "validated": true,
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
        return validated(header, tx.hash, fields, meta);
    }
    fields.insert("inLedger".to_owned(), json!(header.index));
    json!({ "meta": meta, "tx": fields, "validated": true })
}
