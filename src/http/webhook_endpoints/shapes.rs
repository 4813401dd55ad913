//! What is asked and answered about webhook endpoints, apart from the endpoint itself, which the store
//! shows.

use crate::http::openapi::words;
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::webhooks::EndpointDocument;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use xrpayd_core::ids::EndpointId;

/// An endpoint that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookEndpointRequest)]
pub struct CreateRequest {
    /// `https://`, without credentials or fragment.
    #[schema(value_type = words::WebhookUrl)]
    pub url: Option<String>,
    /// What it is to be told of; everything where left out.
    #[schema(value_type = Option<Vec<words::EventFilter>>, min_items = 1, max_items = 64)]
    pub events: Option<Vec<String>>,
    #[schema(value_type = Option<words::Description>)]
    pub description: Option<String>,
    /// Whether it is told of every client's events; only with a key of the scope `admin`, and then `true`
    /// where left out.
    pub all_clients: Option<bool>,
}

/// What is to change of an endpoint; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookEndpointChange)]
pub struct ChangeRequest {
    #[schema(value_type = Option<words::WebhookUrl>)]
    pub url: Option<String>,
    #[schema(value_type = Option<Vec<words::EventFilter>>, min_items = 1, max_items = 64)]
    pub events: Option<Vec<String>>,
    /// Null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<words::Description>)]
    pub description: Option<Option<String>>,
    #[schema(value_type = Option<scalar::WebhookEndpointStatus>)]
    pub status: Option<String>,
}

/// How a secret is changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookSecretRotation)]
pub struct RotateRequest {
    /// How long the secret before it signs as well; a day where left out.
    #[serde(alias = "overlap")]
    #[schema(maximum = 604800)]
    pub overlap_seconds: Option<u32>,
}

/// What is to be told once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookRecoveryRequest)]
pub struct RecoverRequest {
    /// What happened from this time on.
    #[schema(value_type = Rfc3339)]
    pub since: Option<String>,
    /// Whether what was delivered is sent again.
    pub include_delivered: Option<bool>,
}

/// An endpoint with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub struct WithSecret<'a> {
    #[serde(flatten)]
    pub endpoint: EndpointDocument<'a>,
    /// What deliveries are signed with.
    pub secret: String,
}

/// What is being told once more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookRecovery)]
pub struct RecoveryDto {
    #[schema(value_type = words::KindWebhookRecovery)]
    pub object: &'static str,
    #[schema(value_type = scalar::WebhookEndpointId)]
    pub endpoint_id: EndpointId,
    pub since: Rfc3339,
    pub include_delivered: bool,
    /// The last event of it.
    pub through_sequence: i64,
    #[schema(value_type = words::RecoveryStatus)]
    pub status: &'static str,
}

/// Tells a null that was written from a field that was left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}
