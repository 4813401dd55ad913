//! What the metadata of a transaction say that it did to one account's holdings: trust lines,
//! multi-purpose tokens, the object that it drew on.
//!
//! Only nodes that name the account are parsed. A balance that does not read makes the whole answer
//! malformed: what cannot be read must not pass for nothing.

use super::account_tx::{Changed, Meta, Node, Subject};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::journal::{ASSETS_MAX, Drawn, Effects, LineChange, MptChange};
use xrpayd_core::mpt::{MptIssuanceId, MptValue};
use xrpayd_core::token::TokenValue;

const BAD_LINE: &str = "a trust line is malformed";
const BAD_MPT: &str = "a holding of a token is malformed";
const BAD_OBJECT: &str = "an object that was drawn on is malformed";

/// The entry that a transaction of this type draws on.
fn drawn_on(transaction_type: &str) -> Option<&'static str> {
    match transaction_type {
        "CheckCash" => Some("Check"),
        "EscrowFinish" | "EscrowCancel" => Some("Escrow"),
        "PaymentChannelClaim" | "PaymentChannelFund" => Some("PayChannel"),
        _ => None,
    }
}

/// What became of an entry, and its fields.
struct Shown<'a> {
    entry_type: &'a str,
    /// As it stands afterwards, or as it was when it went.
    fields: &'a RawValue,
    /// Those that changed, as they were.
    previous: Option<&'a RawValue>,
    is_new: bool,
}

/// What `meta` says of the subject; `transaction_type` says what may have been drawn on.
pub(super) fn of(
    meta: &Meta<'_>,
    transaction_type: &str,
    subject: &Subject,
) -> Result<Effects, &'static str> {
    let mut effects = Effects::default();
    let drawn_on = drawn_on(transaction_type);
    for shown in meta.affected_nodes.iter().filter_map(shown) {
        if !shown.fields.get().contains(&subject.text) {
            continue;
        }
        match shown.entry_type {
            "RippleState" => effects.lines.extend(line(&shown, subject)?),
            "MPToken" => effects.mpts.extend(mpt(&shown, subject)?),
            kind if drawn_on == Some(kind) && effects.drawn.is_none() => {
                effects.drawn = Some(drawn(&shown, subject)?);
            }
            _ => {}
        }
    }
    bound(&mut effects);
    Ok(effects)
}

/// In an order of their own, which servers share, and no more than are kept.
fn bound(effects: &mut Effects) {
    effects
        .lines
        .sort_by_key(|line| (line.currency, line.counterparty));
    effects.mpts.sort_by_key(|change| change.issuance);
    let rest = ASSETS_MAX.saturating_sub(effects.lines.len());
    effects.more = effects.lines.len() > ASSETS_MAX || effects.mpts.len() > rest;
    effects.lines.truncate(ASSETS_MAX);
    effects.mpts.truncate(rest);
}

fn shown<'a>(node: &'a Node<'a>) -> Option<Shown<'a>> {
    let (changed, fields, is_new): (&Changed<'_>, _, _) = match node {
        Node::Created(changed) => (changed, changed.new_fields, true),
        Node::Modified(changed) | Node::Deleted(changed) => (changed, changed.final_fields, false),
    };
    Some(Shown {
        entry_type: &changed.ledger_entry_type,
        fields: fields?,
        previous: changed.previous_fields,
        is_new,
    })
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, bad: &'static str) -> Result<T, &'static str> {
    serde_json::from_str(raw.get()).map_err(|_| bad)
}

fn read_previous<'a, T: Deserialize<'a> + Default>(
    shown: &Shown<'a>,
    bad: &'static str,
) -> Result<T, &'static str> {
    shown
        .previous
        .map_or_else(|| Ok(T::default()), |raw| read(raw, bad))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LineFields<'a> {
    #[serde(borrow, default)]
    balance: Option<LineAmount<'a>>,
    #[serde(borrow)]
    low_limit: LineAmount<'a>,
    #[serde(borrow)]
    high_limit: LineAmount<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LineBefore<'a> {
    #[serde(borrow, default)]
    balance: Option<LineAmount<'a>>,
}

