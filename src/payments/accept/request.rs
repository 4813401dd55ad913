//! The shape of a payment request as it arrives: names and JSON types, nothing else.
//!
//! Everything is optional here so that a body with several faults is told all of them at once; what
//! must be there is said by [`super::read`].

use crate::request::{AmountRequest, Metadata, Object};
use serde::Deserialize;

/// The body of `POST /v1/payments`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentRequest {
    /// A classic address or an X-address.
    pub destination: Option<String>,
    /// The tag at the destination; 0 is a tag.
    pub destination_tag: Option<u32>,
    /// How much is to arrive.
    pub amount: Option<Object<AmountRequest>>,
    /// The wallet that is to pay; the default one where absent.
    pub wallet: Option<String>,
    /// The caller's own name for the payment.
    pub reference: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// Memos to attach, as text.
    pub memos: Option<Vec<Object<MemoRequest>>>,
    /// 64 hex digits that the ledger shall carry as the InvoiceID.
    pub invoice_id: Option<String>,
    /// The tag of the sender.
    pub source_tag: Option<u32>,
    /// Seconds after which no new attempt is signed.
    pub expires_in: Option<u64>,
    /// Only for issued currencies.
    pub send_max: Option<serde_json::Value>,
    /// Only for issued currencies.
    pub deliver_min: Option<serde_json::Value>,
    /// The most that may be burned as fee for one attempt, in drops.
    pub max_fee_drops: Option<String>,
}

/// One memo, as text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoRequest {
    /// What it is about, in characters that a URL may hold.
    #[serde(rename = "type")]
    pub memo_type: Option<String>,
    /// How the data is to be read, in characters that a URL may hold.
    pub format: Option<String>,
    /// The data; any text.
    pub data: Option<String>,
}
