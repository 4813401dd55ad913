//! A store, a dispatcher, and the endpoints that it delivers to.

use crate::store::bed::{self as store_bed, T0, accepted, request};
use crate::support::receiver::Receiver;
use rustls::RootCertStore;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use xrpayd::clock::{Clock, Entropy, ManualClock, OsEntropy, SystemClock, uuid_v7};
use xrpayd::store::webhooks::{Delivery, DeliveryState, Endpoint, NewEndpoint, Reach};
use xrpayd::store::{Actor, Store};
use xrpayd::supervise::Supervisor;
use xrpayd::telemetry::metrics::Metrics;
use xrpayd::webhooks::guard::{Plain, Policy, Private, SystemResolver};
use xrpayd::webhooks::post::Poster;
use xrpayd::webhooks::schedule::Schedule;
use xrpayd::webhooks::secret::{Sealer, SigningSecret};
use xrpayd::webhooks::{Dispatcher, Settings, Webhooks};
use xrpayd_core::ids::{EndpointId, UnixMs};

/// The waits that are shipped.
pub const WAITS_S: [u64; 9] = [5, 30, 120, 600, 3_600, 14_400, 36_000, 72_000, 129_600];
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What tests send webhooks with: to this machine, unlike the daemon as it is shipped.
pub fn webhooks(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Webhooks {
    let policy = Policy {
        plain: Plain::Allowed,
        private: Private::Allowed,
    };
    let resolver = Arc::new(SystemResolver);
    let timeout = Duration::from_secs(5);
    let poster = Poster::new(resolver, policy, RootCertStore::empty(), timeout).unwrap();
    Webhooks {
        poster,
        sealer: Some(Arc::new(sealer(1))),
        wake: Arc::new(Notify::new()),
        settings: Arc::new(Settings {
            schedule: Schedule::new(WAITS_S.map(Duration::from_secs).to_vec()),
            timeout,
            disable_after: 5 * DAY,
            keep_log: 30 * DAY,
            in_flight_per_endpoint: 8,
            in_flight: 256,
        }),
        clock,
        entropy,
    }
}

pub fn sealer(n: u8) -> Sealer {
    Sealer::of_text(&SecretString::from(hex::encode([n; 32]))).unwrap()
}

/// What is delivered in one test.
pub struct Bed {
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub webhooks: Webhooks,
    pub metrics: Arc<Metrics>,
    dispatchers: Vec<Supervisor>,
    paid: AtomicU32,
    _database: store_bed::Bed,
}

impl Bed {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(store_bed::Bed::sqlite().await, change).await
    }

    /// The same on PostgreSQL, where there is one.
    pub async fn postgres() -> Option<Self> {
        Some(Self::on(store_bed::Bed::postgres().await?, |_| {}).await)
    }

    async fn on(database: store_bed::Bed, change: impl FnOnce(&mut Settings)) -> Self {
        let store = database.open().await;
        // The reference library knows no other time than the machine's own.
        let clock = Arc::new(ManualClock::new(SystemClock::new().now()));
        let entropy = Arc::new(OsEntropy::new().unwrap());
        let mut webhooks = webhooks(Arc::clone(&clock) as Arc<dyn Clock>, entropy);
        change(Arc::make_mut(&mut webhooks.settings));
        Self {
            store,
            clock,
            webhooks,
            metrics: Arc::new(Metrics::new().unwrap()),
            dispatchers: Vec::new(),
            paid: AtomicU32::new(0),
            _database: database,
        }
    }

    /// Delivers from now on; called again, as one more replica.
    pub fn dispatch(&mut self) {
        let supervisor = Supervisor::new();
        let (webhooks, store) = (self.webhooks.clone(), self.store.clone());
        let dispatcher = Dispatcher::new(webhooks, store, Arc::clone(&self.metrics));
        supervisor.spawn_must_finish("webhooks", dispatcher.run(supervisor.token()));
        self.dispatchers.push(supervisor);
    }

    /// Ends the dispatchers within `grace`; none at all is a crash.
    pub async fn end_dispatchers(&mut self, grace: Duration) {
        for supervisor in self.dispatchers.drain(..) {
            supervisor.shutdown(grace).await;
        }
    }

    /// An endpoint of the shop at a receiver, and its secret.
    pub async fn endpoint(&self, receiver: &Receiver, events: &[&str]) -> (Endpoint, String) {
        let entropy = self.webhooks.entropy.as_ref();
        let id = EndpointId(uuid_v7(self.now(), entropy));
        let secret = SigningSecret::draw(entropy);
        let sealer = self.webhooks.sealer.as_ref().unwrap();
        let new = NewEndpoint {
            id,
            client: store_bed::CLIENT.to_owned(),
            reach: Reach::Own,
            url: receiver.url(),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            description: None,
            secret: sealer.seal(id, &secret, entropy).unwrap(),
            now: self.now(),
        };
        let made = self
            .store
            .create_endpoint(&new, 100, &Actor::Daemon)
            .await
            .unwrap();
        (made.unwrap(), secret.text().to_string())
    }

    /// Makes something happen, of which endpoints are told.
    pub async fn happen(&self, times: u32) {
        for _ in 0..times {
            let n = self.paid.fetch_add(1, Ordering::Relaxed);
            accepted(&self.store, request(&format!("key {n}"), "1", T0)).await;
        }
    }

    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.webhooks.wake.notify_one();
    }

    pub async fn fresh(&self, endpoint: &Endpoint) -> Endpoint {
        self.store.endpoint(endpoint.id).await.unwrap().unwrap()
    }

    pub async fn deliveries(&self, endpoint: &Endpoint) -> Vec<Delivery> {
        let page = self.store.deliveries(endpoint.id, None, None, 200).await;
        page.unwrap().items
    }

    /// Waits until the deliveries of an endpoint are as `wanted`.
    pub async fn until(
        &self,
        endpoint: &Endpoint,
        wanted: impl Fn(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let deliveries = self.deliveries(endpoint).await;
            if wanted(&deliveries) {
                return deliveries;
            }
            assert!(Instant::now() < deadline, "{deliveries:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether all of at least one delivery are in a state.
pub fn all(state: DeliveryState) -> impl Fn(&[Delivery]) -> bool {
    move |deliveries| {
        !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery.state == state)
    }
}
