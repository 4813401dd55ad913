//! Methods about offers: `account_offers`, `book_offers`, `book_changes`.

use super::account::{asked, bare_not_found};
use super::book_changes;
use super::books;
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::lines::{self, Bounds, page_length};
use super::render;
use super::select::{self, Selected};
use crate::ledger::amount::XRP_ACCOUNT;
use crate::ledger::entry::{Entry, Key};
use crate::ledger::fields::f;
use crate::ledger::rules::offer::Offer;
use serde_json::{Value, json};

const PAGE: Bounds = Bounds {
    least: 10,
    usual: 200,
    most: 400,
};
const BOOK_PAGE: Bounds = Bounds {
    least: 1,
    usual: books::PAGE_USUAL,
    most: 100,
};

fn row((key, entry): (Key, Entry)) -> Option<Value> {
    let Entry::Object(object) = entry else {
        return None;
    };
    let offer = Offer::of(key, object)?;
    let mut out = json!({
        "flags": offer.object.flags(),
        "quality": books::text(offer.quality().rate()),
        "seq": offer.object.u32(f::SEQUENCE).unwrap_or_default(),
        "taker_gets": render::amount(&offer.gets),
        "taker_pays": render::amount(&offer.pays),
    });
    if let Some(expiration) = offer.expiration() {
        out["expiration"] = json!(expiration);
    }
    Some(out)
}

pub(super) fn account_offers(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let limit = page_length(call, &PAGE)?;
    if limit == 0 {
        return Err(RpcError::invalid_params());
    }
    let after = lines::marker(call)?;
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = asked.selected.with_state(&net, call.server(), |view| {
        lines::owned_page(view, asked.id, after, length)
    })?;
    let page = page.ok_or_else(RpcError::invalid_params)?;
    let rows: Vec<Value> = page.entries.into_iter().filter_map(row).collect();
    let mut out = asked.selected.fields();
    out.insert("account".to_owned(), json!(asked.id));
    out.insert("offers".to_owned(), json!(rows));
    if let Some(next) = page.next {
        out.insert("limit".to_owned(), json!(limit));
        out.insert("marker".to_owned(), json!(next));
    }
    Ok(Value::Object(out))
}

pub(super) fn book_offers(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let selected = select::select(call, &net)?;
    let book = books::named(call.params)?;
    let taker = match call.params.get("taker") {
        None => XRP_ACCOUNT,
        Some(Value::String(text)) => text.parse().map_err(|_| RpcError::invalid_field("taker"))?,
        Some(_) => return Err(RpcError::expected("taker", "string")),
    };
    if book.pays == book.gets {
        return Err(RpcError::no_market());
    }
    let limit = page_length(call, &BOOK_PAGE)?;
    let setting = selected.setting(&net, call.server());
    let rows = selected.with_state(&net, call.server(), |view| {
        books::page(view, &setting, &book, taker, limit)
    })?;
    let mut out = selected.fields();
    let rows = rows.map_err(|_| RpcError::internal())?;
    out.insert("offers".to_owned(), json!(rows));
    Ok(Value::Object(out))
}

/// What a closed ledger did to the books.
pub(super) fn book_changes(call: &Call<'_>) -> Answer {
    let by_name = ["ledger_hash", "ledger_index"];
    let named = by_name
        .iter()
        .filter(|name| call.params.contains_key(**name));
    if named.count() != 1 {
        return Err(RpcError::invalid(
            "Exactly one of ledger_hash and ledger_index can be set.",
        ));
    }
    let net = call.shared.net();
    match select::select(call, &net)? {
        Selected::Closed(ledger) | Selected::Awaiting(ledger) => Ok(book_changes::message(&ledger)),
        Selected::Open { .. } => Err(RpcError::invalid("Ledger index too large")),
    }
}
