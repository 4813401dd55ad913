//! What a ledger's transactions did to order books: the volumes and prices of `book_changes`, and whose
//! books a transaction is news for.
//!
//! Owns nothing; everything is read from metadata, which names each offer that was touched.

use super::render::{self, hex};
use crate::ledger::amount::{Amount, Asset, Kind, Overflow, Value as Number, divide};
use crate::ledger::chain::{Applied, Ledger};
use crate::ledger::fields::{f, lt};
use crate::ledger::rules::offer::Book;
use crate::ledger::tx::types;
use crate::st::{Field, FieldId, Fields};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerHash;

/// What metadata says of one offer.
struct Node<'m> {
    kind: FieldId,
    before: Option<&'m [u8]>,
    /// The fields of a new offer, or those that one was left with.
    fields: Option<&'m [u8]>,
}

fn find(bytes: &[u8], id: FieldId) -> Option<Field<'_>> {
    Fields::of(bytes)
        .filter_map(Result::ok)
        .find(|field| field.id == id)
}

/// The offers that a transaction touched.
fn nodes(meta: &[u8]) -> impl Iterator<Item = Node<'_>> {
    let array = find(meta, f::AFFECTED_NODES).map_or(&[][..], |field| field.value);
    Fields::of(array).filter_map(|node| {
        let node = node.ok()?;
        let kind = find(node.value, f::LEDGER_ENTRY_TYPE)?;
        if kind.number() != u64::from(lt::OFFER) {
            return None;
        }
        let object = |id| find(node.value, id).map(|field| field.value);
        Some(Node {
            kind: node.id,
            before: object(f::PREVIOUS_FIELDS),
            fields: object(f::FINAL_FIELDS).or_else(|| object(f::NEW_FIELDS)),
        })
    })
}

/// What an offer gives and asks, where both are named.
#[derive(Clone, Copy)]
struct Sides {
    gets: Amount,
    pays: Amount,
}

fn sides(fields: Option<&[u8]>) -> Option<Sides> {
    let amount = |id| find(fields?, id).and_then(|field| Amount::read(field.value));
    Some(Sides {
        gets: amount(f::TAKER_GETS)?,
        pays: amount(f::TAKER_PAYS)?,
    })
}

/// The books whose subscribers a transaction is news for. As in rippled, a book is told of the offers that
/// go the other way.
pub(super) fn touched(tx: &Applied) -> BTreeSet<Book> {
    let mut books = BTreeSet::new();
    if !tx.result.is_success() {
        return books;
    }
    for node in nodes(&tx.meta) {
        let named = if node.kind == f::MODIFIED_NODE {
            node.before
        } else {
            node.fields
        };
        books.extend(sides(named).map(|sides| Book {
            pays: sides.gets.asset,
            gets: sides.pays.asset,
        }));
    }
    books
}

/// Whose offer a transaction makes, and what it gives, where it is an OfferCreate.
pub(super) fn made_offer(blob: &[u8]) -> Option<(AccountId, Amount)> {
    let kind = find(blob, f::TRANSACTION_TYPE)?.number();
    if kind != u64::from(types::OFFER_CREATE) {
        return None;
    }
    let account = find(blob, f::ACCOUNT)?.array().map(AccountId)?;
    let gives = find(blob, f::TAKER_GETS)?;
    Some((account, Amount::read(gives.value)?))
}

/// What changed hands between two assets in one ledger.
struct Tally {
    volumes: [Amount; 2],
    high: Number,
    low: Number,
    open: Number,
    close: Number,
}

/// What was taken of an offer: the assets in the order in which changes name them, and the rate.
fn taken(before: Sides, after: Sides) -> Result<Option<([Amount; 2], Number)>, Overflow> {
    let difference = |after: Amount, before: Amount| {
        let value = after.value.minus(before.value)?;
        Ok::<_, Overflow>(value.of(after.asset))
    };
    let gets = difference(after.gets, before.gets)?;
    let pays = difference(after.pays, before.pays)?;
    let in_order = match (gets.asset.is_xrp(), pays.asset.is_xrp()) {
        (true, _) => true,
        (false, true) => false,
        _ => name(&gets.asset) < name(&pays.asset),
    };
    let (first, second) = if in_order { (gets, pays) } else { (pays, gets) };
    if second.is_zero() {
        return Ok(None);
    }
    let rate = divide(first.value, second.value, Kind::Token)?;
    let size = |amount: Amount| {
        if amount.is_negative() {
            -amount
        } else {
            amount
        }
    };
    Ok(Some(([size(first), size(second)], rate)))
}