#[derive(Debug, Deserialize)]
struct LineAmount<'a> {
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    value: TokenValue,
}

/// A line of the subject whose balance changed. The ledger keeps it as the low account sees it.
fn line(shown: &Shown<'_>, subject: &Subject) -> Result<Option<LineChange>, &'static str> {
    let fields: LineFields<'_> = read(shown.fields, BAD_LINE)?;
    let is_low = fields.low_limit.issuer == subject.text;
    let other = if is_low {
        &fields.high_limit
    } else if fields.high_limit.issuer == subject.text {
        &fields.low_limit
    } else {
        return Ok(None);
    };
    let after = fields
        .balance
        .map_or(TokenValue::ZERO, |balance| balance.value);
    let before = if shown.is_new {
        TokenValue::ZERO
    } else {
        let previous: LineBefore<'_> = read_previous(shown, BAD_LINE)?;
        previous.balance.map_or(after, |balance| balance.value)
    };
    if before == after {
        return Ok(None);
    }
    let seen = |value: TokenValue| if is_low { value } else { value.negated() };
    Ok(Some(LineChange {
        currency: Currency::from_ledger_text(&other.currency).map_err(|_| BAD_LINE)?,
        counterparty: other.issuer.parse().map_err(|_| BAD_LINE)?,
        before: seen(before),
        after: seen(after),
    }))
}

#[derive(Debug, Deserialize)]
struct MptFields<'a> {
    #[serde(borrow, rename = "Account")]
    account: Cow<'a, str>,
    #[serde(rename = "MPTokenIssuanceID")]
    issuance: MptIssuanceId,
    #[serde(default, rename = "MPTAmount")]
    amount: Option<MptValue>,
}

#[derive(Debug, Default, Deserialize)]
struct MptBefore<'a> {
    #[serde(default, rename = "MPTAmount")]
    amount: Option<MptValue>,
    #[serde(borrow, default, rename = "LockedAmount")]
    locked: Option<&'a RawValue>,
}

/// A holding of the subject. The ledger keeps an amount only while it is not zero, so one that came
/// from nothing is missing among the fields before, where nothing else may stand either.
fn mpt(shown: &Shown<'_>, subject: &Subject) -> Result<Option<MptChange>, &'static str> {
    let fields: MptFields<'_> = read(shown.fields, BAD_MPT)?;
    if fields.account != subject.text {
        return Ok(None);
    }
    let nothing = MptValue::new(0).ok_or(BAD_MPT)?;
    let after = fields.amount.unwrap_or(nothing);
    let change = |before| MptChange {
        issuance: fields.issuance,
        before,
        after,
    };
    if shown.is_new {
        return Ok((after != nothing).then(|| change(Some(nothing))));
    }
    let Some(raw) = shown.previous else {
        return Ok(None);
    };
    let previous: MptBefore<'_> = read(raw, BAD_MPT)?;
    let is_empty = raw
        .get()
        .trim_matches(['{', '}', ' ', '\n', '\t', '\r'])
        .is_empty();
    Ok(match previous.amount {
        Some(before) => (before != after).then(|| change(Some(before))),
        None if after == nothing => None,
        None if is_empty => Some(change(Some(nothing))),
        // Something else changed: whether the amount did too is for whoever knows the transaction.
        None if previous.locked.is_some() => Some(change(None)),
        None => None,
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DrawnFields<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    destination: Cow<'a, str>,
    #[serde(default)]
    destination_tag: Option<u32>,
    #[serde(default)]
    source_tag: Option<u32>,
}

fn drawn(shown: &Shown<'_>, subject: &Subject) -> Result<Drawn, &'static str> {
    let fields: DrawnFields<'_> = read(shown.fields, BAD_OBJECT)?;
    let account = |text: &str| -> Result<AccountId, &'static str> {
        subject.address(text).map_err(|_| BAD_OBJECT)
    };
    Ok(Drawn {
        owner: account(&fields.account)?,
        destination: account(&fields.destination)?,
        destination_tag: fields.destination_tag,
        source_tag: fields.source_tag,
    })
}

#[cfg(test)]
mod tests;
