//! The requests of one connection that wait for their answers.

use crate::xrpl::error::RequestError;
use crate::xrpl::health::Health;
use crate::xrpl::server::{Call, Command, On, Reply, Server};
use crate::xrpl::submit::MaySend;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// Whom an answer is for.
#[derive(Debug)]
pub(super) enum Waiter {
    /// Somebody in the pool.
    Caller(oneshot::Sender<Reply>, OwnedSemaphorePermit),
    /// The connection itself.
    Own(Own),
}

/// What the connection asks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Info,
    /// To the ledger and server streams.
    Subscribe,
    /// Again without the server stream, which not every make of server has.
    SubscribePlain,
}

/// One request.
#[derive(Debug)]
pub(super) struct Waiting {
    pub command: Command,
    pub sent: Instant,
    pub waiter: Waiter,
}

/// All of them. Bounded: a caller's request holds one of a bounded number of places, and the
/// connection has at most a few of its own.
#[derive(Debug)]
pub(super) struct InFlight {
    by_id: HashMap<u64, Waiting>,
    /// In the order of sending, which is that of the deadlines; answered ones are skipped.
    order: VecDeque<(Instant, u64)>,
    timeout: Duration,
}

impl InFlight {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            by_id: HashMap::new(),
            order: VecDeque::new(),
            timeout,
        }
    }

    pub(super) fn sent(&mut self, call: Call, now: Instant) -> (super::Text, MaySend) {
        let Call {
            id,
            command,
            text,
            reply,
            place,
            on,
        } = call;
        self.insert(
            id,
            Waiting {
                command,
                sent: now,
                waiter: Waiter::Caller(reply, place),
            },
        );
        let may = match on {
            On::Any => MaySend::always(),
            On::Connection(_, may) => may,
        };
        (text, may)
    }

    pub(super) fn insert(&mut self, id: u64, waiting: Waiting) {
        self.order.push_back((waiting.sent, id));
        self.by_id.insert(id, waiting);
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.by_id.remove(&id);
        self.skip_answered();
        waiting
    }

    /// When the oldest one that still waits was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.order.front().map(|&(sent, _)| sent)
    }

    /// When the oldest one was sent to which nothing has come in since, whatever it was.
    fn oldest_from(&self, last_in: Instant) -> Option<Instant> {
        let heard = self.order.partition_point(|&(sent, _)| sent < last_in);
        let mut unheard = self.order.range(heard..);
        let waits = unheard.find(|(_, id)| self.by_id.contains_key(id));
        waits.map(|&(sent, _)| sent)
    }

    /// Notes since when an answer is owed; something came in last at `last_in`.
    pub(super) fn show(&self, health: &mut Health, last_in: Instant) {
        let oldest = self.oldest();
        health.waiting_since = oldest;
        health.mute_since = oldest.map(|sent| sent.max(last_in));
        health.unheard_since = self.oldest_from(last_in);
    }

    /// Whether somebody in the pool waits for an answer.
    pub(super) fn has_callers(&self) -> bool {
        self.by_id
            .values()
            .any(|waiting| matches!(waiting.waiter, Waiter::Caller(..)))
    }

    /// Whether the connection waits for an answer of this kind.
    pub(super) fn has_own(&self, own: Own) -> bool {
        self.by_id
            .values()
            .any(|waiting| matches!(waiting.waiter, Waiter::Own(kind) if kind == own))
    }

    /// Takes out what has waited too long.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Waiting> {
        let mut out = Vec::new();
        while let Some(&(sent, id)) = self.order.front() {
            if now.saturating_duration_since(sent) < self.timeout {
                break;
            }
            self.order.pop_front();
            out.extend(self.by_id.remove(&id));
            self.skip_answered();
        }
        out
    }

    fn skip_answered(&mut self) {
        while self
            .order
            .front()
            .is_some_and(|(_, id)| !self.by_id.contains_key(id))
        {
            self.order.pop_front();
        }
    }

    /// Ends everything: the connection is gone, and what was sent may or may not have been heard.
    pub(super) fn fail_all(&mut self, server: &Server, why: &str) {
        self.order.clear();
        for (_, waiting) in self.by_id.drain() {
            server.count(waiting.command, "closed");
            if let Waiter::Caller(reply, _) = waiting.waiter {
                let error = RequestError::Closed {
                    server: server.name().to_owned(),
                    why: why.to_owned(),
                };
                // A caller that stopped waiting has no use for it.
                let _ = reply.send(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(sent: Instant) -> Waiting {
        Waiting {
            command: Command::ServerInfo,
            sent,
            waiter: Waiter::Own(Own::Info),
        }
    }

    #[tokio::test]
    async fn what_waited_too_long_comes_out_in_order_and_once() {
        let start = Instant::now();
        let mut in_flight = InFlight::new(Duration::from_secs(5));
        for id in 1..=4 {
            in_flight.insert(id, own(start + Duration::from_secs(id)));
        }
        assert!(in_flight.take(1).is_some());
        assert!(in_flight.take(3).is_some());
        assert_eq!(in_flight.oldest(), Some(start + Duration::from_secs(2)));
        assert_eq!(
            in_flight
                .expired(start + Duration::from_millis(6_999))
                .len(),
            0
        );
        assert_eq!(in_flight.expired(start + Duration::from_secs(7)).len(), 1);
        assert_eq!(in_flight.expired(start + Duration::from_secs(60)).len(), 1);
        assert_eq!(in_flight.oldest(), None);
        assert!(in_flight.order.is_empty() && in_flight.by_id.is_empty());
    }

    #[tokio::test]
    async fn one_lost_answer_does_not_make_a_server_mute_that_says_other_things() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut in_flight = InFlight::new(Duration::from_secs(30));
        let shown = |in_flight: &InFlight, last_in| {
            let mut health = Health::default();
            in_flight.show(&mut health, last_in);
            (
                health.waiting_since,
                health.mute_since,
                health.unheard_since,
            )
        };
        assert_eq!(shown(&in_flight, start), (None, None, None));
        in_flight.insert(1, own(at(1)));
        let nothing_came = (Some(at(1)), Some(at(1)), Some(at(1)));
        assert_eq!(shown(&in_flight, start), nothing_came);
        // Something else comes in; the first answer is lost.
        assert_eq!(shown(&in_flight, at(2)), (Some(at(1)), Some(at(2)), None));
        in_flight.insert(2, own(at(5)));
        let since_the_second = (Some(at(1)), Some(at(2)), Some(at(5)));
        assert_eq!(shown(&in_flight, at(2)), since_the_second);
        assert!(in_flight.take(2).is_some());
        assert_eq!(shown(&in_flight, at(6)), (Some(at(1)), Some(at(6)), None));
    }

    #[tokio::test]
    async fn an_answered_request_leaves_no_trace() {
        let mut in_flight = InFlight::new(Duration::from_secs(5));
        in_flight.insert(1, own(Instant::now()));
        assert!(in_flight.has_own(Own::Info));
        assert!(in_flight.take(1).is_some() && in_flight.take(1).is_none());
        assert!(in_flight.order.is_empty());
    }
}
