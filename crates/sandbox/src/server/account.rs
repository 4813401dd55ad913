//! Methods about one account.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render;
use super::select::{self, Selected};
use crate::ledger::chain::{Ledger, Place};
use crate::ledger::entry::{Account, Entry, Key};
use crate::ledger::queue::{self, Queued};
use crate::ledger::tx::SeqProxy;
use crate::network::Net;
use serde_json::{Value, json};
use std::sync::Arc;
use xrpayd_core::address::AccountId;

/// Lines of history in a page, when the client says nothing.
const PAGE_DEFAULT: u32 = 200;
/// The bounds of a page for clients that are not administrators.
const PAGE_MIN: u32 = 10;
const PAGE_MAX: u32 = 400;

/// The account that a request names and its root, in the ledger that it names.
pub(super) struct Asked {
    pub(super) id: AccountId,
    pub(super) root: Account,
    pub(super) selected: Selected,
}

fn name<'a>(call: &'a Call<'_>) -> Result<&'a str, RpcError> {
    match call
        .params
        .get("account")
        .or_else(|| call.params.get("ident"))
    {
        None => Err(RpcError::missing("account")),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(RpcError::invalid_field("account")),
    }
}

/// Finds the account and the ledger that a request is about.
pub(super) fn asked(call: &Call<'_>, net: &Net) -> Result<Asked, RpcError> {
    let text = name(call)?;
    let selected = select::select(call, net)?;
    let id: AccountId = text
        .parse()
        .map_err(|_| RpcError::account_malformed().with_all(selected.fields()))?;
    match selected.entry(net, call.server(), &Key::Account(id))? {
        Some(Entry::Account(root)) => Ok(Asked { id, root, selected }),
        _ => Err(RpcError::account_not_found()
            .with("account", json!(id))
            .with_all(selected.fields())),
    }
}

pub(super) fn account_info(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let mut asked = asked(call, &net)?;
    net.servers[call.server()].faults.retell(&mut asked.root);
    let (signer_lists, queue) = (call.flag("signer_lists")?, call.flag("queue")?);
    let is_open = matches!(asked.selected, Selected::Open { .. });
    let mut out = asked.selected.fields();
    if queue && !is_open {
        return Err(RpcError::invalid_params().with_all(out));
    }
    let key = Key::Account(asked.id);
    let flags = render::account_flags(&asked.root);
    let mut data = render::entry(&key, &Entry::Account(asked.root));
    if signer_lists {
        let key = Key::SignerList(asked.id);
        let list = asked.selected.entry(&net, call.server(), &key)?;
        let lists: Vec<_> = list
            .iter()
            .map(|entry| render::entry(&key, entry))
            .collect();
        let into = if call.version > 1 {
            &mut out
        } else {
            &mut data
        };
        into.insert("signer_lists".to_owned(), json!(lists));
    }
    if queue {
        out.insert(
            "queue_data".to_owned(),
            queue_data(&net, call.server(), asked.id),
        );
    }
    out.insert("account_data".to_owned(), Value::Object(data));
    out.insert("account_flags".to_owned(), flags);
    Ok(Value::Object(out))
}

/// What of an account waits in the queue.
fn queue_data(net: &Net, server: usize, account: AccountId) -> Value {
    let queued: Vec<&Queued> = net.servers[server].queue.of_account(account).collect();
    let mut out = json!({ "txn_count": queued.len() });
    if queued.is_empty() {
        return out;
    }
    let (mut sequences, mut tickets) = (Vec::new(), Vec::new());
    for waiting in &queued {
        match waiting.tx.proxy() {
            SeqProxy::Sequence(own) => sequences.push(own),
            SeqProxy::Ticket(own) => tickets.push(own),
        }
    }
    for (name, numbers) in [("sequence", sequences), ("ticket", tickets)] {
        if let (Some(lowest), Some(highest)) = (numbers.first(), numbers.last()) {
            out[format!("{name}_count")] = json!(numbers.len());
            out[format!("lowest_{name}")] = json!(lowest);
            out[format!("highest_{name}")] = json!(highest);
        }
    }
    let spends = queued.iter().map(|waiting| max_spend(waiting));
    let total = spends.fold(0, u64::saturating_add);
    let rows: Vec<Value> = queued.iter().map(|waiting| queued_row(waiting)).collect();
    out["auth_change_queued"] = json!(queued.iter().any(|waiting| waiting.is_blocker()));
    out["max_spend_drops_total"] = json!(total.to_string());
    out["transactions"] = json!(rows);
    out
}

