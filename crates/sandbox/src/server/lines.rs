//! Methods that list an account's trust lines: `account_lines`, `account_currencies`.

use super::account::{asked, bare_not_found};
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render;
use crate::ledger::entry::{Entry, Key, Object};
use crate::ledger::fields::f;
use crate::ledger::rules::directory;
use crate::ledger::rules::line::{self, Line};
use crate::ledger::state::Read;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;

/// The bounds of a page, which administrators may leave.
pub(super) struct Bounds {
    pub(super) least: u32,
    pub(super) usual: u32,
    pub(super) most: u32,
}

const PAGE: Bounds = Bounds {
    least: 10,
    usual: 200,
    most: 400,
};

/// How long a page is to be.
pub(super) fn page_length(call: &Call<'_>, bounds: &Bounds) -> Result<u32, RpcError> {
    let Some(limit) = call.params.get("limit") else {
        return Ok(bounds.usual);
    };
    let limit = limit.as_u64().and_then(|limit| u32::try_from(limit).ok());
    let limit = limit.ok_or_else(|| RpcError::expected("limit", "unsigned integer"))?;
    if call.is_admin() {
        Ok(limit)
    } else {
        Ok(limit.clamp(bounds.least, bounds.most))
    }
}

/// Where a page begins: after the entry with this index.
pub(super) fn marker(call: &Call<'_>) -> Result<Option<[u8; 32]>, RpcError> {
    let Some(marker) = call.params.get("marker") else {
        return Ok(None);
    };
    let text = marker
        .as_str()
        .ok_or_else(|| RpcError::expected("marker", "string"))?;
    let (index, page) = text.split_once(',').ok_or_else(RpcError::invalid_params)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(index, &mut bytes).map_err(|_| RpcError::invalid_params())?;
    page.parse::<u64>()
        .map_err(|_| RpcError::invalid_params())?;
    Ok(Some(bytes))
}

fn peer(call: &Call<'_>, fields: &Map<String, Value>) -> Result<Option<AccountId>, RpcError> {
    let text = match call.params.get("peer") {
        None => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.as_str(),
        Some(_) => "",
    };
    let malformed = |_| RpcError::account_malformed().with_all(fields.clone());
    text.parse().map(Some).map_err(malformed)
}

/// The page of its owner's directory on which an entry stands.
fn page_of(entry: &Object, owner: AccountId) -> u64 {
    let id = match Line::of(entry.clone()) {
        Some(line) => line.side(owner).node,
        None => f::OWNER_NODE,
    };
    entry.number(id).unwrap_or_default()
}

/// One page of lines, and where the next one begins.
struct Page {
    lines: Vec<Line>,
    next: Option<String>,
}

/// Which of an account's lines are asked for.
struct Wanted {
    account: AccountId,
    peer: Option<AccountId>,
    after: Option<[u8; 32]>,
    limit: usize,
    /// Whether lines that cost the account no reserve are left out.
    ignore_default: bool,
}

/// One page of what an account owns, and where the next one begins.
pub(super) struct OwnedPage {
    pub(super) entries: Vec<(Key, Entry)>,
    pub(super) next: Option<String>,
}

/// Reads a page of what an account owns; `None` where it does not own what the page is to begin after.
pub(super) fn owned_page(
    view: &dyn Read,
    account: AccountId,
    after: Option<[u8; 32]>,
    limit: usize,
) -> Option<OwnedPage> {
    let owned = directory::owned(view, account);
    let start = match after {
        None => 0,
        Some(after) => owned.iter().position(|key| key.index() == after)? + 1,
    };
    let mut page = OwnedPage {
        entries: Vec::new(),
        next: None,
    };
    let rest = owned.get(start..).unwrap_or_default();
    for (place, key) in rest.iter().take(limit).enumerate() {
        let Some(entry) = view.entry(key) else {
            continue;
        };
        if place + 1 == limit && rest.len() > limit {
            let (index, page_number) = (render::hex(&key.index()), hint(&entry, account));
            page.next = Some(format!("{index},{page_number}"));
        }
        page.entries.push((*key, entry));
    }
    Some(page)
}

