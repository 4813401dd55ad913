//! The texts, numbers and closed sets of words that the API is made of, as JSON Schema names them.
//!
//! Core is pure and describes nothing, so its types are described here: a field of a shape names one of
//! these as what it is. Nothing of this module is ever made; it is there for the OpenAPI document alone.

use crate::rfc3339::Rfc3339;
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use xrpayd_core::deposit::Unmatched;
use xrpayd_core::invoice::InvoiceStatus as Invoices;
use xrpayd_core::payment::{Status, Substatus};

/// A text that a pattern describes.
pub fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .pattern(Some(pattern))
}

/// A text that a format describes.
fn formatted(format: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(SchemaFormat::Custom(format.to_owned())))
}

/// One word of a closed set.
pub fn word(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    let words: Vec<&str> = words.into_iter().collect();
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(words))
}

/// A text of one character at least, none of them a control character.
fn plain(length_max: usize) -> ObjectBuilder {
    text(r"^[^\u0000-\u001f\u007f-\u009f]+$")
        .min_length(Some(1))
        .max_length(Some(length_max))
}

/// A whole number of 32 bits.
fn whole() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(0))
        .maximum(Some(u32::MAX))
}

/// Declares what is described and never made.
macro_rules! scalars {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub enum $name {}

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    let description = concat!($($doc),+).trim();
                    $schema.description(Some(description)).into()
                }
            }

            impl utoipa::ToSchema for $name {}
        )+
    };
}
pub(crate) use scalars;

/// An identifier: its prefix, and 128 bits in Crockford's base 32.
fn id(prefix: &str, example: &str) -> ObjectBuilder {
    text(&format!("^{prefix}[0-7][0-9a-hjkmnp-tv-z]{{25}}$"))
        .examples([format!("{prefix}{example}")])
}

scalars! {
    /// The identifier of a payment. Identifiers sort by the time at which they were made.
    PaymentId = id("pay_", "01m7yvsente46vb6vs4mjy6hbg");
    /// The identifier of an invoice.
    InvoiceId = id("inv_", "01m7yvsente46vb6vs4mjy6hbh");
    /// The identifier of a deposit, made of the ledger's own facts.
    DepositId = id("dep_", "5kmx3tqj4ex1fq2bdz2fj9v0r8");
    /// The identifier of a webhook endpoint.
    WebhookEndpointId = id("we_", "01m7yvsente46vb6vs4mjy6hbj");
    /// The identifier of a delivery to a webhook endpoint.
    WebhookDeliveryId = id("whd_", "01m7yvsente46vb6vs4mjy6hbk");
    /// The hash of a transaction.
    TxHash = text("^[0-9A-F]{64}$")
        .examples(["2E37719CB3CFE63D26E3E740E038E5C4D792649179EE0842A45261535F9783FD"]);
    /// The hash of a ledger.
    LedgerHash = text("^[0-9A-F]{64}$")
        .examples(["A1718E977FFE75EB451ED60D79BA621A4A6146F90E5FF343B69CD60FC2E5B342"]);
    /// The index of a ledger.
    LedgerIndex = whole().examples([91_432_110]);
    /// A whole number of drops; a million of them are one XRP.
    Drops = text("^[0-9]{1,18}$").examples(["10"]);
    /// A classic address of an account.
    Address = text("^r[1-9A-HJ-NP-Za-km-z]{24,34}$")
        .format(Some(SchemaFormat::Custom("xrpl-address".to_owned())))
        .examples(["rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"]);
    /// An account with its tag in one text.
    XAddress = text("^[XT][1-9A-HJ-NP-Za-km-z]{46}$")
        .examples(["XV5sbjUmgPpvXv4ixFWZ5ptAYZ6PD2gYsjNFQLKYW33DzBm"]);
    /// Any 256-bit value, in hex.
    Hash256 = text("^[0-9A-Fa-f]{64}$")
        .examples(["2E37719CB3CFE63D26E3E740E038E5C4D792649179EE0842A45261535F9783FD"]);
    /// Who is paid: a classic address, or an X-address of this network.
    Destination = text("^[rXT][1-9A-HJ-NP-Za-km-z]{24,46}$")
        .format(Some(SchemaFormat::Custom("xrpl-destination".to_owned())))
        .examples(["rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"]);
    /// The caller's own name for something.
    Reference = plain(128).examples(["order 7"]);
    /// Why, in a person's words.
    Reason = plain(500).examples(["paid twice"]);
    /// A word of a memo, in characters that a URL may hold.
    MemoWord = text("^[0-9A-Za-z._~:/?#\\[\\]@!$&'()*+,;=%-]+$").examples(["text/plain"]);
    /// The most that one attempt may burn, in drops: 10 at least.
    MaxFee = text("^0*([1-9][0-9]{1,17})$").examples(["1000"]);
    /// An object whose members depend on what it is about.
    AnyObject = ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)));
    /// How a stage came into force.
    StageStep = word(["began", "promoted", "demoted"]);
    /// Nothing but null.
    Nothing = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
    /// A decimal number.
    Decimal = text(r"^[0-9]+(\.[0-9]+)?$").examples(["12.5"]);
    /// XRP.
    Xrp = word(["XRP"]);
    /// A currency's code: three characters, or 40 hex digits.
    CurrencyCode = text("^([0-9A-Za-z?!@#$%^&*<>(){}\\[\\]|]{3}|[0-9A-Fa-f]{40}|RLUSD)$").examples(["USD"]);
    /// The issuance of a multi-purpose token.
    MptIssuanceId = text("^[0-9A-Fa-f]{48}$")
        .examples(["00000001A407AF5856CCF3C42619DAA925813FC955C72983"]);
    /// Where a payment stands. Only `awaiting_approval` and `processing` are not final.
    PaymentStatus = word(Status::ALL.map(Status::as_str));
    /// Where a payment stands while it is `processing`.
    PaymentSubstatus = word(Substatus::ALL.map(Substatus::as_str));
    /// Where an attempt stands.
    AttemptState = word(["signed", "submitted", "outcome_unknown", "refused", "validated", "dead"]);
    /// What a second person said; `remembered` where the ledger was found to hold the payment already.
    ApprovalDecision = word(["approved", "rejected", "remembered"]);
    /// Where an invoice stands.
    InvoiceStatus = word(Invoices::ALL.map(Invoices::as_str));
    /// Why no invoice took a deposit.
    UnmatchedReason = word(Unmatched::ALL.map(Unmatched::as_str));
    /// Where a return or a refund stands.
    PaybackStatus = word(["pending", "succeeded", "failed"]);
    /// Whether a webhook endpoint is sent to.
    WebhookEndpointStatus = word(["enabled", "disabled"]);
    /// Why a webhook endpoint is not sent to.
    WebhookDisabledReason = word(["requested", "gone", "failing"]);
}

/// Names the kind of an object, which its member `object` always is.
macro_rules! kinds {
    ($($name:ident = $word:literal;)+) => {
        scalars! { $(#[doc = "The kind of the object."] $name = word([$word]);)+ }
    };
}

kinds! {
    KindPayment = "payment";
    KindInvoice = "invoice";
    KindDeposit = "deposit";
    KindWebhookEndpoint = "webhook_endpoint";
    KindAuditEntry = "audit_entry";
}

impl PartialSchema for Rfc3339 {
    fn schema() -> RefOr<Schema> {
        formatted("date-time")
            .description(Some("A time in UTC, with milliseconds (RFC 3339)."))
            .examples(["2027-01-15T08:00:00.000Z"])
            .into()
    }
}

impl ToSchema for Rfc3339 {
    fn name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
}
