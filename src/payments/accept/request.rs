//! The shape of a payment request as it arrives: names and JSON types, nothing else.
//!
//! Everything is optional here so that a body with several faults is told all of them at once; what
//! must be there is said by [`super::read`].

use crate::request::{AmountRequest, Metadata, Object};
use crate::shape::amount::RequestedAmount;
use crate::shape::scalar;
use serde::Deserialize;
use utoipa::ToSchema;

/// The body of `POST /v1/payments`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentRequest {
    /// A classic address or an X-address.
    #[schema(value_type = scalar::Destination)]
    pub destination: Option<String>,
    /// The tag at the destination; 0 is a tag.
    pub destination_tag: Option<u32>,
    /// How much is to arrive.
    #[schema(value_type = RequestedAmount)]
    pub amount: Option<Object<AmountRequest>>,
    /// The wallet that is to pay; the default one where absent.
    pub wallet: Option<String>,
    /// The caller's own name for the payment.
    #[schema(value_type = Option<scalar::Reference>)]
    pub reference: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// Memos to attach, as text.
    #[schema(value_type = Option<Vec<MemoRequest>>)]
    pub memos: Option<Vec<Object<MemoRequest>>>,
    /// 64 hex digits that the ledger shall carry as the InvoiceID.
    #[schema(value_type = Option<scalar::Hash256>)]
    pub invoice_id: Option<String>,
    /// The tag of the sender.
    pub source_tag: Option<u32>,
    /// Seconds after which no new attempt is signed.
    #[schema(minimum = 1, maximum = 2592000)]
    pub expires_in: Option<u64>,
    /// Only for issued currencies: refused.
    #[schema(value_type = scalar::Nothing, required = false)]
    pub send_max: Option<serde_json::Value>,
    /// Only for issued currencies: refused.
    #[schema(value_type = scalar::Nothing, required = false)]
    pub deliver_min: Option<serde_json::Value>,
    /// The most that may be burned as fee for one attempt, in drops.
    #[schema(value_type = Option<scalar::MaxFee>)]
    pub max_fee_drops: Option<String>,
}

/// One memo, as text.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoRequest {
    /// What it is about, in characters that a URL may hold.
    #[serde(rename = "type")]
    #[schema(value_type = Option<scalar::MemoWord>)]
    pub memo_type: Option<String>,
    /// How the data is to be read, in characters that a URL may hold.
    #[schema(value_type = Option<scalar::MemoWord>)]
    pub format: Option<String>,
    /// The data; any text.
    #[schema(min_length = 1)]
    pub data: Option<String>,
}
