//! `ledger_data`: the whole state of a ledger, page by page in the order of its indexes.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::ledger_methods;
use super::objects::chosen_type;
use super::render::{self, hex};
use super::select::{self, Selected};
use crate::ledger::entry::{Entry, Key};
use crate::network::Net;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Entries on a page, for those who read JSON and those who read binary.
const PAGE_JSON: usize = 256;
const PAGE_BINARY: usize = 2048;

/// The index after which a page begins.
fn marker(call: &Call<'_>) -> Result<Option<[u8; 32]>, RpcError> {
    let Some(marker) = call.params.get("marker") else {
        return Ok(None);
    };
    let mut index = [0; 32];
    let text = marker.as_str().unwrap_or_default();
    ::hex::decode_to_slice(text, &mut index).map_err(|_| RpcError::expected("marker", "valid"))?;
    Ok(Some(index))
}

fn length(call: &Call<'_>, is_binary: bool) -> Result<usize, RpcError> {
    let most = if is_binary { PAGE_BINARY } else { PAGE_JSON };
    let Some(limit) = call.params.get("limit") else {
        return Ok(most);
    };
    let limit = limit
        .as_i64()
        .ok_or_else(|| RpcError::expected("limit", "integer"))?;
    match usize::try_from(limit) {
        Ok(limit) if limit <= most || call.is_admin() => Ok(limit),
        _ => Ok(most),
    }
}

/// The index just before another: what a marker names, so that reading goes on at the other.
fn before(mut index: [u8; 32]) -> [u8; 32] {
    for byte in index.iter_mut().rev() {
        let (less, borrow) = byte.overflowing_sub(1);
        *byte = less;
        if !borrow {
            break;
        }
    }
    index
}

/// What the open ledger has that no closed one has had, by index.
fn provisional(net: &Net, server: usize, selected: &Selected) -> BTreeMap<[u8; 32], Key> {
    let known = net.chain(server).by_index();
    match selected {
        Selected::Closed(_) | Selected::Awaiting(_) => BTreeMap::new(),
        Selected::Open { .. } => {
            let keys = net.servers[server].open.overlay.changed.keys();
            keys.map(|key| (key.index(), *key))
                .filter(|(index, _)| !known.contains_key(index))
                .collect()
        }
    }
}

/// One page of the state, and the marker of the next.
struct Page {
    entries: Vec<(Key, Entry)>,
    next: Option<[u8; 32]>,
}

fn read_page(
    net: &Net,
    server: usize,
    selected: &Selected,
    after: Option<[u8; 32]>,
    limit: usize,
) -> Result<Page, RpcError> {
    let fresh = provisional(net, server, selected);
    let from = (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    );
    let mut known = net.chain(server).by_index().range(from).peekable();
    let mut fresh = fresh.range(from).peekable();
    let mut page = Page {
        entries: Vec::new(),
        next: None,
    };
    selected.with_state(net, server, |view| {
        let faults = &net.servers[server].faults;
        while let Some((index, key)) = match (known.peek(), fresh.peek()) {
            (Some(one), Some(other)) if other.0 < one.0 => fresh.next(),
            (Some(_), _) => known.next(),
            (None, _) => fresh.next(),
        } {
            let Some(mut entry) = view.entry(key) else {
                continue;
            };
            if let Entry::Account(root) = &mut entry {
                faults.retell(root);
            }
            if page.entries.len() >= limit {
                page.next = Some(before(*index));
                break;
            }
            page.entries.push((*key, entry));
        }
    })?;
    Ok(page)
}

/// Every entry of a ledger, in the order of their indexes.
pub(super) fn whole(
    net: &Net,
    server: usize,
    selected: &Selected,
) -> Result<Vec<(Key, Entry)>, RpcError> {
    read_page(net, server, selected, None, usize::MAX).map(|page| page.entries)
}

pub(super) fn ledger_data(call: &Call<'_>) -> Answer {
    let (mut out, page, kind, is_binary) = {
        let net = call.shared.net();
        let selected = select::select(call, &net)?;
        let after = marker(call)?;
        let is_binary = call.truthy("binary");
        let limit = length(call, is_binary)?;
        let kind = chosen_type(call.params)?;
        let mut out = selected.fields();
        // An open ledger has no hash yet, which is printed as one of zeros.
        if let Selected::Open { index } = &selected {
            out.insert("ledger_hash".to_owned(), json!(hex(&[0; 32])));
            out.insert("ledger_index".to_owned(), json!(index));
        }
        if after.is_none() {
            let header = ledger_methods::bare_body(call, &net, &selected, is_binary);
            out.insert("ledger".to_owned(), header);
        }
        let page = read_page(&net, call.server(), &selected, after, limit)?;
        (out, page, kind, is_binary)
    };
    let asked = page
        .entries
        .iter()
        .filter(|(_, entry)| kind.is_none_or(|kind| kind == entry.type_number()));
    let state: Vec<Value> = asked
        .map(|(key, entry)| {
            if is_binary {
                json!({"data": hex(&entry.to_node()), "index": hex(&key.index())})
            } else {
                Value::Object(render::entry(key, entry))
            }
        })
        .collect();
    out.insert("state".to_owned(), json!(state));
    if let Some(next) = page.next {
        out.insert("marker".to_owned(), json!(hex(&next)));
    }
    Ok(Value::Object(out))
}
