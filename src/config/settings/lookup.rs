//! Looking settings up by the patterns of their keys.

use super::{SECTIONS, SETTINGS, Setting};

/// The row of a key pattern.
pub(in crate::config) fn find(pattern: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == pattern)
}

/// Whether further settings stand below a key pattern.
pub(in crate::config) fn has_children(pattern: &str) -> bool {
    SECTIONS.iter().any(|(name, _)| *name == pattern)
        || SETTINGS.iter().any(|setting| {
            setting
                .key
                .strip_prefix(pattern)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        })
}

/// The pattern of the key `name` within the table `pattern`.
pub(in crate::config) fn child(pattern: &str, name: &str) -> String {
    match pattern {
        "" => name.to_owned(),
        "wallets" | "limits.clients" => format!("{pattern}.<name>"),
        "limits.destinations" => format!("{pattern}.<address>"),
        _ => format!("{pattern}.{name}"),
    }
}

/// What is said of a name under `pattern` that no setting has.
pub(in crate::config) fn not_a_setting(pattern: &str, name: &str) -> String {
    match nearest(pattern, name) {
        Some(known) => format!("is not a setting; did you mean {known}?"),
        None => "is not a setting".to_owned(),
    }
}

/// The known name under `pattern` that is nearest to a mistyped one.
fn nearest(pattern: &str, name: &str) -> Option<&'static str> {
    let prefix = if pattern.is_empty() {
        String::new()
    } else {
        format!("{pattern}.")
    };
    SETTINGS
        .iter()
        .filter_map(|setting| setting.key.strip_prefix(prefix.as_str()))
        .filter_map(|rest| rest.split(['.', '[']).next())
        .filter(|known| !known.is_empty() && !known.starts_with('<'))
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3))
        .min()
        .map(|(_, known)| known)
}
