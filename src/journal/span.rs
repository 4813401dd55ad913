//! How many ledgers are asked for at once: few where each bears much, or servers have trouble with
//! them, and ever more where nothing is found.

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

    /// The last ledger of the stretch that begins with `from`, at most `end`.
    pub(crate) fn to(&self, from: LedgerIndex, end: LedgerIndex) -> LedgerIndex {
        from.plus(self.len.saturating_sub(1)).min(end)
    }

    /// `asked` was the last ledger of the stretch, and `told` the last one that the answer reached:
    /// where it ends early there was more in the stretch than an answer holds.
    pub(crate) fn answered(&mut self, asked: LedgerIndex, told: LedgerIndex) {
        if told >= asked {
            self.len = self.len.saturating_mul(2).min(self.max);
        } else {
            self.halve();
        }
    }

    /// There was no answer. A shorter stretch is less work, and a contradiction in it easier to settle.
    pub(crate) fn failed(&mut self) {
        self.halve();
    }

    fn halve(&mut self) {
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
            span.answered(to, to);
        }
        assert_eq!(lengths, [4, 8, 16, 20, 20]);
        assert_eq!(span.to(LedgerIndex(7), LedgerIndex(9)), LedgerIndex(9));
    }

    #[test]
    fn an_answer_that_ends_early_and_none_at_all_make_the_next_stretch_shorter() {
        let mut span = Span::new(16, 64);
        span.answered(LedgerIndex(16), LedgerIndex(3));
        assert_eq!(span.to(LedgerIndex(1), END), LedgerIndex(8));
        for _ in 0..9 {
            span.failed();
        }
        assert_eq!(span.to(LedgerIndex(1), END), LedgerIndex(1), "never none");
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
                span.answered(to, told);
                from = told.plus(1);
                asked += 1;
            }
            prop_assert_eq!(read, busy.values().sum::<u32>());
            prop_assert!(asked < 64 + 4 * u32::try_from(busy.len()).unwrap(), "{} requests", asked);
        }
    }
}
