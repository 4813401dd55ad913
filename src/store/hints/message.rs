//! What the processes tell each other, as text.
//!
//! Owns its form. A message of a newer form, or a hint that this program does not know, is passed over
//! and counted: whoever waits for it looks by himself.

use super::Hint;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The form of the messages that are written and read here.
const FORM: u32 = 1;

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    v: u32,
    from: &'a str,
    hints: Vec<Hint>,
}

impl<'a> Message<'a> {
    pub(super) const fn of(from: &'a str, hints: Vec<Hint>) -> Self {
        let v = FORM;
        Self { v, from, hints }
    }

    pub(super) fn encode(&self) -> Result<String, StoreError> {
        serde_json::to_string(self)
            .map_err(|error| StoreError::corrupt("a hint".to_owned(), error.to_string()))
    }
}

/// A message that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Who sent it.
    pub(super) from: String,
    pub(super) hints: Vec<Hint>,
    /// How many of its hints this program does not know.
    pub(super) unknown: u64,
}

#[derive(Deserialize)]
struct Raw {
    v: u32,
    from: String,
    hints: Vec<Json>,
}

/// Reads a message; `None` where it is of no form that this program knows.
pub(super) fn read(text: &str) -> Option<Read> {
    let raw: Raw = serde_json::from_str(text).ok()?;
    if raw.v != FORM {
        return None;
    }
    let count = raw.hints.len();
    let known = raw.hints.into_iter().map(serde_json::from_value);
    let hints: Vec<Hint> = known.filter_map(Result::ok).collect();
    let unknown = u64::try_from(count.saturating_sub(hints.len())).unwrap_or(u64::MAX);
    Some(Read {
        from: raw.from,
        hints,
        unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let hot = || "hot".to_owned();
        let hints = vec![
            Hint::Feed(17),
            Hint::Work(hot()),
            Hint::Changed(hot()),
            Hint::Lease(hot()),
            Hint::Switches,
            Hint::Keys,
        ];
        let text = Message::of("a1", hints.clone()).encode().unwrap();
        assert_eq!(
            text,
            r#"{"v":1,"from":"a1","hints":[{"feed":17},{"work":"hot"},{"changed":"hot"},{"lease":"hot"},"switches","keys"]}"#
        );
        let expected = Read {
            from: "a1".to_owned(),
            hints,
            unknown: 0,
        };
        assert_eq!(read(&text), Some(expected));
    }

    #[test]
    fn a_hint_of_a_newer_program_is_passed_over_and_the_others_are_taken() {
        let text = r#"{"v":1,"from":"b","hints":["keys",{"weather":"fine"},7],"more":true}"#;
        let found = read(text).unwrap();
        assert_eq!((found.hints, found.unknown), (vec![Hint::Keys], 2));
        for strange in ["", "hello", "{}", r#"{"v":2,"from":"b","hints":[]}"#, "[1]"] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }
}
