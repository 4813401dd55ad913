//! The routes of webhook endpoints and of what was sent to them.

use super::operation::Gathered;
use super::words;
use crate::http::auth::Scope;
use crate::http::problem::Code;
use crate::http::webhook_deliveries::DeliveryDto;
use crate::http::webhook_endpoints::shapes::{
    ChangeRequest, CreateRequest, RecoverRequest, RecoveryDto, RotateRequest, WithSecret,
};
use crate::shape::scalar;
use crate::store::webhooks::EndpointDocument;
use serde_json::json;

const TAG: &str = "webhooks";
const ALL: &str = "/v1/webhook-endpoints";
const ONE: &str = "/v1/webhook-endpoints/{id}";
const ID: &str = "The endpoint's id.";
const DELIVERY: &str = "The delivery's id.";

/// What can be asked about an endpoint.
const ABOUT_ONE: [&str; 7] = [
    "getWebhookEndpoint",
    "changeWebhookEndpoint",
    "deleteWebhookEndpoint",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
    "recoverWebhookEndpoint",
    "listWebhookDeliveries",
];

pub(super) fn describe(gathered: &mut Gathered) {
    make(gathered);
    look(gathered);
    see_to(gathered);
    deliveries(gathered);
}

fn make(gathered: &mut Gathered) {
    let url = "https://shop.example.com/hooks/xrpayd";
    gathered
        .route(
            ("post", ALL),
            (TAG, "createWebhookEndpoint"),
            "Have events sent to a URL",
        )
        .says("The secret, by which deliveries are signed, is shown this once.")
        .needs(Scope::WebhooksWrite)
        .takes::<CreateRequest>(
            json!({ "url": url, "events": ["payment.*"], "description": "shop" }),
        )
        .answers::<WithSecret<'static>>(201, "The endpoint, with its secret.")
        .leads_to(201, &ABOUT_ONE, &[("id", "/id")])
        .refuses(&[
            Code::MissingField,
            Code::ValidationFailed,
            Code::WebhookUrlNotAllowed,
            Code::TooManyWebhookEndpoints,
            Code::WebhooksNotConfigured,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("patch", ONE),
            (TAG, "changeWebhookEndpoint"),
            "Change an endpoint",
        )
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .takes::<ChangeRequest>(json!({ "events": ["*"], "status": "enabled" }))
        .answers::<EndpointDocument<'static>>(200, "The endpoint as it now stands.")
        .refuses(&[
            Code::WebhookEndpointNotFound,
            Code::ValidationFailed,
            Code::WebhookUrlNotAllowed,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("delete", ONE),
            (TAG, "deleteWebhookEndpoint"),
            "Take an endpoint away",
        )
        .says("What was on its way to it is dropped.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .answers_nothing(204, "It is gone.")
        .refuses(&[Code::WebhookEndpointNotFound, Code::Conflict])
        .done();
}

fn look(gathered: &mut Gathered) {
    let cursor = gathered.schemas.of::<scalar::WebhookEndpointId>();
    gathered
        .route(
            ("get", ALL),
            (TAG, "listWebhookEndpoints"),
            "List endpoints",
        )
        .says("Newest first. Without `admin` a key sees those of its client.")
        .needs(Scope::WebhooksWrite)
        .pages(cursor)
        .lists::<EndpointDocument<'static>>("A page of endpoints.")
        .done();
    gathered
        .route(
            ("get", ONE),
            (TAG, "getWebhookEndpoint"),
            "Look at an endpoint",
        )
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .no_query()
        .answers::<EndpointDocument<'static>>(200, "The endpoint.")
        .refuses(&[Code::WebhookEndpointNotFound])
        .done();
}

fn see_to(gathered: &mut Gathered) {
    gathered
        .route(
            ("post", "/v1/webhook-endpoints/{id}/rotate-secret"),
            (TAG, "rotateWebhookSecret"),
            "Draw a new secret",
        )
        .says("For a while deliveries bear a signature by each of the two.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .may_take::<RotateRequest>(json!({ "overlap_seconds": 86400 }))
        .answers::<WithSecret<'static>>(200, "The endpoint, with its new secret.")
        .refuses(&[
            Code::WebhookEndpointNotFound,
            Code::ValidationFailed,
            Code::WebhooksNotConfigured,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("post", "/v1/webhook-endpoints/{id}/test"),
            (TAG, "testWebhookEndpoint"),
            "Send a test event now",
        )
        .says("Once, and also where the endpoint is disabled.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .no_body()
        .answers::<DeliveryDto>(200, "The delivery, and what came of it.")
        .leads_to(
            200,
            &["getWebhookDelivery", "redeliverWebhook"],
            &[("id", "/endpoint_id"), ("delivery", "/id")],
        )
        .refuses(&[
            Code::WebhookEndpointNotFound,
            Code::WebhooksNotConfigured,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("post", "/v1/webhook-endpoints/{id}/recover"),
            (TAG, "recoverWebhookEndpoint"),
            "Have the past told again",
        )
        .says("What happened since a time is sent once more, as far as the feed still has it.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .takes::<RecoverRequest>(
            json!({ "since": "2027-01-15T00:00:00Z", "include_delivered": false }),
        )
        .answers::<RecoveryDto>(202, "It is being sent.")
        .refuses(&[
            Code::MissingField,
            Code::WebhookEndpointNotFound,
            Code::ValidationFailed,
            Code::Conflict,
        ])
        .done();
}

fn deliveries(gathered: &mut Gathered) {
    let cursor = gathered.schemas.of::<scalar::WebhookDeliveryId>();
    gathered
        .route(
            ("get", "/v1/webhook-endpoints/{id}/deliveries"),
            (TAG, "listWebhookDeliveries"),
            "What was sent to an endpoint",
        )
        .says("Newest first, with what came of each try.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .pages(cursor)
        .asks::<words::WebhookDeliveryStatus>("status", "Only those that stand so.")
        .lists::<DeliveryDto>("A page of deliveries.")
        .refuses(&[Code::WebhookEndpointNotFound])
        .done();
    gathered
        .route(
            ("get", "/v1/webhook-endpoints/{id}/deliveries/{delivery}"),
            (TAG, "getWebhookDelivery"),
            "Look at a delivery",
        )
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .part::<scalar::WebhookDeliveryId>("delivery", DELIVERY)
        .answers::<DeliveryDto>(200, "The delivery.")
        .refuses(&[Code::WebhookEndpointNotFound, Code::WebhookDeliveryNotFound])
        .done();
    gathered
        .route(
            (
                "post",
                "/v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver",
            ),
            (TAG, "redeliverWebhook"),
            "Send a delivery again",
        )
        .says("At once, whatever has become of it, with its whole schedule before it.")
        .needs(Scope::WebhooksWrite)
        .part::<scalar::WebhookEndpointId>("id", ID)
        .part::<scalar::WebhookDeliveryId>("delivery", DELIVERY)
        .no_body()
        .answers::<DeliveryDto>(202, "It is on its way.")
        .refuses(&[
            Code::WebhookEndpointNotFound,
            Code::WebhookDeliveryNotFound,
            Code::WebhookEndpointDisabled,
            Code::Conflict,
        ])
        .done();
}
