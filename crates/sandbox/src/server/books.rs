//! Order books as clients name and see them: reading a pair of assets, and one page of what is offered.
//!
//! Owns nothing. `book_offers` and `subscribe` refuse a malformed pair with different words, as rippled
//! does, so each has a reader of its own.

use super::frame::RpcError;
use super::render;
use crate::ledger::amount::{
    Amount, Asset, NO_ACCOUNT, Overflow, QUALITY_ONE, Quality, Value as Number, XRP_ACCOUNT,
    XRP_CURRENCY, divide, multiply, rate_value,
};
use crate::ledger::entry::Entry;
use crate::ledger::rules::flow::Sandbox;
use crate::ledger::rules::line::{is_globally_frozen, transfer_rate};
use crate::ledger::rules::offer::{Book, Offer, quality_of};
use crate::ledger::rules::{Setting, directory};
use crate::ledger::state::Read;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;

/// Offers on a page when the client says nothing.
pub(super) const PAGE_USUAL: u32 = 60;

/// A currency code in a request; nothing at all stands for XRP too.
pub(super) fn currency(text: &str) -> Option<[u8; 20]> {
    if text.is_empty() || text == "XRP" || text == "0".repeat(40) {
        return Some(XRP_CURRENCY);
    }
    let currency = Currency::from_ledger_text(text).ok()?;
    Some(*currency.bytes())
}

/// An issuer in a request, as an address or in hexadecimal.
pub(super) fn issuer(text: &str) -> Option<AccountId> {
    let mut bytes = [0; 20];
    if text.len() == 40 && hex::decode_to_slice(text, &mut bytes).is_ok() {
        return Some(AccountId(bytes));
    }
    text.parse().ok()
}

/// The errors with which a method refuses one side of a book.
struct Refusals {
    side: &'static str,
    currency: fn() -> RpcError,
    issuer: fn() -> RpcError,
}

const PAYS: Refusals = Refusals {
    side: "taker_pays",
    currency: RpcError::source_currency_malformed,
    issuer: RpcError::source_issuer_malformed,
};
const GETS: Refusals = Refusals {
    side: "taker_gets",
    currency: RpcError::destination_amount_malformed,
    issuer: RpcError::destination_issuer_malformed,
};

fn side<'p>(params: &'p Map<String, Value>, name: &str) -> Result<&'p Value, RpcError> {
    let side = params.get(name).ok_or_else(|| RpcError::missing(name))?;
    if side.is_object() || side.is_null() {
        Ok(side)
    } else {
        Err(RpcError::expected(name, "object"))
    }
}

/// Reads the currency of a side of the book that `book_offers` is asked for.
fn named_currency(value: &Value, refusals: &Refusals) -> Result<[u8; 20], RpcError> {
    let field = format!("{}.currency", refusals.side);
    let text = value.get("currency");
    let text = text.ok_or_else(|| RpcError::missing(&field))?;
    let text = text
        .as_str()
        .ok_or_else(|| RpcError::expected(&field, "string"))?;
    let words = format!("Invalid field '{field}', bad currency.");
    currency(text).ok_or_else(|| (refusals.currency)().worded(words))
}

fn named_asset(value: &Value, currency: [u8; 20], refusals: &Refusals) -> Result<Asset, RpcError> {
    let side = refusals.side;
    let field = format!("{side}.issuer");
    let refused = |words: String| (refusals.issuer)().worded(words);
    let id = match value.get("issuer") {
        None => XRP_ACCOUNT,
        Some(Value::String(text)) => {
            issuer(text).ok_or_else(|| refused(format!("Invalid field '{field}', bad issuer.")))?
        }
        Some(_) => return Err(RpcError::expected(&field, "string")),
    };
    if id == NO_ACCOUNT {
        let words = format!("Invalid field '{field}', bad issuer account one.");
        return Err(refused(words));
    }
    match (currency == XRP_CURRENCY, id == XRP_ACCOUNT) {
        (true, false) => Err(refused(format!(
            "Unneeded field '{field}' for XRP currency specification."
        ))),
        (false, true) => Err(refused(format!(
            "Invalid field '{field}', expected non-XRP issuer."
        ))),
        _ => Ok(Asset::token(currency, id)),
    }
}

/// Reads the book that `book_offers` is asked for.
pub(super) fn named(params: &Map<String, Value>) -> Result<Book, RpcError> {
    for name in ["taker_pays", "taker_gets"] {
        if !params.contains_key(name) {
            return Err(RpcError::missing(name));
        }
    }
    let (pays, gets) = (side(params, "taker_pays")?, side(params, "taker_gets")?);
    let (pays_currency, gets_currency) =
        (named_currency(pays, &PAYS)?, named_currency(gets, &GETS)?);
    Ok(Book {
        pays: named_asset(pays, pays_currency, &PAYS)?,
        gets: named_asset(gets, gets_currency, &GETS)?,
    })
}

fn subscribed_asset(value: &Value, refusals: &Refusals) -> Result<Asset, RpcError> {
    let text = value.get("currency").and_then(Value::as_str);
    let code = text.and_then(currency).ok_or_else(refusals.currency)?;
    let id = match value.get("issuer") {
        None => XRP_ACCOUNT,
        Some(given) => given
            .as_str()
            .and_then(issuer)
            .ok_or_else(refusals.issuer)?,
    };
    if (code == XRP_CURRENCY) != (id == XRP_ACCOUNT) || id == NO_ACCOUNT {
        return Err((refusals.issuer)());
    }
    Ok(Asset::token(code, id))
}

/// A book that a client subscribes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscribed {
    pub(super) book: Book,
    pub(super) taker: AccountId,
    /// Whether the book that goes the other way is meant as well.
    pub(super) both: bool,
    /// Whether the answer shows what is offered now.
    pub(super) snapshot: bool,
}

