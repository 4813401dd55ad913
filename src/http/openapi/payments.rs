//! The routes of payments.

use super::operation::Gathered;
use crate::http::auth::Scope;
use crate::http::dto::{EventDto, PaymentDto};
use crate::http::problem::Code;
use crate::http::rulings::{ApproveRequest, RejectRequest};
use crate::http::validate::ValidationDto;
use crate::payments::accept::PaymentRequest;
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use serde_json::{Value, json};

const TAG: &str = "payments";
const ID: &str = "The payment's id.";

/// Why a payment is not accepted.
pub(super) const NOT_ACCEPTED: [Code; 18] = [
    Code::MissingField,
    Code::ClientNotInStage,
    Code::Conflict,
    Code::ValidationFailed,
    Code::DestinationInvalid,
    Code::DestinationIsSelf,
    Code::DestinationTagRequired,
    Code::DestinationNotFunded,
    Code::DestinationRequiresAuthorization,
    Code::CurrencyNotEnabled,
    Code::AmountBelowMinimum,
    Code::AmountAboveStageLimit,
    Code::DailyLimitExceeded,
    Code::InsufficientBalance,
    Code::TooManyPending,
    Code::Paused,
    Code::ShuttingDown,
    Code::StoreUnavailable,
];

/// What can be asked about a payment.
pub(super) const ABOUT_ONE: [&str; 5] = [
    "getPayment",
    "listPaymentEvents",
    "cancelPayment",
    "approvePayment",
    "rejectPayment",
];

/// A payment, as a request asks for it.
fn asked() -> Value {
    json!({
        "destination": "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
        "destination_tag": 7,
        "amount": { "currency": "XRP", "value": "2.5" },
        "reference": "order 7",
        "metadata": { "cart": "4711" },
        "memos": [{ "type": "text/plain", "data": "thank you" }],
        "expires_in": 3600,
    })
}

pub(super) fn describe(gathered: &mut Gathered) {
    make(gathered);
    look(gathered);
    rule(gathered);
}

fn make(gathered: &mut Gathered) {
    gathered
        .route(("post", "/v1/payments"), (TAG, "createPayment"), "Make a payment")
        .says(
            "Accepts a payment, once for each Idempotency-Key. It is answered for until the ledger has \
             proved it done or impossible. The same request under the same key, at any later time, is \
             answered 200 with the payment as it now stands.",
        )
        .needs(Scope::PaymentsWrite)
        .idempotent()
        .takes::<PaymentRequest>(asked())
        .answers::<PaymentDto<'static>>(201, "The payment was accepted.")
        .leads_to(201, &ABOUT_ONE, &[("id", "/id")])
        .answers::<PaymentDto<'static>>(200, "It had been accepted before under this key.")
        .refuses(&NOT_ACCEPTED)
        .done();
    gathered
        .route(
            ("post", "/v1/payments/validate"),
            (TAG, "validatePayment"),
            "Check a payment, and create nothing",
        )
        .says("Makes every check, and tells what speaks against the payment all at once.")
        .needs(Scope::PaymentsWrite)
        .takes::<PaymentRequest>(asked())
        .answers::<ValidationDto<'static>>(
            200,
            "What would come of it, also where it would be refused.",
        )
        .refuses(&[Code::ShuttingDown])
        .done();
}

fn look(gathered: &mut Gathered) {
    let cursor = gathered.schemas.of::<scalar::PaymentId>();
    gathered
        .route(("get", "/v1/payments"), (TAG, "listPayments"), "List payments")
        .says(
            "Newest first. Without `admin` a key sees those of its client; with `payments:approve` also \
             those of others, under `status=awaiting_approval`.",
        )
        .needs(Scope::PaymentsRead)
        .pages(cursor)
        .asks::<scalar::PaymentStatus>("status", "Only those that stand so.")
        .query("reference", plain(), "Only those with this reference.")
        .asks::<scalar::Address>("destination", "Only those to this account.")
        .asks::<Rfc3339>("created_after", "Only those that were made then or later.")
        .asks::<Rfc3339>("created_before", "Only those that were made earlier.")
        .lists::<PaymentDto<'static>>("A page of payments.")
        .done();
    gathered
        .route(
            ("get", "/v1/payments/{id}"),
            (TAG, "getPayment"),
            "Look at a payment",
        )
        .needs(Scope::PaymentsRead)
        .part::<scalar::PaymentId>("id", ID)
        .answers::<PaymentDto<'static>>(200, "The payment.")
        .refuses(&[Code::PaymentNotFound])
        .done();
    let place = json!({ "type": "integer", "format": "int64", "minimum": 0 });
    gathered
        .route(
            ("get", "/v1/payments/{id}/events"),
            (TAG, "listPaymentEvents"),
            "What happened to a payment",
        )
        .says("Oldest first, each as the feed tells it.")
        .needs(Scope::PaymentsRead)
        .part::<scalar::PaymentId>("id", ID)
        .pages(place)
        .lists::<EventDto>("A page of its events.")
        .refuses(&[Code::PaymentNotFound])
        .done();
}

fn rule(gathered: &mut Gathered) {
    gathered
        .route(
            ("post", "/v1/payments/{id}/cancel"),
            (TAG, "cancelPayment"),
            "Call a payment off",
        )
        .says("Only while nothing of it is signed.")
        .needs(Scope::PaymentsWrite)
        .part::<scalar::PaymentId>("id", ID)
        .no_body()
        .answers::<PaymentDto<'static>>(200, "The payment, which is cancelled.")
        .refuses(&[
            Code::PaymentNotFound,
            Code::NotCancellable,
            Code::AlreadyFinal,
            Code::NotKnownYet,
            Code::Conflict,
        ])
        .done();
    let codes = [
        Code::MissingField,
        Code::PaymentNotFound,
        Code::SelfApproval,
        Code::VersionMismatch,
        Code::NotAwaitingApproval,
        Code::ApprovalExpired,
        Code::AlreadyFinal,
        Code::NotKnownYet,
        Code::NotCancellable,
        Code::Conflict,
    ];
    gathered
        .route(
            ("post", "/v1/payments/{id}/approve"),
            (TAG, "approvePayment"),
            "Approve a payment that waits for it",
        )
        .says("Never by the key that asked for the payment.")
        .needs(Scope::PaymentsApprove)
        .part::<scalar::PaymentId>("id", ID)
        .takes::<ApproveRequest>(json!({ "version": 1 }))
        .answers::<PaymentDto<'static>>(200, "The payment, which is on its way.")
        .refuses(&codes)
        .done();
    gathered
        .route(
            ("post", "/v1/payments/{id}/reject"),
            (TAG, "rejectPayment"),
            "Reject a payment that waits for an approval",
        )
        .says("Never by the key that asked for the payment.")
        .needs(Scope::PaymentsApprove)
        .part::<scalar::PaymentId>("id", ID)
        .takes::<RejectRequest>(json!({ "version": 1, "reason": "not our supplier" }))
        .answers::<PaymentDto<'static>>(200, "The payment, which is rejected for good.")
        .refuses(&codes)
        .refuses(&[Code::ValidationFailed])
        .done();
}

/// A text that is looked for.
pub(super) fn plain() -> Value {
    json!({ "type": "string", "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$" })
}
