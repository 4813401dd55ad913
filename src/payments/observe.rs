//! What the engine counts: told after the commit, so that a metric never runs ahead of the books.

use super::engine::Engine;
use crate::store::{Booked, Change};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces;
use crate::telemetry::units::{seconds_between, xrp};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::payment::{AttemptState, Payment, State};

/// The stages of a payment, so that each is a zero before it is measured.
pub const STAGES: [&str; 5] = [
    "accepted_to_signed",
    "signed_to_submitted",
    "submitted_to_validated",
    "validated_to_recorded",
    "accepted_to_final",
];

impl Engine<'_> {
    /// Counts what a committed change did to a payment.
    pub(super) fn observe(&self, change: &Change, now: UnixMs) {
        let metrics = &self.deps.metrics;
        let payment = &change.payment;
        traces::payment::changed(change, self.deps.clock.now());
        for (hash, _) in &change.new_blobs {
            tracing::info!(
                payment.id = %payment.id,
                tx.hash = %hash,
                wallet.name = self.deps.wallet.name,
                "a payment is signed"
            );
        }
        // What is signed again, or dearer, was signed before.
        let is_first = payment.attempts.len() == change.new_blobs.len();
        if is_first && !change.new_blobs.is_empty() {
            stage(metrics, "accepted_to_signed", payment.queued_since(), now);
        }
        if change.settled.is_none() {
            return;
        }
        let status = payment.status();
        metrics
            .payments_total
            .with_label_values(&[status.as_str()])
            .inc();
        stage(metrics, "accepted_to_final", payment.queued_since(), now);
        if let State::Succeeded { delivered, .. } = &payment.state {
            metrics.payment_amount_xrp_total.inc_by(xrp(*delivered));
        }
        self.observe_validation(payment, now);
        tracing::info!(
            payment.id = %payment.id,
            payment.status = status.as_str(),
            tx.hash = payment.validated_attempt().map(|attempt| tracing::field::display(attempt.hash)),
            wallet.name = self.deps.wallet.name,
            ledger.index = self.desk.cursor().at.0,
            "a payment has its end"
        );
    }

    /// Counts what a commit booked of what came in.
    pub(super) fn observe_deposits(&self, booked: Booked) {
        let counts = [
            ("true", booked.matched),
            ("false", booked.unmatched),
            ("internal", booked.internal),
        ];
        for (label, count) in counts {
            let metric = &self.deps.metrics.deposits_total;
            metric.with_label_values(&[label]).inc_by(count);
        }
    }

    /// Counts the time from the submission of a validated attempt to the ledger that holds it, and
    /// from there to the record.
    fn observe_validation(&self, payment: &Payment, now: UnixMs) {
        let Some(attempt) = payment.validated_attempt() else {
            return;
        };
        let AttemptState::Validated { ledger_index, .. } = &attempt.state else {
            return;
        };
        let tip = self.deps.pool.tip();
        let tip = tip.borrow();
        // Only for the newest ledger is it known when it was first seen.
        if let Some(tip) = tip.as_ref().filter(|tip| tip.index == *ledger_index) {
            stage(
                &self.deps.metrics,
                "submitted_to_validated",
                attempt.signed_at,
                tip.seen_at,
            );
            stage(
                &self.deps.metrics,
                "validated_to_recorded",
                tip.seen_at,
                now,
            );
        }
    }

    /// Counts the time from signing to the first answer of a server; a lost one is none.
    pub(super) fn observe_answered(&self, signed_at: UnixMs, now: UnixMs) {
        stage(&self.deps.metrics, "signed_to_submitted", signed_at, now);
    }
}

fn stage(metrics: &Metrics, name: &str, from: UnixMs, to: UnixMs) {
    metrics
        .payment_stage_seconds
        .with_label_values(&[name])
        .observe(seconds_between(from, to));
}
