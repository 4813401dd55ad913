//! One time for all processes that share a database: the database's own.
//!
//! Windows of limits, expiries and the age of a signature are reckoned by the time that payments were
//! stamped with. Two machines whose clocks differ would let each other's payments out of a window too
//! early, so where several share a database, each goes by the database's clock from its start on, and
//! looks again all the time. A SQLite file belongs to one machine, whose clock is as good as any.
//!
//! Owns nothing but the looking. While the database does not answer, the time goes on by the machine's
//! monotonic hand; its wall clock may be set to anything meanwhile.

use crate::clock::{Clock as _, SharedClock};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How often the database is asked for the time.
const PERIOD: Duration = Duration::from_secs(1);
/// A difference that somebody should look into.
const WORTH_SAYING_MS: i64 = 1_000;

/// Agrees with the database about the time, once.
///
/// # Errors
/// The database does not answer.
pub(super) async fn agree(store: &Store, clock: &SharedClock) -> Result<(), StoreError> {
    let asked_at = clock.monotonic();
    let Some(theirs) = store.shared_time().await? else {
        return Ok(());
    };
    let moved_ms = clock.agree(theirs, asked_at);
    if moved_ms.saturating_abs() >= WORTH_SAYING_MS {
        tracing::warn!(
            moved_ms,
            "the database's clock is not where this process's was: it goes by the database's"
        );
    }
    Ok(())
}

/// Agrees with the database for ever.
pub(super) async fn keep(store: Store, clock: Arc<SharedClock>) {
    let mut is_told = false;
    loop {
        tokio::time::sleep(PERIOD).await;
        match agree(&store, &clock).await {
            Ok(()) => is_told = false,
            Err(error) if !is_told => {
                tracing::warn!(%error, "the database does not tell the time: it goes on by itself");
                is_told = true;
            }
            Err(_) => {}
        }
    }
}
