//! The answer to `submit`: a hint, never an outcome.

use serde::Deserialize;
use std::borrow::Cow;

/// The result. The transaction that it echoes is not read.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Submit<'a> {
    #[serde(borrow)]
    pub engine_result: Cow<'a, str>,
    #[serde(default)]
    pub applied: bool,
    #[serde(default)]
    pub queued: bool,
    #[serde(default)]
    pub kept: bool,
    #[serde(default)]
    pub validated_ledger_index: Option<u32>,
}

/// The longest known name has 43 letters after its class.
const NAME_LEN_MAX: usize = 64;

/// Whether a text has the form of a result code: three lower-case letters, then capitals. Anything
/// else must not become the value of a metric's label.
pub(in crate::xrpl) fn is_result_code(text: &str) -> bool {
    let (class, name) = match text.split_at_checked(3) {
        Some(parts) => parts,
        None => return false,
    };
    matches!(class, "tes" | "tec" | "ter" | "tel" | "tef" | "tem")
        && (1..=NAME_LEN_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_are_told_from_other_texts() {
        for code in xrpayd_core::ledger::codes::TABLE {
            assert!(is_result_code(code.name), "{}", code.name);
        }
        for text in [
            "",
            "tes",
            "success",
            "tesOK\n",
            "texWRONG",
            "té",
            "TESSUCCESS",
        ] {
            assert!(!is_result_code(text), "{text}");
        }
    }
}
