//! The shapes that several requests have in common: names and JSON types, nothing else.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

/// String pairs; a name that is given twice is refused, because only one of them could be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(pub BTreeMap<String, String>);

/// How metadata may look; the fields' own checks say the same in sentences.
impl PartialSchema for Metadata {
    fn schema() -> RefOr<Schema> {
        let no_nul = || {
            ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::String))
                .pattern(Some(r"^[^\u0000]*$"))
        };
        let names = no_nul().min_length(Some(1)).max_length(Some(40)).build();
        let values: RefOr<Schema> = no_nul().max_length(Some(500)).into();
        ObjectBuilder::new()
            .description(Some("The caller's own data: at most 16 pairs of texts."))
            .property_names(Some(Schema::Object(names)))
            .additional_properties(Some(AdditionalProperties::RefOr(values)))
            .max_properties(Some(16))
            .into()
    }
}

impl ToSchema for Metadata {}

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