/// Reads a page; `None` where the account does not own what it is to begin after.
fn read_page(view: &dyn Read, wanted: &Wanted) -> Option<Page> {
    let owned = owned_page(view, wanted.account, wanted.after, wanted.limit)?;
    let lines = owned.entries.into_iter().filter_map(|(_, entry)| {
        let Entry::Object(object) = entry else {
            return None;
        };
        let line = Line::of(object)?;
        let is_free = !line.has(line.side(wanted.account).reserve);
        let is_other = wanted
            .peer
            .is_some_and(|peer| line.other(wanted.account) != peer);
        (!(is_other || (wanted.ignore_default && is_free))).then_some(line)
    });
    Some(Page {
        lines: lines.collect(),
        next: owned.next,
    })
}

/// The page of its owner's directory on which an entry stands, as markers name it.
pub(super) fn hint(entry: &Entry, owner: AccountId) -> u64 {
    match entry {
        Entry::Object(object) => page_of(object, owner),
        Entry::Ticket(ticket) => ticket.page,
        Entry::SignerList(list) => list.page,
        Entry::Account(_) | Entry::Dir(_) => 0,
    }
}

fn row(line: &Line, account: AccountId) -> Value {
    /// The recorded release takes this flag, a freeze by the higher account, for "rippling is the
    /// default" and leaves out what would say otherwise.
    const TAKEN_FOR_DEFAULT_RIPPLE: u32 = 0x0080_0000;
    let peer = line.other(account);
    let (mine, theirs) = (line.side(account), line.side(peer));
    let mut out = json!({
        "account": peer,
        "balance": line.balance(account).to_string(),
        "currency": render::currency(&line.currency),
        "limit": line.limit(account).to_string(),
        "limit_peer": line.limit(peer).to_string(),
        "quality_in": line.quality_in(account),
        "quality_out": line.quality_out(account),
    });
    let shows_rippling = !line.has(TAKEN_FOR_DEFAULT_RIPPLE);
    let flags = [
        ("authorized", mine.auth, false),
        ("peer_authorized", theirs.auth, false),
        ("no_ripple", mine.no_ripple, shows_rippling),
        ("no_ripple_peer", theirs.no_ripple, shows_rippling),
        ("freeze", mine.freeze, false),
        ("freeze_peer", theirs.freeze, false),
    ];
    for (name, flag, always) in flags {
        if line.has(flag) || always {
            out[name] = json!(line.has(flag));
        }
    }
    out
}

pub(super) fn account_lines(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let mut out = asked.selected.fields();
    let wanted = Wanted {
        account: asked.id,
        peer: peer(call, &out)?,
        limit: usize::try_from(page_length(call, &PAGE)?).unwrap_or(usize::MAX),
        after: marker(call)?,
        ignore_default: call.truthy("ignore_default"),
    };
    if wanted.limit == 0 {
        return Err(RpcError::invalid_params());
    }
    let page = asked
        .selected
        .with_state(&net, call.server(), |view| read_page(view, &wanted))?;
    let page = page.ok_or_else(RpcError::invalid_params)?;
    let rows: Vec<Value> = page.lines.iter().map(|line| row(line, asked.id)).collect();
    out.insert("account".to_owned(), json!(asked.id));
    out.insert("lines".to_owned(), json!(rows));
    if let Some(next) = page.next {
        out.insert("limit".to_owned(), json!(wanted.limit));
        out.insert("marker".to_owned(), json!(next));
    }
    Ok(Value::Object(out))
}

/// What an account could receive and send: the currencies of the lines that have room.
pub(super) fn account_currencies(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let (mut receive, mut send) = (BTreeSet::new(), BTreeSet::new());
    asked.selected.with_state(&net, call.server(), |view| {
        for line in line::all(view, asked.id) {
            let peer = line.other(asked.id);
            if line.balance(asked.id) < line.limit(asked.id) {
                receive.insert(line.currency);
            }
            if line.balance(peer) < line.limit(peer) {
                send.insert(line.currency);
            }
        }
    })?;
    let texts = |codes: &BTreeSet<_>| codes.iter().map(render::currency).collect::<Vec<_>>();
    let mut out = asked.selected.fields();
    out.insert("receive_currencies".to_owned(), json!(texts(&receive)));
    out.insert("send_currencies".to_owned(), json!(texts(&send)));
    Ok(Value::Object(out))
}
