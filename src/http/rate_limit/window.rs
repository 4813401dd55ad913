//! One sliding window: sixty slots, each of which counts until the whole of it has left.

use super::Standing;

/// Slots in a window.
pub const SLOTS: usize = 60;
/// The ring holds the slots of one window and the one that is partly in it.
pub const RING: usize = SLOTS + 1;

/// How far ahead of ours another replica's clock may be.
const SLOTS_AHEAD_MAX: u64 = 2;

/// The counts of one window.
#[derive(Debug)]
pub struct Window {
    slot_ms: u64,
    newest: u64,
    counts: [u32; RING],
    used: u32,
}

impl Window {
    /// Of so many milliseconds.
    pub const fn new(length_ms: u64) -> Self {
        Self {
            slot_ms: length_ms / SLOTS as u64,
            newest: 0,
            counts: [0; RING],
            used: 0,
        }
    }

    fn place(slot: u64) -> usize {
        usize::try_from(slot % RING as u64).unwrap_or(0)
    }

    /// Lets what has left the window go.
    pub fn advance(&mut self, now_ms: u64) {
        let slot = now_ms / self.slot_ms;
        let steps = slot.saturating_sub(self.newest).min(RING as u64);
        for step in 1..=steps {
            let place = Self::place(slot - steps + step);
            self.used = self.used.saturating_sub(self.counts[place]);
            self.counts[place] = 0;
        }
        self.newest = self.newest.max(slot);
    }

    /// Counts one more, now.
    pub fn take(&mut self) {
        let place = Self::place(self.newest);
        self.counts[place] = self.counts[place].saturating_add(1);
        self.used = self.used.saturating_add(1);
    }

    /// How many are counted.
    pub const fn used(&self) -> u32 {
        self.used
    }

    /// The slot that is being counted in, and the oldest that still counts.
    pub const fn slots(&self) -> (u64, u64) {
        (self.newest, self.newest.saturating_sub(SLOTS as u64))
    }

    /// Counts these instead, each in its slot. What has left is passed over. What another's clock puts a
    /// little ahead is counted as of now; what is further ahead was counted by a clock that was wrong, and
    /// would count for as long as it was.
    pub fn refill(&mut self, counts: impl Iterator<Item = (u64, u32)>) {
        self.counts = [0; RING];
        self.used = 0;
        let (newest, oldest) = self.slots();
        let latest = newest.saturating_add(SLOTS_AHEAD_MAX);
        for (slot, count) in counts.filter(|(slot, _)| (oldest..=latest).contains(slot)) {
            let place = Self::place(slot.min(newest));
            self.counts[place] = self.counts[place].saturating_add(count);
            self.used = self.used.saturating_add(count);
        }
    }

    /// Milliseconds until at least `room` of what is counted has left.
    fn until_freed_ms(&self, room: u32, now_ms: u64) -> u64 {
        let mut freed = 0_u32;
        let oldest = self.newest.saturating_sub(SLOTS as u64);
        for slot in oldest..=self.newest {
            freed = freed.saturating_add(self.counts[Self::place(slot)]);
            if freed >= room.max(1) {
                let leaves_at = (slot + RING as u64) * self.slot_ms;
                return leaves_at.saturating_sub(now_ms);
            }
        }
        0
    }

    /// How it stands against `limit`.
    pub fn standing(&self, name: &'static str, limit: u32, now_ms: u64) -> Standing {
        let over = self.used.saturating_sub(limit.saturating_sub(1));
        Standing {
            window: name,
            limit,
            remaining: limit.saturating_sub(self.used),
            wait_ms: self.until_freed_ms(over, now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clock_far_ahead_has_counted_counts_for_nothing() {
        let mut window = Window::new(60_000);
        window.advance(600_000);
        let (newest, oldest) = window.slots();
        let told = [
            (oldest - 1, 1),
            (oldest, 2),
            (newest, 4),
            (newest + SLOTS_AHEAD_MAX, 8),
            (newest + SLOTS_AHEAD_MAX + 1, 16),
        ];
        window.refill(told.into_iter());
        assert_eq!(window.used(), 14);
    }
}
