//! What the gauges say of the wallets. Wallets of one type share a label, so their figures are added up,
//! and what has to be told of each is counted.

use super::{Sources, gauge};
use crate::app::live::LaneHandle;
use crate::app::views::Picture;
use crate::http::state::Live;
use crate::payments::engine::View;
use crate::telemetry::metrics::seconds;
use crate::telemetry::units::xrp;
use std::collections::BTreeMap;
use xrpayd_core::money::Drops;

/// A threshold of a wallet.
type Threshold = fn(&LaneHandle) -> Drops;
/// A figure of a wallet.
type Figure = fn(&View) -> Drops;

/// The thresholds of a wallet, by the word that their label has for them.
const LEVELS: [(&str, Threshold); 2] = [
    ("low", |lane| lane.low_balance),
    ("critical", |lane| lane.critical_balance),
];

impl Sources {
    pub(super) fn read_wallets(&self) {
        let mut types: BTreeMap<&str, Vec<&LaneHandle>> = BTreeMap::new();
        for lane in self.live.lanes() {
            types
                .entry(lane.wallet_type.as_str())
                .or_default()
                .push(lane);
        }
        for (wallet_type, lanes) in types {
            self.read_type(wallet_type, &lanes);
        }
    }

    fn read_type(&self, wallet_type: &str, lanes: &[&LaneHandle]) {
        let (metrics, label) = (&self.metrics, [wallet_type]);
        for (level, threshold) in LEVELS {
            metrics
                .wallet_balance_threshold_xrp
                .with_label_values(&[wallet_type, level])
                .set(xrp(sum(lanes.iter().map(|lane| threshold(lane)))));
        }
        let pictures: Vec<Picture> = lanes.iter().map(|lane| lane.picture()).collect();
        let age = pictures.iter().filter_map(|picture| picture.age).max();
        metrics
            .wallet_view_age_seconds
            .with_label_values(&label)
            .set(seconds(age.unwrap_or_default()));
        if pictures.iter().any(Picture::is_stale) {
            self.hide(wallet_type);
            return;
        }
        let views: Vec<View> = pictures.into_iter().map(|picture| picture.view).collect();
        let halted = views.iter().filter(|view| view.halted.is_some()).count();
        // Before an engine has read what stands it says nothing; that is no word for going on.
        if halted > 0 || views.iter().all(|view| view.journal_at.is_some()) {
            metrics
                .wallet_halted
                .with_label_values(&label)
                .set(gauge(u64::try_from(halted).unwrap_or(u64::MAX)));
            let foreign: usize = views.iter().map(|view| view.foreign).sum();
            metrics
                .foreign_transactions_unaccepted
                .with_label_values(&label)
                .set(i64::try_from(foreign).unwrap_or(i64::MAX));
        }
        // A balance that nobody has read yet is not a balance of nothing.
        if views.iter().any(|view| view.journal_at.is_some()) {
            self.show(label, lanes, &views);
        }
    }

    /// What is known of the wallets of one type.
    fn show(&self, label: [&str; 1], lanes: &[&LaneHandle], views: &[View]) {
        let metrics = &self.metrics;
        let Some(cursor) = views.iter().filter_map(View::read_through).min() else {
            return;
        };
        let figures: [(_, Figure); 3] = [
            (&metrics.wallet_balance_xrp, |view| view.balance),
            (&metrics.wallet_spendable_xrp, |view| view.spendable),
            (&metrics.wallet_reserve_xrp, |view| view.reserve),
        ];
        for (metric, of) in figures {
            metric
                .with_label_values(&label)
                .set(xrp(sum(views.iter().map(of))));
        }
        for (level, threshold) in LEVELS {
            let is_below = |(lane, view): &(&&LaneHandle, &View)| {
                view.journal_at.is_some() && view.balance < threshold(lane)
            };
            let below = lanes.iter().zip(views).filter(is_below).count();
            metrics
                .wallets_below_threshold
                .with_label_values(&[label[0], level])
                .set(gauge(u64::try_from(below).unwrap_or(u64::MAX)));
        }
        let gap: usize = views.iter().map(|view| view.sequence_gap).sum();
        let tip = self.live.tip().map(|tip| tip.ledger_index);
        let lag = tip.map_or(0, |tip| tip.ahead_of(cursor));
        let waits = views.iter().flat_map(|view| &view.waits);
        let missing = waits.filter_map(|wait| wait.missing).map(i64::from);
        for (metric, count) in [
            (
                &metrics.wallet_sequence_gap,
                i64::try_from(gap).unwrap_or(i64::MAX),
            ),
            (&metrics.journal_cursor_ledger, i64::from(cursor.0)),
            (&metrics.journal_lag_ledgers, i64::from(lag)),
            (
                &metrics.journal_gap_ledgers,
                missing.fold(0, i64::saturating_add),
            ),
        ] {
            metric.with_label_values(&label).set(count);
        }
    }

    /// What nobody has said for some time is no figure: it is gone, rather than stand as if it were true.
    fn hide(&self, wallet_type: &str) {
        let (metrics, label) = (&self.metrics, [wallet_type]);
        // What was never shown cannot be hidden, and need not be.
        for figure in [
            &metrics.wallet_balance_xrp,
            &metrics.wallet_spendable_xrp,
            &metrics.wallet_reserve_xrp,
        ] {
            let _absent = figure.remove_label_values(&label);
        }
        for count in [
            &metrics.wallet_halted,
            &metrics.foreign_transactions_unaccepted,
            &metrics.wallet_sequence_gap,
            &metrics.journal_cursor_ledger,
            &metrics.journal_lag_ledgers,
            &metrics.journal_gap_ledgers,
        ] {
            let _absent = count.remove_label_values(&label);
        }
        for (level, _) in LEVELS {
            let below = &metrics.wallets_below_threshold;
            let _absent = below.remove_label_values(&[wallet_type, level]);
        }
    }
}

fn sum(parts: impl Iterator<Item = Drops>) -> Drops {
    let add = |sum: Drops, part| sum.checked_add(part).unwrap_or(Drops::MAX);
    parts.fold(Drops::ZERO, add)
}
