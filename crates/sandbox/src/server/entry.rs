//! `ledger_entry`: one entry of the state, by its index or by what it is about.
//!
//! Owns the table of ways to name an entry. Those of kinds that the model does not have are taken by
//! index only, under which nothing is found.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render::{self, hex};
use super::select::{self, Selected};
use crate::ledger::entry::{Entry, Key, owner_dir};
use crate::ledger::fields::lt;
use crate::network::Net;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;

/// Why a request names no entry, in rippled's word.
type Malformed = &'static str;

const REQUEST: Malformed = "malformedRequest";
const ADDRESS: Malformed = "malformedAddress";

/// How a request names an entry.
enum Named {
    Key(Key),
    Index([u8; 32]),
}

/// A parameter that names an entry: its type, if it has one, and how it is read.
struct Way {
    parameter: &'static str,
    kind: Option<u16>,
    read: fn(&Value) -> Result<Named, Malformed>,
}

const fn way(
    parameter: &'static str,
    kind: u16,
    read: fn(&Value) -> Result<Named, Malformed>,
) -> Way {
    Way {
        parameter,
        kind: Some(kind),
        read,
    }
}

/// In the order in which they are looked for.
const WAYS: [Way; 14] = [
    Way {
        parameter: "index",
        kind: None,
        read: by_index,
    },
    way("account_root", lt::ACCOUNT, account_root),
    way("check", lt::CHECK, by_index),
    way("deposit_preauth", lt::DEPOSIT_PREAUTH, deposit_preauth),
    way("directory", lt::DIR, directory),
    way("escrow", lt::ESCROW, escrow),
    way("mpt_issuance", lt::MPT_ISSUANCE, mpt_issuance),
    way("mptoken", lt::MPT_HOLDING, mptoken),
    way("nft_page", lt::NFT_PAGE, by_index),
    way("offer", lt::OFFER, offer),
    way("payment_channel", lt::CHANNEL, by_index),
    way("ripple_state", lt::LINE, line),
    way("state", lt::LINE, line),
    way("ticket", lt::TICKET, ticket),
];

fn by_index(value: &Value) -> Result<Named, Malformed> {
    let mut index = [0; 32];
    let text = value.as_str().ok_or(REQUEST)?;
    ::hex::decode_to_slice(text, &mut index).map_err(|_| REQUEST)?;
    Ok(Named::Index(index))
}

/// An object of fields; what is not one is an index.
fn fields(value: &Value) -> Result<&Map<String, Value>, Result<Named, Malformed>> {
    value.as_object().ok_or_else(|| by_index(value))
}

fn account(value: Option<&Value>, malformed: Malformed) -> Result<AccountId, Malformed> {
    let text = value.ok_or(REQUEST)?.as_str().ok_or(malformed)?;
    let id: AccountId = text.parse().map_err(|_| malformed)?;
    if id.0 == [0; 20] {
        Err(malformed)
    } else {
        Ok(id)
    }
}

fn sequence(value: Option<&Value>) -> Result<u32, Malformed> {
    value
        .and_then(Value::as_u64)
        .and_then(|number| u32::try_from(number).ok())
        .ok_or(REQUEST)
}

fn account_root(value: &Value) -> Result<Named, Malformed> {
    account(Some(value), ADDRESS).map(|id| Named::Key(Key::Account(id)))
}

fn deposit_preauth(value: &Value) -> Result<Named, Malformed> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(other) => return other,
    };
    let owner = account(fields.get("owner"), "malformedOwner")?;
    let authorized = account(fields.get("authorized"), "malformedAuthorized")?;
    Ok(Named::Key(Key::deposit_preauth(owner, authorized)))
}

fn directory(value: &Value) -> Result<Named, Malformed> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(other) => return other,
    };
    let page = match fields.get("sub_index") {
        Some(number) => number.as_u64().ok_or(REQUEST)?,
        None => 0,
    };
    let root = match (fields.get("dir_root"), fields.get("owner")) {
        (Some(root), None) => match by_index(root)? {
            Named::Index(root) => root,
            Named::Key(key) => key.index(),
        },
        (None, Some(owner)) => owner_dir(account(Some(owner), ADDRESS)?),
        _ => return Err(REQUEST),
    };
    Ok(Named::Key(Key::Dir(root, page)))
}

