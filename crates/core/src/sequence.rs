//! Which sequence the next transaction of an account takes.
//!
//! A sequence that nothing open uses any more is a hole: everything behind it waits. So holes are
//! filled first, by the next payment or, where none waits, by a no-op.
//!
//! A TicketCreate is the one transaction whose outcome says which sequence comes after it: the account
//! goes on behind the tickets where it succeeds, and right behind it where it does not. It therefore
//! bars the lane: while it is open nothing is put behind it.

use std::collections::{BTreeMap, BTreeSet};

/// The sequences of one account from the first that no validated transaction has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    validated_next: u32,
    new_next: u32,
    open: BTreeMap<u32, u32>,
    /// From `validated_next` up to `new_next`, those that nothing open uses.
    holes: BTreeSet<u32>,
    /// The TicketCreate at the end, while it is open.
    bar: Option<u32>,
}

/// Why the lane has no sequence to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSequence {
    /// The account has used every sequence there is.
    #[error("the account has no sequence left")]
    Exhausted,
    /// A TicketCreate is open, and what comes after it is not known yet.
    #[error("tickets are being made at the end of the lane")]
    Barred,
    /// Something waits behind a sequence that nothing uses.
    #[error("a sequence before the end of the lane is not in use")]
    Starved,
}

impl Lane {
    /// A lane whose account shows `validated_next` as its Sequence in a validated ledger.
    #[must_use]
    pub const fn new(validated_next: u32) -> Self {
        Self {
            validated_next,
            new_next: validated_next,
            open: BTreeMap::new(),
            holes: BTreeSet::new(),
            bar: None,
        }
    }

    /// The sequence that the account root shows.
    #[must_use]
    pub const fn validated_next(&self) -> u32 {
        self.validated_next
    }

