//! Methods about what no ledger of the model ever holds: tokens that are unique, pools and oracles.
//!
//! Owns nothing. Requests are looked at as rippled looks at them, and then there is nothing to find.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::select;
use crate::ledger::entry::Key;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerHash;

/// The most oracles of one request.
const ORACLES_MAX: usize = 200;
/// The most of the prices at either end that can be left out, in hundredths.
const TRIM_MAX: u64 = 25;

fn hash(value: &Value) -> Option<LedgerHash> {
    value.as_str()?.parse().ok()
}

/// A limit, which must be a number above zero or nothing.
fn check_limit(call: &Call<'_>) -> Result<(), RpcError> {
    match call.params.get("limit") {
        None | Some(Value::Null) => Ok(()),
        Some(limit) if limit.is_u64() => Ok(()),
        Some(_) => Err(RpcError::expected("limit", "unsigned integer")),
    }
}

/// `account_nfts` of an account that exists.
pub(super) fn account_nfts(call: &Call<'_>) -> Answer {
    let id: AccountId = call
        .text("account")?
        .parse()
        .map_err(|_| RpcError::account_malformed())?;
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let root = selected.entry(&net, call.server(), &Key::Account(id))?;
    root.ok_or_else(RpcError::account_not_found)?;
    check_limit(call)?;
    match call.params.get("marker") {
        None => {}
        Some(Value::String(marker)) if marker.parse::<LedgerHash>().is_ok() => {}
        Some(Value::String(_)) => return Err(RpcError::invalid_field("marker")),
        Some(_) => return Err(RpcError::expected("marker", "string")),
    }
    let mut out = selected.fields();
    out.insert("account".to_owned(), json!(id));
    out.insert("account_nfts".to_owned(), json!([]));
    Ok(Value::Object(out))
}

/// `nft_buy_offers` and `nft_sell_offers`.
pub(super) fn nft_offers(call: &Call<'_>) -> Answer {
    let id = call.params.get("nft_id");
    let id = id.ok_or_else(|| RpcError::missing("nft_id"))?;
    hash(id).ok_or_else(|| RpcError::invalid_field("nft_id"))?;
    check_limit(call)?;
    select::select(call, &call.shared.net())?;
    Err(RpcError::object_not_found())
}

/// Whether an asset is XRP or a currency with an issuer.
fn is_asset(asset: &Value) -> bool {
    let Some(fields) = asset.as_object() else {
        return false;
    };
    let currency = fields.get("currency").and_then(Value::as_str);
    let issuer = fields.get("issuer").and_then(Value::as_str);
    match (currency, issuer) {
        (Some("XRP"), None) => !fields.contains_key("issuer"),
        (Some(currency), Some(issuer)) => {
            let is_code = currency.len() == 3 || currency.len() == 40;
            is_code && currency != "XRP" && issuer.parse::<AccountId>().is_ok()
        }
        _ => false,
    }
}

/// `amm_info`.
pub(super) fn amm_info(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let within = |error: RpcError| error.with_all(selected.fields());
    let asset = |name: &str| call.params.get(name);
    let by_account = asset("amm_account");
    let has = |name: &str| asset(name).is_some();
    if has("asset") != has("asset2") || has("asset") == by_account.is_some() {
        return Err(within(RpcError::invalid_params()));
    }
    for given in ["asset", "asset2"].into_iter().filter_map(asset) {
        if !is_asset(given) {
            return Err(within(RpcError::issue_malformed()));
        }
    }
    for (name, malformed) in [("amm_account", true), ("account", false)] {
        let Some(given) = asset(name) else { continue };
        let id = given.as_str().and_then(|text| text.parse().ok());
        let malformed_id = || within(RpcError::account_malformed());
        let id: AccountId = id.ok_or_else(malformed_id)?;
        let root = selected.entry(&net, call.server(), &Key::Account(id))?;
        if root.is_none() && (malformed || name == "account") {
            return Err(within(RpcError::account_malformed()));
        }
    }
    Err(within(RpcError::account_not_found()))
}

/// `get_aggregate_price`.
pub(super) fn aggregate_price(call: &Call<'_>) -> Answer {
    let oracles = call.params.get("oracles");
    let oracles = oracles.ok_or_else(|| RpcError::missing("oracles"))?;
    let oracles = oracles
        .as_array()
        .filter(|oracles| (1..=ORACLES_MAX).contains(&oracles.len()));
    let oracles = oracles.ok_or_else(RpcError::oracle_malformed)?;
    for name in ["base_asset", "quote_asset"] {
        let asset = call.params.get(name);
        let asset = asset.ok_or_else(|| RpcError::missing(name))?;
        if asset.as_str().is_none_or(str::is_empty) {
            return Err(RpcError::invalid_params());
        }
    }
    let in_range = |name: &str, range: std::ops::RangeInclusive<u64>| {
        let value = call.params.get(name).map(number);
        match value {
            Some(None) => Err(RpcError::invalid_params()),
            Some(Some(value)) if !range.contains(&value) => Err(RpcError::invalid_params()),
            _ => Ok(()),
        }
    };
    in_range("trim", 1..=TRIM_MAX)?;
    in_range("time_threshold", 0..=u64::from(u32::MAX))?;
    let selected = select::select(call, &call.shared.net())?;
    let within = |error: RpcError| error.with_all(selected.fields());
    if !oracles.iter().filter_map(Value::as_object).all(is_oracle) {
        return Err(within(RpcError::oracle_malformed()));
    }
    Err(within(RpcError::object_not_found()))
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

fn is_oracle(oracle: &Map<String, Value>) -> bool {
    let account = oracle.get("account").and_then(Value::as_str);
    let account = account.is_some_and(|text| text.parse::<AccountId>().is_ok());
    account && oracle.get("oracle_document_id").and_then(number).is_some()
}