/// Reads the books of `subscribe` and `unsubscribe`.
pub(super) fn subscribed(params: &Map<String, Value>) -> Result<Vec<Subscribed>, RpcError> {
    let Some(list) = params.get("books") else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or_else(RpcError::invalid_params)?;
    list.iter().map(subscribed_book).collect()
}

fn subscribed_book(value: &Value) -> Result<Subscribed, RpcError> {
    let object = value.as_object().ok_or_else(RpcError::invalid_params)?;
    let side = |name| {
        let side = object.get(name);
        side.filter(|side| side.is_object() || side.is_null())
            .ok_or_else(RpcError::invalid_params)
    };
    let (pays, gets) = (side("taker_pays")?, side("taker_gets")?);
    let book = Book {
        pays: subscribed_asset(pays, &PAYS)?,
        gets: subscribed_asset(gets, &GETS)?,
    };
    if book.pays == book.gets {
        return Err(RpcError::no_market());
    }
    let taker = match object.get("taker") {
        None => NO_ACCOUNT,
        Some(text) => text
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(RpcError::bad_issuer)?,
    };
    let holds = |name: &str| object.get(name).and_then(Value::as_bool) == Some(true);
    Ok(Subscribed {
        book,
        taker,
        both: holds("both") || holds("both_sides"),
        snapshot: holds("snapshot") || holds("state"),
    })
}

/// What is left of each owner's funds as a page goes down the book.
struct Funds<'v> {
    view: &'v dyn Read,
    setting: &'v Setting,
    left: HashMap<AccountId, Number>,
}

impl Funds<'_> {
    fn of(&self, offer: &Offer, is_frozen: bool) -> (Number, bool) {
        let asset = offer.gets.asset;
        let zero = Number::zero(asset.kind());
        if asset.issuer() == offer.owner && !asset.is_xrp() {
            return (offer.gets.value, true);
        }
        if is_frozen {
            return (zero, true);
        }
        if let Some(left) = self.left.get(&offer.owner) {
            return (*left, false);
        }
        let spendable = Sandbox::over(self.view, self.setting).spendable(offer.owner, &asset);
        let held = spendable.ok().flatten().unwrap_or(zero);
        (if held.is_negative() { zero } else { held }, true)
    }
}

/// One page of a book as `taker` sees it, offers without funds included.
pub(super) fn page(
    view: &dyn Read,
    setting: &Setting,
    book: &Book,
    taker: AccountId,
    limit: u32,
) -> Result<Vec<Value>, Overflow> {
    let mut funds = Funds {
        view,
        setting,
        left: HashMap::new(),
    };
    let is_frozen = is_globally_frozen(view, book.pays.issuer())
        || is_globally_frozen(view, book.gets.issuer());
    let rate = transfer_rate(view, book.gets.issuer());
    let mut rows = Vec::new();
    let mut left = limit;
    for root in book.directories(view) {
        let quality = quality_of(&root);
        for key in directory::members(view, root) {
            if left == 0 {
                return Ok(rows);
            }
            left -= 1;
            let Some(offer) = Offer::read(view, key) else {
                continue;
            };
            let pays_fee = rate != QUALITY_ONE
                && taker != book.gets.issuer()
                && offer.owner != book.gets.issuer();
            let rate = if pays_fee { rate } else { QUALITY_ONE };
            rows.push(row(&mut funds, offer, quality, is_frozen, rate)?);
        }
    }
    Ok(rows)
}

fn row(
    funds: &mut Funds<'_>,
    offer: Offer,
    quality: Quality,
    is_frozen: bool,
    rate: u32,
) -> Result<Value, Overflow> {
    let (held, is_first) = funds.of(&offer, is_frozen);
    let (pays, gets) = (offer.pays, offer.gets);
    let kind = gets.asset.kind();
    let usable = if rate == QUALITY_ONE {
        held
    } else {
        divide(held, rate_value(rate), kind)?
    };
    let entry = Entry::Object(offer.object);
    let mut out = render::entry(&offer.key, &entry);
    let funded = if usable >= gets.value {
        gets.value
    } else {
        let asked = multiply(usable, quality.rate(), pays.asset.kind())?;
        let pays_funded = pays.value.least(asked).of(pays.asset);
        out.insert(
            "taker_gets_funded".to_owned(),
            render::amount(&usable.of(gets.asset)),
        );
        out.insert("taker_pays_funded".to_owned(), render::amount(&pays_funded));
        usable
    };
    let owner_pays = if rate == QUALITY_ONE {
        funded
    } else {
        held.least(multiply(funded, rate_value(rate), kind)?)
    };
    funds.left.insert(offer.owner, held.minus(owner_pays)?);
    out.insert("quality".to_owned(), json!(text(quality.rate())));
    if is_first {
        out.insert("owner_funds".to_owned(), json!(text(held)));
    }
    Ok(Value::Object(out))
}

/// A number without what it is a number of.
pub(super) fn text(value: Number) -> String {
    match value {
        Number::Xrp(n) | Number::Mpt(n) => n.to_string(),
        Number::Token(value) => value.to_string(),
    }
}

/// What the sender of an offer had of what it gives, once the transaction was done; nothing where it is
/// the issuer.
pub(crate) fn owner_funds(
    view: &dyn Read,
    setting: &Setting,
    owner: AccountId,
    gives: &Amount,
) -> Option<String> {
    let sandbox = Sandbox::over(view, setting);
    let held = match gives.asset {
        Asset::Xrp => sandbox.xrp_liquid(owner, 0),
        Asset::Token { currency, issuer } if issuer != owner => {
            sandbox.holds(owner, issuer, currency)
        }
        Asset::Token { .. } | Asset::Mpt(_) => return None,
    };
    held.ok().map(text)
}
