//! The effective configuration with the origin of every value, and no secret.

use super::load::{Loaded, Shown};
use super::origin::Origin;
use super::read::{Reader, pattern_of};
use super::schema::Profile;
use super::settings::{self, Kind};
use super::url::{ServerUrl, StoreUrl};
use figment::value::Value;
use std::fmt::Write as _;

/// Every value that was set, as it may be shown. Called only where every value has been read without
/// an error, so that what stands as a secret reference is one.
pub(super) fn shown(reader: &Reader, profile: Profile) -> Vec<Shown> {
    let mut all: Vec<Shown> = reader
        .leaves()
        .into_iter()
        .filter(|(key, _, _)| key != "profile")
        .map(|(key, value, origin)| Shown {
            value: safe(&pattern_of(&key), &value),
            key,
            origin,
        })
        .collect();
    let origin = reader.origin("profile").unwrap_or(Origin::Default);
    all.insert(
        0,
        Shown {
            key: "profile".to_owned(),
            value: profile.name().into(),
            origin,
        },
    );
    all
}

/// A value without what could be secret in it: the tokens of URLs, the passwords of databases.
fn safe(pattern: &str, value: &Value) -> serde_json::Value {
    let kind = settings::find(pattern).map(|setting| setting.kind);
    let hide_server =
        |text: &str| ServerUrl::parse(text).map_or_else(|_| "…".to_owned(), |url| url.to_string());
    match (kind, value) {
        (Some(Kind::Url), Value::String(_, text)) if pattern.starts_with("store.") => {
            let shown =
                StoreUrl::parse(text).map_or_else(|_| "…".to_owned(), |url| url.to_string());
            shown.into()
        }
        (Some(Kind::Url), Value::String(_, text)) if pattern.starts_with("preflight.") => {
            let origin = url::Url::parse(text).map(|url| url.origin().ascii_serialization());
            origin.unwrap_or_else(|_| "…".to_owned()).into()
        }
        (Some(Kind::Url | Kind::Servers) | None, Value::String(_, text)) => {
            hide_server(text).into()
        }
        (_, Value::String(_, text)) => text.clone().into(),
        (_, Value::Char(_, c)) => c.to_string().into(),
        (_, Value::Bool(_, switch)) => (*switch).into(),
        (_, Value::Num(_, number)) => match (value.to_i128(), number.to_f64()) {
            (Some(whole), _) => {
                i64::try_from(whole).map_or_else(|_| whole.to_string().into(), Into::into)
            }
            (None, Some(number)) => number.into(),
            (None, None) => serde_json::Value::Null,
        },
        (_, Value::Array(_, items)) => items.iter().map(|item| safe(pattern, item)).collect(),
        (_, Value::Dict(..) | Value::Empty(..)) => serde_json::Value::Null,
    }
}

/// The effective configuration as TOML, each value with its origin as a comment.
#[must_use]
pub fn show_toml(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut section = String::new();
    for Shown { key, value, origin } in &loaded.origins {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        // A list of plain values is one value; an element of it that is a table has its own header.
        let (table, name) = match name.find('[') {
            Some(_) => (key.as_str(), ""),
            None => (table, name),
        };
        if table != section {
            section = table.to_owned();
            let _ = writeln!(text, "\n{}", header(table));
        }
        let name = if name.is_empty() { "url" } else { name };
        let _ = writeln!(text, "{name} = {}  # {origin}", toml_value(value));
    }
    text
}

/// `[limits]`, or `[[xrpl.servers]]` for an element of a list, or a table inside such an element.
fn header(table: &str) -> String {
    let quoted: Vec<String> = table
        .split('.')
        .map(|part| match part.find('[') {
            Some(at) => part[..at].to_owned(),
            None if part == "*" => "\"*\"".to_owned(),
            None => part.to_owned(),
        })
        .collect();
    let path = quoted.join(".");
    if table.ends_with(']') {
        format!("[[{path}]]")
    } else {
        format!("[{path}]")
    }
}

fn toml_value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        // JSON's strings, numbers and switches are TOML's as well.
        other => other.to_string(),
    }
}

/// The effective configuration as JSON: `{"values": {key: {"value", "origin"}}, "warnings": […]}`.
#[must_use]
pub fn show_json(loaded: &Loaded) -> serde_json::Value {
    let values: serde_json::Map<String, serde_json::Value> = loaded
        .origins
        .iter()
        .map(|shown| {
            let entry = serde_json::json!({
                "value": shown.value,
                "origin": shown.origin.to_string(),
            });
            (shown.key.clone(), entry)
        })
        .collect();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    serde_json::json!({ "values": values, "warnings": warnings })
}
