//! Takes old events out of the feed, and what nobody asks for out of the limits, a little at a time, for
//! as long as the daemon runs.

use crate::clock::Clock;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// How long after a start, and after each other, old events are looked for.
const INTERVAL: Duration = Duration::from_secs(600);
/// The pause between two steps, in which everybody else writes.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes out of the feed what is older than `retention`.
pub(super) async fn keep(store: Store, clock: Arc<dyn Clock>, retention: Duration) {
    let age_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    loop {
        tokio::time::sleep(INTERVAL).await;
        forget_limit_scopes(&store, clock.now()).await;
        let before = UnixMs(clock.now().0.saturating_sub(age_ms));
        let (mut events, mut deleted) = (0_u64, 0_u64);
        loop {
            match store.expire_events(before).await {
                Ok(step) => {
                    events = events.saturating_add(step.events);
                    deleted = deleted.saturating_add(step.deleted);
                    if !step.more {
                        break;
                    }
                }
                Err(error) => {
                    // The next pass goes on where this one stopped.
                    tracing::warn!(%error, "old events could not be taken out of the feed");
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        if events > 0 {
            tracing::info!(
                feed.expired = events,
                feed.deleted = deleted,
                "old events are no longer handed out"
            );
        }
    }
}

/// Deletes the rows of clients and destinations whose limits nobody asks for any more.
async fn forget_limit_scopes(store: &Store, now: UnixMs) {
    let mut forgotten = 0_u32;
    loop {
        match store.forget_limit_scopes(now).await {
            Ok(0) => break,
            Ok(some) => forgotten = forgotten.saturating_add(some),
            Err(error) => {
                // They are in nobody's way, and the next pass looks again.
                tracing::warn!(%error, "limits that nobody asks for could not be taken out");
                break;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    if forgotten > 0 {
        tracing::info!(
            limits.forgotten = forgotten,
            "limits that nobody asks for are out"
        );
    }
}
