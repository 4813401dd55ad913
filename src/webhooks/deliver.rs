//! The dispatcher: lays out what is new, claims what is due, sends it, and writes down what came of it.
//!
//! One loop owns every write. It takes turns, each one transaction ([`Store::webhook_turn`]); between
//! them tries are under way side by side. Level-triggered: the database is the truth, a wake is a
//! hint, and a look now and then finds what a hint has lost.
//!
//! A dead endpoint delays nobody: every delivery has its own schedule, every endpoint its own bound of
//! tries at a time, and one that only fails is down to a single try at a time until it takes something.
//!
//! On failure: what was not written down is tried again when its claim ends. At the end of the daemon
//! the tries under way are waited for, as long as one may take, and their outcomes written down.

use super::{Laid, Made, Webhooks, kinds, of_event};
use crate::clock::uuid_v7;
use crate::store::webhooks::{Claimed, Endpoint, Fanned, Settled, Turn, Verdict, View};
use crate::store::{FeedEvent, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xrpayd_core::ids::{DeliveryId, EndpointId, UnixMs};

/// How long nothing is looked at where nothing is heard of.
const POLL: Duration = Duration::from_secs(1);
/// The pause between turns, so that deliveries leave the database to the payments, and the outcomes of
/// many tries share a transaction.
const PAUSE: Duration = Duration::from_millis(20);
/// The events that one turn lays out for one endpoint.
const STRETCH_MAX: u32 = 200;
/// A claim outlasts the longest try by this much: enough to write down what came of it.
const CLAIM_MARGIN: Duration = Duration::from_secs(10);
/// After so many failures in a row an endpoint is tried once at a time.
const FAILURES_MAX: u32 = 3;
/// How long after each other the log is cleared.
const PRUNE_PERIOD: Duration = Duration::from_secs(60);
/// How many deliveries are cleared at a time.
const PRUNE_MAX: u32 = 500;
/// How long the same complaint is not repeated.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// Carries deliveries to their receivers.
pub struct Dispatcher {
    webhooks: Webhooks,
    store: Store,
    metrics: Arc<Metrics>,
    holder: String,
    tries: JoinSet<(u32, Settled)>,
    under_way: BTreeMap<EndpointId, Busy>,
    settled: Vec<Settled>,
    complained_at: BTreeMap<EndpointId, Duration>,
    pruned_at: Option<Duration>,
    /// Whether there is nobody to tell, so that what happens is of no interest here.
    is_idle: bool,
}

/// What is known of an endpoint's tries in this process.
#[derive(Debug, Default)]
struct Busy {
    tries: u32,
    failures_in_a_row: u32,
}

impl Dispatcher {
    /// A dispatcher that has nothing under way.
    #[must_use]
    pub fn new(webhooks: Webhooks, store: Store, metrics: Arc<Metrics>) -> Self {
        for outcome in super::post::Outcome::ALL {
            metrics
                .webhook_deliveries_total
                .with_label_values(&[outcome.as_str()]);
        }
        let mut name = [0_u8; 8];
        webhooks.entropy.fill(&mut name);
        Self {
            webhooks,
            store,
            metrics,
            holder: hex::encode(name),
            tries: JoinSet::new(),
            under_way: BTreeMap::new(),
            settled: Vec::new(),
            complained_at: BTreeMap::new(),
            pruned_at: None,
            is_idle: false,
        }
    }

    /// Delivers until it is cancelled, and then writes down what came of the tries under way.
    pub async fn run(mut self, cancelled: CancellationToken) {
        let mut changed = self.store.feed_changed();
        if self.store.file().is_some() {
            self.release(None).await;
        }
        while !cancelled.is_cancelled() {
            let now = self.webhooks.clock.now();
            let wait = match self.step(now).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "webhooks wait for the store");
                    POLL
                }
            };
            let wake = Arc::clone(&self.webhooks.wake);
            tokio::select! {
                biased;
                () = cancelled.cancelled() => break,
                Some(ended) = self.tries.join_next(), if !self.tries.is_empty() => self.take(ended),
                () = wake.notified() => {}
                heard = changed.changed(), if !self.is_idle => {
                    if heard.is_err() {
                        tokio::time::sleep(POLL).await;
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        self.drain().await;
    }

    /// Waits for the tries under way, writes down what came of them, and gives back what is left.
    async fn drain(&mut self) {
        while let Some(ended) = self.tries.join_next().await {
            self.take(ended);
        }
        let last = Turn {
            wanted: Vec::new(),
            fanned: Vec::new(),
            ..self.turn(self.webhooks.clock.now())
        };
        if let Err(error) = self.store.webhook_turn(&last).await {
            tracing::warn!(%error, "what came of the last webhooks is not written down: they are sent again");
        }
        let holder = self.holder.clone();
        self.release(Some(&holder)).await;
    }

    async fn release(&self, holder: Option<&str>) {
        let now = self.webhooks.clock.now();
        if let Err(error) = self.store.release_webhook_claims(holder, now).await {
            tracing::warn!(%error, "claims of webhooks end by themselves: they cannot be given back");
        }
    }

    /// Looks, and takes a turn where there is something to do; returns how long there will be nothing.
    async fn step(&mut self, now: UnixMs) -> Result<Duration, StoreError> {
        while let Some(ended) = self.tries.try_join_next() {
            self.take(ended);
        }
        self.prune(now).await?;
        let view = self.store.webhook_view().await?;
        self.is_idle = view.endpoints.is_empty();
        let mut turn = self.turn(now);
        for (endpoint, _) in &view.endpoints {
            turn.fanned
                .extend(self.stretch(endpoint, view.end, now).await?);
        }
        turn.wanted = self.wanted(&view, &turn.fanned, now);
        let behind = turn.fanned.iter().any(|fanned| fanned.through < view.end);
        if turn.settled.is_empty() && turn.fanned.is_empty() && turn.wanted.is_empty() {
            return Ok(self.nap(&view, now));
        }
        let outcome = self.store.webhook_turn(&turn).await?;
        self.settled.clear();
        for endpoint in &outcome.disabled {
            tracing::warn!(webhook.endpoint = %endpoint, "a webhook endpoint was disabled");
        }
        let endpoints: BTreeMap<EndpointId, &Endpoint> = view
            .endpoints
            .iter()
            .map(|(endpoint, _)| (endpoint.id, endpoint))
            .collect();
        let found = !outcome.claimed.is_empty();
        for claimed in outcome.claimed {
            if let Some(endpoint) = endpoints.get(&claimed.endpoint) {
                self.start(endpoint, claimed);
            }
        }
        Ok(if behind || found {
            PAUSE
        } else {
            self.nap(&view, now)
        })
    }

    fn turn(&self, now: UnixMs) -> Turn {
        let claim = self.webhooks.settings.timeout.saturating_add(CLAIM_MARGIN);
        Turn {
            holder: self.holder.clone(),
            now,
            settled: self.settled.clone(),
            fanned: Vec::new(),
            wanted: Vec::new(),
            claim_until: now.plus_ms(millis(claim)),
            disable_after_ms: millis(self.webhooks.settings.disable_after),
        }
    }

    /// The next stretch of the feed for an endpoint: what is to be laid out once more, then what is new.
    async fn stretch(
        &self,
        endpoint: &Endpoint,
        end: i64,
        now: UnixMs,
    ) -> Result<Vec<Fanned>, StoreError> {
        let mut stretches = Vec::new();
        if let Some(recovery) = endpoint.recovery {
            let mut fanned = self.read(endpoint, recovery.after, now).await?;
            fanned.through = fanned.through.min(recovery.through);
            fanned
                .messages
                .retain(|(_, message)| message.at >= recovery.since);
            fanned.recovery = Some(recovery);
            stretches.push(fanned);
        }
        if endpoint.told_through < end {
            stretches.push(self.read(endpoint, endpoint.told_through, now).await?);
        }
        Ok(stretches)
    }

    async fn read(
        &self,
        endpoint: &Endpoint,
        after: i64,
        now: UnixMs,
    ) -> Result<Fanned, StoreError> {
        let filter = endpoint.feed_filter();
        let page = self.store.feed_page(after, &filter, STRETCH_MAX).await?;
        if after > 0 && page.expired > after {
            tracing::warn!(
                webhook.endpoint = %endpoint.id, from = after, to = page.expired,
                "an endpoint was not sent to for longer than events are kept: it is not told of what is gone"
            );
        }
        let first = uuid_v7(now, self.webhooks.entropy.as_ref());
        let wanted = page
            .events
            .iter()
            .filter(|event| kinds::lets_through(&endpoint.events, &event.type_))
            .zip(0_u128..)
            .map(|(event, place)| lay(event, first, place));
        Ok(Fanned {
            endpoint: endpoint.id,
            recovery: None,
            after,
            messages: wanted.collect(),
            through: page.through,
        })
    }

    /// How many deliveries each endpoint is to be given, by turns, within what may be under way.
    fn wanted(&mut self, view: &View, fanned: &[Fanned], now: UnixMs) -> Vec<(EndpointId, u32)> {
        let mut free = self.free();
        let mut rooms = Vec::new();
        for (endpoint, due) in &view.endpoints {
            let is_due = due.is_some_and(|due| due <= now)
                || fanned.iter().any(|fanned| fanned.endpoint == endpoint.id);
            let is_resting = endpoint.resting_until.is_some_and(|until| until > now);
            if !is_due || is_resting || !self.can_sign(endpoint) {
                continue;
            }
            let room = self.room(endpoint.id);
            if room > 0 {
                rooms.push((endpoint.id, room, 0_u32));
            }
        }
        // One for each before a second for any: nobody's backlog takes the room of the others.
        while free > 0 && rooms.iter().any(|(_, room, given)| given < room) {
            for (_, _, given) in rooms.iter_mut().filter(|(_, room, given)| given < room) {
                if free > 0 {
                    *given = given.saturating_add(1);
                    free = free.saturating_sub(1);
                }
            }
        }
        let given = rooms
            .into_iter()
            .map(|(endpoint, _, given)| (endpoint, given));
        given.filter(|(_, given)| *given > 0).collect()
    }

    /// How many more tries may be under way altogether.
    fn free(&self) -> u32 {
        let running = u32::try_from(self.tries.len()).unwrap_or(u32::MAX);
        self.webhooks.settings.in_flight.saturating_sub(running)
    }

    /// How many more tries may be under way at one endpoint.
    fn room(&self, endpoint: EndpointId) -> u32 {
        let bound = self.webhooks.settings.in_flight_per_endpoint;
        match self.under_way.get(&endpoint) {
            None => bound,
            Some(busy) if busy.failures_in_a_row >= FAILURES_MAX => {
                1_u32.saturating_sub(busy.tries)
            }
            Some(busy) => bound.saturating_sub(busy.tries),
        }
    }

    /// Whether an endpoint's messages can be signed; where not, what waits for it keeps waiting.
    fn can_sign(&mut self, endpoint: &Endpoint) -> bool {
        let Err(error) = self.webhooks.secrets_of(endpoint) else {
            self.complained_at.remove(&endpoint.id);
            return true;
        };
        let now = self.webhooks.clock.monotonic();
        let last = self.complained_at.get(&endpoint.id);
        if last.is_none_or(|last| now.saturating_sub(*last) >= COMPLAINT_PERIOD) {
            self.complained_at.insert(endpoint.id, now);
            tracing::error!(
                webhook.endpoint = %endpoint.id, %error,
                "webhooks wait: their secret cannot be used; bring the key back or rotate the secret"
            );
        }
        false
    }

    fn start(&mut self, endpoint: &Endpoint, claimed: Claimed) {
        // It opened a moment ago; where it does not any more the claim ends by itself.
        let Ok(secrets) = self.webhooks.secrets_of(endpoint) else {
            return;
        };
        let busy = self.under_way.entry(endpoint.id).or_default();
        busy.tries = busy.tries.saturating_add(1);
        let (webhooks, url) = (self.webhooks.clone(), endpoint.url.clone());
        self.tries.spawn(async move {
            let Claimed {
                delivery,
                endpoint,
                message_id,
                body,
                tried,
            } = claimed;
            let at = webhooks.clock.now();
            let sending = webhooks.send(&url, &secrets, &message_id, body);
            // What a stranger answers must not stop the daemon, whatever it finds in a library.
            let made = AssertUnwindSafe(sending).catch_unwind().await;
            let made = made.unwrap_or_else(|_| Made::broken(at));
            let tried = tried.saturating_add(1);
            (tried, webhooks.rule(delivery, endpoint, tried, made))
        });
    }

    /// Takes up a try that has ended.
    fn take(&mut self, ended: Result<(u32, Settled), tokio::task::JoinError>) {
        // Tries catch their own panics and are aborted by nobody who goes on.
        let Ok((tried, settled)) = ended else { return };
        self.metrics
            .webhook_deliveries_total
            .with_label_values(&[settled.tried.outcome])
            .inc();
        let busy = self.under_way.entry(settled.endpoint).or_default();
        busy.tries = busy.tries.saturating_sub(1);
        if settled.verdict == Verdict::Delivered {
            busy.failures_in_a_row = 0;
        } else {
            busy.failures_in_a_row = busy.failures_in_a_row.saturating_add(1);
            tracing::debug!(
                webhook.endpoint = %settled.endpoint, webhook.delivery = %settled.delivery,
                outcome = settled.tried.outcome, tried, "a webhook was not taken"
            );
        }
        if settled.verdict == Verdict::GivenUp {
            tracing::warn!(
                webhook.endpoint = %settled.endpoint, webhook.delivery = %settled.delivery,
                tried, "a webhook was given up"
            );
        }
        self.settled.push(settled);
    }

    /// How long nothing can be done. What waits for a try to end, for room or for its turn, is woken by
    /// that try.
    fn nap(&self, view: &View, now: UnixMs) -> Duration {
        let next = view
            .endpoints
            .iter()
            .filter(|(endpoint, _)| {
                let waits_for_key = self.complained_at.contains_key(&endpoint.id);
                let is_busy = self
                    .under_way
                    .get(&endpoint.id)
                    .is_some_and(|busy| busy.tries > 0);
                self.free() > 0 && !is_busy && !waits_for_key
            })
            .filter_map(|(endpoint, due)| {
                Some((*due)?.max(endpoint.resting_until.unwrap_or(UnixMs(0))))
            });
        let wait = next.min().map_or(i64::MAX, |next| next.since_ms(now));
        let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
        wait.clamp(PAUSE, POLL)
    }

    async fn prune(&mut self, now: UnixMs) -> Result<(), StoreError> {
        let at = self.webhooks.clock.monotonic();
        let is_due = self
            .pruned_at
            .is_none_or(|last| at.saturating_sub(last) >= PRUNE_PERIOD);
        if !is_due {
            return Ok(());
        }
        let before = now.plus_ms(-millis(self.webhooks.settings.keep_log));
        let cleared = self.store.prune_deliveries(before, PRUNE_MAX).await?;
        // More may be left: the next turn goes on where this one cleared all that it might.
        let limit = usize::try_from(PRUNE_MAX).unwrap_or(usize::MAX);
        self.pruned_at = (cleared < limit).then_some(at);
        Ok(())
    }
}

fn lay(event: &FeedEvent, first: u128, place: u128) -> Laid {
    /// The low random bits of an identifier, of which the highest is left free for the places.
    const PLACES: u128 = (1 << 61) - 1;
    // In the order of the sequences: what is due at one instant is claimed in the order of its names.
    let name = (first & !(1 << 61)).wrapping_add(place & PLACES);
    (DeliveryId(name), of_event(event))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
