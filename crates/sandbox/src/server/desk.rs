//! What administrators set on one server and read back: log levels and reserved slots for peers.
//!
//! Owns one server's settings. They change nothing in the model, which logs and connects its servers as
//! its own configuration says; they are kept so that what was set is what is read.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How much is logged, in rippled's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Severity {
    Trace,
    Debug,
    Info,
    #[default]
    Warning,
    Error,
    Fatal,
}

impl Severity {
    /// Reads a severity as rippled does, whatever its case.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" | "information" => Self::Info,
            "warn" | "warning" | "warnings" => Self::Warning,
            "error" | "errors" => Self::Error,
            "fatal" | "fatals" => Self::Fatal,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Trace => "Trace",
            Self::Debug => "Debug",
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::Fatal => "Fatal",
        }
    }
}

/// The settings of one server.
#[derive(Debug, Default)]
pub(super) struct Desk {
    base: Severity,
    partitions: BTreeMap<String, Severity>,
    reservations: BTreeMap<String, String>,
}

impl Desk {
    /// The levels as `log_level` prints them.
    pub(super) fn levels(&self) -> Value {
        let mut out = json!({ "base": self.base.name() });
        for (partition, severity) in &self.partitions {
            out[partition] = json!(severity.name());
        }
        out
    }

    /// Sets the level of a partition, or of all.
    pub(super) fn set_level(&mut self, partition: &str, severity: Severity) {
        if partition.eq_ignore_ascii_case("base") {
            self.base = severity;
            self.partitions
                .values_mut()
                .for_each(|level| *level = severity);
        } else {
            self.partitions.insert(partition.to_owned(), severity);
        }
    }

    /// Reserves a slot for a peer; returns what was reserved for it before.
    pub(super) fn reserve(&mut self, node: String, description: String) -> Option<Value> {
        let old = self.reservations.insert(node.clone(), description);
        old.map(|old| reservation(&node, &old))
    }

    /// Gives a peer's slot up; returns what was reserved.
    pub(super) fn release(&mut self, node: &str) -> Option<Value> {
        let old = self.reservations.remove(node);
        old.map(|old| reservation(node, &old))
    }

    /// All reservations.
    pub(super) fn reservations(&self) -> Vec<Value> {
        let all = self.reservations.iter();
        all.map(|(node, description)| reservation(node, description))
            .collect()
    }
}

fn reservation(node: &str, description: &str) -> Value {
    let mut out = json!({ "node": node });
    if !description.is_empty() {
        out["description"] = json!(description);
    }
    out
}
