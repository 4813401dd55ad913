//! Amounts as the API shows and takes them. Core writes and reads them; this describes what it does.

use super::scalar::{self, scalars};
use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};

fn asked(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

/// An amount of one asset: the members that say what it is of, and how much.
fn form(title: &str, members: &[(&str, RefOr<Schema>)]) -> ObjectBuilder {
    let all = members.iter().fold(
        ObjectBuilder::new().title(Some(title)),
        |object, (name, schema)| object.property(*name, schema.clone()).required(*name),
    );
    all.property("value", asked("Decimal")).required("value")
}

fn xrp() -> ObjectBuilder {
    form("XRP", &[("currency", scalar::Xrp::schema())])
}

fn token() -> ObjectBuilder {
    let issuer = ("issuer", asked("Address"));
    form("A token", &[("currency", asked("CurrencyCode")), issuer])
}

fn mpt() -> ObjectBuilder {
    let issuance = ("mpt_issuance_id", asked("MptIssuanceId"));
    form("A multi-purpose token", &[issuance])
}

/// The same as a request may bear it, with nothing beside it.
fn closed(form: ObjectBuilder) -> ObjectBuilder {
    form.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

scalars! {
    /// An amount of XRP, of a token or of a multi-purpose token.
    Amount = OneOfBuilder::new().item(xrp()).item(token()).item(mpt());
    /// An amount of XRP, of a token or of a multi-purpose token. `value` is a plain decimal number: no
    /// sign, no exponent, at most six decimals of XRP.
    RequestedAmount = OneOfBuilder::new()
        .item(closed(xrp()))
        .item(closed(token()))
        .item(closed(mpt()));
}

/// The schemas that the amounts refer to.
pub fn parts(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.extend([
        ("Decimal".to_owned(), scalar::Decimal::schema()),
        ("Address".to_owned(), scalar::Address::schema()),
        ("CurrencyCode".to_owned(), scalar::CurrencyCode::schema()),
        ("MptIssuanceId".to_owned(), scalar::MptIssuanceId::schema()),
    ]);
}