/// An asset by its issuer and currency.
fn name(asset: &Asset) -> String {
    match asset {
        Asset::Xrp => "XRP".to_owned(),
        Asset::Token { currency, issuer } => format!("{issuer}/{}", render::currency(currency)),
        Asset::Mpt(id) => hex(id),
    }
}

/// The sequence of an offer that the transaction itself takes back.
fn cancelled(tx: &Applied) -> Option<u32> {
    let kind = find(&tx.blob, f::TRANSACTION_TYPE)?.number();
    let cancels = [types::OFFER_CREATE, types::OFFER_CANCEL].map(u64::from);
    if !cancels.contains(&kind) {
        return None;
    }
    find(&tx.blob, f::OFFER_SEQUENCE).map(|field| field.u32())
}

fn note(
    tally: &mut BTreeMap<String, Tally>,
    volumes: [Amount; 2],
    rate: Number,
) -> Result<(), Overflow> {
    let key = format!("{}|{}", name(&volumes[0].asset), name(&volumes[1].asset));
    let Some(known) = tally.get_mut(&key) else {
        let fresh = Tally {
            volumes,
            high: rate,
            low: rate,
            open: rate,
            close: rate,
        };
        tally.insert(key, fresh);
        return Ok(());
    };
    for (sum, volume) in known.volumes.iter_mut().zip(volumes) {
        sum.value = sum.value.plus(volume.value)?;
    }
    if rate.partial_cmp(&known.high) == Some(Ordering::Greater) {
        known.high = rate;
    }
    known.low = known.low.least(rate);
    known.close = rate;
    Ok(())
}

fn tally(ledger: &Ledger) -> Result<BTreeMap<String, Tally>, Overflow> {
    let mut out = BTreeMap::new();
    for tx in &ledger.txs {
        let cancelled = cancelled(tx);
        for node in nodes(&tx.meta).filter(|node| node.kind != f::CREATED_NODE) {
            let (Some(before), Some(after)) = (sides(node.before), sides(node.fields)) else {
                continue;
            };
            let sequence = node.fields.and_then(|fields| find(fields, f::SEQUENCE));
            let is_cancelled = node.kind == f::DELETED_NODE
                && cancelled.is_some()
                && sequence.map(|field| field.u32()) == cancelled;
            if is_cancelled {
                continue;
            }
            if let Some((volumes, rate)) = taken(before, after)? {
                note(&mut out, volumes, rate)?;
            }
        }
    }
    Ok(out)
}

fn row(tally: &Tally) -> Value {
    let side = |asset: &Asset| match asset {
        Asset::Xrp => "XRP_drops".to_owned(),
        other => name(other),
    };
    let [a, b] = &tally.volumes;
    json!({
        "currency_a": side(&a.asset),
        "currency_b": side(&b.asset),
        "volume_a": super::books::text(a.value),
        "volume_b": super::books::text(b.value),
        "high": super::books::text(tally.high),
        "low": super::books::text(tally.low),
        "open": super::books::text(tally.open),
        "close": super::books::text(tally.close),
    })
}

/// What changed hands in a ledger, pair of assets by pair, as the stream and the method print it.
pub(super) fn message(ledger: &Ledger) -> Value {
    let changes: Vec<Value> = match tally(ledger) {
        Ok(tally) => tally.values().map(row).collect(),
        Err(error) => {
            tracing::error!(%error, ledger.index = ledger.header.index, "the volumes of a ledger cannot be summed");
            Vec::new()
        }
    };
    json!({
        "type": "bookChanges",
        "changes": changes,
        "ledger_hash": LedgerHash(ledger.header.hash),
        "ledger_index": ledger.header.index,
        "ledger_time": ledger.header.close_time,
        "validated": true,
    })
}
