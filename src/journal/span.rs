//! How many ledgers are asked for at once: as many as may be, and fewer while servers have trouble with
//! so many.

use xrpayd_core::ids::LedgerIndex;

/// The length of the next stretch that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    len: u32,
    max: u32,
}

impl Span {
    /// Begins with `first` ledgers, and never asks for more than `max`.
    pub(crate) const fn new(first: u32, max: u32) -> Self {
        Self { len: first, max }
    }

    /// Begins with all of `from ..= to`. An answer that holds a bounded number of transactions ends by
    /// itself, in a ledger whose hash one of them bears; the end of a shorter stretch may be a ledger that
    /// a server holds the transactions of and cannot tell the hash of.
    pub(crate) fn whole(from: LedgerIndex, to: LedgerIndex) -> Self {
        let len = to.ahead_of(from).saturating_add(1);
        Self { len, max: len }
    }

    /// The last ledger of the stretch that begins with `from`, at most `end`.
    pub(crate) fn to(&self, from: LedgerIndex, end: LedgerIndex) -> LedgerIndex {
        from.plus(self.len.saturating_sub(1)).min(end)
    }

    /// There was an answer. Where it ends before the stretch does, that is because it was long enough.
    pub(crate) fn answered(&mut self) {
        self.len = self.len.saturating_mul(2).min(self.max);
    }

    /// There was no answer. A shorter stretch is less work, and a contradiction in it easier to settle.
    pub(crate) fn failed(&mut self) {
        self.len = (self.len / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: LedgerIndex = LedgerIndex(1_000_000);

    #[test]
    fn empty_ledgers_are_passed_by_ever_faster_up_to_the_bound() {
        let mut span = Span::new(4, 20);
        let mut lengths = Vec::new();
        for _ in 0..5 {
            let to = span.to(LedgerIndex(1), END);
            lengths.push(to.0);
            span.answered();
        }
        assert_eq!(lengths, [4, 8, 16, 20, 20]);
        assert_eq!(span.to(LedgerIndex(7), LedgerIndex(9)), LedgerIndex(9));
    }

    #[test]
    fn every_failure_makes_the_next_stretch_shorter_and_none_makes_it_empty() {
        let mut span = Span::new(16, 64);
        span.failed();
        assert_eq!(span.to(LedgerIndex(1), END), LedgerIndex(8));
        for _ in 0..9 {
            span.failed();
        }
        assert_eq!(span.to(LedgerIndex(1), END), LedgerIndex(1));
    }

    #[test]
    fn all_of_a_range_is_one_stretch_until_there_is_trouble() {
        let (from, to) = (LedgerIndex(7), LedgerIndex(1_006));
        let mut span = Span::whole(from, to);
        assert_eq!(span.to(from, to), to);
        span.answered();
        assert_eq!(span.to(LedgerIndex(501), to), to);
        span.failed();
        assert_eq!(span.to(LedgerIndex(501), to), LedgerIndex(1_000));
        let mut of_one = Span::whole(from, from);
        of_one.failed();
        assert_eq!(of_one.to(from, from), from);
    }

    proptest! {
        /// Where an answer holds `most` transactions at most, whatever the ledgers hold, all of them are
        /// read in order and none twice, in few requests.
        #[test]
        fn every_ledger_is_read_once_however_much_each_bears(
            busy in proptest::collection::btree_map(1_u32..50_000, 1_u32..40, 0..40), most in 1_u32..60,
        ) {
            let end = LedgerIndex(50_000);
            let (mut span, mut from, mut read, mut asked) = (Span::new(16, 1 << 16), LedgerIndex(1), 0, 0_u32);
            while from <= end {
                let to = span.to(from, end);
                prop_assert!(to >= from && to <= end);
                // What the answer reaches: whole ledgers up to the bound, and one at least.
                let (mut told, mut held) = (to, 0);
                for (ledger, count) in busy.range(from.0..=to.0) {
                    if held > 0 && held + count > most {
                        told = LedgerIndex(ledger - 1);
                        break;
                    }
                    held += count;
                }
                read += held;
                span.answered();
                from = told.plus(1);
                asked += 1;
            }
            prop_assert_eq!(read, busy.values().sum::<u32>());
            prop_assert!(asked < 64 + 4 * u32::try_from(busy.len()).unwrap(), "{} requests", asked);
        }
    }
}
