//! `deposit_authorized`: whether one account may pay another without being refused at the door.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::select;
use crate::ledger::entry::{Entry, Key, lsf};
use serde_json::{Value, json};
use xrpayd_core::address::AccountId;

fn account(call: &Call<'_>, name: &str) -> Result<AccountId, RpcError> {
    match call.params.get(name) {
        None => Err(RpcError::missing(name)),
        Some(Value::String(text)) => text.parse().map_err(|_| RpcError::account_malformed()),
        Some(_) => Err(RpcError::expected(name, "a string")),
    }
}

pub(super) fn deposit_authorized(call: &Call<'_>) -> Answer {
    let source = account(call, "source_account")?;
    let destination = account(call, "destination_account")?;
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let entry = |key: Key| selected.entry(&net, call.server(), &key);
    let mut out = selected.fields();
    if entry(Key::Account(source))?.is_none() {
        return Err(RpcError::source_not_found().with_all(out));
    }
    let Some(Entry::Account(root)) = entry(Key::Account(destination))? else {
        return Err(RpcError::destination_not_found().with_all(out));
    };
    let is_open = source == destination || !root.has(lsf::DEPOSIT_AUTH);
    let authorized = is_open || entry(Key::deposit_preauth(destination, source))?.is_some();
    out.insert("source_account".to_owned(), json!(source));
    out.insert("destination_account".to_owned(), json!(destination));
    out.insert("deposit_authorized".to_owned(), json!(authorized));
    Ok(Value::Object(out))
}
