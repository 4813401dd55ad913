//! What a client that looks for paths asks for, and the answer to it.
//!
//! Owns the state of one request that is asked again with every ledger: what was found the last time.

use super::books;
use super::frame::RpcError;
use super::render;
use crate::ledger::amount::{Amount, Asset, BAD_CURRENCY, Overflow, Value as Number, XRP_ACCOUNT};
use crate::ledger::paths::{
    self, Finder, Ground, Node, NodeKind, Path, Wish, largest, pay, without_limit,
};
use crate::ledger::rules::Setting;
use crate::ledger::state::Read;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// Source currencies that a request may name.
const SOURCES_MAX: usize = 18;
/// How thoroughly is searched. The real server begins here and, as it is configured by default, never
/// goes further.
const LEVEL: u32 = 2;

/// Which of two methods asks: the one that answers once says a little more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// `ripple_path_find`.
    Once,
    /// `path_find`.
    Standing,
}

/// Whether an answer comes at once or after a full search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoroughness {
    Fast,
    Full,
}

/// A request for paths.
#[derive(Debug, Clone)]
pub(crate) struct PathRequest {
    source: AccountId,
    destination: AccountId,
    amount: Amount,
    converts_all: bool,
    send_max: Option<Amount>,
    sources: BTreeSet<Asset>,
    id: Option<Value>,
    manner: Manner,
    /// The paths that were named the last time, by what is sent.
    known: BTreeMap<Asset, Vec<Path>>,
    /// What was answered the last time.
    pub(super) status: Map<String, Value>,
}

