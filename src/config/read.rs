//! Reads settings out of the merged layers one by one, and keeps every error instead of the first.

use super::layer::Layer;
use super::origin::{Origin, Problem};
use super::settings;
use super::value::FromValue;
use figment::value::{Dict, Value};
use figment::{Figment, Profile};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The merged layers, and what was found wrong so far.
pub(super) struct Reader {
    layers: Vec<Layer>,
    merged: Figment,
    root: Dict,
    /// Everything wrong so far.
    pub problems: Vec<Problem>,
    asked: BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(layers: Vec<Layer>, problems: Vec<Problem>) -> Self {
        let merged = layers
            .iter()
            .fold(Figment::new(), |merged, layer| merged.merge(layer));
        let mut reader = Self {
            layers,
            root: Dict::new(),
            merged,
            problems,
            asked: BTreeSet::new(),
        };
        match figment::Provider::data(&reader.merged) {
            Ok(mut data) => reader.root = data.remove(&Profile::Default).unwrap_or_default(),
            Err(error) => reader.problems.push(Problem::new(
                "",
                None,
                format!("the layers do not merge: {}", error.kind),
            )),
        }
        reader
    }

    /// The same without what the operator wrote under these keys; what is embedded holds there.
    pub(super) fn without<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Self {
        let mut layers = self.layers.clone();
        for key in keys {
            for layer in layers
                .iter_mut()
                .filter(|layer| layer.origin.is_operators())
            {
                layer.remove(key);
            }
        }
        Self::new(layers, Vec::new())
    }

    /// The same with nothing that the operator wrote but the profile and these sections, and with a layer
    /// above all others.
    pub(super) fn only(&self, sections: &[&str], above: Layer) -> Self {
        let mut layers = self.layers.clone();
        for layer in layers
            .iter_mut()
            .filter(|layer| layer.origin.is_operators())
        {
            let names: Vec<String> = layer.tops().map(|(name, _)| name.to_owned()).collect();
            let is_aside =
                |name: &&String| *name != "profile" && !sections.contains(&name.as_str());
            for name in names.iter().filter(is_aside) {
                layer.remove(name);
            }
        }
        layers.push(above);
        Self::new(layers, Vec::new())
    }

    /// The value of a key such as `xrpl.servers[1].url`.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        look(&self.root, key)
    }

    /// Where the value of a key was written.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        let value = self.value(key)?;
        let id = &self.merged.get_metadata(value.tag())?.name;
        let layer = self.layers.iter().find(|layer| layer.id == **id)?;
        Some(layer.origin_of(key))
    }

    /// Notes an error of a key.
    pub(super) fn error(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.problems.push(Problem::new(key, origin, message));
    }

    /// A setting that need not be there.
    pub(super) fn optional<T: FromValue>(&mut self, key: &str) -> Option<T> {
        self.asked.insert(pattern_of(key));
        let value = self.value(key)?;
        match T::from_value(value) {
            Ok(read) => Some(read),
            Err(message) => {
                self.error(key, message);
                None
            }
        }
    }

    /// A setting that must be there.
    pub(super) fn required<T: FromValue>(&mut self, key: &str) -> Option<T> {
        if self.value(key).is_none() {
            self.asked.insert(pattern_of(key));
            self.missing(key);
            return None;
        }
        self.optional(key)
    }

    /// Notes that a setting is missing.
    pub(super) fn missing(&mut self, key: &str) {
        // It is nowhere itself; the table that lacks it may be somewhere.
        let table = key
            .rsplit_once('.')
            .and_then(|(table, _)| self.origin(table));
        let origin = table.filter(|origin| matches!(origin, Origin::File { .. }));
        self.problems
            .push(Problem::new(key, origin, "is missing: it has no default"));
    }

    /// A whole number within bounds, that must be there.
    pub(super) fn number<N: TryFrom<u64>>(
        &mut self,
        key: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<N> {
        let read: u64 = self.required(key)?;
        self.within(key, read, bounds)
    }

    /// A whole number within bounds, that need not be there.
    pub(super) fn optional_number<N: TryFrom<u64>>(
        &mut self,
        key: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<N> {
        let read: u64 = self.optional(key)?;
        self.within(key, read, bounds)
    }

    fn within<N: TryFrom<u64>>(
        &mut self,
        key: &str,
        read: u64,
        bounds: RangeInclusive<u64>,
    ) -> Option<N> {
        match N::try_from(read) {
            Ok(number) if bounds.contains(&read) => Some(number),
            Ok(_) | Err(_) => {
                let (low, high) = bounds.into_inner();
                self.error(key, format!("must be between {low} and {high}"));
                None
            }
        }
    }

    /// How many elements a list has; an error where it is no list.
    pub(super) fn length(&mut self, key: &str) -> Option<usize> {
        self.asked.insert(pattern_of(key));
        let value = self.value(key)?;
        let length = value.as_array().map(<[Value]>::len);
        if length.is_none() {
            self.error(key, "must be a list");
        }
        length
    }

    /// The names in a table; nothing where it is not one.
    pub(super) fn names(&self, key: &str) -> Vec<String> {
        self.value(key)
            .and_then(Value::as_dict)
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The patterns of all settings that were asked for.
    #[cfg(test)]
    pub(super) const fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    /// Notes every key that no setting has, and every section that is no table. All layers are
    /// walked, so that what a later layer hides is found as well.
    pub(super) fn refuse_unknown_keys(&mut self) {
        let mut found = Vec::new();
        for layer in &self.layers {
            for (name, value) in layer.tops() {
                unknown(layer, name, name, value, &mut found);
            }
        }
        self.problems.extend(found);
    }

    /// The text of a plain value, for the manual; nothing where the value is a list of tables.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(_, text) => Some(text.clone()),
            Value::Bool(_, switch) => Some(switch.to_string()),
            value @ Value::Num(..) => value.to_i128().map(|number| number.to_string()),
            Value::Char(..) | Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
        }
    }

    /// Every value there is, in order, with its origin: `(key, value, origin)`.
    pub(super) fn leaves(&self) -> Vec<(String, Value, Origin)> {
        let mut keys = Vec::new();
        for (name, value) in &self.root {
            leaf_keys(name, value, &mut keys);
        }
        keys.into_iter()
            .filter_map(|key| {
                let value = self.value(&key)?.clone();
                let origin = self.origin(&key)?;
                Some((key, value, origin))
            })
            .collect()
    }
}

