//! A span that has ended, as it is sent.

use super::REQUEST;

/// Which side of a conversation a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work inside the daemon.
    Internal,
    /// The answering of a request.
    Server,
    /// A request to somebody else.
    Client,
}

impl Kind {
    /// The kind of the span with this name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            REQUEST => Self::Server,
            "submit" | "webhook" => Self::Client,
            _ => Self::Internal,
        }
    }

    /// Its number in the protocol.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
        }
    }
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Switch(bool),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: u128,
    /// Itself in it.
    pub id: u64,
    /// What it is below.
    pub parent: Option<u64>,
    /// What it is called.
    pub name: &'static str,
    /// Which side it is.
    pub kind: Kind,
    /// When it began, in nanoseconds since 1970.
    pub began_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// What is said of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// A span of another trace that it comes from.
    pub link: Option<(u128, u64)>,
    /// Whether it failed.
    pub failed: bool,
}
