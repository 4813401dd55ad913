//! An endpoint: who is told, where, of what, and whether. Its shape in the database and in public.

use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::db::Row;
use crate::store::error::StoreError;
use crate::store::events::FeedFilter;
use serde::Serialize;
use utoipa::ToSchema;
use xrpayd_core::ids::{EndpointId, UnixMs};

/// The kind of object that an endpoint is.
pub(super) const OBJECT: &str = "webhook_endpoint";

pub(super) const COLUMNS: &str = "id, client, all_clients, url, events, description, status, \
    disabled_reason, disabled_at, secret, old_secret, old_secret_until, told_through, recover_after, \
    recover_through, recover_since, recover_delivered, failing_since, last_success_at, resting_until, \
    version, created_at, updated_at";

/// Whose events an endpoint is told of, besides those of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Its client's.
    Own,
    /// Every client's.
    All,
}

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It is.
    Enabled,
    /// It is not, until a person enables it.
    Disabled {
        /// Why.
        why: Disabled,
        /// Since when.
        at: UnixMs,
    },
}

/// Why an endpoint is not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// A person asked for it.
    Requested,
    /// It answered that it is gone.
    Gone,
    /// It took nothing for days.
    Failing,
}

impl Disabled {
    const ALL: [Self; 3] = [Self::Requested, Self::Gone, Self::Failing];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// A stretch of the feed that is laid out for an endpoint once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The sequence after which it goes on.
    pub after: i64,
    /// The last sequence of it.
    pub through: i64,
    /// Only what happened from here on.
    pub since: UnixMs,
    /// Whether what was delivered is delivered again.
    pub delivered_too: bool,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whose it is.
    pub client: String,
    /// Whose events it is told of.
    pub reach: Reach,
    /// Where it is.
    pub url: String,
    /// The filter over the types of events.
    pub events: Vec<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Whether it is sent to.
    pub status: EndpointStatus,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// The sealed secret before it, and until when it signs as well.
    pub old_secret: Option<(Vec<u8>, UnixMs)>,
    /// The last sequence that it has been told of, or that it does not want.
    pub told_through: i64,
    /// What is laid out for it once more.
    pub recovery: Option<Recovery>,
    /// Since when it has taken nothing, where something was sent to it since.
    pub failing_since: Option<UnixMs>,
    /// When it last took something.
    pub last_success_at: Option<UnixMs>,
    /// Until when it has asked to be left alone.
    pub resting_until: Option<UnixMs>,
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it was last changed by a person, or disabled.
    pub updated_at: UnixMs,
}

impl Endpoint {
    /// The filter of the feed for whom it is told of; types are compared by the caller.
    #[must_use]
    pub fn feed_filter(&self) -> FeedFilter {
        FeedFilter {
            client: (self.reach == Reach::Own).then(|| self.client.clone()),
            house: true,
            ..FeedFilter::default()
        }
    }

    /// The public object: the API shows it and events tell it. Its secret is no part of it.
    #[must_use]
    pub fn document(&self) -> EndpointDocument<'_> {
        let (status, reason, since) = match self.status {
            EndpointStatus::Enabled => ("enabled", None, None),
            EndpointStatus::Disabled { why, at } => ("disabled", Some(why.as_str()), Some(at)),
        };
        EndpointDocument {
            id: self.id,
            object: OBJECT,
            url: &self.url,
            events: &self.events,
            all_clients: self.reach == Reach::All,
            description: self.description.as_deref(),
            status,
            disabled_reason: reason,
            disabled_at: since.map(Rfc3339),
            failing_since: self.failing_since.map(Rfc3339),
            last_success_at: self.last_success_at.map(Rfc3339),
            previous_secret_expires_at: self.old_secret.as_ref().map(|(_, until)| Rfc3339(*until)),
            version: self.version,
            created_at: Rfc3339(self.created_at),
            updated_at: Rfc3339(self.updated_at),
        }
    }
}

