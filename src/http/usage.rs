//! Tells the store how often keys were used, a little later, and learns from it what was used before.
//!
//! The hour's counts of every key are written behind: every [`EVERY`], and at once when a tenth of a
//! key's limit was used since. So a process that dies takes with it at most that much of the hour's
//! window, a start goes on with the rest, and replicas on one database see each other's counts as late.
//! With them goes when a key was last used, to the minute. No request waits for any of this, and none
//! is refused because the store does not answer: what could not be told is kept and told later. Used
//! signatures are forgotten here too, once nobody believes them any more.

use super::fence::PROVEN_FOR;
use super::rate_limit::MinuteCount;
use super::router::App;
use super::signature;
use crate::store::{ApiKey, KeyCount, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the store is told.
pub const EVERY: Duration = Duration::from_secs(2);
/// The shortest time between two tellings: a key with a tiny limit must not keep the database busy.
const PAUSE: Duration = Duration::from_millis(100);

/// Goes on from what the store knows.
pub async fn begin(app: &App) {
    remember_proven(app).await;
    let now = app.state.clock.monotonic();
    match app.state.store.key_counts(oldest(app, now)).await {
        Ok(known) => app
            .limiter
            .adopt(known.into_iter().map(counted).collect(), now),
        Err(error) => {
            // The limits of money stand in the store; this one only keeps floods out.
            tracing::warn!(%error, "how often keys were used is not known: their hour begins anew");
        }
    }
}

/// Lets the keys past their address's fence that were right not long ago, as before the restart.
async fn remember_proven(app: &App) {
    let now = app.state.clock.now();
    let recent_ms = i64::try_from(PROVEN_FOR.as_millis()).unwrap_or(i64::MAX);
    match app.state.store.list_keys().await {
        Ok(keys) => {
            let is_recent = |key: &&ApiKey| {
                let used = key.last_used_at;
                used.is_some_and(|at| now.since_ms(at) < recent_ms)
            };
            for key in keys.iter().filter(is_recent) {
                app.fence.proved(&key.id);
            }
        }
        Err(error) => {
            tracing::warn!(%error, "which keys were in use is not known: they prove themselves anew");
        }
    }
}

/// How often used signatures are forgotten that nobody believes any more.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Tells the store until `cancelled`, and then once more.
pub async fn keep(app: Arc<App>, cancelled: CancellationToken) {
    let mut forgot_at = Duration::ZERO;
    loop {
        let is_over = tokio::select! {
            () = cancelled.cancelled() => true,
            () = app.limiter.much_is_untold.notified() => false,
            () = tokio::time::sleep(EVERY) => false,
        };
        if let Err(error) = tell(&app).await {
            tracing::debug!(%error, "how often keys were used could not be written; it is kept");
        }
        if is_over {
            return;
        }
        let now = app.state.clock.monotonic();
        if now.saturating_sub(forgot_at) >= FORGET_EVERY {
            forgot_at = now;
            let before = signature::forgotten_before(app.state.clock.now());
            if let Err(error) = app.state.store.forget_signatures(before).await {
                tracing::debug!(%error, "used signatures are kept for longer than they have to be");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn tell(app: &App) -> Result<(), StoreError> {
    let now = app.state.clock.monotonic();
    let untold = app.limiter.untold(now);
    if untold.counts.is_empty() && untold.used.is_empty() {
        return Ok(());
    }
    let counts: Vec<KeyCount> = untold.counts.iter().map(told).collect();
    let saved = app
        .state
        .store
        .count_keys(&counts, &untold.used, oldest(app, now));
    match saved.await {
        Ok(known) => {
            let known = known.into_iter().map(counted).collect();
            app.limiter.adopt(known, now);
            Ok(())
        }
        Err(error) => {
            // Where it may have been written all the same it is counted twice, which errs to the
            // side of the fence.
            app.limiter.was_not_told(untold);
            Err(error)
        }
    }
}

fn oldest(app: &App, now: Duration) -> i64 {
    i64::try_from(app.limiter.oldest(now)).unwrap_or(i64::MAX)
}

fn told(count: &MinuteCount) -> KeyCount {
    KeyCount {
        key: count.key.clone(),
        minute: i64::try_from(count.minute).unwrap_or(i64::MAX),
        count: count.count,
    }
}

fn counted(count: KeyCount) -> MinuteCount {
    MinuteCount {
        key: count.key,
        minute: u64::try_from(count.minute).unwrap_or(0),
        count: count.count,
    }
}
