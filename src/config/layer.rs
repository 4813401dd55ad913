//! One layer of the configuration: its values, and where in it each was written.

use super::origin::{Origin, Problem};
use super::settings::{self, Kind};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The prefix of the variables that are read.
pub(super) const ENV_PREFIX: &str = "XRPAYD__";
/// Values nest no deeper in any sensible file; a file that does is refused before it is walked.
const DEPTH_MAX: usize = 16;

/// The values of one place.
#[derive(Clone)]
pub(super) struct Layer {
    /// Tells the layers apart once they are merged.
    pub id: String,
    /// The origin of what has none of its own below.
    pub origin: Origin,
    /// The origin of single keys, where more is known.
    pub origins: BTreeMap<String, Origin>,
    values: Dict,
}

impl Layer {
    pub(super) fn empty(id: String, origin: Origin) -> Self {
        Self {
            id,
            origin,
            origins: BTreeMap::new(),
            values: Dict::new(),
        }
    }

    /// A layer from TOML text. What can be read is kept even where something cannot, so that every
    /// error of a file is told at once.
    pub(super) fn toml(id: String, text: &str, origin: Origin) -> (Self, Vec<Problem>) {
        let mut layer = Self::empty(id, origin);
        let line_at = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            before.iter().filter(|&&byte| byte == b'\n').count() + 1
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| {
                // The parser's own display quotes the line, which may hold a secret.
                let line = error.span().map(|span| line_at(span.start));
                let origin = with_line(&layer.origin, line);
                Problem::new(
                    "",
                    Some(origin),
                    format!("is not TOML: {}", error.message()),
                )
            })
            .collect();
        let mut walk = Walk {
            base: &layer.origin,
            line_at: &line_at,
            origins: BTreeMap::new(),
            too_deep: None,
        };
        let values = walk.table("", table.get_ref(), 0);
        if let Some(line) = walk.too_deep {
            let origin = with_line(walk.base, Some(line));
            problems.push(Problem::new("", Some(origin), "nests its values too deep"));
        }
        layer.origins = walk.origins;
        layer.values = values;
        (layer, problems)
    }

    /// A `--config` file.
    pub(super) fn file(index: usize, path: &Path) -> (Self, Vec<Problem>) {
        let id = format!("file {index}");
        let origin = Origin::File {
            path: path.to_owned(),
            line: None,
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::toml(id, &text, origin),
            Err(error) => {
                let problem = Problem::new(
                    "",
                    Some(origin.clone()),
                    format!("the configuration file cannot be read: {error}"),
                );
                (Self::empty(id, origin), vec![problem])
            }
        }
    }

    /// The variables `XRPAYD__SECTION__KEY`.
    pub(super) fn env(variables: impl Iterator<Item = (String, String)>) -> (Self, Vec<Problem>) {
        let mut layer = Self::empty(
            "environment".to_owned(),
            Origin::Env(format!("{ENV_PREFIX}…")),
        );
        let mut problems = Vec::new();
        let mut variables: Vec<(String, String)> = variables
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        variables.sort();
        for (variable, text) in variables {
            let path: Vec<String> = variable[ENV_PREFIX.len()..]
                .split("__")
                .map(str::to_ascii_lowercase)
                .collect();
            let mut pattern = String::new();
            for name in &path {
                pattern = settings::child(&pattern, name);
            }
            let origin = Origin::Env(variable);
            match settings::find(&pattern) {
                Some(setting) => {
                    let value = env_value(setting.kind, &text);
                    layer.insert(&path, value, origin);
                }
                None => {
                    let (parent, name) = pattern.rsplit_once('.').unwrap_or(("", &pattern));
                    let message = settings::not_a_setting(parent, name);
                    problems.push(Problem::new(path.join("."), Some(origin), message));
                }
            }
        }
        (layer, problems)
    }

    /// Sets one value by its path.
    pub(super) fn insert(&mut self, path: &[String], value: Value, origin: Origin) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut table = &mut self.values;
        for name in parents {
            let slot = table
                .entry(name.clone())
                .or_insert_with(|| Value::from(Dict::new()));
            if !matches!(slot, Value::Dict(..)) {
                *slot = Value::from(Dict::new());
            }
            let Value::Dict(_, inner) = slot else {
                return;
            };
            table = inner;
        }
        self.origins.insert(path.join("."), origin);
        table.insert(last.clone(), value);
    }

    /// Takes one value out; of a list the whole.
    pub(super) fn remove(&mut self, key: &str) {
        let key = key.split('[').next().unwrap_or_default();
        let mut table = &mut self.values;
        let mut names = key.split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                table.remove(name);
                return;
            }
            match table.get_mut(name) {
                Some(Value::Dict(_, inner)) => table = inner,
                Some(_) | None => return,
            }
        }
    }

    /// Where a key was written: its own place, or that of the nearest table around it.
    pub(super) fn origin_of(&self, key: &str) -> Origin {
        let mut key = key;
        loop {
            if let Some(origin) = self.origins.get(key) {
                return origin.clone();
            }
            match key.rfind(['.', '[']) {
                Some(at) => key = &key[..at],
                None => return self.origin.clone(),
            }
        }
    }

    /// The value of a top-level key.
    pub(super) fn top(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Every top-level key with its value.
    pub(super) fn tops(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.id.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn with_line(origin: &Origin, line: Option<usize>) -> Origin {
    match origin {
        Origin::File { path, .. } => Origin::File {
            path: path.clone(),
            line,
        },
        Origin::Default | Origin::Profile(_) | Origin::Env(_) | Origin::Command(_) => {
            origin.clone()
        }
    }
}

/// A variable's text as the kind of its setting wants it: money, durations and texts as they stand,
/// numbers and switches parsed, lists either in brackets or with commas.
fn env_value(kind: Kind, text: &str) -> Value {
    let trimmed = text.trim();
    let as_text = || Value::from(text.to_owned());
    match kind {
        Kind::Number => trimmed
            .parse::<i64>()
            .map_or_else(|_| as_text(), Value::from),
        Kind::Switch => trimmed
            .parse::<bool>()
            .map_or_else(|_| as_text(), Value::from),
        Kind::List | Kind::Servers | Kind::Tables if trimmed.starts_with('[') => {
            let Ok(list) = DeValue::parse(trimmed) else {
                return as_text();
            };
            let mut walk = Walk {
                base: &Origin::Default,
                line_at: &|_| 1,
                origins: BTreeMap::new(),
                too_deep: None,
            };
            walk.value("", &list, 1, 0).unwrap_or_else(as_text)
        }
        Kind::List | Kind::Servers | Kind::Tables => {
            let items = trimmed.split(',').map(str::trim).filter(|s| !s.is_empty());
            Value::from(items.map(str::to_owned).collect::<Vec<String>>())
        }
        Kind::Text
        | Kind::Choice(_)
        | Kind::Xrp
        | Kind::Drops
        | Kind::Duration
        | Kind::Share
        | Kind::Address
        | Kind::Secret
        | Kind::Listen
        | Kind::Url
        | Kind::Reserved => as_text(),
    }
}

struct Walk<'a> {
    base: &'a Origin,
    line_at: &'a dyn Fn(usize) -> usize,
    origins: BTreeMap<String, Origin>,
    too_deep: Option<usize>,
}

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>, depth: usize) -> Dict {
        let mut dict = Dict::new();
        for (name, value) in table {
            let key = if path.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{path}.{}", name.get_ref())
            };
            let line = (self.line_at)(name.span().start);
            if let Some(value) = self.value(&key, value, line, depth) {
                dict.insert(name.get_ref().to_string(), value);
            }
        }
        dict
    }

    fn array(&mut self, path: &str, array: &DeArray<'_>, depth: usize) -> Vec<Value> {
        array
            .iter()
            .enumerate()
            .filter_map(|(index, value)| {
                let line = (self.line_at)(value.span().start);
                self.value(&format!("{path}[{index}]"), value, line, depth)
            })
            .collect()
    }

    fn value(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        line: usize,
        depth: usize,
    ) -> Option<Value> {
        self.origins
            .insert(key.to_owned(), with_line(self.base, Some(line)));
        if depth >= DEPTH_MAX {
            self.too_deep.get_or_insert(line);
            return None;
        }
        Some(match value.get_ref() {
            DeValue::String(text) => Value::from(text.to_string()),
            // What fits no number stays a text, and the setting's own check refuses it.
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::from(number.as_str().to_owned()), Value::from),
            DeValue::Float(number) => number
                .as_str()
                .parse::<f64>()
                .map_or_else(|_| Value::from(f64::NAN), Value::from),
            DeValue::Boolean(switch) => Value::from(*switch),
            DeValue::Datetime(time) => Value::from(time.to_string()),
            DeValue::Array(array) => Value::from(self.array(key, array, depth + 1)),
            DeValue::Table(table) => Value::from(self.table(key, table, depth + 1)),
        })
    }
}