/// An amount as a request gives it: drops as text or number, or an object.
fn amount(value: &Value) -> Option<Amount> {
    let drops = |text: &str| {
        let drops = text.parse().ok().map(Number::Xrp)?;
        Some(drops.of(Asset::Xrp)).filter(Amount::is_legal)
    };
    match value {
        Value::String(text) => drops(text),
        Value::Number(number) => drops(&number.to_string()),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let currency = books::currency(text("currency")?)?;
            let issuer = books::issuer(text("issuer")?)?;
            let value: TokenValue = match fields.get("value")? {
                Value::String(text) => text.parse().ok()?,
                Value::Number(number) => number.to_string().parse().ok()?,
                _ => return None,
            };
            match Asset::token(currency, issuer) {
                Asset::Token { .. } if issuer != XRP_ACCOUNT => {
                    Some(Amount::token(value, currency, issuer))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_minus_one(amount: &Amount) -> bool {
    without_limit(amount.asset).is_ok_and(|minus_one| minus_one == *amount)
}

fn is_bad(amount: &Amount) -> bool {
    amount.asset.currency() == Some(BAD_CURRENCY)
}

fn account(
    params: &Map<String, Value>,
    name: &str,
    malformed: fn() -> RpcError,
) -> Result<AccountId, RpcError> {
    let text = params.get(name).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(malformed)
}

/// One of the assets that the source is ready to send.
fn source_asset(
    value: &Value,
    source: AccountId,
    send_max: Option<&Amount>,
) -> Result<Option<Asset>, RpcError> {
    let text = value.get("currency").and_then(Value::as_str);
    let currency = text.and_then(books::currency);
    let currency = currency.ok_or_else(RpcError::source_currency_malformed)?;
    let named = match value.get("issuer") {
        None => XRP_ACCOUNT,
        Some(issuer) => issuer
            .as_str()
            .and_then(books::issuer)
            .ok_or_else(RpcError::source_issuer_malformed)?,
    };
    let is_xrp = Asset::token(currency, source).is_xrp();
    if is_xrp && named != XRP_ACCOUNT {
        return Err(RpcError::source_currency_malformed());
    }
    let issuer = if !is_xrp && named == XRP_ACCOUNT {
        source
    } else {
        named
    };
    let Some(max) = send_max else {
        return Ok(Some(Asset::token(currency, issuer)));
    };
    if max.asset.currency() != Some(currency) {
        return Ok(None);
    }
    let of_max = max.asset.issuer();
    if issuer != source && of_max != source && issuer != of_max {
        return Err(RpcError::source_issuer_malformed());
    }
    let issuer = if issuer == source { of_max } else { issuer };
    Ok(Some(Asset::token(currency, issuer)))
}

fn sources(
    params: &Map<String, Value>,
    source: AccountId,
    send_max: Option<&Amount>,
) -> Result<BTreeSet<Asset>, RpcError> {
    let Some(list) = params.get("source_currencies") else {
        return Ok(BTreeSet::new());
    };
    let list = list
        .as_array()
        .filter(|list| (1..=SOURCES_MAX).contains(&list.len()))
        .ok_or_else(RpcError::source_currency_malformed)?;
    let mut out = BTreeSet::new();
    for value in list {
        out.extend(source_asset(value, source, send_max)?);
    }
    Ok(out)
}

impl PathRequest {
    /// Reads a request.
    pub(super) fn read(params: &Map<String, Value>, manner: Manner) -> Result<Self, RpcError> {
        let missing = [
            ("source_account", RpcError::source_missing()),
            ("destination_account", RpcError::destination_missing()),
            ("destination_amount", RpcError::destination_amount_missing()),
        ];
        for (name, error) in missing {
            if !params.contains_key(name) {
                return Err(error);
            }
        }
        let source = account(params, "source_account", RpcError::source_malformed)?;
        let destination = account(
            params,
            "destination_account",
            RpcError::destination_malformed,
        )?;
        let asked = params.get("destination_amount").and_then(amount);
        let asked = asked.ok_or_else(RpcError::destination_amount_malformed)?;
        let converts_all = is_minus_one(&asked);
        if is_bad(&asked) || (!converts_all && !asked.is_positive()) {
            return Err(RpcError::destination_amount_malformed());
        }
        let send_max = match params.get("send_max") {
            None => None,
            // A limit on what is sent makes sense only where as much as possible is to arrive.
            Some(_) if !converts_all => return Err(RpcError::destination_amount_malformed()),
            Some(max) => Some(
                amount(max)
                    .filter(|max| !is_bad(max) && (max.is_positive() || is_minus_one(max)))
                    .ok_or_else(RpcError::send_max_malformed)?,
            ),
        };
        Ok(Self {
            source,
            destination,
            amount: asked,
            converts_all,
            sources: sources(params, source, send_max.as_ref())?,
            send_max,
            id: params.get("id").cloned(),
            manner,
            known: BTreeMap::new(),
            status: Map::new(),
        })
    }

    /// Whether the ledger has who is named, and the destination can be paid at all.
    pub(super) fn check(&self, view: &dyn Read, setting: &Setting) -> Result<(), RpcError> {
        if view.account(self.source).is_none() {
            return Err(RpcError::source_not_found());
        }
        if view.account(self.destination).is_some() {
            return Ok(());
        }
        let Some(drops) = self.amount.drops() else {
            return Err(RpcError::account_not_found());
        };
        let reserve = setting.fees.reserve(0);
        let reaches = u64::try_from(drops).is_ok_and(|drops| drops >= reserve);
        if self.converts_all || reaches {
            Ok(())
        } else {
            Err(RpcError::destination_amount_malformed())
        }
    }

    /// Searches, and answers as the method does.
    pub(super) fn update(
        &mut self,
        view: &dyn Read,
        setting: &Setting,
        thoroughness: Thoroughness,
    ) -> Result<Map<String, Value>, RpcError> {
        let mut out = Map::new();
        if self.manner == Manner::Once {
            let currencies = paths::receivable(view, self.destination, true);
            let texts: Vec<String> = currencies.iter().rev().map(render::currency).collect();
            out.insert("destination_currencies".to_owned(), json!(texts));
        }
        out.insert("source_account".to_owned(), json!(self.source));
        out.insert("destination_account".to_owned(), json!(self.destination));
        out.insert(
            "destination_amount".to_owned(),
            render::amount(&self.amount),
        );
        let is_full = thoroughness == Thoroughness::Full;
        out.insert("full_reply".to_owned(), json!(is_full));
        if let Some(id) = &self.id {
            out.insert("id".to_owned(), id.clone());
        }
        let ground = Ground { view, setting };
        let alternatives = self
            .alternatives(ground)
            .map_err(|_| RpcError::internal())?;
        out.insert("alternatives".to_owned(), json!(alternatives));
        self.status = out.clone();
        Ok(out)
    }

    /// Every asset that may be sent.
    fn assets(&self, view: &dyn Read) -> BTreeSet<Asset> {
        if !self.sources.is_empty() {
            return self.sources.clone();
        }
        let is_self = self.source == self.destination;
        paths::sendable(view, self.source)
            .into_iter()
            .filter(|currency| !is_self || self.amount.asset.currency() != Some(*currency))
            .map(|currency| Asset::token(currency, self.source))
            .collect()
    }

    fn alternatives(&mut self, ground: Ground<'_>) -> Result<Vec<Value>, Overflow> {
        let deliver = if self.converts_all {
            largest(self.amount.asset)?
        } else {
            self.amount
        };
        let wish = Wish {
            source: self.source,
            destination: self.destination,
            deliver,
            converts_all: self.converts_all,
            send_max: self.send_max,
        };
        let mut out = Vec::new();
        for asset in self.assets(ground.view) {
            let currency = asset.currency().unwrap_or_default();
            let Some(finder) = Finder::search(ground, &wish, currency, LEVEL)? else {
                continue;
            };
            let before = self.known.remove(&asset).unwrap_or_default();
            let best = finder.best(&before)?;
            let mut paths = best.paths;
            self.known.insert(asset, paths.clone());
            let send_max = match self.send_max {
                Some(max) => max,
                None => without_limit(asset)?,
            };
            let Some(paid) = pay(ground, &wish, send_max, &mut paths, best.spare) else {
                continue;
            };
            let mut row = json!({
                "paths_computed": paths.iter().map(path).collect::<Vec<_>>(),
                "source_amount": render::amount(&paid.input.with_issuer(asset.issuer())),
            });
            if self.converts_all {
                row["destination_amount"] = render::amount(&paid.output);
            }
            if self.manner == Manner::Once {
                row["paths_canonical"] = json!([]);
            }
            out.push(row);
        }
        Ok(out)
    }
}

/// A path as answers print it.
fn path(path: &Path) -> Value {
    const ACCOUNT: u8 = 0x01;
    const CURRENCY: u8 = 0x10;
    const ISSUER: u8 = 0x20;
    let node = |node: &Node| match node.kind {
        NodeKind::Account => json!({"account": node.account, "type": ACCOUNT}),
        NodeKind::ToXrp => {
            json!({"currency": render::currency(&node.currency), "type": CURRENCY})
        }
        NodeKind::ToToken => json!({
            "currency": render::currency(&node.currency),
            "issuer": node.issuer,
            "type": CURRENCY | ISSUER,
        }),
    };
    path.iter().map(node).collect()
}
