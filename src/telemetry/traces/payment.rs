//! The spans of a payment's own trace. Each is told once its work is durable, so a trace never runs ahead of
//! the books; how long the work took is told with it.

use super::TARGET;
use std::time::Duration;
use xrpayd_core::engine::Change;
use xrpayd_core::ids::{PaymentId, TxHash, UnixMs};
use xrpayd_core::payment::{Attempt, AttemptState, Payment, Status};

/// A request was accepted as this payment.
pub fn accepted(payment: &Payment, request: &str, took: Duration) {
    tracing::info_span!(
        target: TARGET, "accept", trace.of = %payment.id, span.took_us = micros(took),
        payment.id = %payment.id, request.id = request, wallet.name = payment.wallet
    );
}

/// What a committed change did: an answer of a server, an end.
pub fn changed(change: &Change, now: UnixMs) {
    let payment = &change.payment;
    if change.settled.is_some() {
        ended(payment, now);
    } else if change.new_blobs.is_empty()
        && let Some(attempt) = payment.attempts.last()
    {
        answered(payment, attempt, now);
    }
}

/// The payment has its end: the span of the whole, and of the ledger's part in it.
pub fn ended(payment: &Payment, now: UnixMs) {
    let validated = payment.validated_attempt();
    if let Some(attempt) = validated
        && let AttemptState::Validated {
            result,
            ledger_index,
        } = &attempt.state
    {
        tracing::info_span!(
            target: TARGET, "validate", trace.of = %payment.id,
            span.took_us = since(attempt.signed_at, now), payment.id = %payment.id,
            tx.hash = %attempt.hash, ledger.index = ledger_index.0, ledger.result = result
        );
    }
    let status = payment.status();
    tracing::info_span!(
        target: TARGET, "payment", trace.of = %payment.id,
        span.took_us = since(payment.created_at, now), span.failed = status == Status::Failed,
        payment.id = %payment.id, payment.status = status.as_str(),
        wallet.name = payment.wallet, tx.hash = validated.map(|attempt| tracing::field::display(attempt.hash))
    );
}

/// The attempts that these changes sign; none where nobody listens.
#[must_use]
pub fn signatures(changes: &[Change]) -> Vec<(PaymentId, TxHash)> {
    if !tracing::span_enabled!(target: TARGET, tracing::Level::INFO) {
        return Vec::new();
    }
    let of = |change: &Change| {
        let payment = change.payment.id;
        let hashes = change.new_blobs.iter().map(|(hash, _)| *hash);
        hashes.map(move |hash| (payment, hash)).collect::<Vec<_>>()
    };
    changes.iter().flat_map(of).collect()
}

/// Attempts were signed and are durable; `took` is the time of all that were signed together.
pub fn signed(signatures: &[(PaymentId, TxHash)], took: Duration) {
    for (payment, hash) in signatures {
        tracing::info_span!(
            target: TARGET, "sign", trace.of = %payment, span.took_us = micros(took),
            payment.id = %payment, tx.hash = %hash, batch = signatures.len()
        );
    }
}

fn answered(payment: &Payment, attempt: &Attempt, now: UnixMs) {
    let (AttemptState::Submitted { result: said } | AttemptState::Refused { code: said }) =
        &attempt.state
    else {
        return;
    };
    tracing::info_span!(
        target: TARGET, "submit", trace.of = %payment.id,
        span.took_us = since(attempt.signed_at, now), payment.id = %payment.id,
        tx.hash = %attempt.hash, ledger.result = said
    );
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn since(began: UnixMs, now: UnixMs) -> u64 {
    let ms = u64::try_from(now.since_ms(began)).unwrap_or(0);
    ms.saturating_mul(1_000)
}
