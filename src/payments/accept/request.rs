//! The shape of a payment request as it arrives: names and JSON types, nothing else.
//!
//! Everything is optional here so that a body with several faults is told all of them at once; what
//! must be there is said by [`super::read`].

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

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

/// An amount of any asset.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmountRequest {
    /// `XRP`, three characters or 40 hex digits.
    pub currency: Option<String>,
    /// The issuer of a token.
    pub issuer: Option<String>,
    /// The issuance of a multi-purpose token.
    pub mpt_issuance_id: Option<String>,
    /// A plain decimal number.
    pub value: Option<String>,
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

/// String pairs; a name that is given twice is refused, because only one of them could be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Metadata;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of string values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if pairs.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate name"));
                    }
                }
                Ok(Metadata(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A JSON object. A structure by itself would also be read from an array, by the order of its fields,
/// and nobody who pays by the order of fields means it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<T> Deref for Object<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}