/// A webhook endpoint, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct EndpointDocument<'a> {
    #[schema(value_type = scalar::WebhookEndpointId)]
    id: EndpointId,
    #[schema(value_type = scalar::KindWebhookEndpoint)]
    object: &'static str,
    url: &'a str,
    /// The types, families such as `payment.*`, or `*`, that it is told of.
    events: &'a [String],
    /// Whether it is told of every client's events.
    all_clients: bool,
    description: Option<&'a str>,
    #[schema(value_type = scalar::WebhookEndpointStatus)]
    status: &'static str,
    #[schema(value_type = Option<scalar::WebhookDisabledReason>)]
    disabled_reason: Option<&'static str>,
    disabled_at: Option<Rfc3339>,
    /// Since when it has taken nothing.
    failing_since: Option<Rfc3339>,
    last_success_at: Option<Rfc3339>,
    /// Until then deliveries are signed with the secret before the last rotation too.
    previous_secret_expires_at: Option<Rfc3339>,
    /// Counts its changes, from 1.
    version: u32,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

/// An endpoint that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whose it is.
    pub client: String,
    /// Whose events it is told of.
    pub reach: Reach,
    /// Where it is.
    pub url: String,
    /// The filter over the types of events.
    pub events: Vec<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// When it is made.
    pub now: UnixMs,
}

/// What is to be changed of an endpoint; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointChange {
    /// Where it is.
    pub url: Option<String>,
    /// The filter over the types of events.
    pub events: Option<Vec<String>>,
    /// What its owner says of it; nothing, where that is to be taken back.
    pub description: Option<Option<String>>,
    /// Whether it is to be sent to.
    pub enabled: Option<bool>,
}

pub(super) fn decode(row: &Row) -> Result<Endpoint, StoreError> {
    let id = row.text("id")?;
    let bad = |why: &str| StoreError::corrupt(format!("webhook endpoint {id}"), why);
    let at = |column: &str| row.int_or_null(column).map(|at| at.map(UnixMs));
    let status = match (
        row.text("status")?.as_str(),
        row.text_or_null("disabled_reason")?,
    ) {
        ("enabled", None) => EndpointStatus::Enabled,
        ("disabled", Some(reason)) => EndpointStatus::Disabled {
            why: Disabled::ALL
                .into_iter()
                .find(|why| why.as_str() == reason)
                .ok_or_else(|| bad("its reason is not known"))?,
            at: at("disabled_at")?.ok_or_else(|| bad("it is disabled since never"))?,
        },
        _ => return Err(bad("its status is not known")),
    };
    let recovery = match (
        row.int_or_null("recover_after")?,
        row.int_or_null("recover_through")?,
    ) {
        (Some(after), Some(through)) => Some(Recovery {
            after,
            through,
            since: at("recover_since")?.unwrap_or(UnixMs(0)),
            delivered_too: row.int("recover_delivered")? == 1,
        }),
        _ => None,
    };
    let old_secret = match (row.blob_or_null("old_secret")?, at("old_secret_until")?) {
        (Some(secret), Some(until)) => Some((secret, until)),
        _ => None,
    };
    Ok(Endpoint {
        id: id.parse().map_err(|_| bad("its id is not one"))?,
        client: row.text("client")?,
        reach: match row.int("all_clients")? {
            0 => Reach::Own,
            1 => Reach::All,
            _ => return Err(bad("its reach is not known")),
        },
        url: row.text("url")?,
        events: serde_json::from_str(&row.text("events")?)
            .map_err(|_| bad("its filter is no list"))?,
        description: row.text_or_null("description")?,
        status,
        secret: row.blob("secret")?,
        old_secret,
        told_through: row.int("told_through")?,
        recovery,
        failing_since: at("failing_since")?,
        last_success_at: at("last_success_at")?,
        resting_until: at("resting_until")?,
        version: row.uint("version")?,
        created_at: UnixMs(row.int("created_at")?),
        updated_at: UnixMs(row.int("updated_at")?),
    })
}
