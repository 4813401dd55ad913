//! The ledger's own time: when it begins, and when each ledger closes.
//!
//! Owns where time comes from. A network that closes by itself lives in the wall clock's time. One that
//! is closed by hand keeps time of its own, which moves only when a ledger closes: everything that ends
//! in the chain is then a function of the seed and of what was submitted, and two runs agree byte for
//! byte. The wall clock still shows in what a server says of the present moment (`time`, `age`), and in
//! nothing else. Nothing here fails; a wall clock that is set back makes no ledger older than its parent.

use crate::clock;
use crate::config::CloseInterval;
use crate::ledger::close;

/// When a ledger that is closed by hand begins: 2026-11-01T00:00:00Z. Any fixed instant would do; this
/// one is shortly before the recordings that the model is held against, so that times in their
/// transactions still lie ahead.
const BEGINNING_S: u32 = 846_806_400;
/// Seconds from one close by hand to the next, unless more are asked for: as much as lies between the
/// ledgers of a standalone server that is told to close in quick succession.
pub(crate) const STEP_S: u32 = 1;

/// Where the ledger's time comes from.
#[derive(Debug)]
pub(crate) struct LedgerTime {
    source: Source,
    /// The wall clock at the latest close, in microseconds.
    closed_at_us: u64,
}

#[derive(Debug)]
enum Source {
    /// The wall clock, and what was skipped on request.
    Wall { skipped_s: u32 },
    /// The chain itself.
    Chain,
}

impl LedgerTime {
    /// The time of a network that closes like this.
    pub(crate) fn new(interval: CloseInterval) -> Self {
        let source = match interval {
            CloseInterval::Every(_) => Source::Wall { skipped_s: 0 },
            CloseInterval::Manual => Source::Chain,
        };
        Self {
            source,
            closed_at_us: clock::unix_us(),
        }
    }

    /// When the first ledger closes.
    pub(crate) fn beginning_s(&self) -> u32 {
        match self.source {
            Source::Wall { .. } => close::close_time(clock::ripple_s(), 0),
            Source::Chain => BEGINNING_S,
        }
    }

    /// When the successor of a ledger closes that closed at `parent_s`. A real ledger rounds its close
    /// time; one that is closed by hand does not, so that a drill can tell what time it will be.
    pub(crate) fn close_s(&mut self, parent_s: u32, advance_s: Option<u32>) -> u32 {
        self.closed_at_us = clock::unix_us();
        match &mut self.source {
            Source::Wall { skipped_s } => {
                *skipped_s = skipped_s.saturating_add(advance_s.unwrap_or(0));
                close::close_time(clock::ripple_s().saturating_add(*skipped_s), parent_s)
            }
            Source::Chain => parent_s.saturating_add(advance_s.unwrap_or(STEP_S)),
        }
    }

    /// The present moment in microseconds since the Unix epoch, when the newest ledger closed at `tip_s`.
    /// It must not flow into anything that a ledger holds.
    pub(crate) fn now_us(&self, tip_s: u32) -> u64 {
        let wall_us = clock::unix_us();
        match self.source {
            Source::Wall { skipped_s } => wall_us + u64::from(skipped_s) * 1_000_000,
            Source::Chain => {
                let closed_us = (u64::from(tip_s) + clock::RIPPLE_EPOCH_UNIX_S) * 1_000_000;
                closed_us + wall_us.saturating_sub(self.closed_at_us)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_that_is_kept_by_hand_begins_at_a_fixed_instant_and_moves_only_with_a_close() {
        let mut time = LedgerTime::new(CloseInterval::Manual);
        let beginning = time.beginning_s();
        assert_eq!(clock::iso(beginning), "2026-11-01T00:00:00Z");
        assert_eq!(time.close_s(beginning, None), beginning + 1);
        assert_eq!(time.close_s(beginning + 1, Some(60)), beginning + 61);
    }

    #[test]
    fn the_wall_clock_shows_through_until_time_is_skipped() {
        let mut time = LedgerTime::new(CloseInterval::Every(Duration::from_secs(1)));
        let before = clock::ripple_s();
        assert!(time.close_s(0, None).abs_diff(before) <= close::CLOSE_RESOLUTION_S);
        let skipped = time.close_s(0, Some(1_000));
        assert!(skipped.abs_diff(before + 1_000) <= close::CLOSE_RESOLUTION_S);
        assert!(
            time.now_us(skipped) / 1_000_000
                >= clock::RIPPLE_EPOCH_UNIX_S + u64::from(before) + 1_000
        );
        assert_eq!(time.close_s(u32::MAX - 1, None), u32::MAX);
    }
}