/// The value at a path in a table; a name in it may hold dots of its own.
fn look<'a>(table: &'a Dict, path: &str) -> Option<&'a Value> {
    let ends = path.match_indices('.').map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        let (name, indexes) = match path[..end].find('[') {
            Some(at) => path[..end].split_at(at),
            None => (&path[..end], ""),
        };
        let Some(mut value) = table.get(name) else {
            continue;
        };
        for index in indexes.split(['[', ']']).filter(|s| !s.is_empty()) {
            value = value.as_array()?.get(index.parse::<usize>().ok()?)?;
        }
        let found = match path.get(end.saturating_add(1)..) {
            Some(rest) if end < path.len() => value.as_dict().and_then(|inner| look(inner, rest)),
            Some(_) | None => Some(value),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Plain values before tables, as TOML wants them.
fn leaf_keys(key: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Dict(_, table) => {
            let (tables, plain): (Vec<_>, Vec<_>) =
                table.iter().partition(|(_, value)| holds_tables(value));
            for (name, value) in plain.into_iter().chain(tables) {
                leaf_keys(&format!("{key}.{name}"), value, keys);
            }
        }
        Value::Array(_, items) if holds_tables(value) => {
            for (index, value) in items.iter().enumerate() {
                leaf_keys(&format!("{key}[{index}]"), value, keys);
            }
        }
        _ => keys.push(key.to_owned()),
    }
}

fn holds_tables(value: &Value) -> bool {
    match value {
        Value::Dict(..) => true,
        Value::Array(_, items) => items.iter().any(holds_tables),
        _ => false,
    }
}

fn unknown(layer: &Layer, key: &str, pattern: &str, value: &Value, found: &mut Vec<Problem>) {
    let is_setting = settings::find(pattern).is_some();
    let has_children = settings::has_children(pattern);
    let mut note = |message: String| {
        found.push(Problem::new(key, Some(layer.origin_of(key)), message));
    };
    if !is_setting && !has_children {
        let (parent, name) = pattern.rsplit_once('.').unwrap_or(("", pattern));
        return note(settings::not_a_setting(parent, name));
    }
    match value {
        Value::Dict(_, table) if has_children => {
            for (name, value) in table {
                let child = settings::child(pattern, name);
                unknown(layer, &format!("{key}.{name}"), &child, value, found);
            }
        }
        Value::Array(_, items) if has_children => {
            for (index, value) in items.iter().enumerate() {
                // Plain elements are the setting's own business.
                if let Value::Dict(_, table) = value {
                    for (name, value) in table {
                        let child = format!("{pattern}[].{name}");
                        unknown(
                            layer,
                            &format!("{key}[{index}].{name}"),
                            &child,
                            value,
                            found,
                        );
                    }
                }
            }
        }
        _ if !is_setting => note("must be a table".to_owned()),
        _ => {}
    }
}

/// The pattern of a key: `wallets.hot.seed` is `wallets.<name>.seed`, indexes are `[]`.
pub(super) fn pattern_of(key: &str) -> String {
    let mut pattern = String::new();
    for part in key.split('.') {
        let (name, index) = match part.find('[') {
            Some(at) => (&part[..at], "[]"),
            None => (part, ""),
        };
        pattern = settings::child(&pattern, name) + index;
    }
    pattern
}
