//! From an event of the feed to the bytes that are sent of it.
//!
//! The body is `{"type","timestamp","sequence","data"}`; it is made once, and stored. The `webhook-id`
//! is made of facts that never change about an event, its sequence first. It bears a digest of the
//! others, because a database that was put back from a backup draws the same sequences for other
//! events, and a receiver that keeps ids to tell duplicates would take those for old ones.

use crate::rfc3339::Rfc3339;
use crate::store::FeedEvent;
use crate::store::webhooks::{Endpoint, Message};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use xrpayd_core::ids::{DeliveryId, UnixMs};

/// The bytes of the digest in a `webhook-id`.
const DIGEST_BYTES: usize = 6;
/// The sequence of what is no event of the feed: before every other.
const OUTSIDE_THE_FEED: i64 = 0;

/// The body in the order in which a person reads it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    type_: &'a str,
    timestamp: Rfc3339,
    sequence: i64,
    data: &'a Json,
}

/// The message of an event.
#[must_use]
pub fn of_event(event: &FeedEvent) -> Message {
    let facts = format!(
        "{} {} {} {} {}",
        event.sequence, event.type_, event.object_id, event.version, event.at.0
    );
    let digest = Sha256::digest(facts.as_bytes());
    let digest = hex::encode(&digest[..DIGEST_BYTES]);
    Message {
        id: format!("evt_{}_{digest}", event.sequence),
        body: body(&event.type_, event.at, event.sequence, &event.data),
        type_: event.type_.clone(),
        object_id: event.object_id.clone(),
        at: event.at,
    }
}

/// The message by which an endpoint is tried.
#[must_use]
pub fn test_message(endpoint: &Endpoint, delivery: DeliveryId, now: UnixMs) -> Message {
    let data = json!({
        "object": "webhook_endpoint",
        "id": endpoint.id.to_string(),
        "message": "This is a test. Nothing has happened.",
    });
    Message {
        id: format!("evt_test_{delivery}"),
        type_: super::kinds::TEST.to_owned(),
        object_id: endpoint.id.to_string(),
        at: now,
        body: body(super::kinds::TEST, now, OUTSIDE_THE_FEED, &data),
    }
}

fn body(type_: &str, at: UnixMs, sequence: i64, data: &Json) -> String {
    let body = Body {
        type_,
        timestamp: Rfc3339(at),
        sequence,
        data,
    };
    let text = serde_json::to_string(&body);
    assert!(text.is_ok(), "an event has a JSON form: it came from one");
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: i64, at: i64) -> FeedEvent {
        FeedEvent {
            sequence,
            object: "payment".to_owned(),
            object_id: "pay_1".to_owned(),
            client: "shop".to_owned(),
            type_: "payment.succeeded".to_owned(),
            at: UnixMs(at),
            version: 3,
            data: json!({"object": "payment", "id": "pay_1"}),
        }
    }

    #[test]
    fn an_event_has_one_body_and_one_id_and_another_event_has_others() {
        let first = of_event(&event(7, 1_800_000_000_000));
        assert_eq!(first, of_event(&event(7, 1_800_000_000_000)));
        assert_eq!(
            first.body,
            r#"{"type":"payment.succeeded","timestamp":"2027-01-15T08:00:00.000Z","sequence":7,"data":{"id":"pay_1","object":"payment"}}"#
        );
        assert!(first.id.starts_with("evt_7_"), "{}", first.id);
        let other = of_event(&event(7, 1_800_000_000_001));
        assert_ne!(
            first.id, other.id,
            "the same sequence in another life of the database"
        );
    }
}
