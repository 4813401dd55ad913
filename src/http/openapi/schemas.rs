//! From the shapes of requests and answers to the document's schemas.
//!
//! utoipa reads the shapes. Here its reading is brought to what this API means: what an answer may show
//! as null is always there, what is flattened in Rust is one object, and a number has its bounds.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The schemas that a document refers to, by name.
#[derive(Default)]
pub(super) struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// A reference to the schema of `T`, which is in the document from now on.
    pub(super) fn of<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        crate::shape::amount::parts(&mut found);
        for (name, schema) in found {
            let shown = serde_json::to_value(schema).unwrap_or_default();
            let known = self.0.insert(name.clone(), shown.clone());
            // Two shapes of one name would describe each other.
            assert!(
                known.is_none_or(|known| known == shown),
                "two schemas have the name {name}"
            );
        }
        reference(&T::name())
    }

    /// All of them, as the document shows them; `elsewhere` is the rest of it.
    pub(super) fn settled(self, elsewhere: &Map<String, Value>) -> Map<String, Value> {
        let raw = self.0;
        let merged = raw.keys().map(|name| {
            let mut schema = merge(raw[name].clone(), &raw);
            settle(&mut schema);
            (name.clone(), schema)
        });
        let all: Map<String, Value> = merged.collect();
        let parts = flattened(&raw);
        // What is only ever a part of another object is not shown by itself.
        let used = json!([&all, elsewhere]).to_string();
        all.into_iter()
            .filter(|(name, _)| {
                !parts.contains(name) || used.contains(&format!("\"{}\"", path_of(name)))
            })
            .collect()
    }
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": path_of(name) })
}

fn path_of(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The schemas that are flattened into others.
fn flattened(raw: &BTreeMap<String, Value>) -> Vec<String> {
    let mut names = Vec::new();
    let mut todo: Vec<&Value> = raw.values().collect();
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(members) => {
                let parts = members.get("allOf").and_then(Value::as_array);
                let named = parts.into_iter().flatten().filter_map(name_of);
                names.extend(named.map(str::to_owned));
                todo.extend(members.values());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
    names
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"]
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

/// Writes objects that are made of several as one, and choices between them as choices between wholes.
fn merge(schema: Value, raw: &BTreeMap<String, Value>) -> Value {
    let Value::Object(mut members) = schema else {
        return schema;
    };
    for value in members.values_mut() {
        *value = match value.take() {
            Value::Array(items) => items.into_iter().map(|item| merge(item, raw)).collect(),
            other => merge(other, raw),
        };
    }
    let Some(Value::Array(parts)) = members.remove("allOf") else {
        return flat(members);
    };
    let mut wholes = vec![Map::new()];
    for part in parts {
        let part = match name_of(&part).and_then(|name| raw.get(name)) {
            Some(named) => merge(named.clone(), raw),
            None => part,
        };
        let choices = match part.get("oneOf") {
            Some(Value::Array(choices)) => choices.clone(),
            _ => vec![part],
        };
        wholes = wholes
            .iter()
            .flat_map(|whole| choices.iter().map(|choice| joined(whole, choice)))
            .collect();
    }
    for whole in &mut wholes {
        whole.extend(members.clone());
    }
    if let [whole] = &mut wholes[..] {
        return Value::Object(std::mem::take(whole));
    }
    json!({ "oneOf": wholes })
}

/// A choice among choices is one choice.
fn flat(mut members: Map<String, Value>) -> Value {
    if let Some(Value::Array(choices)) = members.get_mut("oneOf") {
        let inner = std::mem::take(choices).into_iter().flat_map(|choice| {
            let is_choice = choice.as_object().is_some_and(|choice| choice.len() == 1);
            match choice.get("oneOf") {
                Some(Value::Array(choices)) if is_choice => choices.clone(),
                _ => vec![choice],
            }
        });
        *choices = inner.collect();
    }
    Value::Object(members)
}

/// Both objects in one.
fn joined(whole: &Map<String, Value>, part: &Value) -> Map<String, Value> {
    let mut whole = whole.clone();
    for (name, value) in part.as_object().into_iter().flatten() {
        match (whole.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.clone()),
            // The first part's own description is not that of the whole.
            (_, _) if name == "description" => {
                whole.remove("description");
            }
            (_, value) => {
                whole.insert(name.clone(), value.clone());
            }
        }
    }
    whole
}

/// Bounds of numbers, and which members of an answer are always there.
fn settle(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(members) => {
            members.values_mut().for_each(settle);
            bound(members);
            require(members);
        }
        _ => {}
    }
}

/// utoipa gives unsigned numbers the format of signed ones.
fn bound(members: &mut Map<String, Value>) {
    let is_unsigned = members.get("minimum").and_then(Value::as_u64).is_some();
    let bits = members.get("format").and_then(Value::as_str);
    let maximum = match bits {
        Some("int32") => Some(json!(u32::MAX)),
        Some("int64") => None,
        _ => return,
    };
    if is_unsigned {
        members.remove("format");
        if let Some(maximum) = maximum {
            members.entry("maximum").or_insert(maximum);
        }
    }
}

/// An answer leaves out only what it never shows as null. A request is told by that it takes nothing else.
fn require(members: &mut Map<String, Value>) {
    if members.get("additionalProperties") == Some(&json!(false)) {
        return;
    }
    let Some(Value::Object(properties)) = members.get("properties") else {
        return;
    };
    let nullable = properties.iter().filter(|(_, schema)| may_be_null(schema));
    let mut required: Vec<String> = nullable.map(|(name, _)| name.clone()).collect();
    let known = members.get("required").and_then(Value::as_array);
    let known = known.into_iter().flatten().filter_map(Value::as_str);
    required.extend(known.map(str::to_owned));
    required.sort();
    required.dedup();
    if !required.is_empty() {
        members.insert("required".to_owned(), json!(required));
    }
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| *kind == json!("null");
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is_null),
        Value::String(_) => is_null(&schema["type"]),
        _ => {
            let choices = schema["oneOf"].as_array();
            choices.into_iter().flatten().any(may_be_null)
        }
    }
}
