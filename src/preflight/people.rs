//! What only a person can say: who said it, when, and for how long it holds.

use super::items::{Answered, ITEMS};
use super::{Outcome, Row};
use std::collections::BTreeMap;
use xrpayd_core::ids::UnixMs;

/// A day.
pub const DAY_MS: i64 = 86_400_000;

/// A person's word on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOff {
    /// Who.
    pub by: String,
    /// When.
    pub at: UnixMs,
    /// Until when it holds.
    pub until: UnixMs,
    /// What he said of it.
    pub note: Option<String>,
    /// What he said it about, where the item is about something that may change.
    pub about: Option<String>,
}

/// The newest word on each item, by its name.
pub type SignOffs = BTreeMap<String, SignOff>;

impl SignOff {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, now: UnixMs) -> bool {
        now < self.until
    }
}

/// The rows of the items that people answer and that nothing else answered, or why nobody's word is known.
#[must_use]
pub fn rows(words: &Result<SignOffs, String>, now: UnixMs, answered: &[Row]) -> Vec<Row> {
    let open = ITEMS.iter().filter(|item| {
        matches!(item.answered, Answered::ByPerson { .. })
            && !answered.iter().any(|row| row.item.id == item.id)
    });
    open.map(|item| {
        let evidence = match words {
            Err(why) => format!("nobody's word is known: {why}"),
            Ok(words) => match words.get(item.id) {
                None => "nobody has said so".to_owned(),
                Some(word) if word.holds(now) => "somebody has said so".to_owned(),
                Some(word) => {
                    let days = now.since_ms(word.until) / DAY_MS;
                    format!("{} said so; that ran out {days} days ago", word.by)
                }
            },
        };
        let word = words.as_ref().ok().and_then(|words| words.get(item.id));
        let word = word.filter(|word| word.holds(now)).cloned();
        Row::of(item, Outcome::Manual(word), evidence)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::items;

    const NOW: UnixMs = UnixMs(100 * DAY_MS);

    fn word(until: i64) -> SignOff {
        SignOff {
            by: "Ada".to_owned(),
            at: UnixMs(DAY_MS),
            until: UnixMs(until),
            note: None,
            about: None,
        }
    }

    #[test]
    fn a_word_holds_until_its_time_is_up_and_an_answered_item_needs_none() {
        let mut words = SignOffs::new();
        words.insert(items::LOAD_TEST.id.to_owned(), word(NOW.0 + 1));
        words.insert(items::ROLLBACK_DRILL.id.to_owned(), word(NOW.0));
        let listed = Row::of(&items::WALLET_LISTED, Outcome::Pass, "");
        let rows = rows(&Ok(words), NOW, &[listed]);
        let of = |id: &str| rows.iter().find(|row| row.item.id == id);
        assert_eq!(of("wallet.address_list"), None);
        assert_eq!(
            of("drill.load").unwrap().outcome,
            Outcome::Manual(Some(word(NOW.0 + 1)))
        );
        let over = of("drill.roll_back").unwrap();
        assert_eq!(over.outcome, Outcome::Manual(None));
        assert_eq!(over.evidence, "Ada said so; that ran out 0 days ago");
    }

    #[test]
    fn words_that_cannot_be_read_are_nobodys() {
        let rows = rows(&Err("the database is away".to_owned()), NOW, &[]);
        assert!(!rows.is_empty());
        assert!(rows.iter().all(|row| row.outcome == Outcome::Manual(None)));
    }
}
