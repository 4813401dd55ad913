//! Holds what the API takes and answers against its own OpenAPI document.
//!
//! Knows just the keywords that the document uses, and fails on any other, so that nothing of a schema is
//! left unchecked. Stricter than a client may be: an answer shows no member that its schema does not name.

use axum::http::{HeaderMap, Method, StatusCode};
use regex::Regex;
use serde_json::{Map, Value};
use std::io::Read as _;
use std::sync::LazyLock;
use time::format_description::well_known::Rfc3339;
use xrpayd_core::address::AccountId;

pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&xrpayd::http::openapi::text()).unwrap());

/// What says nothing about which values are right.
const ANNOTATIONS: [&str; 6] = [
    "description",
    "title",
    "example",
    "examples",
    "default",
    "deprecated",
];

/// The faults of a value, by the place where they are; none where it is as the schema says.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", Whole::Yes, &mut found);
    found
}

/// Whether a schema describes all of an object, or a part of it.
#[derive(Clone, Copy, PartialEq)]
enum Whole {
    Yes,
    No,
}

fn check(schema: &Value, value: &Value, at: &str, whole: Whole, found: &mut Vec<String>) {
    let Value::Object(keywords) = schema else {
        match schema {
            Value::Bool(true) => return,
            other => panic!("{other} is no schema"),
        }
    };
    for (keyword, wanted) in keywords {
        let mut fault = |what: &str| found.push(format!("{at}: {value} {what} {wanted}"));
        match keyword.as_str() {
            "$ref" => check(target(wanted), value, at, whole, found),
            "type" => {
                let kinds = wanted.as_array().cloned().unwrap_or(vec![wanted.clone()]);
                if !kinds.iter().any(|kind| is_kind(kind, value)) {
                    fault("is not of the type");
                }
            }
            "enum" if !wanted.as_array().unwrap().contains(value) => fault("is none of"),
            "const" if wanted != value => fault("is not"),
            "allOf" => {
                for part in wanted.as_array().unwrap() {
                    let is_named = part.get("$ref").is_some();
                    let whole = if is_named { whole } else { Whole::No };
                    check(part, value, at, whole, found);
                }
            }
            "oneOf" => {
                let all = wanted.as_array().unwrap().iter();
                let why: Vec<Vec<String>> = all.map(|one| faults(one, value)).collect();
                let fitting = why.iter().filter(|faults| faults.is_empty()).count();
                if fitting != 1 {
                    found.push(format!(
                        "{at}: {value} is {fitting} of the choices: {why:?}"
                    ));
                }
            }
            "properties" => {
                for (name, part) in wanted.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        check(part, member, &format!("{at}/{name}"), Whole::Yes, found);
                    }
                }
            }
            "required" => {
                let names = wanted.as_array().unwrap();
                let is_there = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                if value.is_object() && !names.iter().all(is_there) {
                    fault("lacks one of");
                }
            }
            "propertyNames" => {
                for name in members(value).keys() {
                    check(wanted, &name.as_str().into(), at, Whole::Yes, found);
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(wanted, item, &format!("{at}/{n}"), Whole::Yes, found);
                }
            }
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().unwrap()).unwrap();
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    fault("does not match");
                }
            }
            "format" => {
                if let Some(text) = value.as_str()
                    && !is_formatted(wanted.as_str().unwrap(), text)
                {
                    fault("is not of the format");
                }
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => {
                let size = size_for(keyword, value);
                let bound = usize::try_from(wanted.as_u64().unwrap()).unwrap();
                let is_least = keyword.starts_with("min");
                if size.is_some_and(|size| if is_least { size < bound } else { size > bound }) {
                    fault("has a size beyond");
                }
            }
            "minimum" | "maximum" => {
                let is_least = keyword == "minimum";
                let (number, bound) = (value.as_f64(), wanted.as_f64().unwrap());
                if number.is_some_and(|number| {
                    if is_least {
                        number < bound
                    } else {
                        number > bound
                    }
                }) {
                    fault("is beyond");
                }
            }
            // Both are looked at below, with what is named beside them.
            "additionalProperties" | "enum" | "const" => {}
            other => assert!(ANNOTATIONS.contains(&other), "unknown keyword {other}"),
        }
    }
    let named = keywords.get("properties");
    for (name, member) in members(value) {
        if named.is_some_and(|named| named.get(&name).is_some()) {
            continue;
        }
        match keywords.get("additionalProperties") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => found.push(format!("{at}/{name} is not known")),
            Some(part) => check(part, &member, &format!("{at}/{name}"), Whole::Yes, found),
            None if named.is_some() && whole == Whole::Yes => {
                found.push(format!("{at}/{name} is not described"));
            }
            None => {}
        }
    }
}

