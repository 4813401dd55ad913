//! The one place where a transaction is run again because others were in its way.
//!
//! Only what has certainly left nothing behind is run again by itself: a serialization failure, a
//! deadlock, a lock that did not come in time. A commit whose answer was lost is not among it: whoever
//! can tell what it left says so with a rule of his own. Each pause is longer than the one before and
//! partly drawn, so that those who met do not meet again.

use super::error::{CommitError, StoreError};
use crate::clock;
use std::future::Future;
use std::time::Duration;

/// How often a transaction is tried again when others were in its way.
const RETRIES_MAX: u32 = 5;
/// The first pause; it doubles.
const PAUSE: Duration = Duration::from_millis(4);

/// How often something has been tried again.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Waits before another try; `false`, at once, where there have been enough.
    pub(super) async fn another(&mut self) -> bool {
        if self.0 == RETRIES_MAX {
            return false;
        }
        let pause = PAUSE.saturating_mul(1 << self.0);
        self.0 += 1;
        tokio::time::sleep(pause / 2 + clock::part_of(pause)).await;
        true
    }
}

/// An error that may say that others were in the way.
pub(super) trait Failure {
    /// Whether that is all there is to it, and nothing was written.
    fn is_contention(&self) -> bool;
}

impl Failure for StoreError {
    fn is_contention(&self) -> bool {
        Self::is_contention(self)
    }
}

impl Failure for CommitError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// What `once` comes to, run again while others are in its way.
pub(super) async fn while_contended<T, E, F, Once>(once: F) -> Result<T, E>
where
    E: Failure,
    F: FnMut() -> Once,
    Once: Future<Output = Result<T, E>>,
{
    again_if(E::is_contention, once).await
}

/// What `once` comes to, run again while it is `worth` it: where it left nothing behind, or where
/// running it again tells what it left.
pub(super) async fn again_if<T, E, F, Once>(worth: impl Fn(&E) -> bool, mut once: F) -> Result<T, E>
where
    F: FnMut() -> Once,
    Once: Future<Output = Result<T, E>>,
{
    let mut tries = Tries::default();
    loop {
        match once().await {
            Err(error) if worth(&error) => {
                if !tries.another().await {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;

    fn contention() -> StoreError {
        StoreError::Contention(Arc::new(sqlx::Error::PoolTimedOut))
    }

    #[tokio::test(start_paused = true)]
    async fn contention_is_tried_again_until_it_is_enough_and_nothing_else_is() {
        let runs = Cell::new(0);
        let once = |error: StoreError| {
            runs.set(runs.get() + 1);
            async move { Err::<(), _>(error) }
        };
        let _ = while_contended(|| once(contention())).await.unwrap_err();
        assert_eq!(runs.replace(0), 1 + RETRIES_MAX);
        let lost = StoreError::OutcomeUnknown(Arc::new(sqlx::Error::PoolTimedOut));
        for error in [lost, StoreError::Closed, StoreError::Overloaded] {
            let answer = while_contended(|| once(error.clone())).await.unwrap_err();
            assert_eq!(answer.to_string(), error.to_string());
            assert_eq!(runs.replace(0), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_succeeds_at_last_is_answered() {
        let runs = Cell::new(0);
        let once = || {
            runs.set(runs.get() + 1);
            let answer = if runs.get() < 4 {
                Err(contention())
            } else {
                Ok(runs.get())
            };
            async move { answer }
        };
        assert_eq!(while_contended(once).await.unwrap(), 4);
    }
}
