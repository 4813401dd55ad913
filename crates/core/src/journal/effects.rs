//! What a transaction did to what an account holds, as its metadata tell it: all that crediting needs
//! beside the account root after it.
//!
//! Kept with every transaction of the journal, so it is bounded whatever a server sends.

use crate::address::AccountId;
use crate::currency::Currency;
use crate::money::Drops;
use crate::mpt::{MptIssuanceId, MptValue};
use crate::token::TokenValue;
use serde::{Deserialize, Serialize};

/// Assets that are kept of one transaction at most. An ordinary one moves two of an account; what moves
/// more than these goes to a person.
pub const ASSETS_MAX: usize = 16;

/// What a transaction did to the account's holdings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effects {
    /// The balance of XRP before it; none where the metadata do not show the account root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_before: Option<Drops>,
    /// The account's trust lines whose balance it changed, by currency and counterparty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineChange>,
    /// The account's multi-purpose tokens that it changed, by issuance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mpts: Vec<MptChange>,
    /// Whether it changed more than is kept here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// The object that it drew on, where it is of a type that draws on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
    /// Who sent it, and paid its fee, in the account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<AccountId>,
    /// Whether a memo of its sender marks it as a return.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_return: bool,
}

/// A trust line's balance as the account sees it: what it is owed, below zero what it owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChange {
    /// The currency.
    pub currency: Currency,
    /// The account at the other end.
    pub counterparty: AccountId,
    /// The balance before.
    pub before: TokenValue,
    /// The balance after.
    pub after: TokenValue,
}

/// What the account holds of an issuance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MptChange {
    /// The issuance.
    pub issuance: MptIssuanceId,
    /// What it held before; none where the metadata leave open whether it held nothing or the same.
    pub before: Option<MptValue>,
    /// What it holds after.
    pub after: MptValue,
}

/// A check, an escrow or a payment channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Whose money is in it.
    pub owner: AccountId,
    /// Whom it is to pay.
    pub destination: AccountId,
    /// The tag there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_tag: Option<u32>,
    /// The owner's own tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_tag: Option<u32>,
}
