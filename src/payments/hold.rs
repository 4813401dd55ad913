//! The lease of a wallet as its engine has it: the tenure under which it writes, and until when it may
//! sign and send.
//!
//! The end is reckoned on this process's own monotonic clock, by whoever renews the lease, and lies before
//! the lease's own by a margin. The machine's wall clock plays no part. A process that was frozen finds
//! the end behind it when it thaws.

use crate::clock::Clock;
use crate::store::Tenure;
use crate::xrpl::MaySend;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What an engine holds.
#[derive(Clone)]
pub struct Hold {
    tenure: Tenure,
    until: watch::Receiver<Duration>,
    /// Something was kept back because the tenure had run out: no renewal mends that.
    is_over: CancellationToken,
    clock: Arc<dyn Clock>,
}

impl Hold {
    /// A tenure that lasts, by the clock's monotonic hand, until what `until` says at last.
    #[must_use]
    pub fn new(tenure: Tenure, until: watch::Receiver<Duration>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tenure,
            until,
            is_over: CancellationToken::new(),
            clock,
        }
    }

    /// A tenure without an end: no other process can have the database.
    #[must_use]
    pub fn without_end(tenure: Tenure, clock: Arc<dyn Clock>) -> Self {
        let (_, until) = watch::channel(Duration::MAX);
        Self::new(tenure, until, clock)
    }

    /// What is written under.
    #[must_use]
    pub const fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Whether something may be signed or sent at this moment.
    #[must_use]
    pub fn lasts(&self) -> bool {
        !self.is_over.is_cancelled() && self.clock.monotonic() < *self.until.borrow()
    }

    /// The same for whatever leaves later. What is refused then is not asked about again, so that the
    /// tenure is over with the first refusal.
    #[must_use]
    pub fn may_send(&self) -> MaySend {
        let hold = self.clone();
        MaySend::while_it(move || {
            let lasts = hold.lasts();
            if !lasts {
                hold.is_over.cancel();
            }
            lasts
        })
    }

    /// Waits until the tenure has run out, however often it is renewed meanwhile.
    pub async fn ran_out(&self) {
        let mut until = self.until.clone();
        loop {
            let end = *until.borrow_and_update();
            let Some(left) = end.checked_sub(self.clock.monotonic()) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = self.is_over.cancelled() => return,
                Ok(()) = until.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use xrpayd_core::ids::UnixMs;

    fn tenure() -> Tenure {
        Tenure {
            wallet: "hot".to_owned(),
            epoch: 1,
            holder: "one".to_owned(),
        }
    }

    #[test]
    fn a_hold_ends_by_the_monotonic_hand_alone_and_is_renewed_before_or_after() {
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let (renew, until) = watch::channel(Duration::from_secs(5));
        let hold = Hold::new(tenure(), until, clock.clone());
        assert!(hold.lasts());
        clock.set_wall(UnixMs(i64::MAX));
        assert!(hold.lasts(), "the wall clock plays no part");
        clock.advance(Duration::from_millis(4_999));
        assert!(hold.lasts());
        clock.advance(Duration::from_millis(1));
        assert!(!hold.lasts());
        renew.send_replace(Duration::from_secs(10));
        assert!(hold.lasts());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_end_is_not_woken_by_a_renewal() {
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let (renew, until) = watch::channel(Duration::from_secs(5));
        let hold = Hold::new(tenure(), until, clock.clone());
        let waits = hold.ran_out();
        tokio::pin!(waits);
        renew.send_replace(Duration::from_secs(10));
        clock.advance(Duration::from_secs(6));
        let early = tokio::time::timeout(Duration::from_millis(10), &mut waits).await;
        assert!(early.is_err());
        clock.advance(Duration::from_secs(4));
        waits.await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_kept_back_ends_the_tenure_whatever_is_renewed() {
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let (renew, until) = watch::channel(Duration::from_secs(5));
        let hold = Hold::new(tenure(), until, clock.clone());
        let may = hold.may_send();
        assert!(may.still());
        clock.advance(Duration::from_secs(5));
        renew.send_replace(Duration::from_secs(10));
        assert!(may.still(), "nobody had asked in between");
        clock.advance(Duration::from_secs(5));
        assert!(!may.still());
        renew.send_replace(Duration::from_secs(20));
        assert!(!may.still() && !hold.lasts());
        hold.ran_out().await;
    }

    #[test]
    fn a_hold_without_an_end_outlives_its_channel() {
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let hold = Hold::without_end(tenure(), clock.clone());
        clock.advance(Duration::from_secs(1 << 40));
        assert!(hold.lasts());
    }
}