/// Entries that are named by an owner and the sequence that made them.
fn numbered(
    value: &Value,
    (owner, number): (&str, &str),
    malformed: Malformed,
    key: fn(AccountId, u32) -> Key,
) -> Result<Named, Malformed> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(other) => return other,
    };
    let sequence = sequence(fields.get(number))?;
    let owner = account(fields.get(owner), malformed)?;
    Ok(Named::Key(key(owner, sequence)))
}

fn escrow(value: &Value) -> Result<Named, Malformed> {
    numbered(value, ("owner", "seq"), "malformedOwner", Key::escrow)
}

fn offer(value: &Value) -> Result<Named, Malformed> {
    numbered(value, ("account", "seq"), ADDRESS, Key::offer)
}

fn ticket(value: &Value) -> Result<Named, Malformed> {
    numbered(value, ("account", "ticket_seq"), ADDRESS, Key::Ticket)
}

fn issuance_id(value: Option<&Value>) -> Result<[u8; 24], Malformed> {
    let mut id = [0; 24];
    let text = value.and_then(Value::as_str).ok_or(REQUEST)?;
    ::hex::decode_to_slice(text, &mut id).map_err(|_| REQUEST)?;
    Ok(id)
}

fn mpt_issuance(value: &Value) -> Result<Named, Malformed> {
    issuance_id(Some(value)).map(|id| Named::Key(Key::mpt_issuance(&id)))
}

fn mptoken(value: &Value) -> Result<Named, Malformed> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(other) => return other,
    };
    let holder = fields.get("account");
    let id = issuance_id(fields.get("mpt_issuance_id"))?;
    Ok(Named::Key(Key::mpt_holding(&id, account(holder, ADDRESS)?)))
}

fn line(value: &Value) -> Result<Named, Malformed> {
    let fields = value.as_object().ok_or(REQUEST)?;
    let currency = fields.get("currency").ok_or(REQUEST)?;
    let Some([one, other]) = fields
        .get("accounts")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    else {
        return Err(REQUEST);
    };
    let (one, other) = (account(Some(one), ADDRESS)?, account(Some(other), ADDRESS)?);
    if one == other {
        return Err(REQUEST);
    }
    let currency: Currency = currency
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or("malformedCurrency")?;
    Ok(Named::Key(Key::line(one, other, currency.bytes())))
}

/// The key that stands, or stood, under an index where the request looks.
fn key_at(net: &Net, call: &Call<'_>, selected: &Selected, index: [u8; 32]) -> Option<Key> {
    let known = net.chain(call.server()).key_at(&index);
    let provisional = || {
        let changed = &net.servers[call.server()].open.overlay.changed;
        changed.keys().copied().find(|key| key.index() == index)
    };
    match selected {
        Selected::Open { .. } => known.or_else(provisional),
        Selected::Closed(_) | Selected::Awaiting(_) => known,
    }
}

pub(super) fn ledger_entry(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let mut out = selected.fields();
    let refused = |token: &'static str| RpcError::bare(token).with_all(selected.fields());
    let way = WAYS
        .iter()
        .find(|way| call.params.contains_key(way.parameter))
        .ok_or_else(|| {
            refused(if call.version > 1 {
                "invalidParams"
            } else {
                "unknownOption"
            })
        })?;
    let named = (way.read)(&call.params[way.parameter]).map_err(refused)?;
    let key = match named {
        Named::Key(key) => Some(key),
        Named::Index(index) => key_at(&net, call, &selected, index),
    };
    let key = key.ok_or_else(|| refused("entryNotFound"))?;
    let mut entry = selected
        .entry(&net, call.server(), &key)?
        .ok_or_else(|| refused("entryNotFound"))?;
    if let Entry::Account(root) = &mut entry {
        net.servers[call.server()].faults.retell(root);
    }
    if way.kind.is_some_and(|kind| kind != entry.type_number()) {
        return Err(refused("unexpectedLedgerType"));
    }
    out.insert("index".to_owned(), json!(hex(&key.index())));
    if call.flag("binary")? {
        out.insert("node_binary".to_owned(), json!(hex(&entry.to_node())));
    } else {
        let node = Value::Object(render::entry(&key, &entry));
        out.insert("node".to_owned(), node);
    }
    Ok(Value::Object(out))
}
