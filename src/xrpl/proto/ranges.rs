//! `complete_ledgers`: the ranges of ledgers that a server holds, as text such as `2-5,9,12-40`.

use std::str::FromStr;
use xrpayd_core::ids::LedgerIndex;

/// Ranges of ledgers, each closed, ascending and apart from the next by at least one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<(LedgerIndex, LedgerIndex)>);

/// A text that is not a list of ledger ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of ledger ranges")]
pub struct BadRanges;

/// A server with more holes than this is described by its newest ranges only.
const RANGES_MAX: usize = 1_024;

impl Ranges {
    /// The end of the unbroken run that begins at or before `from` and holds it.
    #[must_use]
    pub fn run_from(&self, from: LedgerIndex) -> Option<LedgerIndex> {
        let after = self.0.partition_point(|&(low, _)| low <= from);
        let (_, high) = self.0.get(after.checked_sub(1)?)?;
        (*high >= from).then_some(*high)
    }

    /// Whether every ledger of `from ..= to` is held.
    #[must_use]
    pub fn hold(&self, from: LedgerIndex, to: LedgerIndex) -> bool {
        self.run_from(from).is_some_and(|end| end >= to)
    }

    /// The oldest ledger of the newest run.
    #[must_use]
    pub fn lowest_of_newest(&self) -> Option<LedgerIndex> {
        self.0.last().map(|&(low, _)| low)
    }

    /// Whether nothing is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn normalised(mut ranges: Vec<(LedgerIndex, LedgerIndex)>) -> Self {
        ranges.sort_unstable();
        let mut out: Vec<(LedgerIndex, LedgerIndex)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match out.last_mut() {
                Some((_, end)) if low <= end.plus(1) => *end = high.max(*end),
                _ => out.push((low, high)),
            }
        }
        let surplus = out.len().saturating_sub(RANGES_MAX);
        Self(out.split_off(surplus))
    }
}

impl FromStr for Ranges {
    type Err = BadRanges;
    fn from_str(text: &str) -> Result<Self, BadRanges> {
        let text = text.trim();
        if text.is_empty() || text == "empty" {
            return Ok(Self::default());
        }
        let index = |text: &str| text.trim().parse().map(LedgerIndex).map_err(|_| BadRanges);
        let range = |part: &str| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (index(low)?, index(high)?);
            if low <= high {
                Ok((low, high))
            } else {
                Err(BadRanges)
            }
        };
        let ranges: Result<Vec<_>, _> = text.split(',').map(range).collect();
        ranges.map(Self::normalised)
    }
}

/// As the servers write it.
impl std::fmt::Display for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("empty");
        }
        for (nth, (low, high)) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(",")?;
            }
            if low == high {
                write!(f, "{low}")?;
            } else {
                write!(f, "{low}-{high}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ranges(text: &str) -> Ranges {
        text.parse().unwrap()
    }

    #[test]
    fn the_forms_that_servers_write_are_read() {
        assert!(ranges("empty").is_empty());
        assert_eq!(ranges("2").run_from(LedgerIndex(2)), Some(LedgerIndex(2)));
        let holed = ranges("2-5,9, 12-40");
        assert!(holed.hold(LedgerIndex(2), LedgerIndex(5)));
        assert!(!holed.hold(LedgerIndex(2), LedgerIndex(9)));
        assert_eq!(holed.run_from(LedgerIndex(13)), Some(LedgerIndex(40)));
        assert_eq!(holed.run_from(LedgerIndex(1)), None);
        assert_eq!(holed.lowest_of_newest(), Some(LedgerIndex(12)));
        assert_eq!(ranges("2-5,6-9").to_string(), "2-9");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["x", "5-2", "1-2-3", "-", "1,,2", "4294967296", "-1", "1–2"] {
            assert_eq!(text.parse::<Ranges>(), Err(BadRanges), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ranges_hold_exactly_the_ledgers_they_were_made_of(
            held in proptest::collection::btree_set(1_u32..300, 0..120), from in 1_u32..300, len in 0_u32..20,
        ) {
            let text = if held.is_empty() { "empty".to_owned() } else {
                held.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
            };
            let parsed = ranges(&text);
            prop_assert_eq!(&ranges(&parsed.to_string()), &parsed);
            let every: BTreeSet<u32> = (from..=from + len).collect();
            prop_assert_eq!(parsed.hold(LedgerIndex(from), LedgerIndex(from + len)), every.is_subset(&held));
            let mut end = None;
            let mut at = from;
            while held.contains(&at) {
                end = Some(LedgerIndex(at));
                at += 1;
            }
            prop_assert_eq!(parsed.run_from(LedgerIndex(from)), end);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9,\\- a-z]{0,40}") {
            let _ = text.parse::<Ranges>();
        }
    }
}