/// What a reference leads to.
pub fn target(reference: &Value) -> &'static Value {
    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
    let found = DOCUMENT.pointer(pointer);
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// The same, where it is one.
pub fn resolved(value: &'static Value) -> &'static Value {
    value.get("$ref").map_or(value, target)
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn is_kind(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

fn is_formatted(format: &str, text: &str) -> bool {
    match format {
        "date-time" => time::OffsetDateTime::parse(text, &Rfc3339).is_ok(),
        "xrpl-address" => text.parse::<AccountId>().is_ok(),
        "xrpl-destination" => text.starts_with(['X', 'T']) || text.parse::<AccountId>().is_ok(),
        other => panic!("unknown format {other}"),
    }
}

fn size_for(keyword: &str, value: &Value) -> Option<usize> {
    match value {
        Value::String(text) if keyword.ends_with("Length") => Some(text.chars().count()),
        Value::Array(items) if keyword.ends_with("Items") => Some(items.len()),
        Value::Object(members) if keyword.ends_with("Properties") => Some(members.len()),
        _ => None,
    }
}

/// The description of what a request asks for, where there is one: its path and its operation.
fn operation(method: &Method, path: &str) -> Option<(&'static str, Option<&'static Value>)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (mut wanted, mut asked) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), asked.next()) {
                (None, None) => return true,
                (Some(wanted), Some(asked)) if wanted.starts_with('{') => {
                    if asked.is_empty() {
                        return false;
                    }
                }
                (wanted, asked) if wanted == asked => {}
                _ => return false,
            }
        }
    };
    // A word in a path goes before what stands for any.
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    let (template, methods) = fitting.min_by_key(|(template, _)| template.contains('{'))?;
    let method = match method.as_str() {
        "HEAD" => "get".to_owned(),
        method => method.to_lowercase(),
    };
    Some((template, methods.get(method)))
}

/// Something that was asked and answered.
pub struct Exchange<'a> {
    pub method: &'a Method,
    pub uri: &'a axum::http::Uri,
    pub asked: &'a [u8],
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub answered: &'a [u8],
}

impl Exchange<'_> {
    /// Fails where the document does not say that this may happen.
    pub fn is_described(&self) {
        let what = format!(
            "{} {} is answered {}",
            self.method,
            self.uri.path(),
            self.status
        );
        let Some((template, operation)) = operation(self.method, self.uri.path()) else {
            assert!(
                self.status.as_u16() == 404 || self.status.is_server_error(),
                "{what}"
            );
            return;
        };
        if *self.method == Method::OPTIONS {
            // A browser's question before a request of another origin; nothing of the API.
            return;
        }
        let Some(operation) = operation else {
            assert!(
                self.status.as_u16() == 405 || self.status.is_server_error(),
                "{what}"
            );
            return;
        };
        let what = format!(
            "{what} ({template}): {}",
            String::from_utf8_lossy(self.answered)
        );
        let response = operation["responses"].get(self.status.as_str());
        let response = resolved(response.unwrap_or_else(|| panic!("{what}: no such status")));
        for (name, header) in response["headers"].as_object().unwrap() {
            let header = resolved(header);
            match self.headers.get(name.as_str()) {
                Some(value) => has_form(header, value.to_str().unwrap(), name),
                None => assert!(header["required"] != true, "{what}: no {name}"),
            }
        }
        self.body_is_described(response, &what);
        if self.status.is_success() {
            self.request_is_described(operation, &what);
        }
    }

    fn body_is_described(&self, response: &Value, what: &str) {
        let Some(kinds) = response.get("content") else {
            assert!(self.answered.is_empty(), "{what}: no body is described");
            return;
        };
        let kind = self
            .headers
            .get("content-type")
            .map(|kind| kind.to_str().unwrap());
        let kind = kind.unwrap_or_else(|| panic!("{what}: of no type"));
        let essence = kind.split(';').next().unwrap();
        let content = kinds.get(essence);
        let content = content.unwrap_or_else(|| panic!("{what}: {kind} is not described"));
        if essence.ends_with("json") && *self.method != Method::HEAD {
            let mut plain = self.answered.to_vec();
            if self.headers.contains_key("content-encoding") {
                plain.clear();
                let mut packed = flate2::read::GzDecoder::new(self.answered);
                packed.read_to_end(&mut plain).unwrap();
            }
            let body = serde_json::from_slice(&plain).unwrap();
            let faults = faults(&content["schema"], &body);
            assert!(faults.is_empty(), "{what}\n{}", faults.join("\n"));
        }
    }

    /// What is taken is what the document says is taken.
    fn request_is_described(&self, operation: &Value, what: &str) {
        let parameters = operation["parameters"].as_array().unwrap();
        let query = self.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = parameters
                .iter()
                .find(|one| one["in"] == "query" && one["name"] == *name);
            let known = known.unwrap_or_else(|| panic!("{what}: the query has {name}"));
            has_form(known, &value, &name);
        }
        // The check of a payment answers every body that can be read, and tells what is wrong with it.
        if self.asked.is_empty() || operation["operationId"] == "validatePayment" {
            return;
        }
        let asked: Value = serde_json::from_slice(self.asked).unwrap();
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let faults = faults(schema, &asked);
        assert!(
            faults.is_empty(),
            "{what} for {asked}\n{}",
            faults.join("\n")
        );
    }
}

/// A parameter or a header, which is written without quotes.
fn has_form(described: &Value, text: &str, name: &str) {
    let schema = match &described["schema"] {
        schema if schema.get("$ref").is_some() => target(&schema["$ref"]),
        schema => schema,
    };
    let value = match schema["type"].as_str() {
        Some("integer" | "boolean") => serde_json::from_str(text).unwrap(),
        _ => Value::from(text),
    };
    let faults = faults(schema, &value);
    assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
}
