//! Webhooks: the endpoints of clients, and what is on its way to them.
//!
//! The feed is the queue. An endpoint remembers up to which sequence it has been told; a *turn* of the
//! dispatcher lays a delivery for each event after that which the endpoint wants, claims those that
//! are due, and writes down what came of earlier claims, all in one transaction. A claim ends by
//! itself, so that what a process had in hand when it died is tried again: at least once, never lost.
//! Replicas take turns on one database and never hold one delivery together.
//!
//! The bytes of a message are written once and sent to every endpoint, at every try.

mod deliveries;
mod endpoint;
mod endpoints;
mod health;
#[cfg(test)]
mod plans;
mod prune;
mod turn;

pub use deliveries::{Attempt, Delivery, DeliveryState, Message, TriedOnce};
pub use endpoint::{
    Disabled, Endpoint, EndpointChange, EndpointDocument, EndpointStatus, NewEndpoint, Reach,
    Recovery,
};
pub use turn::{Claimed, Fanned, Patience, Settled, Tried, Turn, TurnOutcome, Verdict, View};

use serde_json::Value as Json;

/// A page of a list that is walked by its ids, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether more follow.
    pub more: bool,
}

impl<T> Walked<T> {
    /// The page of `limit` items of which one more was looked for.
    fn of(mut items: Vec<T>, limit: u32) -> Self {
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        Self { items, more }
    }
}

fn json_list(list: &[String]) -> String {
    Json::from(list.to_vec()).to_string()
}