    /// How many sequences have at least one open attempt.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.open.len()
    }

    /// Takes the lowest hole, or a new sequence where there is none. The caller owes either an
    /// attempt on it that is made durable or a [`Lane::close`].
    ///
    /// # Errors
    /// The account has no sequence left, or none that is known while tickets are made.
    pub fn allocate(&mut self) -> Result<u32, NoSequence> {
        let sequence = match self.holes.first() {
            Some(&hole) => hole,
            None if self.bar.is_some() => return Err(NoSequence::Barred),
            None => self.new_next,
        };
        if sequence == u32::MAX {
            return Err(NoSequence::Exhausted);
        }
        self.open_attempt(sequence);
        Ok(sequence)
    }

    /// Takes the sequence at the end for a TicketCreate, which bars the lane until it is settled.
    ///
    /// # Errors
    /// The lane is barred already, or starved, or the account has no sequence left.
    pub fn allocate_bar(&mut self) -> Result<u32, NoSequence> {
        if !self.holes.is_empty() {
            return Err(NoSequence::Starved);
        }
        let sequence = self.allocate()?;
        self.bar = Some(sequence);
        Ok(sequence)
    }

    /// Says that the attempt which start-up found on `sequence` makes tickets.
    pub const fn bar(&mut self, sequence: u32) {
        self.bar = Some(sequence);
    }

    /// Whether a TicketCreate is open.
    #[must_use]
    pub const fn is_barred(&self) -> bool {
        self.bar.is_some()
    }

    /// Counts one more open attempt on `sequence`: one that start-up found, or a replacement.
    pub fn open_attempt(&mut self, sequence: u32) {
        let count = self.open.entry(sequence).or_default();
        *count = count.saturating_add(1);
        self.holes.remove(&sequence);
        if sequence >= self.new_next {
            self.holes.extend(self.new_next..sequence);
            self.new_next = sequence.saturating_add(1);
        }
    }

    /// One open attempt on `sequence` is settled or was never made.
    pub fn close(&mut self, sequence: u32) {
        let Some(count) = self.open.get_mut(&sequence) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.open.remove(&sequence);
            self.bar = self.bar.filter(|bar| *bar != sequence);
            if sequence >= self.validated_next {
                self.holes.insert(sequence);
            }
            self.forget_trailing_holes();
        }
    }

    /// The account root now shows `validated_next`.
    pub fn advance(&mut self, validated_next: u32) {
        self.validated_next = self.validated_next.max(validated_next);
        self.new_next = self.new_next.max(self.validated_next);
        self.holes = self.holes.split_off(&self.validated_next);
        self.forget_trailing_holes();
    }

    /// The sequences that nothing open uses and that something open waits behind, lowest first.
    pub fn holes(&self) -> impl Iterator<Item = u32> + '_ {
        self.holes.iter().copied()
    }

    /// Whether a hole starves something.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Holes at the end starve nobody: they are simply the next new sequences.
    fn forget_trailing_holes(&mut self) {
        while let Some(&last) = self.holes.last()
            && last.saturating_add(1) == self.new_next
        {
            self.holes.remove(&last);
            self.new_next = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dead_sequence_is_used_again_before_a_new_one() {
        let mut lane = Lane::new(10);
        assert_eq!(
            [lane.allocate(), lane.allocate(), lane.allocate()],
            [Ok(10), Ok(11), Ok(12)]
        );
        lane.close(11);
        assert!(lane.is_starved());
        assert_eq!(lane.allocate(), Ok(11));
        assert_eq!(lane.allocate(), Ok(13));
    }

    #[test]
    fn a_replacement_keeps_its_sequence_until_both_are_settled() {
        let mut lane = Lane::new(5);
        assert_eq!(lane.allocate(), Ok(5));
        lane.open_attempt(5);
        lane.close(5);
        assert!(!lane.is_starved());
        assert_eq!(lane.allocate(), Ok(6));
    }

    #[test]
    fn a_hole_at_the_end_starves_nobody() {
        let mut lane = Lane::new(5);
        assert_eq!([lane.allocate(), lane.allocate()], [Ok(5), Ok(6)]);
        lane.close(6);
        assert!(!lane.is_starved());
        assert_eq!(lane.allocate(), Ok(6));
    }

    #[test]
    fn a_sequence_that_the_ledger_has_passed_is_never_given_out() {
        let mut lane = Lane::new(5);
        lane.open_attempt(9);
        assert_eq!(lane.holes().collect::<Vec<_>>(), [5, 6, 7, 8]);
        lane.advance(8);
        assert_eq!(lane.validated_next(), 8);
        assert_eq!(lane.holes().collect::<Vec<_>>(), [8]);
        lane.advance(7);
        assert_eq!(lane.validated_next(), 8, "a root never goes back");
        lane.advance(12);
        assert!(!lane.is_starved());
        lane.close(9);
        assert!(!lane.is_starved(), "a passed sequence is no hole");
        assert_eq!(lane.allocate(), Ok(12));
    }

    #[test]
    fn the_last_sequence_is_never_passed() {
        let mut lane = Lane::new(u32::MAX);
        assert_eq!(lane.allocate(), Err(NoSequence::Exhausted));
    }

    #[test]
    fn nothing_is_put_behind_tickets_that_are_being_made() {
        let mut lane = Lane::new(5);
        assert_eq!([lane.allocate(), lane.allocate_bar()], [Ok(5), Ok(6)]);
        assert_eq!(lane.allocate(), Err(NoSequence::Barred));
        assert_eq!(lane.allocate_bar(), Err(NoSequence::Barred));
        lane.close(5);
        assert_eq!(lane.allocate_bar(), Err(NoSequence::Starved));
        assert_eq!(lane.allocate(), Ok(5), "what is before them goes on");
        // A no-op takes the place of a TicketCreate that no server would have.
        lane.open_attempt(6);
        lane.close(6);
        assert!(lane.is_barred());
        lane.close(6);
        assert_eq!(lane.allocate(), Ok(6), "they were not made");
    }

    #[test]
    fn the_lane_goes_on_behind_the_tickets_that_were_made() {
        let mut lane = Lane::new(5);
        assert_eq!(lane.allocate_bar(), Ok(5));
        lane.close(5);
        lane.advance(16);
        assert_eq!(lane.allocate(), Ok(16));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Allocate,
        Close(usize),
        Validate,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Allocate),
            2 => (0..8_usize).prop_map(Step::Close),
            2 => Just(Step::Validate),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn no_sequence_is_given_twice_while_open_and_holes_are_filled_first(steps in steps()) {
            let mut lane = Lane::new(1);
            let mut open = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Allocate => {
                        let lowest_free =
                            (lane.validated_next()..).find(|s| !open.contains(s)).unwrap();
                        let given = lane.allocate().unwrap();
                        prop_assert_eq!(given, lowest_free);
                        prop_assert!(open.insert(given));
                    }
                    Step::Close(n) => {
                        if let Some(&sequence) = open.iter().nth(n) {
                            open.remove(&sequence);
                            lane.close(sequence);
                        }
                    }
                    Step::Validate => {
                        let next = lane.validated_next();
                        if open.remove(&next) {
                            lane.close(next);
                            lane.advance(next + 1);
                        }
                    }
                }
                prop_assert_eq!(lane.open_len(), open.len());
                let highest = open.last().copied();
                let expected: Vec<u32> = highest.map_or_else(Vec::new, |h| {
                    (lane.validated_next()..h).filter(|s| !open.contains(s)).collect()
                });
                prop_assert_eq!(lane.holes().collect::<Vec<_>>(), expected);
            }
        }
    }
}