/// The most that a queued transaction may take from its sender.
fn max_spend(queued: &Queued) -> u64 {
    queue::spend(&queued.tx).saturating_add(queued.tx.fee_drops())
}

fn queued_row(queued: &Queued) -> Value {
    let tx = &queued.tx;
    let mut row = json!({
        "auth_change": queued.is_blocker(),
        "fee": tx.fee_drops().to_string(),
        "fee_level": queued.level.to_string(),
        "max_spend_drops": max_spend(queued).to_string(),
    });
    match tx.proxy() {
        SeqProxy::Sequence(own) => row["seq"] = json!(own),
        SeqProxy::Ticket(own) => row["ticket"] = json!(own),
    }
    if let Some(last) = tx.last_ledger {
        row["LastLedgerSequence"] = json!(last);
    }
    row
}

/// These methods do not say in which ledger an account was not found.
pub(super) fn bare_not_found(mut error: RpcError) -> RpcError {
    // Only that error names the account; a malformed one is refused with the ledger that was looked at.
    if error.extra.contains_key("account") {
        error.extra.clear();
    }
    error
}

/// A range of ledgers, both ends included.
#[derive(Debug, Clone, Copy)]
struct Range {
    min: u32,
    max: u32,
}

/// The range that a request asks for, out of what the server has.
fn range(call: &Call<'_>, net: &Net) -> Result<Range, RpcError> {
    let server = call.server();
    if net.servers[server].faults.condition.without_validated {
        return Err(RpcError::no_validated_range(call.version));
    }
    let have = Range {
        min: net.first_index(server),
        max: net.servers[server].complete,
    };
    let bound = |name: &str| match call.params.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| RpcError::invalid_field(name)),
    };
    let (min, max) = (bound("ledger_index_min")?, bound("ledger_index_max")?);
    let by_name = ["ledger_index", "ledger_hash"]
        .iter()
        .any(|name| call.params.contains_key(*name));
    if min.is_none() && max.is_none() && by_name {
        return match select::select(call, net)? {
            Selected::Closed(ledger) => {
                let index = ledger.header.index;
                if index < have.min {
                    return Err(RpcError::ledger_not_validated());
                }
                Ok(Range {
                    min: index,
                    max: index,
                })
            }
            Selected::Open { .. } | Selected::Awaiting(_) => Err(RpcError::ledger_not_validated()),
        };
    }
    if call.version > 1 && by_name {
        return Err(RpcError::invalid_params());
    }
    let given = |bound: Option<i64>| {
        let bound = bound.filter(|&bound| bound >= 0);
        bound.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX))
    };
    let (min, max) = (given(min), given(max));
    let outside = max.is_some_and(|max| max > have.max) || min.is_some_and(|min| min < have.min);
    if call.version > 1 && outside {
        return Err(RpcError::ledger_index_malformed());
    }
    let range = Range {
        min: min.map_or(have.min, |min| min.max(have.min)),
        max: max.map_or(have.max, |max| max.min(have.max)),
    };
    if range.min <= range.max {
        Ok(range)
    } else if call.version > 1 {
        Err(RpcError::range_invalid())
    } else {
        Err(RpcError::ledger_indexes_invalid())
    }
}

