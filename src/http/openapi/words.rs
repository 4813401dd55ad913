//! The closed sets of words of this room, and the texts that only it takes, for the document.

use crate::http::problem::Code;
use crate::shape::scalar::{scalars, text, word};
use crate::store::webhooks::DeliveryState;
use crate::webhooks::kinds;
use crate::webhooks::post::Outcome;
use std::collections::BTreeSet;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Every entry that a filter over the types of events may hold.
fn filters() -> BTreeSet<String> {
    let families = kinds::KINDS
        .iter()
        .filter_map(|kind| kind.split_once('.'))
        .map(|(family, _)| format!("{family}.*"));
    let kinds = kinds::KINDS.iter().map(|&kind| kind.to_owned());
    kinds.chain(families).chain(["*".to_owned()]).collect()
}

/// Types of events, with commas between them.
fn list_of_types() -> String {
    let one = filters().into_iter().collect::<Vec<_>>().join("|");
    let one = one.replace('.', r"\.").replace('*', r"\*");
    let more = kinds::FILTER_LEN_MAX.saturating_sub(1);
    format!("^({one})( *, *({one})){{0,{more}}}$")
}

/// An object of which more is told elsewhere.
fn object() -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
}

scalars! {
    /// What went wrong, for a program.
    ProblemCode = word(Code::ALL.iter().map(|code| code.as_str()));
    /// The type of an event.
    EventType = word(kinds::KINDS);
    /// The public object that an event is about, in the fields in which the API shows it; an invoice
    /// without its `deposits`, a payment without what only its own page shows. Beside it may stand `by`,
    /// `reason`, `approve_by`, `deposit_id` and the like.
    EventData = object();
    /// A type of events, a family of them such as `payment.*`, or `*`.
    EventFilter = word([]).enum_values(Some(filters()));
    /// Types of events with commas between them; `payment.*` is every type of payments.
    EventTypes = text(&list_of_types()).examples(["payment.succeeded,invoice.*"]);
    /// An object's kind.
    KindWallet = word(["wallet"]);
    /// An object's kind.
    KindServer = word(["server"]);
    /// An object's kind.
    KindDispute = word(["dispute"]);
    /// An object's kind.
    KindPaymentValidation = word(["payment_validation"]);
    /// An object's kind.
    KindWebhookDelivery = word(["webhook_delivery"]);
    /// An object's kind.
    KindWebhookRecovery = word(["webhook_recovery"]);
    /// An object's kind.
    KindPauses = word(["pauses"]);
    /// What is paused: all of it, payments, or one wallet by its name.
    PauseScope = text("^(all|payments|wallet:.+)$").examples(["all", "wallet:hot"]);
    /// Whose limit it is.
    LimitScope = word(["all", "client", "destination"]);
    /// An object's kind.
    KindLimits = word(["limits"]);
    /// An object's kind.
    KindRollout = word(["rollout"]);
    /// Which wallet it is: `hot` ones pay.
    WalletType = word(["hot", "warm", "cold"]);
    /// How a wallet stands.
    WalletStatus = word(["ok", "low_balance", "critical_balance", "halted", "unknown"]);
    /// How a server stands.
    ServerState = word(["connecting", "syncing", "ready", "degraded", "open_circuit", "refused"]);
    /// What came of a dispute.
    DisputeOutcome = word(["open", "proven"]);
    /// Where a delivery stands.
    WebhookDeliveryStatus = word(DeliveryState::ALL.map(DeliveryState::as_str));
    /// What came of a try.
    WebhookOutcome = word(Outcome::ALL.map(Outcome::as_str));
    /// Whether the recovery has begun.
    RecoveryStatus = word(["queued"]);
    /// Whether it is so.
    ProbeStatus = word(["live", "not live", "ready", "not ready"]);
    /// Where webhooks are sent to.
    WebhookUrl = text("^https?://")
        .examples(["https://shop.example.com/hooks/xrpayd"]);
    /// What its owner says of it.
    Description = text(r"^[^\u0000-\u001f\u007f-\u009f]*$").max_length(Some(500));
}

/// What a program needs to go on: at most one of these is in a problem document.
#[derive(Debug)]
pub enum Hints {}

impl PartialSchema for Hints {
    fn schema() -> RefOr<Schema> {
        let number = |of: &str| {
            ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::Integer))
                .description(Some(of))
        };
        ObjectBuilder::new()
            .property("resets_at", Ref::from_schema_name("Time"))
            .property(
                "current_version",
                number("The version at which the object is."),
            )
            .property(
                "oldest_sequence",
                number("The oldest event that is still handed out."),
            )
            .into()
    }
}

impl ToSchema for Hints {}
