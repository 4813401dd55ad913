//! Errors as RFC 9457 problem documents.
//!
//! Owns the closed list of codes: each has one status, one title and one answer to "may I send this
//! again?". A handler returns a [`Problem`]; the envelope renders it, because only the envelope
//! knows the request's id. Every refusal of every layer ends here, so no answer of the daemon is
//! ever a bare status.

use super::openapi::words;
use crate::rfc3339::Rfc3339;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use xrpayd_core::limits::ScopeKind;

macro_rules! codes {
    ($($name:ident = $text:literal, $status:ident, $retryable:literal, $title:literal;)+) => {
        /// What went wrong, for a program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code, for the documentation and its test.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status that always goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// Whether the same request may succeed later, unchanged.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable,)+ }
            }

            /// One line for a person, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    MalformedRequest = "malformed_request", BAD_REQUEST, false, "The request is not well-formed HTTP.";
    MalformedJson = "malformed_json", BAD_REQUEST, false, "The body is not JSON.";
    UnknownField = "unknown_field", BAD_REQUEST, false, "The body has a field that is not known.";
    InvalidType = "invalid_type", BAD_REQUEST, false, "A field has the wrong JSON type.";
    MissingField = "missing_field", BAD_REQUEST, false, "A field that is required is not there.";
    InvalidQuery = "invalid_query", BAD_REQUEST, false, "A query parameter cannot be used.";
    InvalidHeader = "invalid_header", BAD_REQUEST, false, "A header cannot be used.";
    IdempotencyKeyMissing = "idempotency_key_missing", BAD_REQUEST, false, "The Idempotency-Key header is required.";
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, false, "The Idempotency-Key header cannot be used.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, false, "A valid API key is required.";
    KeyExpired = "key_expired", UNAUTHORIZED, false, "The API key has expired.";
    KeyRevoked = "key_revoked", UNAUTHORIZED, false, "The API key has been revoked.";
    SignatureMissing = "signature_missing", UNAUTHORIZED, false, "The API key requires signed requests.";
    SignatureInvalid = "signature_invalid", UNAUTHORIZED, false, "The request's signature does not verify.";
    SignatureStale = "signature_stale", UNAUTHORIZED, false, "The request's signature is too old or from the future.";
    SignatureReplayed = "signature_replayed", UNAUTHORIZED, false, "The request's signature has been used before.";
    AddressNotAllowed = "address_not_allowed", FORBIDDEN, false, "The API key may not be used from this address.";
    ScopeMissing = "scope_missing", FORBIDDEN, false, "The API key lacks a scope.";
    SelfApproval = "self_approval", FORBIDDEN, false, "The key that asked for a payment cannot approve or reject it.";
    ClientNotInStage = "client_not_in_stage", FORBIDDEN, false, "The rollout stage is not open to this client.";
    NotFound = "not_found", NOT_FOUND, false, "There is nothing at this path.";
    PaymentNotFound = "payment_not_found", NOT_FOUND, false, "There is no such payment.";
    DepositNotFound = "deposit_not_found", NOT_FOUND, false, "There is no such deposit.";
    WalletNotFound = "wallet_not_found", NOT_FOUND, false, "There is no such wallet.";
    InvoiceNotFound = "invoice_not_found", NOT_FOUND, false, "There is no such invoice.";
    WebhookEndpointNotFound = "webhook_endpoint_not_found", NOT_FOUND, false, "There is no such webhook endpoint.";
    WebhookDeliveryNotFound = "webhook_delivery_not_found", NOT_FOUND, false, "There is no such delivery.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false, "The path does not take this method.";
    HeadTimeout = "head_timeout", REQUEST_TIMEOUT, true, "The request's head did not arrive in time.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, true, "The body did not arrive in time.";
    NotCancellable = "not_cancellable", CONFLICT, false, "The payment is signed and can no longer be cancelled.";
    AlreadyFinal = "already_final", CONFLICT, false, "The payment or invoice has its end.";
    NotKnownYet = "not_known_yet", CONFLICT, true, "It is not known yet whether the ledger holds the payment already.";
    Conflict = "conflict", CONFLICT, true, "The payment changed at the same moment.";
    NotAwaitingApproval = "not_awaiting_approval", CONFLICT, false, "The payment does not wait for an approval.";
    ApprovalExpired = "approval_expired", CONFLICT, false, "The time for the approval is up.";
    VersionMismatch = "version_mismatch", CONFLICT, false, "The payment is at another version than the one that was read.";
    AlreadyAssigned = "already_assigned", CONFLICT, false, "The deposit belongs to another invoice.";
    NotAssignable = "not_assignable", CONFLICT, false, "The deposit cannot be assigned to the invoice.";
    InvoiceCancelled = "invoice_cancelled", CONFLICT, false, "The invoice was cancelled.";
    IsMatched = "is_matched", CONFLICT, false, "The deposit belongs to an invoice, which is what can be refunded.";
    IsAReturn = "is_a_return", CONFLICT, false, "The deposit is itself something that came back.";
    NotReturnable = "not_returnable", CONFLICT, false, "There is nobody to whom it could go back.";
    AlreadyReturned = "already_returned", CONFLICT, false, "The deposit is returned, with another amount.";
    TooManyPaybacks = "too_many_paybacks", CONFLICT, false, "It was returned or refunded too often to be tracked.";
    EventsExpired = "events_expired", GONE, false, "Events after this place are no longer handed out.";
    WebhookEndpointDisabled = "webhook_endpoint_disabled", CONFLICT, false, "The webhook endpoint is disabled.";
    TooManyWebhookEndpoints = "too_many_webhook_endpoints", CONFLICT, false, "The client has as many webhook endpoints as it may.";
    CriteriaNotMet = "criteria_not_met", CONFLICT, false, "The criteria of the stage are not met.";
    StageChanged = "stage_changed", CONFLICT, false, "Another rollout stage is in force than the one that was seen.";
    NoPromotion = "no_promotion", CONFLICT, false, "There is no stage to go up to.";
    NoDemotion = "no_demotion", CONFLICT, false, "There is no such stage to go down to.";
    WebhooksNotConfigured = "webhooks_not_configured", CONFLICT, false, "There is no key to keep the secrets of webhook endpoints with.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, false, "The body is too large.";
    UriTooLong = "uri_too_long", URI_TOO_LONG, false, "The request line is too long.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, false, "The request's head is too large.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false, "The body must be application/json.";
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, false, "A field has a value that cannot be used.";
    DestinationInvalid = "destination_invalid", UNPROCESSABLE_ENTITY, false, "The destination is not an address of this network.";
    DestinationIsSelf = "destination_is_self", UNPROCESSABLE_ENTITY, false, "The destination is the wallet that would pay.";
    DestinationTagRequired = "destination_tag_required", UNPROCESSABLE_ENTITY, false, "The destination requires a destination tag.";
    DestinationNotFunded = "destination_not_funded", UNPROCESSABLE_ENTITY, false, "The destination does not exist and the amount does not create it.";
    DestinationRequiresAuthorization = "destination_requires_authorization", UNPROCESSABLE_ENTITY, false, "The destination does not take payments from this wallet.";
    CurrencyNotEnabled = "currency_not_enabled", UNPROCESSABLE_ENTITY, false, "Payments in this currency are not enabled.";
    AmountBelowMinimum = "amount_below_minimum", UNPROCESSABLE_ENTITY, false, "The amount is below the minimum.";
    AmountAboveStageLimit = "amount_above_stage_limit", UNPROCESSABLE_ENTITY, false, "The amount is above the limit of a payment.";
    DailyLimitExceeded = "daily_limit_exceeded", UNPROCESSABLE_ENTITY, true, "The amount is above what is left of the daily limit.";
    ReturnAboveDelivered = "return_above_delivered", UNPROCESSABLE_ENTITY, false, "The amount is more than was delivered.";
    RefundAboveReceived = "refund_above_received", UNPROCESSABLE_ENTITY, false, "The amount is more than is left of what the invoice received.";
    DepositIdRequired = "deposit_id_required", UNPROCESSABLE_ENTITY, false, "Several paid the invoice, and none of them is named.";
    InsufficientBalance = "insufficient_balance", UNPROCESSABLE_ENTITY, true, "The wallet cannot pay this amount now.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, false, "The Idempotency-Key was used for another request.";
    WebhookUrlNotAllowed = "webhook_url_not_allowed", UNPROCESSABLE_ENTITY, false, "Webhooks are not sent to this URL.";
    TooManyPending = "too_many_pending", TOO_MANY_REQUESTS, true, "Too many payments are on their way.";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, true, "The key holds too many streams open.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, true, "Too many requests.";
    Internal = "internal", INTERNAL_SERVER_ERROR, true, "The daemon failed to answer.";
    Paused = "paused", SERVICE_UNAVAILABLE, true, "Payments are paused.";
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE, true, "The daemon is shutting down.";
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, true, "The store does not answer.";
    TagsExhausted = "tags_exhausted", SERVICE_UNAVAILABLE, true, "Nearly all destination tags of the wallet are in use.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, true, "The daemon has more to do than it can take.";
    TimedOut = "timed_out", GATEWAY_TIMEOUT, true, "The request was not answered in time.";
}