/// The page length that is printed, and the one that is used.
fn limit(call: &Call<'_>) -> Result<(u32, usize), RpcError> {
    let printed = match call.params.get("limit") {
        None => 0,
        Some(value) => match (value.as_u64(), value.as_i64()) {
            (Some(limit), _) => u32::try_from(limit).map_err(|_| RpcError::invalid_params())?,
            (None, Some(_)) => return Err(RpcError::internal()),
            (None, None) => return Err(RpcError::invalid_field("limit")),
        },
    };
    let asked_for = call.params.contains_key("limit");
    let printed = if call.is_admin() || !asked_for {
        printed
    } else {
        printed.clamp(PAGE_MIN, PAGE_MAX)
    };
    let used = match printed {
        0 => PAGE_DEFAULT,
        limit if call.is_admin() => limit,
        limit => limit.min(PAGE_DEFAULT),
    };
    Ok((printed, usize::try_from(used).unwrap_or(usize::MAX)))
}

fn marker(call: &Call<'_>) -> Result<Option<Place>, RpcError> {
    const WORDS: &str = "invalid marker. Provide ledger index via ledger field, and transaction sequence number via seq field";
    let Some(marker) = call.params.get("marker") else {
        return Ok(None);
    };
    let number = |name: &str| {
        let value = marker.get(name).and_then(Value::as_u64);
        value
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| RpcError::invalid(WORDS))
    };
    Ok(Some(Place {
        ledger: number("ledger")?,
        position: number("seq")?,
    }))
}

/// One page of an account's history.
struct Page {
    rows: Vec<(Arc<Ledger>, usize)>,
    next: Option<Place>,
}

fn page(
    net: &Net,
    server: usize,
    account: AccountId,
    range: Range,
    from: Option<Place>,
    forward: bool,
    length: usize,
) -> Page {
    let faults = &net.servers[server].faults;
    let mut page = Page {
        rows: Vec::new(),
        next: None,
    };
    let Some(history) = net.chain(server).history(account) else {
        return page;
    };
    let low = Place {
        ledger: range.min,
        position: 0,
    };
    let high = Place {
        ledger: range.max,
        position: u32::MAX,
    };
    let (low, high) = match (from, forward) {
        (Some(from), true) => (low.max(from), high),
        (Some(from), false) => (low, high.min(from)),
        (None, _) => (low, high),
    };
    let start = history.partition_point(|place| *place < low);
    let end = history.partition_point(|place| *place <= high).max(start);
    let places = history.range(start..end);
    let mut ordered: Box<dyn Iterator<Item = &Place>> = if forward {
        Box::new(places)
    } else {
        Box::new(places.rev())
    };
    for &place in &mut ordered {
        let Some((ledger, tx)) = net.chain(server).at(place) else {
            continue;
        };
        if faults.hides(tx.hash, &tx.accounts) || faults.lacks_ledger(place.ledger) {
            continue;
        }
        if page.rows.len() >= length {
            page.next = Some(place);
            break;
        }
        let position = usize::try_from(place.position).unwrap_or(usize::MAX);
        page.rows.push((Arc::clone(ledger), position));
    }
    page
}

pub(super) fn account_tx(call: &Call<'_>) -> Answer {
    let (printed_limit, length) = limit(call)?;
    let (binary, forward) = (call.flag("binary")?, call.flag("forward")?);
    let account: AccountId = call
        .text("account")?
        .parse()
        .map_err(|_| RpcError::account_malformed())?;
    let (range, page, faults) = {
        let net = call.shared.net();
        let range = range(call, &net)?;
        let page = page(
            &net,
            call.server(),
            account,
            range,
            marker(call)?,
            forward,
            length,
        );
        (range, page, net.servers[call.server()].faults.clone())
    };
    let rows: Vec<Value> = page
        .rows
        .iter()
        .filter_map(|(ledger, position)| ledger.txs.get(*position).map(|tx| (ledger, tx)))
        .map(|(ledger, tx)| render::history_row(ledger, tx, &faults, call.version, binary))
        .collect();
    let mut out = json!({
        "account": account,
        "ledger_index_max": range.max,
        "ledger_index_min": range.min,
        "limit": printed_limit,
        "transactions": rows,
        "validated": true,
    });
    if let Some(next) = page.next {
        out["marker"] = json!({"ledger": next.ledger, "seq": next.position});
    }
    Ok(out)
}
