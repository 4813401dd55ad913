//! Methods about payment channels: which an account has, and what their claims' signatures are worth.

use super::account::{asked, bare_not_found};
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::lines::{Bounds, hint, marker, page_length};
use super::render::hex;
use super::secrets;
use crate::ledger::entry::{Entry, Key, Object};
use crate::ledger::fields::{f, lt};
use crate::ledger::rules::channel::claim_message;
use crate::ledger::rules::directory;
use crate::ledger::state::Read;
use crate::st::FieldId;
use serde_json::{Value, json};
use xrpayd_codec::keys::PublicKey;
use xrpayd_core::address::{AccountId, base58check_decode, base58check_encode};

const PAGE: Bounds = Bounds {
    least: 10,
    usual: 200,
    most: 400,
};
/// What stands before a public key in its text form.
const PUBLIC_KEY_PREFIX: u8 = 0x23;

/// Fields that a channel shows where it has them.
const OPTIONAL: [(FieldId, &str); 4] = [
    (f::EXPIRATION, "expiration"),
    (f::CANCEL_AFTER, "cancel_after"),
    (f::SOURCE_TAG, "source_tag"),
    (f::DESTINATION_TAG, "destination_tag"),
];

fn row(key: &Key, channel: &Object) -> Value {
    let drops = |id| channel.drops(id).unwrap_or_default().to_string();
    let mut out = json!({
        "account": channel.account(f::ACCOUNT),
        "amount": drops(f::AMOUNT),
        "balance": drops(f::BALANCE),
        "channel_id": hex(&key.index()),
        "destination_account": channel.account(f::DESTINATION),
        "settle_delay": channel.u32(f::SETTLE_DELAY),
    });
    if let Some(bytes) = channel.blob(f::PUBLIC_KEY) {
        let text = [&[PUBLIC_KEY_PREFIX], bytes].concat();
        out["public_key"] = json!(base58check_encode(&text));
        out["public_key_hex"] = json!(hex(bytes));
    }
    for (id, name) in OPTIONAL {
        if let Some(number) = channel.u32(id) {
            out[name] = json!(number);
        }
    }
    out
}

/// Which channels are asked for.
struct Wanted {
    owner: AccountId,
    destination: Option<AccountId>,
    after: Option<[u8; 32]>,
    limit: usize,
}

/// A page of channels and the marker of the next; `None` where the account does not own what it is to
/// begin after.
fn read_page(view: &dyn Read, wanted: &Wanted) -> Option<(Vec<Value>, Option<String>)> {
    let owned = directory::owned(view, wanted.owner);
    let start = match wanted.after {
        None => 0,
        Some(after) => owned.iter().position(|key| key.index() == after)? + 1,
    };
    let rest = owned.get(start..).unwrap_or_default();
    let mut channels = Vec::new();
    let mut next = None;
    for (place, key) in rest.iter().take(wanted.limit).enumerate() {
        let Some(entry) = view.entry(key) else {
            continue;
        };
        if place + 1 == wanted.limit && rest.len() > wanted.limit {
            let page = hint(&entry, wanted.owner);
            next = Some(format!("{},{page}", hex(&key.index())));
        }
        if let Entry::Object(object) = &entry
            && is_asked(object, wanted)
        {
            channels.push(row(key, object));
        }
    }
    Some((channels, next))
}

fn is_asked(object: &Object, wanted: &Wanted) -> bool {
    let destination = object.account(f::DESTINATION);
    object.kind == lt::CHANNEL
        && object.account(f::ACCOUNT) == Some(wanted.owner)
        && (wanted.destination.is_none() || wanted.destination == destination)
}

pub(super) fn account_channels(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let destination = match call
        .params
        .get("destination_account")
        .and_then(Value::as_str)
    {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| RpcError::account_malformed())?),
    };
    let wanted = Wanted {
        owner: asked.id,
        destination,
        limit: usize::try_from(page_length(call, &PAGE)?).unwrap_or(usize::MAX),
        after: marker(call)?,
    };
    let page = asked
        .selected
        .with_state(&net, call.server(), |view| read_page(view, &wanted))?;
    let (channels, next) = page.ok_or_else(RpcError::invalid_params)?;
    let mut out = asked.selected.fields();
    out.insert("account".to_owned(), json!(asked.id));
    out.insert("channels".to_owned(), json!(channels));
    if let Some(next) = next {
        out.insert("limit".to_owned(), json!(wanted.limit));
        out.insert("marker".to_owned(), json!(next));
    }
    Ok(Value::Object(out))
}

/// A public key in either of its forms.
fn public_key(text: &str) -> Option<PublicKey> {
    let bytes = match base58check_decode(text) {
        Ok(payload) => payload.strip_prefix(&[PUBLIC_KEY_PREFIX])?.to_vec(),
        Err(_) => ::hex::decode(text).ok()?,
    };
    PublicKey::from_bytes(&bytes).ok()
}

/// The channel and the drops that a claim is about.
fn claim(call: &Call<'_>) -> Result<([u8; 32], u64), RpcError> {
    let text = |name: &str| call.params.get(name).and_then(Value::as_str);
    let mut channel = [0; 32];
    ::hex::decode_to_slice(text("channel_id").unwrap_or_default(), &mut channel)
        .map_err(|_| RpcError::channel_malformed())?;
    let drops = text("amount")
        .and_then(|text| text.parse().ok())
        .ok_or_else(RpcError::channel_amount_malformed)?;
    Ok((channel, drops))
}

/// Signs a claim with the secret that the request carries, for administrators as `sign` does.
pub(super) fn channel_authorize(call: &Call<'_>) -> Answer {
    if !call.is_admin() {
        return Err(RpcError::not_supported_because(
            "Signing is not supported by this server.",
        ));
    }
    for name in ["channel_id", "amount"] {
        if !call.params.contains_key(name) {
            return Err(RpcError::missing(name));
        }
    }
    if !call.params.contains_key("key_type") && !call.params.contains_key("secret") {
        return Err(RpcError::missing("secret"));
    }
    let pair = secrets::signing_pair(call.params, call.version)?;
    let (channel, drops) = claim(call)?;
    let signature = pair.sign(&claim_message(&channel, drops));
    Ok(json!({ "signature": hex(&signature) }))
}

pub(super) fn channel_verify(call: &Call<'_>) -> Answer {
    for name in ["public_key", "channel_id", "amount", "signature"] {
        if !call.params.contains_key(name) {
            return Err(RpcError::missing(name));
        }
    }
    let text = |name: &str| call.params.get(name).and_then(Value::as_str);
    let key = text("public_key")
        .and_then(public_key)
        .ok_or_else(RpcError::public_malformed)?;
    let (channel, drops) = claim(call)?;
    let signature = text("signature")
        .and_then(|text| ::hex::decode(text).ok())
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(RpcError::invalid_params)?;
    let is_good = key.verify(&claim_message(&channel, drops), &signature);
    Ok(json!({ "signature_verified": is_good }))
}
