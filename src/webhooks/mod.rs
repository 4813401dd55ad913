//! Webhooks: what happened is told to the merchant's systems, signed, at least once.
//!
//! Owns the signing of messages, the guard before every request that leaves, and the dispatcher that
//! carries deliveries to their receivers. What is to be told stands in the feed, and what is on its
//! way in the store; this room only moves it. `http` knows of it what it needs to make an endpoint and
//! to try one.
//!
//! On failure nothing is lost: a delivery leaves the queue only with the transaction that writes down
//! what came of it.

pub mod address;
mod deliver;
pub mod guard;
pub mod kinds;
mod message;
pub mod post;
pub mod schedule;
pub mod secret;
pub mod sign;
mod trace;

pub use deliver::Dispatcher;
pub use message::{of_event, test_message};

use crate::clock::{Clock, Entropy, random_up_to};
use crate::store::webhooks::{Endpoint, Message, Patience, Settled, Tried, Verdict};
use hyper::body::Bytes;
use post::{Answer, Outcome, Poster};
use schedule::Schedule;
use secret::{SealError, Sealer, SigningSecret};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use xrpayd_core::ids::{DeliveryId, EndpointId, UnixMs};

/// How long a receiver that is busy and does not say for how long is left alone.
const REST_DEFAULT: Duration = Duration::from_secs(30);
/// The longest that one busy answer keeps everything else from a receiver.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// How deliveries are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The waits between tries.
    pub schedule: Schedule,
    /// How long one try may take.
    pub timeout: Duration,
    /// An endpoint that has taken nothing for so long is disabled.
    pub disable_after: Duration,
    /// How long what became of deliveries is kept.
    pub keep_log: Duration,
    /// The most tries at one endpoint at a time.
    pub in_flight_per_endpoint: u32,
    /// The most tries at a time altogether.
    pub in_flight: u32,
}

/// What the dispatcher and the API share.
#[derive(Clone)]
pub struct Webhooks {
    /// Posts.
    pub poster: Poster,
    /// Seals secrets; absent where there is no key to seal them with, and then there are no endpoints.
    pub sealer: Option<Arc<Sealer>>,
    /// Wakes the dispatcher: something was laid out by hand.
    pub wake: Arc<Notify>,
    /// How deliveries are made.
    pub settings: Arc<Settings>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for jitter, names and keys.
    pub entropy: Arc<dyn Entropy>,
}

/// Why a delivery cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// There is no key to open the secret with.
    #[error("there is no key to open webhook secrets with: webhooks.encryption_key is not set")]
    NoKey,
    /// The secret does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A try that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What is known of it.
    pub tried: Tried,
    /// What was answered.
    pub answer: Answer,
}

impl Made {
    /// A try that broke in this program's own hands.
    fn broken(at: UnixMs) -> Self {
        let answer = Answer::failed(Outcome::Broken, "the try broke inside the daemon");
        Self::of(at, Duration::ZERO, answer)
    }

    fn of(at: UnixMs, took: Duration, answer: Answer) -> Self {
        Self {
            tried: Tried {
                at,
                duration_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
                outcome: answer.outcome.as_str(),
                status: answer.status,
                error: answer.error.clone(),
                excerpt: answer.excerpt.clone(),
            },
            answer,
        }
    }
}

impl Webhooks {
    /// The secrets that sign for an endpoint now: the newest first.
    ///
    /// # Errors
    /// A secret does not open.
    pub fn secrets_of(&self, endpoint: &Endpoint) -> Result<Vec<SigningSecret>, Unsigned> {
        let sealer = self.sealer.as_ref().ok_or(Unsigned::NoKey)?;
        let mut secrets = vec![sealer.open(endpoint.id, &endpoint.secret)?];
        if let Some((old, until)) = &endpoint.old_secret
            && *until > self.clock.now()
        {
            secrets.push(sealer.open(endpoint.id, old)?);
        }
        Ok(secrets)
    }

    /// Sends a message to an endpoint, once.
    pub async fn send(&self, url: &str, secrets: &[SigningSecret], id: &str, body: String) -> Made {
        let at = self.clock.now();
        let began = self.clock.monotonic();
        let signed = sign::sign(secrets, id, at, body.as_bytes());
        let span = trace::of_message(id, &body);
        let answer = match signed.as_sent() {
            Some(mut headers) => {
                trace::name_in(&mut headers, &span);
                self.poster.post(url, headers, Bytes::from(body), at).await
            }
            None => Answer::failed(
                Outcome::Broken,
                "the message has no header that can be sent",
            ),
        };
        trace::ended(&span, &answer);
        let took = self.clock.monotonic().saturating_sub(began);
        Made::of(at, took, answer)
    }

    /// What becomes of a delivery, and of its endpoint, after the try that makes it `tried` tries of its
    /// schedule.
    fn rule(&self, delivery: DeliveryId, endpoint: EndpointId, tried: u32, made: Made) -> Settled {
        let now = self.clock.now();
        let Made {
            tried: facts,
            answer,
        } = made;
        let draw = |max| random_up_to(self.entropy.as_ref(), max);
        let next = self
            .settings
            .schedule
            .next(tried, now, answer.retry_after, draw);
        Settled {
            delivery,
            endpoint,
            tried: facts,
            verdict: match (answer.outcome, next) {
                (Outcome::Delivered, _) => Verdict::Delivered,
                (_, Some(at)) => Verdict::Again(at),
                (_, None) => Verdict::GivenUp,
            },
            patience: match answer.outcome {
                Outcome::Gone => Patience::Gone,
                Outcome::Busy => Patience::Rest(self.rest(&answer, next, now)),
                _ => Patience::Usual,
            },
        }
    }

    /// Until when a busy receiver is sent nothing at all: as long as it asks, within bounds; where it
    /// does not say, until the delivery that it refused is due again, and half a minute at most.
    fn rest(&self, answer: &Answer, next: Option<UnixMs>, now: UnixMs) -> UnixMs {
        let until =
            |wait: Duration| now.plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        match (answer.retry_after, next) {
            (Some(asked), _) => until(asked.min(REST_MAX)),
            (None, Some(next)) => next.min(until(REST_DEFAULT)),
            (None, None) => until(REST_DEFAULT),
        }
    }
}

/// What is sent to an endpoint, of which the rest is remembered.
pub(crate) type Laid = (DeliveryId, Message);
