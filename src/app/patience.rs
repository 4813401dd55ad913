//! The patience of a start with a database that does not answer yet, or has just lost an answer.
//!
//! A daemon that starts while its database changes hands, or beside it on the same machine, waits for it
//! instead of dying of it: whoever restarts a daemon in a loop has nothing to add to that. Every step of
//! a start may be taken again, also one whose commit was not answered. What no waiting cures ends the
//! start at once, and so does a signal.

use super::AppError;
use super::home::NotAtHome;
use super::signals::Signals;
use std::time::Duration;
use tokio::time::Instant;

/// How long a start waits for its database before it gives up and says why.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);

impl AppError {
    /// Whether the database did not answer, and may a little later.
    fn is_worth_waiting(&self) -> bool {
        match self {
            Self::Store(error) | Self::NotAtHome(NotAtHome::Store(error)) => error.retryable(),
            Self::Config(_)
            | Self::Entropy(_)
            | Self::NotAtHome(
                NotAtHome::Elsewhere { .. } | NotAtHome::Left(_) | NotAtHome::Arriving(_),
            )
            | Self::StoreUrl { .. }
            | Self::Wallet { .. }
            | Self::Roots(_)
            | Self::Listen { .. }
            | Self::Metrics(_)
            | Self::Signals(_)
            | Self::Sandbox(_)
            | Self::Traces(_)
            | Self::Webhooks(_)
            | Self::Fatal(_)
            | Self::Backups(_)
            | Self::Forced(_) => false,
        }
    }
}

/// Takes a step of the start until the database answers; `None` where the process is asked to end first.
pub(super) async fn answered<T, E: Into<AppError>, F: Future<Output = Result<T, E>>>(
    signals: &Signals,
    step: impl FnMut() -> F,
) -> Result<Option<T>, AppError> {
    tokio::select! {
        outcome = taken(step) => outcome.map(Some),
        () = signals.asked_to_end() => Ok(None),
    }
}

async fn taken<T, E: Into<AppError>, F: Future<Output = Result<T, E>>>(
    mut step: impl FnMut() -> F,
) -> Result<T, AppError> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = PAUSE_MIN;
    loop {
        let error: AppError = match step().await {
            Ok(done) => return Ok(done),
            Err(error) => error.into(),
        };
        if !error.is_worth_waiting() || Instant::now() >= deadline {
            return Err(error);
        }
        tracing::warn!(error = ?error, "the start waits for the database");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_step_is_taken_again_until_the_database_answers() {
        let tries = Cell::new(0);
        let step = || {
            tries.set(tries.get() + 1);
            let is_back = tries.get() > 3;
            async move {
                if is_back {
                    Ok(7)
                } else {
                    Err(StoreError::Closed)
                }
            }
        };
        assert_eq!(taken(step).await.unwrap(), 7);
        assert_eq!(tries.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_stays_away_ends_the_start_in_the_end() {
        let begun = Instant::now();
        let away = taken(|| async { Err::<(), _>(StoreError::Closed) }).await;
        assert!(matches!(away, Err(AppError::Store(StoreError::Closed))));
        let waited = begun.elapsed();
        assert!(
            (PATIENCE..PATIENCE + 2 * PAUSE_MAX).contains(&waited),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_waiting_cures_ends_the_start_at_once() {
        let begun = Instant::now();
        let newer = || async { Err::<(), _>(StoreError::Newer { found: 9, known: 1 }) };
        assert!(matches!(
            taken(newer).await,
            Err(AppError::Store(StoreError::Newer { .. }))
        ));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
