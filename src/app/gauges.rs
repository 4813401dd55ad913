//! The gauges that nobody's work moves by itself: read from the database and the engines, every
//! second, so that they are right on every replica and after every restart.

use super::live::{LaneHandle, LiveView};
use super::views::Picture;
use crate::clock::Clock;
use crate::http::state::{Live, Rules};
use crate::payments::engine::View;
use crate::store::Store;
use crate::store::switches::Switches;
use crate::telemetry::metrics::{Metrics, seconds};
use crate::telemetry::units::{ratio, seconds_between, xrp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use xrpayd_core::money::Drops;
use xrpayd_core::pause::Scope;
use xrpayd_core::payment::{Status, Substatus};

const PERIOD: Duration = Duration::from_secs(1);

/// What the gauges are read from.
pub(super) struct Sources {
    pub(super) store: Store,
    pub(super) live: Arc<LiveView>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
    pub(super) switches: Switches,
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
    let mut tick = tokio::time::interval(PERIOD);
    loop {
        tick.tick().await;
        // First of all: what is held is known also while the store does not answer.
        sources.metrics.lease_held.set(sources.live.leases_held());
        if let Err(error) = sources.read_store().await {
            tracing::warn!(%error, "the gauges of the store keep their last values");
        }
        sources.read_lanes();
        sources.read_books();
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
        }
        let undelivered = self.store.oldest_undelivered().await?;
        metrics
            .webhook_oldest_undelivered_seconds
            .set(undelivered.map_or(0.0, |since| seconds_between(since, now)));
        let used = self.store.limit_usage(now).await?.usage;
        let rules = Arc::clone(&self.rules.borrow());
        let standing = self.switches.standing();
        let in_force = standing.stage.as_deref();
        let place = in_force.and_then(|stage| rules.ladder.find(stage));
        metrics
            .rollout_stage
            .set(place.map_or(-1, |(place, _)| i64::try_from(place).unwrap_or(-1)));
        let caps = in_force.map_or(rules.policy.caps, |stage| rules.ladder.rules_at(stage).caps);
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

    /// What nobody has said for some time is no figure: it is gone, rather than stand as if it were true.
    fn hide(&self, label: &[&str]) {
        let metrics = &self.metrics;
        let figures = [
            &metrics.wallet_balance_xrp,
            &metrics.wallet_spendable_xrp,
            &metrics.wallet_reserve_xrp,
        ];
        let counts = [
            &metrics.wallet_sequence_gap,
            &metrics.journal_cursor_ledger,
            &metrics.journal_lag_ledgers,
            &metrics.journal_gap_ledgers,
        ];
        // What was never shown cannot be hidden, and need not be.
        for figure in figures {
            let _absent = figure.remove_label_values(label);
        }
        for count in counts {
            let _absent = count.remove_label_values(label);
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
    }

    /// Wallets of one type share a label, so their figures are added up.
    fn read_lanes(&self) {
        let tip = self.live.tip().map(|tip| tip.ledger_index);
        let mut types: BTreeMap<&str, Vec<&LaneHandle>> = BTreeMap::new();
        for lane in self.live.lanes() {
            types
                .entry(lane.wallet_type.as_str())
                .or_default()
                .push(lane);
        }
        for (wallet_type, lanes) in types {
            let label = [wallet_type];
            let pictures: Vec<Picture> = lanes.iter().map(|lane| lane.picture()).collect();
            let age = pictures.iter().filter_map(|picture| picture.age).max();
            self.metrics
                .wallet_view_age_seconds
                .with_label_values(&label)
                .set(seconds(age.unwrap_or_default()));
            if pictures.iter().any(Picture::is_stale) {
                self.hide(&label);
                continue;
            }
            let views: Vec<View> = pictures.into_iter().map(|picture| picture.view).collect();
            // A balance that nobody has read yet is not a balance of nothing.
            let Some(cursor) = views.iter().filter_map(View::read_through).min() else {
                continue;
            };
            let sum = |of: fn(&View) -> Drops| {
                let add = |sum: Drops, part| sum.checked_add(part).unwrap_or(Drops::MAX);
                views.iter().map(of).fold(Drops::ZERO, add)
            };
            let metrics = &self.metrics;
            metrics
                .wallet_balance_xrp
                .with_label_values(&label)
                .set(xrp(sum(|v| v.balance)));
            metrics
                .wallet_spendable_xrp
                .with_label_values(&label)
                .set(xrp(sum(|v| v.spendable)));
            metrics
                .wallet_reserve_xrp
                .with_label_values(&label)
                .set(xrp(sum(|v| v.reserve)));
            let gap: usize = views.iter().map(|view| view.sequence_gap).sum();
            let gap = i64::try_from(gap).unwrap_or(i64::MAX);
            metrics
                .wallet_sequence_gap
                .with_label_values(&label)
                .set(gap);
            metrics
                .journal_cursor_ledger
                .with_label_values(&label)
                .set(i64::from(cursor.0));
            let lag = tip.map_or(0, |tip| tip.ahead_of(cursor));
            metrics
                .journal_lag_ledgers
                .with_label_values(&label)
                .set(i64::from(lag));
            let waits = views.iter().flat_map(|view| &view.waits);
            let missing = waits.filter_map(|wait| wait.missing).map(i64::from);
            metrics
                .journal_gap_ledgers
                .with_label_values(&label)
                .set(missing.fold(0, i64::saturating_add));
        }
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