/// What a refused request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: nothing was created or changed.
    None,
    /// It may or may not have been done; asking again with the same Idempotency-Key tells.
    Unknown,
}

/// A fault of one field, header or query parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// A JSON pointer into the body, or `/header/<name>`, `/query/<name>`.
    pub pointer: String,
    /// A sentence that the field's name goes before.
    pub detail: String,
}

/// A refusal, on its way to becoming a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// The occurrence, in one or two sentences.
    pub detail: String,
    /// What the request did.
    pub effect: Effect,
    /// The fields at fault.
    pub errors: Vec<Fault>,
    /// Seconds after which another try makes sense.
    pub retry_after_s: Option<u64>,
    /// What a program needs to go on, where its code has such a thing.
    pub hint: Option<Hint>,
    /// Whose limit stands in the way, where one does.
    pub scope: Option<ScopeKind>,
}

/// What a program needs to go on: a member of the document, by its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// When the daily limit will have room.
    ResetsAt(Rfc3339),
    /// The version at which the payment is.
    CurrentVersion(u32),
    /// The oldest event that is still handed out.
    OldestSequence(i64),
}

impl Problem {
    /// A refusal that changed nothing.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            effect: Effect::None,
            errors: Vec::new(),
            retry_after_s: None,
            hint: None,
            scope: None,
        }
    }

    /// The same, after which nobody knows whether the request was done.
    #[must_use]
    pub fn effect_unknown(self) -> Self {
        let effect = Effect::Unknown;
        Self { effect, ..self }
    }

    /// The same, naming whose limit stands in the way.
    #[must_use]
    pub fn of_scope(self, scope: ScopeKind) -> Self {
        let scope = Some(scope);
        Self { scope, ..self }
    }

    /// The same, with what a program needs to go on.
    #[must_use]
    pub fn hint(self, hint: Hint) -> Self {
        let hint = Some(hint);
        Self { hint, ..self }
    }

    /// The same, naming what is at fault.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(Fault {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        self
    }

    /// The same, with the seconds to wait.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        let retry_after_s = Some(seconds);
        Self {
            retry_after_s,
            ..self
        }
    }

    /// A query parameter that cannot be used.
    pub fn query(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(
            Code::InvalidQuery,
            format!("The query parameter `{name}` {detail}."),
        )
        .at(format!("/query/{name}"), detail)
    }

    /// The document.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let document = Document {
            kind: format!("urn:xrpayd:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            retryable: self.code.retryable(),
            effect: self.effect,
            errors: &self.errors,
            hint: self.hint,
            scope: self.scope.map(ScopeKind::as_str),
        };
        let body = serde_json::to_vec(&document);
        assert!(body.is_ok(), "a problem document does not serialise");
        let mut response = Response::new(Body::from(body.unwrap_or_default()));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"xrpayd\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Why a request was refused (RFC 9457), in the order in which a person reads it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    /// `urn:xrpayd:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// One line for a person, the same for every occurrence.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// This occurrence, in one or two sentences.
    detail: &'a str,
    #[schema(value_type = words::ProblemCode)]
    code: &'a str,
    /// What the header `x-request-id` bears.
    request_id: &'a str,
    /// Whether the same request may succeed later, unchanged.
    retryable: bool,
    effect: Effect,
    /// The fields at fault.
    errors: &'a [Fault],
    #[serde(flatten)]
    #[schema(value_type = words::Hints)]
    hint: Option<Hint>,
    /// Whose limit stands in the way, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = words::LimitScope)]
    scope: Option<&'static str>,
}

/// Hands the problem to the envelope, which alone knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer's headers that survive the rendering of its problem.
pub const KEPT_HEADERS: [HeaderName; 4] = [
    header::ALLOW,
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_unique_stable_snake_case_and_an_error() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            let text = code.as_str();
            assert!(
                text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'),
                "{text}"
            );
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{text}"
            );
            assert!(!status.is_server_error() || code.retryable(), "{text}");
        }
    }

    #[test]
    fn every_code_is_in_the_documentation() {
        let page = include_str!("../../docs/API.md");
        for code in Code::ALL {
            let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(page.contains(&row), "docs/API.md lacks {row}");
        }
    }
}
