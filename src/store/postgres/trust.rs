//! How long the server is waited for, and what becomes of its connections when it does not answer.
//!
//! A network that drops everything, and a server whose machine died, reset no connection: waiting is
//! all that tells. What has been asked then is unknown or undone, as for any broken connection, and
//! the other connections of that moment most likely lead to the same silence. So none of them is used
//! again; new ones are made.

use crate::store::error::StoreError;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Since when connections are trusted.
#[derive(Debug)]
pub(super) struct Trust {
    opened_at: Instant,
    /// Milliseconds after `opened_at`; connections from before that are not used again.
    since_ms: AtomicU64,
    /// How often it became certain that the connections of before lead nowhere.
    abandoned: watch::Sender<u64>,
}

impl Trust {
    pub(super) fn new() -> Self {
        Self {
            opened_at: Instant::now(),
            since_ms: AtomicU64::new(0),
            abandoned: watch::Sender::new(0),
        }
    }

    /// From now on only connections that are made after this moment are trusted.
    pub(super) fn lose(&self) {
        let now_ms = self.opened_at.elapsed().as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        self.since_ms.fetch_max(now_ms.saturating_add(1), Relaxed);
    }

    /// It is certain that the connections of before lead nowhere: another server is the primary now, or
    /// the same one answers over a new connection while the old ones are silent. Nobody waits any longer
    /// for what was asked over them.
    pub(super) fn abandon(&self) {
        self.lose();
        self.abandoned
            .send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Whether a connection of this age is trusted.
    pub(super) fn holds(&self, age: Duration) -> bool {
        let since = Duration::from_millis(self.since_ms.load(Relaxed));
        since.is_zero() || self.opened_at.elapsed().saturating_sub(age) >= since
    }
}

/// How long an answer is waited for.
#[derive(Debug, Clone)]
pub(in crate::store) struct Patience {
    pub(super) limit: Duration,
    pub(super) trust: Arc<Trust>,
    /// When everything that is asked has to be answered, however much each part may take.
    pub(super) until: Option<Instant>,
}

impl Patience {
    /// The same, with an end for all that is asked from now on.
    pub(super) fn until(&self, until: Option<Instant>) -> Self {
        Self {
            until,
            ..self.clone()
        }
    }

    /// The answer, unless it does not come in time.
    pub(in crate::store) async fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let mut abandoned = self.trust.abandoned.subscribe();
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        let limit = left.map_or(self.limit, |left| left.min(self.limit));
        tokio::select! {
            biased;
            answer = tokio::time::timeout(limit, answer) => match answer {
                Ok(answer) => Ok(answer?),
                Err(_) => {
                    self.trust.lose();
                    Err(no_answer())
                }
            },
            // The sender lives as long as this does.
            _ = abandoned.changed() => Err(no_answer()),
        }
    }
}

/// What is told of a server that did not answer in time.
pub(super) fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the server did not answer in time",
    ))
}

fn no_answer() -> StoreError {
    StoreError::from(silence())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_of_before_a_silence_are_not_trusted_and_later_ones_are() {
        let trust = Trust::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(trust.holds(Duration::from_secs(9)) && trust.holds(Duration::ZERO));
        trust.lose();
        assert!(!trust.holds(Duration::ZERO), "made in that very moment");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!trust.holds(Duration::from_secs(2)));
        assert!(trust.holds(Duration::from_millis(500)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_on_what_leads_nowhere() {
        let patience = Patience {
            limit: Duration::from_secs(3_600),
            trust: Arc::new(Trust::new()),
            until: None,
        };
        let began = Instant::now();
        let silence = std::future::pending::<Result<(), sqlx::Error>>();
        let found = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            patience.trust.abandon();
        };
        let (answer, ()) = tokio::join!(patience.wait(silence), found);
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        let later = patience.wait(std::future::ready(Ok(7)));
        assert_eq!(later.await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_an_end_ends_there_however_many_parts_it_has() {
        let patience = Patience {
            limit: Duration::from_secs(10),
            trust: Arc::new(Trust::new()),
            until: None,
        };
        let began = Instant::now();
        let ended = patience.until(Some(began + Duration::from_secs(3)));
        let slow = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(())
        };
        ended.wait(slow).await.unwrap();
        let silence = std::future::pending::<Result<(), sqlx::Error>>();
        assert!(ended.wait(silence).await.is_err());
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert!(
            !patience.trust.holds(Duration::ZERO),
            "it counts as silence"
        );
    }
}
