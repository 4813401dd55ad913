//! The gauges that nobody's work moves by itself: read from the database and the engines, every
//! second, so that they are right on every replica and after every restart.
//!
//! Owns no figure: each is the store's, an engine's or the pool's. On failure of the store its figures
//! stand as they were read last, and `store_up` says that they do.

mod wallets;

use super::live::LiveView;
use crate::clock::Clock;
use crate::http::state::{Live, Rules};
use crate::payments::observe;
use crate::store::Store;
use crate::store::switches::Switches;
use crate::telemetry::health::{Alert, OLDEST_UNDELIVERED_S_MAX, Thresholds};
use crate::telemetry::metrics::{Metrics, seconds};
use crate::telemetry::units::{ratio, seconds_between, since_epoch};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::pause::Scope;
use xrpayd_core::payment::{Status, Substatus};

const PERIOD: Duration = Duration::from_secs(1);
/// How often the store is asked whether it takes writes: each time costs it a commit.
const PULSE: Duration = Duration::from_secs(5);
/// A store that does not answer for so long is down, as for `/health`.
const PULSE_WAIT: Duration = Duration::from_secs(2);

/// What the gauges are read from.
pub(super) struct Sources {
    pub(super) store: Store,
    pub(super) live: Arc<LiveView>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
    pub(super) switches: Switches,
    pub(super) reconciled_every: Duration,
}

/// Asks for ever whether the store takes writes, beside the gauges that only read it: a full disk is read
/// as ever.
pub(super) async fn feel_pulse(store: Store, metrics: Arc<Metrics>) {
    let mut tick = tokio::time::interval(PULSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let beat = tokio::time::timeout(PULSE_WAIT, store.ping()).await;
        metrics.store_up.set(i64::from(matches!(beat, Ok(Ok(())))));
    }
}

/// Keeps the gauges for ever.
pub(super) async fn keep(sources: Sources) {
    // A status that no payment has reached yet is a zero and not a gap in a graph.
    for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
        sources
            .metrics
            .payments_total
            .with_label_values(&[status.as_str()]);
    }
    for matched in ["true", "false", "internal"] {
        sources.metrics.deposits_total.with_label_values(&[matched]);
    }
    for stage in observe::STAGES {
        let metric = &sources.metrics.payment_stage_seconds;
        metric.with_label_values(&[stage]);
    }
    let every = seconds(sources.reconciled_every);
    sources.metrics.reconciliation_interval_seconds.set(every);
    let mut tick = tokio::time::interval(PERIOD);
    loop {
        tick.tick().await;
        // First of all: what is held is known also while the store does not answer.
        sources.metrics.lease_held.set(sources.live.leases_held());
        let wallets = u64::try_from(sources.live.lanes().count());
        let wallets = wallets.unwrap_or(u64::MAX);
        sources.metrics.lease_wallets.set(gauge(wallets));
        sources.read_connections();
        sources.read_thresholds();
        if let Err(error) = sources.read_store().await {
            tracing::warn!(%error, "the gauges of the store keep their last values");
        }
        sources.read_wallets();
        sources.read_books();
        sources.read_books_age();
        sources.read_switches();
    }
}

impl Sources {
    async fn read_store(&self) -> Result<(), crate::store::StoreError> {
        let (metrics, now) = (&self.metrics, self.clock.now());
        let totals = self.store.totals().await?;
        metrics.pending_payments.set(gauge(totals.pending()));
        let oldest = totals
            .oldest_processing
            .map_or(0.0, |since| seconds_between(since, now));
        metrics.payment_oldest_pending_seconds.set(oldest);
        for substatus in Substatus::ALL {
            let count = totals.by_substatus.get(&substatus).copied().unwrap_or(0);
            let label = [substatus.as_str()];
            metrics
                .payments_by_substatus
                .with_label_values(&label)
                .set(gauge(count));
            let oldest = totals.oldest_by_substatus.get(&substatus);
            let age = oldest.map_or(0.0, |since| seconds_between(*since, now));
            metrics
                .payment_oldest_by_substatus_seconds
                .with_label_values(&label)
                .set(age);
        }
        if let Some(tip) = self.live.tip() {
            let overdue = self.store.attempts_overdue(tip.ledger_index).await?;
            metrics.attempts_overdue.set(gauge(overdue));
        }
        let undelivered = self.store.oldest_undelivered().await?;
        metrics
            .webhook_oldest_undelivered_seconds
            .set(undelivered.map_or(0.0, |since| seconds_between(since, now)));
        let backup = self.store.last_good_backup(now).await?;
        metrics
            .backup_last_timestamp_seconds
            .set(backup.map_or(0.0, |taken_at| seconds_between(UnixMs(0), taken_at)));
        let used = self.store.limit_usage(now).await?.usage;
        let rules = Arc::clone(&self.rules.borrow());
        let standing = self.switches.standing();
        let in_force = standing.stage.as_deref();
        let place = in_force.and_then(|stage| rules.ladder.find(stage));
        metrics
            .rollout_stage
            .set(place.map_or(-1, |(place, _)| i64::try_from(place).unwrap_or(-1)));
        let caps = in_force.map_or(rules.policy.caps, |stage| rules.ladder.rules_at(stage).caps);
        // As an accept reckons: the strictest of what any replica says.
        let words = standing.words.told.iter().zip(in_force.into_iter().cycle());
        let caps = words.fold(caps, |caps, (told, stage)| {
            caps.stricter(told.word.caps_at(stage))
        });
        let windows = [
            ("24h", used.daily_used.get(), caps.daily.get()),
            (
                "pending",
                u64::from(used.pending),
                u64::from(caps.max_pending),
            ),
        ];
        for (window, part, whole) in windows {
            metrics
                .limit_used_ratio
                .with_label_values(&[window])
                .set(ratio(part, whole));
        }
        Ok(())
    }

