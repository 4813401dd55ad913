//! The pre-deployment checklist: from facts to rows. Pure.
//!
//! Owns the items ([`items`]), what is to be known for each ([`servers`], [`wallets`], [`books`],
//! [`service`], [`host`]), and what a person's word is worth ([`people`]). Facts are gathered by
//! `app::preflight`; nothing here reads a clock, a file or a socket.
//!
//! What could not be found out is a failure with its reason, never a pass: a checklist that is silent
//! about what it did not see is worse than none.

pub mod books;
pub mod doc;
pub mod host;
pub mod items;
pub mod people;
pub mod report;
pub mod servers;
pub mod service;
pub mod wallets;

pub use items::{Answered, ITEMS, Item, find};
pub use people::SignOff;
pub use report::{Report, Verdict};

/// What came of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Pass,
    /// It is doubtful, and nothing that keeps anybody from going live.
    Warn,
    /// It is not so, or could not be found out.
    Fail,
    /// A person has to say it: who has, where somebody has and his word still holds.
    Manual(Option<SignOff>),
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Manual(_) => "manual",
        }
    }
}

/// A line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which item.
    pub item: &'static Item,
    /// What of several it is about: a server, a wallet.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen.
    pub evidence: String,
}

impl Row {
    /// A row about the whole.
    #[must_use]
    pub fn of(item: &'static Item, outcome: Outcome, evidence: impl Into<String>) -> Self {
        Self {
            item,
            subject: None,
            outcome,
            evidence: evidence.into(),
        }
    }

    /// A row about one of several.
    #[must_use]
    pub fn about(
        item: &'static Item,
        subject: &str,
        outcome: Outcome,
        evidence: impl Into<String>,
    ) -> Self {
        Self {
            subject: Some(subject.to_owned()),
            ..Self::of(item, outcome, evidence)
        }
    }
}

/// A pass where it is so, and a failure where not.
#[must_use]
pub const fn must(is_so: bool) -> Outcome {
    if is_so { Outcome::Pass } else { Outcome::Fail }
}

/// A pass where it is so, and a warning where not.
#[must_use]
pub const fn should(is_so: bool) -> Outcome {
    if is_so { Outcome::Pass } else { Outcome::Warn }
}