    /// What is paused by itself: a wallet's is 0 while only a wider scope stops it. Where nobody can tell,
    /// everything is 1, as it is taken.
    fn read_switches(&self) {
        let standing = self.switches.standing();
        let wallets = self
            .live
            .lanes()
            .map(|lane| Scope::Wallet(lane.name.clone()));
        for scope in [Scope::All, Scope::Payments].into_iter().chain(wallets) {
            let is_paused = standing
                .known()
                .is_none_or(|pauses| pauses.iter().any(|pause| pause.scope == scope));
            let label = scope.to_string();
            let paused = &self.metrics.paused;
            paused
                .with_label_values(&[&label])
                .set(i64::from(is_paused));
        }
    }

    fn read_connections(&self) {
        let connections = self.store.connections();
        for (state, count) in [
            ("in_use", connections.in_use),
            ("idle", connections.idle),
            ("max", connections.max),
        ] {
            let gauge = &self.metrics.store_pool_connections;
            gauge.with_label_values(&[state]).set(i64::from(count));
        }
    }

    /// What `/health` compares with, for the alerts to compare with the same.
    fn read_thresholds(&self) {
        let thresholds = self.rules.borrow().thresholds.clone();
        for (alert, name, after) in minded(&thresholds) {
            let after = match thresholds.alerts.contains(&alert) {
                true => seconds(after),
                false => f64::INFINITY,
            };
            let gauge = &self.metrics.alert_threshold_seconds;
            gauge.with_label_values(&[name]).set(after);
        }
    }

    /// What the last reconciliations found, of all wallets.
    fn read_books(&self) {
        let Some(books) = self.live.books() else {
            return;
        };
        let metrics = &self.metrics;
        metrics
            .reconciliation_difference_drops
            .set(gauge(books.drops));
        metrics
            .reconciliation_differences
            .set(i64::try_from(books.differences).unwrap_or(i64::MAX));
        let of_lanes = self
            .live
            .lanes()
            .filter_map(|lane| self.live.books_of(lane));
        let forgotten: usize = of_lanes.map(|books| books.forgotten).sum();
        metrics
            .reconciliation_forgotten_payments
            .set(i64::try_from(forgotten).unwrap_or(i64::MAX));
    }

    /// When the books were compared of the wallet for which that is longest ago; never, where they were
    /// not of one.
    fn read_books_age(&self) {
        let at = |lane| self.live.books_of(lane).and_then(|books| books.at);
        let all: Option<Vec<_>> = self.live.lanes().map(at).collect();
        let oldest = all.and_then(|all| all.into_iter().min());
        self.metrics
            .reconciliation_last_timestamp_seconds
            .set(oldest.map_or(0.0, since_epoch));
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What is minded from a time on: its name is that of `telemetry.alerts`.
fn minded(thresholds: &Thresholds) -> [(Alert, &'static str, Duration); 3] {
    let of_s = |s: i64| Duration::from_secs(u64::try_from(s).unwrap_or(0));
    let latency = Duration::from_millis(thresholds.latency_ms_max);
    [
        (Alert::Latency, "latency", latency),
        (
            Alert::OldestPayment,
            "oldest_payment",
            of_s(thresholds.oldest_age_s_max),
        ),
        (Alert::Webhooks, "webhooks", of_s(OLDEST_UNDELIVERED_S_MAX)),
    ]
}
